/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which backend a new session is given. Backends that are down, at a limit, or still warming up are stepped over, so that the choice among the others
 * is what it would have been without them. Worker thread.
 */
#include "lb/lb.h"
#include "match/maglev.h"

enum { RETRIES = 8, RAMP_STEPS = 256 };

/* A backend's weight at this moment in 1/RAMP_STEPS: it grows in a straight line while the backend comes up slowly. */
static uint32_t weight_now(const struct lb_choice *c, const struct lb_backend *b)
{
	uint32_t since = __atomic_load_n(&c->pool->since[b->id], __ATOMIC_RELAXED),
	         slow = c->service->slow_start, age = (uint32_t)(c->now / 1000000) - since;

	if (!slow || !since || age >= slow)
		return b->weight * RAMP_STEPS;
	return b->weight * ((uint32_t)((uint64_t)age * (RAMP_STEPS - 1) / slow) + 1);
}

static bool has_token(const struct lb_choice *c, const struct lb_backend *b)
{
	return !b->limits.rate.interval ||
	       pool_rate_has(c->pool, pool_rate_of_backend(b->id), &b->limits.rate, c->now);
}

double lb_weight_now(const struct lb_choice *c, const struct lb_backend *b)
{
	if (b->admin != LB_ENABLED || !(pool_state_of(c->pool, b->id) & POOL_UP))
		return 0;
	return (double)weight_now(c, b) / RAMP_STEPS;
}

bool lb_may_have(struct lb_choice *c, const struct lb_backend *b)
{
	if (b->admin != LB_ENABLED || !(pool_state_of(c->pool, b->id) & POOL_UP))
		return false;
	c->up = true;
	if ((b->limits.sessions && pool_open_sessions(c->pool, b->id) >= b->limits.sessions) ||
	    !has_token(c, b)) {
		c->full = true;
		return false;
	}
	return true;
}

void lb_chosen(struct lb_choice *c, const struct lb_backend *b)
{
	if (b->limits.rate.interval)
		pool_rate_take(c->pool, c->worker, pool_rate_of_backend(b->id), &b->limits.rate, c->now);
}

/* Whether a backend takes this session in its present warmth; `dice` is the session's luck. */
static bool warm_enough(const struct lb_choice *c, const struct lb_backend *b, uint32_t dice)
{
	uint32_t now = weight_now(c, b), whole = b->weight * (uint32_t)RAMP_STEPS;

	return now == whole || ((uint64_t)dice * whole >> 32) < now;
}

static const struct lb_backend *member(const struct lb_choice *c, const struct lb_set *set, unsigned i)
{
	return &c->service->backends[set->members[i]];
}

/* The first from a place on that may have it, however cold. */
static const struct lb_backend *first_from(struct lb_choice *c, const struct lb_set *set, unsigned from)
{
	for (unsigned i = 0; i < set->count; i++) {
		const struct lb_backend *b = member(c, set, (from + i) % set->count);

		if (lb_may_have(c, b))
			return b;
	}
	return NULL;
}

/* Where the table's choice cannot have it, the choice falls by another hash: a failed backend's share is spread over all others. */
static const struct lb_backend *by_table(struct lb_choice *c, const struct lb_set *set)
{
	uint64_t bits = c->hash;

	for (unsigned i = 0; i < RETRIES; i++) {
		uint32_t hash = i ? (uint32_t)bits : c->hash;
		const struct lb_backend *b =
		        member(c, set, maglev_at(set->table, c->service->table_size, hash));

		bits = maglev_mix(bits);
		if (lb_may_have(c, b) && warm_enough(c, b, (uint32_t)(bits >> 32)))
			return b;
	}
	return first_from(c, set, (unsigned)(bits % set->count));
}

static const struct lb_backend *round_robin(struct lb_choice *c, const struct lb_set *set)
{
	uint32_t *turn = &c->pool->worker[c->worker]->services[c->service->id].turn;

	for (unsigned i = 0; i < set->count; i++) {
		const struct lb_backend *b = member(c, set, (*turn)++ % set->count);

		if (lb_may_have(c, b) && warm_enough(c, b, (uint32_t)maglev_mix(c->hash + i)))
			return b;
	}
	return first_from(c, set, (*turn)++ % set->count);
}

/* Smooth: each gains its weight a turn, the richest is chosen and pays what all have gained. */
static const struct lb_backend *weighted_round_robin(struct lb_choice *c, const struct lb_set *set)
{
	struct pool_use *uses = c->pool->worker[c->worker]->backends;
	const struct lb_backend *best = NULL;
	int32_t total = 0;

	for (unsigned i = 0; i < set->count; i++) {
		const struct lb_backend *b = member(c, set, i);

		if (!lb_may_have(c, b))
			continue;
		uses[b->id].credit += (int32_t)weight_now(c, b);
		total += (int32_t)weight_now(c, b);
		if (!best || uses[b->id].credit > uses[best->id].credit)
			best = b;
	}
	if (best)
		uses[best->id].credit -= total;
	return best;
}

/* The one with the fewest open sessions for its weight; the search begins elsewhere each time, so that equals take turns. */
static const struct lb_backend *least_connections(struct lb_choice *c, const struct lb_set *set,
                                                  bool weighted)
{
	uint32_t from = c->pool->worker[c->worker]->services[c->service->id].turn++;
	const struct lb_backend *best = NULL;
	uint64_t best_load = 0, best_weight = 1;

	for (unsigned i = 0; i < set->count; i++) {
		const struct lb_backend *b = member(c, set, (from + i) % set->count);
		uint64_t load, weight;

		if (!lb_may_have(c, b))
			continue;
		weight = weight_now(c, b);
		weight = weighted ? weight : weight / b->weight;
		load = (uint64_t)pool_open_sessions(c->pool, b->id) + 1;
		if (!best || load * best_weight < best_load * weight) {
			best = b;
			best_load = load;
			best_weight = weight;
		}
	}
	return best;
}

static const struct lb_backend *of_set(struct lb_choice *c, const struct lb_set *set)
{
	if (!set->count)
		return NULL;
	switch (c->service->scheduler) {
	case LB_ROUND_ROBIN:
		return round_robin(c, set);
	case LB_WEIGHTED_ROUND_ROBIN:
		return weighted_round_robin(c, set);
	case LB_LEAST_CONNECTIONS:
		return least_connections(c, set, false);
	case LB_WEIGHTED_LEAST_CONNECTIONS:
		return least_connections(c, set, true);
	default:
		return by_table(c, set);
	}
}

const struct lb_backend *lb_schedule_by_hash(struct lb_choice *c)
{
	const struct lb_service *s = c->service;
	const struct lb_backend *b = s->sets[0].count ? by_table(c, &s->sets[0]) : NULL;

	return b || c->up || !s->sets[1].count ? b : by_table(c, &s->sets[1]);
}

const struct lb_backend *lb_schedule(struct lb_choice *c)
{
	const struct lb_backend *b = of_set(c, &c->service->sets[0]);

	/* Backups are for when no primary is up: those that are merely full are not helped by them. */
	return b || c->up ? b : of_set(c, &c->service->sets[1]);
}
