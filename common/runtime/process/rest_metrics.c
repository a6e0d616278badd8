/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: /metrics, in the formats of Prometheus and OpenMetrics. */
#include "manage/metrics.h"
#include "runtime/look/levels.h"
#include "runtime/process/process.h"
#include "runtime/look/quality_show.h"

static void count(struct metrics *m, const char *name, const char *help, uint64_t value)
{
	metrics_count(metrics_family(m, METRICS_COUNTER, name, NULL, help), value, NULL);
}

static void function_drops(struct engine *engine, const struct nf *nf, struct metrics_family *drops)
{
	for (unsigned c = 0; nf->klass->counters && nf->klass->counters[c].name; c++)
		if (nf->klass->counters[c].drop)
			metrics_count(drops, engine_nf_counter(engine, nf->id, c), "reason",
			              nf->klass->counters[c].name, "by", nf->name, NULL);
}

static void drop_metrics(struct engine *engine, struct metrics *m)
{
	struct metrics_family *drops =
	        metrics_family(m, METRICS_COUNTER, "sluice_dropped_packets", NULL,
	                       "Packets dropped, by reason and by whom: engine, edge or a function.");

	for (unsigned c = C_FIRST_DROP; c < ENGINE_COUNTERS; c++)
		if (engine_counter_info(c).drop)
			metrics_count(drops, engine_total(engine, c), "reason", engine_counter_info(c).name,
			              "by", "engine", NULL);
	for (unsigned c = 0; c < EDGE_COUNTERS; c++)
		if (edge_counters[c].drop)
			metrics_count(drops, engine_edge_total(engine, c), "reason", edge_counters[c].name,
			              "by", "edge", NULL);
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (engine->nfs[i])
			function_drops(engine, engine->nfs[i], drops);
}

static void engine_metrics(struct engine *engine, struct metrics *m)
{
	metrics_count(metrics_family(m, METRICS_GAUGE, "sluice_build_info", NULL,
	                             "Always 1; the version is a label."),
	              1, "version", SLUICE_VERSION, NULL);
	count(m, "sluice_received_packets", "Packets taken from ports.", engine_total(engine, C_RECEIVED));
	count(m, "sluice_sent_packets", "Packets that ports took.", engine_total(engine, C_SENT));
	count(m, "sluice_originated_packets", "Packets made here.",
	      engine_total(engine, C_ORIGINATED) + engine_edge_total(engine, EDGE_C_ORIGINATED));
	count(m, "sluice_delivered_packets", "Packets for the edge itself.",
	      engine_edge_total(engine, EDGE_C_DELIVERED));
	count(m, "sluice_handed_off_packets", "Packets given to the worker that owns them.",
	      engine_total(engine, C_HANDED_OFF));
	count(m, "sluice_sessions_opened", "Sessions opened.", engine_total(engine, C_OPENED));
	drop_metrics(engine, m);
}

static void worker_metrics(struct engine *engine, struct metrics *m)
{
	struct metrics_family *busy =
	        metrics_family(m, METRICS_COUNTER, "sluice_worker_busy", "seconds",
	                       "Time in which a worker moved packets; spinning and sleeping are not.");
	struct metrics_family *share =
	        metrics_family(m, METRICS_GAUGE, "sluice_worker_busy", "ratio",
	                       "Share of the last second in which a worker moved packets.");
	double hz = (double)rte_get_tsc_hz();

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		const struct worker *w = engine->workers[i];
		char name[12];

		snprintf(name, sizeof(name), "%u", i);
		metrics_value(busy, (double)w->busy_tsc / hz, "worker", name, NULL);
		metrics_value(share, atomic_load(&w->busy_share), "worker", name, NULL);
	}
}

static void port_count(struct metrics *m, const char *port, const char *name, const char *unit,
                       const char *help, uint64_t value)
{
	metrics_count(metrics_family(m, METRICS_COUNTER, name, unit, help), value, "port", port, NULL);
}

static void port_metrics(struct engine *engine, struct metrics *m)
{
	struct metrics_family *up = metrics_family(m, METRICS_GAUGE, "sluice_port_up", NULL,
	                                           "Whether the port's other end is there.");

	for (unsigned p = 0; p < ENGINE_PORTS_MAX; p++) {
		struct port_traffic t = engine_port_traffic(engine, p);
		const char *name = engine->ports[p].name;

		if (!engine->ports[p].port)
			continue;
		metrics_count(up, port_up(engine->ports[p].port), "port", name, NULL);
		port_count(m, name, "sluice_port_received_packets", NULL, "Packets received.", t.rx_packets);
		port_count(m, name, "sluice_port_received", "bytes", "Bytes received.", t.rx_bytes);
		port_count(m, name, "sluice_port_received_bursts", NULL, "Times that packets were received.",
		           t.rx_bursts);
		port_count(m, name, "sluice_port_full_bursts", NULL,
		           "Times that 64 packets were received at once: more were waiting.", t.rx_full);
		port_count(m, name, "sluice_port_sent_packets", NULL, "Packets sent.", t.tx_packets);
		port_count(m, name, "sluice_port_sent", "bytes", "Bytes sent.", t.tx_bytes);
		port_count(m, name, "sluice_port_refused_packets", NULL,
		           "Packets that the device took no more of.",
		           t.tx_dropped + atomic_load(&engine->ports[p].port->undelivered));
		port_count(m, name, "sluice_port_missed_packets", NULL,
		           "Frames that the device had no room for.", port_missed(engine->ports[p].port));
	}
}

static void hop_metrics(struct engine *engine, struct metrics *m)
{
	struct metrics_family *up = metrics_family(m, METRICS_GAUGE, "sluice_hop_up", NULL,
	                                           "Whether both links of a hop are up.");

	for (unsigned i = 0; i < ENGINE_HOPS_MAX; i++)
		if (engine->hop_names[i][0])
			metrics_count(up, atomic_load(&engine->hop_up[i]) != 0, "hop", engine->hop_names[i],
			              NULL);
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
	levels_metrics(engine, m);
	port_metrics(engine, m);
	hop_metrics(engine, m);
	path_metrics(engine, m);
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (engine->nfs[i] && atomic_load(&engine->snapshot)->nfs[i])
			function_metrics(engine, engine->nfs[i], m);
	pthread_mutex_unlock(&engine->lock);
	metrics_reply(m, reply);
}
