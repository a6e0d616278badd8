/* SPDX-License-Identifier: BSD-3-Clause */
/* The limits of a server by their names. Pure. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/rest.h"

/* `large`: the member is a size_t. */
static const struct limit {
	const char *name;
	size_t offset;
	int64_t min, max;
	bool large;
} limits[] = {
	{ "connections", offsetof(struct rest_options, connections), 1, 65536, false },
	{ "perClient", offsetof(struct rest_options, per_client), 1, 65536, false },
	{ "handshakes", offsetof(struct rest_options, handshakes), 1, 65536, false },
	{ "rate", offsetof(struct rest_options, rate), 1, 1000000, false },
	{ "burst", offsetof(struct rest_options, burst), 1, 1000000, false },
	{ "body", offsetof(struct rest_options, body), 1024, 1 << 30, true },
	{ "header", offsetof(struct rest_options, header), 512, 32768, false },
	{ "streams", offsetof(struct rest_options, streams), 1, 65536, false },
	{ "idle", offsetof(struct rest_options, idle_s), 1, 86400, false },
	{ "headerTime", offsetof(struct rest_options, header_s), 1, 3600, false },
	{ "bodyTime", offsetof(struct rest_options, body_s), 1, 86400, false },
};
enum { LIMITS = sizeof limits / sizeof *limits };

static void list_names(char *why, size_t size)
{
	int used = snprintf(why, size, "there are:");
	for (unsigned i = 0; i < LIMITS && used > 0 && (size_t)used < size; i++)
		used += snprintf(why + used, size - (size_t)used, " %s", limits[i].name);
}

static void set(struct rest_options *options, const struct limit *limit, int64_t value)
{
	char *at = (char *)options + limit->offset;
	if (limit->large)
		*(size_t *)(void *)at = (size_t)value;
	else
		*(unsigned *)(void *)at = (unsigned)value;
}

bool rest_limit(struct rest_options *options, const char *name, int64_t value, char *why, size_t size)
{
	const struct limit *limit = limits;
	while (limit < limits + LIMITS && strcmp(limit->name, name))
		limit++;
	if (limit == limits + LIMITS) {
		list_names(why, size);
	} else if (value < limit->min || value > limit->max) {
		snprintf(why, size, "%s: expected %" PRId64 " to %" PRId64, name, limit->min, limit->max);
	} else {
		set(options, limit, value);
		return true;
	}
	return false;
}

bool rest_limit_text(struct rest_options *options, const char *text, char *why, size_t size)
{
	const char *equals = strchr(text, '=');
	char name[32], *end = NULL;
	long long value = equals && equals[1] ? strtoll(equals + 1, &end, 10) : 0;
	if (!end || *end) {
		snprintf(why, size, "expected NAME=NUMBER");
		return false;
	}
	snprintf(name, sizeof name, "%.*s", (int)(equals - text), text);
	return rest_limit(options, name, value, why, size);
}
