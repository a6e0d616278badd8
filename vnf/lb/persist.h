/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which backend a client was last given, for a time: one worker's table. Sets of eight entries found by hash: adding never fails, where a set is full the
 * entry that would be forgotten first makes room. Nothing is swept; what is over is free. The worker alone uses it; after a crash it is filled again
 * from the sessions that were found.
 */
#ifndef SLUICE_VNF_LB_PERSIST_H
#define SLUICE_VNF_LB_PERSIST_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/tuple.h"

struct persist;

struct persist_key {
	union ipaddr client; /* masked */
	uint16_t service;    /* number */
	uint8_t family, spare;
};

/* Room for at least `entries`; NULL: no memory. */
struct persist *persist_new(uint32_t entries);
void persist_free(struct persist *table);

/* Backend of a client; -1: none. `now` in seconds of a clock that begins above 0. */
int persist_find(const struct persist *table, const struct persist_key *key, uint32_t now);
/* Remembers it until `now + seconds`. False: a client that was remembered is forgotten for it. */
bool persist_set(struct persist *table, const struct persist_key *key, uint16_t backend, uint32_t now,
                 uint32_t seconds);
/* How many are remembered; reads all. */
uint32_t persist_count(const struct persist *table, uint32_t now);

/* The first `length` bits of an address. */
union ipaddr persist_mask(const union ipaddr *address, uint8_t length);

#endif
