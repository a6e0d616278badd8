/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP tracking: openings, closings, windows, resets, strays. Client numbers begin at C, server numbers at S.
 */
#include "helper_flow.h"

enum {
	C = 0xfffffff0, /* wraps soon */
	S = 5000,
	SYN = RTE_TCP_SYN_FLAG,
	ACK = RTE_TCP_ACK_FLAG,
	FIN = RTE_TCP_FIN_FLAG,
	RST = RTE_TCP_RST_FLAG,
	WINDOW = 1000,
};

static struct flow_table *table;
static struct session *s;

static int setup(void **state)
{
	struct tuple t = test_tuple4(IPPROTO_TCP, 1, 10, 2, 20);

	(void)state;
	table = test_table(NULL, 16, 0);
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	flow_table_free(table);
	return 0;
}

static enum flow_invalid send_all(uint8_t dir, int flags, uint32_t seq, uint32_t ack, uint16_t length,
                                  uint16_t window, int scale)
{
	struct test_segment g = { dir, (uint8_t)flags, seq, ack, length, window, scale, false };

	return flow_touch(table, s, test_segment(s, &g), 1);
}

static enum flow_invalid client(int flags, uint32_t seq, uint32_t ack, uint16_t length)
{
	return send_all(0, flags, seq, ack, length, WINDOW, -1);
}

static enum flow_invalid server(int flags, uint32_t seq, uint32_t ack, uint16_t length)
{
	return send_all(1, flags, seq, ack, length, WINDOW, -1);
}

static void expect_class(unsigned klass)
{
	struct flow_stats stats;

	assert_int_equal(s->klass, klass);
	flow_stats(table, &stats);
	for (unsigned i = 0; i < SESSION_CLASSES; i++)
		assert_int_equal(stats.per_class[i], i == klass);
	assert_int_equal(stats.half_open, klass == CLASS_TCP_OPENING);
}

static void handshake(void)
{
	assert_int_equal(client(SYN, C, 0, 0), FLOW_VALID);
	expect_class(CLASS_TCP_OPENING);
	assert_int_equal(server(SYN | ACK, S, C + 1, 0), FLOW_VALID);
	expect_class(CLASS_TCP_OPENING);
	assert_int_equal(client(ACK, C + 1, S + 1, 0), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
}

/* A segment with a right checksum, or one that a bit is wrong of. */
static enum flow_invalid summed(uint8_t dir, int flags, uint32_t seq, uint32_t ack, bool right)
{
	struct test_segment g = { dir, (uint8_t)flags, seq, ack, 0, WINDOW, -1, false };
	struct rte_mbuf *m = test_segment(s, &g);

	pkt_checksums(m);
	((struct rte_tcp_hdr *)pkt_at(m, pkt_of(m)->l4))->cksum ^= !right;
	return flow_touch(table, s, m, 1);
}

/* Where checksums are verified, a segment that its receiver would throw away neither begins, ends nor resets anything. */
static void spoilt_segments(void **state)
{
	(void)state;
	assert_int_equal(summed(0, SYN, C, 0, false), FLOW_VALID); /* they are not by themselves */
	flow_verify_tcp(table, true);
	assert_int_equal(summed(0, SYN, C + 7, 0, false), FLOW_TCP_CHECKSUM);
	assert_int_equal(summed(0, SYN, C, 0, true), FLOW_VALID);
	assert_int_equal(summed(1, SYN | ACK, S, C + 1, false), FLOW_TCP_CHECKSUM);
	assert_int_equal(summed(1, SYN | ACK, S, C + 1, true), FLOW_VALID);
	assert_int_equal(summed(0, ACK, C + 1, S + 1, false), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
	assert_int_equal(summed(1, RST, S + 1, 0, false), FLOW_TCP_CHECKSUM);
	assert_int_equal(summed(1, FIN | ACK, S + 1, C + 1, false), FLOW_TCP_CHECKSUM);
	expect_class(CLASS_TCP_ESTABLISHED);
	assert_int_equal(summed(1, RST, S + 1, 0, true), FLOW_VALID);
	expect_class(CLASS_TCP_CLOSING);
}

static void opens_and_closes(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(client(ACK, C + 1, S + 1, 100), FLOW_VALID);
	assert_int_equal(server(ACK, S + 1, C + 101, 200), FLOW_VALID);
	assert_int_equal(client(ACK | FIN, C + 101, S + 201, 0), FLOW_VALID);
	expect_class(CLASS_TCP_CLOSING);
	/* Half closed: the server goes on, and its acknowledgement covers the FIN. */
	assert_int_equal(server(ACK, S + 201, C + 102, 300), FLOW_VALID);
	assert_int_equal(s->tcp_state[0], TCP_FIN_ACKED);
	assert_int_equal(s->tcp_state[1], TCP_ESTABLISHED);
	expect_class(CLASS_TCP_CLOSING);
	assert_int_equal(client(ACK, C + 102, S + 501, 0), FLOW_VALID);
	/* Nothing comes after a FIN. */
	assert_int_equal(client(ACK, C + 102, S + 501, 10), FLOW_TCP_WINDOW);
	assert_int_equal(server(ACK | FIN, S + 501, C + 102, 0), FLOW_VALID);
	assert_int_equal(client(ACK, C + 102, S + 502, 0), FLOW_VALID);
	assert_int_equal(s->tcp_state[1], TCP_FIN_ACKED);
	/* Retransmitted FIN. */
	assert_int_equal(server(ACK | FIN, S + 501, C + 102, 0), FLOW_VALID);
}

static void new_syn_reopens(void **state)
{
	(void)state;
	opens_and_closes(state);
	assert_int_equal(client(SYN, C + 90000, 0, 0), FLOW_REOPEN);
	assert_int_equal(server(SYN, S + 90000, 0, 0), FLOW_REOPEN);
	assert_int_equal(s->tcp_state[0], TCP_FIN_ACKED);
}

static void simultaneous_close(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(client(ACK | FIN, C + 1, S + 1, 0), FLOW_VALID);
	assert_int_equal(server(ACK | FIN, S + 1, C + 1, 0), FLOW_VALID);
	assert_int_equal(client(ACK, C + 2, S + 2, 0), FLOW_VALID);
	assert_int_equal(server(ACK, S + 2, C + 2, 0), FLOW_VALID);
	assert_int_equal(s->tcp_state[0], TCP_FIN_ACKED);
	assert_int_equal(s->tcp_state[1], TCP_FIN_ACKED);
}

static void simultaneous_open(void **state)
{
	(void)state;
	assert_int_equal(client(SYN, C, 0, 0), FLOW_VALID);
	assert_int_equal(server(SYN, S, 0, 0), FLOW_VALID);
	expect_class(CLASS_TCP_OPENING);
	assert_int_equal(client(SYN | ACK, C, S + 1, 0), FLOW_VALID);
	assert_int_equal(server(SYN | ACK, S, C + 1, 0), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
	assert_int_equal(client(ACK, C + 1, S + 1, 10), FLOW_VALID);
	assert_int_equal(server(ACK, S + 1, C + 11, 10), FLOW_VALID);
}

static void begins_with_syn_only(void **state)
{
	static const int flags[] = { ACK, ACK | FIN, SYN | ACK, RST, RST | ACK, 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(flags) / sizeof(*flags); i++) {
		assert_int_equal(client(flags[i], C, S, 10), FLOW_TCP_STATE);
		assert_int_equal(s->tcp_state[0], TCP_NONE);
		assert_int_equal(s->packets[0], 0);
	}
	expect_class(CLASS_TCP_OPENING);
}

static void syn_is_sent_again(void **state)
{
	(void)state;
	assert_int_equal(client(SYN, C, 0, 0), FLOW_VALID);
	assert_int_equal(client(SYN, C, 0, 0), FLOW_VALID);
	/* Given up, and begun anew from the same port. */
	assert_int_equal(client(SYN, C + 777, 0, 0), FLOW_VALID);
	assert_int_equal(server(SYN | ACK, S, C + 1, 0), FLOW_TCP_WINDOW);
	assert_int_equal(server(SYN | ACK, S, C + 778, 0), FLOW_VALID);
	assert_int_equal(client(SYN, C + 777, 0, 0), FLOW_VALID);
	assert_int_equal(server(SYN | ACK, S, C + 778, 0), FLOW_VALID);
	assert_int_equal(client(ACK, C + 778, S + 1, 0), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
	/* The last ACK was lost: the answer comes once more. */
	assert_int_equal(server(SYN | ACK, S, C + 778, 0), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
	/* Data before the SYN was answered is nobody's. */
	assert_int_equal(client(0, C + 778, 0, 0), FLOW_TCP_STATE);
}

static void unanswered_takes_only_syn_and_reset(void **state)
{
	(void)state;
	assert_int_equal(client(SYN, C, 0, 0), FLOW_VALID);
	assert_int_equal(client(ACK, C + 1, S, 0), FLOW_TCP_STATE);
	assert_int_equal(client(RST, C + 5, 0, 0), FLOW_TCP_WINDOW);
	assert_int_equal(server(ACK, S, C + 1, 10), FLOW_TCP_STATE);
	assert_int_equal(server(FIN | ACK, S, C + 1, 0), FLOW_TCP_STATE);
	assert_int_equal(server(RST, S, 0, 0), FLOW_TCP_STATE);
	assert_int_equal(server(RST | ACK, 0, C + 2, 0), FLOW_TCP_WINDOW);
	expect_class(CLASS_TCP_OPENING);
	assert_int_equal(server(RST | ACK, 0, C + 1, 0), FLOW_VALID);
	expect_class(CLASS_TCP_CLOSING);
	assert_int_equal(client(SYN, C, 0, 0), FLOW_REOPEN);
}

/* RFC 5961: a server with an older connection challenges; the client's RST must get through, then its SYN is
 * answered. */
static void challenge_of_a_syn(void **state)
{
	(void)state;
	assert_int_equal(client(SYN, C, 0, 0), FLOW_VALID);
	assert_int_equal(server(ACK, S + 70000, 123456, 0), FLOW_VALID);
	assert_int_equal(client(RST, 123457, 0, 0), FLOW_TCP_WINDOW);
	assert_int_equal(client(RST, 123456, 0, 0), FLOW_VALID);
	expect_class(CLASS_TCP_OPENING);
	handshake();
}

static void fast_open(void **state)
{
	(void)state;
	/* 100 bytes ride on the SYN; the server takes them, or not. */
	assert_int_equal(client(SYN, C, 0, 100), FLOW_VALID);
	assert_int_equal(server(SYN | ACK, S, C + 102, 0), FLOW_TCP_WINDOW);
	assert_int_equal(server(SYN | ACK, S, C, 0), FLOW_TCP_WINDOW);
	assert_int_equal(server(SYN | ACK, S, C + 101, 0), FLOW_VALID);
	/* And speaks before the handshake is over, within the SYN's window. */
	assert_int_equal(server(ACK, S + 1, C + 101, 500), FLOW_VALID);
	assert_int_equal(server(ACK, S + 501, C + 101, 500), FLOW_VALID);
	assert_int_equal(server(ACK, S + 2003, C + 101, 1), FLOW_TCP_WINDOW);
	assert_int_equal(client(ACK, C + 101, S + 1001, 0), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
}

/* A server with SYN cookies that is asked again has forgotten its first answer. */
static void answers_again(void **state)
{
	(void)state;
	assert_int_equal(client(SYN, C, 0, 0), FLOW_VALID);
	assert_int_equal(server(SYN | ACK, S, C + 1, 0), FLOW_VALID);
	assert_int_equal(client(SYN, C, 0, 0), FLOW_VALID);
	assert_int_equal(server(SYN | ACK, S + 3000000, C + 2, 0), FLOW_TCP_WINDOW);
	assert_int_equal(server(SYN | ACK, S + 3000000, C + 1, 0), FLOW_VALID);
	expect_class(CLASS_TCP_OPENING);
	assert_int_equal(client(ACK, C + 1, S + 3000001, 10), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
	assert_int_equal(server(ACK, S + 3000001, C + 11, 10), FLOW_VALID);
	assert_int_equal(server(SYN | ACK, S + 6000000, C + 11, 0), FLOW_TCP_WINDOW);
}

/* What overshot a large window does not make the acknowledgements of its receiver too old. */
static void overshoot(void **state)
{
	enum { LARGE = 0xffff };

	(void)state;
	assert_int_equal(client(SYN, C, 0, 0), FLOW_VALID);
	assert_int_equal(send_all(1, SYN | ACK, S, C + 1, 0, LARGE, 1), FLOW_VALID);
	assert_int_equal(client(ACK, C + 1, S + 1, 0), FLOW_VALID);
	assert_int_equal(client(ACK, C + 1 + LARGE, S + 1, 1400), FLOW_VALID);
	assert_int_equal(client(ACK, C + 2 + LARGE, S + 1, 1400), FLOW_TCP_WINDOW);
	assert_int_equal(send_all(1, ACK, S + 1, C + 1, 0, LARGE, -1), FLOW_VALID);
}

static void windows(void **state)
{
	uint32_t packets;

	(void)state;
	handshake();
	packets = s->packets[0];
	/* Just within, just beyond. */
	assert_int_equal(client(ACK, C + 1 + WINDOW + 1, S + 1, 1), FLOW_TCP_WINDOW);
	assert_int_equal(client(ACK, C + 1 - WINDOW - 1, S + 1, 0), FLOW_TCP_WINDOW);
	assert_int_equal(client(ACK, C + 1, S + 2, 10), FLOW_TCP_WINDOW);
	assert_int_equal(client(ACK, C + 1, S + 1 - WINDOW - TCP_OLDEST_ACK - 1, 10), FLOW_TCP_WINDOW);
	assert_int_equal(s->packets[0], packets);
	assert_int_equal(client(ACK, C + 1, S + 1 - WINDOW - TCP_OLDEST_ACK, 10), FLOW_VALID);
	assert_int_equal(client(ACK, C + 1, S + 1, WINDOW), FLOW_VALID);
	/* Retransmitted; a keepalive, with and without its byte of garbage; a zero window probe. */
	assert_int_equal(client(ACK, C + 1, S + 1, WINDOW), FLOW_VALID);
	assert_int_equal(client(ACK, C + WINDOW, S + 1, 0), FLOW_VALID);
	assert_int_equal(client(ACK, C + WINDOW, S + 1, 1), FLOW_VALID);
	assert_int_equal(send_all(1, ACK, S + 1, C + 1 + WINDOW, 0, 0, -1), FLOW_VALID);
	assert_int_equal(client(ACK, C + 1 + WINDOW, S + 1, 1), FLOW_VALID);
	/* Beyond the probe there is no room until the window opens. */
	assert_int_equal(client(ACK, C + 2 + WINDOW, S + 1, 1), FLOW_TCP_WINDOW);
	assert_int_equal(server(ACK, S + 1, C + 2 + WINDOW, 0), FLOW_VALID);
	assert_int_equal(client(ACK, C + 2 + WINDOW, S + 1, WINDOW), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
}

static void scale_handshake(int client_scale, int server_scale)
{
	assert_int_equal(send_all(0, SYN, C, 0, 0, WINDOW, client_scale), FLOW_VALID);
	assert_int_equal(send_all(1, SYN | ACK, S, C + 1, 0, WINDOW, server_scale), FLOW_VALID);
	assert_int_equal(client(ACK, C + 1, S + 1, 0), FLOW_VALID);
}

static void scaling(void **state)
{
	(void)state;
	scale_handshake(3, 7);
	/* The window of a SYN is not scaled. */
	assert_int_equal(client(ACK, C + 1 + WINDOW + 1, S + 1, 1), FLOW_TCP_WINDOW);
	assert_int_equal(server(ACK, S + 1, C + 1, 0), FLOW_VALID);
	assert_int_equal(client(ACK, C + 1 + (WINDOW << 7), S + 1, 1), FLOW_VALID);
	assert_int_equal(client(ACK, C + 3 + (WINDOW << 7), S + 1, 1), FLOW_TCP_WINDOW);
	assert_int_equal(server(ACK, S + 1 + (WINDOW << 3), C + 1000, 1), FLOW_VALID);
	assert_int_equal(server(ACK, S + 3 + (WINDOW << 3), C + 1000, 1), FLOW_TCP_WINDOW);
}

static void scaling_takes_two(void **state)
{
	(void)state;
	scale_handshake(7, -1);
	assert_int_equal(s->tcp_scale[0] & TCP_SCALE_MASK, 0);
	assert_int_equal(server(ACK, S + 2 + WINDOW, C + 1, 1), FLOW_TCP_WINDOW);
}

static void scale_is_bounded(void **state)
{
	(void)state;
	scale_handshake(255, 15);
	assert_int_equal(s->tcp_scale[0] & ~TCP_TIMED, TCP_SCALING | 14);
	assert_int_equal(s->tcp_scale[1] & ~TCP_TIMED, TCP_SCALING | 14);
}

static void resets(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(server(RST, S + 1 + WINDOW + 1, 0, 0), FLOW_TCP_WINDOW);
	assert_int_equal(server(RST, S - WINDOW, 0, 0), FLOW_TCP_WINDOW);
	expect_class(CLASS_TCP_ESTABLISHED);
	/* In the window but not exact: it passes, resets nothing, until the next good segment. */
	assert_int_equal(server(RST, S + 100, 0, 0), FLOW_VALID);
	assert_int_equal(s->tcp_state[1], TCP_ESTABLISHED);
	expect_class(CLASS_TCP_CLOSING);
	assert_int_equal(client(ACK, C + 1, S + 1, 10), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
	assert_int_equal(server(RST, S + 1, 0, 0), FLOW_VALID);
	assert_int_equal(s->tcp_state[0], TCP_RESET);
	expect_class(CLASS_TCP_CLOSING);
	/* What was under way still passes, and revives nothing. */
	assert_int_equal(client(ACK, C + 1, S + 1, 10), FLOW_VALID);
	expect_class(CLASS_TCP_CLOSING);
	assert_int_equal(client(SYN, C + 5000, 0, 0), FLOW_REOPEN);
}

/* A client that has rebooted: its SYN passes, the server's challenge passes, its RST resets, its next SYN
 * opens anew. */
static void syn_within_a_session(void **state)
{
	struct tcp_side before[2];

	(void)state;
	handshake();
	memcpy(before, s->tcp, sizeof(before));
	assert_int_equal(client(SYN, C + 123456, 0, 0), FLOW_VALID);
	assert_memory_equal(before, s->tcp, sizeof(before));
	expect_class(CLASS_TCP_ESTABLISHED);
	/* An answer out of thin air is none. */
	assert_int_equal(server(SYN | ACK, S + 900000, C + 123457, 0), FLOW_TCP_WINDOW);
	assert_int_equal(server(ACK, S + 1, C + 1, 0), FLOW_VALID);
	assert_int_equal(client(RST, C + 1, 0, 0), FLOW_VALID);
	assert_int_equal(client(SYN, C + 123456, 0, 0), FLOW_REOPEN);
}

static void no_ack_no_segment(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(client(0, C + 1, 0, 10), FLOW_TCP_STATE);
	assert_int_equal(client(FIN, C + 1, 0, 0), FLOW_TCP_STATE);
}

static void midstream(void **state)
{
	(void)state;
	s->flags |= SESSION_MIDSTREAM;
	assert_int_equal(client(RST, C, S, 0), FLOW_TCP_STATE);
	assert_int_equal(client(SYN | ACK, C, S, 0), FLOW_TCP_STATE);
	assert_int_equal(client(ACK, C, S, 100), FLOW_VALID);
	expect_class(CLASS_TCP_OPENING);
	/* More before the answer; then the answer, ahead of what the client has acknowledged. */
	assert_int_equal(client(ACK, C + 100, S, 100), FLOW_VALID);
	assert_int_equal(server(SYN | ACK, S, C + 200, 0), FLOW_TCP_STATE);
	assert_int_equal(server(RST, S + 1, 0, 0), FLOW_TCP_WINDOW);
	assert_int_equal(server(ACK, S + 3000, C + 150, 100), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
	assert_int_equal(client(ACK, C + 200, S + 3100, 100), FLOW_VALID);
	assert_int_equal(server(ACK, S + 3100, C + 300, 100), FLOW_VALID);
	/* From here on it is checked, with the largest windows that there could be. */
	assert_int_equal(client(ACK, C + 300 + (WINDOW << 14) + 1, S + 3200, 1), FLOW_TCP_WINDOW);
	assert_int_equal(client(ACK, C + 300, S + 3201, 1), FLOW_TCP_WINDOW);
	assert_int_equal(client(ACK, C + 300 + (WINDOW << 14), S + 3200, 1), FLOW_VALID);
}

static void midstream_reset(void **state)
{
	(void)state;
	s->flags |= SESSION_MIDSTREAM;
	assert_int_equal(client(ACK, C, S, 100), FLOW_VALID);
	assert_int_equal(server(RST, S, 0, 0), FLOW_VALID);
	expect_class(CLASS_TCP_CLOSING);
}

static void oneway(void **state)
{
	struct tuple t = test_tuple4(IPPROTO_TCP, 1, 11, 2, 20);

	(void)state;
	flow_remove(table, s);
	assert_int_equal(flow_reserve(table, &t, 0, &s), FLOW_OK);
	assert_int_equal(flow_commit(table, s, NULL), FLOW_OK);
	assert_int_equal(client(ACK, C, S, 0), FLOW_TCP_STATE);
	assert_int_equal(client(SYN, C, 0, 0), FLOW_VALID);
	expect_class(CLASS_TCP_OPENING);
	assert_int_equal(client(ACK, C + 1, S + 1, 0), FLOW_VALID);
	expect_class(CLASS_TCP_ESTABLISHED);
	/* No numbers to compare with. */
	assert_int_equal(client(ACK, C + 99999999, S + 99999999, 10), FLOW_VALID);
	assert_int_equal(client(ACK | FIN, C + 1, S + 1, 0), FLOW_VALID);
	expect_class(CLASS_TCP_CLOSING);
	assert_int_equal(client(SYN, C, 0, 0), FLOW_REOPEN);
}

/* A first fragment shows less than there is; what is acknowledged beyond it must be believed, within the
 * window. */
static void fragments(void **state)
{
	struct test_segment g = { 0, ACK, C + 1, S + 1, 100, WINDOW, -1, true };
	struct rte_mbuf *m;

	(void)state;
	handshake();
	assert_int_equal(flow_touch(table, s, test_segment(s, &g), 1), FLOW_VALID);
	m = test_segment(s, &g);
	pkt_of(m)->flags |= PKT_LATER;
	assert_int_equal(flow_touch(table, s, m, 2), FLOW_VALID);
	assert_int_equal(s->last_seen, 2);
	assert_int_equal(server(ACK, S + 1, C + 1 + WINDOW + 1, 0), FLOW_TCP_WINDOW);
	assert_int_equal(server(ACK, S + 1, C + 1 + 800, 0), FLOW_VALID);
	assert_int_equal(client(ACK, C + 801, S + 1, 10), FLOW_VALID);
}

/* Options of any shape must be read within their bounds. */
static void bad_options(void **state)
{
	static const uint8_t options[][4] = {
		{ 3, 3, 5, 0 },  { 1, 1, 1, 3 }, { 3, 0, 0, 0 }, { 3, 1, 0, 0 },
		{ 8, 10, 0, 0 }, { 0, 3, 3, 5 }, { 1, 1, 3, 3 },
	};
	static const uint8_t scale[] = { TCP_SCALING | 5, 0, 0, 0, 0, 0, 0 };

	(void)state;
	for (unsigned i = 0; i < sizeof(options) / sizeof(*options); i++) {
		struct test_segment g = { 0, SYN, C, 0, 0, WINDOW, 0, false };
		struct rte_mbuf *m = test_segment(s, &g);

		memcpy((uint8_t *)pkt_at(m, pkt_of(m)->l4) + 20, options[i], 4);
		assert_int_equal(flow_touch(table, s, m, 1), FLOW_VALID);
		assert_int_equal(s->tcp_scale[0] & ~TCP_TIMED, scale[i]);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(spoilt_segments),
		TEST(opens_and_closes),
		TEST(new_syn_reopens),
		TEST(simultaneous_close),
		TEST(simultaneous_open),
		TEST(begins_with_syn_only),
		TEST(syn_is_sent_again),
		TEST(unanswered_takes_only_syn_and_reset),
		TEST(challenge_of_a_syn),
		TEST(fast_open),
		TEST(answers_again),
		TEST(overshoot),
		TEST(windows),
		TEST(scaling),
		TEST(scaling_takes_two),
		TEST(scale_is_bounded),
		TEST(resets),
		TEST(syn_within_a_session),
		TEST(no_ack_no_segment),
		TEST(midstream),
		TEST(midstream_reset),
		TEST(oneway),
		TEST(fragments),
		TEST(bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
