/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Atomic files, the string map, and arrays that grow.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/atomic_file.h"
#include "util/memory.h"
#include "util/strmap.h"

static int make_folder(void **state)
{
	char *folder = text_copy("/tmp/sluice-files-XXXXXX");

	*state = mkdtemp(folder);
	return !*state;
}

static int remove_folder(void **state)
{
	char *command = text_format("rm -rf '%s'", (char *)*state);
	int result = system(command);

	free(command);
	free(*state);
	return result;
}

static int entries_of(const char *folder)
{
	char *command = text_format("ls -A '%s' | wc -l", folder);
	FILE *out = popen(command, "r");
	int count = -1;

	assert_non_null(out);
	assert_int_equal(fscanf(out, "%d", &count), 1);
	pclose(out);
	free(command);
	return count;
}

static void test_writes_and_replaces(void **state)
{
	char *file = text_format("%s/one", (char *)*state), *data;
	size_t length;
	struct stat status;

	assert_int_equal(atomic_file_write(file, "first", 5, 0640), 0);
	assert_int_equal(atomic_file_write(file, "se\0cond", 7, 0600), 0);
	assert_int_equal(atomic_file_read(file, 100, &data, &length), 0);
	assert_int_equal(length, 7);
	assert_memory_equal(data, "se\0cond", 8);
	assert_int_equal(stat(file, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	assert_int_equal(entries_of(*state), 1);
	free(data);
	free(file);
}

static void test_failure_leaves_the_old(void **state)
{
	char *file = text_format("%s/one", (char *)*state), *data, big[8192] = { 0 };
	struct rlimit old, small = { 100, 100 };
	size_t length;

	assert_int_equal(atomic_file_write(file, "first", 5, 0640), 0);
	/* A limit on the size of files stands in for a full disk. */
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &old);
	small.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &small);
	int error = atomic_file_write(file, big, sizeof(big), 0640);
	setrlimit(RLIMIT_FSIZE, &old);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(error, EFBIG);
	assert_int_equal(atomic_file_read(file, 100, &data, &length), 0);
	assert_string_equal(data, "first");
	assert_int_equal(entries_of(*state), 1);
	free(data);
	free(file);
}

static void test_refuses(void **state)
{
	char *file = text_format("%s/none/one", (char *)*state), *data;
	size_t length;

	assert_int_equal(atomic_file_write(file, "", 0, 0640), ENOENT);
	assert_int_equal(atomic_file_read(file, 100, &data, &length), ENOENT);
	assert_int_equal(atomic_file_read(*state, 100, &data, &length), EISDIR);
	free(file);
	file = text_format("%s/one", (char *)*state);
	assert_int_equal(atomic_file_write(file, "12345", 5, 0640), 0);
	assert_int_equal(atomic_file_read(file, 4, &data, &length), EFBIG);
	free(file);
}

static void test_strmap(void **state)
{
	struct strmap map = strmap_new(10000);
	char key[32];

	(void)state;
	for (size_t i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "rule-%zu", i);
		assert_int_equal(strmap_add(&map, key, i), STRMAP_NONE);
	}
	for (size_t i = 0; i < 10000; i++) {
		snprintf(key, sizeof(key), "rule-%zu", i);
		assert_int_equal(strmap_find(&map, key), i);
		assert_int_equal(strmap_add(&map, key, 0), i);
	}
	assert_int_equal(strmap_find(&map, "rule-10000"), STRMAP_NONE);
	assert_int_equal(strmap_find(&map, ""), STRMAP_NONE);
	strmap_free(&map);
}

static void test_memory_grows(void **state)
{
	unsigned *list = NULL;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		list = memory_grow(list, i, sizeof(*list));
		list[i] = i;
	}
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(list[i], i);
	free(list);
	assert_null(text_copy(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_writes_and_replaces, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_failure_leaves_the_old, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(test_refuses, make_folder, remove_folder),
		cmocka_unit_test(test_strmap),
		cmocka_unit_test(test_memory_grows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
