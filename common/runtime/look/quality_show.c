/* SPDX-License-Identifier: BSD-3-Clause */
/* Quality of TCP for REST and metrics. See quality_show.h. */
#include "runtime/look/quality_show.h"

#include "flow/tcp.h"
#include "runtime/process/process.h"

/* Of one end of a path, over all workers. */
static struct tcp_totals_side sum_of(const struct engine *engine, unsigned path, unsigned walk)
{
	struct tcp_totals_side sum = { 0 };

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		const struct tcp_totals_side *side = &engine->workers[i]->tcp[path].side[walk];

		sum.retransmits += side->retransmits;
		sum.out_of_order += side->out_of_order;
		sum.rtt_us += side->rtt_us;
		for (unsigned k = 0; k <= RTT_BOUNDS; k++)
			sum.rtts[k] += side->rtts[k];
	}
	return sum;
}

static uint64_t bound_us(unsigned i)
{
	return (uint64_t)RTT_FIRST_US << i;
}

static uint64_t count_of(const struct tcp_totals_side *side)
{
	uint64_t count = 0;

	for (unsigned i = 0; i <= RTT_BOUNDS; i++)
		count += side->rtts[i];
	return count;
}

/* The bound below which so many of a hundred are; null: none was measured, or it lies beyond the last bound. */
static json_t *quantile(const struct tcp_totals_side *side, unsigned percent)
{
	uint64_t count = count_of(side), below = 0;

	for (unsigned i = 0; i < RTT_BOUNDS && count; i++) {
		below += side->rtts[i];
		if (below * 100 >= count * percent)
			return json_integer((json_int_t)bound_us(i));
	}
	return json_null();
}

static json_t *rtt_json(const struct tcp_totals_side *side)
{
	json_t *bounds = json_array(), *counts = json_array();
	uint64_t count = count_of(side);

	for (unsigned i = 0; i <= RTT_BOUNDS; i++) {
		if (i < RTT_BOUNDS)
			json_array_append_new(bounds, json_integer((json_int_t)bound_us(i)));
		json_array_append_new(counts, json_integer((json_int_t)side->rtts[i]));
	}
	return json_pack("{s:I,s:o,s:o,s:o,s:o,s:o}", "count", (json_int_t)count, "meanUs",
	                 count ? json_integer((json_int_t)(side->rtt_us / count)) : json_null(), "p50Us",
	                 quantile(side, 50), "p99Us", quantile(side, 99), "boundsUs", bounds, "counts",
	                 counts);
}

json_t *quality_path(const struct engine *engine, const struct path *path)
{
	json_t *list = json_array();

	for (unsigned walk = 0; walk < 2; walk++) {
		struct tcp_totals_side side = sum_of(engine, path->id, walk);

		json_array_append_new(list,
		                      json_pack("{s:s,s:I,s:I,s:o}", "port",
		                                engine_port_name(engine, path->ends[walk]), "retransmits",
		                                (json_int_t)side.retransmits, "outOfOrder",
		                                (json_int_t)side.out_of_order, "rtt", rtt_json(&side)));
	}
	return list;
}

void quality_metrics(const struct engine *engine, const struct path *path, struct metrics *m)
{
	struct metrics_family *retransmits =
	        metrics_family(m, METRICS_COUNTER, "sluice_tcp_retransmits", NULL,
	                       "TCP segments that were sent again, by the port that they came in by.");
	struct metrics_family *order =
	        metrics_family(m, METRICS_COUNTER, "sluice_tcp_out_of_order", NULL,
	                       "TCP segments that came late, by the port that they came in by.");
	struct metrics_family *rtt =
	        metrics_family(m, METRICS_HISTOGRAM, "sluice_tcp_rtt", "seconds",
	                       "TCP round-trip time between here and hosts behind the port.");
	double bounds[RTT_BOUNDS];

	for (unsigned i = 0; i < RTT_BOUNDS; i++)
		bounds[i] = (double)bound_us(i) / 1e6;
	for (unsigned walk = 0; walk < 2; walk++) {
		const char *port = engine_port_name(engine, path->ends[walk]);
		struct tcp_totals_side side = sum_of(engine, path->id, walk);
		struct metrics_histogram histogram = { bounds, side.rtts, RTT_BOUNDS,
			                               (double)side.rtt_us / 1e6 };

		metrics_count(retransmits, side.retransmits, "path", path->name, "port", port, NULL);
		metrics_count(order, side.out_of_order, "path", path->name, "port", port, NULL);
		metrics_histogram(rtt, &histogram, "path", path->name, "port", port, NULL);
	}
}

static json_t *rtt_of(const struct tcp_quality *q, unsigned dir)
{
	return q->rtt_us[dir] ? json_integer(q->rtt_us[dir]) : json_null();
}

json_t *quality_session(const struct worker *w, const struct session *s)
{
	const struct tcp_quality *q = flow_quality(w->table, s);

	return json_pack("{s:[s,s],s:[I,I],s:[I,I],s:[o,o]}", "states", tcp_side_state_names[s->tcp_state[0]],
	                 tcp_side_state_names[s->tcp_state[1]], "retransmits", (json_int_t)q->retransmits[0],
	                 (json_int_t)q->retransmits[1], "outOfOrder", (json_int_t)q->out_of_order[0],
	                 (json_int_t)q->out_of_order[1], "rttUs", rtt_of(q, 0), rtt_of(q, 1));
}
