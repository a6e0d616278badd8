/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: applying a set of resources, and operations. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "lifecycle/operation.h"
#include "manage/pages.h"
#include "manage/problem.h"

/* --- apply --- */

/* The members of an apply, and what each must be. */
static const char *wanted_of(const char *name, const json_t *value)
{
	if (strcmp(name, "resources") == 0)
		return json_is_object(value) ? NULL : "an object";
	if (strcmp(name, "dryRun") == 0 || strcmp(name, "prune") == 0)
		return json_is_boolean(value) ? NULL : "true or false";
	if (strcmp(name, "comment") == 0)
		return json_is_string(value) ? NULL : "a string";
	if (strcmp(name, "confirm") != 0)
		return "resources, dryRun, prune, comment or confirm";
	return json_is_integer(value) && json_integer_value(value) >= 1 &&
	                       json_integer_value(value) <= CONFIRM_MAX_S
	               ? NULL
	               : "a number of seconds from 1 to 86400";
}

static bool is_member(const char *name)
{
	static const char *const names[] = { "resources", "dryRun", "prune", "comment", "confirm" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static bool check_body(const json_t *body, struct errors *errors)
{
	const char *name, *wanted;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)body, name, value)
	{
		wanted = wanted_of(name, value);
		if (wanted)
			errors_add(errors, name, is_member(name) ? "wrong-type" : "unknown-member", NULL, 0,
			           "expected %s", wanted);
	}
	if (!json_object_get(body, "resources"))
		errors_add(errors, "resources", "missing", NULL, 0, "expected {\"services\": [...]}");
	return errors->count == 0;
}

/* The query says, or the body. */
static bool read_change(const struct rest_request *request, struct rest_reply *reply, char *author,
                        size_t size, struct change *change)
{
	const json_t *body = request->json, *comment = json_object_get(body, "comment"),
	             *confirm = json_object_get(body, "confirm");

	if (!reason_of(request, reply, author, size, &change->reason))
		return false;
	change->prune = json_is_true(json_object_get(body, "prune"));
	change->dry_run = json_is_true(json_object_get(body, "dryRun")) || rest_query_flag(request, "dryRun");
	if (comment)
		change->reason.comment = json_string_value(comment);
	if (confirm)
		change->reason.confirm_seconds = (unsigned)json_integer_value(confirm);
	return true;
}

static void post_apply(const struct rest_request *request, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	char author[AUTHOR_SIZE];
	struct change change = { 0 };
	struct conf *resources = NULL;
	enum change_result result = CHANGE_INVALID;
	json_t *report = NULL;
	uint64_t op = 0;

	if (check_body(request->json, &errors)) {
		if (!read_change(request, reply, author, sizeof(author), &change))
			return;
		resources = conf_from_json(json_object_get(request->json, "resources"), &errors);
	}
	if (resources) {
		change.resources = resources;
		manager_begin(manager_of(request));
		result = manager_change(manager_of(request), &change, &op, &report, &errors);
		manager_end(manager_of(request));
	}
	conf_free(resources);
	if (result == CHANGE_DRY) {
		reply_dry_run(reply, report, &errors);
		return;
	}
	note_change(reply, report);
	if (!reply_refused(reply, result, &errors))
		reply_op(request, reply, op, result == CHANGE_UNCHANGED ? 200 : 202, 0);
}

/* --- operations --- */

static void get_ops(const struct rest_request *request, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	json_t *list = store_ops(manager_of(request)->store, NULL, &errors);

	if (list)
		page_reply(request, reply, list);
	else
		rest_problem_errors(reply, 500, &errors, "the operations cannot be read");
	errors_free(&errors);
}

/* The operation of the path; false: the reply is a 404. */
static bool op_of(const struct rest_request *request, struct rest_reply *reply, uint64_t *op)
{
	const char *text = rest_param(request, "op");
	char *end;

	*op = strtoull(text, &end, 10);
	if (*op && !*end && *text != '-')
		return true;
	rest_problem(reply, 404, "there is no operation \"%s\"", text);
	return false;
}

static void get_op(const struct rest_request *request, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	uint64_t op;
	unsigned ms;
	json_t *shown;

	if (!op_of(request, reply, &op) || !wait_of(request, reply, 0, &ms))
		return;
	shown = manager_wait(manager_of(request), op, ms, &errors);
	if (shown)
		rest_reply_json(reply, 200, shown);
	else if (errors_any(&errors))
		rest_problem_errors(reply, 500, &errors, "the operation cannot be read");
	else
		rest_problem(reply, 404, "there is no operation %llu", (unsigned long long)op);
	errors_free(&errors);
}

typedef bool op_task(struct manager *manager, uint64_t op, struct errors *errors);

static void do_task(const struct rest_request *request, struct rest_reply *reply, op_task *task)
{
	struct errors errors = ERRORS_NONE;
	uint64_t op;

	if (!op_of(request, reply, &op) || reply_no_dry_run(request, reply))
		return;
	manager_begin(manager_of(request));
	bool done = task(manager_of(request), op, &errors);
	manager_end(manager_of(request));
	if (done)
		reply_op(request, reply, op, 202, 0);
	else if (strcmp(errors.list[0].code, "not-found") == 0)
		rest_problem_errors(reply, 404, &errors, "%s", errors.list[0].detail);
	else
		rest_problem_errors(reply, 409, &errors, "%s", errors.list[0].detail);
	errors_free(&errors);
}

static void retry(const struct rest_request *request, struct rest_reply *reply)
{
	do_task(request, reply, operation_retry);
}

static void fail(const struct rest_request *request, struct rest_reply *reply)
{
	do_task(request, reply, operation_fail);
}

static void roll_back(const struct rest_request *request, struct rest_reply *reply)
{
	do_task(request, reply, operation_roll_back);
}

const struct rest_route op_routes[] = {
	{ .pattern = "/v1/apply",
	  .summary = "A set of resources, all or nothing",
	  .post = { .handle = post_apply,
	            .summary = "Apply; dryRun answers with differences and errors",
	            .body = "Apply",
	            .query = "wait dryRun confirm comment",
	            .answer = "Outcome",
	            .statuses = "200 202 409 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/ops",
	  .summary = "Operations",
	  .get = { .handle = get_ops,
	           .summary = "List them",
	           .query = "filter limit cursor",
	           .answer = "Operation[]" } },
	{ .pattern = "/v1/ops/{op}",
	  .summary = "One operation",
	  .get = { .handle = get_op,
	           .summary = "Read it; ?wait= for its end",
	           .answer = "Operation",
	           .query = "wait" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/ops/{op}:retry",
	  .summary = "Try one in FAILED_TEMP again",
	  .post = { .handle = retry,
	            .summary = "Retry",
	            .answer = "Operation",
	            .query = "wait",
	            .statuses = "200 202 404 409 422" } },
	{ .pattern = "/v1/ops/{op}:fail",
	  .summary = "Give one in FAILED_TEMP up",
	  .post = { .handle = fail,
	            .summary = "Fail",
	            .answer = "Operation",
	            .query = "wait",
	            .statuses = "200 202 404 409 422" } },
	{ .pattern = "/v1/ops/{op}:rollback",
	  .summary = "Roll one in FAILED_TEMP back",
	  .post = { .handle = roll_back,
	            .summary = "Roll back",
	            .answer = "Operation",
	            .query = "wait",
	            .statuses = "200 202 404 409 422" } },
	{ .pattern = NULL },
};
