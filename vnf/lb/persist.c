/* SPDX-License-Identifier: BSD-3-Clause */
/* See persist.h. */
#include "lb/persist.h"

#include <stdlib.h>

#include <rte_hash_crc.h>

enum { WAYS = 8 };

struct entry {
	struct persist_key key;
	uint32_t until; /* s; 0: never used */
	uint16_t backend, spare;
};

struct persist {
	uint32_t mask; /* sets - 1 */
	struct entry entries[];
};

struct persist *persist_new(uint32_t entries)
{
	uint32_t sets = 1;
	struct persist *table;

	while (sets * WAYS < entries)
		sets *= 2;
	table = calloc(1, sizeof(*table) + (size_t)sets * WAYS * sizeof(struct entry));
	if (table)
		table->mask = sets - 1;
	return table;
}

void persist_free(struct persist *table)
{
	free(table);
}

static uint32_t first_way(const struct persist *table, const struct persist_key *key)
{
	return (rte_hash_crc(key, sizeof(*key), 0) & table->mask) * WAYS;
}

static bool same_key(const struct persist_key *a, const struct persist_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

int persist_find(const struct persist *table, const struct persist_key *key, uint32_t now)
{
	const struct entry *set = &table->entries[first_way(table, key)];

	for (unsigned i = 0; i < WAYS; i++)
		if (set[i].until > now && same_key(&set[i].key, key))
			return set[i].backend;
	return -1;
}

bool persist_set(struct persist *table, const struct persist_key *key, uint16_t backend, uint32_t now,
                 uint32_t seconds)
{
	struct entry *set = &table->entries[first_way(table, key)], *oldest = set;
	bool room;

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].until && same_key(&set[i].key, key)) {
			oldest = &set[i];
			oldest->until = 0;
			break;
		}
		if (set[i].until < oldest->until)
			oldest = &set[i];
	}
	room = oldest->until <= now;
	*oldest = (struct entry){ .key = *key, .until = now + seconds, .backend = backend };
	return room;
}

uint32_t persist_count(const struct persist *table, uint32_t now)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < (table->mask + 1) * WAYS; i++)
		count += table->entries[i].until > now;
	return count;
}

union ipaddr persist_mask(const union ipaddr *address, uint8_t length)
{
	union ipaddr masked = *address;

	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = length > i * 8 ? length - i * 8u : 0;

		masked.bytes[i] &= bits >= 8 ? 0xff : (uint8_t)(0xff00u >> bits);
	}
	return masked;
}
