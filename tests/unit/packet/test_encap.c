/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that are put into tunnels, against headers that scapy made; and what struct pkt says of them afterwards.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/encap.h"
#include "support/packets.h"

enum { HASH = 0x12345678 };

/* Outer headers of a UDP packet with 20 bytes, TOS 0xb9, identification 0x1234. */
static const struct vector {
	enum encap_kind kind;
	bool over6, inner6, df;
	const char *header;
} vectors[] = {
	{ ENCAP_IPIP, false, false, false, "45b900445e70000040049789c0000201c0000202" },
	{ ENCAP_IPIP, false, false, true, "45b90044000040004004b5f9c0000201c0000202" },
	{ ENCAP_IPIP, false, true, false, "45b90058000040004029b5c0c0000201c0000202" },
	{ ENCAP_IPIP, true, false, false,
	  "6b9456780030044020010db800090000000000000000000120010db800090000"
	  "0000000000000002" },
	{ ENCAP_IPIP, true, false, true,
	  "6b9456780030044020010db800090000000000000000000120010db800090000"
	  "0000000000000002" },
	{ ENCAP_IPIP, true, true, false,
	  "6b9456780044294020010db800090000000000000000000120010db800090000"
	  "0000000000000002" },
	{ ENCAP_GRE, false, false, false, "45b900485e700000402f975ac0000201c000020200000800" },
	{ ENCAP_GRE, false, false, true, "45b9004800004000402fb5cac0000201c000020200000800" },
	{ ENCAP_GRE, false, true, false, "45b9005c00004000402fb5b6c0000201c0000202000086dd" },
	{ ENCAP_GRE, true, false, false,
	  "6b94567800342f4020010db800090000000000000000000120010db800090000"
	  "000000000000000200000800" },
	{ ENCAP_GRE, true, false, true,
	  "6b94567800342f4020010db800090000000000000000000120010db800090000"
	  "000000000000000200000800" },
	{ ENCAP_GRE, true, true, false,
	  "6b94567800482f4020010db800090000000000000000000120010db800090000"
	  "0000000000000002000086dd" },
	{ ENCAP_GUE, false, false, false,
	  "45b900505e70000040119770c0000201c0000202c44c17c0003c000000040000" },
	{ ENCAP_GUE, false, false, true, "45b90050000040004011b5e0c0000201c0000202c44c17c0003c000000040000" },
	{ ENCAP_GUE, false, true, false, "45b90064000040004011b5ccc0000201c0000202c44c17c00050000000290000" },
	{ ENCAP_GUE, true, false, false,
	  "6b945678003c114020010db800090000000000000000000120010db800090000"
	  "0000000000000002c44c17c0003cdc0e00040000" },
	{ ENCAP_GUE, true, false, true,
	  "6b945678003c114020010db800090000000000000000000120010db800090000"
	  "0000000000000002c44c17c0003cdc0e00040000" },
	{ ENCAP_GUE, true, true, false,
	  "6b9456780050114020010db800090000000000000000000120010db800090000"
	  "0000000000000002c44c17c000504ad300290000" },
};

static struct encap tunnel(enum encap_kind kind, bool over6)
{
	struct encap e = { .kind = (uint8_t)kind,
		           .family = over6 ? FAMILY_V6 : FAMILY_V4,
		           .port = htons(ENCAP_GUE_PORT) };

	if (over6) {
		inet_pton(AF_INET6, "2001:db8:9::1", e.source.bytes);
		inet_pton(AF_INET6, "2001:db8:9::2", e.destination.bytes);
	} else {
		e.source = ip_v4(inet_addr("192.0.2.1"));
		e.destination = ip_v4(inet_addr("192.0.2.2"));
	}
	return e;
}

static struct rte_mbuf *inner(const struct vector *v, uint16_t vlan)
{
	struct packet_spec spec = { .src = v->inner6 ? "2001:db8::1" : "10.0.0.1",
		                    .dst = v->inner6 ? "2001:db8::2" : "10.0.0.2",
		                    .tos = 0xb9,
		                    .id = 0x1234,
		                    .df = v->df,
		                    .vlan = { vlan },
		                    .length = 20 };

	return packet_parsed(&spec);
}

static void assert_hex(const char *hex, const uint8_t *bytes, uint16_t length)
{
	for (uint16_t i = 0; i < length; i++) {
		unsigned byte;

		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		assert_int_equal(bytes[i], byte);
	}
}

/* Parsing the frame anew says the same of it. */
static void assert_true_of_itself(struct rte_mbuf *m)
{
	struct pkt said = *pkt_of(m);
	const struct pkt *p = pkt_of(m);

	pkt_of(m)->flags = 0;
	assert_int_equal(pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM), PKT_OK);
	assert_int_equal(p->flags, said.flags);
	assert_int_equal(p->l3, said.l3);
	assert_int_equal(p->l4, said.l4);
	assert_int_equal(p->end, said.end);
	assert_int_equal(p->proto, said.proto);
	assert_int_equal(p->sport, said.sport);
	assert_int_equal(p->dport, said.dport);
}

static void one_vector(const struct vector *v, uint16_t vlan)
{
	struct encap e = tunnel(v->kind, v->over6);
	struct rte_mbuf *m = inner(v, vlan), *before = packet_clone(m);
	uint16_t more = encap_overhead(&e), l3 = pkt_of(m)->l3;
	uint16_t length = pkt_of(m)->end - l3;

	pkt_decrement_ttl(before);
	pkt_of(m)->in_port = 7;
	assert_int_equal(strlen(v->header), 2 * more);
	assert_true(encap_push(m, &e, HASH));
	assert_int_equal(rte_pktmbuf_data_len(m), l3 + more + length);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), rte_pktmbuf_mtod(before, uint8_t *), l3 - 2);
	assert_hex(v->header, pkt_at(m, l3), more);
	assert_memory_equal(pkt_at(m, l3 + more), pkt_at(before, l3), length);
	assert_true(packet_checksums_right(m));
	assert_true_of_itself(m);
	assert_int_equal(pkt_of(m)->in_port, 7);
	packet_free(before);
	packet_free(m);
}

static void as_scapy_makes_them(void **state)
{
	(void)state;
	for (unsigned i = 0; i < RTE_DIM(vectors); i++) {
		one_vector(&vectors[i], 0);
		one_vector(&vectors[i], 5);
	}
	assert_int_equal(packet_live(), 0);
}

static void outer_fragments_by_choice(void **state)
{
	struct encap e = tunnel(ENCAP_IPIP, false);
	struct rte_mbuf *m = inner(&(struct vector){ .df = true }, 0);

	(void)state;
	e.may_fragment = true;
	assert_true(encap_push(m, &e, HASH));
	assert_int_equal(pkt_ip4(m)->fragment_offset, 0);
	assert_int_not_equal(pkt_ip4(m)->packet_id, 0);
	packet_free(m);
}

static void packets_of_a_flow_share_a_port(void **state)
{
	struct encap e = tunnel(ENCAP_GUE, false);
	uint16_t port[3];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		struct rte_mbuf *m = inner(&(struct vector){ .df = true }, 0);

		assert_true(encap_push(m, &e, i < 2 ? HASH : HASH + 1));
		port[i] = pkt_of(m)->sport;
		assert_true(ntohs(port[i]) >= 49152);
		packet_free(m);
	}
	assert_int_equal(port[0], port[1]);
	assert_int_not_equal(port[0], port[2]);
}

static void fragments_and_errors_are_packets_like_others(void **state)
{
	struct packet_spec later = { .proto = IPPROTO_UDP, .offset = 800, .more = true, .length = 80 };
	struct encap e = tunnel(ENCAP_GRE, true);
	struct rte_mbuf *m = packet_parsed(&later);

	(void)state;
	assert_true(pkt_of(m)->flags & PKT_LATER);
	assert_true(encap_push(m, &e, HASH));
	assert_int_equal(pkt_of(m)->flags, PKT_V6);
	assert_true_of_itself(m);
	packet_free(m);
}

static void no_room_changes_nothing(void **state)
{
	struct encap e = tunnel(ENCAP_GUE, true);
	struct rte_mbuf *m = inner(&(struct vector){ 0 }, 0), *before;

	(void)state;
	assert_non_null(rte_pktmbuf_prepend(m, rte_pktmbuf_headroom(m) - encap_overhead(&e) + 1));
	pkt_of(m)->l3 += 128 - encap_overhead(&e) + 1;
	before = packet_clone(m);
	assert_false(encap_push(m, &e, HASH));
	assert_true(packet_same(m, before));
	assert_memory_equal(pkt_of(m), pkt_of(before), sizeof(struct pkt));
	packet_free(before);
	packet_free(m);
}

static void last_hop_stays(void **state)
{
	struct packet_spec spec = { .ttl = 1, .length = 20 };
	struct encap e = tunnel(ENCAP_IPIP, false);
	struct rte_mbuf *m = packet_parsed(&spec);

	(void)state;
	assert_true(encap_push(m, &e, HASH));
	assert_int_equal(((struct rte_ipv4_hdr *)pkt_at(m, pkt_of(m)->l4))->time_to_live, 1);
	assert_int_equal(pkt_ip4(m)->time_to_live, ENCAP_TTL);
	packet_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_scapy_makes_them),
		cmocka_unit_test(outer_fragments_by_choice),
		cmocka_unit_test(packets_of_a_flow_share_a_port),
		cmocka_unit_test(fragments_and_errors_are_packets_like_others),
		cmocka_unit_test(no_room_changes_nothing),
		cmocka_unit_test(last_hop_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
