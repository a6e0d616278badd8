/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changing over from one configuration to the next without losing or overtaking what is on its way through hops: new links
 * are up before packets are sent there, and what is behind old ones has come back before the path changes. Control side,
 * under the engine's lock.
 */
#ifndef SLUICE_RUNTIME_HANDOVER_H
#define SLUICE_RUNTIME_HANDOVER_H

#include "runtime/engine.h"

/* Waits until the links opened just now (bit i: port i) have their peers, five seconds at most: then what the hop's onFailure says
 * holds. Not at the first configuration of a process, whose functions may be starting. */
void handover_links(const struct engine *engine, uint64_t new_ports);
/* Before the publication of `next`: if functions move between processes with it, or sessions between workers, they do (slices.h). */
void handover_begin(struct engine *engine, const struct snapshot *next);
/* After the publication. */
void handover_end(struct engine *engine);

#endif
