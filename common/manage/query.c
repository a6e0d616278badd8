/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Query parameters of the route tables: what is documented of them is checked before a handler runs, so that
 * a request that is wrong has no effect at all. Pure, but for the reply.
 */
#include "manage/rest_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/problem.h"

/* Query parameters that mean the same wherever they are. Any other is a text. */
static const struct query_parameter parameters[] = {
	{ "wait", "integer", "Seconds to wait for the end of the operation.", 0, 3600 },
	{ "dryRun", "boolean", "Say what would change, change nothing.", 0, 0 },
	{ "confirm", "integer", "Undo the change after so many seconds unless it is confirmed.", 1, 86400 },
	{ "comment", "string", "Why, for the history.", 0, 0 },
	{ "limit", "integer", "So many at most.", 1, 1000 },
	{ "cursor", "string", "Where the page begins: as the Link of the one before says.", 0, 0 },
	{ "filter", "string", "Attributes: (eq,name,value);(in,name,a,b).", 0, 0 },
	{ "last", "integer", "The id of the last event that is known already.", 0, INT64_MAX },
	{ "bytes", "integer", "So many bytes of its end at most.", 1, 16 << 20 },
	{ "kind", "string", "Events of this kind alone.", 0, 0 },
	{ "subject", "string", "Events of this subject alone.", 0, 0 },
	{ "vnf", "string", "Of this VNF.", 0, 0 },
};

bool query_next(const char **names, struct query_parameter *parameter, char *name, size_t size)
{
	const char *at = *names ? *names + strspn(*names, " ") : "";
	size_t word = strcspn(at, " "), length = strcspn(at, " <");
	*names = at + word;
	snprintf(name, size, "%.*s", (int)length, at);
	*parameter = (struct query_parameter){ .name = name, .type = "string" };
	for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++)
		if (!strcmp(parameters[i].name, name))
			*parameter = parameters[i];
	if (length < word)
		parameter->max = strtoll(at + length + 2, NULL, 10);
	return word;
}

static bool is_declared(const char *names, const char *wanted)
{
	struct query_parameter one;
	char name[32];
	while (query_next(&names, &one, name, sizeof name))
		if (!strcmp(name, wanted))
			return true;
	return false;
}

/* True unless it asks in earnest for what this path does not do. What is done at once may be waited for, and what
 * cannot be undone is known to handlers alone. */
static bool undeclared_fits(struct rest_exchange *exchange, const char *name)
{
	const struct rest_request *request = &exchange->request;
	bool dry_run = !strcmp(name, "dryRun");
	if (!strcmp(name, "wait") || !strcmp(name, "confirm") || (dry_run && !rest_query_flag(request, name)))
		return true;
	if (dry_run)
		rest_problem(&exchange->reply, 422, "%s %s has no dry run", request->method, request->path);
	else
		rest_problem(&exchange->reply, 400, "unknown query parameter \"%s\"; known here: %s", name,
		             exchange->method->query ? exchange->method->query : "none");
	return false;
}

/* A change is refused for a parameter that nobody looks at: whoever wrote ?dryrun=1 meant that nothing changes. */
static bool all_declared(struct rest_exchange *exchange)
{
	const struct rest_route *route = exchange->request.route;
	if (exchange->method == &route->get || route->flags & REST_PASSED_ON)
		return true;
	for (unsigned i = 0; i < exchange->query_count; i++)
		if (!is_declared(exchange->method->query, exchange->query[i].name) &&
		    !undeclared_fits(exchange, exchange->query[i].name))
			return false;
	return true;
}

bool query_fits(struct rest_exchange *exchange)
{
	const char *names = exchange->method->query;
	struct query_parameter one;
	char name[32];
	int64_t number;
	if (!all_declared(exchange))
		return false;
	while (query_next(&names, &one, name, sizeof name))
		if (one.max && !rest_query_number(&exchange->request, &exchange->reply, one.name, one.min,
		                                  one.max, one.min, &number))
			return false;
	return true;
}
