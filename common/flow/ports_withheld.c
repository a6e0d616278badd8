/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports that a configuration gives to nobody: a list for each configuration, made by the control side and never
 * changed, which travels with every request. A bucket takes it over at its first allocation under it, in the
 * thread that owns the bucket: so nobody ever writes what another thread reads. A port that is in use when it
 * is withheld stays so until it is released, and is not given out again.
 */
#include "flow/ports_private.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

struct entry {
	uint32_t block;
	uint64_t bits[PORTS_SPACES];
};

struct ports_withheld {
	uint32_t generation;
	size_t count;
	struct entry entry[]; /* a block may be named by several */
};

static size_t blocks_of(const struct ports_hold *hold)
{
	return (size_t)(hold->last - hold->first) / PORTS_BLOCK + 2;
}

/* Ports a to b (host order) of a hold, all of one block. */
static void add_entry(struct ports_withheld *list, const struct ports_hold *hold, uint32_t block,
                      unsigned first_bit, unsigned last_bit)
{
	struct entry *entry = &list->entry[list->count++];
	uint64_t upto = last_bit == PORTS_BLOCK - 1 ? ~0ULL : (1ULL << (last_bit + 1)) - 1;

	*entry = (struct entry){ .block = block };
	entry->bits[hold->space] = upto & ~0ULL << first_bit;
}

static void add_hold(struct ports_withheld *list, const struct ports *pool, const struct ports_hold *hold)
{
	uint32_t first = hold->first > pool->first ? hold->first : pool->first,
	         last = hold->last < pool->last ? hold->last : pool->last;

	while (first <= last) {
		uint32_t block = ports_block(pool, hold->address, htons((uint16_t)first));
		uint32_t bit = (first - pool->first) % PORTS_BLOCK, end = first + PORTS_BLOCK - 1 - bit;

		if (block == NO_BLOCK)
			return;
		if (end > last)
			end = last;
		add_entry(list, hold, block, bit, bit + end - first);
		first = end + 1;
	}
}

struct ports_withheld *ports_withheld_new(struct ports *pool, const struct ports_hold *holds, size_t count)
{
	struct ports_withheld *list;
	size_t room = 0;

	for (size_t i = 0; i < count; i++)
		room += blocks_of(&holds[i]);
	list = calloc(1, sizeof(*list) + room * sizeof(list->entry[0]));
	if (!list)
		return NULL;
	list->generation = ++pool->generations;
	for (size_t i = 0; i < count; i++)
		add_hold(list, pool, &holds[i]);
	return list;
}

void ports_withheld_free(struct ports_withheld *list)
{
	free(list);
}

static void set_bits(struct ports *pool, unsigned bucket, uint32_t number, const uint64_t *bits, bool hold)
{
	struct withheld_block *w = &pool->withheld[number];

	for (unsigned space = 0; space < PORTS_SPACES; space++) {
		uint64_t before = ports_free_bits(pool, number, space);

		w->bits[space] = hold ? w->bits[space] | bits[space] : 0;
		pool->block[number].holds |= w->bits[space] != 0;
		ports_settle(pool, bucket, space, number, before);
	}
}

static void forget(struct ports *pool, unsigned bucket)
{
	struct bucket *k = &pool->bucket[bucket];

	for (uint32_t at = k->withheld; at != NO_BLOCK; at = pool->withheld[at].next) {
		set_bits(pool, bucket, at, NULL, false);
		pool->block[at].holds = 0;
	}
	k->withheld = NO_BLOCK;
}

void ports_withhold(struct ports *pool, unsigned bucket, const struct ports_withheld *list)
{
	struct bucket *k = &pool->bucket[bucket];
	uint32_t generation = list ? list->generation : GENERATION_NONE;

	if (k->generation == generation)
		return;
	forget(pool, bucket);
	for (size_t i = 0; list && i < list->count; i++) {
		const struct entry *entry = &list->entry[i];

		if (!ports_holds(pool, bucket, entry->block))
			continue;
		if (!pool->block[entry->block].holds) {
			pool->withheld[entry->block].next = k->withheld;
			k->withheld = entry->block;
		}
		set_bits(pool, bucket, entry->block, entry->bits, true);
	}
	k->generation = generation;
	ports_weigh(k);
}
