/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions of tables that had another size: found by what their file says, and opened in others with all that is known of them. */
#include "helper_flow.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "flow/resize.h"
#include "flow/table_private.h"

enum { V4 = 100, V6 = 60, SESSIONS = 90, NOW = 1000000 };

static void fill(void)
{
	struct flow_table *table = test_table(test_file, V4, V6);

	for (uint32_t i = 0; i < SESSIONS; i++) {
		struct tuple t = test_numbered(i);
		struct session *s;

		assert_int_equal(test_open(table, &t, NOW - i, &s), FLOW_OK);
		*(uint32_t *)session_slot(s, 0) = i + 1000;
		s->path = (uint16_t)i;
		s->layout = (uint16_t)(i + 1);
		s->bucket = (uint8_t)i;
		s->packets[1] = i;
		s->flags |= i % 2 ? SESSION_WALK | SESSION_REWRITTEN : 0;
	}
	flow_table_free(table);
}

struct copying {
	struct flow_table *from, *to;
	unsigned copied, clashes, refused;
};

static void copy(void *context, struct session *s)
{
	struct copying *c = context;
	enum flow_result result = flow_copy(c->to, c->from, s, NOW);

	c->copied += result == FLOW_OK;
	c->clashes += result == FLOW_CLASH;
	c->refused += result == FLOW_FULL;
}

static struct copying copy_all(struct flow_table *to)
{
	struct errors errors = ERRORS_NONE;
	struct copying c = { .from = flow_table_found(test_file, &errors), .to = to };
	uint64_t cursor = 0;

	assert_non_null(c.from);
	do
		flow_walk(c.from, &cursor, 7, copy, &c);
	while (cursor);
	flow_table_free(c.from);
	return c;
}

static void goes_with_all_that_is_known(void **state)
{
	struct flow_table *to = test_table(NULL, 3 * V4, 2 * V6);
	struct copying c;

	(void)state;
	fill();
	c = copy_all(to);
	assert_int_equal(c.copied, SESSIONS);
	for (uint32_t i = 0; i < SESSIONS; i++) {
		struct session *s = test_find(to, i, 0);

		assert_non_null(s);
		assert_ptr_equal(s, test_find(to, i, 1));
		assert_int_equal(*(uint32_t *)session_slot(s, 0), i + 1000);
		assert_int_equal(s->path, i);
		assert_int_equal(s->layout, i + 1);
		assert_int_equal(s->bucket, i);
		assert_int_equal(s->packets[1], i);
		assert_int_equal(s->last_seen, NOW - i);
		assert_int_equal(s->flags & (SESSION_WALK | SESSION_REWRITTEN),
		                 i % 2 ? SESSION_WALK | SESSION_REWRITTEN : 0);
	}
	/* One that died meanwhile has its successor do all of it again. */
	c = copy_all(to);
	assert_int_equal(c.copied, 0);
	assert_int_equal(c.clashes, SESSIONS);
	flow_table_free(to);
}

static void without_room(void **state)
{
	struct flow_table *to = test_table(NULL, 10, 5);
	struct flow_stats stats;
	struct copying c;

	(void)state;
	fill();
	c = copy_all(to);
	assert_int_equal(c.copied, 15);
	assert_int_equal(c.refused, SESSIONS - 15);
	flow_stats(to, &stats);
	assert_int_equal(stats.live, 15);
	flow_table_free(to);
}

static bool fits(uint32_t v4, uint32_t v6, uint32_t slots)
{
	const struct flow_options options = {
		.file = test_file, .sessions_v4 = v4, .sessions_v6 = v6, .slot_bytes = slots
	};

	return flow_fits(&options);
}

static void only_what_fits_is_found(void **state)
{
	struct flow_table *table;

	(void)state;
	assert_true(fits(V4, V6, 64)); /* no file */
	fill();
	assert_true(fits(V4, V6, 64));
	assert_false(fits(V4 + 1, V6, 64));
	assert_false(fits(V4, V6 - 1, 64));
	assert_false(fits(V4, V6, 128));
	table = test_table(test_file, V4, V6);
	assert_true(fits(V4 + 1, V6, 64)); /* in use: opening it will tell */
	flow_table_free(table);
}

static void what_is_no_table_is_refused(void **state)
{
	struct errors errors = ERRORS_NONE;
	FILE *file = fopen(test_file, "w");

	(void)state;
	assert_null(flow_table_found("/dev/shm/sluice-test-none", &errors));
	assert_non_null(file);
	for (int i = 0; i < 10000; i++)
		fputc('x', file);
	fclose(file);
	assert_null(flow_table_found(test_file, &errors));
	assert_false(fits(V4, V6, 64));
	assert_int_equal(truncate(test_file, 10), 0);
	assert_null(flow_table_found(test_file, &errors));
	assert_int_equal(errors.count, 3);
	errors_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(goes_with_all_that_is_known, test_file_make,
		                                test_file_remove),
		cmocka_unit_test_setup_teardown(without_room, test_file_make, test_file_remove),
		cmocka_unit_test_setup_teardown(only_what_fits_is_found, test_file_make, test_file_remove),
		cmocka_unit_test_setup_teardown(what_is_no_table_is_refused, test_file_make,
		                                test_file_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
