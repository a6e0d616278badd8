/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The check of a document against its table. Goes through the whole document and reports everything. One thread, the
 * document is only read.
 */
#include "config/schema.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/notation.h"
#include "config/schema_private.h"
#include "config/values.h"
#include "util/memory.h"
#include "util/strmap.h"

/* How much of a wrong value an error shows. */
#define SHOWN 60

static void check_value(const struct schema *schema, const struct conf *c, struct errors *errors);
static void check_group(const struct schema *members, const struct conf *group, struct errors *errors);

const struct schema *schema_find(const struct schema *members, const char *name)
{
	for (const struct schema *s = members; s && s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}

/* What a value should look like, for sentences: "expected ...". */
static const char *expectation(enum schema_type type)
{
	static const char *const texts[] = {
		[SCHEMA_BOOL] = "true or false",
		[SCHEMA_INT] = "an integer",
		[SCHEMA_FLOAT] = "a number",
		[SCHEMA_STRING] = "a string",
		[SCHEMA_ENUM] = "a string",
		[SCHEMA_NAME] = "a name (a string)",
		[SCHEMA_ADDRESS] = "an IPv4 or IPv6 address (a string)",
		[SCHEMA_PREFIX] = "a prefix such as \"10.0.0.0/8\" (a string)",
		[SCHEMA_INTERFACE_ADDRESS] = "an address with its length such as \"10.0.0.1/24\" (a string)",
		[SCHEMA_PORTS] = "a port or a range such as \"1000-2000\"",
		[SCHEMA_MAC] = "a MAC address such as \"02:00:00:00:00:01\" (a string)",
		[SCHEMA_GROUP] = "a group { }",
		[SCHEMA_LIST] = "a list ( ) of groups",
		[SCHEMA_ARRAY] = "an array [ ]",
		[SCHEMA_ANY] = "a value",
	};

	return texts[type];
}

static bool type_fits(enum schema_type wanted, const struct conf *c)
{
	bool empty = c->count == 0;

	switch (wanted) {
	case SCHEMA_BOOL:
		return c->type == CONF_BOOL;
	case SCHEMA_INT:
		return c->type == CONF_INT;
	case SCHEMA_FLOAT:
		return c->type == CONF_FLOAT || c->type == CONF_INT;
	case SCHEMA_PORTS:
		return c->type == CONF_STRING || c->type == CONF_INT;
	case SCHEMA_GROUP:
		return c->type == CONF_GROUP;
	case SCHEMA_LIST:
		return c->type == CONF_LIST || (c->type == CONF_ARRAY && empty);
	case SCHEMA_ARRAY:
		return c->type == CONF_ARRAY || (c->type == CONF_LIST && empty);
	case SCHEMA_ANY:
		return true;
	default:
		return c->type == CONF_STRING;
	}
}

/* The bounds of a row as words: "1 to 65535 s", "at least 1". */
static void range_text(const struct schema *schema, char *text, size_t size)
{
	const char *space = schema->unit ? " " : "", *unit = schema->unit ? schema->unit : "";

	if (schema->max < schema->min)
		snprintf(text, size, "at least %" PRId64 "%s%s", schema->min, space, unit);
	else
		snprintf(text, size, "%" PRId64 " to %" PRId64 "%s%s", schema->min, schema->max, space, unit);
}

static bool bounded(const struct schema *schema)
{
	return schema->min != 0 || schema->max != 0;
}

static void check_number(const struct schema *schema, const struct conf *c, struct errors *errors)
{
	char range[96];
	bool whole = c->type == CONF_INT;
	bool low = whole ? c->integer < schema->min : c->real < (double)schema->min;
	bool high = whole ? c->integer > schema->max : c->real > (double)schema->max;

	if (!bounded(schema) || (!low && (!high || schema->max < schema->min)))
		return;
	range_text(schema, range, sizeof(range));
	if (whole)
		conf_error(errors, c, "out-of-range", "expected %s, found %" PRId64, range, c->integer);
	else
		conf_error(errors, c, "out-of-range", "expected %s, found %g", range, c->real);
}

static void check_count(const struct schema *schema, const struct conf *c, struct errors *errors)
{
	char range[96];
	int64_t count = (int64_t)c->count;
	struct schema elements = *schema;

	if (!bounded(schema))
		return;
	elements.unit = NULL;
	range_text(&elements, range, sizeof(range));
	if (count < schema->min)
		conf_error(errors, c, "too-few", "expected %s elements, found %" PRId64, range, count);
	else if (count > schema->max && schema->max >= schema->min)
		conf_error(errors, c, "too-many", "expected %s elements, found %" PRId64, range, count);
}

/* The values of an enum joined by commas; malloc'd. */
static char *values_text(const char *const *values)
{
	char *text = text_copy("");

	for (size_t i = 0; values[i]; i++) {
		char *longer = text_format("%s%s%s", text, i ? ", " : "", values[i]);
		free(text);
		text = longer;
	}
	return text;
}

static void check_enum(const struct schema *schema, const struct conf *c, struct errors *errors)
{
	const char *guess = NULL;

	for (size_t i = 0; schema->values[i]; i++)
		if (!strcmp(schema->values[i], c->string))
			return;
	for (size_t i = 0; schema->values[i] && !guess; i++)
		guess = schema_alike(schema->values[i], c->string) ? schema->values[i] : NULL;
	char *values = values_text(schema->values);
	conf_error(errors, c, "not-one-of", "expected one of %s; found \"%.*s\"%s%s%s", values, SHOWN,
	           c->string, guess ? ": did you mean \"" : "", guess ? guess : "", guess ? "\"?" : "");
	free(values);
}

static void check_name(const struct conf *c, struct errors *errors)
{
	static const char begin[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
	static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t length = strlen(c->string);

	if (length == 0 || length > 63 || !strchr(begin, c->string[0]) || c->string[strspn(c->string, rest)])
		conf_error(errors, c, "not-a-name",
		           "not a name: \"%.*s\"; expected a letter or digit, then letters, digits, . _ -, "
		           "at most 63 in all",
		           SHOWN, c->string);
}

static void check_address(const struct conf *c, struct errors *errors)
{
	struct ip_addr address;

	if (!conf_as_address(c, &address))
		conf_error(errors, c, "not-an-address", "not an IPv4 or IPv6 address: \"%.*s\"", SHOWN,
		           c->string);
}

/* Names the prefix that was probably meant, if only the host bits are wrong. */
static void check_prefix(const struct conf *c, struct errors *errors)
{
	struct ip_prefix prefix;
	char meant[NET_TEXT];

	if (conf_as_prefix(c, &prefix))
		return;
	if (!conf_as_interface(c, &prefix)) {
		conf_error(errors, c, "not-a-prefix",
		           "not a prefix: \"%.*s\"; expected such as \"10.0.0.0/8\"", SHOWN, c->string);
		return;
	}
	ip_prefix_mask(&prefix);
	ip_prefix_format(&prefix, meant, sizeof(meant));
	conf_error(errors, c, "host-bits-set",
	           "bits beyond the length are set: \"%.*s\"; did you mean \"%s\"?", SHOWN, c->string, meant);
}

static void check_interface(const struct conf *c, struct errors *errors)
{
	struct ip_prefix interface;

	if (!conf_as_interface(c, &interface))
		conf_error(errors, c, "not-an-interface-address",
		           "not an address with its length: \"%.*s\"; expected such as \"10.0.0.1/24\"",
		           SHOWN, c->string);
}

static void check_ports(const struct conf *c, struct errors *errors)
{
	uint16_t first, last;

	if (conf_as_ports(c, &first, &last))
		return;
	if (c->type == CONF_INT)
		conf_error(errors, c, "not-ports", "expected 0 to 65535, found %" PRId64, c->integer);
	else
		conf_error(errors, c, "not-ports",
		           "not a port or a range: \"%.*s\"; expected such as \"80\" or \"1000-2000\"", SHOWN,
		           c->string);
}

static void check_mac(const struct conf *c, struct errors *errors)
{
	struct mac_addr mac;

	if (!conf_as_mac(c, &mac))
		conf_error(errors, c, "not-a-mac",
		           "not a MAC address: \"%.*s\"; expected such as \"02:00:00:00:00:01\"", SHOWN,
		           c->string);
}

static void check_missing(const struct schema *s, const struct conf *group, struct errors *errors)
{
	char path[1024];
	int length = conf_path(group, path, sizeof(path));

	if (length >= 0 && (size_t)length < sizeof(path))
		snprintf(path + length, sizeof(path) - (size_t)length, "%s%s", length ? "." : "", s->name);
	errors_add(errors, path, "missing", group->file, group->line, "missing: expected %s",
	           expectation(s->type));
}

/* Two items of one key. An item without its key has been reported as lacking a member. */
static void check_keys(const struct schema *schema, const struct conf *list, struct errors *errors)
{
	struct strmap seen = strmap_new(list->count);
	char number[SCHEMA_KEY_TEXT];

	for (size_t i = 0; i < list->count; i++) {
		const struct conf *item = list->children[i];
		const char *key = schema_key(item, schema->key, number);
		size_t earlier = key ? strmap_add(&seen, key, i) : STRMAP_NONE;
		if (earlier == STRMAP_NONE)
			continue;
		conf_error(errors, item, "duplicate-key", "%s \"%.*s\" is taken by item [%zu]", schema->key,
		           SHOWN, key, earlier);
	}
	strmap_free(&seen);
}

/* The key of a list's item is required, whether its row says so or not. */
static void check_item(const struct schema *schema, const struct conf *item, struct errors *errors)
{
	const struct schema *key = schema->key ? schema_find(schema->members, schema->key) : NULL;

	check_group(schema->members, item, errors);
	if (key && !(key->flags & SCHEMA_REQUIRED) && !conf_get(item, schema->key))
		check_missing(key, item, errors);
}

static void check_list(const struct schema *schema, const struct conf *list, struct errors *errors)
{
	check_count(schema, list, errors);
	for (size_t i = 0; i < list->count; i++)
		check_item(schema, list->children[i], errors);
	if (schema->key)
		check_keys(schema, list, errors);
}

static void check_array(const struct schema *schema, const struct conf *array, struct errors *errors)
{
	struct schema element = *schema;

	check_count(schema, array, errors);
	element.type = schema->element;
	element.min = element.max = 0;
	for (size_t i = 0; i < array->count; i++)
		check_value(&element, array->children[i], errors);
}

static void check_hidden(const struct schema *schema, const struct conf *c, struct errors *errors)
{
	if ((schema->flags & SCHEMA_SECRET) && c->type == CONF_STRING && !strcmp(c->string, SCHEMA_HIDDEN))
		conf_error(errors, c, "hidden-secret", "\"%s\" stands for a secret: write the secret itself",
		           SCHEMA_HIDDEN);
}

static void check_content(const struct schema *schema, const struct conf *c, struct errors *errors)
{
	switch (schema->type) {
	case SCHEMA_INT:
	case SCHEMA_FLOAT:
		check_number(schema, c, errors);
		break;
	case SCHEMA_ENUM:
		check_enum(schema, c, errors);
		break;
	case SCHEMA_NAME:
		check_name(c, errors);
		break;
	case SCHEMA_ADDRESS:
		check_address(c, errors);
		break;
	case SCHEMA_PREFIX:
		check_prefix(c, errors);
		break;
	case SCHEMA_INTERFACE_ADDRESS:
		check_interface(c, errors);
		break;
	case SCHEMA_PORTS:
		check_ports(c, errors);
		break;
	case SCHEMA_MAC:
		check_mac(c, errors);
		break;
	case SCHEMA_GROUP:
		check_group(schema->members, c, errors);
		break;
	case SCHEMA_LIST:
		check_list(schema, c, errors);
		break;
	case SCHEMA_ARRAY:
		check_array(schema, c, errors);
		break;
	default:
		check_hidden(schema, c, errors);
	}
}

static void check_value(const struct schema *schema, const struct conf *c, struct errors *errors)
{
	if (type_fits(schema->type, c))
		check_content(schema, c, errors);
	else
		conf_error(errors, c, "wrong-type", "expected %s, found %s", expectation(schema->type),
		           notation_kind(c->type));
}

static void check_unknown(const struct schema *members, const struct conf *c, struct errors *errors)
{
	const char *guess = NULL;

	for (const struct schema *s = members; s->name && !guess; s++)
		guess = schema_alike(s->name, c->name) ? s->name : NULL;
	if (guess)
		conf_error(errors, c, "unknown-member", "unknown member: did you mean \"%s\"?", guess);
	else
		conf_error(errors, c, "unknown-member", "unknown member");
}

static void check_group(const struct schema *members, const struct conf *group, struct errors *errors)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct conf *c = group->children[i];
		const struct schema *s = schema_find(members, c->name);
		if (s)
			check_value(s, c, errors);
		else
			check_unknown(members, c, errors);
	}
	for (const struct schema *s = members; s->name; s++)
		if ((s->flags & SCHEMA_REQUIRED) && !conf_get(group, s->name))
			check_missing(s, group, errors);
}

bool schema_check(const struct schema *members, const struct conf *group, struct errors *errors)
{
	size_t before = errors->count;

	if (group->type != CONF_GROUP)
		conf_error(errors, group, "wrong-type", "expected %s, found %s", expectation(SCHEMA_GROUP),
		           notation_kind(group->type));
	else
		check_group(members, group, errors);
	return errors->count == before;
}
