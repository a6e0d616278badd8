/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The index of the session table: chains of buckets, one line each. A chain has no holes before its last
 * bucket (removal pulls the last entry forward), so an overflow bucket is in use only where a bucket has more
 * than eight entries, and is given back as soon as it is empty. Owned by the table's worker.
 */
#include "flow/table_private.h"

uint32_t index_find_hashed(const struct flow_table *t, const struct session_key *key, uint32_t hash,
                           const uint8_t *addresses)
{
	const struct flow_bucket *b = &t->buckets[bucket_of(t, hash)];

	for (;;) {
		unsigned match = bucket_match(b, signature_of(hash));

		for (; match; match &= match - 1) {
			uint32_t reference = b->reference[__builtin_ctz(match)];

			if (session_matches(flow_session(t, reference >> 1), reference & 1, key, addresses))
				return reference;
		}
		if (!b->overflow)
			return SESSION_NONE;
		b = &t->buckets[b->overflow];
	}
}

static void prefetch_bucket(const struct flow_table *t, const struct session_key *key)
{
	__builtin_prefetch(&t->buckets[bucket_of(t, flow_key_hash(t, key))], 1);
}

void flow_prefetch(const struct flow_table *table, const struct tuple *t)
{
	struct session_key key;

	flow_key(table, t, &key);
	prefetch_bucket(table, &key);
}

void flow_prefetch_keys(const struct flow_table *table, const struct session *s)
{
	prefetch_bucket(table, &s->key[0]);
	prefetch_bucket(table, &s->key[1]);
}

uint32_t index_find(const struct flow_table *t, const struct session_key *key, const uint8_t *addresses)
{
	return index_find_hashed(t, key, flow_key_hash(t, key), addresses);
}

/* An empty overflow bucket, or NULL. */
static struct flow_bucket *overflow_take(struct flow_table *t, uint32_t *number)
{
	struct flow_bucket *b;

	if (t->overflow_free) {
		*number = t->overflow_free;
		t->overflow_free = t->buckets[*number].overflow;
	} else if (t->overflow_fresh < t->overflow_end) {
		*number = t->overflow_fresh++;
	} else {
		return NULL;
	}
	b = &t->buckets[*number];
	memset(b, 0, sizeof(*b));
	return b;
}

/* The bucket of a chain with room for one more, lengthening the chain if need be. */
static struct flow_bucket *chain_room(struct flow_table *t, struct flow_bucket *b)
{
	struct flow_bucket *more;
	uint32_t number;

	while (!bucket_match(b, 0) && b->overflow)
		b = &t->buckets[b->overflow];
	if (bucket_match(b, 0))
		return b;
	more = overflow_take(t, &number);
	if (more)
		b->overflow = number;
	return more;
}

bool index_insert(struct flow_table *t, const struct session_key *key, uint32_t reference)
{
	uint32_t hash = flow_key_hash(t, key);
	struct flow_bucket *b = chain_room(t, &t->buckets[bucket_of(t, hash)]);
	int slot;

	if (!b)
		return false;
	slot = __builtin_ctz(bucket_match(b, 0));
	b->signature[slot] = signature_of(hash);
	b->reference[slot] = reference;
	return true;
}

/* Where a reference stands in a chain; its slot, or -1. */
static int chain_find(struct flow_table *t, struct flow_bucket **b, uint16_t signature, uint32_t reference)
{
	for (;;) {
		unsigned match = bucket_match(*b, signature);

		for (; match; match &= match - 1)
			if ((*b)->reference[__builtin_ctz(match)] == reference)
				return __builtin_ctz(match);
		if (!(*b)->overflow)
			return -1;
		*b = &t->buckets[(*b)->overflow];
	}
}

/* Takes any entry out of the last bucket of a chain that has overflowed, and drops that bucket if it was the
 * only one. */
static void chain_pull(struct flow_table *t, struct flow_bucket *hole, int slot)
{
	struct flow_bucket *before = hole, *last;
	unsigned taken;
	int from;

	while (t->buckets[before->overflow].overflow)
		before = &t->buckets[before->overflow];
	last = &t->buckets[before->overflow];
	taken = ~bucket_match(last, 0) & 0xff;
	from = __builtin_ctz(taken);
	hole->signature[slot] = last->signature[from];
	hole->reference[slot] = last->reference[from];
	last->signature[from] = 0;
	if (taken & (taken - 1))
		return;
	last->overflow = t->overflow_free;
	t->overflow_free = before->overflow;
	before->overflow = 0;
}

/* An overflow bucket that has just lost its only entry leaves its chain. */
static void chain_trim(struct flow_table *t, struct flow_bucket *first, struct flow_bucket *empty)
{
	struct flow_bucket *before = first;

	while (&t->buckets[before->overflow] != empty)
		before = &t->buckets[before->overflow];
	empty->overflow = t->overflow_free;
	t->overflow_free = before->overflow;
	before->overflow = 0;
}

void index_remove(struct flow_table *t, const struct session_key *key, uint32_t reference)
{
	uint32_t hash = flow_key_hash(t, key);
	struct flow_bucket *first = &t->buckets[bucket_of(t, hash)], *b = first;
	int slot = chain_find(t, &b, signature_of(hash), reference);

	if (slot < 0)
		return;
	b->signature[slot] = 0;
	if (b->overflow)
		chain_pull(t, b, slot);
	else if (b != first && bucket_match(b, 0) == 0xff)
		chain_trim(t, first, b);
}

enum flow_result index_add_session(struct flow_table *t, struct session *s)
{
	uint32_t reference = flow_index(t, s) << 1;
	const uint8_t *addresses = s->flags & SESSION_V6 ? session_v6(s)->address[0].bytes : NULL;
	bool both = !(s->flags & SESSION_ONEWAY);

	if (index_find(t, &s->key[0], addresses) != SESSION_NONE)
		return FLOW_CLASH;
	if (!index_insert(t, &s->key[0], reference))
		return FLOW_FULL;
	if (!both)
		return FLOW_OK;
	/* After the first insert, so that a session whose keys are one and the same clashes with itself. */
	if (index_find(t, &s->key[1], addresses ? addresses + 32 : NULL) != SESSION_NONE) {
		index_remove(t, &s->key[0], reference);
		return FLOW_CLASH;
	}
	if (index_insert(t, &s->key[1], reference | 1))
		return FLOW_OK;
	index_remove(t, &s->key[0], reference);
	return FLOW_FULL;
}
