/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Set-up of rate limits. Belongs to whoever owns the bucket.
 */
#include "packet/rate.h"

enum { SECOND = 1000000000 };

void token_bucket_init(struct token_bucket *b, uint64_t rate, uint64_t burst)
{
	const uint64_t longest = INT64_MAX;

	if (rate == 0) {
		*b = (struct token_bucket){ .interval = 1, .full = UINT64_MAX };
		return;
	}
	b->interval = rate < SECOND ? SECOND / rate : 1;
	b->depth = burst > 1 ? burst - 1 : 0;
	b->depth = b->depth > longest / b->interval ? longest : b->depth * b->interval;
	b->full = 0;
}
