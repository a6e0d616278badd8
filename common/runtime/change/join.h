/* SPDX-License-Identifier: BSD-3-Clause */
/* Functions that come to live sessions, and leave them. Worker thread. */
#ifndef SLUICE_RUNTIME_JOIN_H
#define SLUICE_RUNTIME_JOIN_H

#include "runtime/worker.h"

/* Asks one function to take a live session midstream, whose packets come to it with this tuple; its slot is cleared first. False: it
 * refuses. */
bool session_join_one(struct worker *w, struct session *s, const struct path *path, int position,
                      const struct tuple *tuple);
/* The same of all functions of a segment but those in `has`, which rewrite the tuple as they did before. */
bool session_join(struct worker *w, struct session *s, const struct path *path, const struct segment *segment,
                  uint64_t has);
/* A function that has a slot in the session has no part in it here any more: it gives back what it took. */
void session_leave(struct worker *w, struct session *s, unsigned nf);

#endif
