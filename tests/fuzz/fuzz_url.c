/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any text as the target of a request: split, decoded and held against patterns.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manage/rest_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void add_pattern(struct rest *rest, const struct rest_route *route)
{
	struct errors errors = ERRORS_NONE;
	if (!pattern_parse(&rest->patterns[rest->pattern_count++], route, &errors))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct rest_route routes[] = { { .pattern = "/v1/{a}:go" },
		                                    { .pattern = "/v1/{a}" },
		                                    { .pattern = "/v1/{a}/b/{c*}" },
		                                    { .pattern = "/" } };
	static struct pattern patterns[4];
	static struct rest rest = { .patterns = patterns };
	while (rest.pattern_count < 4)
		add_pattern(&rest, &routes[rest.pattern_count]);
	struct rest_exchange *exchange = calloc(1, sizeof *exchange);
	char *text = strndup((const char *)data, size);
	const char *why = NULL;
	size_t path = strcspn(text, "?");
	exchange->rest = &rest;
	exchange->path = strndup(text, path);
	exchange->query_text = text[path] ? strdup(text + path + 1) : NULL;
	if (url_split(exchange, &why))
		route_find(exchange);
	else if (!why)
		abort();
	void *context = exchange;
	exchange_over(&rest, NULL, &context, MHD_REQUEST_TERMINATED_COMPLETED_OK);
	free(text);
	return 0;
}
