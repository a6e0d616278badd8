/* SPDX-License-Identifier: BSD-3-Clause */
/* Quality of TCP sessions: what was sent again, what came late, round-trip times. The clock is the test's. */
#include "helper_flow.h"

enum {
	C = 0xfffffff0, /* wraps soon */
	S = 5000,
	SYN = RTE_TCP_SYN_FLAG,
	ACK = RTE_TCP_ACK_FLAG,
	FIN = RTE_TCP_FIN_FLAG,
	PATH = 3,
	PATHS = 4,
	RTT_CLIENT = 700,
	RTT_SERVER = 40000,
};

static struct flow_table *table;
static struct session *s;
static struct tcp_totals totals[PATHS];
static uint32_t now; /* microseconds */

static int setup(void **state)
{
	struct tuple t = test_tuple4(IPPROTO_TCP, 1, 10, 2, 20);

	(void)state;
	memset(totals, 0, sizeof(totals));
	table = test_table(NULL, 16, 0);
	flow_totals(table, totals, PATHS);
	now = UINT32_MAX - RTT_SERVER / 2; /* wraps soon, too */
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	s->path = PATH;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	flow_table_free(table);
	return 0;
}

static void at(uint32_t later)
{
	now += later;
	flow_clock(table, now);
}

static void send_flags(uint8_t dir, int flags, uint32_t seq, uint32_t ack, uint16_t length)
{
	struct test_segment g = { dir, (uint8_t)flags, seq, ack, length, 60000, -1, false };

	assert_int_equal(flow_touch(table, s, test_segment(s, &g), 1), FLOW_VALID);
}

static void from_client(uint32_t seq, uint32_t ack, uint16_t length)
{
	send_flags(0, ACK, C + 1 + seq, S + 1 + ack, length);
}

static void from_server(uint32_t seq, uint32_t ack, uint16_t length)
{
	send_flags(1, ACK, S + 1 + seq, C + 1 + ack, length);
}

static void handshake(void)
{
	at(0);
	send_flags(0, SYN, C, 0, 0);
	at(RTT_SERVER);
	send_flags(1, SYN | ACK, S, C + 1, 0);
	at(RTT_CLIENT);
	from_client(0, 0, 0);
}

static void expect(unsigned dir, unsigned retransmits, unsigned out_of_order)
{
	const struct tcp_quality *q = flow_quality(table, s);

	assert_int_equal(q->retransmits[dir], retransmits);
	assert_int_equal(q->out_of_order[dir], out_of_order);
	assert_int_equal(totals[PATH].side[dir].retransmits, retransmits);
	assert_int_equal(totals[PATH].side[dir].out_of_order, out_of_order);
}

static uint64_t timed(unsigned side)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= RTT_BOUNDS; i++)
		n += totals[PATH].side[side].rtts[i];
	return n;
}

static void handshake_is_timed(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(flow_quality(table, s)->rtt_us[1], RTT_SERVER);
	assert_int_equal(flow_quality(table, s)->rtt_us[0], RTT_CLIENT);
	assert_int_equal(timed(0), 1);
	assert_int_equal(timed(1), 1);
	assert_int_equal(totals[PATH].side[1].rtt_us, RTT_SERVER);
	assert_int_equal(totals[PATH].side[1].rtts[10], 1); /* 25.6 to 51.2 ms */
	assert_int_equal(totals[PATH].side[0].rtts[4], 1);  /* 400 to 800 us */
	assert_int_equal(s->tcp_scale[0] & TCP_TIMED, 0);
	assert_int_equal(s->tcp_scale[1] & TCP_TIMED, 0);
}

/* Karn: nobody knows which of two SYNs was answered. */
static void repeated_syn_is_not_timed(void **state)
{
	(void)state;
	at(0);
	send_flags(0, SYN, C, 0, 0);
	at(1000000);
	send_flags(0, SYN, C, 0, 0);
	at(RTT_SERVER);
	send_flags(1, SYN | ACK, S, C + 1, 0);
	assert_int_equal(timed(1), 0);
	assert_int_equal(flow_quality(table, s)->rtt_us[1], 0);
	expect(0, 1, 0);
}

static void in_order_is_nothing(void **state)
{
	(void)state;
	handshake();
	for (unsigned i = 0; i < 10; i++) {
		from_client(i * 100, 50 * i, 100);
		from_server(i * 50, 100 * i + 100, 50);
	}
	from_client(1000, 500, 0);
	expect(0, 0, 0);
	expect(1, 0, 0);
}

static void lost_behind_us(void **state)
{
	(void)state;
	handshake();
	from_server(0, 0, 100);
	from_server(100, 0, 100);
	at(RTT_CLIENT + RTT_SERVER);
	from_server(0, 0, 100);
	expect(1, 1, 0);
	from_server(150, 0, 100); /* old and new in one */
	expect(1, 2, 0);
	from_server(250, 0, 100);
	expect(1, 2, 0);
	expect(0, 0, 0);
}

static void lost_before_us(void **state)
{
	(void)state;
	handshake();
	from_server(100, 0, 100); /* the first never came */
	from_server(200, 0, 100);
	from_server(400, 0, 100); /* nor did the fourth */
	at(RTT_CLIENT + RTT_SERVER);
	from_server(0, 0, 100);
	from_server(300, 0, 100);
	expect(1, 2, 0);
}

static void reordered_before_us(void **state)
{
	(void)state;
	handshake();
	for (unsigned i = 0; i < 5; i++) {
		from_server(i * 200 + 100, 0, 100);
		at(RTT_CLIENT);
		from_server(i * 200, 0, 100);
	}
	expect(1, 0, 5);
	at(RTT_SERVER);
	from_server(0, 0, 100); /* no hole any more */
	expect(1, 1, 5);
}

static void syn_and_fin_count(void **state)
{
	(void)state;
	handshake();
	send_flags(1, SYN | ACK, S, C + 1, 0);
	expect(1, 1, 0);
	send_flags(1, FIN | ACK, S + 1, C + 1, 0);
	send_flags(1, FIN | ACK, S + 1, C + 1, 0);
	expect(1, 2, 0);
}

static void keep_alives_do_not(void **state)
{
	(void)state;
	handshake();
	from_server(0, 0, 100);
	from_server(99, 0, 0);
	from_server(99, 0, 1);
	expect(1, 0, 0);
}

static void timed_touch(uint8_t dir, uint32_t seq, uint32_t ack, uint16_t length)
{
	struct test_segment g = { dir, ACK, seq, ack, length, 60000, -1, false };

	assert_int_equal(flow_touch_timed(table, s, test_segment(s, &g), 1), FLOW_VALID);
}

static void data_is_timed_when_asked(void **state)
{
	(void)state;
	handshake();
	from_client(0, 0, 100);
	from_server(0, 100, 0);
	assert_int_equal(timed(1), 1); /* the handshake's */
	timed_touch(0, C + 101, S + 1, 100);
	at(100);
	from_client(200, 0, 100);
	at(200);
	from_server(0, 150, 0); /* not all of it */
	assert_int_equal(timed(1), 1);
	at(300);
	from_server(0, 300, 0);
	assert_int_equal(timed(1), 2);
	assert_int_equal(flow_quality(table, s)->rtt_us[1], 600);
	at(1000);
	from_server(0, 300, 10);
	assert_int_equal(timed(1), 2);
}

static void what_was_sent_again_is_not_timed(void **state)
{
	(void)state;
	handshake();
	timed_touch(0, C + 1, S + 1, 100);
	at(RTT_CLIENT + RTT_SERVER);
	from_client(0, 0, 100);
	from_server(0, 100, 0);
	assert_int_equal(timed(1), 1);
	expect(0, 1, 0);
	timed_touch(0, C + 1, S + 1, 100); /* again: not timed either */
	from_server(0, 100, 0);
	assert_int_equal(timed(1), 1);
}

static void against_the_path(void **state)
{
	(void)state;
	s->flags |= SESSION_WALK;
	handshake();
	from_client(0, 0, 100);
	from_client(0, 0, 100);
	assert_int_equal(flow_quality(table, s)->retransmits[0], 1);
	assert_int_equal(totals[PATH].side[1].retransmits, 1);
	assert_int_equal(totals[PATH].side[0].rtt_us, RTT_SERVER);
}

static void record_is_used_again(void **state)
{
	struct tuple t = test_tuple4(IPPROTO_TCP, 1, 11, 2, 20);
	struct session *before = s;

	(void)state;
	handshake();
	from_server(0, 0, 100);
	from_server(0, 0, 100);
	flow_remove(table, s);
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	assert_ptr_equal(s, before);
	at(0);
	send_flags(0, SYN, C, 0, 0);
	assert_int_equal(flow_quality(table, s)->retransmits[1], 0);
	assert_int_equal(flow_quality(table, s)->rtt_us[1], 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(handshake_is_timed),       TEST(repeated_syn_is_not_timed),
		TEST(in_order_is_nothing),      TEST(lost_behind_us),
		TEST(lost_before_us),           TEST(reordered_before_us),
		TEST(syn_and_fin_count),        TEST(keep_alives_do_not),
		TEST(data_is_timed_when_asked), TEST(what_was_sent_again_is_not_timed),
		TEST(against_the_path),         TEST(record_is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
