/* SPDX-License-Identifier: BSD-3-Clause */
/* What drains. See drain.h for who runs what. */
#include "runtime/change/drain.h"

#include <inttypes.h>
#include <string.h>

#include "config/schema.h"
#include "manage/log.h"
#include "util/memory.h"

enum { COUNT_BUDGET = 64 };

static const uint64_t SECOND = 1000000000;

/* A path of the running document against the same one of the next. */
struct leaving {
	const struct engine *engine;
	const struct conf *before, *next;            /* documents */
	const struct conf *path;                     /* in `before` */
	const char *names[SHARED_POSITIONS_MAX + 2]; /* as it is to be, ends and all */
	const char *drains[PATH_DRAINS_MAX];
	size_t count;
	unsigned drain_count;
};

static bool has_string(const struct conf *array, const char *text)
{
	for (size_t i = 0; i < conf_count(array); i++)
		if (strcmp(conf_at(array, i)->string, text) == 0)
			return true;
	return false;
}

static const struct conf *item_of(const struct conf *document, const char *list, const char *name)
{
	return conf_item(conf_get(document, list), "name", name);
}

bool drain_is_in(const struct conf *document)
{
	const struct conf *paths = conf_get(document, "paths");

	for (size_t i = 0; i < conf_count(paths); i++)
		if (conf_count(conf_get(conf_at(paths, i), "draining")))
			return true;
	return false;
}

/* --- what is added to a document --- */

static const struct nf *instance_of(const struct engine *engine, const char *name)
{
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (engine->nfs[i] && strcmp(engine->nfs[i]->name, name) == 0)
			return engine->nfs[i];
	return NULL;
}

/* Whether a function that the next document does not have on this path can stay there. One that it has behind a hop, for another path, cannot: its live
 * state is there. */
static bool can_drain(const struct leaving *l, const char *name)
{
	const struct nf *nf = instance_of(l->engine, name);
	const struct conf *there = item_of(l->next, "functions", name);

	if (!nf || !(nf->klass->flags & NF_REWRITES) || l->engine->drain_ends >> nf->id & 1)
		return false;
	return !item_of(l->next, "hops", name) &&
	       (!there || strcmp(conf_string(there, "kind", ""), nf->klass->name) == 0);
}

static size_t place_in(const struct leaving *l, const char *name)
{
	size_t i = 0;

	while (i < l->count && strcmp(l->names[i], name) != 0)
		i++;
	return i;
}

/* Behind the nearest function that it followed and that is still there, else behind the first port. */
static void put_in(struct leaving *l, size_t former)
{
	const struct conf *names = conf_get(l->path, "path");
	size_t at = l->count;

	for (size_t i = former; i-- > 0 && at == l->count;)
		at = place_in(l, conf_at(names, i)->string);
	if (at == l->count)
		return;
	memmove(l->names + at + 2, l->names + at + 1, (l->count - at - 1) * sizeof(*l->names));
	l->names[at + 1] = conf_at(names, former)->string;
	l->count++;
	l->drains[l->drain_count++] = l->names[at + 1];
}

/* Those that leave now come first where there is no room for all. */
static void put_in_all(struct leaving *l, bool already)
{
	const struct conf *names = conf_get(l->path, "path"), *draining = conf_get(l->path, "draining");

	for (size_t i = 1; i + 1 < conf_count(names); i++) {
		const char *name = conf_at(names, i)->string;

		if (l->drain_count == PATH_DRAINS_MAX || l->count == SHARED_POSITIONS_MAX + 2)
			return;
		if (has_string(draining, name) == already && place_in(l, name) == l->count &&
		    can_drain(l, name))
			put_in(l, i);
	}
}

static bool same_ends(const struct conf *a, const struct conf *b)
{
	size_t n = conf_count(a), m = conf_count(b);

	return n && m && strcmp(conf_at(a, 0)->string, conf_at(b, 0)->string) == 0 &&
	       strcmp(conf_at(a, n - 1)->string, conf_at(b, m - 1)->string) == 0;
}

/* How a path is to be; false: nothing leaves it that must drain. */
static bool compare(struct leaving *l, const struct conf *path)
{
	const struct conf *names = conf_get(path, "path"), *draining = conf_get(path, "draining");

	l->path = item_of(l->before, "paths", conf_string(path, "name", ""));
	l->count = l->drain_count = 0;
	if (!l->path || !same_ends(conf_get(l->path, "path"), names))
		return false;
	for (; l->count < conf_count(names); l->count++)
		l->names[l->count] = conf_at(names, l->count)->string;
	for (size_t i = 0; i < conf_count(draining); i++)
		l->drains[l->drain_count++] = conf_at(draining, i)->string;
	put_in_all(l, false);
	put_in_all(l, true);
	return l->count > conf_count(names);
}

static void put_strings(struct conf *group, const char *member, const char *const *texts, size_t count)
{
	struct conf *array;

	conf_remove(group, member);
	array = conf_new(group, CONF_ARRAY, member);
	for (size_t i = 0; i < count; i++)
		conf_new(array, CONF_STRING, NULL)->string = text_copy(texts[i]);
}

/* A function that the document does not name any more: as it was, in this process. */
static void keep_function(const struct leaving *l, struct conf *document, const char *name)
{
	static const char *const of_hops[] = { "path", "a", "b", "onFailure" };
	struct conf *list = (struct conf *)(uintptr_t)conf_get(document, "functions"), *copy;
	const struct conf *former = item_of(l->before, "functions", name);

	if (conf_item(list, "name", name))
		return;
	if (!former)
		former = item_of(l->before, "hops", name);
	if (!conf_count(list)) {
		conf_remove(document, "functions");
		list = conf_new(document, CONF_LIST, "functions");
	}
	copy = conf_put(list, NULL, former);
	for (unsigned i = 0; i < RTE_DIM(of_hops); i++)
		conf_remove(copy, of_hops[i]);
}

static void amend_path(struct leaving *l, struct conf *document, const struct conf *path)
{
	struct conf *copy =
	        (struct conf *)(uintptr_t)item_of(document, "paths", conf_string(path, "name", ""));

	put_strings(copy, "path", l->names, l->count);
	put_strings(copy, "draining", l->drains, l->drain_count);
	for (unsigned i = 0; i < l->drain_count; i++)
		keep_function(l, document, l->drains[i]);
}

struct conf *drain_amend(const struct engine *engine, const struct conf *document)
{
	struct leaving l = { .engine = engine,
		             .before = engine->running ? engine->running : engine->document,
		             .next = document };
	const struct conf *paths = conf_get(document, "paths");
	struct conf *amended = NULL;

	if (!l.before || !conf_int(conf_get(document, "engine"), "drain", 0))
		return NULL;
	for (size_t i = 0; i < conf_count(paths); i++) {
		if (!compare(&l, conf_at(paths, i)))
			continue;
		amended = amended ? amended : conf_clone(document);
		amend_path(&l, amended, conf_at(paths, i));
	}
	return amended;
}

/* --- how it goes --- */

void drain_note(struct engine *engine, const struct snapshot *next, const struct conf *document)
{
	uint64_t now = clock_now(&engine->clock), drains = 0;

	for (unsigned i = 0; i < next->path_count; i++) {
		const struct path *path = next->paths[i];
		const struct conf *asked =
		        path ? conf_get(item_of(document, "paths", path->name), "draining") : NULL;

		for (unsigned k = 0; path && k < path->count; k++)
			if (path->positions[k].draining && !has_string(asked, path->positions[k].name))
				drains |= UINT64_C(1) << path->positions[k].nf->id;
	}
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++) {
		uint64_t bit = UINT64_C(1) << i;

		if (drains & bit && !(engine->drains & bit)) {
			engine->drain_since[i] = now;
			log_info("draining", "function=%s", engine->nfs[i]->name);
		}
	}
	atomic_store(&engine->drains, drains);
	engine->drain_look = now + SECOND;
}

int64_t drain_sessions(const struct engine *engine, unsigned nf)
{
	uint64_t revision = atomic_load(&engine->snapshot)->revision;
	int64_t sum = 0;

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		const struct worker *w = engine->workers[i];

		if (atomic_load_explicit(&w->drain_counted, memory_order_acquire) != revision)
			return -1;
		sum += atomic_load_explicit(&w->drain_sessions[nf], memory_order_relaxed);
	}
	return sum;
}

int64_t drain_left(const struct engine *engine, unsigned nf)
{
	uint64_t since;

	if (!(engine->drains >> nf & 1))
		return -1;
	since = (clock_now(&engine->clock) - engine->drain_since[nf]) / SECOND;
	return since < engine->sizes.drain ? (int64_t)(engine->sizes.drain - since) : 0;
}

uint64_t drain_over(struct engine *engine)
{
	uint64_t now = clock_now(&engine->clock), over = 0;

	if (!engine->drains || now < engine->drain_look)
		return 0;
	engine->drain_look = now + SECOND;
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++) {
		int64_t sessions;

		if (!(engine->drains >> i & 1))
			continue;
		sessions = drain_sessions(engine, i);
		if (sessions && drain_left(engine, i))
			continue;
		over |= UINT64_C(1) << i;
		log_info("drained", "function=%s sessions=%" PRId64, engine->nfs[i]->name, sessions);
	}
	return over;
}

/* --- counting --- */

static void count(void *worker, struct session *s)
{
	struct worker *w = worker;
	const struct path *path = w->snapshot->paths[s->path];
	uint64_t drains = path ? path->draining & w->engine->layouts[s->layout] : 0;

	for (; drains; drains &= drains - 1)
		w->drain_count[__builtin_ctzll(drains)]++;
}

static bool any_drains(const struct snapshot *s)
{
	for (unsigned i = 0; i < s->path_count; i++)
		if (s->paths[i] && s->paths[i]->draining)
			return true;
	return false;
}

unsigned drain_count_turn(struct worker *w)
{
	uint64_t revision = w->snapshot->revision;

	if (likely(w->drain_counting == revision && w->now < w->drain_count_at))
		return 0;
	if (w->drain_counting != revision) {
		w->drain_counting = revision;
		w->drain_cursor = 0;
		w->drain_count_at = 0;
	}
	if (!any_drains(w->snapshot)) {
		w->drain_count_at = UINT64_MAX;
		return 0;
	}
	if (!w->drain_cursor)
		memset(w->drain_count, 0, sizeof(w->drain_count));
	flow_walk(w->table, &w->drain_cursor, COUNT_BUDGET, count, w);
	if (w->drain_cursor)
		return 1;
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		atomic_store_explicit(&w->drain_sessions[i], w->drain_count[i], memory_order_relaxed);
	atomic_store_explicit(&w->drain_counted, revision, memory_order_release);
	w->drain_count_at = w->now + SECOND;
	return 1;
}
