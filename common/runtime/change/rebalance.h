/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions go to other workers: when the number of workers changes, or the function that names owners. Control side, under the engine's lock and
 * while packets wait (handover.c): taken from their workers before the change, put to their new ones after it. The functions give back what they hold
 * for a session at its old worker, and take it again at its new one.
 */
#ifndef SLUICE_RUNTIME_REBALANCE_H
#define SLUICE_RUNTIME_REBALANCE_H

#include "runtime/engine.h"

/* Whether sessions may belong to other workers with `next`. */
bool rebalance_needed(const struct engine *engine, const struct snapshot *now, const struct snapshot *next);
/* Takes the sessions that do; sessions of a predecessor process before the functions were told of them (found.h). */
void rebalance_take(struct engine *engine, const struct snapshot *next);
/* Puts them to their workers, which run the configuration that they were taken for. */
void rebalance_put(struct engine *engine);

#endif
