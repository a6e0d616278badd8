/* SPDX-License-Identifier: BSD-3-Clause */
/* What a process runs, for its successor. See running.h. */
#include "runtime/process/running.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#include "manage/log.h"
#include "runtime/change/drain.h"
#include "runtime/change/handover.h"
#include "util/atomic_file.h"

enum { FILE_BOUND = 64 << 20 };

static void file_of(const struct engine *engine, char path[512])
{
	snprintf(path, 512, "%s/running.json", engine->options.directory);
}

void running_save(const struct engine *engine)
{
	char path[512], *text;
	json_t *json;
	int failed;

	if (!engine->options.directory || engine->options.check)
		return;
	json = conf_to_json(engine->running ? engine->running : engine->document);
	text = json ? json_dumps(json, JSON_COMPACT) : NULL;
	json_decref(json);
	if (!text)
		return;
	file_of(engine, path);
	failed = atomic_file_put(path, text, strlen(text), 0600);
	if (failed)
		log_warn("running-not-saved", "file=%s reason=%s", path, strerror(failed));
	free(text);
}

void running_forget(const struct engine *engine)
{
	char path[512];

	if (!engine->options.directory)
		return;
	file_of(engine, path);
	unlink(path);
}

struct conf *running_load(const struct engine *engine)
{
	struct errors ignored = ERRORS_NONE;
	struct conf *document = NULL;
	char path[512], *text = NULL;
	json_error_t where;
	json_t *json = NULL;
	size_t length;

	file_of(engine, path);
	if (atomic_file_read(path, FILE_BOUND, &text, &length) == 0)
		json = json_loadb(text, length, 0, &where);
	if (json)
		document = conf_from_json(json, &ignored);
	json_decref(json);
	free(text);
	errors_free(&ignored);
	return document;
}

/* The item of a list that has the same name, and the same path where items have one (hops). */
static const struct conf *same_item(const struct conf *list, const struct conf *item)
{
	for (size_t i = 0; i < conf_count(list); i++) {
		const struct conf *other = conf_at(list, i);

		if (strcmp(conf_string(other, "name", ""), conf_string(item, "name", "")) == 0 &&
		    strcmp(conf_string(other, "path", ""), conf_string(item, "path", "")) == 0)
			return other;
	}
	return NULL;
}

static bool same_hops(const struct conf *a, const struct conf *b)
{
	if (conf_count(a) != conf_count(b))
		return false;
	for (size_t i = 0; i < conf_count(a); i++)
		if (!same_item(b, conf_at(a, i)))
			return false;
	return true;
}

static bool same_ways(const struct conf *a, const struct conf *b)
{
	if (conf_count(a) != conf_count(b))
		return false;
	for (size_t i = 0; i < conf_count(a); i++) {
		const struct conf *other = conf_item(b, "name", conf_string(conf_at(a, i), "name", ""));

		if (!other || !conf_equal(conf_get(conf_at(a, i), "path"), conf_get(other, "path")))
			return false;
	}
	return true;
}

/* Whether functions are in other processes in `next`, or packets come to those otherwise. */
static bool moves(const struct conf *former, const struct conf *next)
{
	const struct conf *a = conf_get(former, "hops"), *b = conf_get(next, "hops");

	return (conf_count(a) || conf_count(b)) &&
	       (!same_hops(a, b) || !same_ways(conf_get(former, "paths"), conf_get(next, "paths")));
}

/* Whether what has the same name in both lists has the same of these members, which cannot change in a running process. */
static bool alike(const struct conf *a, const struct conf *b, const char *const *members)
{
	for (size_t i = 0; i < conf_count(a); i++) {
		const struct conf *item = conf_at(a, i), *other = same_item(b, item);

		for (unsigned k = 0; other && members[k]; k++)
			if (strcmp(conf_string(item, members[k], ""), conf_string(other, members[k], "")) !=
			    0)
				return false;
	}
	return true;
}

static bool same_kinds(const struct conf *a, const struct conf *b)
{
	for (size_t i = 0; i < conf_count(a); i++) {
		const struct conf *item = conf_at(a, i),
		                  *other = conf_item(b, "name", conf_string(item, "name", ""));

		if (other && strcmp(conf_string(item, "kind", ""), conf_string(other, "kind", "")) != 0)
			return false;
	}
	return true;
}

/* Whether a running process can change from one to the other. */
static bool reachable(const struct conf *former, const struct conf *next)
{
	static const char *const port[] = { "device", "as", "netns", NULL },
	                         *const hop[] = { "a", "b", NULL }, *const lists[] = { "functions", "hops" };

	for (unsigned i = 0; i < 4; i++)
		if (!same_kinds(conf_get(former, lists[i / 2]), conf_get(next, lists[i % 2])))
			return false;
	return alike(conf_get(conf_get(former, "edge"), "ports"), conf_get(conf_get(next, "edge"), "ports"),
	             port) &&
	       alike(conf_get(former, "hops"), conf_get(next, "hops"), hop);
}

static bool wanted(const struct conf *former, const struct conf *next)
{
	struct conf *whole = conf_clone(next);
	bool is = false;

	if (whole) {
		schema_defaults(engine_schema, whole);
		is = (moves(former, whole) || drain_is_in(former)) && reachable(former, whole);
	}
	conf_free(whole);
	return is;
}

/* It had other workers, perhaps, and other room: what is for the life of a process is ours. */
static void take_sizes(struct conf *former, const struct conf *next)
{
	const struct conf *sizes = conf_get(next, "engine");

	conf_remove(former, "engine");
	if (sizes)
		conf_put(former, "engine", sizes);
}

void running_resume(struct engine *engine, const struct conf *next)
{
	struct errors errors = ERRORS_NONE;
	struct conf *former = engine->names_known ? running_load(engine) : NULL;

	if (!former)
		return;
	engine->resuming = wanted(former, next);
	take_sizes(former, next);
	if (!engine->resuming) {
		conf_free(former);
	} else if (engine_apply(engine, former, false, &errors)) {
		log_info("resumed", "consequence=%s", "functions move from where they were");
		handover_links(engine, UINT64_MAX);
	} else {
		engine->resuming = false;
		log_warn("not-resumed", "reason=%s", errors.count ? errors.list[0].detail : "?");
		conf_free(former);
	}
	errors_free(&errors);
}
