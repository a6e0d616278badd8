/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rewrites of random packets: afterwards the checksums are those that plain code computes anew, and struct
 * pkt is what parsing the result gives.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/rewrite.h"
#include "support/packets.h"

#include "helper_random.h"

enum { ROUNDS = 20000 };

static uint32_t unicast4(uint64_t *seed)
{
	return htonl((1 + random_below(seed, 120)) << 24 | (random_next(seed) & 0xffffff));
}

static void unicast6(uint64_t *seed, uint8_t address[16])
{
	for (unsigned i = 0; i < 16; i++)
		address[i] = (uint8_t)random_next(seed);
	address[0] = 0x20;
}

static uint16_t port(uint64_t *seed)
{
	return htons((uint16_t)(1 + random_below(seed, 65535)));
}

static struct rte_mbuf *random_packet(uint64_t *seed, bool v6)
{
	static const uint8_t options4[4] = { 1, 1, 1, 0 };
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_UDP, 0, 47 };
	uint8_t payload[64];
	struct packet_spec spec = {
		.src = v6 ? "2001:db8::1" : "10.0.0.1",
		.proto = protos[random_below(seed, 5)],
		.icmp_type = v6 ? 128 : 8,
		.icmp_id = (uint16_t)random_next(seed),
		.no_checksum = !v6 && random_below(seed, 4) == 0,
		.payload = payload,
		.length = (uint16_t)random_below(seed, 64),
		.vlan = { (uint16_t)random_below(seed, 2) },
	};

	if (spec.proto == 0)
		spec.proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	if (!v6 && random_below(seed, 4) == 0) {
		spec.options = options4;
		spec.options_length = 4;
	}
	for (unsigned i = 0; i < sizeof(payload); i++)
		payload[i] = (uint8_t)random_next(seed);
	return packet_parsed(&spec);
}

/* The frame's checksums are right, and the very values that computing anew gives; struct pkt is what parsing
 * finds. */
static void assert_true_to_itself(struct rte_mbuf *m)
{
	struct rte_mbuf *anew = packet_clone(m);
	uint8_t before[PKT_PRIVATE_SIZE];

	assert_true(packet_checksums_right(m));
	memcpy(before, pkt_of(m), sizeof(before));
	assert_int_equal(pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM), PKT_OK);
	assert_memory_equal(before, pkt_of(m), sizeof(before));
	assert_true(pkt_transport_checksum_ok(m));
	if (pkt_own_proto(pkt_of(m)) != IPPROTO_UDP ||
	    ((struct rte_udp_hdr *)pkt_at(m, pkt_of(m)->l4))->dgram_cksum != 0)
		pkt_checksums(anew);
	assert_true(packet_same(m, anew));
	packet_free(anew);
}

static void general4(void **state)
{
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct rte_mbuf *m = random_packet(&seed, false);

		pkt_set_src4(m, unicast4(&seed));
		pkt_set_sport(m, port(&seed));
		assert_true_to_itself(m);
		pkt_set_dst4(m, unicast4(&seed));
		pkt_set_dport(m, port(&seed));
		pkt_decrement_ttl(m);
		assert_int_equal(pkt_ttl(m), 63);
		assert_true_to_itself(m);
		packet_free(m);
	}
}

static void general6(void **state)
{
	uint64_t seed = 2;
	uint8_t address[16];

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct rte_mbuf *m = random_packet(&seed, true);

		unicast6(&seed, address);
		pkt_set_src6(m, address);
		pkt_set_sport(m, port(&seed));
		assert_true_to_itself(m);
		unicast6(&seed, address);
		pkt_set_dst6(m, address);
		pkt_set_dport(m, port(&seed));
		pkt_decrement_ttl(m);
		assert_int_equal(pkt_ttl(m), 63);
		assert_true_to_itself(m);
		packet_free(m);
	}
}

static void prepared_equals_general(void **state)
{
	uint64_t seed = 3;

	(void)state;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct rte_mbuf *a = random_packet(&seed, false), *b = packet_clone(a);
		struct edit4 src, dst;

		edit4_prepare(&src, pkt_ip4(a)->src_addr, pkt_of(a)->sport, unicast4(&seed), port(&seed));
		edit4_prepare(&dst, pkt_ip4(a)->dst_addr, pkt_of(a)->dport, unicast4(&seed), port(&seed));
		pkt_apply_src4(a, &src);
		pkt_set_src4(b, src.address);
		pkt_set_sport(b, src.port);
		assert_true(packet_same(a, b));
		assert_true_to_itself(a);
		pkt_apply_dst4(a, &dst);
		pkt_set_dst4(b, dst.address);
		pkt_set_dport(b, dst.port);
		assert_true(packet_same(a, b));
		assert_true_to_itself(a);
		packet_free(a);
		packet_free(b);
	}
}

/* Every value that one of the two ports can have, so that a computed 0 is among them. */
static void udp_checksum_never_becomes_none(void **state)
{
	struct packet_spec spec = { .length = 2 };
	struct rte_mbuf *m = packet_parsed(&spec);
	struct rte_udp_hdr *udp = pkt_at(m, pkt_of(m)->l4);
	unsigned full = 0;

	(void)state;
	for (uint32_t value = 1; value < 65536; value++) {
		struct edit4 e;

		edit4_prepare(&e, pkt_ip4(m)->src_addr, pkt_of(m)->sport, pkt_ip4(m)->src_addr,
		              htons((uint16_t)value));
		if (value % 2)
			pkt_apply_src4(m, &e);
		else
			pkt_set_sport(m, e.port);
		assert_int_not_equal(udp->dgram_cksum, 0);
		assert_true(packet_checksums_right(m));
		full += udp->dgram_cksum == 0xffff;
	}
	assert_int_equal(full, 1);
	packet_free(m);
}

static void udp_without_checksum_stays_so(void **state)
{
	struct packet_spec spec = { .length = 20, .no_checksum = true };
	struct rte_mbuf *m = packet_parsed(&spec);
	struct rte_udp_hdr *udp = pkt_at(m, pkt_of(m)->l4);
	struct edit4 e;

	(void)state;
	edit4_prepare(&e, pkt_ip4(m)->src_addr, pkt_of(m)->sport, htonl(0xc0000201), htons(9));
	pkt_apply_src4(m, &e);
	pkt_set_dst4(m, htonl(0xc0000202));
	pkt_set_dport(m, htons(10));
	assert_int_equal(udp->dgram_cksum, 0);
	assert_int_equal(udp->src_port, htons(9));
	assert_int_equal(udp->dst_port, htons(10));
	packet_free(m);
}

static void later_fragment_keeps_its_bytes(void **state)
{
	struct packet_spec spec = { .proto = IPPROTO_TCP, .offset = 64, .length = 40 };
	struct rte_mbuf *m = packet_parsed(&spec), *before;
	struct edit4 e;

	(void)state;
	pkt_of(m)->sport = htons(1000);
	before = packet_clone(m);
	edit4_prepare(&e, pkt_ip4(m)->src_addr, htons(1000), htonl(0xc0000201), htons(9));
	pkt_apply_src4(m, &e);
	pkt_set_dport(m, htons(8));
	assert_int_equal(pkt_of(m)->sport, htons(9));
	assert_int_equal(pkt_of(m)->dport, htons(8));
	assert_int_equal(pkt_ip4(m)->src_addr, htonl(0xc0000201));
	assert_memory_equal(pkt_at(m, 34), pkt_at(before, 34), 40);
	assert_true(packet_checksums_right(m));
	packet_free(m);
	packet_free(before);
}

static void multicast_follows_the_destination(void **state)
{
	struct packet_spec spec = { .dst = "224.0.0.9" };
	struct rte_mbuf *m = packet_parsed(&spec);

	(void)state;
	pkt_set_dst4(m, htonl(0x0a000001));
	assert_int_equal(pkt_of(m)->flags, PKT_V4);
	pkt_set_dst4(m, htonl(0xffffffff));
	assert_int_equal(pkt_of(m)->flags, PKT_V4 | PKT_MULTICAST);
	packet_free(m);
}

static void wrong_checksums_are_seen(void **state)
{
	static const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP };

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(protos); i++) {
		struct packet_spec spec = { .proto = protos[i], .icmp_type = 8, .length = 33 };
		struct rte_mbuf *m = packet_parsed(&spec);
		uint16_t end = pkt_of(m)->end;

		packet_split(m, end - 7);
		assert_true(pkt_transport_checksum_ok(m));
		rte_pktmbuf_mtod(m->next, uint8_t *)[2] ^= 4;
		assert_false(pkt_transport_checksum_ok(m));
		packet_free(m);
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
		cmocka_unit_test(general4),
		cmocka_unit_test(general6),
		cmocka_unit_test(prepared_equals_general),
		cmocka_unit_test(udp_checksum_never_becomes_none),
		cmocka_unit_test(udp_without_checksum_stays_so),
		cmocka_unit_test(later_fragment_keeps_its_bytes),
		cmocka_unit_test(multicast_follows_the_destination),
		cmocka_unit_test(wrong_checksums_are_seen),
	};

	return cmocka_run_group_tests(tests, NULL, nothing_left);
}
