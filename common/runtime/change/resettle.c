/* SPDX-License-Identifier: BSD-3-Clause */
/* From the tables of a predecessor to those of other sizes. See resettle.h. */
#include "runtime/change/resettle.h"

#include <stdio.h>
#include <unistd.h>

#include "flow/resize.h"
#include "manage/log.h"
#include "runtime/change/pickup.h"
#include "runtime/worker.h"

enum { FORMER_MAX = 4 * ENGINE_WORKERS_MAX, WALK_BUDGET = 4096 };

struct moving {
	struct engine *engine;
	struct flow_table *from;
	uint32_t now;
	unsigned moved, lost;
};

static void file_of(const struct engine *engine, const char *name, unsigned number, char path[512])
{
	snprintf(path, 512, "%s/%s.%u", engine->options.directory, name, number);
}

static bool keeps_files(const struct engine *engine)
{
	return engine->options.directory && !engine->options.check;
}

static bool any_misfit(const struct engine *engine)
{
	struct flow_options options;
	char path[512];

	worker_table_options(engine, &options);
	options.file = path;
	for (unsigned i = 0; i < ENGINE_WORKERS_MAX; i++) {
		file_of(engine, "sessions", i, path);
		if (i < engine->sizes.workers ? !flow_fits(&options) : access(path, F_OK) == 0)
			return true;
	}
	return false;
}

/* Under the first name that is free. */
static void put_aside(const struct engine *engine, const char *path)
{
	char former[512];

	for (unsigned i = 0; i < FORMER_MAX; i++) {
		file_of(engine, "former", i, former);
		if (access(former, F_OK) == 0)
			continue;
		if (rename(path, former) != 0)
			log_warn("sessions-not-kept", "file=%s reason=%m", path);
		return;
	}
}

void resettle_begin(const struct engine *engine)
{
	char path[512];

	if (!keeps_files(engine) || !any_misfit(engine))
		return;
	for (unsigned i = 0; i < ENGINE_WORKERS_MAX; i++) {
		file_of(engine, "sessions", i, path);
		if (access(path, F_OK) == 0)
			put_aside(engine, path);
	}
}

static void visit(void *context, struct session *s)
{
	struct moving *m = context;
	struct worker *w = m->engine->workers[s->bucket % m->engine->sizes.workers];

	if (flow_copy(w->table, m->from, s, m->now) == FLOW_OK) {
		w->found = true;
		m->moved++;
	} else {
		m->lost++;
	}
}

static void bring_in(struct moving *m, const char *path)
{
	struct errors errors = ERRORS_NONE;
	uint64_t cursor = 0;

	m->from = flow_table_found(path, &errors);
	if (m->from) {
		do
			flow_walk(m->from, &cursor, WALK_BUDGET, visit, m);
		while (cursor);
		flow_table_free(m->from);
	} else {
		log_warn("sessions-not-kept", "file=%s reason=%s", path,
		         errors.count ? errors.list[0].detail : "?");
		pickup_want(m->engine, "other-records");
	}
	errors_free(&errors);
	unlink(path);
}

void resettle_end(struct engine *engine)
{
	struct moving m = { .engine = engine, .now = clock_ms(clock_now(&engine->clock)) };
	char path[512];

	for (unsigned i = 0; keeps_files(engine) && i < FORMER_MAX; i++) {
		file_of(engine, "former", i, path);
		if (access(path, F_OK) == 0)
			bring_in(&m, path);
	}
	if (m.moved || m.lost)
		log_info("sessions-resettled", "workers=%u sessions=%u lost=%u", engine->sizes.workers,
		         m.moved, m.lost);
}
