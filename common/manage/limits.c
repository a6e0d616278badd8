/* SPDX-License-Identifier: BSD-3-Clause */
/* The limits of a server by their names. Pure. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/rest.h"

static const struct schema limits_schema[] = {
	{ .name = "connections",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 65536,
	  .help = "Connections in all (256)." },
	{ .name = "perClient",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 65536,
	  .help = "Connections of a client (64)." },
	{ .name = "handshakes",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 65536,
	  .help = "Connections that have sent no request yet (64)." },
	{ .name = "rate",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 1000000,
	  .help = "Requests a second of a client (100)." },
	{ .name = "burst",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 1000000,
	  .help = "Requests of a client at once (200)." },
	{ .name = "body",
	  .type = SCHEMA_INT,
	  .unit = "bytes",
	  .min = 1024,
	  .max = 1 << 30,
	  .help = "Of a request (16 MiB)." },
	{ .name = "header",
	  .type = SCHEMA_INT,
	  .unit = "bytes",
	  .min = 512,
	  .max = 32768,
	  .help = "Of a request (16384)." },
	{ .name = "streams", .type = SCHEMA_INT, .min = 1, .max = 65536, .help = "Replies that go on (64)." },
	{ .name = "idle",
	  .type = SCHEMA_INT,
	  .unit = "s",
	  .min = 1,
	  .max = 86400,
	  .help = "Of a silent connection (60)." },
	{ .name = "headerTime",
	  .type = SCHEMA_INT,
	  .unit = "s",
	  .min = 1,
	  .max = 3600,
	  .help = "For handshake and headers (10)." },
	{ .name = "bodyTime",
	  .type = SCHEMA_INT,
	  .unit = "s",
	  .min = 1,
	  .max = 86400,
	  .help = "For a body, and a second more for each 16 KiB (30)." },
	{ .name = NULL },
};

const struct schema rest_schema[] = {
	{ .name = "listen",
	  .type = SCHEMA_STRING,
	  .help = "ADDRESS:PORT where REST is served, too, with TLS 1.3; *: all addresses. No address of a "
	          "traffic port." },
	{ .name = "limits", .type = SCHEMA_GROUP, .members = limits_schema, .help = "Limits of REST." },
	{ .name = NULL },
};

/* Members of rest_options, in the order of limits_schema; `large`: it is a size_t. */
static const struct {
	size_t offset;
	bool large;
} places[] = {
	{ offsetof(struct rest_options, connections), false },
	{ offsetof(struct rest_options, per_client), false },
	{ offsetof(struct rest_options, handshakes), false },
	{ offsetof(struct rest_options, rate), false },
	{ offsetof(struct rest_options, burst), false },
	{ offsetof(struct rest_options, body), true },
	{ offsetof(struct rest_options, header), false },
	{ offsetof(struct rest_options, streams), false },
	{ offsetof(struct rest_options, idle_s), false },
	{ offsetof(struct rest_options, header_s), false },
	{ offsetof(struct rest_options, body_s), false },
};
enum { LIMITS = sizeof(places) / sizeof(*places) };
_Static_assert(sizeof(limits_schema) / sizeof(*limits_schema) == LIMITS + 1, "a place for each limit");

static void list_names(char *why, size_t size)
{
	int used = snprintf(why, size, "there are:");

	for (unsigned i = 0; i < LIMITS && used > 0 && (size_t)used < size; i++)
		used += snprintf(why + used, size - (size_t)used, " %s", limits_schema[i].name);
}

static void set(struct rest_options *options, size_t i, int64_t value)
{
	char *at = (char *)options + places[i].offset;

	if (places[i].large)
		*(size_t *)(void *)at = (size_t)value;
	else
		*(unsigned *)(void *)at = (unsigned)value;
}

bool rest_limit(struct rest_options *options, const char *name, int64_t value, char *why, size_t size)
{
	const struct schema *limit = schema_find(limits_schema, name);

	if (!limit)
		list_names(why, size);
	else if (value < limit->min || value > limit->max)
		snprintf(why, size, "%s: expected %" PRId64 " to %" PRId64, name, limit->min, limit->max);
	else
		set(options, (size_t)(limit - limits_schema), value);
	return limit && value >= limit->min && value <= limit->max;
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
