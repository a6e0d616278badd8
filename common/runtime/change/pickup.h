/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A process whose predecessor left sessions that cannot be read (of a build with other records or slots, or lost with the memory) knows
 * nothing of the flows that cross it. For `engine.pickup` seconds from its first configuration with a path its functions are told that
 * packets from the middle of a connection may be of such a flow (OPEN_PICKUP). Control side, but for pickup_open(): workers.
 */
#ifndef SLUICE_RUNTIME_PICKUP_H
#define SLUICE_RUNTIME_PICKUP_H

#include "runtime/engine.h"

/* Before a predecessor's files are touched: whether it left a name file but no session file. */
void pickup_look(struct engine *engine);
/* Something that a predecessor knew cannot be used; `why` is a static word for the log. The first reason stands. */
void pickup_want(struct engine *engine, const char *why);
/* A configuration is about to be published. */
void pickup_begin(struct engine *engine, const struct snapshot *next);

static inline bool pickup_open(const struct engine *engine, uint64_t now)
{
	return unlikely(now < atomic_load_explicit(&engine->pickup_until, memory_order_relaxed));
}

#endif
