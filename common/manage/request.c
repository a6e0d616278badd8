/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a handler asks of its request: parameters, headers, preconditions. Reads the exchange; its thread is
 * the handler's.
 */
#include "manage/rest_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/problem.h"

static const char *find(const struct param *params, unsigned count, const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (!strcmp(params[i].name, name))
			return params[i].value;
	return NULL;
}

const char *rest_param(const struct rest_request *request, const char *name)
{
	return find(request->exchange->params, request->exchange->param_count, name);
}

const char *rest_query(const struct rest_request *request, const char *name)
{
	return find(request->exchange->query, request->exchange->query_count, name);
}

bool rest_query_number(const struct rest_request *request, struct rest_reply *reply, const char *name,
                       int64_t min, int64_t max, int64_t otherwise, int64_t *value)
{
	const char *text = rest_query(request, name);
	char *end;
	*value = otherwise;
	if (!text)
		return true;
	errno = 0;
	*value = strtoll(text, &end, 10);
	if (end != text && !*end && !errno && *value >= min && *value <= max)
		return true;
	rest_problem(reply, 400,
	             "query parameter %s: expected a number from %" PRId64 " to %" PRId64 ", not \"%s\"",
	             name, min, max, text);
	return false;
}

bool rest_query_flag(const struct rest_request *request, const char *name)
{
	const char *text = rest_query(request, name);
	return text && strcmp(text, "0") && strcmp(text, "false");
}

const char *rest_header(const struct rest_request *request, const char *name)
{
	return MHD_lookup_connection_value(request->exchange->connection, MHD_HEADER_KIND, name);
}

void rest_whoami(const struct rest_request *request, struct rest_reply *reply)
{
	const struct caller *caller = &request->caller;
	rest_reply_json(reply, 200,
	                json_pack("{s:s, s:s, s:s, s:s}", "subject", caller->subject, "role",
	                          role_name(caller->role), "how", caller->how, "address", caller->address));
}

/* Whether a list of entity tags (`"a", W/"b"` or `*`) names this one. Weak tags count only if `weak` (RFC
 * 9110 8.8.3.2). */
static bool tag_listed(const char *list, const char *tag, bool weak)
{
	size_t length = tag ? strlen(tag) : 0;
	while (*(list += strspn(list, ", \t"))) {
		bool is_weak = !strncmp(list, "W/", 2);
		if (*list == '*')
			return tag;
		list += is_weak ? 2 : 0;
		if (*list != '"')
			return false;
		size_t size = strcspn(++list, "\"");
		if (tag && size == length && !memcmp(list, tag, size) && (weak || !is_weak))
			return true;
		list += size + (list[size] == '"');
	}
	return false;
}

bool rest_match(const struct rest_request *request, struct rest_reply *reply, const char *current)
{
	const char *match = rest_header(request, "If-Match"), *none = rest_header(request, "If-None-Match");
	if ((!match || tag_listed(match, current, false)) && (!none || !tag_listed(none, current, true)))
		return true;
	if (!current)
		rest_problem(reply, 412, "the resource does not exist");
	else
		rest_problem(reply, 412, "the resource is at \"%s\"; asked for was %s%s", current,
		             match ? "If-Match: " : "If-None-Match: ", match ? match : none);
	if (current)
		rest_reply_etag(reply, "%s", current);
	return false;
}

void reply_not_modified(struct rest_exchange *exchange)
{
	struct rest_reply *reply = &exchange->reply;
	const char *none = rest_header(&exchange->request, "If-None-Match");
	if (!none || !reply->etag || reply->status != 200 || strcmp(exchange->request.method, "GET") ||
	    reply->stream)
		return;
	if (tag_listed(none, reply->etag, true))
		rest_reply_status(reply, 304);
}
