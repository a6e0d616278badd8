/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions of an engine as instances: a number, room in every session, counters, live state. Control side, under the engine's lock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_malloc.h>

#include "runtime/apply_private.h"
#include "runtime/balance.h"
#include "runtime/change/names.h"
#include "runtime/change/retire.h"
#include "runtime/worker.h"

/* Whether units of the slot area lie in one cache line. */
static bool in_one_line(uint32_t units, unsigned at)
{
	unsigned last = at + (unsigned)__builtin_popcount(units) - 1;

	return at * SLOT_UNIT / RTE_CACHE_LINE_SIZE == last * SLOT_UNIT / RTE_CACHE_LINE_SIZE;
}

/* The first room for a slot; of one line where there still is any, so that one line is all that the function needs of it. -1: none. */
static int find_slot(const struct engine *engine, uint32_t units, bool any)
{
	for (unsigned at = 0; units << at < 1u << ENGINE_FUNCTION_BYTES / SLOT_UNIT; at++)
		if (!(engine->slot_units & units << at) && (any || in_one_line(units, at)))
			return (int)at;
	return any ? -1 : find_slot(engine, units, true);
}

static bool take_slot(struct engine *engine, struct nf *nf)
{
	uint32_t units = slot_units(nf->klass->slot.size, 0);
	int at;

	nf->slot_offset = names_slot(engine, nf->id);
	if (!units || nf->slot_offset != NF_SLOT_NONE)
		return true;
	at = find_slot(engine, units, false);
	if (at < 0)
		return false;
	engine->slot_units |= units << at;
	nf->slot_offset = (uint32_t)at * SLOT_UNIT;
	return true;
}

static void give_slot_back(struct engine *engine, const struct nf *nf)
{
	engine->slot_units &= ~slot_units(nf->klass->slot.size, nf->slot_offset);
}

static bool give_counters(struct engine *engine, const struct nf *nf)
{
	unsigned n = 1;

	for (const struct nf_counter *c = nf->klass->counters; c && c->name; c++)
		n++;
	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		uint64_t *counters = rte_zmalloc("counters", n * sizeof(*counters), RTE_CACHE_LINE_SIZE);

		if (!counters)
			return false;
		rte_free(engine->workers[i]->nf_counters[nf->id]);
		engine->workers[i]->nf_counters[nf->id] = counters;
		memset(&engine->workers[i]->traffic[nf->id], 0, sizeof(struct nf_traffic));
		engine->workers[i]->nf_samples[nf->id] = (struct sample){ 0 };
	}
	return true;
}

/* The same name gives the same seed, wherever the function is placed. */
static uint32_t seed_of(const struct engine *engine, const char *name)
{
	uint32_t seed = engine->sizes.seed ? engine->sizes.seed : (uint32_t)rte_rdtsc();

	for (; *name; name++)
		seed = (seed ^ (uint8_t)*name) * 16777619u;
	return seed;
}

void instance_free(struct engine *engine, unsigned id)
{
	struct nf *nf = engine->nfs[id];

	capture_forget_function(engine, id);
	balance_keep_drops(engine, id);
	engine->nfs[id] = NULL;
	give_slot_back(engine, nf);
	if (nf->klass->stop)
		nf->klass->stop(nf);
	free(nf);
}

/* What drains would give its room up, and its connections with it: a dry run says so, for it ends nothing. */
static void say_no_slot(const struct engine *engine, const struct nf *nf, const struct conf *item,
                        struct errors *errors)
{
	unsigned needs = SLOT_UNIT * (unsigned)__builtin_popcount(slot_units(nf->klass->slot.size, 0)),
	         taken = SLOT_UNIT * (unsigned)__builtin_popcount(engine->slot_units);
	char names[ENGINE_NFS_MAX * 8] = "";
	size_t length = 0;

	for (unsigned i = 0; i < ENGINE_NFS_MAX && length < sizeof(names); i++)
		if (engine->nfs[i] && engine->drains >> i & 1)
			length += (size_t)snprintf(names + length, sizeof(names) - length, " \"%s\"",
			                           engine->nfs[i]->name);
	conf_error(errors, item, "no-slot",
	           "\"%s\" needs %u bytes of each session, and of %d other functions have %u, wherever they "
	           "are placed%s%s%s",
	           nf->name, needs, ENGINE_FUNCTION_BYTES, taken, names[0] ? ", while these drain:" : "",
	           names,
	           names[0] ? "; to apply this ends their connections at once, or wait for them "
	                      "(GET /v1/state/drains)"
	                    : "");
}

static struct nf *new_nf(struct engine *engine, unsigned id, const struct conf *item, struct errors *errors)
{
	struct nf *nf = calloc(1, sizeof(*nf));

	if (!nf)
		return NULL;
	nf->klass = class_find(engine->options.classes, conf_string(item, "kind", ""));
	snprintf(nf->name, sizeof(nf->name), "%s", conf_string(item, "name", ""));
	nf->id = (uint16_t)id;
	nf->workers = (uint16_t)engine->sizes.workers;
	nf->seed = seed_of(engine, nf->name);
	nf->engine = engine;
	if (!take_slot(engine, nf)) {
		say_no_slot(engine, nf, item, errors);
		free(nf);
		return NULL;
	}
	if (!give_counters(engine, nf) || (nf->klass->start && nf->klass->start(nf, errors) != 0)) {
		if (!errors_any(errors))
			conf_error(errors, item, "no-memory", "not enough memory to start \"%s\"", nf->name);
		give_slot_back(engine, nf);
		free(nf);
		return NULL;
	}
	return nf;
}

static void make_one(struct change *c, const struct conf *item)
{
	struct engine *engine = c->engine;
	const char *name = conf_string(item, "name", "");
	const struct nf_class *klass = class_find(engine->options.classes, conf_string(item, "kind", ""));
	int free_id = -1;

	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++) {
		struct nf *nf = engine->nfs[i];

		if (!nf && free_id < 0 && retire_over(engine, engine->nf_left[i]) &&
		    names_function_may(engine, i, name, klass))
			free_id = (int)i;
		if (!nf || strcmp(nf->name, name) != 0)
			continue;
		if (strcmp(nf->klass->name, conf_string(item, "kind", "")) != 0)
			conf_error(c->errors, conf_get(item, "kind"), "kind-changed",
			           "\"%s\" is a %s; give the new function another name", name,
			           nf->klass->name);
		return;
	}
	if (free_id < 0) {
		conf_error(c->errors, item, "too-many-functions", "more than %d functions", ENGINE_NFS_MAX);
		return;
	}
	engine->nfs[free_id] = new_nf(engine, (unsigned)free_id, item, c->errors);
	if (!engine->nfs[free_id])
		return;
	c->new_nfs |= UINT64_C(1) << free_id;
	engine->rewriters &= ~(UINT64_C(1) << free_id);
	if (engine->nfs[free_id]->klass->flags & NF_REWRITES)
		engine->rewriters |= UINT64_C(1) << free_id;
}

void instances_make(struct change *c)
{
	static const char *const lists[] = { "functions", "hops" };

	for (unsigned l = 0; l < 2; l++) {
		const struct conf *list = conf_get(c->document, lists[l]);

		for (size_t i = 0; i < conf_count(list); i++)
			make_one(c, conf_at(list, i));
	}
}
