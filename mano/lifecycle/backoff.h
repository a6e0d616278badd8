/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * When a process that has ended is started again. One that served is started at once, however often it ends: what it moved waits for it. One
 * that never comes up, or ends as soon as it has, would only take processor time from the others: it is slowed. Belongs to a unit's keeper.
 */
#ifndef SLUICE_LIFECYCLE_BACKOFF_H
#define SLUICE_LIFECYCLE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

enum {
	BACKOFF_SERVED_MS = 1000, /* one that was ready for so long has served */
	BACKOFF_FIRST_MS = 500,
	BACKOFF_MAX_MS = 30000,
	BACKOFF_FLAPS = 5,       /* so many ends ... */
	BACKOFF_FLAP_MS = 60000, /* ... in so long are worth an event, and one in so long is enough */
};

struct backoff {
	unsigned failures;            /* ends in a row of processes that have not served */
	uint64_t ends[BACKOFF_FLAPS]; /* times of the last, ms; a ring */
	unsigned next;
	uint64_t told; /* when it was last said that it flaps; 0: never */
};

/* It has ended, or could not be started, after having been ready for `served` ms (0: never). How many ms to wait until the next start. */
uint64_t backoff_end(struct backoff *backoff, uint64_t served);

/* The past is no guide any more: something else is to be started, or somebody asks for it. */
void backoff_forget(struct backoff *backoff);

/* Notes an end at time `now` (ms, not 0). Whether operators should hear that it ends again and again. */
bool backoff_flaps(struct backoff *backoff, uint64_t now);

#endif
