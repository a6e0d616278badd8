/* SPDX-License-Identifier: BSD-3-Clause */
/* Timed midstream pickup. See pickup.h. */
#include "runtime/change/pickup.h"

#include <stdio.h>
#include <unistd.h>

#include "manage/log.h"

static bool has_file(const struct engine *engine, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", engine->options.directory, name);
	return access(path, F_OK) == 0;
}

static bool has_sessions(const struct engine *engine)
{
	char name[32];

	for (unsigned i = 0; i < ENGINE_WORKERS_MAX; i++) {
		snprintf(name, sizeof(name), "sessions.%u", i);
		if (has_file(engine, name))
			return true;
	}
	return has_file(engine, "former.0");
}

void pickup_look(struct engine *engine)
{
	if (engine->options.directory && !engine->options.check && has_file(engine, "names.json") &&
	    !has_sessions(engine))
		pickup_want(engine, "no-session-memory");
}

void pickup_want(struct engine *engine, const char *why)
{
	if (!engine->pickup_why && !engine->options.check)
		engine->pickup_why = why;
}

void pickup_begin(struct engine *engine, const struct snapshot *next)
{
	if (!engine->pickup_why || !next->path_count || atomic_load(&engine->pickup_until))
		return;
	if (!engine->sizes.pickup) {
		engine->pickup_why = NULL;
		return;
	}
	log_warn("pickup", "reason=%s seconds=%u consequence=%s", engine->pickup_why, engine->sizes.pickup,
	         "connections are taken up from their middle");
	atomic_store(&engine->pickup_until,
	             clock_now(&engine->clock) + engine->sizes.pickup * UINT64_C(1000000000));
}
