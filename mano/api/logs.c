/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: the last of what processes and sluiced itself have logged. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "manage/problem.h"
#include "util/memory.h"

enum { BYTES = 64 << 10, BYTES_MAX = 1 << 20 };

static bool bytes_of(const struct rest_request *request, struct rest_reply *reply, size_t *bytes)
{
	int64_t asked;

	if (!rest_query_number(request, reply, "bytes", 1, BYTES_MAX, BYTES, &asked))
		return false;
	*bytes = (size_t)asked;
	return true;
}

/* Whole lines only: what is cut off at the front goes. Takes the text over. */
static void reply_lines(struct rest_reply *reply, char *text, size_t bytes)
{
	size_t length = strlen(text);
	char *newline = length >= bytes ? strchr(text, '\n') : NULL;

	if (newline) {
		length -= (size_t)(newline + 1 - text);
		memmove(text, newline + 1, length + 1);
	}
	rest_reply_text(reply, 200, "text/plain; charset=utf-8", text, length);
}

static void get_process_log(const struct rest_request *request, struct rest_reply *reply)
{
	const char *service = rest_param(request, "service"), *vnf = rest_query(request, "vnf");
	size_t bytes;
	char *text;

	if (!bytes_of(request, reply, &bytes))
		return;
	text = manager_log(manager_of(request), service, vnf ? vnf : "", bytes);
	if (text)
		reply_lines(reply, text, bytes);
	else if (vnf && *vnf)
		reply_no_vnf(reply, service, vnf);
	else
		reply_no_service(reply, service);
}

/* The last bytes of a file, malloc'd; NULL: it cannot be read. */
static char *tail_of(const char *path, size_t bytes)
{
	FILE *file = fopen(path, "re");
	char *text;
	long end;

	if (!file)
		return NULL;
	text = memory_new(bytes + 1, 1);
	end = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
	if (fseek(file, end > (long)bytes ? end - (long)bytes : 0, SEEK_SET) == 0)
		text[fread(text, 1, bytes, file)] = '\0';
	fclose(file);
	return text;
}

static void get_own_log(const struct rest_request *request, struct rest_reply *reply)
{
	const char *file = api_of(request)->options->log_file;
	size_t bytes;
	char *text;

	if (!bytes_of(request, reply, &bytes))
		return;
	text = file ? tail_of(file, bytes) : NULL;
	if (text)
		reply_lines(reply, text, bytes);
	else if (file)
		rest_problem(reply, 503, "the log %s cannot be read", file);
	else
		rest_problem(reply, 404,
		             "sluiced logs to standard error, not to a file: journalctl -u sluiced");
}

const struct rest_route log_routes[] = {
	{ .pattern = "/v1/services/{service}/logs",
	  .summary = "What the service process logged, or with ?vnf= a VNF's",
	  .get = { .handle = get_process_log,
	           .summary = "The last ?bytes= of it (65536), whole lines",
	           .role = ROLE_OPERATOR,
	           .query = "vnf bytes",
	           .types = "text/plain",
	           .statuses = "200 404" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/logs",
	  .summary = "What sluiced logged, if to a file",
	  .get = { .handle = get_own_log,
	           .summary = "The last ?bytes= of it (65536), whole lines",
	           .role = ROLE_OPERATOR,
	           .query = "bytes",
	           .types = "text/plain",
	           .statuses = "200 404" },
	  .flags = REST_SLOW },
	{ .pattern = NULL },
};
