/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pages of a list: limit, cursor, and the Link header of the next one (RFC 8288). Pure.
 */
#include "manage/pages.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/problem.h"
#include "manage/strbuf.h"

bool page_of_request(const struct rest_request *request, struct rest_reply *reply, struct page *page)
{
	int64_t limit;
	if (!rest_query_number(request, reply, "limit", 1, PAGE_LIMIT_MAX, PAGE_LIMIT, &limit))
		return false;
	page->limit = (unsigned)limit;
	page->cursor = rest_query(request, "cursor");
	return true;
}

bool page_number(const struct page *page, struct rest_reply *reply, uint64_t *number)
{
	char *end;
	*number = 0;
	if (!page->cursor)
		return true;
	errno = 0;
	*number = strtoull(page->cursor, &end, 10);
	if (isdigit((unsigned char)page->cursor[0]) && !*end && !errno)
		return true;
	rest_problem(reply, 400, "query parameter cursor: \"%s\" is not one that this list gave",
	             page->cursor);
	return false;
}

static void add_escaped(struct strbuf *out, const char *text)
{
	for (; *text; text++) {
		if (isalnum((unsigned char)*text) || strchr("-._~", *text))
			strbuf_putc(out, *text);
		else
			strbuf_printf(out, "%%%02X", (unsigned char)*text);
	}
}

/* The query as it came, without its cursor. */
static void add_other_query(struct strbuf *out, const char *query)
{
	while (query && *query) {
		size_t length = strcspn(query, "&");
		bool cursor = !strncmp(query, "cursor=", 7);
		if (length && !cursor) {
			strbuf_add(out, query, length);
			strbuf_putc(out, '&');
		}
		query += length + (query[length] == '&');
	}
}

void page_next(const struct rest_request *request, struct rest_reply *reply, const char *cursor)
{
	struct strbuf link = { 0 };
	strbuf_printf(&link, "%s?", request->path);
	add_other_query(&link, request->query);
	strbuf_puts(&link, "cursor=");
	add_escaped(&link, cursor);
	char *text = strbuf_take(&link, NULL);
	if (text)
		rest_reply_header(reply, "Link", "<%s>; rel=\"next\"", text);
	free(text);
}

/* Moves on from `at` to the next element that the filter lets through. */
static size_t next_match(const json_t *array, size_t at, const struct filter *filter)
{
	while (at < json_array_size(array) && !filter_match(filter, json_array_get(array, at)))
		at++;
	return at;
}

static void reply_page(const struct rest_request *request, struct rest_reply *reply, const json_t *array,
                       const struct filter *filter)
{
	struct page page;
	uint64_t from;
	if (!page_of_request(request, reply, &page) || !page_number(&page, reply, &from))
		return;
	json_t *out = json_array();
	size_t at = next_match(array, from, filter);
	while (at < json_array_size(array) && json_array_size(out) < page.limit) {
		json_array_append(out, json_array_get(array, at));
		at = next_match(array, at + 1, filter);
	}
	rest_reply_json(reply, 200, out);
	if (at < json_array_size(array)) {
		char cursor[32];
		snprintf(cursor, sizeof cursor, "%zu", at);
		page_next(request, reply, cursor);
	}
}

void page_reply(const struct rest_request *request, struct rest_reply *reply, json_t *array)
{
	struct filter *filter;
	if (filter_of_request(request, reply, &filter))
		reply_page(request, reply, array, filter);
	filter_free(filter);
	json_decref(array);
}
