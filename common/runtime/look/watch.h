/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What looks inside a worker: trace, capture and sampling share one word, worker.watch, which is 0 for nearly every burst and is looked at
 * once in each place that sees a burst. Worker thread, but for watch_set() by engine_call.
 */
#ifndef SLUICE_RUNTIME_WATCH_H
#define SLUICE_RUNTIME_WATCH_H

#include "runtime/worker.h"

static inline void watch_set(struct worker *w, enum watch_bit bit, bool on)
{
	w->watch = on ? w->watch | bit : w->watch & ~(uint32_t)bit;
}

/* Around a burst. */
static inline void watch_burst(struct worker *w)
{
	if (unlikely(w->sample_in-- == 0))
		sample_begin(w);
}

static inline void watch_burst_end(struct worker *w)
{
	w->watch &= ~(uint32_t)WATCH_SAMPLE;
}

/* What came from a port, parsed. */
void watch_received(struct worker *w, uint16_t port, struct rte_mbuf **m, const enum pkt_malformed *kinds,
                    unsigned n);
/* What goes to a port. */
void watch_sent(struct worker *w, uint16_t port, struct rte_mbuf **m, unsigned n);
/* A function's process(), looked at. */
void watch_process(struct worker *w, const struct position *p, struct batch *b);

#endif
