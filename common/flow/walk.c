/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Looking at the table from outside of the packet path: walks, statistics, stable ids. Called in the table's
 * worker, in slices.
 */
#include "flow/table_private.h"

/* A record by its place in the walk: first one family, then the other. */
static struct session *nth(const struct flow_table *t, uint64_t n)
{
	if (n < *t->pool[0].fresh)
		return flow_session(t, (uint32_t)n);
	if (n < t->pool[0].capacity)
		return NULL;
	n -= t->pool[0].capacity;
	return n < *t->pool[1].fresh ? flow_session(t, t->pool[1].first + (uint32_t)n) : NULL;
}

void flow_walk(struct flow_table *table, uint64_t *cursor, unsigned budget, flow_visit_fn *visit,
               void *context)
{
	uint64_t end = (uint64_t)table->pool[0].capacity + *table->pool[1].fresh;

	while (budget-- && *cursor < end) {
		struct session *s;

		/* Records that were never used are skipped at once. */
		if (*cursor >= *table->pool[0].fresh && *cursor < table->pool[0].capacity)
			*cursor = table->pool[0].capacity;
		s = nth(table, (*cursor)++);
		if (s && record_live(s))
			visit(context, s);
	}
	if (*cursor >= end)
		*cursor = 0;
}

void flow_stats(const struct flow_table *table, struct flow_stats *stats)
{
	*stats = table->counters;
	stats->half_open = table->pool[0].half_open + table->pool[1].half_open;
	stats->capacity_v4 = table->pool[0].capacity;
	stats->capacity_v6 = table->pool[1].capacity;
	stats->used_v4 = table->pool[0].used;
	stats->used_v6 = table->pool[1].used;
	stats->memory_bytes = table->region.bytes;
}

uint64_t flow_id(const struct flow_table *table, const struct session *s)
{
	return (uint64_t)(s->sequence >> 1) << 32 | flow_index(table, s);
}

struct session *flow_by_id(const struct flow_table *table, uint64_t id)
{
	struct session *s = nth(table, (uint32_t)id);

	return s && record_live(s) && s->sequence >> 1 == id >> 32 ? s : NULL;
}
