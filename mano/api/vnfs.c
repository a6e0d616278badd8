/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: VNFs, their configuration, and what is passed on to their processes. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "config/merge_patch.h"
#include "manage/pages.h"
#include "manage/problem.h"
#include "util/memory.h"

/* How long a change of a configuration waits for its end where nothing is said. */
enum { CONFIG_WAIT_S = 30 };

static void get_vnfs(const struct rest_request *request, struct rest_reply *reply)
{
	const char *service = rest_param(request, "service");
	json_t *list = show_vnfs(manager_of(request), service);

	if (list)
		page_reply(request, reply, list);
	else
		reply_no_service(reply, service);
}

static void get_vnf(const struct rest_request *request, struct rest_reply *reply)
{
	const char *service = rest_param(request, "service"), *vnf = rest_param(request, "vnf");
	json_t *shown = show_vnf(manager_of(request), service, vnf);

	if (shown)
		rest_reply_json(reply, 200, shown);
	else
		reply_no_vnf(reply, service, vnf);
}

static void restart(const struct rest_request *request, struct rest_reply *reply, bool heal)
{
	const char *service = rest_param(request, "service"), *vnf = rest_param(request, "vnf");
	char *socket;

	manager_begin(manager_of(request));
	socket = manager_socket(manager_of(request), service, vnf);
	if (socket) {
		restart_units(request, reply, service, vnf, heal);
	} else {
		manager_end(manager_of(request));
		reply_no_vnf(reply, service, vnf);
	}
	free(socket);
}

static void heal_vnf(const struct rest_request *request, struct rest_reply *reply)
{
	restart(request, reply, true);
}

static void restart_vnf(const struct rest_request *request, struct rest_reply *reply)
{
	restart(request, reply, false);
}

/* --- passing on --- */

static bool wants_stream(const struct rest_request *request)
{
	const char *accept = rest_header(request, "Accept");

	return strcmp(request->method, "GET") == 0 && accept && strstr(accept, "text/event-stream");
}

/* Passes on to the process of a VNF ("" : the service process), at PREFIX TAIL. */
static void pass_on(const struct rest_request *request, struct rest_reply *reply, const char *vnf,
                    const char *path, bool tags)
{
	const char *service = rest_param(request, "service");
	char *socket = manager_socket(manager_of(request), service, vnf);

	/* Processes know none for these, and would do it. */
	bool refused = socket && strcmp(request->method, "GET") != 0 && reply_no_dry_run(request, reply);

	if (refused) {
		free(socket);
		return;
	}
	if (socket && wants_stream(request))
		proxy_stream(request, reply, socket, path);
	else if (socket)
		proxy(request, reply, socket, path, tags);
	else if (*vnf)
		reply_no_vnf(reply, service, vnf);
	else
		reply_no_service(reply, service);
	free(socket);
}

static void pass_vnf(const struct rest_request *request, struct rest_reply *reply)
{
	const char *vnf = rest_param(request, "vnf");
	char *path = text_format("/v1/vnfs/%s/%s", vnf, rest_param(request, "rest"));

	pass_on(request, reply, vnf, path, true);
	free(path);
}

static const char *chosen_vnf(const struct rest_request *request)
{
	const char *vnf = rest_query(request, "vnf");

	return vnf ? vnf : "";
}

static void pass_state(const struct rest_request *request, struct rest_reply *reply)
{
	char *path = text_format("/v1/state/%s", rest_param(request, "rest"));

	pass_on(request, reply, chosen_vnf(request), path, true);
	free(path);
}

static void pass_metrics(const struct rest_request *request, struct rest_reply *reply)
{
	pass_on(request, reply, chosen_vnf(request), "/metrics", true);
}

static void pass_trace(const struct rest_request *request, struct rest_reply *reply)
{
	pass_on(request, reply, chosen_vnf(request), "/v1/trace", true);
}

static void pass_capture(const struct rest_request *request, struct rest_reply *reply)
{
	pass_on(request, reply, chosen_vnf(request), "/v1/capture", true);
}

static void pass_packets(const struct rest_request *request, struct rest_reply *reply)
{
	const char *service = rest_param(request, "service"), *vnf = chosen_vnf(request);
	char *socket = manager_socket(manager_of(request), service, vnf);

	if (socket)
		proxy_stream(request, reply, socket, "/v1/capture/packets");
	else if (*vnf)
		reply_no_vnf(reply, service, vnf);
	else
		reply_no_service(reply, service);
	free(socket);
}

/* Events of a process as they come, or, with Accept: application/json, those that it has kept. */
static void pass_events(const struct rest_request *request, struct rest_reply *reply)
{
	const char *accept = rest_header(request, "Accept"), *vnf = rest_param(request, "vnf"),
	           *service = rest_param(request, "service");
	char *socket;

	vnf = vnf ? vnf : chosen_vnf(request);
	if (accept && strstr(accept, "application/json")) {
		pass_on(request, reply, vnf, "/v1/events", false);
		return;
	}
	socket = manager_socket(manager_of(request), service, vnf);
	if (socket)
		proxy_stream(request, reply, socket, "/v1/events");
	else if (*vnf)
		reply_no_vnf(reply, service, vnf);
	else
		reply_no_service(reply, service);
	free(socket);
}

/* --- configuration --- */

static void tag_revision(const struct rest_request *request, struct rest_reply *reply)
{
	uint64_t revision;
	json_t *descriptor = show_descriptor(manager_of(request), rest_param(request, "service"), &revision);

	if (descriptor)
		rest_reply_header(reply, "ETag", "\"%llu\"", (unsigned long long)revision);
	json_decref(descriptor);
}

/* The tag is the service's revision, because that is what a change of the configuration is a change of. */
static void get_config(const struct rest_request *request, struct rest_reply *reply)
{
	const char *vnf = rest_param(request, "vnf");
	char *path = text_format("/v1/vnfs/%s/config", vnf);

	pass_on(request, reply, vnf, path, false);
	if (rest_reply_get_status(reply) == 200)
		tag_revision(request, reply);
	free(path);
}

/* Takes the lock of changes; the descriptor (new) and the VNF in it, or NULL: all is said, the lock is free. */
static json_t *begin(const struct rest_request *request, struct rest_reply *reply, json_t **item,
                     size_t *index)
{
	const char *service = rest_param(request, "service"), *vnf = rest_param(request, "vnf");
	uint64_t revision;
	char tag[24];

	manager_begin(manager_of(request));
	json_t *descriptor = show_descriptor(manager_of(request), service, &revision);
	*item = named_item(json_object_get(descriptor, "vnfs"), vnf, index);
	snprintf(tag, sizeof(tag), "%llu", (unsigned long long)(descriptor ? revision : 0));
	if (*item && rest_match(request, reply, tag))
		return descriptor;
	manager_end(manager_of(request));
	if (!*item)
		reply_no_vnf(reply, service, vnf);
	json_decref(descriptor);
	return NULL;
}

static void change_config(const struct rest_request *request, struct rest_reply *reply, bool patch)
{
	size_t index = 0;
	json_t *item, *descriptor = begin(request, reply, &item, &index);

	if (!descriptor)
		return;
	json_object_set_new(item, "config",
	                    patch ? merge_patch(json_object_get(item, "config"), request->json)
	                          : json_deep_copy(request->json));
	char *prefix = text_format("vnfs[%zu].config", index);
	struct service_change change = { .service = rest_param(request, "service"),
		                         .descriptor = descriptor,
		                         .prefix = prefix,
		                         .wait_s = CONFIG_WAIT_S };
	change_service(request, reply, &change);
	free(prefix);
}

static void put_config(const struct rest_request *request, struct rest_reply *reply)
{
	change_config(request, reply, false);
}

static void patch_config(const struct rest_request *request, struct rest_reply *reply)
{
	change_config(request, reply, true);
}

/* What is said of a request that a process answers. */
#define PASSED_ON                                                                              \
	.summary = "Passed on", .query = "vnf", .types = "application/json text/event-stream", \
	.statuses = "200 201 202 204 404 405 409 412 413 415 422 504"

const struct rest_route vnf_routes[] = {
	{ .pattern = "/v1/services/{service}/vnfs",
	  .summary = "VNFs of a service",
	  .get = { .handle = get_vnfs,
	           .summary = "List them",
	           .query = "filter limit cursor",
	           .answer = "Vnf[]",
	           .statuses = "200 404" } },
	{ .pattern = "/v1/services/{service}/vnfs/{vnf}",
	  .summary = "One VNF",
	  .get = { .handle = get_vnf, .summary = "Its state, process and health", .answer = "Vnf" } },
	{ .pattern = "/v1/services/{service}/vnfs/{vnf}:heal",
	  .summary = "Kill its process and start it anew",
	  .post = { .handle = heal_vnf,
	            .summary = "Heal",
	            .answer = "Outcome",
	            .query = "wait dryRun",
	            .statuses = "200 202 404 409 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}/vnfs/{vnf}:restart",
	  .summary = "Stop its process and start it anew",
	  .post = { .handle = restart_vnf,
	            .summary = "Restart",
	            .answer = "Outcome",
	            .query = "wait dryRun",
	            .statuses = "200 202 404 409 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}/vnfs/{vnf}/config",
	  .summary = "Configuration of a VNF",
	  .get = { .handle = get_config, .summary = "As it runs", .statuses = "200 404 504" },
	  .put = { .handle = put_config,
	           .summary = "Replace it: a new revision of the service",
	           .query = "wait dryRun confirm comment",
	           .answer = "Outcome",
	           .statuses = "200 202 404 409 412 422" },
	  .patch = { .handle = patch_config,
	             .summary = "Merge into it (RFC 7396)",
	             .accepts = REST_JSON | REST_MERGE_PATCH,
	             .query = "wait dryRun confirm comment",
	             .answer = "Outcome",
	             .statuses = "200 202 404 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}/vnfs/{vnf}/{rest*}",
	  .summary = "The VNF's own REST",
	  .get = { .handle = pass_vnf,
	           .summary = "Passed on",
	           .statuses = "200 201 202 204 304 404 405 409 412 413 415 422 504",
	           .types = "application/json text/event-stream" },
	  .put = { .handle = pass_vnf,
	           .summary = "Passed on",
	           .accepts = REST_ANY,
	           .statuses = "200 201 202 204 304 404 405 409 412 413 415 422 504",
	           .types = "application/json text/event-stream" },
	  .patch = { .handle = pass_vnf,
	             .summary = "Passed on",
	             .accepts = REST_ANY,
	             .statuses = "200 201 202 204 304 404 405 409 412 413 415 422 504",
	             .types = "application/json text/event-stream" },
	  .post = { .handle = pass_vnf,
	            .summary = "Passed on",
	            .accepts = REST_ANY,
	            .statuses = "200 201 202 204 304 404 405 409 412 413 415 422 504",
	            .types = "application/json text/event-stream" },
	  .del = { .handle = pass_vnf,
	           .summary = "Passed on",
	           .accepts = REST_ANY,
	           .statuses = "200 201 202 204 304 404 405 409 412 413 415 422 504",
	           .types = "application/json text/event-stream" },
	  .flags = REST_SLOW | REST_PASSED_ON },
	{ .pattern = "/v1/services/{service}/state/{rest*}",
	  .summary = "State of the engine of the service process, or with ?vnf= of a VNF's",
	  .get = { .handle = pass_state, PASSED_ON },
	  .del = { .handle = pass_state, .accepts = REST_ANY, PASSED_ON },
	  .flags = REST_SLOW | REST_PASSED_ON },
	{ .pattern = "/v1/services/{service}/events",
	  .summary = "Events of the service process, or with ?vnf= of a VNF's",
	  .get = { .handle = pass_events,
	           .summary = "Server-sent events, passed on",
	           .query = "vnf last kind subject limit<=4096",
	           .types = "text/event-stream application/json",
	           .statuses = "200 404 504" },
	  .flags = REST_SLOW | REST_PASSED_ON },
	{ .pattern = "/v1/services/{service}/vnfs/{vnf}/events",
	  .summary = "Events of the process that a VNF runs in",
	  .get = { .handle = pass_events,
	           .summary = "Server-sent events, passed on",
	           .query = "vnf last kind subject limit<=4096",
	           .types = "text/event-stream application/json",
	           .statuses = "200 404 504" },
	  .flags = REST_SLOW | REST_PASSED_ON },
	{ .pattern = "/v1/services/{service}/trace",
	  .summary = "Trace in the service process, or with ?vnf= in a VNF's",
	  .get = { .handle = pass_trace, PASSED_ON },
	  .post = { .handle = pass_trace, .accepts = REST_ANY, PASSED_ON },
	  .del = { .handle = pass_trace, .accepts = REST_ANY, PASSED_ON },
	  .flags = REST_SLOW | REST_PASSED_ON },
	{ .pattern = "/v1/services/{service}/capture",
	  .summary = "Capture in the service process, or with ?vnf= in a VNF's",
	  .get = { .handle = pass_capture, PASSED_ON },
	  .post = { .handle = pass_capture, .accepts = REST_ANY, PASSED_ON },
	  .del = { .handle = pass_capture, .accepts = REST_ANY, PASSED_ON },
	  .flags = REST_SLOW | REST_PASSED_ON },
	{ .pattern = "/v1/services/{service}/capture/packets",
	  .summary = "What was captured",
	  .get = { .handle = pass_packets,
	           .summary = "pcapng, as it comes",
	           .role = ROLE_OPERATOR,
	           .query = "vnf",
	           .types = "application/x-pcapng",
	           .statuses = "200 404 409 504" },
	  .flags = REST_SLOW | REST_PASSED_ON },
	{ .pattern = "/v1/services/{service}/metrics",
	  .summary = "Metrics of the service process, or with ?vnf= of a VNF's",
	  .get = { .handle = pass_metrics,
	           .summary = "Scrape",
	           .query = "vnf",
	           .types = "text/plain application/openmetrics-text",
	           .statuses = "200 404 504" },
	  .flags = REST_SLOW | REST_PASSED_ON },
	{ .pattern = NULL },
};
