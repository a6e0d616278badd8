/* SPDX-License-Identifier: BSD-3-Clause */
/* What the handlers share. See api.h. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "manage/audit.h"
#include "manage/problem.h"
#include "util/memory.h"

struct api *api_of(const struct rest_request *request)
{
	return request->user;
}

struct manager *manager_of(const struct rest_request *request)
{
	return api_of(request)->manager;
}

const char *author_of(const struct rest_request *request, char *text, size_t size)
{
	const struct caller *caller = &request->caller;

	if (strcmp(caller->how, "unix") == 0)
		snprintf(text, size, "%s", caller->subject);
	else
		snprintf(text, size, "%s %s", caller->how, caller->subject);
	return text;
}

bool reason_of(const struct rest_request *request, struct rest_reply *reply, char *author, size_t size,
               struct store_reason *reason)
{
	int64_t seconds;

	if (!rest_query_number(request, reply, "confirm", 1, CONFIRM_MAX_S, 0, &seconds))
		return false;
	*reason = (struct store_reason){ .author = author_of(request, author, size),
		                         .comment = rest_query(request, "comment"),
		                         .confirm_seconds = (unsigned)seconds };
	return true;
}

void reply_no_service(struct rest_reply *reply, const char *service)
{
	rest_problem(reply, 404, "there is no service \"%s\"", service);
}

void reply_no_vnf(struct rest_reply *reply, const char *service, const char *vnf)
{
	rest_problem(reply, 404, "there is no VNF \"%s\" in service \"%s\", or no such service", vnf,
	             service);
}

bool wait_of(const struct rest_request *request, struct rest_reply *reply, unsigned otherwise_s, unsigned *ms)
{
	int64_t seconds;

	if (!rest_query_number(request, reply, "wait", 0, 3600, otherwise_s, &seconds))
		return false;
	*ms = 1000 * (unsigned)seconds;
	return true;
}

/* --- operations as answers --- */

static bool in_state(const json_t *op, const char *state)
{
	return strcmp(json_string_value(json_object_get(op, "state")), state) == 0;
}

static bool has_ended(const json_t *op)
{
	return !in_state(op, "STARTING") && !in_state(op, "PROCESSING") && !in_state(op, "ROLLING_BACK");
}

void reply_op(const struct rest_request *request, struct rest_reply *reply, uint64_t id, unsigned status,
              unsigned wait_s)
{
	struct errors errors = ERRORS_NONE;
	unsigned ms;
	json_t *op;

	if (!wait_of(request, reply, wait_s, &ms))
		return;
	op = manager_wait(manager_of(request), id, ms, &errors);
	if (op) {
		rest_reply_json(reply, has_ended(op) && (ms || status == 200) ? 200 : status, op);
		rest_reply_location(reply, "/v1/ops/%llu", (unsigned long long)id);
	} else {
		rest_problem_errors(reply, 500, &errors, "the operation was begun but cannot be shown");
	}
	errors_free(&errors);
}

/* The answer of whoever expects the change to be there when it comes: a rolled back operation is a problem. */
static void reply_outcome(const struct rest_request *request, struct rest_reply *reply, uint64_t id,
                          unsigned wait_s)
{
	struct errors errors = ERRORS_NONE, found = ERRORS_NONE;
	unsigned ms;

	if (!wait_of(request, reply, wait_s, &ms))
		return;
	json_t *op = manager_wait(manager_of(request), id, ms, &errors);
	if (op && in_state(op, "ROLLED_BACK")) {
		problem_read(op, &found);
		rest_problem_errors(reply, 422, &found,
		                    "the change could not be carried out; nothing has changed");
		json_decref(op);
	} else {
		rest_reply_json(reply, op && has_ended(op) ? 200 : 202, op);
	}
	rest_reply_location(reply, "/v1/ops/%llu", (unsigned long long)id);
	errors_free(&errors);
	errors_free(&found);
}

/* --- changes --- */

bool reply_refused(struct rest_reply *reply, enum change_result result, struct errors *errors)
{
	if (result == CHANGE_INVALID)
		rest_problem_errors(reply, 422, errors, "%zu error%s; nothing has changed", errors->count,
		                    errors->count == 1 ? "" : "s");
	else if (result == CHANGE_REFUSED)
		rest_problem_errors(reply, 409, errors, "refused: %s",
		                    errors->count ? errors->list[0].detail : "not possible now");
	if (result != CHANGE_INVALID && result != CHANGE_REFUSED)
		return false; /* of a dry run they are told, too */
	errors_free(errors);
	return true;
}

bool reply_no_dry_run(const struct rest_request *request, struct rest_reply *reply)
{
	bool asked = rest_query_flag(request, "dryRun");

	if (asked)
		rest_problem(reply, 422, "%s %s has no dry run", request->method, request->path);
	return asked;
}

bool reply_no_confirm(const struct rest_request *request, struct rest_reply *reply)
{
	bool asked = rest_query(request, "confirm") != NULL;

	if (asked)
		rest_problem(reply, 422, "%s %s cannot be undone by itself: it takes no confirm",
		             request->method, request->path);
	return asked;
}

void reply_dry_run(struct rest_reply *reply, json_t *report, struct errors *errors)
{
	json_object_set_new(report, "valid", json_boolean(errors->count == 0));
	json_object_set_new(report, "errors", problem_errors(errors));
	rest_reply_json(reply, 200, report);
	errors_free(errors);
}

/* Paths as of what was sent: without services[0] and the part of the descriptor that the request was about. */
static void shorten(struct errors *errors, const char *prefix)
{
	char *full = prefix ? text_format("services[0].%s", prefix) : text_copy("services[0]");
	size_t length = strlen(full), outer = strlen("services[0].");

	for (size_t i = 0; i < errors->count; i++) {
		char *path = errors->list[i].path;
		size_t cut = 0;

		if (path && strncmp(path, full, length) == 0 && strchr(".[", path[length]))
			cut = length + (path[length] == '.');
		else if (path && strncmp(path, "services[0].", outer) == 0)
			cut = outer;
		if (cut)
			memmove(path, path + cut, strlen(path + cut) + 1);
	}
	free(full);
}

static struct conf *resources_of(json_t *descriptor, struct errors *errors)
{
	json_t *resources = json_pack("{s:[O]}", "services", descriptor);
	struct conf *conf = conf_from_json(resources, errors);

	json_decref(resources);
	return conf;
}

void note_change(struct rest_reply *reply, json_t *report)
{
	if (report)
		rest_reply_note(reply, audit_redact(report));
	json_decref(report);
}

void change_service(const struct rest_request *request, struct rest_reply *reply,
                    const struct service_change *what)
{
	struct errors errors = ERRORS_NONE;
	const char *removed[] = { what->service, NULL };
	char author[AUTHOR_SIZE];
	struct change change = { .removed = what->descriptor ? NULL : removed,
		                 .dry_run = rest_query_flag(request, "dryRun"),
		                 .kind = what->kind };
	struct conf *resources = what->descriptor ? resources_of(what->descriptor, &errors) : NULL;
	json_t *report = NULL;
	uint64_t op = 0;
	enum change_result result = CHANGE_INVALID;

	if (!reason_of(request, reply, author, sizeof(author), &change.reason)) {
		manager_end(manager_of(request));
		goto out;
	}
	change.reason.origin = what->origin;
	if (!change.reason.comment)
		change.reason.comment = what->comment;
	change.resources = resources;
	if (resources || !what->descriptor)
		result = manager_change(manager_of(request), &change, &op, &report, &errors);
	manager_end(manager_of(request)); /* before anything waits */
	shorten(&errors, what->prefix);
	if (result == CHANGE_DRY) {
		reply_dry_run(reply, report, &errors);
		goto out;
	}
	note_change(reply, report);
	if (reply_refused(reply, result, &errors))
		goto out;
	if (what->wait_s)
		reply_outcome(request, reply, op, what->wait_s);
	else
		reply_op(request, reply, op, result == CHANGE_UNCHANGED ? 200 : what->created ? 201 : 202, 0);
out:
	errors_free(&errors);
	conf_free(resources);
	json_decref(what->descriptor);
}

void restart_units(const struct rest_request *request, struct rest_reply *reply, const char *service,
                   const char *vnf, bool heal)
{
	struct errors errors = ERRORS_NONE;
	char author[AUTHOR_SIZE];
	bool dry_run = rest_query_flag(request, "dryRun");
	uint64_t op = 0;

	if (reply_no_confirm(request, reply)) {
		manager_end(manager_of(request));
		return;
	}
	if (!dry_run)
		op = manager_restart(manager_of(request), service, vnf, heal,
		                     author_of(request, author, sizeof(author)), &errors);
	manager_end(manager_of(request));
	if (dry_run)
		reply_dry_run(reply,
		              json_pack("{s:[{s:s,s:s}],s:[]}", "services", "name", service, "action",
		                        heal ? "heal" : "restart", "changes"),
		              &errors);
	else if (op)
		reply_op(request, reply, op, 202, 0);
	else
		reply_refused(reply, CHANGE_REFUSED, &errors);
}

/* --- documents --- */

json_t *named_item(const json_t *list, const char *name, size_t *index)
{
	json_t *item;
	size_t i;

	json_array_foreach(list, i, item)
	{
		const char *text = json_string_value(json_object_get(item, "name"));

		if (text && strcmp(text, name) == 0) {
			if (index)
				*index = i;
			return item;
		}
	}
	return NULL;
}
