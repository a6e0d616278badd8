/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table of a configuration: every error of the check, defaults, secrets, the lint of tables, OpenAPI, Markdown.
 */
#include "helper_config.h"

#include <stdlib.h>
#include <string.h>

#include "config/schema.h"

static const char *const actions[] = { "accept", "drop", "reject", NULL };

static const struct schema rule_members[] = {
	{ .name = "name", .type = SCHEMA_NAME, .help = "What the rule is called." },
	{ .name = "action",
	  .type = SCHEMA_ENUM,
	  .values = actions,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Verdict." },
	{ .name = "source", .type = SCHEMA_PREFIX, .help = "Where from." },
	{ .name = "ports", .type = SCHEMA_ARRAY, .element = SCHEMA_PORTS, .max = 3, .help = "a|b" },
	{ .name = "log", .type = SCHEMA_BOOL, .otherwise = "false", .help = "Whether to log." },
	{ 0 }
};
static const struct schema limits_members[] = {
	{ .name = "rate",
	  .type = SCHEMA_FLOAT,
	  .min = 1,
	  .max = 10,
	  .unit = "packets/s",
	  .otherwise = "2.5",
	  .help = "Rate." },
	{ .name = "burst", .type = SCHEMA_INT, .min = 1, .help = "At least one." },
	{ 0 }
};
static const struct schema table[] = {
	{ .name = "name", .type = SCHEMA_NAME, .help = "Name." },
	{ .name = "timeout",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 3600,
	  .unit = "s",
	  .otherwise = "60",
	  .help = "T." },
	{ .name = "gateway", .type = SCHEMA_ADDRESS, .help = "Gateway." },
	{ .name = "address", .type = SCHEMA_INTERFACE_ADDRESS, .help = "Address." },
	{ .name = "mac", .type = SCHEMA_MAC, .help = "MAC." },
	{ .name = "policy", .type = SCHEMA_ENUM, .values = actions, .otherwise = "drop", .help = "Policy." },
	{ .name = "rules",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = rule_members,
	  .max = 4,
	  .help = "Rules." },
	{ .name = "limits", .type = SCHEMA_GROUP, .members = limits_members, .help = "Limits." },
	{ .name = "secret", .type = SCHEMA_STRING, .flags = SCHEMA_SECRET, .help = "Key." },
	{ .name = "watch",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_PORTS,
	  .otherwise = "[80, 443]",
	  .help = "Watched." },
	{ .name = "config", .type = SCHEMA_ANY, .help = "Somebody else's." },
	{ 0 }
};

static void refuse(const char *text, size_t count, const char *const *expected)
{
	struct errors errors = ERRORS_NONE;
	struct conf *c = read_right(text);

	assert_int_equal(schema_check(table, c, &errors), count == 0);
	expect_errors(&errors, count, expected);
	conf_free(c);
}

#define REFUSE(text, ...)                                                          \
	do {                                                                       \
		const char *const expected_[] = { __VA_ARGS__ };                   \
		refuse(text, sizeof(expected_) / sizeof(expected_[0]), expected_); \
	} while (0)

static void test_accepts(void **state)
{
	(void)state;
	refuse("", 0, NULL);
	refuse("name = \"edge-1.x_y\"; timeout = 3600; gateway = \"2001:db8::1\"; address = "
	       "\"10.0.0.1/24\";\n"
	       "mac = \"02:00:00:00:00:01\"; policy = \"reject\"; limits = { rate = 10; burst = 2000000; };\n"
	       "rules = ( { name = \"a\"; action = \"drop\"; source = \"10.0.0.0/8\"; ports = [ \"80\", "
	       "\"1-9\" ]; },\n"
	       "  { name = \"b\"; action = \"drop\"; ports = [ 80, 443 ]; log = true; } );\n"
	       "config = { what = ( { ever = [ ]; } ); }; watch = [ ];",
	       0, NULL);
	refuse("rules = [ ]; watch = ( );", 0, NULL);
}

static void test_members(void **state)
{
	(void)state;
	REFUSE("\nrulez = ( );\npolcy = \"drop\";\nsomething-else = 1;\nTimeout = 5;",
	       "t.cfg:2: rulez: unknown member: did you mean \"rules\"?",
	       "t.cfg:3: polcy: unknown member: did you mean \"policy\"?",
	       "t.cfg:4: something-else: unknown member",
	       "t.cfg:5: Timeout: unknown member: did you mean \"timeout\"?");
	REFUSE("rules = (\n{ log = true; } );", "t.cfg:2: rules[0].action: missing: expected a string",
	       "t.cfg:2: rules[0].name: missing: expected a name (a string)");
}

static void test_types(void **state)
{
	(void)state;
	REFUSE("timeout = \"60\"; rules = { }; limits = ( ); watch = 80; name = 5; policy = true; gateway = "
	       "1;",
	       "t.cfg:1: timeout: expected an integer, found a string",
	       "t.cfg:1: rules: expected a list ( ) of groups, found a group { }",
	       "t.cfg:1: limits: expected a group { }, found a list ( )",
	       "t.cfg:1: watch: expected an array [ ], found an integer",
	       "t.cfg:1: name: expected a name (a string), found an integer",
	       "t.cfg:1: policy: expected a string, found true or false",
	       "t.cfg:1: gateway: expected an IPv4 or IPv6 address (a string), found an integer");
	REFUSE("watch = [ 1.5 ]; timeout = 1.5; rules = ( { name = \"x\"; action = \"drop\"; log = 1; } );",
	       "t.cfg:1: watch[0]: expected a port or a range such as \"1000-2000\", found a decimal number",
	       "t.cfg:1: timeout: expected an integer, found a decimal number",
	       "t.cfg:1: rules[0].log: expected true or false, found an integer");
}

static void test_ranges(void **state)
{
	(void)state;
	REFUSE("timeout = 0; limits = {\n rate = 10.5; burst = 0; };",
	       "t.cfg:1: timeout: expected 1 to 3600 s, found 0",
	       "t.cfg:2: limits.rate: expected 1 to 10 packets/s, found 10.5",
	       "t.cfg:2: limits.burst: expected at least 1, found 0");
	REFUSE("timeout = 5000000000L;", "t.cfg:1: timeout: expected 1 to 3600 s, found 5000000000");
	REFUSE("rules = ( { name = \"a\"; action = \"drop\"; ports = [ 1, 2, 3, 4 ]; } );",
	       "t.cfg:1: rules[0].ports: expected 0 to 3 elements, found 4");
}

static void test_texts(void **state)
{
	(void)state;
	REFUSE("policy = \"acept\";", "t.cfg:1: policy: expected one of accept, drop, reject; found "
	                              "\"acept\": did you mean \"accept\"?");
	REFUSE("policy = \"quarantine\";",
	       "t.cfg:1: policy: expected one of accept, drop, reject; found \"quarantine\"");
	REFUSE("name = \"a b\";",
	       "t.cfg:1: name: not a name: \"a b\"; expected a letter or digit, then letters, "
	       "digits, . _ -, at most 63 in all");
	REFUSE("gateway = \"10.0.0\";", "t.cfg:1: gateway: not an IPv4 or IPv6 address: \"10.0.0\"");
	REFUSE("address = \"10.0.0.1\";", "t.cfg:1: address: not an address with its length: \"10.0.0.1\"; "
	                                  "expected such as \"10.0.0.1/24\"");
	REFUSE("mac = \"x\";",
	       "t.cfg:1: mac: not a MAC address: \"x\"; expected such as \"02:00:00:00:00:01\"");
	REFUSE("watch = [ 70000, -1 ];", "t.cfg:1: watch[0]: expected 0 to 65535, found 70000",
	       "t.cfg:1: watch[1]: expected 0 to 65535, found -1");
	REFUSE("watch = [ \"http\" ];",
	       "t.cfg:1: watch[0]: not a port or a range: \"http\"; expected such as "
	       "\"80\" or \"1000-2000\"");
	REFUSE("rules = ( { name = \"a\"; action = \"drop\"; source = \"10.0.0\"; },\n"
	       "{ name = \"b\"; action = \"drop\"; source = \"10.1.2.3/8\"; } );",
	       "t.cfg:1: rules[0].source: not a prefix: \"10.0.0\"; expected such as \"10.0.0.0/8\"",
	       "t.cfg:2: rules[1].source: bits beyond the length are set: \"10.1.2.3/8\"; did you mean "
	       "\"10.0.0.0/8\"?");
	REFUSE("secret = \"********\";",
	       "t.cfg:1: secret: \"********\" stands for a secret: write the secret itself");
}

static void test_duplicate_keys(void **state)
{
	(void)state;
	REFUSE("rules = ( { name = \"a\"; action = \"drop\"; },\n{ name = \"b\"; action = \"drop\"; },\n"
	       "{ name = \"a\"; action = \"drop\"; } );",
	       "t.cfg:3: rules[2]: name \"a\" is taken by item [0]");
}

static void test_not_a_group(void **state)
{
	struct errors errors = ERRORS_NONE;
	struct conf *c = from_json_text("[1]", &errors);

	(void)state;
	assert_false(schema_check(table, c, &errors));
	expect_errors(&errors, 1, (const char *const[]){ "expected a group { }, found an array [ ]" });
	conf_free(c);
}

static void test_path_starts_at_the_root(void **state)
{
	struct errors errors = ERRORS_NONE;
	struct conf *c =
	        read_right("vnfs = ( { config = { timeout = 0; rules = ( { name = \"a\"; } ); }; } );");

	(void)state;
	schema_check(table, conf_get(conf_at(conf_get(c, "vnfs"), 0), "config"), &errors);
	expect_errors(&errors, 2,
	              (const char *const[]){
	                      "t.cfg:1: vnfs[0].config.timeout: expected 1 to 3600 s, found 0",
	                      "t.cfg:1: vnfs[0].config.rules[0].action: missing: expected a string" });
	conf_free(c);
}

static void test_defaults(void **state)
{
	struct conf *c =
	        read_right("timeout = 5; limits = { }; rules = ( { name = \"a\"; action = \"drop\"; } );");
	struct conf *expected =
	        read_right("timeout = 5; limits = { rate = 2.5; }; policy = \"drop\"; watch = [ 80, 443 ];"
	                   "rules = ( { name = \"a\"; action = \"drop\"; log = false; } );");

	(void)state;
	schema_defaults(table, c);
	assert_true(conf_equal(c, expected));
	schema_defaults(table, c);
	assert_true(conf_equal(c, expected));
	conf_free(c);
	conf_free(expected);
	c = read_right("");
	schema_defaults(table, c);
	assert_int_equal(conf_int(c, "timeout", 0), 60);
	assert_null(conf_get(c, "limits"));
	conf_free(c);
}

static const struct schema user_members[] = {
	{ .name = "name", .type = SCHEMA_NAME, .help = "N." },
	{ .name = "psk", .type = SCHEMA_STRING, .flags = SCHEMA_SECRET, .help = "K." },
	{ 0 }
};
static const struct schema users[] = {
	{ .name = "users", .type = SCHEMA_LIST, .key = "name", .members = user_members, .help = "U." },
	{ .name = "group", .type = SCHEMA_GROUP, .members = user_members, .help = "G." },
	{ 0 }
};

/* What is shown has no secret in it, and can be written back without losing one. */
static void test_secrets(void **state)
{
	struct conf *c =
	        read_right("users = ( { name = \"a\"; psk = \"one\"; }, { name = \"b\"; psk = \"two\"; } );"
	                   "group = { psk = \"three\"; };");
	json_t *json = schema_to_json(users, c);
	char *text = json_dumps(json, JSON_COMPACT);
	struct errors errors = ERRORS_NONE;
	struct conf *back = conf_from_json(json, &errors);

	(void)state;
	assert_string_equal(text, "{\"users\":[{\"name\":\"a\",\"psk\":\"********\"},{\"name\":\"b\",\"psk\":"
	                          "\"********\"}],\"group\":{\"psk\":\"********\"}}");
	assert_false(schema_check(users, back, &errors));
	assert_int_equal(errors.count, 3);
	errors_free(&errors);
	schema_restore_secrets(users, back, c);
	assert_true(conf_equal(back, c));
	assert_true(schema_check(users, back, &errors));
	conf_free(c);
	conf_free(back);
	json_decref(json);
	free(text);
}

static void test_lint(void **state)
{
	static const struct schema wrong[] = {
		{ .name = "a", .type = SCHEMA_INT, .min = 1, .max = 5, .otherwise = "6", .help = "x" },
		{ .name = "b", .type = SCHEMA_INT, .otherwise = "6O", .help = "x" },
		{ .name = "c", .type = SCHEMA_BOOL, .otherwise = "yes" },
		{ .name = "d", .type = SCHEMA_ENUM, .help = "x" },
		{ .name = "e", .type = SCHEMA_LIST, .members = user_members, .key = "id", .help = "x" },
		{ .name = "f", .type = SCHEMA_GROUP, .help = "x" },
		{ .name = "g", .type = SCHEMA_ARRAY, .element = SCHEMA_GROUP, .help = "x" },
		{ .name = "h",
		  .type = SCHEMA_ARRAY,
		  .element = SCHEMA_INT,
		  .otherwise = "1, 2",
		  .help = "x" },
		{ .name = "i", .type = SCHEMA_ENUM, .values = actions, .otherwise = "deny", .help = "x" },
		{ 0 }
	};
	static const char *const expected[] = { "a: expected 1 to 5, found 6",
		                                "b: not an integer: 6O",
		                                "c: no help text",
		                                "c: neither true nor false: yes",
		                                "d: an enumeration without values",
		                                "e: the key id is no member",
		                                "f: a group or list without members",
		                                "g: an array holds scalars",
		                                "h: not a JSON array: 1, 2",
		                                "i: expected one of accept, drop, reject; found \"deny\"" };
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_true(schema_lint(table, &errors));
	expect_errors(&errors, 0, NULL);
	assert_false(schema_lint(wrong, &errors));
	expect_errors(&errors, sizeof(expected) / sizeof(expected[0]), expected);
}

static void expect_json(const json_t *json, const char *name, const char *expected)
{
	char *text = json_dumps(json_object_get(json_object_get(json, "properties"), name),
	                        JSON_COMPACT | JSON_SORT_KEYS);

	assert_string_equal(text, expected);
	free(text);
}

static void test_openapi(void **state)
{
	json_t *json = schema_to_openapi(table);

	(void)state;
	expect_json(
	        json, "timeout",
	        "{\"default\":60,\"description\":\"T.\",\"format\":\"int64\",\"maximum\":3600,\"minimum\":1,"
	        "\"type\":\"integer\",\"x-type\":\"integer\",\"x-unit\":\"s\"}");
	expect_json(
	        json, "policy",
	        "{\"default\":\"drop\",\"description\":\"Policy.\",\"enum\":[\"accept\",\"drop\",\"reject\"],"
	        "\"type\":\"string\",\"x-type\":\"one of\"}");
	expect_json(json, "config", "{\"description\":\"Somebody else's.\",\"x-type\":\"any\"}");
	const json_t *rules = json_object_get(json_object_get(json, "properties"), "rules");
	const json_t *item = json_object_get(rules, "items");
	assert_string_equal(json_string_value(json_object_get(rules, "x-key")), "name");
	assert_true(json_is_false(json_object_get(item, "additionalProperties")));
	assert_string_equal(json_string_value(json_array_get(json_object_get(item, "required"), 0)),
	                    "action");
	json_decref(json);
}

static void test_markdown(void **state)
{
	char *text = schema_to_markdown(table, "Firewall");

	(void)state;
	assert_int_equal(strncmp(text, "## Firewall\n", 12), 0);
	assert_non_null(strstr(text, "| `timeout` | integer | 1 to 3600 s | `60` | T. |\n"));
	assert_non_null(
	        strstr(text, "| `rules[].action` | one of `accept`, `drop`, `reject`, required |  |  |"));
	assert_non_null(strstr(text, "| `limits.burst` | integer | from 1 |  | At least one. |\n"));
	assert_non_null(strstr(text, "a\\|b"));
	assert_non_null(strstr(text, "| `secret` | string, secret |"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),     cmocka_unit_test(test_members),
		cmocka_unit_test(test_types),       cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_texts),       cmocka_unit_test(test_duplicate_keys),
		cmocka_unit_test(test_not_a_group), cmocka_unit_test(test_path_starts_at_the_root),
		cmocka_unit_test(test_defaults),    cmocka_unit_test(test_secrets),
		cmocka_unit_test(test_lint),        cmocka_unit_test(test_openapi),
		cmocka_unit_test(test_markdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
