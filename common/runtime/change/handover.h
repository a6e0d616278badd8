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
/* If functions move between processes with `next`: workers leave packets in the outside ports, and this returns when nothing comes out of the
 * links of before any more, some milliseconds at most. */
void handover_hold(struct engine *engine, const struct snapshot *next);
/* After the publication: when every session has gone to where its functions are now, outside ports are received from again. */
void handover_resume(struct engine *engine);

#endif
