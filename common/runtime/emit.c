/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What functions send by themselves: packets that turn round with their session, and new packets that are looked up anew. They wait in
 * a bounded FIFO of the worker until the batch at hand is done, so that functions never nest. Worker thread.
 */
#include <stdarg.h>

#include "packet/icmp_error.h"
#include "packet/reset.h"
#include "runtime/worker.h"

enum { TURNS_MAX = 2 };

static void enqueue(struct worker *w, struct rte_mbuf *m, enum stage stage)
{
	if (w->emit_tail - w->emit_head == EMIT_MAX) {
		worker_drop(w, m, C_EMIT_FULL);
		return;
	}
	pkt_of(m)->stage = (uint8_t)stage;
	w->counters[C_EMITTED]++;
	w->emitted[w->emit_tail++ % EMIT_MAX] = m;
}

void nf_emit(struct worker *w, const struct path *path, int position, int walk, struct rte_mbuf *m,
             struct session *session)
{
	struct pkt *p = pkt_of(m);

	if (p->turns++ >= TURNS_MAX) {
		worker_drop(w, m, C_TURNED_TOO_OFTEN);
		return;
	}
	p->path = path->id;
	p->position = (uint16_t)position;
	p->walk = (uint8_t)walk;
	p->session = session;
	enqueue(w, m, session ? STAGE_TURNED : STAGE_EMITTED);
}

void emit_home(struct worker *w, const struct path *path, int walk, uint16_t from, struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);

	p->session = NULL;
	if (w->snapshot->ports[from].role == PORT_LINK) {
		p->adjacency = from;
		enqueue(w, m, STAGE_TRANSMIT);
		return;
	}
	p->path = path->id;
	p->position = (uint16_t)(walk ? path->count : -1);
	p->walk = (uint8_t)!walk;
	enqueue(w, m, STAGE_TURNED);
}

unsigned emit_drain(struct worker *w)
{
	unsigned n = w->emit_tail - w->emit_head;

	/* What one of them leads to may have drained the others already (slices_use()). */
	for (unsigned i = 0; i < n && w->emit_head != w->emit_tail; i++)
		ingress_staged(w, w->emitted[w->emit_head++ % EMIT_MAX]);
	return n;
}

/* A fresh mbuf, cleared; not yet counted as a packet of ours. */
struct rte_mbuf *worker_mbuf(void *worker)
{
	struct worker *w = worker;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->engine->pool);

	if (unlikely(!m)) {
		w->counters[C_NO_MBUF]++;
		return NULL;
	}
	memset(pkt_of(m), 0, sizeof(struct pkt));
	return m;
}

struct rte_mbuf *nf_mbuf(struct worker *w)
{
	struct rte_mbuf *m = worker_mbuf(w);

	if (m)
		w->counters[C_ORIGINATED]++;
	return m;
}

/* Which way a packet with a session walks. */
static int walk_of(const struct pkt *p)
{
	return (p->session->flags & SESSION_WALK ? 1 : 0) ^ p->dir;
}

/* The edge could not send a packet that had come through its path: the error goes back through all of it, beginning with the
 * functions that know its session here, or with the hop that it came out of. */
void worker_turn_error(void *worker, struct rte_mbuf *offending, struct rte_mbuf *error)
{
	struct worker *w = worker;
	struct pkt *p = pkt_of(offending), *e = pkt_of(error);
	const struct path *path;
	int walk;

	if (!p->session) {
		trace_inherit(error, offending);
		if (w->snapshot->ports[p->in_port].role == PORT_LINK)
			emit_home(w, NULL, 0, p->in_port, error);
		else
			worker_drop(w, error, C_STRAY);
		return;
	}
	path = slices_of(w, p->session)->paths[p->session->path];
	walk = walk_of(p);
	if (!path) {
		worker_drop(w, error, C_STRAY);
		return;
	}
	trace_inherit(error, offending);
	e->dir = !p->dir;
	e->in_port = path->ends[!walk];
	nf_emit(w, path, walk ? 0 : path->count - 1, !walk, error, p->session);
}

static struct rte_mbuf *make_reset(struct worker *w, struct rte_mbuf *offending)
{
	struct rte_mbuf *m = nf_mbuf(w);

	if (m && !reset_build(m, offending)) {
		w->counters[C_ORIGINATED]--;
		rte_pktmbuf_free(m);
		return NULL;
	}
	return m;
}

static struct rte_mbuf *make_error(struct worker *w, struct rte_mbuf *offending, enum icmp_reason reason,
                                   uint16_t value)
{
	union ipaddr source;
	struct rte_mbuf *m;

	if (!edge_error_source(w->edge_table, offending, &source))
		return NULL;
	if (!token_bucket_take(&w->reject_rate, w->now))
		return NULL;
	m = nf_mbuf(w);
	if (m && !icmp_error_build(m, offending, reason, value, &source)) {
		w->counters[C_ORIGINATED]--;
		rte_pktmbuf_free(m);
		return NULL;
	}
	return m;
}

/* An answer to the sender of a packet, from a function on its path. */
static void turn_answer(struct worker *w, const struct path *path, unsigned position, int walk,
                        struct rte_mbuf *offending, struct rte_mbuf *m)
{
	trace_inherit(m, offending);
	if (unlikely(w->trace != NULL))
		trace_step(w, m, STEP_ANSWERED, path->positions[position].name, NULL, NULL);
	pkt_of(m)->in_port = path->ends[!walk];
	pkt_of(m)->turns = pkt_of(offending)->turns;
	pkt_of(m)->dir = !pkt_of(offending)->dir;
	if (pkt_of(offending)->session)
		nf_emit(w, path, walk ? (int)position + 1 : (int)position - 1, !walk, m,
		        pkt_of(offending)->session);
	else
		emit_home(w, path, walk, pkt_of(offending)->in_port, m);
}

void nf_reject(struct worker *w, const struct path *path, unsigned position, int walk,
               struct rte_mbuf *offending, enum nf_reject how)
{
	static const enum icmp_reason reasons[] = {
		[NF_REJECT_ADMIN] = ICMP_ADMIN_PROHIBITED,
		[NF_REJECT_PORT] = ICMP_PORT_UNREACHABLE,
		[NF_REJECT_HOST] = ICMP_HOST_UNREACHABLE,
		[NF_REJECT_RESET] = ICMP_PORT_UNREACHABLE, /* of what is not TCP */
	};
	bool tcp = pkt_of(offending)->proto == IPPROTO_TCP && !(pkt_of(offending)->flags & PKT_ICMP_ERROR);
	struct rte_mbuf *m;

	if (how == NF_REJECT_RESET && tcp)
		m = make_reset(w, offending);
	else
		m = make_error(w, offending, reasons[how], 0);
	if (m)
		turn_answer(w, path, position, walk, offending, m);
}

void nf_too_big(struct worker *w, const struct path *path, unsigned position, int walk,
                struct rte_mbuf *offending, uint16_t mtu)
{
	struct rte_mbuf *m = make_error(w, offending, ICMP_TOO_BIG, mtu);

	if (m)
		turn_answer(w, path, position, walk, offending, m);
}

void nf_leave(struct batch *b, struct rte_mbuf **m, unsigned n)
{
	struct worker *w = b->worker;

	edge_output(w->edge, w->edge_table, m, n, b->path->ends[!b->walk], b->now);
}

void nf_leave_via(struct batch *b, struct rte_mbuf *m, const union ipaddr *next_hop)
{
	struct worker *w = b->worker;

	edge_output_via(w->edge, w->edge_table, m, next_hop, b->now);
}

void nf_log(struct worker *w, const struct nf *nf, const char *event, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	log_ring_put(&w->log, nf->id, event, format, args);
	va_end(args);
}
