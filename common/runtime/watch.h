/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What looks inside a worker: trace, capture and sampling share one word, worker.watch, which is 0 for nearly every burst and is looked at
 * once in each place that sees a burst. Worker thread, but for watch_set() by engine_call.
 */
#ifndef SLUICE_RUNTIME_WATCH_H
#define SLUICE_RUNTIME_WATCH_H

#include "runtime/worker.h"

enum watch_bit {
	WATCH_TRACE = 1 << 0,
	WATCH_CAPTURE = 1 << 1,
	WATCH_SAMPLE = 1 << 2, /* this burst is measured */
};

static inline void watch_set(struct worker *w, enum watch_bit bit, bool on)
{
	w->watch = on ? w->watch | bit : w->watch & ~(uint32_t)bit;
}

/* What came from a port, parsed. */
void watch_received(struct worker *w, uint16_t port, struct rte_mbuf **m, const enum pkt_malformed *kinds,
                    unsigned n);
/* What goes to a port. */
void watch_sent(struct worker *w, uint16_t port, struct rte_mbuf **m, unsigned n);
/* A function's process(), looked at. */
void watch_process(struct worker *w, const struct position *p, struct batch *b);

#endif
