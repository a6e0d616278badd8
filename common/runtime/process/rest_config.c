/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: the running document and each function's part of it. Handlers run on the server's threads; one change at a time. */
#include <string.h>

#include "config/merge_patch.h"
#include "manage/problem.h"
#include "runtime/process/process.h"

static struct process *process_of(const struct rest_request *request)
{
	return request->user;
}

static json_t *running(struct process *p, uint64_t *revision)
{
	json_t *json;

	pthread_mutex_lock(&p->engine->lock);
	json = p->engine->document ? conf_to_json(p->engine->document) : json_object();
	*revision = p->engine->revision;
	pthread_mutex_unlock(&p->engine->lock);
	return json;
}

/* Frees the difference. */
static json_t *changes_json(struct conf_diff diff)
{
	json_t *list = json_array();

	for (size_t i = 0; i < diff.count; i++) {
		const struct conf_change *c = &diff.list[i];
		const char kind[] = { c->kind, '\0' };

		json_array_append_new(list, json_pack("{s:s,s:s,s:s?,s:s?}", "path", c->path, "kind", kind,
		                                      "before", c->before, "after", c->after));
	}
	conf_diff_free(&diff);
	return list;
}

static json_t *diff_json(struct process *p, const struct conf *next)
{
	pthread_mutex_lock(&p->engine->lock);
	struct conf_diff diff = schema_diff(engine_schema, p->engine->document, next);
	pthread_mutex_unlock(&p->engine->lock);
	return changes_json(diff);
}

json_t *config_changes(struct process *p, const struct conf *from, const struct conf *to)
{
	if (to)
		return changes_json(schema_diff(engine_schema, from, to));
	pthread_mutex_lock(&p->engine->lock);
	struct conf_diff diff = schema_diff(engine_schema, from, p->engine->document);
	pthread_mutex_unlock(&p->engine->lock);
	return changes_json(diff);
}

static void refuse(struct rest_reply *reply, struct errors *errors)
{
	bool restart = false;

	for (size_t i = 0; i < errors->count; i++)
		restart |= strcmp(errors->list[i].code, "needs-restart") == 0;
	rest_problem_errors(reply, restart ? 409 : 422, errors,
	                    "the configuration was refused; nothing has changed");
}

static void dry_run(struct process *p, struct rest_reply *reply, struct conf *document, struct errors *errors)
{
	if (engine_apply(p->engine, document, true, errors))
		rest_reply_json(reply, 200,
		                json_pack("{s:b,s:o}", "valid", 1, "diff", diff_json(p, document)));
	else
		refuse(reply, errors);
	conf_free(document);
}

/* How long the change is to await its confirmation (0: it need not); false: the reply says why it may not be made. */
static bool confirmation(const struct rest_request *request, struct rest_reply *reply, int64_t *seconds)
{
	const struct process *p = process_of(request);

	if (!rest_query_number(request, reply, "confirm", 1, 86400, 0, seconds))
		return false;
	if (p->history.former && !rest_query_flag(request, "dryRun")) {
		rest_problem(reply, 409,
		             "a change awaits its confirmation: POST /v1/config:confirm, or :rollback");
		return false;
	}
	return true;
}

/* A change was made: it is written down, and may have to be confirmed. Takes `former` over. */
static void applied(const struct rest_request *request, struct conf *former, int64_t seconds)
{
	struct process *p = process_of(request);
	const char *comment = rest_query(request, "comment");

	history_note(p, request->caller.subject, comment ? comment : "");
	if (seconds)
		history_await(p, former, (unsigned)seconds);
	else
		conf_free(former);
}

/* Applies a document given as JSON (taken over). The caller holds `changes`. */
static void apply(const struct rest_request *request, struct rest_reply *reply, json_t *json)
{
	struct process *p = process_of(request);
	struct errors errors = ERRORS_NONE;
	struct conf *document = conf_from_json(json, &errors), *former = NULL;
	int64_t seconds;

	json_decref(json);
	if (!confirmation(request, reply, &seconds)) {
		conf_free(document);
		errors_free(&errors);
		return;
	}
	if (seconds) {
		pthread_mutex_lock(&p->engine->lock);
		former = conf_clone(p->engine->document);
		pthread_mutex_unlock(&p->engine->lock);
	}
	if (!document) {
		refuse(reply, &errors);
	} else if (rest_query_flag(request, "dryRun")) {
		dry_run(p, reply, document, &errors);
	} else if (engine_apply(p->engine, document, false, &errors)) {
		applied(request, former, seconds);
		former = NULL;
		events_add(p->events, "config-applied", p->engine->sizes.name, NULL,
		           "configuration revision %llu", (unsigned long long)p->engine->revision);
		rest_reply_etag(reply, "%llu", (unsigned long long)p->engine->revision);
		rest_reply_json(reply, 200, json_pack("{s:I}", "revision", (json_int_t)p->engine->revision));
	} else {
		refuse(reply, &errors);
		conf_free(document);
	}
	conf_free(former);
	errors_free(&errors);
}

/* Begins a change: takes the lock and checks If-Match; on false all is said and the lock is free. */
static bool begin(const struct rest_request *request, struct rest_reply *reply, json_t **current)
{
	struct process *p = process_of(request);
	uint64_t revision;
	char etag[24];

	pthread_mutex_lock(&p->changes);
	*current = running(p, &revision);
	snprintf(etag, sizeof(etag), "%llu", (unsigned long long)revision);
	if (request->json && rest_match(request, reply, etag))
		return true;
	if (!request->json)
		rest_problem(reply, 400, "a JSON body is expected");
	json_decref(*current);
	pthread_mutex_unlock(&p->changes);
	return false;
}

static void end(const struct rest_request *request)
{
	pthread_mutex_unlock(&process_of(request)->changes);
}

static void get_config(const struct rest_request *request, struct rest_reply *reply)
{
	uint64_t revision;
	json_t *json = running(process_of(request), &revision);

	rest_reply_etag(reply, "%llu", (unsigned long long)revision);
	rest_reply_json(reply, 200, json);
}

static void put_config(const struct rest_request *request, struct rest_reply *reply)
{
	json_t *current;

	if (!begin(request, reply, &current))
		return;
	json_decref(current);
	apply(request, reply, json_deep_copy(request->json));
	end(request);
}

static void patch_config(const struct rest_request *request, struct rest_reply *reply)
{
	json_t *current;

	if (!begin(request, reply, &current))
		return;
	apply(request, reply, merge_patch(current, request->json));
	json_decref(current);
	end(request);
}

/* The function's item in the document, borrowed, or NULL with a 404. */
static json_t *function_of(const struct rest_request *request, struct rest_reply *reply, json_t *document)
{
	const char *name = rest_param(request, "vnf");
	json_t *item;
	size_t i;

	json_array_foreach(json_object_get(document, "functions"), i,
	                   item) if (strcmp(json_string_value(json_object_get(item, "name")), name) ==
	                             0) return item;
	rest_problem(reply, 404, "no function \"%s\" in this process", name);
	return NULL;
}

static void get_function(const struct rest_request *request, struct rest_reply *reply)
{
	uint64_t revision;
	json_t *document = running(process_of(request), &revision),
	       *item = function_of(request, reply, document);

	if (item) {
		rest_reply_etag(reply, "%llu", (unsigned long long)revision);
		rest_reply_json(reply, 200, json_incref(json_object_get(item, "config")));
	}
	json_decref(document);
}

static void change_function(const struct rest_request *request, struct rest_reply *reply, bool patch)
{
	json_t *document, *item, *config;

	if (!begin(request, reply, &document))
		return;
	item = function_of(request, reply, document);
	if (item) {
		config = patch ? merge_patch(json_object_get(item, "config"), request->json)
		               : json_deep_copy(request->json);
		json_object_set_new(item, "config", config);
		apply(request, reply, json_incref(document));
	}
	json_decref(document);
	end(request);
}

static void put_function(const struct rest_request *request, struct rest_reply *reply)
{
	change_function(request, reply, false);
}

static void patch_function(const struct rest_request *request, struct rest_reply *reply)
{
	change_function(request, reply, true);
}

const struct rest_route config_routes[] = {
	{ .pattern = "/v1/config",
	  .summary = "The whole running document",
	  .get = { .handle = get_config, .summary = "Read it", .answer = "Document", .statuses = "200 304" },
	  .put = { .handle = put_config,
	           .summary = "Replace it; ?dryRun=1 changes nothing",
	           .body = "Document",
	           .query = "dryRun confirm comment",
	           .statuses = "200 409 412 422" },
	  .patch = { .handle = patch_config,
	             .summary = "Merge into it (RFC 7396)",
	             .body = "Document",
	             .accepts = REST_JSON | REST_MERGE_PATCH,
	             .query = "dryRun confirm comment",
	             .statuses = "200 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/vnfs/{vnf}/config",
	  .summary = "One function's configuration",
	  .get = { .handle = get_function, .summary = "Read it", .statuses = "200 304 404" },
	  .put = { .handle = put_function,
	           .summary = "Replace it; ?dryRun=1 changes nothing",
	           .query = "dryRun confirm comment",
	           .statuses = "200 404 409 412 422" },
	  .patch = { .handle = patch_function,
	             .summary = "Merge into it (RFC 7396)",
	             .accepts = REST_JSON | REST_MERGE_PATCH,
	             .query = "dryRun confirm comment",
	             .statuses = "200 404 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = NULL },
};
