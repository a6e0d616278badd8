/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of errors: what is kept, how it is printed, how it moves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "util/errors.h"

static void format_of(const struct error *error, const char *expected)
{
	char text[256];

	error_format(error, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void test_formats_what_is_known(void **state)
{
	struct errors errors = ERRORS_NONE;

	(void)state;
	errors_add(&errors, "a.b[2]", "not-a-prefix", "edge.cfg", 41, "not a prefix: \"%s\"", "10.0.0");
	errors_add(&errors, NULL, "syntax", "edge.cfg", 3, "syntax error");
	errors_add(&errors, "a", "missing", NULL, 0, "missing");
	errors_add(&errors, "", "cannot-read", "x", 0, "no");
	assert_int_equal(errors.count, 4);
	format_of(&errors.list[0], "edge.cfg:41: a.b[2]: not a prefix: \"10.0.0\"");
	format_of(&errors.list[1], "edge.cfg:3: syntax error");
	format_of(&errors.list[2], "a: missing");
	format_of(&errors.list[3], "x: no");
	errors_free(&errors);
	assert_false(errors_any(&errors));
}

static void test_format_says_how_long(void **state)
{
	struct errors errors = ERRORS_NONE;
	char text[4];

	(void)state;
	errors_add(&errors, NULL, "c", NULL, 0, "0123456789");
	assert_int_equal(error_format(&errors.list[0], text, sizeof(text)), 10);
	assert_string_equal(text, "012");
	errors_free(&errors);
}

/* What an error quotes cannot look like another line, nor move a terminal's cursor. */
static void test_stays_one_line(void **state)
{
	struct errors errors = ERRORS_NONE;

	(void)state;
	errors_add(&errors, "a\nb", "bad", NULL, 0, "not a name: \"%s\"",
	           "x\r\n\ty\x1b[2J\x7f\xc2\x9bz \xc3\xa4 \\n");
	format_of(&errors.list[0], "a\\nb: not a name: \"x\\r\\n\\ty\\x1b[2J\\x7f\\xc2\\x9bz \xc3\xa4 \\n\"");
	errors_free(&errors);
}

static void test_moves_with_prefix(void **state)
{
	struct errors to = ERRORS_NONE, from = ERRORS_NONE;

	(void)state;
	errors_add(&to, "first", "c", NULL, 0, "d");
	for (int i = 0; i < 100; i++)
		errors_add(&from, i == 0 ? "rules[1]" : i == 1 ? "[4].x" : NULL, "c", "f", 7, "d%d", i);
	errors_move(&to, &from, "services.edge");
	assert_int_equal(from.count, 0);
	assert_int_equal(to.count, 101);
	assert_string_equal(to.list[1].path, "services.edge.rules[1]");
	assert_string_equal(to.list[2].path, "services.edge[4].x");
	assert_string_equal(to.list[3].path, "services.edge");
	assert_string_equal(to.list[100].detail, "d99");
	assert_int_equal(to.list[100].line, 7);
	errors_free(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats_what_is_known),
		cmocka_unit_test(test_format_says_how_long),
		cmocka_unit_test(test_stays_one_line),
		cmocka_unit_test(test_moves_with_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
