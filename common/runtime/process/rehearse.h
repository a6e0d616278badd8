/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a process does of its document while it still stands by, so that it need not while nobody forwards: it compiles the functions whose compile may
 * take long (NF_AHEAD), and keeps what was made for the first one that asks for the same; and it makes the sockets that its ports will have and its
 * predecessor's do not. Errors are left to that one. Main thread.
 */
#ifndef SLUICE_RUNTIME_REHEARSE_H
#define SLUICE_RUNTIME_REHEARSE_H

#include "port/bequest.h"
#include "runtime/engine.h"

/* Of an engine that waits. The document is one whose shape was checked. `prepared`: what ports will need, for engine->prepared. */
void rehearse(struct engine *engine, const struct conf *document, struct port_bequests *prepared);
/* What was not asked for is given up. Takes the engine's lock. */
void rehearse_over(struct engine *engine);

#endif
