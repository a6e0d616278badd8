/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the processes of a service run, compared with a revision: each process is asked, by a dry run of the document that it would have, what
 * that would change. It alone knows the schema of its functions and their defaults. Blocks; any thread. See manager.h.
 */
#include <stdlib.h>
#include <string.h>

#include "lifecycle/target.h"
#include "lifecycle/unit.h"
#include "manage/problem.h"
#include "util/memory.h"

enum { ASK_MS = 30000 };

/* --- paths: of a process's document, with keys; of the descriptor --- */

static char *source_of(const char *path)
{
	static const struct {
		const char *rendered, *source;
	} parts[] = { { "functions[", "vnfs[" }, { "hops[", "vnfs[" }, { "paths[", "chains[" } };

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		size_t length = strlen(parts[i].rendered);

		if (strncmp(path, parts[i].rendered, length) == 0)
			return text_format("%s%s", parts[i].source, path + length);
	}
	return text_copy(path);
}

/* The other way round: from what is described to what runs. */
static const char *reversed(const char *kind)
{
	return strcmp(kind, "+") == 0 ? "-" : strcmp(kind, "-") == 0 ? "+" : kind;
}

static bool is_there(const json_t *changes, const char *path)
{
	json_t *change;
	size_t i;

	json_array_foreach(changes, i, change) if (strcmp(json_string_value(json_object_get(change, "path")),
	                                                  path) == 0) return true;
	return false;
}

/* A hop's configuration differs in its own process and in its shadow alike: that is told once. */
static void take_change(const json_t *change, const char *vnf, json_t *changes)
{
	char *path = source_of(json_string_value(json_object_get(change, "path")));
	json_t *before = json_object_get(change, "after"), *after = json_object_get(change, "before");

	if (!is_there(changes, path) && (!vnf || revision_concerns(path, vnf))) {
		json_t *told = json_pack("{s:s,s:s}", "path", path, "kind",
		                         reversed(json_string_value(json_object_get(change, "kind"))));

		if (json_is_string(before))
			json_object_set(told, "before", before);
		if (json_is_string(after))
			json_object_set(told, "after", after);
		json_array_append_new(changes, told);
	}
	free(path);
}

/* --- asking --- */

/* What only a restart changes is refused by the dry run, and is a difference all the same. */
static void take_refusal(const struct rendering *rendering, const json_t *answer, const char *vnf,
                         json_t *changes)
{
	struct errors found = ERRORS_NONE;

	problem_read(answer, &found);
	for (size_t i = 0; i < found.count; i++) {
		char *path = render_source(rendering, found.list[i].path ? found.list[i].path : "");

		if (!vnf && !is_there(changes, path))
			json_array_append_new(changes, json_pack("{s:s,s:s}", "path", path, "kind", "~"));
		free(path);
	}
	errors_free(&found);
}

static void ask(const struct rendering *rendering, const char *socket, const char *vnf, json_t *changes,
                struct errors *errors)
{
	struct http_request request = {
		.target = socket, .method = "PUT", .path = "/v1/config?dryRun=1", .timeout_ms = ASK_MS
	};
	struct http_client *client = http_client_new();
	struct http_reply reply = { 0 };
	json_t *document = conf_to_json(rendering->document), *answer = NULL, *change;
	size_t i;

	if (!http_request_json(client, &request, document, &reply, &answer))
		errors_add(errors, NULL, "unreachable", NULL, 0, "%s", reply.error);
	else if (reply.status >= 300)
		take_refusal(rendering, answer, vnf, changes);
	else
		json_array_foreach(json_object_get(answer, "diff"), i, change)
		        take_change(change, vnf, changes);
	json_decref(document);
	json_decref(answer);
	http_reply_free(&reply);
	http_client_free(client);
}

json_t *manager_compare_running(struct manager *manager, const char *service, uint64_t from, const char *vnf,
                                struct errors *errors)
{
	json_t *described = manager_former(manager, service, from, NULL, errors), *changes = json_array();
	struct conf *document = described ? conf_from_json(described, errors) : NULL;
	struct renderings all = { NULL, 0 };

	json_decref(described);
	if (document)
		all = render_service(document, manager->options.run_folder);
	for (size_t i = 0; i < all.count; i++) {
		char *socket = manager_socket(manager, service, all.list[i].vnf);

		if (socket)
			ask(&all.list[i], socket, vnf, changes, errors);
		free(socket);
	}
	renderings_free(&all);
	conf_free(document);
	if (!errors_any(errors))
		return changes;
	json_decref(changes);
	return NULL;
}
