/* SPDX-License-Identifier: BSD-3-Clause */
/* Along a path: function after function, until a hop or the edge takes what is left. Worker thread. */
#include "runtime/look/watch.h"

/* Frees what was dropped, forgets what was taken, keeps the rest in order. Returns the number of drops. */
static unsigned settle(struct batch *b)
{
	unsigned kept = 0, drops = 0;

	for (unsigned i = 0; i < b->count; i++) {
		if (!(b->acted >> i & 1)) {
			b->m[kept++] = b->m[i];
		} else if (b->verdict[i] == VERDICT_DROP) {
			rte_pktmbuf_free(b->m[i]);
			drops++;
		}
	}
	b->count = (uint16_t)kept;
	b->acted = 0;
	return drops;
}

static void run_function(struct worker *w, const struct position *p, struct batch *b, uint64_t *bytes)
{
	struct nf_traffic *traffic = &w->traffic[p->nf->id];

	traffic->packets[b->walk] += b->count;
	traffic->bytes[b->walk] += *bytes;
	if (!p->nf->klass->process)
		return;
	b->counters = w->nf_counters[p->nf->id];
	if (unlikely(w->watch))
		watch_process(w, p, b);
	else
		p->nf->klass->process(p->nf, p->snapshot, b);
	if (unlikely(b->acted)) {
		traffic->drops += settle(b);
		*bytes = burst_bytes(b->m, b->count);
	}
}

/* One that drains meets the packets of sessions that have its slot, the others pass it by: those are other flows, so nothing is overtaken. */
static void run_draining(struct worker *w, const struct position *p, struct batch *b, uint64_t *bytes)
{
	struct rte_mbuf *past[BATCH_MAX];
	unsigned count = b->count, mine = 0, others = 0;

	for (unsigned i = 0; i < count; i++) {
		const struct session *s = batch_pkt(b, i)->session;

		if (s && w->engine->layouts[s->layout] >> p->nf->id & 1)
			b->m[mine++] = b->m[i];
		else
			past[others++] = b->m[i];
	}
	b->count = (uint16_t)mine;
	if (mine) {
		*bytes = burst_bytes(b->m, mine);
		run_function(w, p, b, bytes);
	}
	memcpy(b->m + b->count, past, others * sizeof(*past));
	b->count = (uint16_t)(b->count + others);
	*bytes = burst_bytes(b->m, b->count);
}

/* To the hop; one that is down and may be bypassed is like one that gave them back as they were: what is behind it has
 * sessions of its own, in the zone of the link that they would have come from. */
static void run_hop(struct worker *w, const struct position *p, struct batch *b)
{
	bool up = atomic_load_explicit(&w->engine->hop_up[p->hop], memory_order_relaxed);

	if (unlikely(w->watch & WATCH_TRACE))
		trace_hop(w, p, b, up);
	if (unlikely(!up && p->on_failure == ON_FAILURE_BYPASS)) {
		ingress_bypassed(w, p->link[!b->walk], b->m, b->count);
		return;
	}
	if (likely(up)) {
		transmit_burst(w, p->link[b->walk], b->m, b->count);
		return;
	}
	for (unsigned i = 0; i < b->count; i++)
		worker_drop(w, b->m[i], C_HOP_DOWN);
}

void path_run(struct worker *w, const struct path *path, int walk, int position, struct rte_mbuf **m,
              unsigned n)
{
	struct batch b;
	uint64_t bytes;

	b.now = w->now;
	b.acted = 0;
	b.worker = w;
	b.path = path;
	b.worker_id = w->id;
	b.count = (uint16_t)n;
	b.walk = (uint8_t)walk;
	memcpy(b.m, m, n * sizeof(*m));
	bytes = burst_bytes(m, n);
	for (; position >= 0 && position < path->count && b.count; position += walk ? -1 : 1) {
		const struct position *p = &path->positions[position];

		b.position = (uint16_t)position;
		if (!p->nf) {
			run_hop(w, p, &b);
			if (unlikely(w->watch & WATCH_SAMPLE))
				sample_path(w, path, b.count);
			return;
		}
		if (unlikely(p->draining))
			run_draining(w, p, &b, &bytes);
		else
			run_function(w, p, &b, &bytes);
	}
	if (!b.count)
		return;
	edge_output(w->edge, w->edge_table, b.m, b.count, path->ends[!walk], w->now);
	if (unlikely(w->watch & WATCH_SAMPLE))
		sample_path(w, path, b.count);
}
