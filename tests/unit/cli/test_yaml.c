/* SPDX-License-Identifier: BSD-3-Clause */
/* -o yaml: whatever is printed reads back as the same value; what looks like something else is quoted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/cli.h"

enum { PRINTED = 4096 };

/* What yaml_print writes to standard output. */
static void print_into(const char *json, char *text)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	FILE *file = tmpfile();
	int saved = dup(STDOUT_FILENO);
	size_t length;

	assert_non_null(value);
	assert_non_null(file);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	yaml_print(value);
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	length = fread(text, 1, PRINTED - 1, file);
	text[length] = '\0';
	fclose(file);
	json_decref(value);
}

static void expect(const char *json, const char *yaml)
{
	char text[PRINTED];

	print_into(json, text);
	assert_string_equal(text, yaml);
}

static void test_structure(void **state)
{
	(void)state;
	expect("{\"a\":1,\"b\":[true,null,1.5],\"c\":{\"d\":\"x y\"}}",
	       "a: 1\nb:\n- true\n- null\n- 1.5\nc:\n  d: x y\n");
	expect("[]", "[]\n");
	expect("{}", "{}\n");
	expect("[{\"name\":\"edge\",\"empty\":[]}]", "- name: edge\n  empty: []\n");
}

static void test_what_looks_like_something_else(void **state)
{
	static const char *const words[] = { "true", "No",  "off", "null", "~", "1",
		                             "0x1f", "1e3", ".5",  "-",    "",  "y" };
	char json[64], yaml[64];

	(void)state;
	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		snprintf(json, sizeof(json), "{\"a\":\"%s\"}", words[i]);
		snprintf(yaml, sizeof(yaml), "a: \"%s\"\n", words[i]);
		expect(json, yaml);
	}
}

static void test_marks_of_yaml(void **state)
{
	(void)state;
	expect("{\"a\":\"x: y\"}", "a: 'x: y'\n");
	expect("{\"a\":\"# no remark\"}", "a: '# no remark'\n");
	expect("{\"a\":\"it's\"}", "a: it's\n");
	expect("{\"a\":\"*alias\"}", "a: '*alias'\n");
	expect("{\"a\":\"2001:db8::1\"}", "a: \"2001:db8::1\"\n");
	expect("{\"rules[web]\":\"[x]\"}", "rules[web]: '[x]'\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structure),
		cmocka_unit_test(test_what_looks_like_something_else),
		cmocka_unit_test(test_marks_of_yaml),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
