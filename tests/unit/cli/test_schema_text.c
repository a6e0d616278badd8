/* SPDX-License-Identifier: BSD-3-Clause */
/* Schemas in words: what explain and the manual pages print of a table, through its JSON Schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/schema_text.h"
#include "config/schema.h"

static const char *const actions[] = { "accept", "drop", NULL };

static const struct schema rule[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Its name." },
	{ .name = "action",
	  .type = SCHEMA_ENUM,
	  .values = actions,
	  .otherwise = "drop",
	  .help = "What is done." },
	{ .name = NULL },
};
static const struct schema table[] = {
	{ .name = "timeout",
	  .type = SCHEMA_INT,
	  .unit = "s",
	  .min = 1,
	  .max = 60,
	  .otherwise = "30",
	  .help = "T." },
	{ .name = "rate", .type = SCHEMA_INT, .unit = "packets/s", .help = "R." },
	{ .name = "least", .type = SCHEMA_INT, .min = 5, .max = 0, .help = "L." },
	{ .name = "path", .type = SCHEMA_ARRAY, .element = SCHEMA_NAME, .min = 2, .max = 34, .help = "P." },
	{ .name = "key", .type = SCHEMA_STRING, .flags = SCHEMA_SECRET, .help = "K." },
	{ .name = "rules",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = rule,
	  .max = 100,
	  .help = "Rules." },
	{ .name = NULL },
};

static void expect(const json_t *schema, const char *name, const char *type, const char *range,
                   const char *otherwise)
{
	const json_t *member = schema_member(schema, name);
	char text[128];

	assert_non_null(member);
	schema_type_text(member, text, sizeof(text));
	assert_string_equal(text, type);
	schema_range_text(member, text, sizeof(text));
	assert_string_equal(text, range);
	schema_default_text(member, text, sizeof(text));
	assert_string_equal(text, otherwise);
}

static void test_words(void **state)
{
	json_t *schema = schema_to_openapi(table), *rules = schema_member(schema, "rules");

	(void)state;
	expect(schema, "timeout", "integer", "1 to 60 s", "30");
	expect(schema, "rate", "integer", "packets/s", "");
	expect(schema, "least", "integer", "from 5", "");
	expect(schema, "path", "array of name", "2 to 34 elements", "");
	expect(schema, "key", "string, secret", "", "");
	expect(schema, "rules", "list by name", "up to 100 elements", "");
	expect(rules, "name", "name", "", "");
	expect(rules, "action", "one of accept, drop", "", "\"drop\"");
	assert_true(schema_requires(rules, "name"));
	assert_false(schema_requires(rules, "action"));
	assert_string_equal(schema_help(schema_member(rules, "action")), "What is done.");
	assert_null(schema_member(schema, "nothing"));
	json_decref(schema);
}

static void test_a_short_buffer_cuts(void **state)
{
	json_t *schema = schema_to_openapi(table);
	char text[12];

	(void)state;
	schema_type_text(schema_member(schema_member(schema, "rules"), "action"), text, sizeof(text));
	assert_string_equal(text, "one of acce");
	json_decref(schema);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_words),
		                            cmocka_unit_test(test_a_short_buffer_cuts) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
