/* SPDX-License-Identifier: BSD-3-Clause */
/* What engine.c and apply.c share. Control side. */
#ifndef SLUICE_RUNTIME_ENGINE_PRIVATE_H
#define SLUICE_RUNTIME_ENGINE_PRIVATE_H

#include "runtime/engine.h"

/* Sizes of a document, with defaults for what it lacks. */
void engine_read_sizes(const struct conf *document, struct engine_sizes *sizes);

/* Frees the running snapshot, functions and ports; the workers have stopped. */
void engine_clear(struct engine *engine);

#endif
