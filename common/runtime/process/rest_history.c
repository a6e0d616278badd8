/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: revisions of the document, and the confirmation of a change. Handlers run on the server's threads, under process->changes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/problem.h"
#include "runtime/process/process.h"

static const struct schema revision_members[] = {
	{ .name = "revision", .type = SCHEMA_INT, .min = 1, .max = INT64_MAX, .help = "Its number." },
	{ .name = NULL },
};
static const struct schema diff_members[] = {
	{ .name = "from",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = INT64_MAX,
	  .flags = SCHEMA_REQUIRED,
	  .help = "One revision." },
	{ .name = "to", .type = SCHEMA_INT, .min = 1, .max = INT64_MAX, .help = "Another; else what runs." },
	{ .name = NULL },
};

static void refuse(struct rest_reply *reply, struct errors *errors)
{
	bool absent = errors->count && strcmp(errors->list[0].code, "not-found") == 0;

	rest_problem_errors(reply, absent ? 404 : 422, errors, "%s",
	                    errors->count ? errors->list[0].detail : "it was refused");
	errors_free(errors);
}

/* What was sent, checked; NULL: the reply says what is wrong. An absent body is an empty one. */
static struct conf *body_of(const struct rest_request *request, struct rest_reply *reply,
                            const struct schema *members)
{
	struct errors errors = ERRORS_NONE;
	json_t *json = request->json ? json_incref((json_t *)(uintptr_t)request->json) : json_object();
	struct conf *body = conf_from_json(json, &errors);

	json_decref(json);
	if (body && schema_check(members, body, &errors))
		return body;
	conf_free(body);
	refuse(reply, &errors);
	return NULL;
}

/* The lock, and revisions; NULL with a reply, and no lock. */
static struct process *begin(const struct rest_request *request, struct rest_reply *reply, bool kept)
{
	struct process *p = request->user;

	pthread_mutex_lock(&p->changes);
	if (!kept || p->history.kept)
		return p;
	pthread_mutex_unlock(&p->changes);
	rest_problem(reply, 409,
	             "this process keeps no revisions: it was not started with --revisions FOLDER");
	return NULL;
}

static json_t *revision_json(const struct process *p, const struct revision *one)
{
	return json_pack("{s:I,s:s,s:s,s:s,s:b,s:b}", "revision", (json_int_t)one->number, "time", one->time,
	                 "author", one->author, "comment", one->comment, "saved", one->saved, "current",
	                 one->number == revisions_current(p->history.kept));
}

static void get_revisions(const struct rest_request *request, struct rest_reply *reply)
{
	struct process *p = begin(request, reply, true);
	struct errors errors = ERRORS_NONE;
	json_t *list = json_array();

	if (p) {
		struct revision_list all = revisions_list(p->history.kept, &errors);
		for (size_t i = 0; i < all.count; i++)
			json_array_append_new(list, revision_json(p, &all.list[i]));
		revision_list_free(&all);
		pthread_mutex_unlock(&p->changes);
		rest_reply_json(reply, 200, json_incref(list));
	}
	errors_free(&errors);
	json_decref(list);
}

/* The document of a revision; NULL with an error. */
static struct conf *document_of(struct process *p, uint64_t number, struct errors *errors)
{
	struct errors found = ERRORS_NONE;
	struct conf *document = number ? revisions_get(p->history.kept, number, &found) : NULL;

	if (!document)
		errors_add(errors, NULL, "not-found", NULL, 0, "there is no revision %llu that can be read",
		           (unsigned long long)number);
	errors_free(&found);
	return document;
}

static void get_revision(const struct rest_request *request, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	char *end;
	unsigned long long number = strtoull(rest_param(request, "revision"), &end, 10);

	if (*end || !number) {
		rest_problem(reply, 404, "\"%s\" is no revision: they are numbers",
		             rest_param(request, "revision"));
		return;
	}
	struct process *p = begin(request, reply, true);
	if (!p)
		return;
	struct conf *document = document_of(p, number, &errors);
	pthread_mutex_unlock(&p->changes);
	if (document)
		rest_reply_json(reply, 200,
		                json_pack("{s:I,s:o}", "revision", (json_int_t)number, "document",
		                          conf_to_json(document)));
	else
		refuse(reply, &errors);
	conf_free(document);
}

static void compare(struct process *p, const struct conf *body, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	struct conf *from = document_of(p, (uint64_t)conf_int(body, "from", 0), &errors), *to = NULL;
	uint64_t number = (uint64_t)conf_int(body, "to", 0);

	if (from && number)
		to = document_of(p, number, &errors);
	if (from && !errors.count)
		rest_reply_json(reply, 200, json_pack("{s:o}", "changes", config_changes(p, from, to)));
	else
		refuse(reply, &errors);
	conf_free(from);
	conf_free(to);
}

static void post_diff(const struct rest_request *request, struct rest_reply *reply)
{
	struct conf *body = body_of(request, reply, diff_members);
	struct process *p = body ? begin(request, reply, true) : NULL;

	if (p) {
		compare(p, body, reply);
		pthread_mutex_unlock(&p->changes);
	}
	conf_free(body);
}

/* Where a rollback goes: what awaits a confirmation is undone, else the last revision but one comes back. */
static bool go_back(struct process *p, uint64_t number, const char *author, struct errors *errors)
{
	uint64_t wanted = number ? number : revisions_former(p->history.kept);
	struct conf *document;
	char comment[64];

	if (!number && p->history.former)
		return history_undo(p, author, errors);
	document = document_of(p, wanted, errors);
	if (!document || !engine_apply(p->engine, document, false, errors)) {
		conf_free(document);
		return false;
	}
	history_confirm(p); /* what awaited it is gone */
	snprintf(comment, sizeof(comment), "revision %llu again", (unsigned long long)wanted);
	history_note(p, author, comment);
	return true;
}

static void post_rollback(const struct rest_request *request, struct rest_reply *reply)
{
	struct conf *body = body_of(request, reply, revision_members);
	struct process *p = body ? begin(request, reply, true) : NULL;
	struct errors errors = ERRORS_NONE;

	if (p) {
		if (go_back(p, (uint64_t)conf_int(body, "revision", 0), request->caller.subject, &errors))
			rest_reply_json(reply, 200,
			                json_pack("{s:I}", "revision",
			                          (json_int_t)revisions_current(p->history.kept)));
		else
			refuse(reply, &errors);
		pthread_mutex_unlock(&p->changes);
	}
	conf_free(body);
}

static void post_confirm(const struct rest_request *request, struct rest_reply *reply)
{
	struct process *p = begin(request, reply, false);
	bool confirmed = history_confirm(p);

	pthread_mutex_unlock(&p->changes);
	if (confirmed)
		rest_reply_json(reply, 200, json_pack("{s:b}", "confirmed", 1));
	else
		rest_problem(reply, 409, "no change awaits a confirmation");
}

static void post_save(const struct rest_request *request, struct rest_reply *reply)
{
	struct conf *body = body_of(request, reply, revision_members);
	struct process *p = body ? begin(request, reply, true) : NULL;
	struct errors errors = ERRORS_NONE;

	if (p) {
		uint64_t number = (uint64_t)conf_int(body, "revision", 0);
		struct conf *document;

		number = number ? number : revisions_current(p->history.kept);
		document = document_of(p, number, &errors);
		if (document && revisions_save(p->history.kept, number, &errors))
			rest_reply_json(reply, 200, json_pack("{s:I}", "revision", (json_int_t)number));
		else
			refuse(reply, &errors);
		pthread_mutex_unlock(&p->changes);
		conf_free(document);
	}
	conf_free(body);
}

const struct rest_route history_routes[] = {
	{ .pattern = "/v1/config/revisions",
	  .summary = "Documents that the process has run (--revisions)",
	  .get = { .handle = get_revisions, .summary = "All that are kept", .statuses = "200 409" } },
	{ .pattern = "/v1/config/revisions/{revision}",
	  .summary = "One of them",
	  .get = { .handle = get_revision, .summary = "Read it", .statuses = "200 404 409" } },
	{ .pattern = "/v1/config:diff",
	  .summary = "What differs between two revisions, or one and what runs",
	  .post = { .handle = post_diff,
	            .summary = "{from, to}",
	            .role = ROLE_VIEWER,
	            .statuses = "200 404 409 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/config:rollback",
	  .summary = "Back to a revision, or to the last before",
	  .post = { .handle = post_rollback, .summary = "{revision}", .statuses = "200 404 409 422" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/config:confirm",
	  .summary = "Keep a change that was made with ?confirm=",
	  .post = { .handle = post_confirm, .summary = "Confirm", .statuses = "200 409" } },
	{ .pattern = "/v1/config:save",
	  .summary = "Begin with this revision, for as long as the startup file stays as it is",
	  .post = { .handle = post_save, .summary = "{revision}", .statuses = "200 404 409 422" } },
	{ .pattern = NULL },
};
