/* SPDX-License-Identifier: BSD-3-Clause */
/* What engine.c and apply.c share. Control side. */
#ifndef SLUICE_RUNTIME_ENGINE_PRIVATE_H
#define SLUICE_RUNTIME_ENGINE_PRIVATE_H

#include "runtime/engine.h"

enum { SLOT_UNIT = 16 }; /* bytes of the slot area that a bit of engine.slot_units stands for */

/* The bits of a slot of so many bytes. */
static inline uint32_t slot_units(unsigned size, uint32_t offset)
{
	unsigned units = (size + SLOT_UNIT - 1) / SLOT_UNIT;

	return offset == NF_SLOT_NONE ? 0 : ((1u << units) - 1) << (offset / SLOT_UNIT);
}

/* Sizes of a document, with defaults for what it lacks. */
void engine_read_sizes(const struct conf *document, struct engine_sizes *sizes);

/* The largest MTU of a document's ports, and the place of it. */
uint32_t engine_largest_mtu(const struct conf *document, const struct conf **where);

/* How many workers a document wants to own packets. */
uint32_t engine_active_workers(const struct conf *document);

/* Waits until every worker has begun another turn; says so if one takes longer than a second. */
void engine_grace(struct engine *engine);

/* Writes the state words of the hops that a snapshot has. Under link_lock. */
void engine_see_links(struct engine *engine, const struct snapshot *snapshot);

/* Frees the running snapshot, functions and ports; the workers have stopped. */
void engine_clear(struct engine *engine);

/* tell.c: a snapshot was published, and workers have left the previous (NULL: there was none), which the caller still keeps. */
void engine_tell_functions(struct engine *engine, const struct snapshot *s);
/* `next` gets going beside the present one: functions that come into this process are told already. */
void engine_tell_newcomers(struct engine *engine, const struct snapshot *now, const struct snapshot *next);
void engine_tell_neighbours(struct engine *engine, struct snapshot *previous);

#endif
