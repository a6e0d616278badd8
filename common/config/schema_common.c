/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys of list items, words that look alike, JSON without secrets. Holds no data; any thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "config/schema_private.h"
#include "util/strmap.h"

/* The longest word whose likeness is measured: names of members are short. */
#define WORD 40

const char *schema_key(const struct conf *item, const char *key, char number[SCHEMA_KEY_TEXT])
{
	const struct conf *member = conf_get(item, key);

	if (member && member->type == CONF_STRING)
		return member->string;
	if (!member || member->type != CONF_INT)
		return NULL;
	snprintf(number, SCHEMA_KEY_TEXT, "%" PRId64, member->integer);
	return number;
}

static unsigned least(unsigned a, unsigned b, unsigned c)
{
	unsigned ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance: letters put in, left out or changed. */
static unsigned distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	unsigned row[WORD + 1];

	for (size_t j = 0; j <= b_length; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= a_length; i++) {
		unsigned diagonal = row[0];
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= b_length; j++) {
			unsigned change = diagonal + (a[i - 1] != b[j - 1]);
			diagonal = row[j];
			row[j] = least(row[j] + 1, row[j - 1] + 1, change);
		}
	}
	return row[b_length];
}

bool schema_alike(const char *right, const char *wrong)
{
	size_t right_length = strlen(right), wrong_length = strlen(wrong);

	if (!strcasecmp(right, wrong))
		return true;
	if (right_length > WORD || wrong_length > WORD)
		return false;
	return distance(right, right_length, wrong, wrong_length) <= (right_length > 4 ? 2 : 1);
}

static json_t *group_to_json(const struct schema *members, const struct conf *group)
{
	json_t *json = json_object();

	for (size_t i = 0; i < group->count; i++) {
		const struct conf *c = group->children[i];
		json_t *value = schema_value_to_json(schema_find(members, c->name), c);
		json_object_set_new_nocheck(json, c->name, value);
	}
	return json;
}

json_t *schema_value_to_json(const struct schema *schema, const struct conf *c)
{
	if (!schema)
		return conf_to_json(c);
	if (schema->flags & SCHEMA_SECRET)
		return json_string(SCHEMA_HIDDEN);
	if (!schema->members)
		return conf_to_json(c);
	if (c->type == CONF_GROUP)
		return group_to_json(schema->members, c);
	if (c->type != CONF_LIST)
		return conf_to_json(c);
	json_t *json = json_array();
	for (size_t i = 0; i < c->count; i++)
		json_array_append_new(json, group_to_json(schema->members, c->children[i]));
	return json;
}

json_t *schema_to_json(const struct schema *members, const struct conf *group)
{
	return group->type == CONF_GROUP ? group_to_json(members, group) : conf_to_json(group);
}

static void restore_list(const struct schema *schema, struct conf *list, const struct conf *before)
{
	struct strmap map = strmap_new(conf_count(before));
	char number[SCHEMA_KEY_TEXT];

	for (size_t i = 0; i < conf_count(before); i++) {
		const char *key = schema_key(conf_at(before, i), schema->key, number);
		if (key)
			strmap_add(&map, key, i);
	}
	for (size_t i = 0; i < list->count; i++) {
		const char *key = schema_key(list->children[i], schema->key, number);
		size_t at = key ? strmap_find(&map, key) : STRMAP_NONE;
		if (at != STRMAP_NONE)
			schema_restore_secrets(schema->members, list->children[i], conf_at(before, at));
	}
	strmap_free(&map);
}

static void restore_secret(struct conf *group, const struct conf *c, const struct conf *before)
{
	if (before && c->type == CONF_STRING && !strcmp(c->string, SCHEMA_HIDDEN))
		conf_put(group, c->name, before);
}

void schema_restore_secrets(const struct schema *members, struct conf *group, const struct conf *before)
{
	for (const struct schema *s = members; s->name; s++) {
		struct conf *c = (struct conf *)conf_get(group, s->name);
		const struct conf *old = c ? conf_get(before, s->name) : NULL;
		if (!c || !old)
			continue;
		if (s->flags & SCHEMA_SECRET)
			restore_secret(group, c, old);
		else if (s->type == SCHEMA_GROUP && c->type == CONF_GROUP)
			schema_restore_secrets(s->members, c, old);
		else if (s->type == SCHEMA_LIST && s->key && c->type == CONF_LIST)
			restore_list(s, c, old);
	}
}

const char *schema_type_word(enum schema_type type)
{
	static const char *const words[] = {
		[SCHEMA_BOOL] = "boolean",
		[SCHEMA_INT] = "integer",
		[SCHEMA_FLOAT] = "number",
		[SCHEMA_STRING] = "string",
		[SCHEMA_ENUM] = "one of",
		[SCHEMA_NAME] = "name",
		[SCHEMA_ADDRESS] = "address",
		[SCHEMA_PREFIX] = "prefix",
		[SCHEMA_INTERFACE_ADDRESS] = "address/length",
		[SCHEMA_PORTS] = "port or range",
		[SCHEMA_MAC] = "MAC",
		[SCHEMA_GROUP] = "group",
		[SCHEMA_LIST] = "list",
		[SCHEMA_ARRAY] = "array of",
		[SCHEMA_ANY] = "any",
	};

	return words[type];
}
