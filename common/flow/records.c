/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Records of the session pools: fresh ones in order, so that a table that is not full touches no more memory
 * than it needs, and used ones last in, first out, because those are still in the cache. Owned by the table's
 * worker.
 */
#include "flow/table_private.h"

static struct session *take_free(struct flow_table *t, struct flow_pool *pool)
{
	struct session *s;

	if (pool->free != SESSION_NONE) {
		s = flow_session(t, pool->free);
		pool->free = s->next;
		return s;
	}
	if (*pool->fresh == pool->capacity)
		return NULL;
	return flow_session(t, pool->first + (*pool->fresh)++);
}

struct session *record_take(struct flow_table *t, unsigned family)
{
	struct flow_pool *pool = &t->pool[family];
	struct session *s = take_free(t, pool);
	uint32_t sequence;

	if (!s)
		return NULL;
	/* The next use of the record, and odd until it is committed. */
	sequence = (s->sequence | 1) + 2;
	s->sequence = sequence;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	memset(s, 0, pool->stride);
	s->sequence = sequence;
	s->flags = family ? SESSION_V6 : 0;
	s->entry_ports = UINT32_MAX;
	pool->used++;
	return s;
}

void record_give(struct flow_table *t, struct session *s)
{
	struct flow_pool *pool = &t->pool[session_family(s)];

	session_write_begin(s);
	s->key[0].family = 0;
	s->next = pool->free;
	pool->free = flow_index(t, s);
	session_write_end(s);
	pool->used--;
}
