/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Expiry by a simulated clock that wraps: never early, late by a sixteenth at most, in order, within the
 * budget.
 */
#include "helper_flow.h"

#include <stdlib.h>

/* The clock begins shortly before it wraps. */
enum { N = 500 };
static const uint32_t start = UINT32_MAX - 150000;

static const struct flow_timeouts timeouts = { .seconds = {
	                                               [CLASS_TCP_OPENING] = 30,
	                                               [CLASS_TCP_ESTABLISHED] = 400,
	                                               [CLASS_TCP_CLOSING] = 20,
	                                               [CLASS_UDP] = 100,
	                                               [CLASS_UDP_OPENING] = 60,
	                                               [CLASS_ICMP] = 10,
	                                               [CLASS_OTHER] = 40,
	                                               [CLASS_ICMP_OPENING] = 10,
	                                       } };

struct watch {
	uint32_t now;
	unsigned closed;
	uint32_t worst; /* latest, in thousandths of the timeout */
};

static bool check_close(void *context, struct session *s)
{
	struct watch *watch = context;
	uint32_t timeout = timeouts.seconds[s->klass] * 1000, idle = watch->now - s->last_seen;

	assert_true(idle >= timeout);
	if ((idle - timeout) * 1000 / timeout > watch->worst)
		watch->worst = (idle - timeout) * 1000 / timeout;
	watch->closed++;
	return true;
}

static struct rte_mbuf *packet_of(const struct session *s, uint8_t direction)
{
	struct rte_mbuf *m;
	struct tuple t;

	session_tuple(s, direction, &t);
	m = test_packet(0, &t);
	pkt_of(m)->dir = direction;
	return m;
}

static struct tuple numbered(uint32_t i, uint8_t proto)
{
	return i & 1 ? test_tuple6(proto, i, 1, 1ULL << 60, 2) : test_tuple4(proto, i, 1, 0x80000000, 2);
}

/* Sessions with random packets until each falls silent at a time of its own. */
static void never_early_hardly_late(void **state)
{
	static struct session *all[N];
	static uint32_t silent[N];
	struct flow_table *table = test_table(NULL, 4 * N, 4 * N);
	struct watch watch = { 0 };
	uint64_t seed = 7;
	struct flow_stats stats;

	(void)state;
	for (uint32_t i = 0; i < N; i++) {
		struct tuple t = numbered(i, i % 3 == 0 ? 17 : i % 3 == 1 ? 1 : 47);

		assert_int_equal(test_open(table, &t, start, &all[i]), FLOW_OK);
		silent[i] = start + test_random(&seed) % 400000;
	}
	for (watch.now = start; watch.now - start < 600000; watch.now += 100) {
		for (int k = 0; k < 40; k++) {
			uint32_t i = test_random(&seed) % N;

			if (time_after32(silent[i], watch.now) > 0 && all[i] && all[i]->key[0].family &&
			    watch.now - all[i]->last_seen < 8000)
				assert_int_equal(
				        flow_touch(table, all[i], packet_of(all[i], i & 1), watch.now),
				        FLOW_VALID);
		}
		flow_expire(table, &timeouts, watch.now, 1000, check_close, &watch);
	}
	assert_int_equal(watch.closed, N);
	/* A sixteenth is 62.5 thousandths; the step of this clock is at most another 10. */
	assert_in_range(watch.worst, 1, 73);
	flow_stats(table, &stats);
	assert_int_equal(stats.expired, N);
	assert_int_equal(stats.live, 0);
	assert_int_equal(stats.half_open, 0);
	flow_table_free(table);
}

/* Without packets in between, expiry is exact to the millisecond, and in the order of opening. */
static bool check_order(void *context, struct session *s)
{
	uint32_t *expected = context, number = s->key[0].src;

	assert_int_equal(number, rte_cpu_to_be_32(*expected));
	++*expected;
	return true;
}

static void exact_and_in_order(void **state)
{
	struct flow_table *table = test_table(NULL, 64, 0);
	uint32_t expected = 1, near_wrap = UINT32_MAX - 20000;
	struct session *s;

	(void)state;
	for (uint32_t i = 1; i <= 20; i++) {
		struct tuple t = test_tuple4(47, i, 0, 100, 0);

		assert_int_equal(test_open(table, &t, near_wrap + i * 5, &s), FLOW_OK);
	}
	for (uint32_t i = 1; i <= 20; i++) {
		assert_int_equal(flow_expire(table, &timeouts, near_wrap + 40000 + i * 5 - 1, 64, check_order,
		                             &expected),
		                 0);
		assert_int_equal(
		        flow_expire(table, &timeouts, near_wrap + 40000 + i * 5, 64, check_order, &expected),
		        1);
	}
	assert_int_equal(expected, 21);
	flow_table_free(table);
}

static void budget_is_kept(void **state)
{
	struct flow_table *table = test_table(NULL, 64, 0);
	struct session *s;
	unsigned total = 0;

	(void)state;
	for (uint32_t i = 1; i <= 50; i++) {
		struct tuple t = test_tuple4(47, i, 0, 100, 0);

		assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	}
	for (int turn = 0; turn < 5; turn++) {
		unsigned n = flow_expire(table, &timeouts, 40000, 10, NULL, NULL);

		assert_int_equal(n, 10);
		total += n;
	}
	assert_int_equal(total, 50);
	assert_int_equal(flow_expire(table, &timeouts, 40000, 10, NULL, NULL), 0);
	flow_table_free(table);
}

static bool keep(void *context, struct session *s)
{
	(void)s;
	++*(unsigned *)context;
	return false;
}

static void held_is_kept(void **state)
{
	struct flow_table *table = test_table(NULL, 8, 0);
	struct tuple t = test_tuple4(47, 1, 0, 100, 0);
	struct session *s;
	unsigned asked = 0;

	(void)state;
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	s->flags |= SESSION_HELD;
	assert_int_equal(flow_expire(table, &timeouts, 40000, 10, keep, &asked), 0);
	assert_int_equal(asked, 0);
	s->flags &= (uint8_t)~SESSION_HELD;
	assert_int_equal(flow_expire(table, &timeouts, 42500, 10, keep, &asked), 0);
	assert_int_equal(asked, 1);
	assert_int_equal(flow_expire(table, &timeouts, 42501, 10, NULL, NULL), 0);
	assert_int_equal(flow_expire(table, &timeouts, 45000, 10, NULL, NULL), 1);
	flow_table_free(table);
}

/* A shorter timeout holds for sessions that are there already; a zero one is a second. */
static void timeouts_change(void **state)
{
	struct flow_table *table = test_table(NULL, 8, 0);
	struct flow_timeouts shorter = { 0 };
	struct tuple t = test_tuple4(47, 1, 0, 100, 0);
	struct session *s;

	(void)state;
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	assert_int_equal(flow_expire(table, &timeouts, 5000, 10, NULL, NULL), 0);
	assert_int_equal(flow_expire(table, &shorter, 999, 10, NULL, NULL), 0);
	assert_int_equal(flow_expire(table, &shorter, 1000, 10, NULL, NULL), 1);
	flow_table_free(table);
}

static void udp_classes(void **state)
{
	struct flow_table *table = test_table(NULL, 8, 0);
	struct tuple t = test_tuple4(17, 1, 5, 100, 6);
	struct session *s;
	struct flow_stats stats;

	(void)state;
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	flow_touch(table, s, packet_of(s, 0), 1);
	flow_touch(table, s, packet_of(s, 0), 2);
	assert_int_equal(s->klass, CLASS_UDP_OPENING);
	flow_touch(table, s, packet_of(s, 1), 3);
	assert_int_equal(s->klass, CLASS_UDP);
	assert_true(s->flags & SESSION_REPLIED);
	assert_int_equal(s->packets[0], 2);
	assert_int_equal(s->packets[1], 1);
	s->packets[0] = UINT32_MAX - 1;
	for (unsigned i = 0; i < 3; i++)
		flow_touch(table, s, packet_of(s, 0), 4);
	assert_int_equal(s->packets[0], UINT32_MAX); /* it stops there */
	assert_int_equal(s->bytes[0], 5 * 28);
	flow_stats(table, &stats);
	assert_int_equal(stats.half_open, 0);
	assert_int_equal(stats.per_class[CLASS_UDP], 1);
	assert_int_equal(stats.per_class[CLASS_UDP_OPENING], 0);
	/* One way only: the second packet ends the opening. */
	t.sport++;
	assert_int_equal(flow_reserve(table, &t, 0, &s), FLOW_OK);
	assert_int_equal(flow_commit(table, s, NULL), FLOW_OK);
	flow_touch(table, s, packet_of(s, 0), 1);
	assert_int_equal(s->klass, CLASS_UDP_OPENING);
	flow_touch(table, s, packet_of(s, 0), 1);
	assert_int_equal(s->klass, CLASS_UDP);
	flow_table_free(table);
}

/* An unanswered query is half-open, and goes before a live session does. */
static void icmp_classes(void **state)
{
	struct flow_table *table = test_table(NULL, 8, 0);
	struct tuple t = test_tuple4(1, 1, 5, 100, 5);
	struct flow_stats stats;
	struct session *s, *other;

	(void)state;
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	flow_touch(table, s, packet_of(s, 0), 1);
	assert_int_equal(s->klass, CLASS_ICMP_OPENING);
	flow_stats(table, &stats);
	assert_int_equal(stats.half_open, 1);
	flow_touch(table, s, packet_of(s, 1), 2);
	assert_int_equal(s->klass, CLASS_ICMP);
	flow_stats(table, &stats);
	assert_int_equal(stats.half_open, 0);
	for (unsigned i = 0; i < 2; i++) { /* a quarter of the table */
		t.sport = t.dport = htons((uint16_t)(100 + i));
		assert_int_equal(test_open(table, &t, 10, &other), FLOW_OK);
	}
	t.sport = t.dport = htons(200);
	assert_int_equal(test_open(table, &t, 20, &other), FLOW_HALF_OPEN);
	assert_int_equal(test_open(table, &t, 2000, &other), FLOW_OK);
	assert_int_equal(s->klass, CLASS_ICMP);
	flow_table_free(table);
}

static void icmp_errors_refresh_nothing(void **state)
{
	struct flow_table *table = test_table(NULL, 8, 0);
	struct tuple t = test_tuple4(17, 1, 5, 100, 6);
	struct rte_mbuf *m;
	struct session *s;

	(void)state;
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	m = packet_of(s, 1);
	pkt_of(m)->flags |= PKT_ICMP_ERROR;
	assert_int_equal(flow_touch(table, s, m, 500), FLOW_VALID);
	assert_int_equal(s->last_seen, 0);
	assert_int_equal(s->klass, CLASS_UDP_OPENING);
	assert_false(s->flags & SESSION_REPLIED);
	assert_int_equal(s->packets[1], 1);
	flow_table_free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(never_early_hardly_late),
		cmocka_unit_test(exact_and_in_order),
		cmocka_unit_test(budget_is_kept),
		cmocka_unit_test(held_is_kept),
		cmocka_unit_test(timeouts_change),
		cmocka_unit_test(udp_classes),
		cmocka_unit_test(icmp_classes),
		cmocka_unit_test(icmp_errors_refresh_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
