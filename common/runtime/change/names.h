/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the numbers mean that sessions keep (ports, functions with their slots, paths, layouts), in a file beside the session
 * memory: a successor process gives the same numbers to the same names, so that the sessions it finds mean what they meant.
 * A function of another kind, or whose slot has another size or version, gets another number: sessions meet it as one that
 * was added to their path. Control side, under the engine's lock.
 */
#ifndef SLUICE_RUNTIME_NAMES_H
#define SLUICE_RUNTIME_NAMES_H

#include "runtime/engine.h"

struct names;

/* Takes up a predecessor's file, before the first document is applied; without one, or with one that cannot be read (said in the
 * log), numbers begin anew and the sessions found must be dropped: answers false then. */
bool names_load(struct engine *engine);
/* Writes the file if what it says has changed; a failure is logged. Before a configuration is published. */
void names_save(struct engine *engine);
/* The predecessor's numbers are no longer kept for those who have not come back. After the first publication. */
void names_release(struct engine *engine);

/* Whether a port (function) of that name may have this number: it is the name's own, or nobody's. */
bool names_port_may(const struct engine *engine, unsigned number, const char *name);
/* Whether a predecessor, of which nothing has been taken over yet, had a port of that name. */
bool names_had_port(const struct engine *engine, const char *name);
bool names_function_may(const struct engine *engine, unsigned id, const char *name,
                        const struct nf_class *klass);
/* Whether a function that the predecessor had keeps something else in sessions in this build: another size or version. */
bool names_slots_differ(const struct engine *engine);
/* Where the predecessor's function of this number had its slot; NF_SLOT_NONE: there was none. */
uint32_t names_slot(const struct engine *engine, unsigned id);

#endif
