/* SPDX-License-Identifier: BSD-3-Clause */
/* Tokens: whom they let in and until when, what is kept of them, and that other processes learn of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "manage/timestamp.h"
#include "manage/tokens.h"
#include "util/atomic_file.h"

static const time_t now = 1800000000;
static char file[80], folder[64];

static int make_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/sluice-test-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(file, sizeof file, "%s/tokens.json", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(file);
	return rmdir(folder);
}

static struct tokens *open_file(void)
{
	struct errors errors = ERRORS_NONE;
	struct tokens *tokens = tokens_open(file, &errors);
	assert_non_null(tokens);
	return tokens;
}

static bool create(struct tokens *tokens, const char *name, enum role role, time_t expires, char *text)
{
	struct errors errors = ERRORS_NONE;
	struct token_order order = { name, role, expires, "uid 0" };
	bool done = tokens_create(tokens, &order, now, text, &errors);
	assert_int_equal(done, errors.count == 0);
	errors_free(&errors);
	return done;
}

static void a_token_lets_its_owner_in(void **state)
{
	char text[TOKEN_LENGTH + 1], other[TOKEN_LENGTH + 1];
	struct caller caller = { 0 };
	(void)state;
	struct tokens *tokens = open_file();
	assert_true(create(tokens, "ci", ROLE_OPERATOR, 0, text));
	assert_true(create(tokens, "grafana", ROLE_VIEWER, now + 10, other));
	assert_int_equal(strlen(text), TOKEN_LENGTH);
	assert_string_not_equal(text, other);
	assert_true(tokens_check(tokens, text, now, &caller));
	assert_int_equal(caller.role, ROLE_OPERATOR);
	assert_string_equal(caller.subject, "ci");
	assert_true(tokens_check(tokens, other, now + 9, &caller));
	assert_int_equal(caller.role, ROLE_VIEWER);
	assert_false(tokens_check(tokens, other, now + 10, &caller));
	text[TOKEN_LENGTH - 1] ^= 1;
	assert_false(tokens_check(tokens, text, now, &caller));
	assert_false(tokens_check(tokens, "", now, &caller));
	tokens_close(tokens);
}

static void the_file_does_not_hold_it(void **state)
{
	char text[TOKEN_LENGTH + 1], *content;
	size_t length;
	struct stat status;
	(void)state;
	struct tokens *tokens = open_file();
	assert_true(create(tokens, "ci", ROLE_ADMIN, 0, text));
	assert_int_equal(atomic_file_read(file, 65536, &content, &length), 0);
	assert_null(strstr(content, text + 7));
	assert_non_null(strstr(content, "sha256"));
	free(content);
	assert_int_equal(stat(file, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	json_t *list = tokens_list(tokens);
	char *shown = json_dumps(list, 0);
	assert_null(strstr(shown, "sha256"));
	free(shown);
	json_decref(list);
	tokens_close(tokens);
}

static void names_are_checked_and_unique(void **state)
{
	static const char *const bad[] = {
		NULL,
		"",
		"-x",
		"a b",
		"a/b",
		"a\n",
		"0123456789012345678901234567890123456789012345678901234567890123"
	};
	char text[TOKEN_LENGTH + 1];
	(void)state;
	struct tokens *tokens = open_file();
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(create(tokens, bad[i], ROLE_VIEWER, 0, text));
	assert_true(create(tokens, "a.b_c-1", ROLE_VIEWER, 0, text));
	assert_false(create(tokens, "a.b_c-1", ROLE_ADMIN, 0, text));
	tokens_close(tokens);
}

static void another_process_learns_of_them_and_of_their_end(void **state)
{
	char text[TOKEN_LENGTH + 1];
	struct caller caller = { 0 };
	struct errors errors = ERRORS_NONE;
	(void)state;
	struct tokens *tokens = open_file(), *other = open_file();
	assert_true(create(tokens, "x", ROLE_ADMIN, 0, text));
	assert_true(tokens_check(other, text, now + 1, &caller));
	assert_int_equal(tokens_revoke(tokens, "x", &errors), 1);
	assert_int_equal(tokens_revoke(tokens, "x", &errors), 0);
	assert_false(tokens_check(tokens, text, now + 1, &caller));
	assert_false(tokens_check(other, text, now + 2, &caller));
	tokens_close(other);
	tokens_close(tokens);
}

static void a_damaged_file_lets_nobody_in(void **state)
{
	static const char *const damaged[] = {
		"",
		"{",
		"{\"tokens\": 1}",
		"[]",
		"{\"tokens\": [{\"name\": \"x\", \"role\": \"god\"}]}",
		"{\"tokens\": [{\"name\": \"x\", \"role\": \"admin\", \"sha256\": \"00\"}]}"
	};
	char text[TOKEN_LENGTH + 1];
	struct caller caller = { 0 };
	(void)state;
	struct tokens *tokens = open_file();
	assert_true(create(tokens, "x", ROLE_ADMIN, 0, text));
	for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
		struct errors errors = ERRORS_NONE;
		assert_int_equal(atomic_file_write(file, damaged[i], strlen(damaged[i]), 0600), 0);
		assert_false(tokens_check(tokens, text, now + 1 + (time_t)i, &caller));
		assert_null(tokens_open(file, &errors));
		assert_string_equal(errors.list[0].code, "tokens-damaged");
		errors_free(&errors);
	}
	tokens_close(tokens);
}

static void ends_are_spans_or_times(void **state)
{
	static const char *const bad[] = { "",           "90",          "90x", "-1d",
		                           "0d",         "1dd",         "d",   "2020-01-01T00:00:00Z",
		                           "2030-01-01", "99999999999d" };
	char text[TIMESTAMP_SIZE];
	time_t end;
	(void)state;
	assert_true(timestamp_read_end("90d", now, &end));
	assert_int_equal(end, now + 90 * 86400);
	assert_true(timestamp_read_end("45s", now, &end));
	assert_int_equal(end, now + 45);
	assert_true(timestamp_read_end(timestamp_write(now + 77, text), now, &end));
	assert_int_equal(end, now + 77);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(timestamp_read_end(bad[i], now, &end));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_token_lets_its_owner_in),     TEST(the_file_does_not_hold_it),
		TEST(names_are_checked_and_unique),  TEST(another_process_learns_of_them_and_of_their_end),
		TEST(a_damaged_file_lets_nobody_in), TEST(ends_are_spans_or_times),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
