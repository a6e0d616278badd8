/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Expiry and eviction. The oldest of each ring (lists.c) is looked at when its wait is over; if packets came
 * meanwhile, it joins the ring of its class whose wait is the least that covers what is left: never early,
 * and late by a sixteenth of the timeout at most. Owned by the table's worker.
 */
#include "flow/table_private.h"
#include "flow/tcp.h"

enum { MAX_TIMEOUT = 1000000, OVER_BUDGET = 32 };

static uint32_t timeout_ms(const struct flow_timeouts *timeouts, unsigned klass)
{
	uint32_t seconds = timeouts->seconds[klass];

	return 1000 * (seconds == 0 ? 1 : seconds > MAX_TIMEOUT ? MAX_TIMEOUT : seconds);
}

static uint32_t step_wait(uint32_t timeout, unsigned step)
{
	return (uint32_t)(((uint64_t)timeout * (step + 1) + LIST_STEPS - 1) / LIST_STEPS);
}

/* The ring whose wait is at least `left` milliseconds. */
static unsigned step_for(uint32_t timeout, uint32_t left)
{
	uint32_t step = left ? (uint32_t)(((uint64_t)left * LIST_STEPS - 1) / timeout) : 0;

	return step < LIST_STEPS ? step : LIST_STEPS - 1;
}

static void relist(struct flow_table *t, struct session *s, unsigned step, uint32_t now)
{
	list_unlink(t, s);
	list_append(t, s, step, now);
}

/* One session whose wait is over. True: it was freed. */
static bool expire_one(struct flow_table *t, struct session *s, uint32_t timeout, uint32_t now,
                       flow_close_fn *close, void *context)
{
	int32_t left = time_after32(s->last_seen + timeout, now);

	if (left > 0) {
		relist(t, s, step_for(timeout, (uint32_t)left), now);
		return false;
	}
	if ((s->flags & SESSION_HELD) || (close && !close(context, s))) {
		relist(t, s, 0, now);
		return false;
	}
	flow_remove(t, s);
	t->counters.expired++;
	return true;
}

struct sweep {
	const struct flow_timeouts *timeouts;
	uint32_t now;
	unsigned budget;
	flow_close_fn *close;
	void *context;
	unsigned expired;
};

/* Looks at what is due in one ring, within the budget. */
static void sweep_list(struct flow_table *t, unsigned number, struct sweep *sweep)
{
	struct flow_list *list = &t->list[number];
	uint32_t timeout = timeout_ms(sweep->timeouts, number / (LIST_STEPS * FAMILIES));
	uint32_t wait = step_wait(timeout, number % LIST_STEPS);

	while (sweep->budget && list->next != LIST_BASE + number &&
	       time_after32(list->due_from + wait, sweep->now) <= 0) {
		sweep->budget--;
		sweep->expired += expire_one(t, flow_session(t, list->next), timeout, sweep->now,
		                             sweep->close, sweep->context);
	}
}

unsigned flow_expire(struct flow_table *table, const struct flow_timeouts *timeouts, uint32_t now,
                     unsigned budget, flow_close_fn *close, void *context)
{
	struct sweep sweep = { timeouts, now, budget, close, context, 0 };

	/* The clock moves more slowly than the worker: most turns end here. */
	if (table->sweep == LISTS && table->swept_at == now)
		return 0;
	if (table->sweep == LISTS)
		table->sweep = 0;
	for (; table->sweep < LISTS; table->sweep++) {
		sweep_list(table, table->sweep, &sweep);
		if (!sweep.budget)
			return sweep.expired;
	}
	table->swept_at = now;
	return sweep.expired;
}

void flow_on_evict(struct flow_table *table, flow_close_fn *close, void *context)
{
	table->evict = close;
	table->evict_context = context;
}

/* The half-open session of a family that has waited longest, or NULL. */
static struct session *oldest_half_open(struct flow_table *t, unsigned family, uint32_t now)
{
	static const uint8_t classes[] = { CLASS_TCP_OPENING, CLASS_UDP_OPENING, CLASS_SCTP_OPENING,
		                           CLASS_ICMP_OPENING };
	uint32_t age = 0, oldest = SESSION_NONE;

	for (unsigned i = 0; i < sizeof(classes) * LIST_STEPS; i++) {
		uint32_t number = (classes[i / LIST_STEPS] * FAMILIES + family) * LIST_STEPS + i % LIST_STEPS;
		const struct flow_list *list = &t->list[number];

		if (list->next >= LIST_BASE || now - list->due_from < age)
			continue;
		age = now - list->due_from;
		oldest = list->next;
	}
	return oldest == SESSION_NONE || age < HALF_OPEN_AGE ? NULL : flow_session(t, oldest);
}

/* Both ends have said that it is over: it is kept for stragglers only. */
static bool is_over(const struct session *s)
{
	return s->klass == CLASS_TCP_CLOSING && s->tcp_state[0] >= TCP_FIN_ACKED &&
	       s->tcp_state[1] >= TCP_FIN_ACKED;
}

/* Of the sessions that are ending, one that is over; not looked for among many others. */
static struct session *oldest_over(struct flow_table *t, unsigned family, uint32_t now)
{
	unsigned budget = OVER_BUDGET;

	for (unsigned step = LIST_STEPS; step-- > 0;) {
		uint32_t index = t->list[(CLASS_TCP_CLOSING * FAMILIES + family) * LIST_STEPS + step].next;

		for (; index < LIST_BASE && budget; budget--) {
			struct session *s = flow_session(t, index);

			if (now - s->last_seen < HALF_OPEN_AGE)
				break;
			if (is_over(s) && !(s->flags & SESSION_HELD))
				return s;
			index = s->next;
		}
	}
	return NULL;
}

bool flow_evict_over(struct flow_table *t, unsigned family, uint32_t now)
{
	struct session *s = oldest_over(t, family, now);

	if (!s || (t->evict && !t->evict(t->evict_context, s)))
		return false;
	flow_remove(t, s);
	t->counters.evicted++;
	return true;
}

bool flow_evict(struct flow_table *t, unsigned family, uint32_t now)
{
	/* A few tries: the first ones may have moved on since they were queued, and join the end again. */
	for (int tries = 0; tries < 4; tries++) {
		struct session *s = oldest_half_open(t, family, now);

		if (!s)
			return false;
		if (now - s->last_seen >= HALF_OPEN_AGE && !(s->flags & SESSION_HELD) &&
		    (!t->evict || t->evict(t->evict_context, s))) {
			flow_remove(t, s);
			t->counters.evicted++;
			return true;
		}
		relist(t, s, LIST_STEPS - 1, now);
	}
	return false;
}
