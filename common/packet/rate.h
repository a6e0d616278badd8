/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A rate limit on events (ICMP errors, resets, log lines) as a token bucket, kept as the time at which it
 * would be full again, so that a rate of any size costs no fractions. Belongs to one thread, which gives the
 * time.
 */
#ifndef SLUICE_PACKET_RATE_H
#define SLUICE_PACKET_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct token_bucket {
	uint64_t interval; /* ns that one token takes to come; 0: no limit */
	uint64_t depth;    /* ns that a full bucket takes to fill, less the last token */
	uint64_t full;     /* the time at which it will be full again */
};

/* `rate`: events a second, 0 for none ever; `burst`: at once, at least 1, as many as fit into 2^63 ns. Begins
 * full. */
void token_bucket_init(struct token_bucket *b, uint64_t rate, uint64_t burst);

/* Takes one token at `now` (ns, monotonic); false: there is none. */
static inline bool token_bucket_take(struct token_bucket *b, uint64_t now)
{
	uint64_t full = b->full > now ? b->full : now;

	if (full - now > b->depth)
		return false;
	b->full = full + b->interval;
	return true;
}

#endif
