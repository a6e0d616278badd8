/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ownership: 256 buckets belong to workers, and the owner of a packet is known before its session is. A packet at the wrong worker goes
 * through that worker's inbox (a ring with many writers and one reader), carrying where it goes on. Worker thread.
 */
#include "runtime/look/watch.h"

enum { DRAIN_BURSTS = 16 };

static unsigned owner_default(const struct tuple *t)
{
	return tuple_pair_bucket(t);
}

/* Of several opinions the surest counts; among equals that of the function which the packet meets first. walk: as the owner says, or another. */
static unsigned ask_owners(const struct snapshot_port *port, const struct tuple *t, int walk)
{
	struct tuple answer = { 0 };
	unsigned best = NF_NO_OWNER;

	for (unsigned i = 0; i < port->owner_count; i++) {
		const struct owner *o = &port->owners[i];
		unsigned opinion;

		if (o->of_answer)
			answer = tuple_reverse(t);
		opinion = o->nf->klass->owner(o->nf, o->snapshot, o->of_answer ? &answer : t,
		                              walk < 0 ? o->walk : walk);
		best = opinion >> 8 > best >> 8 ? opinion : best;
	}
	return best == NF_NO_OWNER ? owner_default(t) : best & 0xff;
}

unsigned owner_bucket(const struct snapshot_port *port, const struct tuple *t)
{
	return ask_owners(port, t, -1);
}

unsigned owner_of_packet(const struct snapshot_port *port, struct rte_mbuf *m)
{
	struct tuple t;

	pkt_tuple(m, &t);
	return owner_bucket(port, &t);
}

/* Most ports ask one function, whose word counts whatever it is surer of. */
static void ask_one(const struct snapshot_port *port, struct rte_mbuf **m, unsigned n)
{
	const struct owner *o = &port->owners[0];
	unsigned (*owner)(const struct nf *nf, const void *snapshot, const struct tuple *t, int walk) =
	        o->nf->klass->owner;

	for (unsigned i = 0; i < n; i++) {
		struct tuple t;
		unsigned opinion;

		pkt_tuple(m[i], &t);
		opinion = owner(o->nf, o->snapshot, &t, o->walk);
		pkt_of(m[i])->bucket = (uint8_t)(opinion == NF_NO_OWNER ? owner_default(&t) : opinion);
	}
}

void owner_buckets(const struct snapshot_port *port, struct rte_mbuf **m, unsigned n)
{
	if (likely(port->owner_count == 1 && !port->owners[0].of_answer)) {
		ask_one(port, m, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		pkt_of(m[i])->bucket = (uint8_t)owner_of_packet(port, m[i]);
}

unsigned owner_of_turned(const struct snapshot_port *port, struct rte_mbuf *m)
{
	struct tuple t;

	pkt_tuple(m, &t);
	for (unsigned i = 0; i < port->owner_count; i++) {
		const struct owner *o = &port->owners[i];
		unsigned opinion = o->nf->klass->owner(o->nf, o->snapshot, &t, !o->walk);

		if (opinion >= NF_OWNER_CLAIM)
			return opinion & 0xff;
	}
	return pkt_of(m)->bucket;
}

unsigned owner_of_fragment(struct rte_mbuf *m)
{
	struct tuple t;

	pkt_tuple(m, &t);
	return owner_default(&t);
}

static unsigned owner_of_emitted(const struct snapshot *snapshot, const struct path *path, int walk,
                                 const struct tuple *t)
{
	return ask_owners(&snapshot->ports[path->ends[walk]], t, walk);
}

unsigned owner_of_session(const struct snapshot *snapshot, const struct path *path, int walk,
                          const struct tuple *first)
{
	if (first->zone & EMITTED_ZONE)
		return owner_of_emitted(snapshot, path, walk, first);
	return owner_bucket(&snapshot->ports[first->zone - 1], first);
}

static void deliver(struct worker *w, unsigned to)
{
	struct outbox *box = &w->outbox[to];
	unsigned taken =
	        rte_ring_mp_enqueue_burst(w->engine->workers[to]->inbox, (void **)box->m, box->count, NULL);

	w->counters[C_HANDED_OFF] += taken;
	for (unsigned i = taken; i < box->count; i++)
		worker_drop(w, box->m[i], C_HANDOFF_FULL);
	box->count = 0;
}

/* A box always has room for a burst. */
static void sent_off(struct worker *w, unsigned to)
{
	w->outbox_dirty |= UINT32_C(1) << to;
	if (w->outbox[to].count >= TX_BURST)
		deliver(w, to);
}

void handoff(struct worker *w, unsigned to, struct rte_mbuf *m, enum stage stage)
{
	struct outbox *box = &w->outbox[to];

	pkt_of(m)->stage = (uint8_t)stage;
	if (unlikely(w->trace != NULL))
		trace_step(w, m, STEP_HANDED, NULL, NULL, NULL);
	box->m[box->count++] = m;
	sent_off(w, to);
}

static void trace_handed(struct worker *w, struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (w->snapshot->bucket_worker[pkt_of(m[i])->bucket] != w->id)
			trace_step(w, m[i], STEP_HANDED, NULL, NULL, NULL);
}

/* Whose a packet is cannot be foreseen, so nothing branches on it: this worker has a box as well, whose packets stay. */
unsigned handoff_burst(struct worker *w, struct rte_mbuf **m, unsigned n)
{
	uint16_t before[ENGINE_WORKERS_MAX], workers = w->snapshot->workers;
	unsigned kept;

	if (unlikely(w->trace != NULL))
		trace_handed(w, m, n);
	for (unsigned to = 0; to < workers; to++)
		before[to] = w->outbox[to].count;
	for (unsigned i = 0; i < n; i++) {
		struct outbox *box;

		pkt_of(m[i])->stage = STAGE_LOOKUP;
		box = &w->outbox[w->snapshot->bucket_worker[pkt_of(m[i])->bucket]];
		box->m[box->count++] = m[i];
	}
	kept = w->outbox[w->id].count;
	memcpy(m, w->outbox[w->id].m, kept * sizeof(*m));
	w->outbox[w->id].count = 0;
	for (unsigned to = 0; to < workers; to++)
		if (to != w->id && w->outbox[to].count != before[to])
			sent_off(w, to);
	return kept;
}

void handoff_flush(struct worker *w)
{
	while (unlikely(w->outbox_dirty)) {
		unsigned to = (unsigned)__builtin_ctz(w->outbox_dirty);

		deliver(w, to);
		w->outbox_dirty &= ~(UINT32_C(1) << to);
	}
}

/* A packet that was emitted goes on at a position of the configuration that its bucket has. */
static void run_other(struct worker *w, struct rte_mbuf *m)
{
	const struct snapshot *before;

	if (likely(!w->slice.next || pkt_of(m)->stage != STAGE_EMITTED)) {
		ingress_staged(w, m);
		return;
	}
	before = slices_use(w, slices_of_sent(w, pkt_of(m)));
	ingress_staged(w, m);
	slices_use(w, before);
}

/* Packets that wait for their lookup and came by the same port go on together; anything else one by one. */
static void run_staged(struct worker *w, struct rte_mbuf **m, unsigned n)
{
	watch_burst(w);
	for (unsigned i = 0, last; i < n; i = last) {
		const struct pkt *first = pkt_of(m[i]);

		for (last = i + 1; last < n; last++)
			if (first->stage != STAGE_LOOKUP || pkt_of(m[last])->stage != STAGE_LOOKUP ||
			    pkt_of(m[last])->in_port != first->in_port)
				break;
		if (first->stage == STAGE_LOOKUP)
			ingress_handed(w, first->in_port, m + i, last - i);
		else
			run_other(w, m[i]);
	}
	watch_burst_end(w);
}

/* Their lines are in another core's cache. */
static void prefetch(struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		rte_prefetch0(m[i]);
		rte_prefetch0(pkt_of(m[i]));
	}
	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
}

/* What others have taken in comes before what still waits at a port: there it would be lost cheaply, here the work on it would be lost too. */
unsigned handoff_drain(struct worker *w)
{
	struct rte_mbuf *m[BATCH_MAX];
	unsigned total = 0, n = BATCH_MAX;

	for (unsigned burst = 0; burst < DRAIN_BURSTS && n == BATCH_MAX; burst++) {
		n = rte_ring_sc_dequeue_burst(w->inbox, (void **)m, BATCH_MAX, NULL);
		w->counters[C_TAKEN_OVER] += n;
		prefetch(m, n);
		if (n)
			run_staged(w, m, n);
		total += n;
	}
	return total;
}
