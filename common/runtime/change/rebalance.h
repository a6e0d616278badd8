/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions go to other workers: when the number of workers changes, or the function that names owners. Control side, under the engine's lock and
 * while their packets wait (slices.c): taken from their workers before the change, put to their new ones after it. The functions give back what they hold
 * for a session at its old worker, and take it again at its new one.
 */
#ifndef SLUICE_RUNTIME_REBALANCE_H
#define SLUICE_RUNTIME_REBALANCE_H

#include "runtime/engine.h"

/* Whether sessions may belong to other workers with `next`. */
bool rebalance_needed(const struct engine *engine, const struct snapshot *now, const struct snapshot *next);
/* Whether owner buckets mean something else. */
bool rebalance_other_owners(const struct snapshot *now, const struct snapshot *next);
/* Takes the sessions that do, of the buckets from `from` to before `to`; other_owners: which may be others with `next`. Sessions of a predecessor process before the functions were told of them
 * (found.h). */
void rebalance_take(struct engine *engine, const struct snapshot *next, unsigned from, unsigned to,
                    bool other_owners);
/* Puts them to their workers, by the configuration that they were taken for. */
void rebalance_put(struct engine *engine);
/* Fragments that wait for their first one wait at its owner: to be called when the workers have the new configuration. */
void rebalance_send_fragments(struct engine *engine);

#endif
