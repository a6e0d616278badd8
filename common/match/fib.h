/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Longest-prefix match over an immutable set of routes. Built off to the side by the control side, looked up by any thread, freed by its owner after
 * a grace period. Routes are flattened into sorted, disjoint ranges of addresses, each with the next hop of its longest prefix: a lookup is a
 * binary search, so a box with a few routes pays a few cycles and a few bytes, not a table of 64 MB.
 */
#ifndef SLUICE_MATCH_FIB_H
#define SLUICE_MATCH_FIB_H

#include <stdint.h>

#include "packet/tuple.h"
#include "util/errors.h"

struct fib_route {
	union ipaddr prefix; /* network order */
	uint8_t family, length;
	uint32_t hop; /* the caller's id of the next hop */
};

struct fib;

/* NULL with errors (no memory). Two routes of the same prefix: the later one holds. What no route covers answers hop 0. */
struct fib *fib_new(const struct fib_route *routes, unsigned count, struct errors *errors);
void fib_free(struct fib *fib);

/* Next hops of n addresses in network order. */
void fib_lookup4(const struct fib *fib, const uint32_t *addresses, uint32_t *hops, unsigned n);
void fib_lookup6(const struct fib *fib, const uint8_t (*addresses)[16], uint32_t *hops, unsigned n);

#endif
