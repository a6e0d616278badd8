/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SCTP tracking: handshake, shutdown, abort, tags, restart, heartbeats on another path, pick-up. The client chose tag C, which the
 * server's packets carry; the server chose S.
 */
#include "helper_flow.h"

#include "flow/sctp.h"
#include "packet/sctp.h"

enum { C = 0xc11e4717, S = 0x5e17e400, C2 = 0xc2c2c2c2, S2 = 0x52525252, CHUNK = 20 };

static struct flow_table *table;
static struct session *s;

static int begin(uint8_t flags)
{
	struct tuple t = test_tuple4(IPPROTO_SCTP, 1, 10, 2, 20);

	table = test_table(NULL, 16, 0);
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	s->flags |= flags;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return begin(0);
}

static int setup_midstream(void **state)
{
	(void)state;
	return begin(SESSION_MIDSTREAM);
}

static int teardown(void **state)
{
	(void)state;
	flow_table_free(table);
	return 0;
}

/* Bit by bit, as the standard defines it. */
static uint32_t plain_crc(const uint8_t *at, size_t length)
{
	uint32_t crc = UINT32_MAX;

	while (length--) {
		crc ^= *at++;
		for (int i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return ~crc;
}

static void put32(uint8_t *at, uint32_t value)
{
	value = rte_cpu_to_be_32(value);
	memcpy(at, &value, sizeof(value));
}

static struct rte_mbuf *packet(uint8_t dir, uint32_t tag, const uint8_t *types, unsigned n, uint8_t flags,
                               uint32_t initiate)
{
	struct tuple t;
	struct rte_mbuf *m;
	struct pkt *p;
	uint8_t *at;
	uint32_t crc;

	session_tuple(s, dir, &t);
	m = test_packet(0, &t);
	p = pkt_of(m);
	p->dir = dir;
	p->end = (uint16_t)(p->l4 + 12 + CHUNK * n);
	p->sctp_chunk = types[0];
	at = pkt_at(m, p->l4);
	memset(at, 0, 12 + CHUNK * n);
	put32(at + 4, tag);
	for (unsigned i = 0; i < n; i++) {
		uint8_t *chunk = at + 12 + CHUNK * i;

		chunk[0] = types[i];
		chunk[1] = flags;
		chunk[3] = CHUNK;
		put32(chunk + 4, initiate);
	}
	crc = rte_cpu_to_le_32(plain_crc(at, 12 + CHUNK * n));
	memcpy(at + 8, &crc, sizeof(crc));
	return m;
}

static enum flow_invalid send_one(uint8_t dir, uint8_t type, uint32_t tag, uint32_t initiate)
{
	return flow_touch(table, s, packet(dir, tag, &type, 1, 0, initiate), 1);
}

static enum flow_invalid client(uint8_t type)
{
	return send_one(0, type, type == SCTP_INIT ? 0 : S, C);
}

static enum flow_invalid server(uint8_t type)
{
	return send_one(1, type, type == SCTP_INIT ? 0 : C, S);
}

static void expect_class(unsigned klass)
{
	struct flow_stats stats;

	assert_int_equal(s->klass, klass);
	flow_stats(table, &stats);
	assert_int_equal(stats.per_class[klass], 1);
	assert_int_equal(stats.half_open, klass == CLASS_SCTP_OPENING);
}

static void handshake(void)
{
	const uint8_t echo[] = { SCTP_COOKIE_ECHO, SCTP_DATA };

	expect_class(CLASS_SCTP_OPENING);
	assert_int_equal(client(SCTP_INIT), FLOW_VALID);
	assert_int_equal(server(SCTP_INIT_ACK), FLOW_VALID);
	assert_int_equal(flow_touch(table, s, packet(0, S, echo, 2, 0, 0), 1), FLOW_VALID);
	expect_class(CLASS_SCTP_OPENING);
	assert_int_equal(server(SCTP_COOKIE_ACK), FLOW_VALID);
	expect_class(CLASS_SCTP_ESTABLISHED);
}

static void opens_and_closes(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(client(SCTP_DATA), FLOW_VALID);
	assert_int_equal(server(SCTP_SACK), FLOW_VALID);
	assert_int_equal(server(SCTP_HEARTBEAT), FLOW_VALID);
	assert_int_equal(client(SCTP_HEARTBEAT_ACK), FLOW_VALID);
	expect_class(CLASS_SCTP_ESTABLISHED);
	assert_int_equal(client(SCTP_SHUTDOWN), FLOW_VALID);
	expect_class(CLASS_SCTP_CLOSING);
	assert_int_equal(server(SCTP_SHUTDOWN_ACK), FLOW_VALID);
	assert_int_equal(s->tcp_state[0], SCTP_SHUTTING);
	assert_int_equal(client(SCTP_SHUTDOWN_COMPLETE), FLOW_VALID);
	assert_int_equal(s->tcp_state[0], SCTP_ENDED);
	expect_class(CLASS_SCTP_CLOSING);
	assert_int_equal(client(SCTP_INIT), FLOW_REOPEN);
	assert_int_equal(server(SCTP_INIT), FLOW_REOPEN);
}

static void begins_with_init_alone(void **state)
{
	static const uint8_t others[] = { SCTP_DATA,  SCTP_INIT_ACK, SCTP_SACK,        SCTP_HEARTBEAT_ACK,
		                          SCTP_ABORT, SCTP_SHUTDOWN, SCTP_COOKIE_ECHO, SCTP_COOKIE_ACK };

	(void)state;
	for (unsigned i = 0; i < sizeof(others); i++)
		assert_int_equal(client(others[i]), FLOW_SCTP_STATE);
	assert_int_equal(s->tcp_state[0], SCTP_NONE);
	handshake();
}

static void wrong_tags(void **state)
{
	(void)state;
	assert_int_equal(client(SCTP_INIT), FLOW_VALID);
	assert_int_equal(send_one(1, SCTP_INIT_ACK, C + 1, S), FLOW_SCTP_TAG);
	assert_int_equal(send_one(0, SCTP_COOKIE_ECHO, S, 0), FLOW_SCTP_TAG);
	assert_int_equal(server(SCTP_INIT_ACK), FLOW_VALID);
	assert_int_equal(send_one(1, SCTP_COOKIE_ACK, S, 0), FLOW_SCTP_TAG);
	assert_int_equal(client(SCTP_COOKIE_ECHO), FLOW_VALID);
	assert_int_equal(server(SCTP_COOKIE_ACK), FLOW_VALID);
	assert_int_equal(send_one(0, SCTP_ABORT, C, 0), FLOW_SCTP_TAG);
	assert_int_equal(send_one(0, SCTP_DATA, S2, 0), FLOW_SCTP_TAG);
	assert_int_equal(send_one(1, SCTP_SHUTDOWN, S, 0), FLOW_SCTP_TAG);
	expect_class(CLASS_SCTP_ESTABLISHED);
}

static void aborted(void **state)
{
	const uint8_t abort_chunk = SCTP_ABORT;

	(void)state;
	assert_int_equal(client(SCTP_INIT), FLOW_VALID);
	assert_int_equal(server(SCTP_ABORT), FLOW_VALID);
	expect_class(CLASS_SCTP_CLOSING);
	assert_int_equal(client(SCTP_INIT), FLOW_REOPEN);
	s->tcp_state[0] = SCTP_NONE;
	assert_int_equal(client(SCTP_INIT), FLOW_VALID);
	assert_int_equal(server(SCTP_INIT_ACK), FLOW_VALID);
	/* The server forgot: it gives the tag back that it was sent, and says so. */
	assert_int_equal(flow_touch(table, s, packet(1, S, &abort_chunk, 1, 0, 0), 1), FLOW_SCTP_TAG);
	assert_int_equal(flow_touch(table, s, packet(1, S, &abort_chunk, 1, SCTP_TAG_REFLECTED, 0), 1),
	                 FLOW_VALID);
	assert_int_equal(s->tcp_state[0], SCTP_ENDED);
}

static void both_begin(void **state)
{
	(void)state;
	assert_int_equal(client(SCTP_INIT), FLOW_VALID);
	assert_int_equal(server(SCTP_INIT), FLOW_VALID);
	assert_int_equal(client(SCTP_INIT_ACK), FLOW_VALID);
	assert_int_equal(server(SCTP_INIT_ACK), FLOW_VALID);
	assert_int_equal(server(SCTP_COOKIE_ECHO), FLOW_VALID);
	assert_int_equal(client(SCTP_COOKIE_ACK), FLOW_VALID);
	expect_class(CLASS_SCTP_ESTABLISHED);
}

static void restarts(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(send_one(0, SCTP_INIT, 0, C2), FLOW_VALID);
	assert_int_equal(server(SCTP_DATA), FLOW_VALID); /* the old one goes on until the new one is there */
	expect_class(CLASS_SCTP_ESTABLISHED);
	assert_int_equal(send_one(1, SCTP_INIT_ACK, C2, S2), FLOW_VALID);
	assert_int_equal(send_one(0, SCTP_COOKIE_ECHO, S2, 0), FLOW_VALID);
	assert_int_equal(send_one(1, SCTP_COOKIE_ACK, C2, 0), FLOW_VALID);
	assert_int_equal(client(SCTP_DATA), FLOW_SCTP_TAG);
	assert_int_equal(send_one(0, SCTP_DATA, S2, 0), FLOW_VALID);
	assert_int_equal(send_one(1, SCTP_DATA, C2, 0), FLOW_VALID);
}

static void half_a_restart_changes_nothing(void **state)
{
	(void)state;
	handshake();
	assert_int_equal(send_one(0, SCTP_INIT, 0, C2), FLOW_VALID);
	assert_int_equal(send_one(1, SCTP_COOKIE_ACK, C2, 0), FLOW_VALID);
	assert_int_equal(send_one(1, SCTP_ABORT, C2, 0), FLOW_VALID);
	assert_int_equal(send_one(1, SCTP_DATA, C2, 0), FLOW_SCTP_TAG);
	assert_int_equal(client(SCTP_DATA), FLOW_VALID);
	assert_int_equal(server(SCTP_DATA), FLOW_VALID);
	expect_class(CLASS_SCTP_ESTABLISHED);
}

static void another_path(void **state)
{
	(void)state;
	assert_int_equal(client(SCTP_HEARTBEAT), FLOW_VALID);
	expect_class(CLASS_SCTP_OPENING);
	assert_int_equal(send_one(0, SCTP_HEARTBEAT, S2, 0), FLOW_SCTP_TAG);
	assert_int_equal(server(SCTP_HEARTBEAT_ACK), FLOW_VALID);
	expect_class(CLASS_SCTP_ESTABLISHED);
	assert_int_equal(server(SCTP_DATA), FLOW_VALID);
	assert_int_equal(send_one(1, SCTP_DATA, S, 0), FLOW_SCTP_TAG);
}

static void picked_up(void **state)
{
	(void)state;
	assert_int_equal(client(SCTP_DATA), FLOW_VALID);
	expect_class(CLASS_SCTP_OPENING);
	assert_int_equal(server(SCTP_SACK), FLOW_VALID);
	expect_class(CLASS_SCTP_ESTABLISHED);
	assert_int_equal(send_one(0, SCTP_DATA, S2, 0), FLOW_SCTP_TAG);
}

static void checksums(void **state)
{
	const uint8_t init = SCTP_INIT, data = SCTP_DATA, end = SCTP_ABORT;
	struct rte_mbuf *m;

	(void)state;
	m = packet(0, 0, &init, 1, 0, C);
	((uint8_t *)pkt_at(m, pkt_of(m)->l4))[8] ^= 1;
	assert_int_equal(flow_touch(table, s, m, 1), FLOW_SCTP_CHECKSUM);
	handshake();
	m = packet(0, S, &end, 1, 0, 0);
	((uint8_t *)pkt_at(m, pkt_of(m)->l4))[12 + 8] ^= 0x80;
	assert_int_equal(flow_touch(table, s, m, 1), FLOW_SCTP_CHECKSUM);
	expect_class(CLASS_SCTP_ESTABLISHED);
	m = packet(0, S, &data, 1, 0, 0);
	((uint8_t *)pkt_at(m, pkt_of(m)->l4))[8] ^= 1;
	assert_int_equal(flow_touch(table, s, m, 1), FLOW_VALID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opens_and_closes, setup, teardown),
		cmocka_unit_test_setup_teardown(begins_with_init_alone, setup, teardown),
		cmocka_unit_test_setup_teardown(wrong_tags, setup, teardown),
		cmocka_unit_test_setup_teardown(aborted, setup, teardown),
		cmocka_unit_test_setup_teardown(both_begin, setup, teardown),
		cmocka_unit_test_setup_teardown(restarts, setup, teardown),
		cmocka_unit_test_setup_teardown(half_a_restart_changes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(another_path, setup, teardown),
		cmocka_unit_test_setup_teardown(picked_up, setup_midstream, teardown),
		cmocka_unit_test_setup_teardown(checksums, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
