/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Transparent edge, `linkState = "pass"`: a port of a pair that loses its link takes the other one's down, so that both neighbours see it as they would
 * see a cut cable; it comes back with it. Of a port that is taken down nothing can be seen: it is given a moment when it is up again before its own
 * link counts. What is taken down is up again when the port is closed, and when a successor opens it. Control side.
 */
#ifndef SLUICE_RUNTIME_LINKSTATE_H
#define SLUICE_RUNTIME_LINKSTATE_H

#include "runtime/engine.h"

/* Whether every port of the document can be taken down, if that is asked for; else errors. Its ports are open. */
bool linkstate_check(const struct engine *engine, const struct conf *document, struct errors *errors);
/* Looks at all pairs: a few times a second, under link_lock. */
void linkstate_poll(struct engine *engine, const struct snapshot *snapshot);
/* A port is about to be closed. */
void linkstate_forget(struct engine *engine, unsigned number);

#endif
