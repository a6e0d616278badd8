/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What is sent about packets that cannot go on: ICMP errors, TCP resets, and how often.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/icmp_error.h"
#include "packet/rate.h"
#include "packet/reset.h"
#include "support/packets.h"

static const union ipaddr router6 = { .bytes = { 0x20, 1, 0x0d, 0xb8, [15] = 0xfe } };

static union ipaddr router4(void)
{
	return ip_v4(htonl(0x0a0000fe));
}

/* The error about a packet, NULL: none. */
static struct rte_mbuf *answer(struct rte_mbuf *m, enum icmp_reason reason, uint32_t value)
{
	struct rte_mbuf *error = packet_new();
	union ipaddr v4 = router4();

	if (icmp_error_build(error, m, reason, value, pkt_of(m)->flags & PKT_V4 ? &v4 : &router6))
		return error;
	assert_int_equal(error->data_len, 0);
	packet_free(error);
	return NULL;
}

static void error4(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP, .length = 1000, .vlan = { 5, 6 } };
	struct rte_mbuf *m = packet_parsed(&spec), *error;
	const uint8_t *frame, *from = rte_pktmbuf_mtod(m, uint8_t *);

	(void)state;
	pkt_of(m)->in_port = 3;
	pkt_of(m)->zone = 4;
	error = answer(m, ICMP_TTL_EXCEEDED, 0);
	assert_non_null(error);
	frame = rte_pktmbuf_mtod(error, uint8_t *);
	assert_true(packet_checksums_right(error));
	assert_int_equal(error->data_len, 22 + 576);
	assert_memory_equal(frame, from + 6, 6);
	assert_memory_equal(frame + 6, from, 6);
	assert_memory_equal(frame + 12, from + 12, 10);
	assert_int_equal(pkt_of(error)->flags, PKT_V4 | PKT_VLAN | PKT_ICMP_ERROR | PKT_ORIGINATED);
	assert_int_equal(pkt_of(error)->in_port, 3);
	assert_int_equal(pkt_of(error)->zone, 4);
	assert_int_equal(pkt_of(error)->sport, htons(2000));
	assert_int_equal(pkt_ip4(error)->src_addr, htonl(0x0a0000fe));
	assert_int_equal(pkt_ip4(error)->dst_addr, htonl(0x0a000001));
	assert_int_equal(pkt_of(error)->icmp_type, 11);
	assert_memory_equal(frame + 22 + 28, from + 22, 576 - 28);
	packet_free(error);
	packet_free(m);
}

static void error6(void **state)
{
	struct packet_spec spec = { .src = "2001:db8::1", .length = 1400 };
	struct rte_mbuf *m = packet_parsed(&spec), *error;
	const uint8_t *icmp;

	(void)state;
	packet_split(m, 300);
	error = answer(m, ICMP_TOO_BIG, 1400);
	assert_non_null(error);
	assert_true(packet_checksums_right(error));
	assert_int_equal(error->data_len, 14 + 1280);
	icmp = pkt_at(error, pkt_of(error)->l4);
	assert_int_equal(icmp[0], 2);
	assert_int_equal(icmp[6] << 8 | icmp[7], 1400);
	assert_int_equal(pkt_of(error)->flags, PKT_V6 | PKT_ICMP_ERROR | PKT_ORIGINATED);
	assert_memory_equal(icmp + 8, pkt_at(m, 14), 300 - 14);
	assert_memory_equal(icmp + 8 + 286, rte_pktmbuf_mtod(m->next, void *), 1280 - 48 - 286);
	packet_free(error);
	packet_free(m);
}

static void types_codes_and_values(void **state)
{
	static const struct {
		enum icmp_reason reason;
		uint32_t value;
		uint8_t head4[8], head6[8];
	} rows[] = {
		{ ICMP_TTL_EXCEEDED, 0, { 11, 0 }, { 3, 0 } },
		{ ICMP_REASSEMBLY_TIMEOUT, 0, { 11, 1 }, { 3, 1 } },
		{ ICMP_NO_ROUTE, 0, { 3, 0 }, { 1, 0 } },
		{ ICMP_HOST_UNREACHABLE, 0, { 3, 1 }, { 1, 3 } },
		{ ICMP_PROTOCOL_UNREACHABLE, 6, { 3, 2 }, { 4, 1, [7] = 6 } },
		{ ICMP_PORT_UNREACHABLE, 0, { 3, 3 }, { 1, 4 } },
		{ ICMP_ADMIN_PROHIBITED, 0, { 3, 13 }, { 1, 1 } },
		{ ICMP_TOO_BIG, 1300, { 3, 4, [6] = 5, [7] = 20 }, { 2, 0, [6] = 5, [7] = 20 } },
		{ ICMP_PARAMETER_PROBLEM, 8, { 12, 0, [4] = 8 }, { 4, 0, [7] = 8 } },
	};
	struct packet_spec specs[] = { { .length = 30 }, { .src = "2001:db8::1", .length = 30 } };

	(void)state;
	assert_int_equal(RTE_DIM(rows), ICMP_REASONS);
	for (unsigned i = 0; i < 2 * RTE_DIM(rows); i++) {
		struct rte_mbuf *m = packet_parsed(&specs[i % 2]);
		struct rte_mbuf *error = answer(m, rows[i / 2].reason, rows[i / 2].value);
		uint8_t *icmp = pkt_at(error, pkt_of(error)->l4);

		assert_true(packet_checksums_right(error));
		icmp[2] = icmp[3] = 0;
		assert_memory_equal(icmp, i % 2 ? rows[i / 2].head6 : rows[i / 2].head4, 8);
		packet_free(error);
		packet_free(m);
	}
}

static void assert_none_due(const struct packet_spec *spec)
{
	struct rte_mbuf *m = packet_parsed(spec);

	assert_false(icmp_error_due(m));
	assert_null(answer(m, ICMP_TTL_EXCEEDED, 0));
	packet_free(m);
}

static void no_error_about(void **state)
{
	static const uint8_t group[6] = { 1, 0, 0x5e, 0, 0, 1 }, all[6] = { 255, 255, 255, 255, 255, 255 };

	(void)state;
	assert_none_due(&(struct packet_spec){ .dst = "224.0.0.5" });
	assert_none_due(&(struct packet_spec){ .dst = "255.255.255.255" });
	assert_none_due(&(struct packet_spec){ .src = "0.0.0.0", .dst = "255.255.255.255" });
	assert_none_due(&(struct packet_spec){ .src = "240.0.0.1" });
	assert_none_due(&(struct packet_spec){ .dmac = group });
	assert_none_due(&(struct packet_spec){ .dmac = all });
	assert_none_due(&(struct packet_spec){ .offset = 64, .length = 8 });
	assert_none_due(&(struct packet_spec){ .src = "2001:db8::1", .dst = "ff02::1" });
	assert_none_due(&(struct packet_spec){ .src = "::", .dst = "ff02::1" });
	assert_none_due(&(struct packet_spec){ .src = "2001:db8::1", .proto = 58, .icmp_type = 137 });
	assert_none_due(&(struct packet_spec){ .src = "2001:db8::1", .proto = 58, .icmp_type = 100 });
}

static void no_error_about_errors(void **state)
{
	struct packet_spec specs[] = { { .length = 30 }, { .src = "2001:db8::1", .length = 30 } };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct rte_mbuf *m = packet_parsed(&specs[i]);
		struct rte_mbuf *error = answer(m, ICMP_NO_ROUTE, 0);

		assert_false(icmp_error_due(error));
		assert_null(answer(error, ICMP_NO_ROUTE, 0));
		packet_free(error);
		packet_free(m);
	}
}

static void too_little_room(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP, .length = 100 };
	struct rte_mbuf *m = packet_parsed(&spec), *small = packet_new_room(60 - 8);
	union ipaddr source = router4();

	(void)state;
	assert_false(icmp_error_build(small, m, ICMP_NO_ROUTE, 0, &source));
	assert_false(reset_build(small, m));
	assert_int_equal(small->pkt_len, 0);
	packet_free(small);
	packet_free(m);
}

static struct rte_mbuf *reset_of(const struct packet_spec *spec)
{
	struct rte_mbuf *m = packet_parsed(spec), *reset = packet_new();
	bool built = reset_build(reset, m);

	packet_free(m);
	if (built)
		return reset;
	assert_int_equal(reset->data_len, 0);
	packet_free(reset);
	return NULL;
}

static void assert_reset(const struct packet_spec *spec, uint8_t flags, uint32_t seq, uint32_t ack)
{
	struct rte_mbuf *reset = reset_of(spec);
	const struct rte_tcp_hdr *tcp;

	assert_non_null(reset);
	assert_true(packet_checksums_right(reset));
	assert_true(pkt_of(reset)->flags & PKT_ORIGINATED);
	tcp = pkt_at(reset, pkt_of(reset)->l4);
	assert_int_equal(tcp->tcp_flags, flags);
	assert_int_equal(ntohl(tcp->sent_seq), seq);
	assert_int_equal(ntohl(tcp->recv_ack), ack);
	assert_int_equal(tcp->src_port, htons(2000));
	assert_int_equal(tcp->dst_port, htons(1000));
	if (!spec->src) {
		assert_int_equal(pkt_ip4(reset)->src_addr, htonl(0x0a000002));
		assert_int_equal(pkt_ip4(reset)->dst_addr, htonl(0x0a000001));
	}
	packet_free(reset);
}

static void resets(void **state)
{
	const uint8_t fin = 1, syn = 2, rst = 4, ack = 16;
	struct packet_spec spec = { .proto = IPPROTO_TCP, .seq = UINT32_MAX, .ack = 900 };

	(void)state;
	spec.tcp_flags = syn;
	assert_reset(&spec, rst | ack, 0, 0);
	spec.length = 10;
	assert_reset(&spec, rst | ack, 0, 10);
	spec.tcp_flags = ack | fin;
	assert_reset(&spec, rst, 900, 0);
	spec.tcp_flags = syn | ack;
	spec.src = "2001:db8::1";
	spec.vlan[0] = 7;
	assert_reset(&spec, rst, 900, 0);
}

static void no_reset(void **state)
{
	(void)state;
	assert_null(reset_of(&(struct packet_spec){ .proto = IPPROTO_TCP, .tcp_flags = 4 }));
	assert_null(reset_of(&(struct packet_spec){ .proto = IPPROTO_TCP, .tcp_flags = 20 }));
	assert_null(reset_of(&(struct packet_spec){ .proto = IPPROTO_UDP }));
	assert_null(reset_of(&(struct packet_spec){ .proto = IPPROTO_TCP, .dst = "224.0.0.1" }));
	assert_null(reset_of(&(struct packet_spec){ .proto = IPPROTO_TCP, .more = true, .length = 12 }));
	assert_null(reset_of(&(struct packet_spec){ .proto = IPPROTO_TCP, .offset = 64, .length = 12 }));
}

static unsigned taken(struct token_bucket *b, uint64_t now, unsigned tries)
{
	unsigned n = 0;

	while (tries--)
		n += token_bucket_take(b, now);
	return n;
}

static void rates(void **state)
{
	const uint64_t second = 1000000000, start = 77 * second;
	struct token_bucket b, unlimited = { 0 };
	unsigned n = 0;

	(void)state;
	token_bucket_init(&b, 100, 10);
	assert_int_equal(taken(&b, start, 50), 10);
	assert_int_equal(taken(&b, start + second / 100 - 1, 50), 0);
	assert_int_equal(taken(&b, start + second / 100, 50), 1);
	assert_int_equal(taken(&b, start + second, 50), 10);
	for (uint64_t now = start + 2 * second; now < start + 12 * second; now += 1000000)
		n += token_bucket_take(&b, now);
	assert_in_range(n, 1000, 1010);
	token_bucket_init(&b, 0, 10);
	assert_int_equal(taken(&b, start, 5), 0);
	token_bucket_init(&b, 1, UINT64_MAX);
	assert_int_equal(taken(&b, start, 500), 500);
	token_bucket_init(&b, 5000000000, 0);
	assert_int_equal(taken(&b, start, 5), 1);
	assert_int_equal(taken(&unlimited, start, 5), 5);
}

static int nothing_left(void **state)
{
	(void)state;
	return packet_live() != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error4),
		cmocka_unit_test(error6),
		cmocka_unit_test(types_codes_and_values),
		cmocka_unit_test(no_error_about),
		cmocka_unit_test(no_error_about_errors),
		cmocka_unit_test(too_little_room),
		cmocka_unit_test(resets),
		cmocka_unit_test(no_reset),
		cmocka_unit_test(rates),
	};

	return cmocka_run_group_tests(tests, NULL, nothing_left);
}
