/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions that were behind hops and are no more (they come into this process, or go elsewhere): what their processes know of sessions, asked
 * for before these are regrouped (regroup.c) and looked up meanwhile. The control side (slices.c) opens it for a slice of the sessions, workers
 * ask and receive, under its lock; when all answers are here it is closed, and workers look up without one.
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

/* Finds what hops are gone with `next`; answers the most that are on one path. Control side, as are the next five. */
unsigned takeover_find(struct engine *engine, const struct snapshot *now, const struct snapshot *next);
/* Waits until their links are up, two seconds at most in all: a process may just have died. */
void takeover_links(const struct engine *engine);
/* Forgets what it knows of sessions; workers may ask from now on. */
void takeover_open(struct takeover *takeover);
/* While workers ask, and until all has been answered: to be called again and again, with the microseconds since it was last. False: all has been answered
 * that was asked; or nothing has come for so long that no process is asked any more. */
bool takeover_waits(struct takeover *takeover, unsigned us);
/* No worker asks or receives any more. */
void takeover_close(struct takeover *takeover);
/* No worker has a session left to regroup. */
void takeover_end(struct takeover *takeover);

/* Worker: asks the hop's process, by the link that packets with this tuple (its zone not minded) go in by; nothing if it was asked before. */
void takeover_ask(struct worker *w, const struct gone_hop *hop, uint8_t zone, const struct tuple *tuple);
/* Worker: whether so many answers are awaited that it should not ask for more now. */
bool takeover_busy(const struct takeover *takeover);
/* Worker: a frame came by this link. */
void takeover_receive(struct takeover *takeover, uint16_t link, const struct transfer_frame *frame);

/* Worker. The gone hop of a path that the originator's packets of this walk entered (left) by this zone; NULL: none. */
const struct gone_hop *takeover_entered(const struct takeover *t, uint16_t path, int walk, uint8_t zone);
const struct gone_hop *takeover_left(const struct takeover *t, uint16_t path, int walk, uint8_t zone);
/* What the hop's process knows of the session whose packets arrive there (leave it) with this tuple, its zone not minded; NULL: nothing. Valid
 * until takeover_open() or takeover_end(). */
const struct transfer *takeover_by_before(struct takeover *t, const struct gone_hop *hop, int walk,
                                          const struct tuple *tuple);
const struct transfer *takeover_by_behind(struct takeover *t, const struct gone_hop *hop, int walk,
                                          const struct tuple *tuple);

#endif
