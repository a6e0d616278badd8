/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON: what is read, what is refused, and that a document passes between the notations unchanged.
 */
#include "helper_config.h"

#include <stdlib.h>
#include <string.h>

#include "config/notation.h"
#include "config/number.h"
#include "util/memory.h"

static void refuse(const char *text, const char *expected)
{
	struct errors errors = ERRORS_NONE;

	assert_null(from_json_text(text, &errors));
	expect_errors(&errors, 1, &expected);
}

static void test_reads(void **state)
{
	struct errors errors = ERRORS_NONE;
	struct conf *c =
	        from_json_text("{\"b\": true, \"i\": -5000000000, \"f\": 1.5, \"s\": \"\\u00e4\", \"g\": {},"
	                       "\"l\": [{\"x\": 1}], \"a\": [\"x\", \"y\"], \"e\": [], \"n\": [1, 2.5]}",
	                       &errors);

	(void)state;
	expect_errors(&errors, 0, NULL);
	assert_true(conf_bool(c, "b", false));
	assert_true(conf_int(c, "i", 0) == -5000000000);
	assert_true(conf_float(c, "f", 0) == 1.5);
	assert_true(conf_float(c, "i", 0) == -5e9);
	assert_string_equal(conf_string(c, "s", ""), "\xc3\xa4");
	assert_int_equal(conf_get(c, "l")->type, CONF_LIST);
	assert_int_equal(conf_get(c, "e")->type, CONF_ARRAY);
	assert_int_equal(conf_at(conf_get(c, "n"), 0)->type, CONF_FLOAT);
	assert_true(conf_at(conf_get(c, "n"), 0)->real == 1.0);
	assert_null(conf_get(c, "b")->file);
	conf_free(c);
}

static void test_refuses(void **state)
{
	struct errors errors = ERRORS_NONE;

	(void)state;
	refuse("{\"a\": {\"b\": null}}", "a.b: null is no value: leave the member out");
	refuse("null", "null is no value: leave the member out");
	refuse("{\"a\": [{}, 1]}", "a[1]: expected an object like its neighbours");
	refuse("{\"a\": [1, {}]}", "a: expected all objects, or all strings, all numbers, all booleans");
	refuse("{\"a\": [1, \"x\"]}", "a: expected all objects, or all strings, all numbers, all booleans");
	refuse("{\"a\": [[1]]}", "a: expected all objects, or all strings, all numbers, all booleans");
	refuse("{\"a\": [null]}", "a: expected all objects, or all strings, all numbers, all booleans");
	refuse("{\"a\": \"x\\u0000y\"}", "a: a string cannot hold the character \\u0000");
	refuse("{\"1a\": 1}", "1a: a name begins with a letter and holds letters, digits, _ and -");
	refuse("{\"true\": 1}", "true: a name begins with a letter and holds letters, digits, _ and -");
	refuse("{\"\": 1}", "a name begins with a letter and holds letters, digits, _ and -");
	assert_null(conf_from_json(NULL, &errors));
	expect_errors(&errors, 1, (const char *const[]){ "expected a JSON value, found none" });
}

static void test_all_errors(void **state)
{
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_null(from_json_text("{\"a\": null, \"b\": [{\"c\": null}], \"x y\": 1}", &errors));
	expect_errors(&errors, 3,
	              (const char *const[]){
	                      "a: null is no value: leave the member out",
	                      "b[0].c: null is no value: leave the member out",
	                      "x y: a name begins with a letter and holds letters, digits, _ and -" });
}

/* JSON of so many objects within each other around a number. */
static char *nested(int depth)
{
	char *text = memory_new((size_t)depth * 6 + 2, 1), *p = text;

	for (int i = 0; i < depth; i++)
		p = stpcpy(p, "{\"a\":");
	p = stpcpy(p, "1");
	for (int i = 0; i < depth; i++)
		p = stpcpy(p, "}");
	return text;
}

/* The deepest document of one notation is one of the other: the root counts for nothing, as it has no brackets. */
static void test_depth(void **state)
{
	struct errors errors = ERRORS_NONE;
	char *text = nested(CONF_DEPTH + 1);
	struct conf *c = from_json_text(text, &errors), *again;

	(void)state;
	expect_errors(&errors, 0, NULL);
	free(text);
	text = conf_to_libconfig(c);
	again = read_right(text);
	assert_true(conf_equal(c, again));
	conf_free(again);
	conf_free(c);
	free(text);
	text = nested(CONF_DEPTH + 2);
	assert_null(from_json_text(text, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.list[0].code, "too-deep");
	errors_free(&errors);
	free(text);
}

static const char document[] = "a = true;\n"
                               "empty-group = {\n"
                               "};\n"
                               "*star = -2147483648;\n"
                               "wide = -2147483649L;\n"
                               "real = 0.1;\n"
                               "whole = 3.0;\n"
                               "large = 1e+300;\n"
                               "text = \"q\\\"b\\\\n\\n\\x01\xc3\xa4\";\n"
                               "numbers = [ 1L, 5000000000L ];\n"
                               "none = [ ];\n"
                               "reals = [ 1.0, 2.5 ];\n"
                               "list = (\n"
                               "	{\n"
                               "		name = \"one\";\n"
                               "		inner = (\n"
                               "			{\n"
                               "			}\n"
                               "		);\n"
                               "	},\n"
                               "	{\n"
                               "	}\n"
                               ");\n";

static void test_round_trip(void **state)
{
	struct errors errors = ERRORS_NONE;
	struct conf *c = read_right(document);
	json_t *json = conf_to_json(c);
	char *dumped = json_dumps(json, 0);
	struct conf *from_json = from_json_text(dumped, &errors);
	char *written = conf_to_libconfig(from_json);
	struct conf *again = read_right(written);

	(void)state;
	expect_errors(&errors, 0, NULL);
	assert_string_equal(written, document);
	assert_true(conf_equal(c, from_json));
	assert_true(conf_equal(c, again));
	conf_free(c);
	conf_free(from_json);
	conf_free(again);
	json_decref(json);
	free(dumped);
	free(written);
}

static void test_numbers_written(void **state)
{
	static const double values[] = { 0.1, 1.0 / 3, 1e300, -0.0, 123456789012345678.0, 5e-324, 100 };
	char text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		number_write(values[i], text, sizeof(text));
		assert_true(strtod(text, NULL) == values[i]);
		assert_non_null(strpbrk(text, ".e"));
	}
	assert_string_equal(number_write(0.1, text, sizeof(text)), "0.1");
}

static void test_utf8(void **state)
{
	(void)state;
	assert_true(notation_utf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 10));
	assert_false(notation_utf8("\xc0\x80", 2));         /* overlong */
	assert_false(notation_utf8("\xe0\x80\x80", 3));     /* overlong */
	assert_false(notation_utf8("\xed\xa0\x80", 3));     /* surrogate */
	assert_false(notation_utf8("\xf4\x90\x80\x80", 4)); /* above U+10FFFF */
	assert_false(notation_utf8("\xf8\x88\x80\x80", 4));
	assert_false(notation_utf8("\xe2\x82", 2)); /* cut off */
	assert_false(notation_utf8("\x80", 1));
	assert_false(notation_utf8("\xc3(", 2));
	assert_false(notation_utf8("\0", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),      cmocka_unit_test(test_refuses),
		cmocka_unit_test(test_all_errors), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_numbers_written),
		cmocka_unit_test(test_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
