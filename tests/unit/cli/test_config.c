/* SPDX-License-Identifier: BSD-3-Clause */
/* Places in a configuration by their paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/config.h"

static json_t *start(void)
{
	return json_loads(
	        "{\"default\":\"drop\",\"rules\":[{\"name\":\"web\",\"action\":\"accept\"},{\"name\":\"0\"}],"
	        "\"limits\":{\"rate\":5},\"list\":[1,2]}",
	        0, NULL);
}

/* Sets (or drops, value NULL) and compares the whole. */
static void expect(const char *path, const char *value, const char *whole)
{
	json_t *config = start(), *wanted = json_loads(whole, 0, NULL),
	       *json = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL;
	struct config_spot spot;

	assert_true(config_find(config, path, value != NULL, &spot));
	assert_true(value ? config_put(&spot, json) : config_drop(&spot));
	if (!json_equal(config, wanted))
		fail_msg("%s: %s", path, json_dumps(config, JSON_COMPACT));
	json_decref(json);
	json_decref(wanted);
	json_decref(config);
}

static void holds(const char *path, const char *value)
{
	json_t *config = start(), *wanted = value ? json_loads(value, JSON_DECODE_ANY, NULL) : NULL, *got;
	struct config_spot spot;

	got = config_find(config, path, false, &spot) ? config_value(&spot) : NULL;
	if (wanted)
		assert_true(json_equal(got, wanted));
	else
		assert_null(got);
	json_decref(wanted);
	json_decref(config);
}

static void test_values(void **state)
{
	(void)state;
	holds("default", "\"drop\"");
	holds("limits.rate", "5");
	holds("rules[web].action", "\"accept\"");
	holds("rules[0]", "{\"name\":\"0\"}"); /* names come before numbers */
	holds("rules[1].name", "\"0\"");
	holds("list[1]", "2");
}

static void test_no_places(void **state)
{
	static const char *const paths[] = { "",          "nothing",      "rules[mail]", "rules[mail].action",
		                             "rules[web", "rules[]",      "rules[web]x", "limits.",
		                             "default.x", "rules.action", "limits[0]",   "list[2]",
		                             ".default",  "rules[web].",  "list[-1]",    "[web]" };

	(void)state;
	for (unsigned i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		holds(paths[i], NULL);
}

static void test_changes(void **state)
{
	(void)state;
	expect("limits.rate", "6",
	       "{\"default\":\"drop\",\"rules\":[{\"name\":\"web\",\"action\":\"accept\"},{\"name\":\"0\"}],"
	       "\"limits\":{\"rate\":6},\"list\":[1,2]}");
	expect("rules[mail]", "{\"action\":\"drop\"}",
	       "{\"default\":\"drop\",\"rules\":[{\"name\":\"web\",\"action\":\"accept\"},{\"name\":\"0\"},"
	       "{\"name\":\"mail\",\"action\":\"drop\"}],\"limits\":{\"rate\":5},\"list\":[1,2]}");
	expect("rules[web]", "{\"name\":\"web\"}",
	       "{\"default\":\"drop\",\"rules\":[{\"name\":\"web\"},{\"name\":\"0\"}],\"limits\":{\"rate\":5}"
	       ","
	       "\"list\":[1,2]}");
	expect("timeouts.udp", "9",
	       "{\"default\":\"drop\",\"rules\":[{\"name\":\"web\",\"action\":\"accept\"},{\"name\":\"0\"}],"
	       "\"limits\":{\"rate\":5},\"list\":[1,2],\"timeouts\":{\"udp\":9}}");
	expect("zones[a]", "{\"ports\":[]}",
	       "{\"default\":\"drop\",\"rules\":[{\"name\":\"web\",\"action\":\"accept\"},{\"name\":\"0\"}],"
	       "\"limits\":{\"rate\":5},\"list\":[1,2],\"zones\":[{\"name\":\"a\",\"ports\":[]}]}");
}

static void test_ends(void **state)
{
	struct config_spot spot;
	json_t *config = start();

	(void)state;
	expect("rules[web]", NULL,
	       "{\"default\":\"drop\",\"rules\":[{\"name\":\"0\"}],\"limits\":{\"rate\":5},\"list\":[1,2]}");
	expect("limits", NULL,
	       "{\"default\":\"drop\",\"rules\":[{\"name\":\"web\",\"action\":\"accept\"},{\"name\":\"0\"}],"
	       "\"list\":[1,2]}");
	assert_true(config_find(config, "rules[mail]", false, &spot));
	assert_false(config_drop(&spot));
	assert_true(config_find(config, "nothing", false, &spot));
	assert_false(config_drop(&spot));
	assert_false(config_find(config, "rules[mail].action", true, &spot));
	json_decref(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_values), cmocka_unit_test(test_no_places),
		                            cmocka_unit_test(test_changes), cmocka_unit_test(test_ends) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
