/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small repeatable generator for the packet tests (xorshift64*). The caller holds its state.
 */
#ifndef SLUICE_TESTS_HELPER_RANDOM_H
#define SLUICE_TESTS_HELPER_RANDOM_H

#include <stdint.h>

static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * UINT64_C(2685821657736338717) >> 11;
}

static inline uint32_t random_below(uint64_t *state, uint32_t limit)
{
	return (uint32_t)(random_next(state) % limit);
}

#endif
