/* SPDX-License-Identifier: BSD-3-Clause */
/* Passing requests on to the processes. One exchange each, on the handler's thread. See api.h. */
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "lifecycle/unit.h"
#include "manage/client.h"
#include "manage/problem.h"
#include "util/memory.h"

enum { PROXY_MS = 60000, ENDING_MS = 1000 };

/* An exchange under way. */
struct passing {
	struct manager *manager;
	uint64_t since; /* unit_now() */
};

/* Our end waits for no process that takes long. */
static bool give_up(void *user)
{
	const struct passing *passing = user;

	return unit_now() - passing->since >= ENDING_MS && manager_is_stopping(passing->manager);
}

/* Headers of the request that mean something to the process, and whose wish this is. */
static size_t pick_headers(const struct rest_request *request, bool tags, char **headers)
{
	static const char *const names[] = { "Accept", "If-Match", "If-None-Match" };
	char author[AUTHOR_SIZE];
	size_t count = 0;

	for (size_t i = 0; i < (tags ? 3 : 1); i++) {
		const char *value = rest_header(request, names[i]);

		if (value)
			headers[count++] = text_format("%s: %s", names[i], value);
	}
	author_of(request, author, sizeof(author));
	headers[count++] = text_format(REST_ON_BEHALF ": %s", author);
	headers[count] = NULL;
	return count;
}

/* The next page is one of ours: the cursor is the process's, the path is not. */
static void pass_link(const struct rest_request *request, struct rest_reply *reply, const char *link)
{
	const char *query = strchr(link, '?');

	if (query)
		rest_reply_header(reply, "Link", "<%s%s", request->path, query);
}

static void pass_headers(const struct rest_request *request, struct rest_reply *reply,
                         const struct http_reply *from, bool tags)
{
	if (from->etag && tags)
		rest_reply_header(reply, "ETag", "%s", from->etag);
	if (from->allow)
		rest_reply_header(reply, "Allow", "%s", from->allow);
	if (from->retry_after)
		rest_reply_header(reply, "Retry-After", "%s", from->retry_after);
	if (from->link)
		pass_link(request, reply, from->link);
}

static void pass_reply(const struct rest_request *request, struct rest_reply *reply, struct http_reply *from,
                       bool tags)
{
	if (from->length) {
		rest_reply_text(reply, from->status,
		                from->content_type ? from->content_type : "application/json", from->body,
		                from->length);
		from->body = NULL;
	} else {
		rest_reply_status(reply, from->status);
	}
	pass_headers(request, reply, from, tags);
}

/* The target there; ?vnf= was for us, and chose the process. */
static char *target_of(const char *path, const char *query)
{
	char *target = text_format("%s%s%s", path, query ? "?" : "", query ? query : ""),
	     *from = query ? target + strlen(path) + 1 : target + strlen(path), *to = from;

	while (*from) {
		size_t length = strcspn(from, "&");
		bool ours = strncmp(from, "vnf=", 4) == 0;

		length += from[length] == '&';
		if (!ours)
			memmove(to, from, length);
		to += ours ? 0 : length;
		from += length;
	}
	*to = '\0';
	return target;
}

void proxy(const struct rest_request *request, struct rest_reply *reply, const char *socket, const char *path,
           bool tags)
{
	char *headers[5], *full = target_of(path, request->query);
	size_t count = pick_headers(request, tags, headers);
	struct http_client *client = http_client_new();
	struct passing passing = { manager_of(request), unit_now() };
	struct http_request onward = { .target = socket,
		                       .method = request->method,
		                       .path = full,
		                       .headers = (const char *const *)headers,
		                       .body = request->body,
		                       .body_length = request->body_length,
		                       .content_type = request->content_type,
		                       .timeout_ms = PROXY_MS,
		                       .give_up = give_up,
		                       .user = &passing };
	struct http_reply answer = { 0 };

	if (client && http_request(client, &onward, &answer)) {
		pass_reply(request, reply, &answer, tags);
	} else {
		rest_problem(reply, answer.timed_out ? 504 : 503, "the process does not answer: %s",
		             answer.error);
		rest_reply_header(reply, "Retry-After", "1");
	}
	http_reply_free(&answer);
	http_client_free(client);
	for (size_t i = 0; i < count; i++)
		free(headers[i]);
	free(full);
}
