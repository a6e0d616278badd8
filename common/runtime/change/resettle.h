/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions of a predecessor that had another number of workers, or room for another number of sessions: their files are put aside, and each
 * session goes to some worker's table, and to that of its owner with the first configuration (rebalance.h). A process that dies meanwhile leaves both, and its successor
 * goes on. Control side, before the workers' threads run.
 */
#ifndef SLUICE_RUNTIME_RESETTLE_H
#define SLUICE_RUNTIME_RESETTLE_H

#include "runtime/engine.h"

/* Before the workers are made: puts files aside that would not be found by them. */
void resettle_begin(const struct engine *engine);
/* After that: brings their sessions in. What finds no room is counted in the log. */
void resettle_end(struct engine *engine);

#endif
