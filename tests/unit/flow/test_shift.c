/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a SYN proxy needs: cookies that only their maker and only a while believes, numbers translated there and back.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow/cookie.h"
#include "flow/shift.h"
#include "support/packets.h"

static const struct cookie_key key = { { 1, 2 } };
static const struct tuple client = {
	.src.v4 = 1, .dst.v4 = 2, .sport = 3, .dport = 4, .proto = 6, .family = FAMILY_V4
};
enum { ISN = 1000, NOW = 10 << COOKIE_TICK_SHIFT, TICK = 1 << COOKIE_TICK_SHIFT };

static bool believed(uint32_t cookie, uint32_t now)
{
	uint8_t size;

	return cookie_check(&key, &client, ISN, cookie, now, &size);
}

static void cookies_hold_for_a_while(void **state)
{
	uint32_t cookie = cookie_make(&key, &client, ISN, 1460, NOW);

	(void)state;
	assert_true(believed(cookie, NOW));
	assert_true(believed(cookie, NOW + 2 * TICK - 1));
	assert_false(believed(cookie, NOW + 2 * TICK));
	assert_false(believed(cookie, NOW + 33 * TICK));
	assert_false(believed(cookie, NOW - TICK));
	/* the clock wraps */
	cookie = cookie_make(&key, &client, ISN, 1460, UINT32_MAX - 5);
	assert_true(believed(cookie, 5));
}

static void cookies_are_of_one_connection(void **state)
{
	uint32_t cookie = cookie_make(&key, &client, ISN, 1460, NOW);
	struct tuple other = client;
	struct cookie_key secret = { { 1, 3 } };
	unsigned guessed = 0;
	uint8_t size;

	(void)state;
	other.sport++;
	assert_false(cookie_check(&key, &other, ISN, cookie, NOW, &size));
	assert_false(cookie_check(&key, &client, ISN + 1, cookie, NOW, &size));
	assert_false(cookie_check(&secret, &client, ISN, cookie, NOW, &size));
	other = client;
	other.dst.bytes[15] = 1;
	assert_false(cookie_check(&key, &other, ISN, cookie, NOW, &size));
	/* one bit of it is as good as another number: of 2 million guesses none or one is right */
	for (unsigned i = 0; i < 2000000; i++)
		guessed += believed(cookie + 1 + i, NOW);
	assert_in_range(guessed, 0, 2);
}

static void cookies_name_a_size(void **state)
{
	static const struct {
		uint16_t said, kept;
	} rows[] = { { 0, 536 },     { 100, 64 },    { 536, 536 },  { 1219, 536 },
		     { 1460, 1460 }, { 1500, 1460 }, { 9000, 8940 } };

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		uint32_t cookie = cookie_make(&key, &client, ISN, rows[i].said, NOW);
		uint8_t size;

		assert_true(cookie_check(&key, &client, ISN, cookie, NOW, &size));
		assert_int_equal(cookie_mss(size), rows[i].kept);
	}
}

enum { SEQ = 4, ACKED = 8, SHIFT = 0x11223344, STAMPS = 0x01000000 };

static const struct tcp_shift both = {
	.seq = SHIFT, .stamp = STAMPS, .flags = SHIFT_BOTH_STAMPED, .client_scale = 5, .server_scale = 9
};

/* A segment with SACK blocks and time stamps, the latter at an odd place. */
static struct rte_mbuf *segment(bool v6)
{
	static const uint8_t options[] = { 1,  8, 10, 0, 0, 0, 50, 0, 0, 0, 60, 5,
		                           10, 0, 0,  1, 0, 0, 0,  2, 0, 0, 0,  0 };
	struct packet_spec spec = { .src = v6 ? "2001:db8::1" : NULL,
		                    .proto = IPPROTO_TCP,
		                    .seq = 0xffffff00,
		                    .ack = 0x22334455,
		                    .window = 1000,
		                    .payload = options,
		                    .length = sizeof(options) };
	struct rte_mbuf *m = packet_build(&spec);

	rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, v6 ? 54 : 34)->data_off = 11 << 4;
	assert_int_equal(pkt_parse(m, 0), PKT_OK);
	pkt_checksums(m);
	return m;
}

static uint16_t window_of(struct rte_mbuf *m)
{
	return ntohs(((struct rte_tcp_hdr *)pkt_at(m, pkt_of(m)->l4))->rx_win);
}

static void segments(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct rte_mbuf *m = segment(v6);

		shift_to_client(&both, m);
		assert_int_equal(tcp_word(m, SEQ), 0xffffff00 + SHIFT);
		assert_int_equal(tcp_word(m, ACKED), 0x22334455);
		assert_int_equal(tcp_word(m, 23), 50 + STAMPS);
		assert_int_equal(tcp_word(m, 27), 60);
		assert_int_equal(tcp_word(m, 33), 0x00000100);
		assert_int_equal(window_of(m), 4000);
		assert_true(packet_checksums_right(m));
		packet_free(m);
		m = segment(v6);
		shift_to_server(&both, m);
		assert_int_equal(tcp_word(m, SEQ), 0xffffff00);
		assert_int_equal(tcp_word(m, ACKED), 0x22334455 - SHIFT);
		assert_int_equal(tcp_word(m, 23), 50);
		assert_int_equal(tcp_word(m, 27), (uint32_t)(60 - STAMPS));
		assert_int_equal(tcp_word(m, 33), (uint32_t)(0x00000100 - SHIFT));
		assert_int_equal(tcp_word(m, 37), (uint32_t)(0x00000200 - SHIFT));
		assert_int_equal(window_of(m), 1000);
		assert_true(packet_checksums_right(m));
		packet_free(m);
	}
}

static void windows(void **state)
{
	static const struct {
		uint8_t client, server;
		uint16_t to_client, to_server;
	} rows[] = {
		{ TCP_NO_SCALE, TCP_NO_SCALE, 1000, 1000 },
		{ 5, 7, 1000, 1000 },
		{ 5, 0, 7, 1000 },
		{ 5, 14, 65535, 1000 },
		/* the server does not scale: the client was told that it does */
		{ 5, TCP_NO_SCALE, 7, 32000 },
		{ 14, TCP_NO_SCALE, 7, 65535 },
	};

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(rows); i++) {
		struct tcp_shift s = { .client_scale = rows[i].client & 15,
			               .server_scale = rows[i].server & 15 };
		struct rte_mbuf *m = segment(false);

		shift_to_client(&s, m);
		assert_int_equal(window_of(m), rows[i].to_client);
		packet_free(m);
		m = segment(false);
		shift_to_server(&s, m);
		assert_int_equal(window_of(m), rows[i].to_server);
		assert_true(packet_checksums_right(m));
		packet_free(m);
	}
}

/* An ICMP error about a segment, quoted whole or but its first 8 bytes. */
static struct rte_mbuf *error_about(bool v6, bool whole)
{
	struct rte_mbuf *m = segment(v6), *error;
	uint16_t l3 = pkt_of(m)->l3, l4 = pkt_of(m)->l4;
	struct packet_spec spec = { .src = v6 ? "2001:db8::9" : "10.0.0.9",
		                    .dst = v6 ? "2001:db8::1" : "10.0.0.1",
		                    .proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		                    .icmp_type = v6 ? 1 : 3,
		                    .payload = pkt_at(m, l3),
		                    .length = (uint16_t)(whole ? pkt_of(m)->end - l3 : l4 - l3 + 8) };

	error = packet_parsed(&spec);
	packet_free(m);
	return error;
}

static uint32_t quoted(struct rte_mbuf *m, uint16_t offset)
{
	uint32_t word;

	memcpy(&word, pkt_at(m, pkt_of(m)->inner_l4 + offset), sizeof(word));
	return ntohl(word);
}

static void errors_quote_the_other_view(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		bool whole = i & 2;
		struct rte_mbuf *m = error_about(i & 1, whole);

		shift_to_client(&both, m); /* about what the client had sent */
		assert_int_equal(quoted(m, SEQ), 0xffffff00);
		if (whole)
			assert_int_equal(quoted(m, ACKED), 0x22334455 + SHIFT);
		assert_true(pkt_transport_checksum_ok(m));
		packet_free(m);
		m = error_about(i & 1, whole);
		shift_to_server(&both, m);
		assert_int_equal(quoted(m, SEQ), 0xffffff00 - SHIFT);
		if (whole)
			assert_int_equal(quoted(m, ACKED), 0x22334455);
		assert_true(pkt_transport_checksum_ok(m));
		packet_free(m);
	}
	assert_int_equal(packet_live(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cookies_hold_for_a_while),
		cmocka_unit_test(cookies_are_of_one_connection),
		cmocka_unit_test(cookies_name_a_size),
		cmocka_unit_test(segments),
		cmocka_unit_test(windows),
		cmocka_unit_test(errors_quote_the_other_view),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
