/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Expiry lists. Every class (and family) has sixteen rings; ring k holds sessions that are to be looked at (k
 * + 1) sixteenths of the class's timeout after they joined it. Since the wait is the same for all of one
 * ring, each is in order of time by being a FIFO, whatever packets came meanwhile. The rings hold indexes;
 * their own nodes have indexes above LIST_BASE, so that neither end is a special case. Owned by the table's
 * worker.
 */
#include "flow/table_private.h"

void lists_init(struct flow_table *t)
{
	for (uint32_t i = 0; i < LISTS; i++)
		t->list[i] = (struct flow_list){ .next = LIST_BASE + i, .previous = LIST_BASE + i };
}

static uint32_t *next_of(struct flow_table *t, uint32_t node)
{
	return node >= LIST_BASE ? &t->list[node - LIST_BASE].next : &flow_session(t, node)->next;
}

static uint32_t *previous_of(struct flow_table *t, uint32_t node)
{
	return node >= LIST_BASE ? &t->list[node - LIST_BASE].previous : &flow_session(t, node)->previous;
}

void list_append(struct flow_table *t, struct session *s, unsigned step, uint32_t when)
{
	uint32_t number = (s->klass * FAMILIES + session_family(s)) * LIST_STEPS + step;
	struct flow_list *list = &t->list[number];
	uint32_t index = flow_index(t, s);

	if (list->next == LIST_BASE + number)
		list->due_from = when;
	s->queued = when;
	s->next = LIST_BASE + number;
	s->previous = list->previous;
	*next_of(t, list->previous) = index;
	list->previous = index;
}

void list_unlink(struct flow_table *t, struct session *s)
{
	*next_of(t, s->previous) = s->next;
	*previous_of(t, s->next) = s->previous;
	if (s->previous >= LIST_BASE && s->next < LIST_BASE)
		t->list[s->previous - LIST_BASE].due_from = flow_session(t, s->next)->queued;
}

void list_change_class(struct flow_table *t, struct session *s, enum session_class klass, uint32_t now)
{
	struct flow_pool *pool = &t->pool[session_family(s)];

	list_unlink(t, s);
	pool->half_open -= class_half_open(s->klass);
	pool->half_open += class_half_open(klass);
	t->counters.per_class[s->klass]--;
	t->counters.per_class[klass]++;
	s->klass = (uint8_t)klass;
	list_append(t, s, LIST_STEPS - 1, now);
}
