/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: revisions of services and of VNFs' configurations: lists, differences, rollback, confirmation. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "manage/pages.h"
#include "manage/problem.h"
#include "util/memory.h"

/* Answers with the errors of a lookup; empties them. */
static void reply_errors(struct rest_reply *reply, struct errors *errors)
{
	const char *code = errors->count ? errors->list[0].code : "";
	unsigned status = strcmp(code, "not-found") == 0 ? 404
	                  : strcmp(code, "conflict") == 0 || strcmp(code, "busy") == 0 ||
	                                  strcmp(code, "unreachable") == 0
	                          ? 409
	                          : 500;

	rest_problem_errors(reply, status, errors, "%s",
	                    errors->count ? errors->list[0].detail : "the revisions cannot be read");
	errors_free(errors);
}

/* A revision's number; false: it is none, and the reply is a problem. */
static bool number_of(struct rest_reply *reply, const char *service, const char *text, uint64_t *number)
{
	char *end;

	*number = *text >= '0' && *text <= '9' ? strtoull(text, &end, 10) : 0;
	if (*number && !*end)
		return true;
	rest_problem(reply, 404, "service \"%s\" has no revision \"%s\"", service, text);
	return false;
}

/* --- reading --- */

static void get_revisions(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "service");
	struct errors errors = ERRORS_NONE;
	json_t *list = manager_revisions(manager_of(request), name, rest_query(request, "vnf"), &errors);

	if (!list) {
		reply_errors(reply, &errors);
	} else if (json_array_size(list) == 0 && !rest_query(request, "vnf")) {
		json_decref(list);
		reply_no_service(reply, name);
	} else {
		page_reply(request, reply, list);
	}
	errors_free(&errors);
}

static void get_revision(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "service"), *text = rest_param(request, "revision");
	struct errors errors = ERRORS_NONE;
	uint64_t number;

	if (!number_of(reply, name, text, &number))
		return;
	json_t *shown = store_revision_shown(manager_of(request)->store, name, number, &errors);
	if (shown)
		rest_reply_json(reply, 200, shown);
	else if (errors_any(&errors))
		reply_errors(reply, &errors);
	else
		rest_problem(reply, 404, "service \"%s\" has no revision %s", name, text);
	errors_free(&errors);
}

/* A revision's number, or 0: as it is wanted now. */
static bool point_of(struct rest_reply *reply, const char *service, const char *text, uint64_t *number)
{
	*number = 0;
	return strcmp(text, "current") == 0 || number_of(reply, service, text, number);
}

static json_t *point_json(uint64_t number, const char *otherwise)
{
	return number ? json_integer((json_int_t)number) : json_string(otherwise);
}

static void get_diff(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "service"), *text = rest_query(request, "to"),
	           *vnf = rest_query(request, "vnf");
	bool running = text && strcmp(text, "running") == 0;
	struct errors errors = ERRORS_NONE;
	uint64_t from, to = 0;

	if (!point_of(reply, name, rest_param(request, "revision"), &from) ||
	    (text && !running && !point_of(reply, name, text, &to)))
		return;
	json_t *changes = running ? manager_compare_running(manager_of(request), name, from, vnf, &errors)
	                          : manager_compare(manager_of(request), name, from, to, vnf, &errors);
	if (changes)
		rest_reply_json(reply, 200,
		                json_pack("{s:o,s:o,s:o}", "from", point_json(from, "current"), "to",
		                          point_json(to, running ? "running" : "current"), "changes",
		                          changes));
	else
		reply_errors(reply, &errors);
}

/* --- confirming --- */

static void confirm(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "service");
	struct errors errors = ERRORS_NONE;
	char author[AUTHOR_SIZE];
	bool done;

	if (reply_no_dry_run(request, reply))
		return;
	json_t *shown = show_service(manager_of(request), name);
	if (!shown) {
		reply_no_service(reply, name);
		return;
	}
	manager_begin(manager_of(request));
	done = manager_confirm(manager_of(request), name, author_of(request, author, sizeof(author)),
	                       &errors);
	manager_end(manager_of(request));
	if (done)
		rest_reply_json(reply, 200,
		                json_pack("{s:s,s:O}", "service", name, "revision",
		                          json_object_get(shown, "revision")));
	else
		reply_errors(reply, &errors);
	json_decref(shown);
}

/* --- rolling back --- */

/* What a rollback asks for: {} or {"revision": N, "vnf": NAME}. */
struct rollback {
	uint64_t revision;
	const char *vnf;
};

static bool read_rollback(const struct rest_request *request, struct rest_reply *reply, struct rollback *what)
{
	json_t *number = json_object_get(request->json, "revision"),
	       *vnf = json_object_get(request->json, "vnf");

	*what = (struct rollback){ (uint64_t)json_integer_value(number), json_string_value(vnf) };
	if ((!number || (json_is_integer(number) && json_integer_value(number) > 0)) &&
	    (!vnf || json_is_string(vnf)))
		return true;
	rest_problem(reply, 422,
	             "expected {\"revision\": N} and, for one VNF's configuration alone, \"vnf\": NAME");
	return false;
}

/* The last one before the present, by which something changed. */
static uint64_t former_revision(struct manager *manager, const char *service, const char *vnf,
                                struct errors *errors)
{
	uint64_t current = 0, number = store_revision_before(manager->store, service, errors);

	if (!vnf || !number)
		return number;
	json_t *list = manager_revisions(manager, service, vnf, errors), *revision,
	       *descriptor = show_descriptor(manager, service, &current);
	size_t i;

	number = 0;
	json_array_foreach(list, i, revision)
	{
		uint64_t one = (uint64_t)json_integer_value(json_object_get(revision, "revision"));
		bool undone = strcmp(json_string_value(json_object_get(revision, "state")), "undone") == 0;
		json_t *changes = one < current && !undone
		                          ? manager_compare(manager, service, one, 0, vnf, errors)
		                          : NULL;

		number = json_array_size(changes) ? one : number;
		json_decref(changes);
	}
	json_decref(descriptor);
	json_decref(list);
	return number;
}

static void to_revision(const struct rest_request *request, struct rest_reply *reply, struct rollback what)
{
	const char *name = rest_param(request, "service");
	struct manager *manager = manager_of(request);
	struct errors errors = ERRORS_NONE;

	if (!what.revision)
		what.revision = former_revision(manager, name, what.vnf, &errors);
	if (!what.revision && !errors_any(&errors))
		errors_add(&errors, NULL, "conflict", NULL, 0,
		           "no earlier revision differs from the present one");
	json_t *descriptor =
	        what.revision ? manager_former(manager, name, what.revision, what.vnf, &errors) : NULL;
	if (!descriptor) {
		manager_end(manager);
		reply_errors(reply, &errors);
		return;
	}
	char *comment = text_format("%s%sback to revision %llu", what.vnf ? what.vnf : "",
	                            what.vnf ? " " : "", (unsigned long long)what.revision);
	struct service_change change = { .service = name,
		                         .descriptor = descriptor,
		                         .kind = "rollback",
		                         .comment = comment,
		                         .origin = what.vnf ? 0 : what.revision };
	change_service(request, reply, &change);
	free(comment);
}

/* What awaits a confirmation is undone as if nobody had confirmed it in time. */
static void undo(const struct rest_request *request, struct rest_reply *reply,
                 const struct store_confirm *confirm)
{
	struct manager *manager = manager_of(request);
	const char *comment = rest_query(request, "comment");
	char *why = text_format("operation %llu was rolled back instead of confirmed",
	                        (unsigned long long)confirm->op);
	struct errors errors = ERRORS_NONE;
	char author[AUTHOR_SIZE];
	uint64_t op = manager_undo(manager, confirm, author_of(request, author, sizeof(author)),
	                           comment ? comment : why, &errors);

	manager_end(manager);
	if (op)
		reply_op(request, reply, op, 202, 0);
	else
		reply_errors(reply, &errors);
	free(why);
}

static void roll_back(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "service");
	struct manager *manager = manager_of(request);
	struct errors errors = ERRORS_NONE;
	struct store_confirm confirm;
	struct rollback what;
	uint64_t revision;
	json_t *before;

	if (!read_rollback(request, reply, &what))
		return;
	manager_begin(manager);
	before = show_descriptor(manager, name, &revision);
	confirm = store_confirm_of(manager->store, name, &errors);
	if (!before) {
		manager_end(manager);
		reply_no_service(reply, name);
	} else if (confirm.op && !what.revision && !what.vnf && !rest_query_flag(request, "dryRun")) {
		undo(request, reply, &confirm);
	} else {
		to_revision(request, reply, what);
	}
	errors_free(&errors);
	json_decref(before);
}

const struct rest_route revision_routes[] = {
	{ .pattern = "/v1/services/{service}/revisions",
	  .summary = "Revisions of the service; with ?vnf= those by which that VNF changed",
	  .get = { .handle = get_revisions,
	           .summary = "List them",
	           .query = "vnf filter limit cursor",
	           .answer = "Revision[]",
	           .statuses = "200 404 409" } },
	{ .pattern = "/v1/services/{service}/revisions/{revision}",
	  .summary = "One revision",
	  .get = { .handle = get_revision, .summary = "Read it", .answer = "Revision" } },
	{ .pattern = "/v1/services/{service}/revisions/{revision}:diff",
	  .summary = "What differs between a revision and another",
	  .get = { .handle = get_diff,
	           .summary = "?to=N, running, or as it is wanted now; ?vnf= of one VNF alone",
	           .query = "to vnf",
	           .answer = "Difference",
	           .statuses = "200 404 409" } },
	{ .pattern = "/v1/services/{service}:confirm",
	  .summary = "Keep the change that awaits a confirmation",
	  .post = { .handle = confirm,
	            .summary = "Confirm",
	            .answer = "Confirmed",
	            .statuses = "200 404 409 422" } },
	{ .pattern = "/v1/services/{service}:rollback",
	  .summary = "Bring a revision back, as a new one",
	  .post = { .handle = roll_back,
	            .summary = "Roll back",
	            .query = "wait dryRun confirm comment",
	            .body = "Rollback",
	            .answer = "Outcome",
	            .statuses = "200 202 404 409 412 422" },
	  .flags = REST_SLOW },
	{ .pattern = NULL },
};
