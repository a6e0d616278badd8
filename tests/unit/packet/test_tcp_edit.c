/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP headers as a whole: options of any bytes, segments that become others, segments from nothing.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/tcp_edit.h"
#include "support/packets.h"

enum { SYN = RTE_TCP_SYN_FLAG, ACK = RTE_TCP_ACK_FLAG, ROUNDS = 100000 };

/* A segment with these options. */
static struct rte_mbuf *with_options(const uint8_t *options, uint8_t length, bool v6)
{
	struct packet_spec spec = { .src = v6 ? "2001:db8::1" : NULL,
		                    .proto = IPPROTO_TCP,
		                    .tcp_flags = SYN,
		                    .payload = options,
		                    .length = length };
	struct rte_mbuf *m = packet_build(&spec);

	rte_pktmbuf_mtod_offset(m, struct rte_tcp_hdr *, v6 ? 54 : 34)->data_off =
	        (uint8_t)((20 + length) / 4 << 4);
	assert_int_equal(pkt_parse(m, 0), PKT_OK);
	pkt_checksums(m);
	return m;
}

static void usual_options(void **state)
{
	static const uint8_t usual[] = { 2, 4, 5, 180, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 9, 1, 3, 3, 9 };
	static const uint8_t sack[] = { 1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4 };
	struct rte_mbuf *m = with_options(usual, sizeof(usual), false);
	struct tcp_options o;

	(void)state;
	tcp_options_read(m, &o);
	assert_int_equal(o.mss, 1460);
	assert_int_equal(o.scale, 9);
	assert_true(o.sack_permitted);
	assert_int_equal(o.stamp, 28);
	assert_int_equal(tcp_word(m, o.stamp), 0x01020304);
	assert_int_equal(tcp_word(m, o.stamp + 4), 9);
	assert_int_equal(o.sacks, 0);
	packet_free(m);
	m = with_options(sack, sizeof(sack), true);
	tcp_options_read(m, &o);
	assert_int_equal(o.sacks, 2);
	assert_int_equal(tcp_word(m, o.sack), 1);
	assert_int_equal(tcp_word(m, o.sack + 12), 4);
	assert_int_equal(o.scale, TCP_NO_SCALE);
	packet_free(m);
}

/* No option leads beyond the header, whatever its length says; a word anywhere is changed with a right checksum. */
static void any_options(void **state)
{
	static const uint8_t kinds[] = { 0, 1, 2, 3, 4, 5, 8, 30 };
	struct tcp_options o;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		uint8_t bytes[40], length = (uint8_t)(4 * (rand() % 11));
		struct rte_mbuf *m;
		uint16_t end = 20 + length;

		for (unsigned k = 0; k < sizeof(bytes); k++)
			bytes[k] = rand() % 2 ? kinds[rand() % 8] : (uint8_t)(rand() % 44);
		m = with_options(bytes, length, i % 2);
		tcp_options_read(m, &o);
		assert_true(o.stamp == 0 || o.stamp + 8 <= end);
		assert_true(o.sacks == 0 || o.sack + 8 * o.sacks <= end);
		assert_true(o.scale <= 15);
		if (o.stamp)
			tcp_set_word(m, o.stamp, (uint32_t)rand());
		for (unsigned k = 0; k < o.sacks; k++)
			tcp_set_word(m, (uint16_t)(o.sack + 8 * k), (uint32_t)rand());
		tcp_set_window(m, (uint16_t)rand());
		assert_true(pkt_transport_checksum_ok(m));
		packet_free(m);
	}
	assert_int_equal(packet_live(), 0);
}

static void expect_fields(struct rte_mbuf *m, const struct tcp_fields *f)
{
	struct pkt said = *pkt_of(m);
	const struct rte_tcp_hdr *tcp;
	struct tcp_options o;

	pkt_of(m)->flags = 0;
	assert_int_equal(pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM), PKT_OK);
	assert_int_equal(pkt_of(m)->end, said.end);
	assert_int_equal(pkt_of(m)->tcp_flags, said.tcp_flags);
	assert_int_equal(pkt_of(m)->sport, said.sport);
	assert_int_equal(pkt_of(m)->dport, said.dport);
	assert_int_equal(pkt_of(m)->end, rte_pktmbuf_data_len(m));
	assert_true(packet_checksums_right(m));
	tcp = pkt_at(m, said.l4);
	assert_int_equal(tcp_word(m, 4), f->seq);
	assert_int_equal(tcp_word(m, 8), f->ack);
	assert_int_equal(ntohs(tcp->rx_win), f->window);
	assert_int_equal(tcp->tcp_flags, f->flags);
	tcp_options_read(m, &o);
	assert_int_equal(o.mss, f->mss);
	assert_int_equal(o.scale, f->scale);
	assert_int_equal(o.sack_permitted, f->sack_permitted);
	assert_int_equal(o.stamp != 0, f->stamped);
	if (f->stamped) {
		assert_int_equal(tcp_word(m, o.stamp), f->stamp);
		assert_int_equal(tcp_word(m, o.stamp + 4), f->echo);
	}
}

/* Every set of options, over segments of every length, both families. */
static void becomes_another(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 64; i++) {
		struct packet_spec spec = { .src = i & 1 ? "2001:db8::1" : NULL,
			                    .proto = IPPROTO_TCP,
			                    .vlan = { i & 2 ? 7 : 0 },
			                    .pad = i & 2 ? 6 : 0,
			                    .length = (uint16_t)(i * 9) };
		struct tcp_fields f = { .seq = 0xfffffff0 + i,
			                .ack = 77,
			                .stamp = 5,
			                .echo = 6,
			                .window = (uint16_t)i,
			                .mss = i & 4 ? 1400 : 0,
			                .flags = SYN | ACK,
			                .scale = i & 8 ? 7 : TCP_NO_SCALE,
			                .sack_permitted = i & 16,
			                .stamped = i & 32 };
		struct rte_mbuf *m = packet_parsed(&spec);

		assert_true(tcp_editable(m));
		assert_true(tcp_rewrite(m, &f));
		expect_fields(m, &f);
		assert_int_equal(pkt_of(m)->end - pkt_of(m)->l3,
		                 tcp_length(&f, i & 1 ? FAMILY_V6 : FAMILY_V4));
		packet_free(m);
	}
}

static void turns_round(void **state)
{
	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct packet_spec spec = {
			.src = v6 ? "2001:db8::1" : NULL, .proto = IPPROTO_TCP, .ttl = 9, .tos = 9
		};
		struct packet_spec back = { .src = v6 ? "2001:db8::2" : "10.0.0.2",
			                    .dst = v6 ? "2001:db8::1" : "10.0.0.1",
			                    .proto = IPPROTO_TCP,
			                    .df = true,
			                    .sport = 2000,
			                    .dport = 1000,
			                    .smac = (const uint8_t[]){ 2, 0, 0, 0, 0, 2 },
			                    .dmac = (const uint8_t[]){ 2, 0, 0, 0, 0, 1 } };
		struct rte_mbuf *m = packet_parsed(&spec), *expected = packet_parsed(&back);

		tcp_turn(m);
		assert_true(packet_same(m, expected));
		assert_true(pkt_of(m)->flags & PKT_ORIGINATED);
		assert_int_equal(pkt_of(m)->sport, htons(2000));
		packet_free(m);
		packet_free(expected);
	}
}

static void built_from_nothing(void **state)
{
	struct tcp_fields f = {
		.seq = 1, .ack = 2, .window = 3, .flags = ACK, .scale = TCP_NO_SCALE, .stamped = true
	};

	(void)state;
	for (int v6 = 0; v6 < 2; v6++) {
		struct tuple t = { .family = v6 ? FAMILY_V6 : FAMILY_V4,
			           .sport = htons(5),
			           .dport = htons(6),
			           .proto = IPPROTO_TCP };
		struct rte_mbuf *m = packet_new();

		t.src.bytes[0] = t.dst.bytes[0] = 32;
		t.dst.bytes[3] = 1;
		assert_true(tcp_build(m, &t, &f));
		expect_fields(m, &f);
		assert_int_equal(pkt_of(m)->dport, htons(6));
		packet_free(m);
	}
}

static void not_editable(void **state)
{
	static const uint8_t options[] = { 1, 1, 1, 0 };
	struct packet_spec specs[] = {
		{ .proto = IPPROTO_UDP },
		{ .proto = IPPROTO_TCP, .more = true, .length = 36 },
		{ .proto = IPPROTO_TCP, .options = options, .options_length = 4 },
	};

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(specs); i++) {
		struct tcp_fields f = { .flags = ACK, .scale = TCP_NO_SCALE };
		struct rte_mbuf *m = packet_parsed(&specs[i]), *before = packet_clone(m);

		assert_false(tcp_editable(m));
		assert_false(tcp_rewrite(m, &f));
		assert_true(packet_same(m, before));
		packet_free(before);
		packet_free(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(usual_options),      cmocka_unit_test(any_options),
		cmocka_unit_test(becomes_another),    cmocka_unit_test(turns_round),
		cmocka_unit_test(built_from_nothing), cmocka_unit_test(not_editable),
	};

	srand(1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
