/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Patterns of paths, and which one a path belongs to. Patterns are made before the server listens and only
 * read afterwards; what a match finds belongs to the exchange.
 */
#include "manage/rest_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void bad_pattern(struct errors *errors, const struct rest_route *route, const char *what)
{
	errors_add(errors, NULL, "bad-route", NULL, 0, "route %s: %s", route->pattern, what);
}

/* {name}, {name}:action, {name*} */
static const char *parse_braces(struct segment *segment, const char *text, size_t length)
{
	const char *end = memchr(text, '}', length);
	if (!end || end == text + 1)
		return "a parameter is written {name}";
	bool tail = end[-1] == '*';
	size_t after = length - (size_t)(end + 1 - text);
	if (after && (tail || end[1] != ':'))
		return "only :action may follow a parameter";
	segment->kind = tail ? SEGMENT_TAIL : after ? SEGMENT_ACTION : SEGMENT_PARAM;
	segment->text = strndup(text + 1, (size_t)(end - text) - 1 - tail);
	segment->action = after ? strndup(end + 1, after) : NULL;
	return segment->text && (!after || segment->action) ? NULL : "out of memory";
}

static const char *parse_segment(struct segment *segment, const char *text, size_t length)
{
	if (length && text[0] == '{')
		return parse_braces(segment, text, length);
	segment->kind = SEGMENT_LITERAL;
	segment->text = strndup(text, length);
	return segment->text ? NULL : "out of memory";
}

bool pattern_parse(struct pattern *pattern, const struct rest_route *route, struct errors *errors)
{
	const char *at = route->pattern, *wrong = *at == '/' ? NULL : "a pattern begins with /";
	memset(pattern, 0, sizeof *pattern);
	pattern->route = route;
	while (!wrong && *at == '/') {
		size_t length = strcspn(++at, "/");
		if (pattern->count == REST_SEGMENTS)
			wrong = "too many segments";
		else if (pattern->count && pattern->segments[pattern->count - 1].kind == SEGMENT_TAIL)
			wrong = "a tail comes last";
		else
			wrong = parse_segment(&pattern->segments[pattern->count++], at, length);
		at += length;
	}
	if (!wrong)
		return true;
	bad_pattern(errors, route, wrong);
	pattern_free(pattern);
	return false;
}

void pattern_free(struct pattern *pattern)
{
	for (unsigned i = 0; i < pattern->count; i++) {
		free(pattern->segments[i].text);
		free(pattern->segments[i].action);
	}
	pattern->count = 0;
}

static bool segment_match(const struct segment *segment, const char *text)
{
	if (segment->kind == SEGMENT_LITERAL)
		return !strcmp(segment->text, text);
	if (segment->kind != SEGMENT_ACTION)
		return *text != 0;
	size_t length = strlen(text), action = strlen(segment->action);
	return length > action && !strcmp(text + length - action, segment->action);
}

static bool pattern_match(const struct pattern *pattern, const struct rest_exchange *exchange)
{
	unsigned count = pattern->count;
	bool tail = pattern->segments[count - 1].kind == SEGMENT_TAIL;
	if (tail ? exchange->segment_count < count : exchange->segment_count != count)
		return false;
	for (unsigned i = 0; i < count; i++)
		if (!segment_match(&pattern->segments[i], exchange->segments[i]))
			return false;
	return true;
}

static bool pattern_wins(const struct pattern *a, const struct pattern *b)
{
	if (!b)
		return true;
	for (unsigned i = 0; i < a->count && i < b->count; i++)
		if (a->segments[i].kind != b->segments[i].kind)
			return a->segments[i].kind > b->segments[i].kind;
	return a->count > b->count;
}

static void fill_params(struct rest_exchange *exchange, const struct pattern *pattern)
{
	for (unsigned i = 0; i < pattern->count; i++) {
		const struct segment *segment = &pattern->segments[i];
		if (segment->kind == SEGMENT_LITERAL)
			continue;
		struct param *param = &exchange->params[exchange->param_count++];
		param->name = segment->text;
		if (segment->kind == SEGMENT_TAIL) {
			param->value = strdup(exchange->raw[i]);
			continue;
		}
		size_t cut = segment->action ? strlen(segment->action) : 0;
		param->value = strndup(exchange->segments[i], strlen(exchange->segments[i]) - cut);
	}
}

const struct rest_route *route_find(struct rest_exchange *exchange)
{
	const struct rest *rest = exchange->rest;
	const struct pattern *best = NULL;
	for (size_t i = 0; i < rest->pattern_count; i++)
		if (pattern_match(&rest->patterns[i], exchange) && pattern_wins(&rest->patterns[i], best))
			best = &rest->patterns[i];
	if (!best)
		return NULL;
	fill_params(exchange, best);
	return best->route;
}

const struct rest_method *route_method(const struct rest_route *route, const char *method)
{
	const struct {
		const char *name;
		const struct rest_method *method;
	} methods[] = {
		{ "GET", &route->get },     { "HEAD", &route->get },  { "PUT", &route->put },
		{ "PATCH", &route->patch }, { "POST", &route->post }, { "DELETE", &route->del },
	};
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
		if (!strcmp(method, methods[i].name))
			return methods[i].method->handle ? methods[i].method : NULL;
	return NULL;
}

void route_allow(const struct rest_route *route, char *text, size_t size)
{
	snprintf(text, size, "%s%s%s%s%sOPTIONS", route->get.handle ? "GET, HEAD, " : "",
	         route->put.handle ? "PUT, " : "", route->patch.handle ? "PATCH, " : "",
	         route->post.handle ? "POST, " : "", route->del.handle ? "DELETE, " : "");
}
