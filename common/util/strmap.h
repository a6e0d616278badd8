/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hash map from strings to indexes, for finding duplicates and matching lists by key. Sized once, keys are copied;
 * belongs to one thread.
 */
#ifndef SLUICE_UTIL_STRMAP_H
#define SLUICE_UTIL_STRMAP_H

#include <stddef.h>

#define STRMAP_NONE ((size_t)-1)

struct strmap {
	struct strmap_slot *slots;
	size_t mask;
};

/* Room for up to `most` keys. */
struct strmap strmap_new(size_t most);
/* The value of a key, or STRMAP_NONE. */
size_t strmap_find(const struct strmap *map, const char *key);
/* Adds a key; if it is there already, changes nothing and returns its value, else STRMAP_NONE. */
size_t strmap_add(struct strmap *map, const char *key, size_t value);
void strmap_free(struct strmap *map);

#endif
