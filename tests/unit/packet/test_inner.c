/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rewrites of what ICMP errors quote. The quoted packet is built twice, once as it was and once as it should
 * become, and the error about the one, rewritten, must be the error about the other, byte for byte; cut short
 * at every length.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "support/packets.h"

enum { WORD_NONE = 0 };

/* An error of `type` that quotes the first `quote` bytes of a packet and has `tail` bytes of zeros behind. It is parsed as one to the quoted
 * packet's source, which a parser demands, and has a destination that does not change with it. */
static struct rte_mbuf *error_of(const struct packet_spec *inner, uint8_t type, uint16_t quote, uint16_t tail,
                                 uint16_t word)
{
	struct rte_mbuf *quoted = packet_build(inner), *well, *m;
	bool v6 = strchr(inner->src, ':');
	uint8_t payload[512] = { 0 };
	struct packet_spec spec = {
		.src = v6 ? "2001:db8::99" : "10.9.9.9",
		.dst = inner->src,
		.proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		.icmp_type = type,
		.icmp_id = word,
		.payload = payload,
		.length = quote + tail,
	};

	memcpy(payload, rte_pktmbuf_mtod_offset(quoted, void *, 14), quote);
	well = packet_parsed(&spec);
	spec.dst = v6 ? "2001:db8::50" : "10.9.9.8";
	m = packet_build(&spec);
	memcpy(pkt_of(m), pkt_of(well), PKT_PRIVATE_SIZE);
	packet_free(well);
	packet_free(quoted);
	return m;
}

static uint16_t whole(const struct packet_spec *inner)
{
	struct rte_mbuf *m = packet_build(inner);
	uint16_t length = m->data_len - 14;

	packet_free(m);
	return length;
}

static void address_of(const char *text, uint8_t bytes[16])
{
	assert_int_equal(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, bytes), 1);
}

static void rewrite(struct rte_mbuf *m, const char *text, bool destination, uint16_t port)
{
	uint8_t bytes[16];
	uint32_t v4;

	address_of(text, bytes);
	memcpy(&v4, bytes, sizeof(v4));
	if (pkt_of(m)->flags & PKT_V4 && destination)
		pkt_inner_set_dst4(m, v4, htons(port));
	else if (pkt_of(m)->flags & PKT_V4)
		pkt_inner_set_src4(m, v4, htons(port));
	else if (destination)
		pkt_inner_set_dst6(m, bytes, htons(port));
	else
		pkt_inner_set_src6(m, bytes, htons(port));
}

/* `to` differs from `from` in the destination or the source, address and port. */
static void assert_becomes(const struct packet_spec *from, const struct packet_spec *to, bool destination,
                           uint8_t type, uint16_t quote, uint16_t tail, uint16_t word)
{
	struct rte_mbuf *a = error_of(from, type, quote, tail, word);
	struct rte_mbuf *b = error_of(to, type, quote, tail, word);
	uint16_t port = to->icmp_id ? to->icmp_id : destination ? to->dport : to->sport;

	rewrite(a, destination ? to->dst : to->src, destination, port);
	assert_true(packet_same(a, b));
	assert_true(packet_checksums_right(a));
	assert_memory_equal(pkt_of(a), pkt_of(b), PKT_PRIVATE_SIZE);
	packet_free(a);
	packet_free(b);
}

/* Half a checksum, which nobody can check, stays as it was: then only the outer one is looked at. */
static void assert_outer_right(const struct packet_spec *from, const struct packet_spec *to, bool destination,
                               uint8_t type, uint16_t quote)
{
	struct rte_mbuf *m = error_of(from, type, quote, 0, WORD_NONE);

	rewrite(m, destination ? to->dst : to->src, destination, 99);
	assert_true(packet_checksums_right(m));
	packet_free(m);
}

/* Length up to which half of a TCP checksum is quoted; of other protocols, all of it is always there. */
static uint16_t half_checksum(const struct packet_spec *spec)
{
	if (spec->proto != IPPROTO_TCP)
		return 0;
	return (strchr(spec->src, ':') ? 40 : 20) + offsetof(struct rte_tcp_hdr, cksum) + 1;
}

static void at_every_length(const struct packet_spec *from, const struct packet_spec *to, bool destination,
                            uint8_t type, uint16_t least)
{
	for (uint16_t quote = least; quote <= whole(from); quote++)
		if (quote == half_checksum(from))
			assert_outer_right(from, to, destination, type, quote);
		else
			assert_becomes(from, to, destination, type, quote, 0, WORD_NONE);
}

static void ports4(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(protos); i++) {
		struct packet_spec from = { .src = "10.0.0.1", .dst = "10.0.0.2", .proto = protos[i] };
		struct packet_spec to;

		from.length = 21;
		from.sport = 1000;
		from.dport = 2000;
		to = from;
		to.src = "192.0.2.77";
		to.sport = 40000;
		at_every_length(&from, &to, false, 3, 28);
		to = from;
		to.dst = "198.51.100.3";
		to.dport = 80;
		at_every_length(&from, &to, true, 11, 28);
	}
}

static void ports6(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP };

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(protos); i++) {
		struct packet_spec from = { .src = "2001:db8::1", .dst = "2001:db8::2", .proto = protos[i] };
		struct packet_spec to;

		from.length = 21;
		from.sport = 1000;
		from.dport = 2000;
		to = from;
		to.src = "2001:db8:ffff:1::17";
		to.sport = 40000;
		at_every_length(&from, &to, false, 1, 48);
		to = from;
		to.dst = "fd00:1234::9";
		to.dport = 80;
		at_every_length(&from, &to, true, 2, 48);
	}
}

static void identifiers(void **state)
{
	struct packet_spec from = { .src = "10.0.0.1", .dst = "10.0.0.2", .proto = 1, .icmp_type = 8 };
	struct packet_spec to;

	(void)state;
	from.icmp_id = 7;
	from.length = 9;
	to = from;
	to.src = "192.0.2.77";
	to.icmp_id = 40000;
	at_every_length(&from, &to, false, 11, 28);
	from.src = "2001:db8::1";
	from.dst = "2001:db8::2";
	from.proto = IPPROTO_ICMPV6;
	from.icmp_type = 128;
	to = from;
	to.src = "2001:db8::77";
	to.icmp_id = 40000;
	at_every_length(&from, &to, false, 3, 48);
}

static void other_protocols_and_later_fragments(void **state)
{
	struct packet_spec from = { .src = "10.0.0.1", .dst = "10.0.0.2", .proto = 47, .length = 16 }, to;

	(void)state;
	to = from;
	to.src = "192.0.2.77";
	at_every_length(&from, &to, false, 3, 28);
	from.proto = IPPROTO_UDP;
	from.offset = 64;
	to = from;
	to.dst = "192.0.2.77";
	at_every_length(&from, &to, true, 3, 28);
}

static void udp_without_checksum(void **state)
{
	struct packet_spec from = { .src = "10.0.0.1", .dst = "10.0.0.2", .no_checksum = true }, to;

	(void)state;
	from.sport = 5;
	from.length = 8;
	to = from;
	to.src = "192.0.2.77";
	to.sport = 6;
	at_every_length(&from, &to, false, 3, 28);
}

/* A checksum that becomes 0xffff instead of 0, seen from outside. */
static void udp_full_range(void **state)
{
	struct packet_spec from = { .src = "10.0.0.1", .dst = "10.0.0.2", .sport = 1, .length = 2 }, to;

	(void)state;
	to = from;
	for (uint32_t port = 1; port < 65536; port += 1) {
		to.sport = (uint16_t)port;
		assert_becomes(&from, &to, false, 3, 28, 0, WORD_NONE);
	}
}

/* RFC 4884: the quotation is padded and something follows. A TCP header that was cut before its checksum has
 * padding there, and keeps it. */
static void padding_is_left_alone(void **state)
{
	struct packet_spec from = { .src = "10.0.0.1", .dst = "10.0.0.2", .proto = IPPROTO_TCP }, to;
	struct rte_mbuf *m;
	const uint8_t *sum;

	(void)state;
	from.sport = 1;
	to = from;
	to.src = "192.0.2.77";
	to.sport = 2;
	assert_becomes(&from, &to, false, 11, 40, 88 + 12, 32);
	m = error_of(&from, 11, 28, 100, 7);
	rewrite(m, "192.0.2.77", false, 2);
	sum = pkt_at(m, pkt_of(m)->inner_l4 + 16);
	assert_int_equal(sum[0] | sum[1], 0);
	assert_true(packet_checksums_right(m));
	packet_free(m);
}

/* The outer address of an error is a matter of its own. */
static void outer_address_alone(void **state)
{
	struct packet_spec inner[] = { { .src = "10.0.0.1", .proto = IPPROTO_TCP, .length = 20 },
		                       { .src = "2001:db8::1", .proto = IPPROTO_TCP, .length = 20 } };
	static const uint8_t other[16] = { 0x20, 1, 0x0d, 0xb8, [15] = 0x42 };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct rte_mbuf *m = error_of(&inner[i], i ? 1 : 3, whole(&inner[i]), 0, WORD_NONE);
		struct rte_mbuf *before = packet_clone(m);

		if (i == 0) {
			pkt_set_src4(m, htonl(0xc0000201));
			pkt_set_dst4(m, htonl(0xc0000202));
		} else {
			pkt_set_src6(m, other);
			pkt_set_dst6(m, other);
		}
		pkt_set_sport(m, htons(99));
		pkt_set_dport(m, htons(98));
		assert_true(packet_checksums_right(m));
		assert_memory_equal(pkt_of(m), pkt_of(before), PKT_PRIVATE_SIZE);
		assert_memory_equal(pkt_at(m, pkt_of(m)->inner_l3), pkt_at(before, pkt_of(m)->inner_l3), 40);
		packet_free(m);
		packet_free(before);
	}
}

static int nothing_left(void **state)
{
	(void)state;
	return packet_live() != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports4),
		cmocka_unit_test(ports6),
		cmocka_unit_test(identifiers),
		cmocka_unit_test(other_protocols_and_later_fragments),
		cmocka_unit_test(udp_without_checksum),
		cmocka_unit_test(udp_full_range),
		cmocka_unit_test(padding_is_left_alone),
		cmocka_unit_test(outer_address_alone),
	};

	return cmocka_run_group_tests(tests, NULL, nothing_left);
}
