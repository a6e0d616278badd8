/* SPDX-License-Identifier: BSD-3-Clause */
/* When numbers that sessions keep may be given out again. Control side. */
#include "runtime/change/retire.h"

#include <unistd.h>

#include "runtime/worker.h"

enum { WAIT_MS = 5000 };

/* The oldest configuration under which a worker has swept its table whole. */
static uint64_t swept(const struct engine *engine)
{
	uint64_t oldest = UINT64_MAX;

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		uint64_t here = atomic_load_explicit(&engine->workers[i]->swept, memory_order_acquire);

		if (here < oldest)
			oldest = here;
	}
	return oldest;
}

bool retire_over(const struct engine *engine, uint64_t left)
{
	return !left || swept(engine) >= left;
}

static void note(uint64_t *left, bool used, bool known, uint64_t revision)
{
	if (used)
		*left = 0;
	else if (known && !*left)
		*left = revision;
}

static void note_layouts(const struct segment *s, bool *layouts)
{
	for (unsigned i = 0; i < 1u << __builtin_popcountll(s->drains); i++)
		layouts[s->draining_layout[i]] = true;
}

void retire_note(struct engine *engine, const struct snapshot *next)
{
	bool layouts[ENGINE_LAYOUTS_MAX] = { false };

	for (unsigned i = 0; i < ENGINE_PATHS_MAX; i++) {
		note(&engine->path_left[i], next->paths[i], engine->path_names[i][0], next->revision);
		for (unsigned k = 0; next->paths[i] && k < next->paths[i]->segment_count; k++)
			note_layouts(&next->paths[i]->segments[k], layouts);
	}
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		note(&engine->nf_left[i], next->nfs[i], engine->nfs[i], next->revision);
	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		note(&engine->port_left[i], next->ports[i].role != PORT_UNUSED, engine->ports[i].name[0],
		     next->revision);
	for (unsigned i = 0; i < engine->layout_count; i++)
		note(&engine->layout_left[i], layouts[i], true, next->revision);
}

bool retire_wait(const struct engine *engine)
{
	for (unsigned waited = 0; waited < WAIT_MS; waited++) {
		if (swept(engine) >= engine->revision)
			return true;
		usleep(1000);
	}
	return false;
}
