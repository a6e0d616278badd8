/* SPDX-License-Identifier: BSD-3-Clause */
/* See track.h. */
#include "lb/health/track.h"

#include <math.h>

static double decayed(const struct track *t, const struct health_check *check, uint64_t now)
{
	double ms = now > t->at ? (double)(now - t->at) / 1e6 : 0;

	return check->half_life ? t->penalty * exp2(-ms / check->half_life) : 0;
}

static void fall(struct track *t, const struct health_check *check, uint64_t now)
{
	t->penalty = fmin(decayed(t, check, now) + TRACK_FALL, TRACK_MAX);
	t->at = now;
}

static void see(struct track *t, const struct health_check *check, bool passed, uint64_t now)
{
	uint8_t result = passed ? HEALTH_UP : HEALTH_DOWN;

	if (t->seen == HEALTH_UNKNOWN) {
		if (!passed && t->assumed && ++t->run < check->fall)
			return;
		t->run = 0;
		t->seen = result;
		return;
	}
	if (result == t->seen) {
		t->run = 0;
		return;
	}
	if (++t->run < (passed ? check->rise : check->fall))
		return;
	t->run = 0;
	t->seen = result;
	if (!passed)
		fall(t, check, now);
}

bool track_result(struct track *t, const struct health_check *check, bool passed, uint64_t now)
{
	uint8_t before = t->state;
	double penalty;

	see(t, check, passed, now);
	penalty = decayed(t, check, now);
	t->suppressed = check->damped && penalty >= (t->suppressed ? TRACK_FREE : TRACK_HOLD);
	t->state = t->suppressed ? HEALTH_DOWN : t->seen;
	return t->state != before;
}

uint32_t track_penalty(const struct track *t, const struct health_check *check, uint64_t now)
{
	return (uint32_t)decayed(t, check, now);
}

uint32_t track_held_for(const struct track *t, const struct health_check *check, uint64_t now)
{
	double penalty = decayed(t, check, now);

	if (!track_held(t) || penalty <= TRACK_FREE)
		return 0;
	return (uint32_t)(log2(penalty / TRACK_FREE) * check->half_life);
}

bool track_held(const struct track *t)
{
	return t->suppressed && t->seen == HEALTH_UP;
}
