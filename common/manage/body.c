/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bodies of requests: their types, JSON and NDJSON. Runs on the pool. Depth is checked before parsing,
 * because the parser recurses and the pool's stacks are small.
 */
#include "manage/rest_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "manage/problem.h"

unsigned body_type(const char *content_type)
{
	static const struct {
		const char *name;
		enum rest_type type;
	} types[] = {
		{ "application/json", REST_JSON },
		{ "application/merge-patch+json", REST_MERGE_PATCH },
		{ "application/x-ndjson", REST_NDJSON },
		{ "application/octet-stream", REST_BINARY },
	};
	size_t length = content_type ? strcspn(content_type, "; \t") : 0;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (length == strlen(types[i].name) && !strncasecmp(content_type, types[i].name, length))
			return types[i].type;
	return 0;
}

bool body_too_deep(const char *text, size_t length)
{
	unsigned depth = 0;
	bool quoted = false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];
		if (quoted && c == '\\')
			i++;
		else if (c == '"')
			quoted = !quoted;
		else if (!quoted && (c == '{' || c == '[') && ++depth > REST_JSON_DEPTH)
			return true;
		else if (!quoted && (c == '}' || c == ']') && depth)
			depth--;
	}
	return false;
}

static void bad_json(struct rest_reply *reply, unsigned line, int column, const char *what)
{
	struct errors errors = ERRORS_NONE;
	errors_add(&errors, NULL, "bad-json", "body", line, "column %d: %s", column, what);
	rest_problem_errors(reply, 400, &errors, "the body is not JSON: line %u, column %d: %s", line, column,
	                    what);
	errors_free(&errors);
}

static json_t *parse(struct rest_reply *reply, const char *text, size_t length, unsigned first_line)
{
	json_error_t error;
	if (body_too_deep(text, length)) {
		rest_problem(reply, 400, "line %u: JSON is nested deeper than %d", first_line,
		             REST_JSON_DEPTH);
		return NULL;
	}
	json_t *json = json_loadb(text, length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &error);
	if (!json)
		bad_json(reply, first_line - 1 + (unsigned)error.line, error.column, error.text);
	return json;
}

bool body_parse(struct rest_exchange *exchange)
{
	if (!exchange->body_length || exchange->method->accepts & REST_ANY ||
	    body_type(exchange->request.content_type) & (REST_NDJSON | REST_BINARY))
		return true;
	exchange->json = parse(&exchange->reply, exchange->body, exchange->body_length, 1);
	exchange->request.json = exchange->json;
	return exchange->json;
}

static bool blank(const char *text, size_t length)
{
	return strspn(text, " \t\r") >= length;
}

bool rest_ndjson(const struct rest_request *request, struct rest_reply *reply,
                 bool (*each)(void *state, json_t *item, unsigned line), void *state)
{
	const char *at = request->body, *end = at ? at + request->body_length : NULL;
	for (unsigned line = 1; at && at < end; line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		size_t length = (size_t)((newline ? newline : end) - at);
		if (!blank(at, length)) {
			json_t *item = parse(reply, at, length, line);
			bool go_on = item && each(state, item, line);
			json_decref(item);
			if (!go_on)
				return false;
		}
		at += length + 1;
	}
	return true;
}
