/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Endpoint-independent mappings of one worker: inside address and port <-> outside address and port, counted by the sessions that use them,
 * and whom each has sent to (address-dependent filtering). All memory is taken when it is made; one thread.
 */
#ifndef SLUICE_VNF_NAT_MAPPING_H
#define SLUICE_VNF_NAT_MAPPING_H

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

#define MAPPING_NONE UINT32_MAX

/* Addresses and ports in network order. */
struct mapping {
	uint32_t inside, outside;
	uint16_t inside_port, outside_port;
	uint8_t space : 2, pool : 5, used : 1;
	uint8_t bucket;
	uint16_t remotes; /* sessions with `remote`; most mappings have sent to one host only */
	uint32_t remote;
	uint32_t sessions;
	uint32_t next_inside, next_outside; /* chains; a free one: next free in next_inside */
};
static_assert(sizeof(struct mapping) == 32, "two a cache line");

struct nat_mappings;

struct nat_mappings *mappings_new(uint32_t room);
void mappings_free(struct nat_mappings *m);
uint32_t mappings_used(const struct nat_mappings *m);
uint32_t mappings_room(const struct nat_mappings *m);
/* The i-th place, or NULL where nothing is; for listing. */
const struct mapping *mappings_at(const struct nat_mappings *m, uint32_t i);
struct mapping *mapping_by_index(struct nat_mappings *m, uint32_t i);

/* An end of a mapping: an address and port of a space, in a pool. Another pool, another mapping: rules choose pools by destination, and a pool
 * that replaced another may have the same addresses. */
struct mapping_end {
	uint32_t address;
	uint16_t port;
	uint8_t space, pool;
};
/* Index, or MAPPING_NONE. */
uint32_t mapping_find_inside(const struct nat_mappings *m, struct mapping_end end);
uint32_t mapping_find_outside(const struct nat_mappings *m, struct mapping_end end);
/* Adds one without sessions; MAPPING_NONE: full. */
uint32_t mapping_add(struct nat_mappings *m, const struct mapping *mapping);
/* Removes one, which has no sessions, nor permits. */
void mapping_remove(struct nat_mappings *m, uint32_t i);

/* Asks for the memory that finding, adding or removing by this end will need. */
void mapping_prefetch_inside(const struct nat_mappings *m, struct mapping_end end);
void mapping_prefetch_outside(const struct nat_mappings *m, struct mapping_end end);

/* Remotes that a mapping's inside host has sent to, counted. False: no room. */
bool permit_take(struct nat_mappings *m, uint32_t mapping, uint32_t remote);
void permit_give(struct nat_mappings *m, uint32_t mapping, uint32_t remote);
bool permit_known(const struct nat_mappings *m, uint32_t mapping, uint32_t remote);

#endif
