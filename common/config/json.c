/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The JSON reader and writer of the tree, on jansson values; and nothing else, so that whoever parses JSON text sets
 * its own bounds. One thread, nothing kept.
 */
#include <math.h>
#include <string.h>

#include "config/conf.h"
#include "config/notation.h"
#include "util/memory.h"

static void read_value(struct conf *c, const json_t *json, unsigned depth, struct errors *errors);

static bool is_scalar(const json_t *json)
{
	return json_is_boolean(json) || json_is_number(json) || json_is_string(json);
}

/* The type that all elements of an array share: integers among decimals are decimals. -1: no common type. */
static int common_type(const json_t *array)
{
	int common = -1;
	size_t i;
	json_t *element;

	json_array_foreach((json_t *)array, i, element)
	{
		int type = json_is_boolean(element)   ? CONF_BOOL
		           : json_is_integer(element) ? CONF_INT
		           : json_is_real(element)    ? CONF_FLOAT
		                                      : CONF_STRING;
		if (!is_scalar(element))
			return -1;
		if (common >= 0 && common != type) {
			if (common + type != CONF_INT + CONF_FLOAT)
				return -1;
			type = CONF_FLOAT;
		}
		common = type;
	}
	return common;
}

static enum conf_type type_of(const json_t *json)
{
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return CONF_GROUP;
	case JSON_ARRAY:
		return json_is_object(json_array_get(json, 0)) ? CONF_LIST : CONF_ARRAY;
	case JSON_STRING:
		return CONF_STRING;
	case JSON_INTEGER:
		return CONF_INT;
	case JSON_REAL:
		return CONF_FLOAT;
	default:
		return CONF_BOOL;
	}
}

static void read_object(struct conf *c, const json_t *json, unsigned depth, struct errors *errors)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)json, name, value)
	{
		struct conf *child = conf_new(c, type_of(value), name);
		if (!notation_name(name))
			conf_error(errors, child, "bad-name",
			           "a name begins with a letter and holds letters, digits, _ and -");
		read_value(child, value, depth + 1, errors);
	}
}

static void read_list(struct conf *c, const json_t *json, unsigned depth, struct errors *errors)
{
	size_t i;
	json_t *element;

	json_array_foreach((json_t *)json, i, element)
	{
		struct conf *child = conf_new(c, type_of(element), NULL);
		if (json_is_object(element))
			read_value(child, element, depth + 1, errors);
		else
			conf_error(errors, child, "mixed-array", "expected an object like its neighbours");
	}
}

static void read_array(struct conf *c, const json_t *json, unsigned depth, struct errors *errors)
{
	int common = common_type(json);
	size_t i;
	json_t *element;

	if (common < 0 && json_array_size(json) > 0) {
		conf_error(errors, c, "mixed-array",
		           "expected all objects, or all strings, all numbers, all booleans");
		return;
	}
	json_array_foreach((json_t *)json, i, element)
	{
		struct conf *child = conf_new(c, type_of(element), NULL);
		read_value(child, element, depth + 1, errors);
		if (common == CONF_FLOAT && child->type == CONF_INT) {
			child->real = (double)child->integer;
			child->type = CONF_FLOAT;
		}
	}
}

static void read_string(struct conf *c, const json_t *json, struct errors *errors)
{
	const char *text = json_string_value(json);
	size_t length = json_string_length(json);

	c->string = text_copy_n(text, length);
	if (memchr(text, '\0', length))
		conf_error(errors, c, "nul-not-allowed", "a string cannot hold the character \\u0000");
	else if (!notation_utf8(text, length))
		conf_error(errors, c, "not-utf8", "the string is not UTF-8");
}

static void read_value(struct conf *c, const json_t *json, unsigned depth, struct errors *errors)
{
	if (depth > CONF_DEPTH && !is_scalar(json)) {
		conf_error(errors, c, "too-deep", "nested deeper than %d", CONF_DEPTH);
		return;
	}
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		read_object(c, json, depth, errors);
		break;
	case JSON_ARRAY:
		if (c->type == CONF_LIST)
			read_list(c, json, depth, errors);
		else
			read_array(c, json, depth, errors);
		break;
	case JSON_STRING:
		read_string(c, json, errors);
		break;
	case JSON_INTEGER:
		c->integer = json_integer_value(json);
		break;
	case JSON_REAL:
		c->real = json_real_value(json);
		break;
	case JSON_NULL:
		conf_error(errors, c, "null-not-allowed", "null is no value: leave the member out");
		break;
	default:
		c->boolean = json_is_true(json);
	}
}

struct conf *conf_from_json(const json_t *json, struct errors *errors)
{
	size_t before = errors->count;

	if (!json) {
		errors_add(errors, NULL, "null-not-allowed", NULL, 0, "expected a JSON value, found none");
		return NULL;
	}
	struct conf *root = conf_new(NULL, type_of(json), NULL);
	read_value(root, json, 0, errors);
	if (errors->count == before)
		return root;
	conf_free(root);
	return NULL;
}

json_t *conf_to_json(const struct conf *c)
{
	json_t *json;

	switch (c->type) {
	case CONF_BOOL:
		return json_boolean(c->boolean);
	case CONF_INT:
		return json_integer(c->integer);
	case CONF_FLOAT:
		return json_real(c->real);
	case CONF_STRING:
		return json_string_nocheck(c->string);
	case CONF_GROUP:
		json = json_object();
		for (size_t i = 0; i < c->count; i++)
			json_object_set_new_nocheck(json, c->children[i]->name, conf_to_json(c->children[i]));
		return json;
	default:
		json = json_array();
		for (size_t i = 0; i < c->count; i++)
			json_array_append_new(json, conf_to_json(c->children[i]));
		return json;
	}
}
