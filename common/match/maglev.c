/* SPDX-License-Identifier: BSD-3-Clause */
/* See maglev.h. */
#include "match/maglev.h"

#include <stdlib.h>

/* A member on its way through its permutation of the table's entries. */
struct walker {
	uint64_t id;
	uint32_t weight, credit;
	uint32_t next, skip;
	uint16_t index;
};

bool maglev_size_right(uint32_t size)
{
	if (size < 3 || size % 2 == 0)
		return size == 2;
	for (uint32_t d = 3; (uint64_t)d * d <= size; d += 2)
		if (size % d == 0)
			return false;
	return true;
}

static int by_id(const void *a, const void *b)
{
	uint64_t x = ((const struct walker *)a)->id, y = ((const struct walker *)b)->id;

	return (x > y) - (x < y);
}

/* In the order of their ids: turns do not depend on places in the list. Answers how many have a weight. */
static unsigned start_walkers(struct walker *walkers, const struct maglev_member *members, unsigned count,
                              uint32_t size)
{
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		uint64_t bits = maglev_mix(members[i].id);

		if (!members[i].weight)
			continue;
		walkers[n++] = (struct walker){ .id = members[i].id,
			                        .weight = members[i].weight,
			                        .next = (uint32_t)(bits >> 32) % size,
			                        .skip = size > 2 ? (uint32_t)bits % (size - 1) + 1 : 1,
			                        .index = (uint16_t)i };
	}
	qsort(walkers, n, sizeof(*walkers), by_id);
	return n;
}

static uint32_t heaviest(const struct walker *walkers, unsigned n)
{
	uint32_t most = 0;

	for (unsigned i = 0; i < n; i++)
		most = walkers[i].weight > most ? walkers[i].weight : most;
	return most;
}

/* Takes the first entry of its permutation that nobody has. */
static void take_entry(struct walker *w, uint16_t *table, uint8_t *taken, uint32_t size)
{
	while (taken[w->next])
		w->next = (uint32_t)(((uint64_t)w->next + w->skip) % size);
	taken[w->next] = 1;
	table[w->next] = w->index;
}

bool maglev_fill(uint16_t *table, uint32_t size, const struct maglev_member *members, unsigned count)
{
	struct walker *walkers = calloc(count + 1, sizeof(*walkers));
	uint8_t *taken = calloc(size, 1);
	unsigned n = walkers && taken ? start_walkers(walkers, members, count, size) : 0;
	uint32_t most = heaviest(walkers, n), filled = 0;

	/* The heaviest takes an entry each round, the others as often as their weight is of its. */
	while (n && filled < size) {
		for (unsigned i = 0; i < n && filled < size; i++) {
			walkers[i].credit += walkers[i].weight;
			if (walkers[i].credit < most)
				continue;
			walkers[i].credit -= most;
			take_entry(&walkers[i], table, taken, size);
			filled++;
		}
	}
	free(walkers);
	free(taken);
	return n > 0;
}
