/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where packets are: received + originated = sent + delivered + dropped + held. Each worker draws its own account up between two of its turns, when every
 * packet that it has is in a place that is counted; what workers have given to each other and not yet taken is held, too. So the sum is
 * exact at any time, also under traffic and in the middle of a change. Counters begin with the process. Control side.
 */
#ifndef SLUICE_RUNTIME_BALANCE_H
#define SLUICE_RUNTIME_BALANCE_H

#include <jansson.h>

#include "runtime/engine.h"

/* Where packets wait. */
enum balance_place {
	PLACE_FRAGMENTS,  /* for the first one of their datagram */
	PLACE_NEIGHBOURS, /* for a MAC */
	PLACE_GATHERED,   /* fragments for the box itself, for the rest */
	PLACE_EMITTED,    /* for the batch at hand to be done */
	PLACE_MOVES,      /* for their sessions, which move (change/slices.h) */
	PLACE_REPLIES,    /* for room in a link */
	PLACE_TRANSMIT,   /* for the end of the turn, before a port ... */
	PLACE_HANDOFF,    /* ... or before another worker's inbox */
	BALANCE_PLACES
};

/* A worker's. */
struct account {
	uint64_t received, originated, taken_over;     /* in */
	uint64_t sent, delivered, dropped, handed_off; /* out */
	uint64_t held[BALANCE_PLACES];
};

/* Of packets that are missing: in, but neither out nor held; negative: the other way round. */
int64_t account_missing(const struct account *account);
/* Draws up a worker's account, between two of its turns. Under the engine's lock. */
void account_of(struct engine *engine, unsigned worker, struct account *account);

/* A function goes, and its counters with it: what it has dropped stays counted. Under the engine's lock, when no worker runs it any more. */
void balance_keep_drops(struct engine *engine, unsigned id);

/* {received, originated, sent, delivered, dropped, held, balanced} of all workers together. `workers`, where not NULL: becomes a list of what each says and is
 * missing. Under the engine's lock. New references. */
json_t *engine_balance(struct engine *engine, json_t **workers);

#endif
