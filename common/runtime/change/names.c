/* SPDX-License-Identifier: BSD-3-Clause */
/* The file of names beside the session memory: JSON, replaced atomically. Control side. */
#include "runtime/change/names.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "manage/log.h"
#include "runtime/engine_private.h"
#include "runtime/worker.h"
#include "util/atomic_file.h"

enum { FILE_VERSION = 1, FILE_BOUND = 1 << 20 };

/* A predecessor's numbers that nobody else may have yet. */
struct names {
	char port[ENGINE_PORTS_MAX][NF_NAME_MAX];
	struct {
		char name[NF_NAME_MAX], kind[NF_NAME_MAX];
		struct slot_layout slot;
		uint32_t offset;
	} function[ENGINE_NFS_MAX];
};

static void file_of(const struct engine *engine, char path[512])
{
	snprintf(path, 512, "%s/names.json", engine->options.directory);
}

/* --- writing --- */

static json_t *functions_json(const struct engine *engine)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++) {
		const struct nf *nf = engine->nfs[i];

		if (nf)
			json_array_append_new(
			        list, json_pack("{s:i,s:s,s:s,s:b,s:i,s:i,s:I}", "id", i, "name", nf->name,
			                        "kind", nf->klass->name, "rewrites",
			                        (nf->klass->flags & NF_REWRITES) != 0, "slotSize",
			                        nf->klass->slot.size, "slotVersion", nf->klass->slot.version,
			                        "slotOffset", (json_int_t)nf->slot_offset));
	}
	return list;
}

static json_t *numbers_json(const char *first, size_t stride, unsigned count)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < count; i++)
		if (first[i * stride])
			json_array_append_new(list,
			                      json_pack("{s:i,s:s}", "id", i, "name", first + i * stride));
	return list;
}

static json_t *layouts_json(const struct engine *engine)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < engine->layout_count; i++) {
		char text[24];

		snprintf(text, sizeof(text), "%" PRIx64, engine->layouts[i]);
		json_array_append_new(list, json_string(text));
	}
	return list;
}

static char *present(const struct engine *engine)
{
	json_t *all =
	        json_pack("{s:i,s:o,s:o,s:o,s:o}", "version", FILE_VERSION, "ports",
	                  numbers_json(engine->ports[0].name, sizeof(engine->ports[0]), ENGINE_PORTS_MAX),
	                  "functions", functions_json(engine), "paths",
	                  numbers_json(engine->path_names[0], NF_NAME_MAX, ENGINE_PATHS_MAX), "layouts",
	                  layouts_json(engine));
	char *text = all ? json_dumps(all, JSON_COMPACT) : NULL;

	json_decref(all);
	return text;
}

void names_save(struct engine *engine)
{
	char path[512], *text;
	int failed;

	if (!engine->options.directory || engine->options.check)
		return;
	text = present(engine);
	if (!text || (engine->names_text && strcmp(text, engine->names_text) == 0)) {
		free(text);
		return;
	}
	file_of(engine, path);
	/* Worth as much as the sessions beside it, which nobody forces to disk. */
	failed = atomic_file_put(path, text, strlen(text), 0600);
	if (failed)
		log_warn("names-not-saved", "file=%s reason=%s", path, strerror(failed));
	free(engine->names_text);
	engine->names_text = failed ? (free(text), NULL) : text;
}

/* --- reading --- */

/* The id and name of an item, if both make sense. */
static const char *item_of(const json_t *item, unsigned bound, unsigned *id)
{
	const char *name = json_string_value(json_object_get(item, "name"));
	json_int_t number = json_integer_value(json_object_get(item, "id"));

	if (!name || !*name || strlen(name) >= NF_NAME_MAX || number < 0 || number >= bound)
		return NULL;
	*id = (unsigned)number;
	return name;
}

static bool read_names(const json_t *list, char *first, unsigned count)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		unsigned id;
		const char *name = item_of(item, count, &id);

		if (!name)
			return false;
		snprintf(first + id * NF_NAME_MAX, NF_NAME_MAX, "%s", name);
	}
	return true;
}

static bool read_functions(struct engine *engine, const json_t *list)
{
	const json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *kind = json_string_value(json_object_get(item, "kind"));
		json_int_t offset = json_integer_value(json_object_get(item, "slotOffset"));
		json_int_t size = json_integer_value(json_object_get(item, "slotSize"));
		unsigned id;
		const char *name = item_of(item, ENGINE_NFS_MAX, &id);

		if (!name || !kind || size < 0 ||
		    (offset != NF_SLOT_NONE && (offset < 0 || offset + size > ENGINE_FUNCTION_BYTES)))
			return false;
		snprintf(engine->names->function[id].name, NF_NAME_MAX, "%s", name);
		snprintf(engine->names->function[id].kind, NF_NAME_MAX, "%s", kind);
		engine->names->function[id].offset = (uint32_t)offset;
		engine->names->function[id].slot.size = (uint16_t)size;
		if (json_is_true(json_object_get(item, "rewrites")))
			engine->rewriters |= UINT64_C(1) << id;
		engine->slot_units |= slot_units(engine->names->function[id].slot.size, (uint32_t)offset);
		engine->names->function[id].slot.version =
		        (uint16_t)json_integer_value(json_object_get(item, "slotVersion"));
	}
	return true;
}

static bool read_layouts(struct engine *engine, const json_t *list)
{
	const json_t *item;
	size_t i;

	if (json_array_size(list) > ENGINE_LAYOUTS_MAX)
		return false;
	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(item);

		if (!text)
			return false;
		engine->layouts[i] = strtoull(text, NULL, 16);
	}
	engine->layout_count = (uint16_t)json_array_size(list);
	return true;
}

static bool read_all(struct engine *engine, const json_t *all)
{
	return json_integer_value(json_object_get(all, "version")) == FILE_VERSION &&
	       read_names(json_object_get(all, "ports"), engine->names->port[0], ENGINE_PORTS_MAX) &&
	       read_names(json_object_get(all, "paths"), engine->path_names[0], ENGINE_PATHS_MAX) &&
	       read_functions(engine, json_object_get(all, "functions")) &&
	       read_layouts(engine, json_object_get(all, "layouts"));
}

static void forget_all(struct engine *engine)
{
	free(engine->names);
	engine->names = NULL;
	memset(engine->path_names, 0, sizeof(engine->path_names));
	engine->layout_count = 0;
	engine->slot_units = 0;
	engine->rewriters = 0;
}

bool names_load(struct engine *engine)
{
	char path[512], *text = NULL;
	json_t *all = NULL;
	json_error_t wrong;
	size_t length;
	bool well;

	if (!engine->options.directory)
		return false;
	file_of(engine, path);
	engine->names = calloc(1, sizeof(*engine->names));
	well = engine->names && atomic_file_read(path, FILE_BOUND, &text, &length) == 0;
	if (well) {
		all = json_loadb(text, length, 0, &wrong);
		well = all && read_all(engine, all);
		if (!well)
			log_warn("names-unreadable", "file=%s consequence=sessions-dropped", path);
	}
	if (!well)
		forget_all(engine);
	json_decref(all);
	free(text);
	return well;
}

void names_release(struct engine *engine)
{
	if (!engine->names)
		return;
	free(engine->names);
	engine->names = NULL;
	engine->slot_units = 0;
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (engine->nfs[i])
			engine->slot_units |=
			        slot_units(engine->nfs[i]->klass->slot.size, engine->nfs[i]->slot_offset);
}

bool names_port_may(const struct engine *engine, unsigned number, const char *name)
{
	if (!engine->names)
		return true;
	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		if (strcmp(engine->names->port[i], name) == 0)
			return i == number;
	return !engine->names->port[number][0];
}

bool names_had_port(const struct engine *engine, const char *name)
{
	for (unsigned i = 0; engine->names && i < ENGINE_PORTS_MAX; i++)
		if (strcmp(engine->names->port[i], name) == 0)
			return true;
	return false;
}

static bool is_own(const struct names *names, unsigned id, const char *name, const struct nf_class *klass)
{
	return strcmp(names->function[id].name, name) == 0 &&
	       strcmp(names->function[id].kind, klass->name) == 0 &&
	       names->function[id].slot.size == klass->slot.size &&
	       names->function[id].slot.version == klass->slot.version;
}

bool names_slots_differ(const struct engine *engine)
{
	const struct names *names = engine->names;

	for (unsigned i = 0; names && i < ENGINE_NFS_MAX; i++) {
		const struct nf_class *klass = class_find(engine->options.classes, names->function[i].kind);

		if (names->function[i].name[0] && klass && !is_own(names, i, names->function[i].name, klass))
			return true;
	}
	return false;
}

bool names_function_may(const struct engine *engine, unsigned id, const char *name,
                        const struct nf_class *klass)
{
	const struct names *names = engine->names;

	if (!names)
		return true;
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (is_own(names, i, name, klass))
			return i == id;
	return !names->function[id].name[0];
}

uint32_t names_slot(const struct engine *engine, unsigned id)
{
	return engine->names && engine->names->function[id].name[0] ? engine->names->function[id].offset
	                                                            : NF_SLOT_NONE;
}
