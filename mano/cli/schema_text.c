/* SPDX-License-Identifier: BSD-3-Clause */
/* Schemas in words. See schema_text.h. */
#include "cli/schema_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

json_t *schema_members(const json_t *schema)
{
	const json_t *items = json_object_get(schema, "items");

	return json_object_get(items ? items : schema, "properties");
}

json_t *schema_member(const json_t *schema, const char *name)
{
	return json_object_get(schema_members(schema), name);
}

bool schema_requires(const json_t *schema, const char *name)
{
	const json_t *items = json_object_get(schema, "items");
	json_t *required = json_object_get(items ? items : schema, "required"), *one;
	size_t i;

	json_array_foreach(required, i, one)
	{
		if (json_is_string(one) && strcmp(json_string_value(one), name) == 0)
			return true;
	}
	return false;
}

static size_t append(char *text, size_t used, size_t size, const char *before, const char *word)
{
	if (used < size)
		used += (size_t)snprintf(text + used, size - used, "%s%s", before, word);
	return used;
}

void schema_type_text(const json_t *schema, char *text, size_t size)
{
	const json_t *items = json_object_get(schema, "items");
	const char *type = json_string_value(json_object_get(schema, "x-type")),
	           *key = json_string_value(json_object_get(schema, "x-key"));
	json_t *values = json_object_get(schema, "enum"), *value;
	size_t i, used = append(text, 0, size, "", type ? type : "group");

	if (!values)
		values = json_object_get(items, "enum");
	json_array_foreach(values, i, value) used = append(
	        text, used, size, i ? ", " : " ", json_is_string(value) ? json_string_value(value) : "?");
	if (key)
		used = append(text, used, size, " by ", key);
	if (json_is_true(json_object_get(schema, "x-secret")))
		append(text, used, size, ", ", "secret");
}

void schema_range_text(const json_t *schema, char *text, size_t size)
{
	bool list = json_object_get(schema, "items") != NULL;
	const json_t *least = json_object_get(schema, list ? "minItems" : "minimum"),
	             *most = json_object_get(schema, list ? "maxItems" : "maximum");
	const char *unit = list ? "elements" : json_string_value(json_object_get(schema, "x-unit"));
	char bounds[64] = "";

	if (list && most && !json_integer_value(least))
		snprintf(bounds, sizeof(bounds), "up to %" JSON_INTEGER_FORMAT, json_integer_value(most));
	else if (least && most)
		snprintf(bounds, sizeof(bounds), "%" JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT,
		         json_integer_value(least), json_integer_value(most));
	else if (least)
		snprintf(bounds, sizeof(bounds), "from %" JSON_INTEGER_FORMAT, json_integer_value(least));
	if (list && !bounds[0])
		unit = NULL;
	snprintf(text, size, "%s%s%s", bounds, unit && bounds[0] ? " " : "", unit ? unit : "");
}

void schema_default_text(const json_t *schema, char *text, size_t size)
{
	const json_t *value = json_object_get(schema, "default");
	char *dump = value ? json_dumps(value, JSON_ENCODE_ANY) : NULL;

	snprintf(text, size, "%s", dump ? dump : "");
	free(dump);
}

const char *schema_help(const json_t *schema)
{
	const char *help = json_string_value(json_object_get(schema, "description"));

	return help ? help : "";
}
