/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Functions that rewrite sessions (NAT, load balancer) and leave a path: they drain. Their place on the path, their instance and, where the document
 * does not name them any more, their last configuration stay, for the sessions that have their slot; new ones pass them by. When the last such
 * session has ended, or after `engine.drain` seconds, they go. What runs meanwhile is a document of its own, the one that was asked for with
 * what drains added (`draining` of a path), so that a successor process finds it. One that was behind a hop drains in this process.
 *
 * Control side, under the engine's lock, but for drain_count_turn(): workers.
 */
#ifndef SLUICE_RUNTIME_DRAIN_H
#define SLUICE_RUNTIME_DRAIN_H

#include "runtime/engine.h"
#include "runtime/worker.h"

/* A copy of a checked document with all that must drain added to it, as far as there is room; NULL: nothing must. */
struct conf *drain_amend(const struct engine *engine, const struct conf *document);
/* Whether a path of the document has functions that drain. */
bool drain_is_in(const struct conf *document);

/* After a publication: notes what drains now and was not asked to by `document`, and since when. */
void drain_note(struct engine *engine, const struct snapshot *next, const struct conf *document);
/* Those whose last session has ended, or whose time is up: bit i is function i. */
uint64_t drain_over(struct engine *engine);

/* Sessions that go through a function although new ones do not, as of their last count, some seconds ago at most; -1: not counted yet. */
int64_t drain_sessions(const struct engine *engine, unsigned nf);
/* Seconds until it goes, whoever still needs it; -1: it does not go by itself. */
int64_t drain_left(const struct engine *engine, unsigned nf);

/* Worker: a slice of counting such sessions, once a second; answers whether there was any. */
unsigned drain_count_turn(struct worker *w);

#endif
