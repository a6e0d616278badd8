/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions from one table to another: tracking goes on, half-open ones stay so, nonsense is refused, keys change. */
#include "helper_flow.h"

#include "flow/carry.h"
#include "flow/tcp.h"

static struct session *established(struct flow_table *table, const struct tuple *t)
{
	struct test_segment syn = { .flags = 2, .seq = 100, .window = 1000, .scale = -1 };
	struct test_segment answer = {
		.dir = 1, .flags = 0x12, .seq = 500, .ack = 101, .window = 1000, .scale = -1
	};
	struct test_segment ack = { .flags = 0x10, .seq = 101, .ack = 501, .window = 1000, .scale = -1 };
	struct test_segment *all[] = { &syn, &answer, &ack };
	struct session *s;

	assert_int_equal(test_open(table, t, 1000, &s), FLOW_OK);
	for (unsigned i = 0; i < 3; i++) {
		struct rte_mbuf *m = test_segment(s, all[i]);

		assert_int_equal(flow_touch(table, s, m, 1000 + i), FLOW_VALID);
	}
	assert_int_equal(s->klass, CLASS_TCP_ESTABLISHED);
	return s;
}

static struct session *carry_over(struct flow_table *to, const struct session *s, const struct tuple *t,
                                  uint32_t now)
{
	struct tuple answer = tuple_reverse(t);
	struct flow_carry carry;
	struct session *copy;

	flow_carry_out(s, now, &carry);
	assert_true(flow_carry_valid(&carry, t->proto));
	assert_int_equal(flow_carry_in(to, t, &carry, now + 5, &copy), FLOW_OK);
	assert_int_equal(flow_commit(to, copy, &answer), FLOW_OK);
	return copy;
}

static void test_tracking_goes_on(void **state)
{
	struct flow_table *from = test_table(NULL, 100, 100), *to = test_table(NULL, 100, 100);
	struct tuple t = test_tuple4(6, 1, 1000, 2, 80);
	struct session *s = established(from, &t), *copy = carry_over(to, s, &t, 3002);
	struct test_segment good = {
		.flags = 0x10, .seq = 101, .ack = 501, .length = 10, .window = 1000, .scale = -1
	};
	struct test_segment wild = {
		.flags = 0x10, .seq = 90000, .ack = 501, .length = 10, .window = 1000, .scale = -1
	};

	(void)state;
	assert_int_equal(copy->klass, CLASS_TCP_ESTABLISHED);
	assert_int_equal(copy->last_seen, 3007 - 2000);
	assert_int_equal(copy->packets[0], 2);
	assert_int_equal(copy->packets[1], 1);
	assert_true(copy->flags & SESSION_REPLIED);
	assert_int_equal(flow_touch(to, copy, test_segment(copy, &wild), 3010), FLOW_TCP_WINDOW);
	assert_int_equal(flow_touch(to, copy, test_segment(copy, &good), 3010), FLOW_VALID);
	flow_table_free(from);
	flow_table_free(to);
}

static void test_half_open_count(void **state)
{
	struct flow_table *from = test_table(NULL, 100, 0), *to = test_table(NULL, 100, 0);
	struct tuple opening = test_tuple4(17, 1, 1, 2, 2), open = test_tuple4(6, 1, 1, 2, 2);
	struct flow_stats stats;
	struct session *s;

	(void)state;
	assert_int_equal(test_open(from, &opening, 0, &s), FLOW_OK);
	carry_over(to, s, &opening, 0);
	carry_over(to, established(from, &open), &open, 1010);
	flow_stats(to, &stats);
	assert_int_equal(stats.live, 2);
	assert_int_equal(stats.half_open, 1);
	assert_int_equal(stats.per_class[CLASS_TCP_ESTABLISHED], 1);
	flow_table_free(from);
	flow_table_free(to);
}

static void test_nonsense(void **state)
{
	struct flow_carry good = { .klass = CLASS_TCP_ESTABLISHED,
		                   .tcp_state = { TCP_ESTABLISHED, TCP_ESTABLISHED } };
	struct flow_carry bad;

	(void)state;
	assert_true(flow_carry_valid(&good, 6));
	assert_false(flow_carry_valid(&good, 17));
	bad = good, bad.klass = SESSION_CLASSES;
	assert_false(flow_carry_valid(&bad, 6));
	bad = good, bad.tcp_state[1] = TCP_RESET + 1;
	assert_false(flow_carry_valid(&bad, 6));
	bad = good, bad.tcp_scale[0] = TCP_MAX_SCALE + 1;
	assert_false(flow_carry_valid(&bad, 6));
	bad = good, bad.flags = SESSION_HELD;
	assert_false(flow_carry_valid(&bad, 6));
	bad = good, bad.idle = UINT32_MAX;
	assert_false(flow_carry_valid(&bad, 6));
}

/* Both families, with and without another session in the way. */
static void rekey(const struct tuple *a, const struct tuple *b)
{
	struct flow_table *table = test_table(NULL, 10, 10);
	struct tuple answer_a = tuple_reverse(a), answer_b = tuple_reverse(b);
	struct session *s, *other;
	int direction;

	assert_int_equal(test_open(table, a, 0, &s), FLOW_OK);
	assert_null(flow_rekey(table, s, b, &answer_b));
	assert_null(flow_find(table, a, &direction));
	assert_null(flow_find(table, &answer_a, &direction));
	assert_ptr_equal(flow_find(table, b, &direction), s);
	assert_int_equal(direction, 0);
	assert_ptr_equal(flow_find(table, &answer_b, &direction), s);
	assert_int_equal(direction, 1);
	assert_int_equal(test_open(table, a, 0, &other), FLOW_OK);
	assert_ptr_equal(flow_rekey(table, s, a, &answer_b), other);
	assert_ptr_equal(flow_rekey(table, s, b, &answer_a), other);
	assert_ptr_equal(flow_find(table, b, &direction), s);
	assert_ptr_equal(flow_find(table, &answer_a, &direction), other);
	flow_table_free(table);
}

static void test_rekey(void **state)
{
	struct tuple a = test_tuple4(17, 1, 1, 2, 2), b = test_tuple4(17, 3, 3, 2, 2);
	struct tuple a6 = test_tuple6(17, 1, 1, 2, 2), b6 = test_tuple6(17, 3, 3, 2, 2);

	(void)state;
	rekey(&a, &b);
	rekey(&a6, &b6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tracking_goes_on),
		cmocka_unit_test(test_half_open_count),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_rekey),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
