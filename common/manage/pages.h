/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Filtering and paging of lists: attribute filters as ETSI GS NFV-SOL 013 clause 5.2 has them, and cursors
 * with one `Link: <...>; rel="next"` header. Pure; any thread.
 */
#ifndef SLUICE_MANAGE_PAGES_H
#define SLUICE_MANAGE_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "manage/rest.h"

struct filter;

/*
 * Parses `(eq,a/b,val);(in,c,x,y)`; operators eq neq gt gte lt lte cont in nin ncont. Values may be put in
 * single quotes (a quote inside is doubled). NULL with the reason in `why` if it is malformed. All
 * expressions must hold.
 */
struct filter *filter_parse(const char *text, char *why, size_t size);
/* A NULL filter holds for everything. An attribute path goes through arrays: one element that matches is
 * enough. */
bool filter_match(const struct filter *filter, const json_t *object);
void filter_free(struct filter *filter);

/* ?filter= of a request: true and *filter (NULL: none given; the caller frees it), or false with a 400 in the
 * reply. */
bool filter_of_request(const struct rest_request *request, struct rest_reply *reply, struct filter **filter);

enum { PAGE_LIMIT = 100, PAGE_LIMIT_MAX = 1000 };

struct page {
	unsigned limit;     /* ?limit=, else PAGE_LIMIT */
	const char *cursor; /* ?cursor=, opaque to the client; NULL: from the start */
};

/* Reads ?limit= and ?cursor=; false: the reply is a 400. */
bool page_of_request(const struct rest_request *request, struct rest_reply *reply, struct page *page);
/* The cursor as a number (for sources that go by one); false: the reply is a 400. */
bool page_number(const struct page *page, struct rest_reply *reply, uint64_t *number);
/* Adds the Link header of the next page: this request's own path and query with that cursor. */
void page_next(const struct rest_request *request, struct rest_reply *reply, const char *cursor);

/*
 * A whole answer from an array in memory (taken over): filters by ?filter=, takes the page, adds Link. The
 * cursor is the position of the next element in the unfiltered array; for lists whose order is stable.
 */
void page_reply(const struct rest_request *request, struct rest_reply *reply, json_t *array);

#endif
