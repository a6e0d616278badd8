/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: /metrics, in the formats of Prometheus and OpenMetrics. */
#include "manage/metrics.h"
#include "runtime/process.h"
#include "runtime/quality_show.h"

static void engine_metrics(struct engine *engine, struct metrics *m)
{
	struct metrics_family *drops = metrics_family(m, METRICS_COUNTER, "sluice_dropped_packets", NULL,
	                                              "Packets dropped, by reason.");

	metrics_count(metrics_family(m, METRICS_COUNTER, "sluice_received_packets", NULL,
	                             "Packets taken from ports."),
	              engine_total(engine, C_RECEIVED), NULL);
	metrics_count(
	        metrics_family(m, METRICS_COUNTER, "sluice_sent_packets", NULL, "Packets that ports took."),
	        engine_total(engine, C_SENT), NULL);
	metrics_count(metrics_family(m, METRICS_COUNTER, "sluice_sessions_opened", NULL, "Sessions opened."),
	              engine_total(engine, C_OPENED), NULL);
	for (unsigned c = C_FIRST_DROP; c < ENGINE_COUNTERS; c++)
		if (engine_counter_info(c).drop)
			metrics_count(drops, engine_total(engine, c), "reason", engine_counter_info(c).name,
			              "by", "engine", NULL);
	for (unsigned c = 0; c < EDGE_COUNTERS; c++) {
		uint64_t sum = 0;

		for (unsigned i = 0; i < engine->sizes.workers; i++)
			sum += engine->workers[i]->edge_counters[c];
		if (edge_counters[c].drop)
			metrics_count(drops, sum, "reason", edge_counters[c].name, "by", "edge", NULL);
	}
}

static void worker_metrics(struct engine *engine, struct metrics *m)
{
	struct metrics_family *sessions =
	        metrics_family(m, METRICS_GAUGE, "sluice_sessions", NULL, "Live sessions.");
	struct metrics_family *busy = metrics_family(m, METRICS_GAUGE, "sluice_worker_busy", "ratio",
	                                             "Share of its time in which a worker moved packets.");

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		const struct worker *w = engine->workers[i];
		struct flow_stats stats;
		char name[12];

		snprintf(name, sizeof(name), "%u", i);
		flow_stats(w->table, &stats);
		metrics_count(sessions, stats.live, "worker", name, NULL);
		metrics_value(busy, w->total_tsc ? (double)w->busy_tsc / (double)w->total_tsc : 0, "worker",
		              name, NULL);
	}
}

static void port_metrics(struct engine *engine, struct metrics *m)
{
	struct metrics_family *up = metrics_family(m, METRICS_GAUGE, "sluice_port_up", NULL,
	                                           "Whether the port's other end is there.");
	struct metrics_family *rx =
	        metrics_family(m, METRICS_COUNTER, "sluice_port_received", "bytes", "Bytes received.");
	struct metrics_family *tx =
	        metrics_family(m, METRICS_COUNTER, "sluice_port_sent", "bytes", "Bytes sent.");
	struct metrics_family *missed = metrics_family(m, METRICS_COUNTER, "sluice_port_missed", NULL,
	                                               "Frames that the device had no room for.");

	for (unsigned p = 0; p < ENGINE_PORTS_MAX; p++) {
		uint64_t received = 0, sent = 0;

		if (!engine->ports[p].port)
			continue;
		for (unsigned i = 0; i < engine->sizes.workers; i++) {
			received += engine->workers[i]->port_traffic[p].rx_bytes;
			sent += engine->workers[i]->port_traffic[p].tx_bytes;
		}
		metrics_count(up, port_up(engine->ports[p].port), "port", engine->ports[p].name, NULL);
		metrics_count(rx, received, "port", engine->ports[p].name, NULL);
		metrics_count(tx, sent, "port", engine->ports[p].name, NULL);
		metrics_count(missed, port_missed(engine->ports[p].port), "port", engine->ports[p].name,
		              NULL);
	}
}

static void function_metrics(struct engine *engine, const struct nf *nf, struct metrics *m)
{
	static const char *const walks[] = { "along", "against" };
	struct nf_traffic t = engine_nf_traffic(engine, nf->id);
	struct sample sample;
	struct metrics_family *packets = metrics_family(m, METRICS_COUNTER, "sluice_function_packets", NULL,
	                                                "Packets that reached the function.");
	struct metrics_family *bytes = metrics_family(m, METRICS_COUNTER, "sluice_function", "bytes",
	                                              "Bytes that reached the function.");
	struct metrics_family *counters = metrics_family(m, METRICS_COUNTER, "sluice_function_events", NULL,
	                                                 "What the function counts, by its own names.");

	for (unsigned walk = 0; walk < 2; walk++) {
		metrics_count(packets, t.packets[walk], "function", nf->name, "walk", walks[walk], NULL);
		metrics_count(bytes, t.bytes[walk], "function", nf->name, "walk", walks[walk], NULL);
	}
	for (unsigned c = 0; nf->klass->counters && nf->klass->counters[c].name; c++)
		metrics_count(counters, engine_nf_counter(engine, nf->id, c), "function", nf->name, "event",
		              nf->klass->counters[c].name, NULL);
	sample = sample_of_function(engine, nf->id);
	sample_metrics(&sample,
	               metrics_family(m, METRICS_HISTOGRAM, "sluice_function_latency", "seconds",
	                              "Time that packets spend in a function, one burst of 64 sampled."),
	               "function", nf->name);
	metrics_value(metrics_family(m, METRICS_GAUGE, "sluice_function_cycles_per_packet", NULL,
	                             "Cycles of the time stamp counter, sampled."),
	              sample_cycles(&sample), "function", nf->name, NULL);
	if (nf->klass->metrics)
		nf->klass->metrics(nf, atomic_load(&engine->snapshot)->nf_snapshots[nf->id], m);
}

static void path_metrics(struct engine *engine, struct metrics *m)
{
	const struct snapshot *s = atomic_load(&engine->snapshot);
	struct metrics_family *latency =
	        metrics_family(m, METRICS_HISTOGRAM, "sluice_path_latency", "seconds",
	                       "Time from receipt to the port's queue, one burst of 64 sampled.");

	for (unsigned i = 0; i < s->path_count; i++) {
		struct sample sample;

		if (!s->paths[i])
			continue;
		sample = sample_of_path(engine, i);
		sample_metrics(&sample, latency, "path", s->paths[i]->name);
		quality_metrics(engine, s->paths[i], m);
	}
}

void metrics_handler(const struct rest_request *request, struct rest_reply *reply)
{
	struct engine *engine = ((struct process *)request->user)->engine;
	struct metrics *m = metrics_new(metrics_negotiate(rest_header(request, "Accept")));

	pthread_mutex_lock(&engine->lock);
	engine_metrics(engine, m);
	worker_metrics(engine, m);
	port_metrics(engine, m);
	path_metrics(engine, m);
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (engine->nfs[i])
			function_metrics(engine, engine->nfs[i], m);
	pthread_mutex_unlock(&engine->lock);
	metrics_reply(m, reply);
}
