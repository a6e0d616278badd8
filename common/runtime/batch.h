/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Up to 64 packets of one path, one walk and one entry, on their way through its positions. Lives on a worker's stack;
 * owned by that worker. Functions see packets through it, give their verdicts in it and count in it.
 */
#ifndef SLUICE_RUNTIME_BATCH_H
#define SLUICE_RUNTIME_BATCH_H

#include <stdint.h>

#include "flow/session.h"
#include "packet/pkt.h"

#define BATCH_MAX 64

struct worker;
struct path;
struct nf;

enum verdict {
	VERDICT_PASS,
	VERDICT_DROP, /* with the number of a counter that says why */
	VERDICT_TAKE, /* the function owns the mbuf now: it queued, answered or freed it */
};

/* Bytes of a burst. A few packets at a time, for there is next to nothing to do for each. */
static inline uint64_t burst_bytes(struct rte_mbuf *const *m, unsigned n)
{
	uint64_t bytes = 0;

#pragma GCC unroll 4
	for (unsigned i = 0; i < n; i++)
		bytes += rte_pktmbuf_pkt_len(m[i]);
	return bytes;
}

struct batch {
	struct rte_mbuf *m[BATCH_MAX];
	uint64_t now;   /* nanoseconds, monotonic; the engine's clock, read once a turn */
	uint64_t acted; /* bit i: verdict[i] is not PASS */
	uint8_t verdict[BATCH_MAX];
	uint8_t reason[BATCH_MAX]; /* of a DROP: the counter */
	uint64_t
	        *counters; /* of this position's function, this worker; index = number in nf_class.counters */
	struct worker *worker;
	const struct path *path;
	uint16_t worker_id; /* 0 .. workers - 1: index of per-worker live state */
	uint16_t position;  /* where we are in path->positions */
	uint16_t count;
	uint8_t walk; /* 0: along the path, 1: against it */
};

static inline void batch_drop(struct batch *b, unsigned i, unsigned counter)
{
	b->counters[counter]++;
	b->verdict[i] = VERDICT_DROP;
	b->reason[i] = (uint8_t)counter;
	b->acted |= UINT64_C(1) << i;
}

static inline void batch_take(struct batch *b, unsigned i)
{
	b->verdict[i] = VERDICT_TAKE;
	b->acted |= UINT64_C(1) << i;
}

static inline void batch_count(struct batch *b, unsigned counter)
{
	b->counters[counter]++;
}

static inline struct pkt *batch_pkt(struct batch *b, unsigned i)
{
	return pkt_of(b->m[i]);
}

#endif
