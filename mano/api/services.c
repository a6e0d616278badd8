/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: services, their descriptors and revisions. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "config/merge_patch.h"
#include "manage/pages.h"
#include "manage/problem.h"
#include "util/memory.h"

static void get_services(const struct rest_request *request, struct rest_reply *reply)
{
	page_reply(request, reply, show_services(manager_of(request)));
}

static void post_service(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = json_string_value(json_object_get(request->json, "name"));
	struct service_change change = { .service = name, .created = true };
	uint64_t revision;
	json_t *before;

	manager_begin(manager_of(request));
	before = name ? show_descriptor(manager_of(request), name, &revision) : NULL;
	if (before) {
		manager_end(manager_of(request));
		json_decref(before);
		rest_problem(reply, 409, "there is a service \"%s\" already: PUT /v1/services/%s changes it",
		             name, name);
		return;
	}
	change.descriptor = json_deep_copy(request->json);
	if (!change.descriptor)
		change.descriptor = json_object();
	change_service(request, reply, &change);
}

static void get_service(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "service");
	json_t *shown = show_service(manager_of(request), name);

	if (!shown) {
		reply_no_service(reply, name);
		return;
	}
	/* A tag for If-Match alone: what is shown changes more often than the revision. */
	rest_reply_header(reply, "ETag", "\"%lld\"",
	                  (long long)json_integer_value(json_object_get(shown, "revision")));
	rest_reply_json(reply, 200, shown);
}

/* Takes the lock of changes and checks the request against the revision. False: all is said, the lock is free. */
static bool begin(const struct rest_request *request, struct rest_reply *reply, json_t **before)
{
	uint64_t revision;
	char tag[24];

	manager_begin(manager_of(request));
	*before = show_descriptor(manager_of(request), rest_param(request, "service"), &revision);
	if (*before)
		snprintf(tag, sizeof(tag), "%llu", (unsigned long long)revision);
	if (rest_match(request, reply, *before ? tag : NULL))
		return true;
	manager_end(manager_of(request));
	json_decref(*before);
	return false;
}

/* The name of the path goes into a descriptor that has none; another one is an error. */
static bool take_name(const struct rest_request *request, struct rest_reply *reply, json_t *descriptor)
{
	const char *name = rest_param(request, "service");
	json_t *given = json_object_get(descriptor, "name");

	if (!given && json_is_object(descriptor))
		json_object_set_new(descriptor, "name", json_string(name));
	else if (!json_is_string(given) || strcmp(json_string_value(given), name) != 0) {
		manager_end(manager_of(request));
		rest_problem(reply, 422, "the descriptor's name is not \"%s\": a service cannot be renamed",
		             name);
		return false;
	}
	return true;
}

static void put_service(const struct rest_request *request, struct rest_reply *reply)
{
	json_t *before, *descriptor;

	if (!begin(request, reply, &before))
		return;
	descriptor = json_is_object(request->json) ? json_deep_copy(request->json) : json_object();
	struct service_change change = { .service = rest_param(request, "service"),
		                         .descriptor = descriptor,
		                         .created = !before };
	if (take_name(request, reply, descriptor))
		change_service(request, reply, &change);
	else
		json_decref(descriptor);
	json_decref(before);
}

static void patch_service(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "service");
	json_t *before, *descriptor;

	if (!begin(request, reply, &before))
		return;
	if (!before) {
		manager_end(manager_of(request));
		reply_no_service(reply, name);
		return;
	}
	descriptor = merge_patch(before, request->json);
	json_decref(before);
	struct service_change change = { .service = name, .descriptor = descriptor };
	if (take_name(request, reply, descriptor))
		change_service(request, reply, &change);
	else
		json_decref(descriptor);
}

static void delete_service(const struct rest_request *request, struct rest_reply *reply)
{
	struct service_change change = { .service = rest_param(request, "service") };
	json_t *before;

	if (!begin(request, reply, &before))
		return;
	if (before) {
		change_service(request, reply, &change);
	} else {
		manager_end(manager_of(request));
		reply_no_service(reply, change.service);
	}
	json_decref(before);
}

static void get_descriptor(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "service");
	uint64_t revision;
	json_t *descriptor = show_descriptor(manager_of(request), name, &revision);

	if (!descriptor) {
		reply_no_service(reply, name);
		return;
	}
	rest_reply_json(reply, 200, descriptor);
	rest_reply_etag(reply, "%llu", (unsigned long long)revision);
}

/* --- tasks --- */

static void restart(const struct rest_request *request, struct rest_reply *reply, bool heal)
{
	const char *name = rest_param(request, "service");
	json_t *shown;

	manager_begin(manager_of(request));
	shown = show_service(manager_of(request), name);
	if (shown) {
		restart_units(request, reply, name, NULL, heal);
	} else {
		manager_end(manager_of(request));
		reply_no_service(reply, name);
	}
	json_decref(shown);
}

static void heal_service(const struct rest_request *request, struct rest_reply *reply)
{
	restart(request, reply, true);
}

static void restart_service(const struct rest_request *request, struct rest_reply *reply)
{
	restart(request, reply, false);
}

const struct rest_route service_routes[] = {
	{ .pattern = "/v1/services",
	  .summary = "Services",
	  .get = { .handle = get_services,
	           .summary = "List them",
	           .query = "filter limit cursor",
	           .answer = "ServiceState[]" },
	  .post = { .handle = post_service,
	            .summary = "Make one",
	            .body = "Service",
	            .query = "wait dryRun confirm comment",
	            .answer = "Outcome",
	            .statuses = "200 201 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}",
	  .summary = "One service",
	  .get = { .handle = get_service,
	           .summary = "Its state and descriptor",
	           .answer = "ServiceState",
	           .statuses = "200 404" },
	  .put = { .handle = put_service,
	           .summary = "Make or replace it",
	           .body = "Service",
	           .query = "wait dryRun confirm comment",
	           .answer = "Outcome",
	           .statuses = "200 201 202 409 412 422" },
	  .patch = { .handle = patch_service,
	             .summary = "Merge into its descriptor (RFC 7396)",
	             .body = "Service",
	             .accepts = REST_JSON | REST_MERGE_PATCH,
	             .query = "wait dryRun confirm comment",
	             .answer = "Outcome",
	             .statuses = "200 202 404 409 412 422" },
	  .del = { .handle = delete_service,
	           .summary = "Stop and remove it",
	           .query = "wait dryRun",
	           .answer = "Outcome",
	           .statuses = "200 202 404 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}:heal",
	  .summary = "Kill its processes and start them anew",
	  .post = { .handle = heal_service,
	            .summary = "Heal",
	            .answer = "Outcome",
	            .query = "wait dryRun",
	            .statuses = "200 202 404 409 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}:restart",
	  .summary = "Stop its processes and start them anew",
	  .post = { .handle = restart_service,
	            .summary = "Restart",
	            .answer = "Outcome",
	            .query = "wait dryRun",
	            .statuses = "200 202 404 409 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}/descriptor",
	  .summary = "The descriptor as it was written",
	  .get = { .handle = get_descriptor,
	           .summary = "Read it",
	           .answer = "Service",
	           .statuses = "200 304 404" },
	  .put = { .handle = put_service,
	           .summary = "Replace it",
	           .body = "Service",
	           .query = "wait dryRun confirm comment",
	           .answer = "Outcome",
	           .statuses = "200 201 202 409 412 422" },
	  .patch = { .handle = patch_service,
	             .summary = "Merge into it (RFC 7396)",
	             .body = "Service",
	             .accepts = REST_JSON | REST_MERGE_PATCH,
	             .query = "wait dryRun confirm comment",
	             .answer = "Outcome",
	             .statuses = "200 202 404 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = NULL },
};
