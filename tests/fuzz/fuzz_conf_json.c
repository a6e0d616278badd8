/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any JSON into the reader. What is taken must come back equal from JSON and from libconfig's notation; the check, the
 * defaults and the diff must bear it. One input at a time, nothing kept.
 */
#include <stdint.h>
#include <stdlib.h>

#include "config/schema.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const actions[] = { "accept", "drop", NULL };
static const struct schema rules[] = {
	{ .name = "name", .type = SCHEMA_NAME },
	{ .name = "a", .type = SCHEMA_ENUM, .values = actions, .otherwise = "drop" },
	{ .name = "p", .type = SCHEMA_PREFIX },
	{ .name = "i", .type = SCHEMA_INTERFACE_ADDRESS },
	{ .name = "ports", .type = SCHEMA_ARRAY, .element = SCHEMA_PORTS, .otherwise = "[80]" },
	{ .name = "mac", .type = SCHEMA_MAC, .flags = SCHEMA_SECRET },
	{ 0 }
};
static const struct schema table[] = {
	{ .name = "l", .type = SCHEMA_LIST, .key = "name", .members = rules },
	{ .name = "g", .type = SCHEMA_GROUP, .members = rules },
	{ .name = "n", .type = SCHEMA_INT, .min = 1, .max = 9, .otherwise = "5" },
	{ .name = "f", .type = SCHEMA_FLOAT, .min = 1 },
	{ .name = "x", .type = SCHEMA_ANY },
	{ 0 }
};

static void must(bool condition)
{
	if (!condition)
		abort();
}

static void through_both(const struct conf *c)
{
	struct errors errors = ERRORS_NONE;
	json_t *json = conf_to_json(c);
	char *text = conf_to_libconfig(c);
	struct conf *from_json = conf_from_json(json, &errors),
	            *from_text = conf_read_text(text, "t", &errors);

	must(from_json && conf_equal(c, from_json));
	/* libconfig's groups are searched member by member, and so have a bound that JSON's have not. */
	must((from_text && conf_equal(c, from_text)) || errors_any(&errors));
	conf_free(from_json);
	conf_free(from_text);
	errors_free(&errors);
	json_decref(json);
	free(text);
}

static void check_and_compare(struct conf *c)
{
	struct errors errors = ERRORS_NONE;
	struct conf *before = conf_clone(c);
	bool right = schema_check(table, c, &errors);

	must(right == !errors_any(&errors));
	errors_free(&errors);
	schema_defaults(table, c);
	schema_restore_secrets(table, c, before);
	must(!right || schema_check(table, c, &errors));
	struct conf_diff diff = schema_diff(table, before, c), none = schema_diff(table, c, c);
	must(none.count == 0);
	conf_diff_free(&diff);
	conf_free(before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct errors errors = ERRORS_NONE;
	json_t *json = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
	struct conf *c = json ? conf_from_json(json, &errors) : NULL;

	if (c && c->type == CONF_GROUP) {
		through_both(c);
		check_and_compare(c);
	}
	must(!json || (c != NULL) == !errors_any(&errors));
	conf_free(c);
	errors_free(&errors);
	json_decref(json);
	return 0;
}
