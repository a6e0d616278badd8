/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions that were behind hops and are no more (they come into this process, or go elsewhere): what their processes knew of sessions,
 * collected before the change and looked up while sessions are regrouped (regroup.c). Begun and ended by the control side while
 * packets wait (handover.c); in between workers write under the lock until it is closed, and read without one afterwards.
 */
#ifndef SLUICE_RUNTIME_TAKEOVER_H
#define SLUICE_RUNTIME_TAKEOVER_H

#include "runtime/engine.h"
#include "runtime/change/transfer.h"

struct takeover;

/* A hop of a path that the next configuration has not, or has where packets come to it with other tuples. All by walk of the originator where it matters. */
struct gone_hop {
	uint16_t path;
	uint16_t nf; /* id of its function */
	uint8_t zone
	        [2]; /* of its links a and b: packets of walk w went in by zone[w], came out by zone[!w] */
	uint8_t before[2];   /* entry zone of the segment in front, by walk */
	uint8_t behind[2];   /* answer zone of the segment behind, by walk */
	bool kept_before[2]; /* whether that segment kept sessions */
};

struct takeover *takeover_new(void);
void takeover_free(struct takeover *takeover);

/* Finds what hops are gone with `next`, and waits half a second at most until their links are up, before that a minute at most until the
 * sessions of the change before have been regrouped, which has to do with what it knows. False: none, or they still have not. Control side, as are the next two. */
bool takeover_find(struct engine *engine, const struct snapshot *now, const struct snapshot *next);
/* Asks their processes for their sessions and waits until these are here, or nothing comes any more. Workers must not receive from outside ports
 * meanwhile. */
void takeover_collect(struct engine *engine);
/* No worker has a session left to regroup. Control side. */
void takeover_end(struct engine *engine);

/* Worker: a frame came by this link. */
void takeover_receive(struct takeover *takeover, uint16_t link, const struct transfer_frame *frame);

/* Worker, after the change. The gone hop of a path that the originator's packets of this walk entered (left) by this zone; NULL: none. */
const struct gone_hop *takeover_entered(const struct takeover *t, uint16_t path, int walk, uint8_t zone);
const struct gone_hop *takeover_left(const struct takeover *t, uint16_t path, int walk, uint8_t zone);
/* What the hop's process knew of the session whose packets arrived there (left it) with this tuple, its zone not minded; NULL: nothing. */
const struct transfer *takeover_by_before(const struct takeover *t, const struct gone_hop *hop, int walk,
                                          const struct tuple *tuple);
const struct transfer *takeover_by_behind(const struct takeover *t, const struct gone_hop *hop, int walk,
                                          const struct tuple *tuple);

#endif
