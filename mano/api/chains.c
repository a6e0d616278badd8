/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: chains, each change of which is a new revision of the service. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "manage/pages.h"
#include "manage/problem.h"
#include "util/memory.h"

/* A change of one chain: its service's descriptor (owned), the chain in it. */
struct edit {
	json_t *descriptor, *chains, *chain; /* chain: NULL if there is none of that name */
	size_t index;
};

static void get_chains(const struct rest_request *request, struct rest_reply *reply)
{
	const char *service = rest_param(request, "service");
	uint64_t revision;
	json_t *descriptor = show_descriptor(manager_of(request), service, &revision), *chains;

	if (!descriptor) {
		reply_no_service(reply, service);
		return;
	}
	chains = json_object_get(descriptor, "chains");
	page_reply(request, reply, chains ? json_incref(chains) : json_array());
	json_decref(descriptor);
}

static void reply_no_chain(const struct rest_request *request, struct rest_reply *reply)
{
	rest_problem(reply, 404, "there is no chain \"%s\" in service \"%s\", or no such service",
	             rest_param(request, "chain"), rest_param(request, "service"));
}

static void get_chain(const struct rest_request *request, struct rest_reply *reply)
{
	uint64_t revision = 0;
	json_t *descriptor = show_descriptor(manager_of(request), rest_param(request, "service"), &revision);
	json_t *chain = named_item(json_object_get(descriptor, "chains"), rest_param(request, "chain"), NULL);

	if (chain) {
		rest_reply_json(reply, 200, json_incref(chain));
		rest_reply_etag(reply, "%llu", (unsigned long long)revision);
	} else {
		reply_no_chain(request, reply);
	}
	json_decref(descriptor);
}

/* --- editing --- */

/* Takes the lock of changes. False: all is said, the lock is free. */
static bool begin(const struct rest_request *request, struct rest_reply *reply, const char *name,
                  struct edit *edit)
{
	uint64_t revision = 0;
	char tag[24];

	*edit = (struct edit){ NULL, NULL, NULL, 0 };
	manager_begin(manager_of(request));
	edit->descriptor = show_descriptor(manager_of(request), rest_param(request, "service"), &revision);
	snprintf(tag, sizeof(tag), "%llu", (unsigned long long)revision);
	if (!edit->descriptor) {
		manager_end(manager_of(request));
		reply_no_service(reply, rest_param(request, "service"));
		return false;
	}
	edit->chains = json_object_get(edit->descriptor, "chains");
	if (!edit->chains) {
		edit->chains = json_array();
		json_object_set_new(edit->descriptor, "chains", edit->chains);
	}
	edit->index = json_array_size(edit->chains);
	edit->chain = name ? named_item(edit->chains, name, &edit->index) : NULL;
	if (rest_match(request, reply, name && !edit->chain ? NULL : tag))
		return true;
	manager_end(manager_of(request));
	json_decref(edit->descriptor);
	return false;
}

/* Ends an edit without a change, the reply being made. */
static void abandon(const struct rest_request *request, struct edit *edit)
{
	manager_end(manager_of(request));
	json_decref(edit->descriptor);
}

/* Carries the edited descriptor out; errors name members of the chain that was sent, or of the descriptor. */
static void finish(const struct rest_request *request, struct rest_reply *reply, struct edit *edit,
                   bool whole_chain, bool created)
{
	char *prefix = whole_chain ? text_format("chains[%zu]", edit->index) : NULL;
	struct service_change change = { .service = rest_param(request, "service"),
		                         .descriptor = edit->descriptor,
		                         .prefix = prefix,
		                         .created = created };

	change_service(request, reply, &change);
	free(prefix);
}

static void post_chain(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = json_string_value(json_object_get(request->json, "name"));
	struct edit edit;

	if (!begin(request, reply, NULL, &edit))
		return;
	if (name && named_item(edit.chains, name, NULL)) {
		abandon(request, &edit);
		rest_problem(reply, 409, "there is a chain \"%s\" already", name);
		return;
	}
	json_array_append_new(edit.chains,
	                      json_is_object(request->json) ? json_deep_copy(request->json) : json_object());
	finish(request, reply, &edit, true, true);
}

static void put_chain(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "chain"), *given;
	struct edit edit;
	json_t *chain;

	if (!begin(request, reply, name, &edit))
		return;
	chain = json_is_object(request->json) ? json_deep_copy(request->json) : json_object();
	given = json_string_value(json_object_get(chain, "name"));
	if (given && strcmp(given, name) != 0) {
		abandon(request, &edit);
		json_decref(chain);
		rest_problem(reply, 422, "the chain's name is not \"%s\": a chain cannot be renamed", name);
		return;
	}
	json_object_set_new(chain, "name", json_string(name));
	if (edit.chain)
		json_array_set_new(edit.chains, edit.index, chain);
	else
		json_array_append_new(edit.chains, chain);
	finish(request, reply, &edit, true, !edit.chain);
}

/* As begin, for a chain that must be there, with its path. */
static bool begin_path(const struct rest_request *request, struct rest_reply *reply, struct edit *edit,
                       json_t **path)
{
	if (!begin(request, reply, rest_param(request, "chain"), edit))
		return false;
	*path = json_object_get(edit->chain, "path");
	if (edit->chain)
		return true;
	abandon(request, edit);
	reply_no_chain(request, reply);
	return false;
}

static void delete_chain(const struct rest_request *request, struct rest_reply *reply)
{
	struct edit edit;
	json_t *path;

	if (!begin_path(request, reply, &edit, &path))
		return;
	json_array_remove(edit.chains, edit.index);
	finish(request, reply, &edit, false, false);
}

/* --- paths --- */

static size_t position_of(const json_t *path, const char *name)
{
	json_t *step;
	size_t i;

	json_array_foreach(path, i, step) if (name && strcmp(json_string_value(step), name) == 0) return i;
	return (size_t)-1;
}

/* Where to insert; (size_t)-1: the reply says why not. */
static size_t insertion(const json_t *body, const json_t *path, struct rest_reply *reply)
{
	const char *before = json_string_value(json_object_get(body, "before")),
	           *after = json_string_value(json_object_get(body, "after")),
	           *anchor = before ? before : after;
	json_t *position = json_object_get(body, "position");
	size_t at = json_array_size(path) - 1;

	if (anchor)
		at = position_of(path, anchor) + (before ? 0 : 1);
	else if (position)
		at = json_integer_value(position) >= 0 ? (size_t)json_integer_value(position) + 1 : 0;
	if (anchor && position_of(path, anchor) == (size_t)-1)
		rest_problem(reply, 422, "\"%s\" is not on this chain", anchor);
	else if (at < 1 || at > json_array_size(path) - 1)
		rest_problem(
		        reply, 422,
		        "a VNF stands between the first and the last port: expected a position from 0 to %zu",
		        json_array_size(path) - 2);
	else
		return at;
	return (size_t)-1;
}

static void insert(const struct rest_request *request, struct rest_reply *reply)
{
	const char *vnf = json_string_value(json_object_get(request->json, "vnf"));
	struct edit edit;
	json_t *path;
	size_t at = (size_t)-1;

	if (!begin_path(request, reply, &edit, &path))
		return;
	if (!vnf)
		rest_problem(reply, 422,
		             "expected {\"vnf\": NAME} with \"before\", \"after\" or \"position\"");
	else
		at = insertion(request->json, path, reply);
	if (at == (size_t)-1) {
		abandon(request, &edit);
		return;
	}
	json_array_insert_new(path, at, json_string(vnf));
	finish(request, reply, &edit, false, false);
}

static void take_out(const struct rest_request *request, struct rest_reply *reply)
{
	const char *vnf = json_string_value(json_object_get(request->json, "vnf"));
	struct edit edit;
	json_t *path;
	size_t at;

	if (!begin_path(request, reply, &edit, &path))
		return;
	at = position_of(path, vnf);
	if (at == (size_t)-1 || at == 0 || at == json_array_size(path) - 1) {
		abandon(request, &edit);
		rest_problem(reply, 422, "expected {\"vnf\": NAME} with the name of a VNF of this chain");
		return;
	}
	json_array_remove(path, at);
	finish(request, reply, &edit, false, false);
}

/* Whether two paths have the same ends and the same members. */
static bool same_members(const json_t *path, const json_t *other)
{
	size_t count = json_array_size(path);
	json_t *step;
	size_t i;

	if (json_array_size(other) != count)
		return false;
	json_array_foreach(other, i,
	                   step) if (!json_is_string(step) ||
	                             position_of(path, json_string_value(step)) == (size_t)-1) return false;
	json_array_foreach(path, i,
	                   step) if (position_of(other, json_string_value(step)) == (size_t)-1) return false;
	return json_equal(json_array_get(path, 0), json_array_get(other, 0)) &&
	       json_equal(json_array_get(path, count - 1), json_array_get(other, count - 1));
}

static void reorder(const struct rest_request *request, struct rest_reply *reply)
{
	json_t *wanted = json_object_get(request->json, "path"), *path;
	struct edit edit;

	if (!begin_path(request, reply, &edit, &path))
		return;
	if (!same_members(path, wanted)) {
		abandon(request, &edit);
		rest_problem(reply, 422,
		             "expected {\"path\": [...]} with the same ports at its ends and the same VNFs "
		             "in another order");
		return;
	}
	json_object_set_new(edit.chain, "path", json_deep_copy(wanted));
	finish(request, reply, &edit, false, false);
}

const struct rest_route chain_routes[] = {
	{ .pattern = "/v1/services/{service}/chains",
	  .summary = "Chains of a service",
	  .get = { .handle = get_chains,
	           .summary = "List them",
	           .query = "filter limit cursor",
	           .answer = "Chain[]",
	           .statuses = "200 404" },
	  .post = { .handle = post_chain,
	            .summary = "Add one",
	            .query = "wait dryRun confirm comment",
	            .body = "Chain",
	            .answer = "Outcome",
	            .statuses = "200 201 202 404 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}/chains/{chain}",
	  .summary = "One chain",
	  .get = { .handle = get_chain, .summary = "Read it", .answer = "Chain", .statuses = "200 304 404" },
	  .put = { .handle = put_chain,
	           .summary = "Add or replace it",
	           .query = "wait dryRun confirm comment",
	           .body = "Chain",
	           .answer = "Outcome",
	           .statuses = "200 201 202 404 409 412 422" },
	  .del = { .handle = delete_chain,
	           .summary = "Remove it",
	           .query = "wait dryRun confirm comment",
	           .answer = "Outcome",
	           .statuses = "200 202 404 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}/chains/{chain}:insert",
	  .summary = "Put a VNF on the chain",
	  .post = { .handle = insert,
	            .summary = "Insert",
	            .query = "wait dryRun confirm comment",
	            .body = "Insertion",
	            .answer = "Outcome",
	            .statuses = "200 202 404 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}/chains/{chain}:remove",
	  .summary = "Take a VNF off the chain",
	  .post = { .handle = take_out,
	            .summary = "Remove",
	            .query = "wait dryRun confirm comment",
	            .body = "Removal",
	            .answer = "Outcome",
	            .statuses = "200 202 404 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}/chains/{chain}:reorder",
	  .summary = "Put its VNFs in another order",
	  .post = { .handle = reorder,
	            .summary = "Reorder",
	            .query = "wait dryRun confirm comment",
	            .body = "Order",
	            .answer = "Outcome",
	            .statuses = "200 202 404 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = NULL },
};
