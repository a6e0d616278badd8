/* SPDX-License-Identifier: BSD-3-Clause */
/* A function's turn with a batch while somebody looks. See watch.h. */
#include "runtime/look/watch.h"

#include "runtime/look/trace.h"

static void process(const struct position *p, struct batch *b)
{
	p->nf->klass->process(p->nf, p->snapshot, b);
}

static void process_traced(struct worker *w, const struct position *p, struct batch *b)
{
	struct trace_batch t;

	trace_before(b, &t);
	process(p, b);
	trace_after(w, p, b, &t);
}

void watch_process(struct worker *w, const struct position *p, struct batch *b)
{
	uint64_t begin;

	if (w->watch & WATCH_CAPTURE)
		capture_function(w, p, b, false);
	begin = rte_rdtsc();
	if (w->watch & WATCH_TRACE)
		process_traced(w, p, b);
	else
		process(p, b);
	if ((w->watch & WATCH_SAMPLE) && !(w->watch & WATCH_TRACE)) /* a trace is not the function's time */
		sample_add(w, &w->nf_samples[p->nf->id], b->count, rte_rdtsc() - begin);
	if (w->watch & WATCH_CAPTURE)
		capture_function(w, p, b, true);
}

void watch_received(struct worker *w, uint16_t port, struct rte_mbuf **m, const enum pkt_malformed *kinds,
                    unsigned n)
{
	if (w->watch & WATCH_CAPTURE)
		capture_port(w, port, CAPTURE_IN, m, kinds, n);
	if (w->watch & WATCH_TRACE)
		trace_received(w, port, m, kinds, n);
}

void watch_sent(struct worker *w, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	if (w->watch & WATCH_TRACE)
		trace_sent(w, port, m, n);
	if (w->watch & WATCH_CAPTURE)
		capture_port(w, port, CAPTURE_OUT, m, NULL, n);
}
