/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Revisions: written, listed, read again by a successor, dropped when old, marked for boot; and damaged ones, which
 * are reported and never in the way.
 */
#include "helper_config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/revisions.h"
#include "util/memory.h"

static struct revisions *open_right(const char *folder)
{
	struct errors errors = ERRORS_NONE;
	struct revisions *r = revisions_open(folder, &errors);

	expect_errors(&errors, 0, NULL);
	assert_non_null(r);
	return r;
}

static uint64_t commit(struct revisions *r, int64_t value, const char *digest)
{
	struct errors errors = ERRORS_NONE;
	struct conf *c = conf_new(NULL, CONF_GROUP, NULL);

	conf_set_int(c, "value", value);
	uint64_t number = revisions_commit(r, c, "admin", "a \"comment\"\nof two lines", digest, &errors);
	expect_errors(&errors, 0, NULL);
	conf_free(c);
	return number;
}

static void expect_revision(struct revisions *r, uint64_t number, int64_t value)
{
	struct errors errors = ERRORS_NONE;
	struct conf *c = revisions_get(r, number, &errors);

	expect_errors(&errors, 0, NULL);
	assert_non_null(c);
	assert_int_equal(conf_int(c, "value", -1), value);
	conf_free(c);
}

static void test_commit_and_get(void **state)
{
	char *folder = text_format("%s/new", (char *)*state);
	struct revisions *r = open_right(folder);
	struct errors errors = ERRORS_NONE;

	assert_int_equal(revisions_current(r), 0);
	assert_int_equal(commit(r, 10, "d1"), 1);
	assert_int_equal(commit(r, 20, "d1"), 2);
	revisions_close(r);
	r = open_right(folder);
	assert_int_equal(revisions_current(r), 2);
	expect_revision(r, 1, 10);
	expect_revision(r, 2, 20);
	assert_null(revisions_get(r, 3, &errors));
	expect_errors(&errors, 1, (const char *const[]){ "there is no revision 3" });
	struct revision_list list = revisions_list(r, &errors);
	assert_int_equal(list.count, 2);
	assert_int_equal(list.list[1].number, 2);
	assert_string_equal(list.list[1].author, "admin");
	assert_string_equal(list.list[1].comment, "a \"comment\"\nof two lines");
	assert_string_equal(list.list[1].startup_digest, "d1");
	assert_int_equal(strlen(list.list[1].time), strlen("2026-01-01T00:00:00Z"));
	assert_false(list.list[1].saved);
	revision_list_free(&list);
	revisions_close(r);
	free(folder);
}

static enum revisions_boot boot(struct revisions *r, const char *digest, int64_t value)
{
	struct errors errors = ERRORS_NONE;
	struct conf *conf;
	enum revisions_boot how = revisions_boot(r, digest, &conf, &errors);

	assert_int_equal(how == REVISIONS_BOOT_SAVED, conf != NULL);
	assert_int_equal(how == REVISIONS_BOOT_SAVED_DAMAGED, errors_any(&errors));
	if (conf)
		assert_int_equal(conf_int(conf, "value", -1), value);
	conf_free(conf);
	errors_free(&errors);
	return how;
}

static void test_boot(void **state)
{
	struct revisions *r = open_right(*state);
	struct errors errors = ERRORS_NONE;
	char *file = text_format("%s/00000001.json", (char *)*state);

	commit(r, 10, "d1");
	commit(r, 20, "d1");
	assert_int_equal(boot(r, "d1", 0), REVISIONS_BOOT_STARTUP);
	assert_false(revisions_save(r, 9, &errors));
	expect_errors(&errors, 1, (const char *const[]){ "there is no revision 9" });
	assert_true(revisions_save(r, 1, &errors));
	revisions_close(r);
	r = open_right(*state);
	assert_int_equal(revisions_saved(r), 1);
	assert_int_equal(boot(r, "d1", 10), REVISIONS_BOOT_SAVED);
	assert_int_equal(boot(r, "d2", 0), REVISIONS_BOOT_STARTUP_CHANGED);
	assert_int_equal(truncate(file, 100), 0);
	assert_int_equal(boot(r, "d1", 0), REVISIONS_BOOT_SAVED_DAMAGED);
	assert_true(revisions_save(r, 0, &errors));
	assert_int_equal(boot(r, "d1", 0), REVISIONS_BOOT_STARTUP);
	revisions_close(r);
	free(file);
}

static void test_old_ones_are_dropped(void **state)
{
	struct revisions *r = open_right(*state);
	struct errors errors = ERRORS_NONE;

	for (int i = 1; i <= 30; i++)
		commit(r, i, "d");
	assert_true(revisions_save(r, 3, &errors));
	for (int i = 31; i <= 70; i++)
		commit(r, i, "d");
	for (int again = 0; again < 2; again++) {
		struct revision_list list = revisions_list(r, &errors);
		assert_int_equal(list.count, REVISIONS_KEPT);
		assert_int_equal(list.list[0].number, 3);
		assert_true(list.list[0].saved);
		assert_int_equal(list.list[1].number, 22);
		assert_int_equal(list.list[49].number, 70);
		revision_list_free(&list);
		expect_revision(r, 3, 3);
		revisions_close(r);
		r = open_right(*state);
	}
	revisions_close(r);
	expect_errors(&errors, 0, NULL);
}

/* One of each way to be broken, among two that are whole. */
static void test_damaged_files(void **state)
{
	const char *folder = *state;
	struct errors errors = ERRORS_NONE;
	struct revisions *r = open_right(folder);

	for (int i = 1; i <= 7; i++)
		commit(r, i, "d");
	revisions_close(r);
	char *file = text_format("%s/00000002.json", folder);
	assert_int_equal(truncate(file, 120), 0); /* torn */
	free(file);
	free(write_file(folder, "00000003.json", ""));
	free(write_file(folder, "00000005.json",
	                "{\"number\":6,\"time\":\"t\",\"author\":\"a\",\"comment\":\"c\","
	                "\"startupDigest\":\"d\",\n\"config\":{}\n}\n"));
	free(write_file(folder, "00000006.json", "{\"number\":6,\n\"config\":{}\n}\n"));
	free(write_file(folder, "00000007.json", "no JSON,\nat all\n}\n"));
	free(write_file(folder, "00000008.json.AbCdEf", "left by a crash"));
	free(write_file(folder, "notes.txt", "not ours"));
	free(write_file(folder, "saved", "x\n"));
	r = revisions_open(folder, &errors);
	assert_non_null(r);
	assert_int_equal(errors.count, 6);
	for (size_t i = 0; i < errors.count; i++)
		assert_string_equal(errors.list[i].code, "damaged");
	assert_non_null(strstr(errors.list[0].file, "/00000002.json"));
	errors_free(&errors);
	assert_int_equal(revisions_current(r), 4);
	struct revision_list list = revisions_list(r, &errors);
	assert_int_equal(list.count, 2);
	assert_int_equal(errors.count, 5);
	errors_free(&errors);
	revision_list_free(&list);
	assert_int_equal(commit(r, 80, "d"), 8); /* a number is never given twice */
	expect_revision(r, 8, 80);
	revisions_close(r);
	file = text_format("%s/00000008.json.AbCdEf", folder);
	assert_int_equal(access(file, F_OK), -1);
	free(file);
	file = text_format("%s/notes.txt", folder);
	assert_int_equal(access(file, F_OK), 0);
	free(file);
}

static void test_damage_inside_the_configuration(void **state)
{
	struct errors errors = ERRORS_NONE;
	struct revisions *r = open_right(*state);

	commit(r, 1, "d");
	char *file = write_file(*state, "00000001.json",
	                        "{\"number\":1,\"time\":\"t\",\"author\":\"a\",\"comment\":\"c\","
	                        "\"startupDigest\":\"d\",\n\"config\":{\"value\":\n}\n");
	assert_null(revisions_get(r, 1, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.list[0].code, "damaged");
	errors_free(&errors);
	free(file);
	file = write_file(*state, "00000001.json", "{\"number\":1,\"x\":1,\n\"y\":{}\n}\n");
	assert_null(revisions_get(r, 1, &errors));
	assert_int_equal(errors.count, 1);
	errors_free(&errors);
	free(file);
	revisions_close(r);
}

/* A limit on the size of files stands in for a full disk. */
static void test_full_disk(void **state)
{
	struct errors errors = ERRORS_NONE;
	struct revisions *r = open_right(*state);
	struct conf *c = conf_new(NULL, CONF_GROUP, NULL);
	struct rlimit old, small;

	commit(r, 1, "d");
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small = (struct rlimit){ 64, old.rlim_max };
	setrlimit(RLIMIT_FSIZE, &small);
	uint64_t number = revisions_commit(r, c, "a", "c", "d", &errors);
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(number, 0);
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.list[0].detail, "cannot write the revision: File too large");
	errors_free(&errors);
	assert_int_equal(revisions_current(r), 1);
	assert_int_equal(commit(r, 2, "d"), 2);
	revisions_close(r);
	conf_free(c);
}

static void test_refuses(void **state)
{
	struct errors errors = ERRORS_NONE;
	struct revisions *r = open_right(*state);
	struct conf *c = conf_new(NULL, CONF_GROUP, NULL);
	char *comment = memory_new(70000, 1);

	memset(comment, 'x', 69999);
	assert_int_equal(revisions_commit(r, c, "a", comment, "d", &errors), 0);
	assert_string_equal(errors.list[0].code, "too-large");
	assert_int_equal(revisions_commit(r, c, "\xff", "c", "d", &errors), 0);
	assert_string_equal(errors.list[1].code, "not-utf8");
	assert_int_equal(revisions_current(r), 0);
	errors_free(&errors);
	assert_null(revisions_open("/nowhere/at/all", &errors));
	expect_errors(&errors, 1,
	              (const char *const[]){
	                      "/nowhere/at/all: cannot make the folder of revisions: No such file or "
	                      "directory" });
	revisions_close(r);
	conf_free(c);
	free(comment);
}

static void test_digest(void **state)
{
	struct errors errors = ERRORS_NONE;
	char *file = write_file(*state, "main.cfg", "abc"), *digest = revisions_digest(file, &errors);

	assert_string_equal(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	free(digest);
	free(file);
	file = write_file(*state, "main.cfg", "a = 1;\n@include \"x.cfg\"\n");
	free(write_file(*state, "x.cfg", "b = 1;\n"));
	char *before = revisions_digest(file, &errors);
	free(write_file(*state, "x.cfg", "b = 2;\n"));
	char *after = revisions_digest(file, &errors);
	assert_string_not_equal(before, after);
	free(before);
	free(after);
	free(file);
	digest = revisions_digest(NULL, &errors);
	assert_string_equal(digest, "");
	free(digest);
	assert_null(revisions_digest("/nowhere", &errors));
	assert_int_equal(errors.count, 1);
	errors_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_commit_and_get, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_boot, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_old_ones_are_dropped, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_damaged_files, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_damage_inside_the_configuration, make_folder,
		                                remove_folder),
		cmocka_unit_test_setup_teardown(test_full_disk, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_refuses, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_digest, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
