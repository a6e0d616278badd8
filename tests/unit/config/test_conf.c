/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tree: building, replacing, removing, copying, comparing, paths.
 */
#include "helper_config.h"

#include <string.h>

#include "config/values.h"

static struct conf *make_tree(void)
{
	struct conf *root = conf_new(NULL, CONF_GROUP, NULL);
	struct conf *list = conf_new(root, CONF_LIST, "rules");

	conf_set_string(root, "name", "edge");
	conf_set_int(root, "count", 3);
	conf_set_bool(root, "on", true);
	conf_set_float(root, "rate", 2.5);
	for (int i = 0; i < 3; i++) {
		struct conf *item = conf_new(list, CONF_GROUP, NULL);
		conf_set_string(item, "name", i == 0 ? "a" : i == 1 ? "b" : "c");
		conf_set_place(item, "x.cfg", (unsigned)i + 10);
	}
	return root;
}

static void expect_path(const struct conf *c, const char *expected)
{
	char path[128];

	assert_int_equal(conf_path(c, path, sizeof(path)), strlen(expected));
	assert_string_equal(path, expected);
}

static void test_getters(void **state)
{
	struct conf *root = make_tree();

	(void)state;
	assert_string_equal(conf_string(root, "name", ""), "edge");
	assert_int_equal(conf_int(root, "count", 0), 3);
	assert_true(conf_bool(root, "on", false));
	assert_true(conf_float(root, "rate", 0) == 2.5);
	assert_int_equal(conf_int(root, "name", 7), 7);
	assert_int_equal(conf_int(root, "none", 7), 7);
	assert_int_equal(conf_int(NULL, "none", 7), 7);
	assert_null(conf_get(conf_get(root, "name"), "x"));
	assert_int_equal(conf_item(conf_get(root, "rules"), "name", "b")->line, 11);
	assert_null(conf_item(conf_get(root, "rules"), "name", "z"));
	assert_null(conf_at(conf_get(root, "rules"), 3));
	assert_int_equal(conf_count(NULL), 0);
	assert_int_equal(conf_count(conf_get(root, "name")), 0);
	conf_free(root);
	conf_free(NULL);
}

static void test_replace_and_remove(void **state)
{
	struct conf *root = make_tree();

	(void)state;
	conf_set_string(root, "rules", "gone");
	assert_string_equal(conf_string(root, "rules", ""), "gone");
	assert_int_equal(conf_get(root, "rules")->index, 0);
	conf_set_string(root, "name", conf_string(root, "name", "")); /* from itself */
	assert_string_equal(conf_string(root, "name", ""), "edge");
	conf_remove(root, "name");
	conf_remove(root, "none");
	assert_int_equal(conf_count(root), 4);
	assert_null(conf_get(root, "name"));
	for (size_t i = 0; i < conf_count(root); i++)
		assert_int_equal(conf_at(root, i)->index, i);
	for (int i = 0; i < 20; i++) { /* room is right after removals at any size */
		conf_remove(root, "on");
		conf_set_int(root, "on", i);
		conf_new(root, CONF_GROUP, "more");
	}
	assert_int_equal(conf_count(root), 24);
	conf_free(root);
}

static void test_clone_and_put(void **state)
{
	struct conf *root = make_tree(), *copy = conf_clone(root), *other = conf_new(NULL, CONF_GROUP, NULL);

	(void)state;
	assert_true(conf_equal(root, copy));
	conf_put(other, "rules", conf_get(root, "rules"));
	conf_put(other, "rules", conf_get(copy, "rules"));
	conf_put((struct conf *)conf_get(other, "rules"), NULL, conf_at(conf_get(root, "rules"), 0));
	conf_put(other, "whole", root);
	conf_put(other, "whole", conf_get(conf_get(other, "whole"), "rules")); /* a part for its whole */
	conf_free(root);
	conf_free(copy);
	assert_int_equal(conf_count(other), 2);
	assert_int_equal(conf_count(conf_get(other, "rules")), 4);
	const struct conf *item = conf_at(conf_get(other, "whole"), 2);
	assert_string_equal(item->file, "x.cfg");
	assert_int_equal(item->line, 12);
	expect_path(item, "whole[2]");
	conf_free(other);
}

static void test_paths_and_errors(void **state)
{
	struct conf *root = make_tree();
	struct errors errors = ERRORS_NONE;
	const struct conf *item = conf_at(conf_get(root, "rules"), 1);
	char path[4];

	(void)state;
	expect_path(root, "");
	expect_path(conf_get(item, "name"), "rules[1].name");
	assert_int_equal(conf_path(conf_get(item, "name"), path, sizeof(path)), 13);
	assert_string_equal(path, "rul");
	conf_error(&errors, item, "code", "no %s", "good");
	conf_error(&errors, NULL, "code", "nowhere");
	expect_errors(&errors, 2, (const char *const[]){ "x.cfg:11: rules[1]: no good", "nowhere" });
	conf_free(root);
}

static void expect_equal(const char *a, const char *b, bool equal)
{
	struct conf *x = read_right(a), *y = read_right(b);

	assert_int_equal(conf_equal(x, y), equal);
	assert_int_equal(conf_equal(y, x), equal);
	conf_free(x);
	conf_free(y);
}

static void test_equality(void **state)
{
	(void)state;
	expect_equal("a = 1; b = 2;", "b = 2; a = 1;", true);
	expect_equal("a = 1;", "a = 1.0;", true);
	expect_equal("a = 1;", "a = 1L;", true);
	expect_equal("a = [ ];", "a = ( );", true);
	expect_equal("a = { };", "a = ( );", false);
	expect_equal("a = 1;", "a = 2;", false);
	expect_equal("a = 1;", "b = 1;", false);
	expect_equal("a = 1;", "a = 1; b = 2;", false);
	expect_equal("a = true;", "a = false;", false);
	expect_equal("a = \"x\";", "a = \"y\";", false);
	expect_equal("a = 1;", "a = \"1\";", false);
	expect_equal("a = [ 1, 2 ];", "a = [ 2, 1 ];", false);
	expect_equal("a = ( { b = 1; } );", "a = ( { b = 2; } );", false);
}

static void test_values(void **state)
{
	struct conf *c =
	        read_right("a = \"10.0.0.1\"; p = \"10.0.0.0/8\"; i = \"10.0.0.1/8\"; n = 443; r = \"1-9\";"
	                   "m = \"02:00:00:00:00:01\"; w = 70000;");
	struct ip_addr address;
	struct ip_prefix prefix = { .length = 77 };
	struct mac_addr mac;
	uint16_t first, last;

	(void)state;
	assert_true(conf_as_address(conf_get(c, "a"), &address));
	assert_true(conf_as_prefix(conf_get(c, "a"), &prefix) && prefix.length == 32);
	assert_true(conf_as_prefix(conf_get(c, "p"), &prefix) && prefix.length == 8);
	assert_false(conf_as_prefix(conf_get(c, "i"), &prefix));
	assert_int_equal(prefix.length, 8);
	assert_true(conf_as_interface(conf_get(c, "i"), &prefix) && prefix.address.bytes[3] == 1);
	assert_true(conf_as_mac(conf_get(c, "m"), &mac) && mac.bytes[5] == 1);
	assert_true(conf_as_ports(conf_get(c, "n"), &first, &last) && first == 443 && last == 443);
	assert_true(conf_as_ports(conf_get(c, "r"), &first, &last) && first == 1 && last == 9);
	assert_false(conf_as_ports(conf_get(c, "w"), &first, &last));
	assert_false(conf_as_ports(conf_get(c, "none"), &first, &last));
	assert_false(conf_as_address(conf_get(c, "n"), &address));
	assert_false(conf_as_mac(NULL, &mac));
	conf_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_getters),       cmocka_unit_test(test_replace_and_remove),
		cmocka_unit_test(test_clone_and_put), cmocka_unit_test(test_paths_and_errors),
		cmocka_unit_test(test_equality),      cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
