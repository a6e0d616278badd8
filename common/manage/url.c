/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes a request target apart: segments of the path, parameters of the query, both decoded (RFC 3986). The
 * HTTP library's own decoding is not used because it turns %2F into a separator. Data belongs to the
 * exchange.
 */
#include "manage/rest_private.h"

#include <stdlib.h>
#include <string.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool url_decode(char *text, bool plus)
{
	char *to = text;
	for (const char *from = text; *from; from++) {
		if (*from == '+' && plus) {
			*to++ = ' ';
		} else if (*from == '%') {
			int high = hex(from[1]), low = high < 0 ? -1 : hex(from[2]);
			if (low < 0 || high + low == 0)
				return false;
			*to++ = (char)(high << 4 | low);
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	*to = 0;
	return true;
}

static bool split_path(struct rest_exchange *exchange, const char **why)
{
	char *at = exchange->decoded;
	while (*at == '/') {
		if (exchange->segment_count == REST_SEGMENTS) {
			*why = "the path has too many segments";
			return false;
		}
		*at++ = 0;
		exchange->raw[exchange->segment_count] = exchange->path + (at - exchange->decoded);
		exchange->segments[exchange->segment_count++] = at;
		at += strcspn(at, "/");
	}
	for (unsigned i = 0; i < exchange->segment_count; i++) {
		char *segment = exchange->segments[i];
		if (!url_decode(segment, false)) {
			*why = "the path has a bad escape";
			return false;
		}
		if (!strcmp(segment, ".") || !strcmp(segment, "..")) {
			*why = "the path has a dot segment";
			return false;
		}
	}
	return true;
}

static bool add_query(struct rest_exchange *exchange, const char *text, size_t length, const char **why)
{
	const char *equals = memchr(text, '=', length);
	size_t name_length = equals ? (size_t)(equals - text) : length;
	char *name = strndup(text, name_length);
	char *value = equals ? strndup(equals + 1, length - name_length - 1) : strdup("");
	if (name && value && exchange->query_count < REST_QUERY && url_decode(name, true) &&
	    url_decode(value, true)) {
		exchange->query[exchange->query_count++] = (struct param){ name, value };
		return true;
	}
	*why = exchange->query_count == REST_QUERY ? "the query has too many parameters"
	                                           : "the query has a bad escape";
	free(name);
	free(value);
	return false;
}

static bool split_query(struct rest_exchange *exchange, const char **why)
{
	const char *at = exchange->query_text;
	while (at && *at) {
		size_t length = strcspn(at, "&");
		if (length && !add_query(exchange, at, length, why))
			return false;
		at += length + (at[length] == '&');
	}
	return true;
}

bool url_split(struct rest_exchange *exchange, const char **why)
{
	exchange->decoded = strdup(exchange->path);
	if (!exchange->decoded) {
		*why = "out of memory";
		return false;
	}
	return split_path(exchange, why) && split_query(exchange, why);
}
