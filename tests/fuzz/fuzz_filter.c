/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any text as an attribute filter: it is refused with a reason, or held against an object.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "manage/pages.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[64] = "", *text = strndup((const char *)data, size);
	struct filter *filter = filter_parse(text, why, sizeof why);
	json_t *object = json_pack("{s:i, s:s, s:[{s:f}, {s:b}], s:{s:n}}", "n", 3, "name", "fw", "list", "v",
	                           0.5, "v", 1, "a", "b");
	if (filter)
		filter_match(filter, object);
	else if (!*why)
		abort();
	json_decref(object);
	filter_free(filter);
	free(text);
	return 0;
}
