/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Finding a predecessor's sessions in the region: every record ever used is judged; what was torn or makes no
 * sense is dropped and counted, the rest is indexed again and listed in the order of its last packets, as if
 * each had been queued then. Runs once, in the thread that creates the table.
 */
#include "flow/table_private.h"

#include <stdlib.h>

/* A record from the far future is nonsense, and its ring would wait for it. A predecessor's clock may be ahead by what its host slept, which it makes
 * good slowly. */
enum { LATER_MS = 7 * 24 * 3600 * 1000 };

static bool key_plausible(const struct session_key *key, unsigned family)
{
	return key->family == (family ? FAMILY_V6 : FAMILY_V4);
}

/* The digests of an IPv6 key must be those of its addresses. */
static bool digests_true(const struct flow_table *t, struct session *s, unsigned direction)
{
	const union ipaddr *addresses = &session_v6(s)->address[2 * direction];

	return s->key[direction].src == flow_digest6(t, addresses[0].bytes) &&
	       s->key[direction].dst == flow_digest6(t, addresses[1].bytes);
}

static bool record_plausible(const struct flow_table *t, struct session *s, unsigned family)
{
	bool both = !(s->flags & SESSION_ONEWAY);

	if (session_family(s) != family || s->klass >= SESSION_CLASSES || !key_plausible(&s->key[0], family))
		return false;
	if (both && !key_plausible(&s->key[1], family))
		return false;
	return !family || (digests_true(t, s, 0) && (!both || digests_true(t, s, 1)));
}

static void free_record(struct flow_table *t, unsigned family, struct session *s)
{
	/* The flag says which pool it is of; a nonsensical record may have the wrong one. */
	s->flags = family ? SESSION_V6 : 0;
	t->pool[family].used++;
	record_give(t, s);
}

/* Takes one record back into the index, or frees it. True: it lives. */
static bool judge(struct flow_table *t, unsigned family, struct session *s, uint32_t now)
{
	bool torn = s->sequence & 1;
	bool later = now && time_after32(s->last_seen, now) > LATER_MS;

	if (!torn && s->key[0].family == 0) {
		free_record(t, family, s);
		return false;
	}
	if (torn || later || !record_plausible(t, s, family) || index_add_session(t, s) != FLOW_OK) {
		t->counters.torn++;
		free_record(t, family, s);
		return false;
	}
	s->hop[0] = s->hop[1] = 0;
	s->generation = 0;
	s->entry_ports = UINT32_MAX;
	s->flags &= (uint8_t)~SESSION_HELD;
	s->tcp_scale[0] &= (uint8_t)~TCP_TIMED;
	s->tcp_scale[1] &= (uint8_t)~TCP_TIMED;
	t->pool[family].used++;
	t->pool[family].half_open += class_half_open(s->klass);
	t->counters.live++;
	t->counters.per_class[s->klass]++;
	return true;
}

/* Indexes of the live records, each below its last_seen, so that numbers sort by time. */
static uint64_t *collect(struct flow_table *t, size_t *count, uint32_t now)
{
	uint64_t room = (uint64_t)*t->pool[0].fresh + *t->pool[1].fresh;
	uint64_t *found = calloc(room ? room : 1, sizeof(*found));

	*count = 0;
	for (unsigned family = 0; family < FAMILIES; family++) {
		struct flow_pool *pool = &t->pool[family];

		/* From the end, so that the free list begins with the lowest. */
		for (uint32_t i = *pool->fresh; i-- > 0;) {
			struct session *s = flow_session(t, pool->first + i);

			if (judge(t, family, s, now) && found)
				found[(*count)++] = (uint64_t)s->last_seen << 32 | (pool->first + i);
		}
	}
	return found;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* Turns times into distances from the newest, which the wrap of the clock cannot disorder. */
static void list_in_order(struct flow_table *t, uint64_t *found, size_t count)
{
	uint32_t newest = count ? (uint32_t)(found[0] >> 32) : 0;

	for (size_t i = 0; i < count; i++)
		if (time_after32((uint32_t)(found[i] >> 32), newest) > 0)
			newest = (uint32_t)(found[i] >> 32);
	for (size_t i = 0; i < count; i++)
		found[i] = (uint64_t)(UINT32_MAX - (newest - (uint32_t)(found[i] >> 32))) << 32 |
		           (uint32_t)found[i];
	qsort(found, count, sizeof(*found), by_number);
	for (size_t i = 0; i < count; i++) {
		struct session *s = flow_session(t, (uint32_t)found[i]);

		list_append(t, s, LIST_STEPS - 1, s->last_seen);
	}
}

/* Without memory for the order the sessions cannot be kept: the table begins empty, which is what a lost file
 * means too. */
static void forget_all(struct flow_table *t)
{
	t->counters.torn += t->counters.live;
	for (unsigned family = 0; family < FAMILIES; family++) {
		*t->pool[family].fresh = 0;
		t->pool[family].free = SESSION_NONE;
		t->pool[family].used = t->pool[family].half_open = 0;
	}
	t->counters.live = 0;
	memset(t->counters.per_class, 0, sizeof(t->counters.per_class));
	memset(t->buckets, 0, (size_t)t->overflow_end * sizeof(*t->buckets));
	t->overflow_free = 0;
	t->overflow_fresh = t->bucket_count;
}

void flow_recover(struct flow_table *t, uint32_t now)
{
	uint64_t *found;
	size_t count;

	memset(t->buckets, 0, (size_t)t->overflow_end * sizeof(*t->buckets));
	found = collect(t, &count, now);
	if (found)
		list_in_order(t, found, count);
	else
		forget_all(t);
	free(found);
}
