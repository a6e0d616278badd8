/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reader of libconfig's notation: values, places, includes, and every error with its file and line.
 */
#include "helper_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/text_file.h"
#include "util/memory.h"

static void refuse(const char *text, size_t count, const char *const *expected)
{
	struct errors errors = ERRORS_NONE;

	assert_null(conf_read_text(text, "t.cfg", &errors));
	expect_errors(&errors, count, expected);
}

#define REFUSE(text, ...)                                                          \
	do {                                                                       \
		const char *const expected_[] = { __VA_ARGS__ };                   \
		refuse(text, sizeof(expected_) / sizeof(expected_[0]), expected_); \
	} while (0)

static void test_values(void **state)
{
	struct conf *c =
	        read_right("b = true; n = false; i = -12; w = 5000000000L; h = 0x7fFF; f = 1.5e3;\n"
	                   "s = \"a\\\"b\\\\c\\n\\x41\" \"joined\"; e = \"\";\n"
	                   "g : { x = 1; }; l = ( { name = \"one\"; }, { } ); a = [ 1, 2 ]; z = ( );\n");

	(void)state;
	assert_true(conf_bool(c, "b", false));
	assert_false(conf_bool(c, "n", true));
	assert_int_equal(conf_int(c, "i", 0), -12);
	assert_true(conf_int(c, "w", 0) == 5000000000);
	assert_int_equal(conf_int(c, "h", 0), 0x7fff);
	assert_true(conf_float(c, "f", 0) == 1500.0);
	assert_string_equal(conf_string(c, "s", ""), "a\"b\\c\nAjoined");
	assert_string_equal(conf_string(c, "e", "x"), "");
	assert_int_equal(conf_int(conf_get(c, "g"), "x", 0), 1);
	assert_int_equal(conf_count(conf_get(c, "l")), 2);
	assert_int_equal(conf_at(conf_get(c, "a"), 1)->integer, 2);
	assert_int_equal(conf_get(c, "z")->type, CONF_LIST);
	conf_free(c);
}

static void test_empty_text(void **state)
{
	struct conf *c = read_right("");

	(void)state;
	assert_int_equal(c->type, CONF_GROUP);
	assert_int_equal(conf_count(c), 0);
	conf_free(c);
	c = read_right("/* nothing\n */ # at all\n// here");
	assert_int_equal(conf_count(c), 0);
	conf_free(c);
}

static void test_every_node_has_its_line(void **state)
{
	struct conf *c = read_right("# one\n"
	                            "a = 1;\n"
	                            "g = {\n"
	                            "	s = \"x\";\n"
	                            "	l = (\n"
	                            "		{ k = 1; },\n"
	                            "\n"
	                            "		{ k = 2;\n"
	                            "		  v = [ 1,\n"
	                            "			2 ]; }\n"
	                            "	);\n"
	                            "};\n");
	const struct conf *list = conf_get(conf_get(c, "g"), "l");
	char path[64];

	(void)state;
	assert_int_equal(conf_get(c, "a")->line, 2);
	assert_int_equal(conf_get(c, "g")->line, 3);
	assert_int_equal(conf_get(conf_get(c, "g"), "s")->line, 4);
	assert_int_equal(list->line, 5);
	assert_int_equal(conf_at(list, 0)->line, 6);
	assert_int_equal(conf_at(list, 1)->line, 8);
	assert_int_equal(conf_get(conf_at(list, 1), "v")->line, 9);
	assert_string_equal(conf_get(c, "a")->file, "t.cfg");
	conf_path(conf_at(conf_get(conf_at(list, 1), "v"), 1), path, sizeof(path));
	assert_string_equal(path, "g.l[1].v[1]");
	conf_free(c);
}

static void test_lines_beyond_16_bits(void **state)
{
	char *text = memory_new(70100, 1);
	struct conf *c;

	(void)state;
	memset(text, '\n', 70000);
	strcpy(text + 70000, "a = 1;");
	c = read_right(text);
	assert_int_equal(conf_get(c, "a")->line, 70001);
	conf_free(c);
	free(text);
}

static void test_integers(void **state)
{
	struct conf *c =
	        read_right("a = 2147483647; b = -2147483648; c = 2147483648L; d = -9223372036854775808L;\n"
	                   "e = 9223372036854775807LL; f = 0x7fffffff; g = 0xffffffffL; h = 1.0; i = 1e10;\n"
	                   "j = +5; k = 5000000000.5; a-5000000000 = 1; s = \"5000000000\"; # 5000000000\n"
	                   "/* 5000000000 */ // 5000000000\n");

	(void)state;
	assert_int_equal(conf_int(c, "a", 0), INT32_MAX);
	assert_int_equal(conf_int(c, "b", 0), INT32_MIN);
	assert_true(conf_int(c, "c", 0) == 2147483648);
	assert_true(conf_int(c, "d", 0) == INT64_MIN);
	assert_true(conf_int(c, "e", 0) == INT64_MAX);
	assert_int_equal(conf_int(c, "f", 0), 0x7fffffff);
	assert_true(conf_int(c, "g", 0) == 0xffffffff);
	assert_true(conf_float(c, "i", 0) == 1e10);
	assert_int_equal(conf_int(c, "j", 0), 5);
	assert_true(conf_float(c, "k", 0) == 5000000000.5);
	assert_int_equal(conf_int(c, "a-5000000000", 0), 1);
	conf_free(c);
}

#define NEEDS_L(number)   number " does not fit 32 bits: write " number "L for a 64-bit integer"
#define TOO_LARGE(number) number " does not fit 64 bits: expected -9223372036854775808 to 9223372036854775807"

static void test_integers_that_would_be_corrupted(void **state)
{
	(void)state;
	REFUSE("a = 5000000000;\n\nb = -2147483649;\n", "t.cfg:1: " NEEDS_L("5000000000"),
	       "t.cfg:3: " NEEDS_L("-2147483649"));
	REFUSE("a = 0x80000000;", "t.cfg:1: " NEEDS_L("0x80000000"));
	REFUSE("a = [ 1,\n2147483648 ];", "t.cfg:2: " NEEDS_L("2147483648"));
	/* libconfig needs no separator: this is two members */
	REFUSE("a = 5000000000b = 1", "t.cfg:1: " NEEDS_L("5000000000"));
	REFUSE("a = 9223372036854775808L;", "t.cfg:1: " TOO_LARGE("9223372036854775808L"));
	REFUSE("a = 99999999999999999999;", "t.cfg:1: " TOO_LARGE("99999999999999999999"));
	REFUSE("a = 0xffffffffffffffffL;", "t.cfg:1: " TOO_LARGE("0xffffffffffffffffL"));
	REFUSE("a = 1e999;", "t.cfg:1: a: the number is too large");
}

static void test_syntax_errors(void **state)
{
	(void)state;
	REFUSE("a = 1;\nb = = 2;\n", "t.cfg:2: syntax error at or before: b = = 2;");
	REFUSE("a = 1;\n\na = 2;\n", "t.cfg:3: duplicate setting name at or before: a = 2;");
	REFUSE("a = [ 1, \"x\" ];",
	       "t.cfg:1: mismatched element type in array at or before: a = [ 1, \"x\" ];");
	REFUSE("a = {\n\n", "t.cfg:3: syntax error at or before: the end");
	REFUSE("a = 1;\nb = \"x\n;", "t.cfg:2: a string begins here and never ends: expected \"");
	REFUSE("a = 1;\n/* x\n;", "t.cfg:2: a comment begins here and never ends: expected */");
	REFUSE("a = $;", "t.cfg:1: syntax error at or before: a = $;");
	REFUSE("@include \"/etc/hosts\"", "t.cfg:1: @include is for files: this text came from none");
	REFUSE(" @include \"x", "t.cfg:1: the name of the included file does not end: expected \"");
	REFUSE("a = 1; @include \"/\"",
	       "t.cfg:1: a @ stands only in @include \"FILE\" at the beginning of a line");
	REFUSE("@include\"/\"", "t.cfg:1: a @ stands only in @include \"FILE\" at the beginning of a line");
	REFUSE("a = 5000000000;\nb = ];\n", "t.cfg:1: " NEEDS_L("5000000000"),
	       "t.cfg:2: syntax error at or before: b = ];");
}

static void test_what_json_cannot_say(void **state)
{
	(void)state;
	REFUSE("a = ( 1, { }, \"x\" );",
	       "t.cfg:1: a[0]: expected a group { } in a list ( ), found an integer; values go into an array "
	       "[ ]",
	       "t.cfg:1: a[2]: expected a group { } in a list ( ), found a string; values go into an array [ "
	       "]");
	REFUSE("a = ( ( ) );", "t.cfg:1: a[0]: expected a group { } in a list ( ), found a list ( ); values "
	                       "go into an array [ ]");
	REFUSE("a = \"x\\x00y\";", "t.cfg:1: a string cannot hold the character \\x00");
	REFUSE("\na = \"\\xff\";", "t.cfg:2: a: the string is not UTF-8");
	REFUSE("\na = \"\xed\xa0\x80\";", "t.cfg:2: a: the string is not UTF-8");
}

static void test_bounds(void **state)
{
	char *text = memory_new(100000, 1), *p = text;

	(void)state;
	for (int i = 0; i < CONF_DEPTH; i++)
		p = stpcpy(p, "a={");
	for (int i = 0; i < CONF_DEPTH; i++)
		p = stpcpy(p, "};");
	conf_free(read_right(text));
	p = text;
	for (int i = 0; i < CONF_DEPTH + 1; i++)
		p = stpcpy(p, "a={\n");
	REFUSE(text, "t.cfg:65: nested deeper than 64 brackets");
	p = text;
	for (int i = 0; i < 5000; i++)
		p += sprintf(p, "m%d = 1;\n", i);
	REFUSE(text, "t.cfg:4097: more than 4096 members in one group: write a list ( ) of groups with a "
	             "name each");
	free(text);
}

static void test_includes(void **state)
{
	char *folder = *state, *below = text_format("%s/below", folder);
	struct errors errors = ERRORS_NONE;

	free(write_file(folder, "common.cfg", "c = 3;"));
	char *command = text_format("mkdir %s", below);
	assert_int_equal(system(command), 0);
	free(write_file(below, "rules.cfg", "\nr = 1;\n@include \"more.cfg\"\nq = 9;\n"));
	free(write_file(below, "more.cfg", "m = 2;\n# @include \"none.cfg\"\n"));
	char *main_file =
	        write_file(folder, "main.cfg",
	                   "a = 1;\ng = {\n\t@include \"below/rules.cfg\"\n\tb = 2;\n};\n"
	                   "@include \"common.cfg\" d = 4;\n/*\n@include \"none.cfg\"\n*/ e = 5;\n");
	struct conf *c = conf_read_file(main_file, &errors);
	expect_errors(&errors, 0, NULL);

	const struct conf *g = conf_get(c, "g"), *m = conf_get(g, "m");
	assert_int_equal(conf_get(g, "r")->line, 2);
	assert_non_null(strstr(conf_get(g, "r")->file, "/below/rules.cfg"));
	assert_int_equal(m->line, 1);
	assert_non_null(strstr(m->file, "/below/more.cfg"));
	assert_int_equal(conf_get(g, "q")->line, 4);
	assert_int_equal(conf_get(g, "b")->line, 4);
	assert_string_equal(conf_get(g, "b")->file, main_file);
	assert_int_equal(conf_int(c, "c", 0), 3);
	assert_int_equal(conf_get(c, "d")->line, 6);
	assert_int_equal(conf_get(c, "e")->line, 9);
	conf_free(c);
	free(main_file);
	free(below);
	free(command);
}

/* Reads FOLDER/main.cfg, which must fail with one error that is FOLDER/ and `expected`. */
static void refuse_file(const char *folder, const char *expected)
{
	struct errors errors = ERRORS_NONE;
	char *file = text_format("%s/main.cfg", folder), *whole = text_format("%s/%s", folder, expected);

	assert_null(conf_read_file(file, &errors));
	assert_int_equal(errors.count, 1);
	expect_error(&errors, 0, whole);
	errors_free(&errors);
	free(file);
	free(whole);
}

static void test_errors_in_included_files(void **state)
{
	char *folder = *state;

	free(write_file(folder, "main.cfg", "a = 1;\n@include \"x.cfg\"\n"));
	free(write_file(folder, "x.cfg", "b = 1;\nc = ;\n"));
	refuse_file(folder, "x.cfg:2: syntax error at or before: c = ;");
	free(write_file(folder, "x.cfg", "b = 1;\n\nc = 5000000000;\n"));
	refuse_file(folder, "x.cfg:3: " NEEDS_L("5000000000"));
	free(write_file(folder, "x.cfg", "a = 1;\n"));
	refuse_file(folder, "x.cfg:1: duplicate setting name at or before: a = 1;");
}

static void test_includes_that_fail(void **state)
{
	char *folder = *state, *expected;

	free(write_file(folder, "main.cfg", "a = 1;\n@include \"none.cfg\"\n"));
	expected = text_format("main.cfg:2: cannot read %s/none.cfg: No such file or directory", folder);
	refuse_file(folder, expected);
	free(expected);
	free(write_file(folder, "main.cfg", "\n@include \".\"\n"));
	expected = text_format("main.cfg:2: cannot read %s/.: Is a directory", folder);
	refuse_file(folder, expected);
	free(expected);
	free(write_file(folder, "main.cfg", "\n\n@include \"x.cfg\"\n"));
	free(write_file(folder, "x.cfg", "@include \"main.cfg\"\n"));
	expected = text_format("x.cfg:1: %s/main.cfg includes itself", folder);
	refuse_file(folder, expected);
	free(expected);
	free(write_file(folder, "x.cfg", "a = 1;\n"));
	free(write_file(folder, "main.cfg", "@include \"x.cfg\"@include \"/\"\n"));
	refuse_file(folder, "main.cfg:1: a @ stands only in @include \"FILE\" at the beginning of a line");
}

static void test_files_that_are_not_texts(void **state)
{
	char *folder = *state, *file = text_format("%s/main.cfg", folder);
	struct errors errors = ERRORS_NONE;
	FILE *out = fopen(file, "w");

	fwrite("a = 1;\n\0b", 1, 9, out);
	fclose(out);
	refuse_file(folder, "main.cfg:2: the file holds a NUL byte: is it a text?");
	free(write_file(folder, "main.cfg",
	                "\xff\xfe"
	                "a\0=\0"));
	refuse_file(folder, "main.cfg:1: the file is UTF-16: save it as UTF-8");
	assert_null(conf_read_file("/nowhere/x.cfg", &errors));
	expect_errors(&errors, 1,
	              (const char *const[]){
	                      "/nowhere/x.cfg: cannot read /nowhere/x.cfg: No such file or directory" });
	free(file);
}

/* As editors of other systems write it, also at the beginning of what is included. */
static void test_byte_order_marks(void **state)
{
	const char *folder = *state;
	char *other = write_file(folder, "other.cfg", "\xef\xbb\xbf# of its own\nb = 2;\n"),
	     *main_file = write_file(folder, "main.cfg",
	                             "\xef\xbb\xbf"
	                             "a = 1;\n@include \"other.cfg\"\n"),
	     *json = write_file(folder, "main.json", "\xef\xbb\xbf{\"a\": 1}\n"),
	     *wide = write_file(folder, "wide.json", "\xfe\xff");
	struct errors errors = ERRORS_NONE;
	struct conf *found = conf_read_file(main_file, &errors);

	expect_errors(&errors, 0, NULL);
	assert_int_equal(conf_int(found, "a", 0), 1);
	assert_int_equal(conf_int(found, "b", 0), 2);
	assert_int_equal(conf_get(found, "b")->line, 2);
	conf_free(found);
	found = conf_read_json(json, &errors);
	expect_errors(&errors, 0, NULL);
	assert_int_equal(conf_int(found, "a", 0), 1);
	conf_free(found);
	assert_null(conf_read_json(wide, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.list[0].code, "not-utf-8");
	errors_free(&errors);
	free(other);
	free(main_file);
	free(json);
	free(wide);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_empty_text),
		cmocka_unit_test(test_every_node_has_its_line),
		cmocka_unit_test(test_lines_beyond_16_bits),
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_integers_that_would_be_corrupted),
		cmocka_unit_test(test_syntax_errors),
		cmocka_unit_test(test_what_json_cannot_say),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test_setup_teardown(test_includes, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_errors_in_included_files, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_includes_that_fail, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_files_that_are_not_texts, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_byte_order_marks, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
