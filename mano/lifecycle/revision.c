/* SPDX-License-Identifier: BSD-3-Clause */
/* Revisions of services, and of the VNFs in them: what differs, what a former one was. Any thread. See manager.h. */
#include <stdlib.h>
#include <string.h>

#include "lifecycle/manager.h"
#include "util/memory.h"

static void no_revision(struct errors *errors, const char *service, uint64_t revision)
{
	errors_add(errors, NULL, "not-found", NULL, 0, "service \"%s\" has no revision %llu", service,
	           (unsigned long long)revision);
}

/* The document of a revision, 0: as it is wanted now; NULL with errors. */
static json_t *document_of(struct manager *manager, const char *service, uint64_t revision,
                           struct errors *errors)
{
	uint64_t current;
	json_t *document = revision ? store_revision(manager->store, service, revision, errors)
	                            : show_descriptor(manager, service, &current);

	if (!document && !errors_any(errors) && revision)
		no_revision(errors, service, revision);
	else if (!document && !errors_any(errors))
		errors_add(errors, NULL, "not-found", NULL, 0, "there is no service \"%s\"", service);
	return document;
}

/* --- differences --- */

/* Whether a path is the VNF's, or in it. */
bool revision_concerns(const char *path, const char *vnf)
{
	char *own = vnf ? text_format("vnfs[%s]", vnf) : NULL;
	size_t length = own ? strlen(own) : 0;
	bool does =
	        !own || (strncmp(path, own, length) == 0 && (!path[length] || strchr(".[", path[length])));

	free(own);
	return does;
}

static json_t *changes_json(const struct conf_diff *diff, const char *vnf)
{
	json_t *changes = json_array();

	for (size_t i = 0; i < diff->count; i++) {
		const struct conf_change *change = &diff->list[i];

		if (revision_concerns(change->path, vnf))
			json_array_append_new(changes,
			                      json_pack("{s:s,s:s,s:s*,s:s*}", "path", change->path, "kind",
			                                (const char[]){ change->kind, '\0' }, "before",
			                                change->before, "after", change->after));
	}
	return changes;
}

static json_t *differences(const json_t *from, const json_t *to, const char *vnf, struct errors *errors)
{
	struct conf *before = conf_from_json(from, errors), *after = conf_from_json(to, errors);
	json_t *changes = NULL;

	if (before && after) {
		struct conf_diff diff = schema_diff(service_schema, before, after);

		changes = changes_json(&diff, vnf);
		conf_diff_free(&diff);
	}
	conf_free(before);
	conf_free(after);
	return changes;
}

json_t *manager_compare(struct manager *manager, const char *service, uint64_t from, uint64_t to,
                        const char *vnf, struct errors *errors)
{
	json_t *before = document_of(manager, service, from, errors),
	       *after = before ? document_of(manager, service, to, errors) : NULL,
	       *changes = after ? differences(before, after, vnf, errors) : NULL;

	json_decref(before);
	json_decref(after);
	return changes;
}

/* --- VNFs --- */

/* The VNF in a document, borrowed; NULL. */
static json_t *vnf_of(const json_t *document, const char *name)
{
	json_t *vnf;
	size_t i;

	json_array_foreach(json_object_get(document, "vnfs"), i, vnf)
	{
		const char *text = json_string_value(json_object_get(vnf, "name"));

		if (text && strcmp(text, name) == 0)
			return vnf;
	}
	return NULL;
}

/* Puts the configuration that a VNF had in `former` into `now`. */
static bool bring_back(json_t *now, const json_t *former, const char *vnf, uint64_t revision,
                       struct errors *errors)
{
	json_t *place = vnf_of(now, vnf), *had = vnf_of(former, vnf),
	       *config = json_object_get(had, "config");

	if (!place)
		errors_add(errors, NULL, "not-found", NULL, 0, "there is no VNF \"%s\" in the service now",
		           vnf);
	else if (!had)
		errors_add(errors, NULL, "not-found", NULL, 0, "there is no VNF \"%s\" in revision %llu", vnf,
		           (unsigned long long)revision);
	if (!place || !had)
		return false;
	if (config)
		json_object_set_new(place, "config", json_deep_copy(config));
	else
		json_object_del(place, "config");
	return true;
}

json_t *manager_former(struct manager *manager, const char *service, uint64_t revision, const char *vnf,
                       struct errors *errors)
{
	json_t *former = document_of(manager, service, revision, errors), *now;

	if (!former || !vnf)
		return former;
	now = document_of(manager, service, 0, errors);
	if (now && !bring_back(now, former, vnf, revision, errors)) {
		json_decref(now);
		now = NULL;
	}
	json_decref(former);
	return now;
}

/* Leaves those by which the VNF changed. The first that is kept counts as a change: what was before it is not known. */
static json_t *of_vnf(struct manager *manager, const char *service, const char *vnf, json_t *all,
                      struct errors *errors)
{
	json_t *mine = json_array(), *revision, *last = NULL;
	size_t i;

	json_array_foreach(all, i, revision)
	{
		uint64_t number = (uint64_t)json_integer_value(json_object_get(revision, "revision"));
		json_t *document = store_revision(manager->store, service, number, errors);
		json_t *now = json_incref(vnf_of(document, vnf));

		if (!json_equal(now, last) && (now || last))
			json_array_append(mine, revision);
		json_decref(document);
		json_decref(last);
		last = now;
	}
	json_decref(last);
	return mine;
}

json_t *manager_revisions(struct manager *manager, const char *service, const char *vnf,
                          struct errors *errors)
{
	json_t *all = store_revisions(manager->store, service, errors), *mine;

	if (!all || !vnf)
		return all;
	mine = of_vnf(manager, service, vnf, all, errors);
	json_decref(all);
	return mine;
}
