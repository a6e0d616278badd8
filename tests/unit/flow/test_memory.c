/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A table in a memory file: its sessions outlive it; torn and nonsensical records do not. The file lies on
 * /dev/shm (tmpfs).
 */
#include "helper_flow.h"

#include <stdlib.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "flow/table_private.h"

enum { V4 = 200, V6 = 100 };

/* Opens 0..n-1, one a millisecond from `from` on; each notes its number in its slot. */
static void open_many(struct flow_table *table, uint32_t n, uint32_t from)
{
	for (uint32_t i = 0; i < n; i++) {
		struct tuple t = test_numbered(i);
		struct session *s;

		assert_int_equal(test_open(table, &t, from + i, &s), FLOW_OK);
		*(uint32_t *)session_slot(s, 0) = i + 1000;
		s->generation = 7;
		s->hop[0] = 9;
	}
}

static uint64_t torn(struct flow_table *table)
{
	struct flow_stats stats;

	flow_stats(table, &stats);
	return stats.torn;
}

static uint32_t live(struct flow_table *table)
{
	struct flow_stats stats;

	flow_stats(table, &stats);
	assert_int_equal(stats.live, stats.used_v4 + stats.used_v6);
	return stats.live;
}

static void found_again(void **state)
{
	struct flow_table *table = test_table(test_file, V4, V6);
	uint64_t id;

	(void)state;
	open_many(table, 150, 0);
	for (uint32_t i = 0; i < 150; i += 5)
		flow_remove(table, test_find(table, i, 0));
	id = flow_id(table, test_find(table, 1, 0));
	flow_table_free(table);
	table = test_table(test_file, V4, V6);
	assert_int_equal(torn(table), 0);
	assert_int_equal(live(table), 120);
	assert_ptr_equal(flow_by_id(table, id), test_find(table, 1, 0));
	for (uint32_t i = 0; i < 150; i++) {
		struct session *s = test_find(table, i, 0);

		assert_ptr_equal(s, test_find(table, i, 1));
		assert_int_equal(s == NULL, i % 5 == 0);
		if (!s)
			continue;
		assert_int_equal(*(uint32_t *)session_slot(s, 0), i + 1000);
		assert_int_equal(s->generation, 0);
		assert_int_equal(s->hop[0], 0);
	}
	/* The holes are used again, and all the rest of the capacity, and no record twice. */
	for (uint32_t i = 1000; live(table) < V4 + V6; i++) {
		struct tuple t = test_numbered(i);
		struct session *s;

		test_open(table, &t, 0, &s);
	}
	assert_non_null(test_find(table, 1, 0));
	flow_table_free(table);
}

/* A process that dies, by SIGKILL, between a reserve and a commit. */
static void survives_a_kill(void **state)
{
	struct flow_table *table;
	struct tuple t = test_numbered(90), back = tuple_reverse(&t);
	int status;
	pid_t child = fork();

	(void)state;
	if (child == 0) {
		struct session *s;

		table = test_table(test_file, V4, V6);
		open_many(table, 60, 0);
		flow_reserve(table, &t, 0, &s);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	table = test_table(test_file, V4, V6);
	assert_int_equal(torn(table), 1);
	assert_int_equal(live(table), 60);
	assert_null(test_find(table, 90, 0));
	assert_null(flow_find(table, &back, &(int){ 0 }));
	flow_table_free(table);
}

static void damaged_records_go(void **state)
{
	struct flow_table *table = test_table(test_file, V4, V6);

	(void)state;
	open_many(table, 60, 0);
	session_write_begin(test_find(table, 0, 0));
	test_find(table, 1, 0)->klass = SESSION_CLASSES;
	test_find(table, 3, 0)->flags |= SESSION_V6;
	test_find(table, 4, 0)->key[1].family = 0;
	test_find(table, 6, 0)->key[0] = test_find(table, 7, 0)->key[0];
	session_v6(test_find(table, 2, 0))->address[3].bytes[15] ^= 1;
	flow_table_free(table);
	table = test_table(test_file, V4, V6);
	assert_int_equal(torn(table), 6);
	assert_int_equal(live(table), 54);
	assert_null(test_find(table, 0, 0));
	assert_null(test_find(table, 2, 1));
	assert_non_null(test_find(table, 5, 1));
	flow_table_free(table);
	/* What was dropped stays dropped, and is counted once. */
	table = test_table(test_file, V4, V6);
	assert_int_equal(torn(table), 0);
	assert_int_equal(live(table), 54);
	flow_table_free(table);
}

static void drop(void *context, struct session *s)
{
	flow_remove(context, s);
}

/* Random damage anywhere among the records must neither crash nor hang; the table works afterwards. */
static void random_damage(void **state)
{
	uint64_t seed = 11;

	(void)state;
	for (int round = 0; round < 200; round++) {
		struct flow_table *table = test_table(test_file, V4, V6);
		uint64_t cursor = 0;
		uint8_t *records = table->pool[0].base;
		size_t bytes = (size_t)V4 * table->pool[0].stride + (size_t)V6 * table->pool[1].stride;

		for (uint32_t i = 0; i < 60; i++) {
			struct tuple t = test_numbered(test_random(&seed) % 100);
			struct session *s;

			test_open(table, &t, test_random(&seed), &s);
		}
		for (int i = 0; i < 50; i++)
			records[test_random(&seed) % bytes] ^= (uint8_t)(1 << (test_random(&seed) & 7));
		flow_table_free(table);
		table = test_table(test_file, V4, V6);
		for (uint32_t now = 0; now < 3; now++)
			flow_expire(table, &flow_default_timeouts, now * 1000000, 10000, NULL, NULL);
		flow_walk(table, &cursor, 10, drop, table);
		assert_true(live(table) <= V4 + V6);
		flow_table_free(table);
	}
}

static bool in_order(void *context, struct session *s)
{
	uint32_t *previous = context;

	assert_true(time_after32(s->last_seen, *previous) >= 0);
	*previous = s->last_seen;
	return true;
}

static void order_is_rebuilt(void **state)
{
	const uint32_t from = UINT32_MAX - 60;
	struct flow_table *table = test_table(test_file, V4, V6);
	uint32_t previous = from;

	(void)state;
	/* Records are used in another order than their times, across the wrap of the clock. */
	open_many(table, 150, from - 1000);
	for (uint32_t i = 0; i < 150; i++)
		if (i % 3 != 2)
			test_find(table, i, 0)->last_seen = from + (i * 77) % 150;
	flow_table_free(table);
	table = test_table(test_file, V4, V6);
	assert_int_equal(flow_expire(table, &flow_default_timeouts, from + 299999, 1000, NULL, NULL), 50);
	for (uint32_t late = 0; late < 150; late++)
		flow_expire(table, &flow_default_timeouts, from + 300000 + late, 1000, in_order, &previous);
	assert_int_equal(live(table), 0);
	flow_table_free(table);
}

static void other_geometry_starts_empty(void **state)
{
	struct flow_table *table = test_table(test_file, V4, V6);

	(void)state;
	open_many(table, 60, 0);
	flow_table_free(table);
	table = test_table(test_file, V4 + 1000, V6);
	assert_int_equal(live(table), 0);
	open_many(table, 60, 0);
	flow_table_free(table);
	/* The same size of file, but something else in it. */
	table = test_table(test_file, V4 + 1000, V6);
	table->header->version++;
	flow_table_free(table);
	table = test_table(test_file, V4 + 1000, V6);
	assert_int_equal(live(table), 0);
	open_many(table, 60, 0);
	flow_table_free(table);
}

static void one_process_at_a_time(void **state)
{
	struct flow_table *table = test_table(test_file, V4, V6);
	struct flow_options options = {
		.file = test_file, .sessions_v4 = V4, .sessions_v6 = V6, .slot_bytes = 64
	};
	struct errors errors = ERRORS_NONE;
	struct stat status;

	(void)state;
	assert_null(flow_table_new(&options, &errors));
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.list[0].detail, "in use"));
	errors_free(&errors);
	assert_int_equal(stat(test_file, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	flow_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(found_again, test_file_make, test_file_remove),
		cmocka_unit_test_setup_teardown(survives_a_kill, test_file_make, test_file_remove),
		cmocka_unit_test_setup_teardown(damaged_records_go, test_file_make, test_file_remove),
		cmocka_unit_test_setup_teardown(random_damage, test_file_make, test_file_remove),
		cmocka_unit_test_setup_teardown(order_is_rebuilt, test_file_make, test_file_remove),
		cmocka_unit_test_setup_teardown(other_geometry_starts_empty, test_file_make,
		                                test_file_remove),
		cmocka_unit_test_setup_teardown(one_process_at_a_time, test_file_make, test_file_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
