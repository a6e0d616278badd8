/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: other executables for the processes of a service. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "manage/problem.h"

static bool is_text(const json_t *value)
{
	return !value || json_is_string(value);
}

static bool has_others(const json_t *body)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)body, name,
	                    value) if (strcmp(name, "program") != 0 &&
	                               strcmp(name, "libexec") != 0) return true;
	return false;
}

/* {} or {"program": PATH} or {"libexec": FOLDER}; false: the reply is a problem. */
static bool read_upgrade(const struct rest_request *request, struct rest_reply *reply,
                         struct upgrade *upgrade)
{
	json_t *program = json_object_get(request->json, "program"),
	       *folder = json_object_get(request->json, "libexec");
	int64_t timeout;

	if (reply_no_confirm(request, reply) ||
	    !rest_query_number(request, reply, "timeout", 1, 3600, 0, &timeout))
		return false;
	upgrade->program = json_string_value(program);
	upgrade->folder = json_string_value(folder);
	upgrade->timeout_s = (unsigned)timeout;
	upgrade->dry_run = rest_query_flag(request, "dryRun");
	if (is_text(program) && is_text(folder) && !(program && folder) && !has_others(request->json) &&
	    (!request->json || json_is_object(request->json)))
		return true;
	rest_problem(reply, 422, "expected {}, {\"program\": PATH} or {\"libexec\": FOLDER}");
	return false;
}

static void post_upgrade(const struct rest_request *request, struct rest_reply *reply)
{
	struct upgrade upgrade = { .service = rest_param(request, "service"),
		                   .vnf = rest_param(request, "vnf") };
	struct errors errors = ERRORS_NONE;
	char author[AUTHOR_SIZE];
	json_t *report = NULL;
	uint64_t op;

	if (!read_upgrade(request, reply, &upgrade))
		return;
	upgrade.author = author_of(request, author, sizeof(author));
	manager_begin(manager_of(request));
	enum change_result result = manager_upgrade(manager_of(request), &upgrade, &op, &report, &errors);
	manager_end(manager_of(request));
	if (errors.count && strcmp(errors.list[0].code, "not-found") == 0) {
		rest_problem_errors(reply, 404, &errors, "%s", errors.list[0].detail);
		errors_free(&errors);
	} else if (result == CHANGE_DRY) {
		reply_dry_run(reply, report, &errors);
	} else if (!reply_refused(reply, result, &errors)) {
		reply_op(request, reply, op, result == CHANGE_UNCHANGED ? 200 : 202, 0);
	}
}

const struct rest_route upgrade_routes[] = {
	{ .pattern = "/v1/services/{service}:upgrade",
	  .summary = "Its processes from another build, with their sessions",
	  .post = { .handle = post_upgrade,
	            .summary = "Upgrade",
	            .query = "wait dryRun timeout",
	            .body = "Upgrade",
	            .answer = "Outcome",
	            .statuses = "200 202 404 409 422",
	            .role = ROLE_ADMIN },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/services/{service}/vnfs/{vnf}:upgrade",
	  .summary = "The process that a VNF runs in from another build",
	  .post = { .handle = post_upgrade,
	            .summary = "Upgrade",
	            .query = "wait dryRun timeout",
	            .body = "Upgrade",
	            .answer = "Outcome",
	            .statuses = "200 202 404 409 422",
	            .role = ROLE_ADMIN },
	  .flags = REST_SLOW },
	{ .pattern = NULL },
};
