/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The document that a process runs, in the file running.json beside its session memory. A process that ends while functions are about to move
 * is started with where they are to be; its sessions, and those of the processes behind hops, lie where they were. So its successor
 * first runs what its predecessor ran, and changes over from there. Control side, under no lock.
 */
#ifndef SLUICE_RUNTIME_RUNNING_H
#define SLUICE_RUNTIME_RUNNING_H

#include "runtime/engine.h"

/* Writes the file; a failure is logged. After a document was published, under the engine's lock. */
void running_save(const struct engine *engine);
/* What the process that has the folder runs, or ran; NULL: that cannot be read. The caller's. */
struct conf *running_load(const struct engine *engine);
/* Before the first document: if sessions were found and functions are elsewhere in `next`, applies what the predecessor ran and waits for its
 * links as a handover does. What cannot be read or applied is passed over. */
void running_resume(struct engine *engine, const struct conf *next);
/* Takes the file away: `next` could not be applied. */
void running_forget(const struct engine *engine);

#endif
