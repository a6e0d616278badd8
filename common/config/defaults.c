/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Defaults of absent members, and the check of a table itself. Changes only the document that it is given; one thread.
 */
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

static void set_array(struct conf *group, const struct schema *s)
{
	struct errors errors = ERRORS_NONE;
	json_t *json = json_loads(s->otherwise, 0, NULL);
	struct conf *array = conf_from_json(json, &errors);

	if (array)
		conf_put(group, s->name, array);
	conf_free(array);
	json_decref(json);
	errors_free(&errors);
}

static void set_default(struct conf *group, const struct schema *s)
{
	switch (s->type) {
	case SCHEMA_BOOL:
		conf_set_bool(group, s->name, !strcmp(s->otherwise, "true"));
		break;
	case SCHEMA_INT:
		conf_set_int(group, s->name, strtoll(s->otherwise, NULL, 0));
		break;
	case SCHEMA_FLOAT:
		conf_set_float(group, s->name, strtod(s->otherwise, NULL));
		break;
	case SCHEMA_ARRAY:
		set_array(group, s);
		break;
	default:
		conf_set_string(group, s->name, s->otherwise);
	}
}

static void descend(const struct schema *s, struct conf *c)
{
	if (s->type == SCHEMA_GROUP && c->type == CONF_GROUP)
		schema_defaults(s->members, c);
	if (s->type != SCHEMA_LIST || c->type != CONF_LIST)
		return;
	for (size_t i = 0; i < c->count; i++)
		schema_defaults(s->members, c->children[i]);
}

void schema_defaults(const struct schema *members, struct conf *group)
{
	for (const struct schema *s = members; s->name; s++) {
		struct conf *c = (struct conf *)conf_get(group, s->name);
		if (c)
			descend(s, c);
		else if (s->otherwise)
			set_default(group, s);
	}
}

static bool has_default(const struct schema *s)
{
	return s->type != SCHEMA_GROUP && s->type != SCHEMA_LIST && s->type != SCHEMA_ANY;
}

/* A default must pass the check of its own row, and its text must be what the value prints as (not "6O"). */
static void lint_default(const struct schema *s, struct errors *errors)
{
	struct schema table[2] = { *s, { 0 } };
	struct conf *group = conf_new(NULL, CONF_GROUP, NULL);
	char *end = NULL;

	if (!has_default(s))
		errors_add(errors, s->name, "default", NULL, 0, "a container cannot have a default");
	if (s->type == SCHEMA_BOOL && strcmp(s->otherwise, "true") && strcmp(s->otherwise, "false"))
		errors_add(errors, s->name, "default", NULL, 0, "neither true nor false: %s", s->otherwise);
	if (s->type == SCHEMA_INT && (strtoll(s->otherwise, &end, 0), *end))
		errors_add(errors, s->name, "default", NULL, 0, "not an integer: %s", s->otherwise);
	if (s->type == SCHEMA_FLOAT && (strtod(s->otherwise, &end), *end))
		errors_add(errors, s->name, "default", NULL, 0, "not a number: %s", s->otherwise);
	schema_defaults(table, group);
	if (!conf_get(group, s->name))
		errors_add(errors, s->name, "default", NULL, 0, "not a JSON array: %s", s->otherwise);
	schema_check(table, group, errors);
	conf_free(group);
}

static bool is_nested(const struct schema *s)
{
	return s->type == SCHEMA_GROUP || s->type == SCHEMA_LIST;
}

static void lint_row(const struct schema *s, struct errors *errors)
{
	enum schema_type type = s->type == SCHEMA_ARRAY ? s->element : s->type;

	if (!s->help || !s->help[0])
		errors_add(errors, s->name, "help", NULL, 0, "no help text");
	if (type == SCHEMA_ENUM && !s->values) {
		errors_add(errors, s->name, "values", NULL, 0, "an enumeration without values");
		return;
	}
	if (s->type == SCHEMA_ARRAY && (type >= SCHEMA_GROUP))
		errors_add(errors, s->name, "element", NULL, 0, "an array holds scalars");
	if (is_nested(s) && !s->members)
		errors_add(errors, s->name, "members", NULL, 0, "a group or list without members");
	if (s->key && !(s->members && schema_find(s->members, s->key)))
		errors_add(errors, s->name, "key", NULL, 0, "the key %s is no member", s->key);
	if (s->otherwise)
		lint_default(s, errors);
}

bool schema_lint(const struct schema *members, struct errors *errors)
{
	size_t before = errors->count;

	for (const struct schema *s = members; s->name; s++) {
		struct errors nested = ERRORS_NONE;
		lint_row(s, errors);
		if (is_nested(s) && s->members)
			schema_lint(s->members, &nested);
		errors_move(errors, &nested, s->name);
	}
	return errors->count == before;
}
