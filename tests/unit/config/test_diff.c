/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The keyed diff, what moved, and that both cost what they may at 100 000 rules.
 */
#include "helper_config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "config/order.h"
#include "config/schema.h"

#define RULES 100000

static const struct schema rule_members[] = {
	{ .name = "name", .type = SCHEMA_NAME, .help = "N." },
	{ .name = "action", .type = SCHEMA_STRING, .help = "A." },
	{ .name = "source", .type = SCHEMA_PREFIX, .help = "S." },
	{ .name = "port", .type = SCHEMA_PORTS, .help = "P." },
	{ .name = "log", .type = SCHEMA_BOOL, .otherwise = "false", .help = "L." },
	{ 0 }
};
static const struct schema table[] = {
	{ .name = "rules", .type = SCHEMA_LIST, .key = "name", .members = rule_members, .help = "R." },
	{ .name = "steps", .type = SCHEMA_LIST, .members = rule_members, .help = "By position." },
	{ .name = "vlans", .type = SCHEMA_INT, .help = "V." },
	{ .name = "ports", .type = SCHEMA_ARRAY, .element = SCHEMA_INT, .help = "P." },
	{ .name = "secret", .type = SCHEMA_STRING, .flags = SCHEMA_SECRET, .help = "K." },
	{ .name = "config", .type = SCHEMA_ANY, .help = "C." },
	{ 0 }
};

/* A line a change: "~ path: before -> after". malloc'd. */
static char *text_of(const struct conf_diff *diff)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	for (size_t i = 0; i < diff->count; i++) {
		const struct conf_change *c = &diff->list[i];

		fprintf(out, "%c %s: ", c->kind, c->path);
		if (c->kind == '>')
			fprintf(out, "moved from %s to %s\n", c->before, c->after);
		else
			fprintf(out, "%s%s%s\n", c->before ? c->before : "",
			        c->before && c->after ? " -> " : "", c->after ? c->after : "");
	}
	fclose(out);
	return text;
}

static void expect_diff(const char *before, const char *after, const char *expected)
{
	struct conf *a = before ? read_right(before) : NULL, *b = after ? read_right(after) : NULL;
	struct conf_diff diff = schema_diff(table, a, b);
	char *text = text_of(&diff);

	assert_string_equal(text, expected);
	free(text);
	conf_diff_free(&diff);
	conf_free(a);
	conf_free(b);
}

static void test_scalars(void **state)
{
	(void)state;
	expect_diff("vlans = 1;", "vlans = 1L;", "");
	expect_diff("vlans = 1;", "vlans = 2;", "~ vlans: 1 -> 2\n");
	expect_diff("vlans = 1;", "", "- vlans: 1\n");
	expect_diff(NULL, "vlans = 1;", "+ vlans: 1\n");
	expect_diff("vlans = 1;", NULL, "- vlans: 1\n");
	expect_diff(NULL, NULL, "");
	expect_diff("ports = [ 1, 2 ];", "ports = [ 2, 1 ];", "~ ports: [1,2] -> [2,1]\n");
	expect_diff("secret = \"a\";", "secret = \"b\";", "~ secret: \"********\" -> \"********\"\n");
	expect_diff("secret = \"a\";", "secret = \"a\";", "");
}

static void test_keyed_lists(void **state)
{
	static const char abc[] =
	        "rules = ( { name = \"a\"; port = 1; }, { name = \"b\"; }, { name = \"c\"; } );";

	(void)state;
	expect_diff(abc,
	            "rules = ( { name = \"new\"; }, { name = \"a\"; port = 1; }, { name = \"b\"; }, { name = "
	            "\"c\"; } );",
	            "+ rules[new]: {\"name\":\"new\"}\n");
	expect_diff(abc, "rules = ( { name = \"a\"; port = 2; }, { name = \"c\"; log = true; } );",
	            "~ rules[a].port: 1 -> 2\n- rules[b]: {\"name\":\"b\"}\n+ rules[c].log: true\n");
	expect_diff(abc, "rules = ( { name = \"c\"; }, { name = \"a\"; port = 1; }, { name = \"b\"; } );",
	            "> rules[c]: moved from 2 to 0\n");
	expect_diff("rules = [ ];", "rules = ( { name = \"a\"; } );", "+ rules[a]: {\"name\":\"a\"}\n");
	expect_diff("rules = ( { name = \"a\"; } );", "rules = [ ];", "- rules[a]: {\"name\":\"a\"}\n");
	expect_diff("rules = ( );", "rules = [ ];", "");
}

static void test_lists_by_position(void **state)
{
	(void)state;
	expect_diff("steps = ( { port = 1; }, { port = 2; } );",
	            "steps = ( { port = 1; }, { port = 3; }, { } );",
	            "~ steps[1].port: 2 -> 3\n+ steps[2]: {}\n");
	/* keys that are not unique, in a document that was not checked */
	expect_diff("rules = ( { name = \"a\"; }, { name = \"a\"; } );", "rules = ( { name = \"a\"; } );",
	            "- rules[1]: {\"name\":\"a\"}\n");
}

static void test_unknown_parts(void **state)
{
	(void)state;
	expect_diff("config = { l = ( { name = \"x\"; v = 1; }, { name = \"y\"; } ); s = \"t\"; };",
	            "config = { l = ( { name = \"y\"; }, { name = \"x\"; v = 2; } ); s = [ ]; };",
	            "~ config.l[x].v: 1 -> 2\n> config.l[x]: moved from 0 to 1\n~ config.s: \"t\" -> []\n");
	expect_diff("config = { l = ( { v = 1; } ); };", "config = { l = ( { v = 2; } ); };",
	            "~ config.l[0].v: 1 -> 2\n");
}

static void test_large_groups(void **state)
{
	struct conf *a = conf_new(NULL, CONF_GROUP, NULL), *group = conf_new(a, CONF_GROUP, "config");
	char name[16];

	(void)state;
	for (int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		struct conf *member = conf_new(group, CONF_INT, name);
		member->integer = i;
	}
	struct conf *b = conf_clone(a), *other = (struct conf *)conf_get(b, "config");
	conf_set_int(other, "m7", 0);
	conf_remove(other, "m9");
	conf_set_int(other, "n", 1);
	struct conf_diff diff = schema_diff(table, a, b);
	char *text = text_of(&diff);
	assert_string_equal(text, "~ config.m7: 7 -> 0\n- config.m9: 9\n+ config.n: 1\n");
	free(text);
	conf_diff_free(&diff);
	conf_free(a);
	conf_free(b);
}

static void test_moved(void **state)
{
	static const size_t to[] = { 1, 2, 0, 3, 5, 4 };
	bool moved[6];
	int count = 0;

	(void)state;
	order_moved(to, 6, moved);
	for (int i = 0; i < 6; i++)
		count += moved[i];
	assert_int_equal(count, 2);
	assert_true(moved[2]);
	assert_true(moved[4] != moved[5]);
	order_moved(to, 0, moved);
}

static char *many_rules(void)
{
	char *text = NULL;
	size_t length;
	FILE *out = open_memstream(&text, &length);

	fputs("rules = (\n", out);
	for (int i = 0; i < RULES; i++)
		fprintf(out,
		        "\t{ name = \"rule-%d\"; action = \"accept\"; source = \"10.%d.%d.0/24\"; port = %d; "
		        "}%s\n",
		        i, i >> 8 & 255, i & 255, i % 65536, i + 1 < RULES ? "," : "");
	fputs(");\n", out);
	fclose(out);
	return text;
}

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Bounds far above what is measured (0.6 s in all on one core), far below what a quadratic step would take. */
static void test_many_rules(void **state)
{
	struct errors errors = ERRORS_NONE;
	char *text = many_rules();
	double start = seconds();
	struct conf *a = read_right(text);
	double read = seconds();

	(void)state;
	assert_int_equal(conf_count(conf_get(a, "rules")), RULES);
	assert_int_equal(conf_at(conf_get(a, "rules"), RULES - 1)->line, RULES + 1);
	assert_true(schema_check(table, a, &errors));
	schema_defaults(table, a);
	double checked = seconds();
	struct conf *b = conf_clone(a), *list = (struct conf *)conf_get(b, "rules");
	conf_set_int((struct conf *)conf_at(list, 500), "port", 7);
	conf_set_string((struct conf *)conf_at(list, 900), "name", "other");
	double copied = seconds();
	struct conf_diff diff = schema_diff(table, a, b);
	double compared = seconds();
	assert_int_equal(diff.count, 3);
	print_message("100000 rules: read %.2f s, checked %.2f s, compared %.2f s\n", read - start,
	              checked - read, compared - copied);
	assert_true(compared - start < 10);
	conf_diff_free(&diff);
	conf_free(a);
	conf_free(b);
	free(text);
}

/* As many errors as there are rules: each with its path, in time that is linear too. */
static void test_many_errors(void **state)
{
	struct conf *root = conf_new(NULL, CONF_GROUP, NULL), *list = conf_new(root, CONF_LIST, "rules");
	struct errors errors = ERRORS_NONE;
	double start = seconds();

	(void)state;
	for (int i = 0; i < RULES; i++)
		conf_set_string(conf_new(list, CONF_GROUP, NULL), "name", "same");
	assert_false(schema_check(table, root, &errors));
	assert_int_equal(errors.count, RULES - 1);
	expect_error(&errors, RULES - 2, "rules[99999]: name \"same\" is taken by item [0]");
	assert_true(seconds() - start < 10);
	errors_free(&errors);
	conf_free(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),           cmocka_unit_test(test_keyed_lists),
		cmocka_unit_test(test_lists_by_position), cmocka_unit_test(test_unknown_parts),
		cmocka_unit_test(test_large_groups),      cmocka_unit_test(test_moved),
		cmocka_unit_test(test_many_rules),        cmocka_unit_test(test_many_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
