/* SPDX-License-Identifier: BSD-3-Clause */
/* Times as text. */
#include "manage/timestamp.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SPAN_MAX = 1000000000 };

const char *timestamp_write(time_t when, char *text)
{
	struct tm utc;
	gmtime_r(&when, &utc);
	strftime(text, TIMESTAMP_SIZE, "%Y-%m-%dT%H:%M:%SZ", &utc);
	return text;
}

const char *timestamp_now(char *text)
{
	struct timespec now;
	struct tm utc;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t length = strftime(text, TIMESTAMP_SIZE, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + length, TIMESTAMP_SIZE - length, ".%06ldZ", now.tv_nsec / 1000);
	return text;
}

/* Seconds of a unit; 0: none. */
static long unit_of(char letter)
{
	return letter == 's' ? 1 : letter == 'm' ? 60 : letter == 'h' ? 3600 : letter == 'd' ? 86400 : 0;
}

static bool read_span(const char *text, time_t now, time_t *end)
{
	char *rest;
	long long count = isdigit((unsigned char)text[0]) ? strtoll(text, &rest, 10) : 0;
	long unit = count > 0 && count <= SPAN_MAX ? unit_of(*rest) : 0;
	if (!unit || rest[1] || count > SPAN_MAX / unit)
		return false;
	*end = now + count * unit;
	return true;
}

bool timestamp_read_end(const char *text, time_t now, time_t *end)
{
	struct tm utc = { 0 };
	if (read_span(text, now, end))
		return true;
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &utc);
	if (!rest || *rest)
		return false;
	*end = timegm(&utc);
	return *end > now;
}
