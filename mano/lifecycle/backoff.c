/* SPDX-License-Identifier: BSD-3-Clause */
/* How soon a process is started again. No data of its own. See backoff.h. */
#include "lifecycle/backoff.h"

enum { DOUBLINGS = 6 }; /* 500 ms becomes more than the greatest */

uint64_t backoff_end(struct backoff *backoff, uint64_t served)
{
	if (served >= BACKOFF_SERVED_MS)
		backoff->failures = 0;
	unsigned before = backoff->failures++;
	uint64_t delay = before == 0 ? 0 : BACKOFF_FIRST_MS << (before <= DOUBLINGS ? before - 1 : DOUBLINGS);

	return delay < BACKOFF_MAX_MS ? delay : BACKOFF_MAX_MS;
}

void backoff_forget(struct backoff *backoff)
{
	backoff->failures = 0;
}

bool backoff_flaps(struct backoff *backoff, uint64_t now)
{
	uint64_t *slot = &backoff->ends[backoff->next], oldest;

	*slot = now;
	backoff->next = (backoff->next + 1) % BACKOFF_FLAPS;
	oldest = backoff->ends[backoff->next];
	if (!oldest || now - oldest > BACKOFF_FLAP_MS)
		return false;
	if (backoff->told && now - backoff->told < BACKOFF_FLAP_MS)
		return false;
	backoff->told = now;
	return true;
}
