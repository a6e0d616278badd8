/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Maglev's consistent hashing (Eisenbud et al., NSDI 2016, section 3.4), with weights. A table is plain memory of its owner's, filled once and then only
 * read; pure functions, any thread.
 */
#ifndef SLUICE_MATCH_MAGLEV_H
#define SLUICE_MATCH_MAGLEV_H

#include <stdbool.h>
#include <stdint.h>

enum { MAGLEV_SIZE = 65537 };

struct maglev_member {
	uint64_t
	        id; /* stable, unique: where the member's entries lie depends on it alone, not on its place in the list */
	uint32_t weight; /* its share of the table; 0: none */
};

/* Whether a number may be the size of a table: a prime above 1. */
bool maglev_size_right(uint32_t size);

/* Fills table[0 .. size - 1] with indexes of members. False: no memory, or no member has a weight; then the table is as it was. */
bool maglev_fill(uint16_t *table, uint32_t size, const struct maglev_member *members, unsigned count);

/* Well-mixed bits of a number (the finaliser of splitmix64): ids of members and second choices. */
static inline uint64_t maglev_mix(uint64_t x)
{
	x += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
	return x ^ (x >> 31);
}

static inline uint16_t maglev_at(const uint16_t *table, uint32_t size, uint32_t hash)
{
	return table[(uint32_t)(((uint64_t)hash * size) >> 32)];
}

#endif
