/* SPDX-License-Identifier: BSD-3-Clause */
/* A document on its way to being applied (apply.c), for those who do a part of it. Control side, under the engine's lock. */
#ifndef SLUICE_RUNTIME_APPLY_PRIVATE_H
#define SLUICE_RUNTIME_APPLY_PRIVATE_H

#include "runtime/engine_private.h"

/* What one application adds; taken back if it fails. */
struct change {
	struct engine *engine;
	struct conf *document;
	struct conf *running; /* the same with what drains (change/drain.h); NULL: nothing does */
	bool dry;
	bool ends_drains; /* there is no room beside what drains */
	struct errors *errors;
	uint64_t new_ports, new_nfs;                /* bit i: slot i is new */
	const struct conf *where[ENGINE_PORTS_MAX]; /* of new ports, for errors */
};

/* Checks the document against schemas and what is for the life of the process, and fills in defaults. False with errors. */
bool apply_check(struct change *c);
/* Makes instances of the functions that the document names and the engine has not; errors are added. */
void instances_make(struct change *c);
/* Stops one that no session and no worker knows of any more. */
void instance_free(struct engine *engine, unsigned id);

#endif
