/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON Schema 2020-12, as OpenAPI 3.1 takes it, from a table. Holds no data; any thread.
 */
#include <stdlib.h>
#include <string.h>

#include "config/schema_private.h"
#include "util/memory.h"

#define NAME_PATTERN "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"
#define MAC_PATTERN  "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$"
#define PORT_PATTERN "^[0-9]{1,5}(-[0-9]{1,5})?$"

static json_t *type_only(const char *type)
{
	json_t *json = json_object();

	json_object_set_new(json, "type", json_string(type));
	return json;
}

static json_t *text_like(const char *keyword, const char *value)
{
	json_t *json = type_only("string");

	json_object_set_new(json, keyword, json_string(value));
	return json;
}

static json_t *any_of(json_t *first, json_t *second)
{
	json_t *json = json_object(), *choices = json_array();

	json_array_append_new(choices, first);
	json_array_append_new(choices, second);
	json_object_set_new(json, "anyOf", choices);
	return json;
}

static void set_bounds(json_t *json, const struct schema *s, const char *least, const char *most)
{
	if (s->min == 0 && s->max == 0)
		return;
	json_object_set_new(json, least, json_integer(s->min));
	if (s->max >= s->min)
		json_object_set_new(json, most, json_integer(s->max));
}

static json_t *number(const struct schema *s, const char *type)
{
	json_t *json = type_only(type);

	if (s->type == SCHEMA_INT)
		json_object_set_new(json, "format", json_string("int64"));
	set_bounds(json, s, "minimum", "maximum");
	return json;
}

static json_t *enumeration(const struct schema *s)
{
	json_t *json = type_only("string"), *values = json_array();

	for (size_t i = 0; s->values[i]; i++)
		json_array_append_new(values, json_string(s->values[i]));
	json_object_set_new(json, "enum", values);
	return json;
}

static json_t *ports(void)
{
	json_t *integer = type_only("integer");

	json_object_set_new(integer, "minimum", json_integer(0));
	json_object_set_new(integer, "maximum", json_integer(65535));
	return any_of(integer, text_like("pattern", PORT_PATTERN));
}

static json_t *list(const struct schema *s, json_t *items)
{
	json_t *json = type_only("array");

	json_object_set_new(json, "items", items);
	set_bounds(json, s, "minItems", "maxItems");
	if (s->type == SCHEMA_LIST && s->key)
		json_object_set_new(json, "x-key", json_string(s->key));
	return json;
}

static json_t *scalar(const struct schema *s)
{
	switch (s->type) {
	case SCHEMA_BOOL:
		return type_only("boolean");
	case SCHEMA_INT:
		return number(s, "integer");
	case SCHEMA_FLOAT:
		return number(s, "number");
	case SCHEMA_ENUM:
		return enumeration(s);
	case SCHEMA_NAME:
		return text_like("pattern", NAME_PATTERN);
	case SCHEMA_ADDRESS:
		return any_of(text_like("format", "ipv4"), text_like("format", "ipv6"));
	case SCHEMA_PREFIX:
		return text_like("format", "ip-prefix");
	case SCHEMA_INTERFACE_ADDRESS:
		return text_like("format", "ip-interface-address");
	case SCHEMA_PORTS:
		return ports();
	case SCHEMA_MAC:
		return text_like("pattern", MAC_PATTERN);
	default:
		return type_only("string");
	}
}

static json_t *array(const struct schema *s)
{
	struct schema element = *s;

	element.type = s->element;
	element.min = element.max = 0;
	return list(s, scalar(&element));
}

static json_t *value(const struct schema *s)
{
	switch (s->type) {
	case SCHEMA_GROUP:
		return schema_to_openapi(s->members);
	case SCHEMA_LIST:
		return list(s, schema_to_openapi(s->members));
	case SCHEMA_ARRAY:
		return array(s);
	case SCHEMA_ANY:
		return json_object();
	default:
		return scalar(s);
	}
}

/* A default as a JSON value of the row's type: texts that are not JSON themselves are strings. */
static json_t *default_value(const struct schema *s)
{
	bool text = s->type != SCHEMA_BOOL && s->type != SCHEMA_INT && s->type != SCHEMA_FLOAT &&
	            s->type != SCHEMA_ARRAY;
	json_t *json = text ? NULL : json_loads(s->otherwise, JSON_DECODE_ANY, NULL);

	return json ? json : json_string(s->otherwise);
}

static void annotate(json_t *json, const struct schema *s)
{
	json_object_set_new(json, "x-type",
	                    json_sprintf("%s%s%s", schema_type_word(s->type),
	                                 s->type == SCHEMA_ARRAY ? " " : "",
	                                 s->type == SCHEMA_ARRAY ? schema_type_word(s->element) : ""));
	if (s->help)
		json_object_set_new(json, "description", json_string(s->help));
	if (s->unit)
		json_object_set_new(json, "x-unit", json_string(s->unit));
	if (s->otherwise)
		json_object_set_new(json, "default", default_value(s));
	if (s->flags & SCHEMA_SECRET)
		json_object_set_new(json, "x-secret", json_true());
}

json_t *schema_to_openapi(const struct schema *members)
{
	json_t *json = type_only("object"), *properties = json_object(), *required = json_array();

	for (const struct schema *s = members; s && s->name; s++) {
		json_t *property = value(s);
		annotate(property, s);
		json_object_set_new(properties, s->name, property);
		if (s->flags & SCHEMA_REQUIRED)
			json_array_append_new(required, json_string(s->name));
	}
	json_object_set_new(json, "properties", properties);
	json_object_set_new(json, "additionalProperties", json_false());
	if (json_array_size(required) > 0)
		json_object_set(json, "required", required);
	json_decref(required);
	return json;
}
