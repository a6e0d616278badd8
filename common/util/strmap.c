/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Open addressing with linear probing, at most half full. Belongs to who made it.
 */
#include "util/strmap.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

struct strmap_slot {
	char *key;
	uint64_t hash;
	size_t value;
};

/* FNV-1a, with a last mix because the table uses the low bits. */
static uint64_t hash_of(const char *key)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
	return hash ^ hash >> 32;
}

struct strmap strmap_new(size_t most)
{
	size_t room = 8;

	while (room < 2 * most)
		room *= 2;
	return (struct strmap){ memory_new(room, sizeof(struct strmap_slot)), room - 1 };
}

/* The slot of the key, or the empty one where it would go. */
static struct strmap_slot *probe(const struct strmap *map, const char *key, uint64_t hash)
{
	for (size_t i = hash & map->mask;; i = (i + 1) & map->mask) {
		struct strmap_slot *slot = &map->slots[i];
		if (!slot->key || (slot->hash == hash && !strcmp(slot->key, key)))
			return slot;
	}
}

size_t strmap_find(const struct strmap *map, const char *key)
{
	const struct strmap_slot *slot = probe(map, key, hash_of(key));

	return slot->key ? slot->value : STRMAP_NONE;
}

size_t strmap_add(struct strmap *map, const char *key, size_t value)
{
	uint64_t hash = hash_of(key);
	struct strmap_slot *slot = probe(map, key, hash);

	if (slot->key)
		return slot->value;
	*slot = (struct strmap_slot){ text_copy(key), hash, value };
	return STRMAP_NONE;
}

void strmap_free(struct strmap *map)
{
	for (size_t i = 0; map->slots && i <= map->mask; i++)
		free(map->slots[i].key);
	free(map->slots);
	*map = (struct strmap){ 0 };
}
