/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sets of prefixes and of ports. Members are added in any order, as often as they come, and then made as few as
 * possible: sorted, disjoint, without one that another holds and without two that one could be. So what overlaps in an
 * operator's groups is not multiplied in a classifier. A set of zeros is empty; it is its owner's, who frees it. One thread; no EAL.
 */
#ifndef SLUICE_MATCH_SET_H
#define SLUICE_MATCH_SET_H

#include <stdbool.h>
#include <stdint.h>

#include "util/net.h"

/* IPv4 and IPv6 together; once minimised, IPv4 comes first. */
struct prefix_set {
	struct ip_prefix *list;
	unsigned count, room;
};

/* Host bits of the prefix must be 0. False: no memory; the set is as it was. */
bool prefix_set_add(struct prefix_set *set, const struct ip_prefix *prefix);
/* Adds all members of another set. False: no memory; the set is as it was. */
bool prefix_set_unite(struct prefix_set *set, const struct prefix_set *other);
/* The fewest prefixes that hold the same addresses, sorted. */
void prefix_set_minimise(struct prefix_set *set);
/* How many of a minimised set are of this family (4 or 6); the first of them in *first. */
unsigned prefix_set_family(const struct prefix_set *set, uint8_t family, const struct ip_prefix **first);
void prefix_set_free(struct prefix_set *set);

/* Host order, both ends belong to it. */
struct port_range {
	uint16_t first, last;
};

struct port_set {
	struct port_range *list;
	unsigned count, room;
};

/* first <= last. False: no memory; the set is as it was. */
bool port_set_add(struct port_set *set, uint16_t first, uint16_t last);
/* The fewest ranges that hold the same ports, sorted. */
void port_set_minimise(struct port_set *set);
void port_set_free(struct port_set *set);

#endif
