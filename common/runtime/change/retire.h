/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names that sessions keep: ids of functions and paths, and layouts. What a configuration does not use any more may still
 * stand in sessions that no packet has touched since; the number is given to another only when every worker has swept its
 * table (sweep.c) under a later configuration. Control side, under the engine's lock.
 */
#ifndef SLUICE_RUNTIME_RETIRE_H
#define SLUICE_RUNTIME_RETIRE_H

#include "runtime/engine.h"

/* Whether a number that went out of use with revision `left` (0: never was in use) may be given out again. */
bool retire_over(const struct engine *engine, uint64_t left);
/* Notes what `next`, published just now, does not use; clears what it uses. Before functions and paths are freed. */
void retire_note(struct engine *engine, const struct snapshot *next);
/* Waits until the workers have swept their tables under the running configuration, a few seconds at most; false: they have not. */
bool retire_wait(const struct engine *engine);

#endif
