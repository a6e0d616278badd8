/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of verbs and options hold together: help, manual pages and completion are made of nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/candidates.h"
#include "cli/nouns.h"

static const struct cli_option *option_named(const char *name, size_t length)
{
	for (const struct cli_option *option = cli_options; option->name; option++)
		if (strlen(option->name) == length && strncmp(option->name, name, length) == 0)
			return option;
	return NULL;
}

static void test_options_are_unique(void **state)
{
	(void)state;
	for (unsigned i = 0; cli_options[i].name; i++) {
		assert_non_null(cli_options[i].help);
		for (unsigned j = 0; j < i; j++) {
			assert_string_not_equal(cli_options[i].name, cli_options[j].name);
			assert_int_not_equal(cli_options[i].letter, cli_options[j].letter);
		}
	}
}

static void test_verbs_name_options_that_exist(void **state)
{
	(void)state;
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
		for (const char *word = verb->options; *word;) {
			size_t length = strcspn(word, " ");
			const struct cli_option *option = option_named(word, length);

			assert_non_null(option);
			assert_false(option->common);
			assert_true(verb_takes(verb, option));
			word += length + (word[length] == ' ');
		}
	}
}

static void test_verbs_are_whole(void **state)
{
	char start[64];

	(void)state;
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
		assert_ptr_equal(verb_find(verb->name), verb);
		assert_non_null(verb->run);
		assert_true(strlen(verb->help) > 0);
		assert_true(strncmp(verb->usage, verb->name, strlen(verb->name)) == 0);
		snprintf(start, sizeof(start), "sluice %s", verb->name);
		for (const char *line = verb->examples; *line; line += strcspn(line, "\n") + 1) {
			assert_non_null(strstr(line, start));
			assert_true(strcspn(line, "\t") < strcspn(line, "\n"));
		}
		assert_true(verb->examples[0] != '\0');
		assert_int_equal(verb->examples[strlen(verb->examples) - 1], '\n');
	}
}

static void test_an_option_is_taken_by_its_whole_name(void **state)
{
	const struct cli_verb verb = { .name = "x", .options = "no-wait file" };
	const struct cli_option wait = { .name = "wait" }, file = { .name = "file" },
	                        no = { .name = "no-wait" }, all = { .name = "other", .common = true };

	(void)state;
	assert_false(verb_takes(&verb, &wait));
	assert_true(verb_takes(&verb, &file));
	assert_true(verb_takes(&verb, &no));
	assert_true(verb_takes(&verb, &all));
}

static void test_suggestions(void **state)
{
	(void)state;
	assert_string_equal(suggest("descrbe", verb_name), "describe");
	assert_string_equal(suggest("aply", verb_name), "apply");
	assert_string_equal(suggest("tpo", verb_name), "top");
	assert_string_equal(suggest("dryrun", option_name), "dry-run");
	assert_string_equal(suggest("sesion", noun_name), "session");
	assert_null(suggest("frobnicate", verb_name));
	assert_null(suggest("", verb_name));
}

static void test_nouns(void **state)
{
	(void)state;
	assert_true(noun_is("port", "port"));
	assert_true(noun_is("ports", "port"));
	assert_false(noun_is("portx", "port"));
	assert_false(noun_is("por", "port"));
}

static void target_of(const char *noun, const char *word, const char *path, const char *pattern)
{
	char *words[] = { (char *)(uintptr_t)noun, (char *)(uintptr_t)word };
	struct cli cli = { .words = words, .count = word ? 2 : 1 };
	struct noun_target target;

	assert_true(noun_target(&cli, &target));
	assert_string_equal(target.path, path);
	if (pattern)
		assert_string_equal(target.pattern, pattern);
	else
		assert_null(target.pattern);
}

static void test_targets(void **state)
{
	(void)state;
	target_of("services", NULL, "/v1/services", NULL);
	target_of("service", "edge", "/v1/services/edge", NULL);
	target_of("vnf", "edge/fw", "/v1/services/edge/vnfs/fw", NULL);
	target_of("vnfs", NULL, "", "/v1/services/S/vnfs");
	target_of("rules", "edge/fw", "/v1/services/edge/vnfs/fw/state/rules", NULL);
	target_of("op", "7", "/v1/ops/7", NULL);
	target_of("backends", "edge/lb", "/v1/services/edge/vnfs/lb/state/backends", NULL);
	target_of("fragments", "edge", "/v1/services/edge/state/fragments", NULL);
}

static void test_usages_are_a_grammar(void **state)
{
	struct token tokens[8];

	(void)state;
	assert_int_equal(candidates_parse("chain insert|remove SERVICE/CHAIN NAME...", tokens, 8), 3);
	assert_string_equal(tokens[0].text, "insert|remove");
	assert_string_equal(tokens[1].text, "SERVICE/CHAIN");
	assert_string_equal(tokens[2].text, "NAME");
	assert_true(tokens[2].repeats && !tokens[2].optional);
	assert_int_equal(candidates_parse("get NOUN [SERVICE[/NAME]]", tokens, 8), 2);
	assert_string_equal(tokens[1].text, "SERVICE[/NAME]");
	assert_true(tokens[1].optional && !tokens[0].optional);
	assert_int_equal(candidates_parse("diff -f FILE | SERVICE[/VNF] --revision A[..B]", tokens, 8), 1);
	assert_string_equal(tokens[0].text, "SERVICE[/VNF]");
	assert_int_equal(candidates_parse("config get SERVICE/VNF [PATH VALUE | -f FILE]", tokens, 8), 4);
	assert_true(tokens[2].optional && tokens[3].optional);
	assert_string_equal(tokens[3].text, "VALUE");
	assert_int_equal(candidates_parse("explain [KIND[.MEMBER...]]", tokens, 8), 1);
	assert_string_equal(tokens[0].text, "KIND[.MEMBER...]");
	assert_int_equal(candidates_parse("a b c d", tokens, 2), 2);
}

static void test_completion_knows_every_place(void **state)
{
	struct token tokens[16];

	(void)state;
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++) {
		unsigned n = candidates_parse(verb->usage, tokens, 16);

		for (unsigned i = 0; i < n; i++)
			if (!candidates_known(&tokens[i]))
				fail_msg("%s: what may stand for %s?", verb->usage, tokens[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options_are_unique),
		cmocka_unit_test(test_verbs_name_options_that_exist),
		cmocka_unit_test(test_verbs_are_whole),
		cmocka_unit_test(test_an_option_is_taken_by_its_whole_name),
		cmocka_unit_test(test_suggestions),
		cmocka_unit_test(test_nouns),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_usages_are_a_grammar),
		cmocka_unit_test(test_completion_knows_every_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
