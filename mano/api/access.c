/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may do what here. At its first start sluiced makes an authority of its own, a certificate for itself,
 * and a certificate and a token for an admin, all in STATE/access: there is no default password to change or
 * to forget. REST: tokens, and who one is.
 */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "lifecycle/credentials.h"
#include "manage/access_setup.h"
#include "manage/audit.h"
#include "manage/log.h"
#include "manage/pages.h"
#include "manage/problem.h"
#include "manage/timestamp.h"
#include "util/memory.h"

static bool renew(const struct api *api, struct errors *errors)
{
	struct access_hosts *hosts = memory_new(1, sizeof(*hosts));
	const struct api_options *options = api->options;

	access_hosts_usual(hosts);
	for (unsigned i = 0; i < options->names_count; i++)
		access_hosts_add(hosts, options->names[i]);
	for (unsigned i = 0; i < options->listen_count; i++)
		access_hosts_listener(hosts, options->listen[i]);
	bool done = access_renew(api->access_folder, "sluiced", hosts, errors);
	free(hosts);
	return done;
}

void api_renew(struct api *api)
{
	struct errors errors = ERRORS_NONE;
	char line[512];

	if (!renew(api, &errors) && errors.count) {
		error_format(&errors.list[0], line, sizeof(line));
		log_error("certificate-failed", "error=%s", line);
	}
	errors_free(&errors);
	credentials_renew(api->manager);
}

bool access_prepare(struct api *api, struct errors *errors)
{
	const char *state = api->manager->options.state_folder;
	char *audit = text_format("%s/audit", state);
	struct audit_options options = { .folder = audit };
	bool done;

	api->access_folder = text_format("%s/access", state);
	if (renew(api, errors) && (api->audit = audit_open(&options, errors)))
		api->access = access_open(api->access_folder, NULL, errors);
	done = api->access && access_first_token(api->access_folder, api->access, errors);
	free(audit);
	return done;
}

/* --- REST --- */

static struct tokens *tokens_of(const struct rest_request *request)
{
	return access_tokens(api_of(request)->access);
}

static void get_tokens(const struct rest_request *request, struct rest_reply *reply)
{
	page_reply(request, reply, tokens_list(tokens_of(request)));
}

static void get_token(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "token");
	json_t *token = tokens_show(tokens_of(request), name);

	if (token)
		rest_reply_json(reply, 200, token);
	else
		rest_problem(reply, 404, "there is no token \"%s\"", name);
}

static void check_members(const json_t *body, struct errors *errors)
{
	static const char *const known[] = { "name", "role", "expires" };
	const char *name;
	json_t *value;

	if (!json_is_object(body))
		errors_add(errors, "", "bad-type", NULL, 0, "expected {\"name\", \"role\", \"expires\"}");
	json_object_foreach((json_t *)(uintptr_t)body, name, value)
	{
		bool found = false;

		for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
			found |= strcmp(known[i], name) == 0;
		if (!found)
			errors_add(errors, name, "unknown-member", NULL, 0, "there is no such member");
		else if (!json_is_string(value))
			errors_add(errors, name, "bad-type", NULL, 0, "expected a string");
	}
}

/* What is asked for; errors if it is not fit. */
static struct token_order read_order(const json_t *body, time_t now, struct errors *errors)
{
	const char *role = json_string_value(json_object_get(body, "role")),
	           *expires = json_string_value(json_object_get(body, "expires"));
	struct token_order order = { .name = json_string_value(json_object_get(body, "name")),
		                     .role = role_parse(role) };

	check_members(body, errors);
	if (!errors_any(errors) && !order.role)
		errors_add(errors, "role", "bad-value", NULL, 0, "expected viewer, operator or admin");
	if (!errors_any(errors) && expires && !timestamp_read_end(expires, now, &order.expires))
		errors_add(errors, "expires", "bad-value", NULL, 0,
		           "expected a span (90d, 12h, 30m, 45s) or a time to come "
		           "(2030-01-31T12:00:00Z), not \"%s\"",
		           expires);
	return order;
}

static void refuse_token(struct rest_reply *reply, const struct errors *errors)
{
	const char *code = errors->list[0].code;
	unsigned status = strcmp(code, "exists") == 0 || strcmp(code, "too-many") == 0              ? 409
	                  : strcmp(code, "write-failed") == 0 || strcmp(code, "no-randomness") == 0 ? 503
	                                                                                            : 422;

	rest_problem_errors(reply, status, errors, "%s", errors->list[0].detail);
	if (status == 503)
		rest_reply_header(reply, "Retry-After", "10");
}

static void post_token(const struct rest_request *request, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	time_t now = time(NULL);
	struct token_order order = read_order(request->json, now, &errors);
	char text[TOKEN_LENGTH + 1], author[AUTHOR_SIZE];

	if (reply_no_dry_run(request, reply)) {
		errors_free(&errors);
		return;
	}
	order.author = author_of(request, author, sizeof(author));
	if (!errors_any(&errors) && tokens_create(tokens_of(request), &order, now, text, &errors)) {
		json_t *token = tokens_show(tokens_of(request), order.name);

		rest_reply_note(reply, json_deep_copy(token));
		json_object_set_new(token, "token", json_string(text));
		rest_reply_json(reply, 201, token);
		rest_reply_location(reply, "/v1/tokens/%s", order.name);
		rest_reply_header(reply, "Cache-Control", "no-store");
		explicit_bzero(text, sizeof(text));
	} else {
		refuse_token(reply, &errors);
	}
	errors_free(&errors);
}

static void delete_token(const struct rest_request *request, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	const char *name = rest_param(request, "token");

	if (reply_no_dry_run(request, reply))
		return;
	int done = tokens_revoke(tokens_of(request), name, &errors);

	if (!done)
		rest_problem(reply, 404, "there is no token \"%s\"", name);
	else if (done < 0)
		refuse_token(reply, &errors);
	errors_free(&errors);
}

const struct rest_route access_routes[] = {
	{ .pattern = "/v1/tokens",
	  .summary = "Tokens that let their owners in",
	  .get = { .handle = get_tokens,
	           .summary = "List them",
	           .role = ROLE_ADMIN,
	           .query = "filter limit cursor",
	           .answer = "Token[]" },
	  .post = { .handle = post_token,
	            .summary = "Make one: the only time that it is shown",
	            .body = "TokenOrder",
	            .answer = "NewToken",
	            .role = ROLE_ADMIN,
	            .statuses = "201 409 422" },
	  .body_limit = 4096 },
	{ .pattern = "/v1/tokens/{token}",
	  .summary = "One token",
	  .get = { .handle = get_token,
	           .summary = "Read it",
	           .answer = "Token",
	           .role = ROLE_ADMIN,
	           .statuses = "200 404" },
	  .del = { .handle = delete_token,
	           .summary = "Revoke it",
	           .role = ROLE_ADMIN,
	           .statuses = "204 404" } },
	{ .pattern = "/v1/whoami",
	  .summary = "Who one is here",
	  .get = { .handle = rest_whoami, .summary = "Subject and role", .answer = "Caller" } },
	{ .pattern = NULL },
};
