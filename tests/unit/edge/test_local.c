/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets for the box itself, and those that it must not take: echo, refusals, spoofed sources, foreign frames, multicast. */
#include "helper_edge.h"

static struct rte_mbuf *input_one(struct world *w, uint16_t in, const struct packet_spec *spec)
{
	struct edge_decision decision;
	uint16_t port;
	struct rte_mbuf *m;

	world_skip(w);
	assert_int_equal(world_input(w, 0, world_packet(in, spec), &decision), EDGE_DONE);
	m = world_next_ip(w, &port);
	if (m)
		assert_int_equal(port, in);
	return m;
}

static void open_known(struct world *w)
{
	world_open(w, world_config, NULL, 0);
	world_learn4(w, LAN, "10.0.1.50", host_mac);
	world_learn6(w, LAN, "2001:db8:1::50", host_mac);
	world_learn6(w, LAN, "fe80::50", host_mac);
}

static void expect_echo(struct world *w, struct packet_spec *spec, uint8_t reply)
{
	struct rte_mbuf *question = world_packet(LAN, spec), *m = input_one(w, LAN, spec);
	const struct pkt *p = pkt_of(question);

	assert_non_null(m);
	assert_int_equal(pkt_of(m)->icmp_type, reply);
	assert_int_equal(pkt_of(m)->end, p->end);
	assert_int_equal(pkt_ttl(m), 64);
	assert_true(packet_checksums_right(m));
	assert_memory_equal(pkt_at(m, pkt_of(m)->l4 + 4), pkt_at(question, p->l4 + 4),
	                    (size_t)(p->end - p->l4 - 4));
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), host_mac, 6);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), lan_mac, 6);
	rte_pktmbuf_free(question);
}

static void echo(void **state)
{
	struct packet_spec ping4 = { .src = "10.0.1.50",
		                     .dst = "10.0.1.1",
		                     .proto = IPPROTO_ICMP,
		                     .icmp_type = 8,
		                     .icmp_id = 77,
		                     .icmp_seq = 3,
		                     .length = 56 };
	struct packet_spec ping6 = { .src = "2001:db8:1::50",
		                     .dst = "2001:db8:1::1",
		                     .proto = IPPROTO_ICMPV6,
		                     .icmp_type = 128,
		                     .icmp_id = 77,
		                     .icmp_seq = 3,
		                     .length = 57 };
	struct world w;

	(void)state;
	open_known(&w);
	expect_echo(&w, &ping4, 0);
	ping4.ttl = 1; /* it ends here, so nothing is used up */
	expect_echo(&w, &ping4, 0);
	ping4.dst = "203.0.113.1"; /* the address of the far port */
	expect_echo(&w, &ping4, 0);
	ping4.vlan[0] = 9;
	ping4.length = 1400;
	assert_non_null(input_one(&w, LAN, &ping4));
	expect_echo(&w, &ping6, 129);
	ping6.src = "fe80::50";
	expect_echo(&w, &ping6, 129);
	ping6.dst = "fe80::ff:fe00:101";
	expect_echo(&w, &ping6, 129);
	assert_int_equal(world_counter(&w, EDGE_C_DELIVERED), 7 + 3); /* with the three lessons */
	world_close(&w);
}

static void wrong_echo_is_silent(void **state)
{
	struct packet_spec ping = {
		.src = "10.0.1.50", .dst = "10.0.1.1", .proto = IPPROTO_ICMP, .icmp_type = 8, .length = 8
	};
	struct edge_decision decision;
	struct world w;
	struct rte_mbuf *m;
	unsigned sent;

	(void)state;
	open_known(&w);
	sent = w.sent_count;
	m = world_packet(LAN, &ping);
	*(uint8_t *)pkt_at(m, pkt_of(m)->end - 1) ^= 1;
	assert_int_equal(world_input(&w, 0, m, &decision), EDGE_DONE);
	ping.icmp_type = 0;
	assert_null(input_one(&w, LAN, &ping));
	ping.icmp_type = 8;
	ping.more = true;
	assert_null(input_one(&w, LAN, &ping));
	assert_int_equal(world_counter(&w, EDGE_C_GATHERED), 1);
	world_pass(&w, 31);
	assert_int_equal(world_counter(&w, EDGE_C_LOCAL_FRAGMENT), 1);
	assert_int_equal(world_counter(&w, EDGE_C_GATHERED), 0);
	assert_int_equal(w.sent_count, sent);
	world_close(&w);
}

enum { PIECES = 3, PIECE = 800 };

/* An echo request of 3 times 800 bytes in fragments, its checksum right. */
static void make_pieces(const char *src, const char *dst, uint32_t id, struct rte_mbuf **piece)
{
	bool six = strchr(src, ':');
	struct packet_spec spec = { .src = src,
		                    .dst = dst,
		                    .proto = six ? IPPROTO_ICMPV6 : IPPROTO_ICMP,
		                    .icmp_type = six ? 128 : 8,
		                    .id = id,
		                    .more = true,
		                    .length = PIECE - 8 };
	uint32_t sum = 0;
	uint16_t part;

	for (unsigned i = 0; i < PIECES; i++) {
		spec.offset = (uint16_t)(i * PIECE);
		spec.length = i ? PIECE : PIECE - 8;
		spec.more = i + 1 < PIECES;
		piece[i] = world_packet(LAN, &spec);
		if (i == 0)
			memset(pkt_at(piece[0], pkt_of(piece[0])->l4 + 2), 0, 2);
		sum += rte_raw_cksum(pkt_at(piece[i], pkt_of(piece[i])->l4), PIECE);
	}
	if (six) {
		struct rte_ipv6_hdr pseudo = *pkt_ip6(piece[0]);

		pseudo.proto = IPPROTO_ICMPV6;
		pseudo.payload_len = rte_cpu_to_be_16(PIECES * PIECE);
		sum += rte_ipv6_phdr_cksum(&pseudo, 0);
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	part = (uint16_t)~sum;
	memcpy(pkt_at(piece[0], pkt_of(piece[0])->l4 + 2), &part, sizeof(part));
}

/* What a host would compute over the datagram of which these are the pieces. */
static uint16_t sum_of_answer(struct world *w, uint8_t type)
{
	struct rte_mbuf *m;
	uint32_t sum = 0;
	uint16_t port;

	for (unsigned i = 0; i < PIECES; i++) {
		m = world_next_ip(w, &port);
		assert_non_null(m);
		assert_int_equal(pkt_ttl(m), 64);
		if (!(pkt_of(m)->flags & PKT_LATER))
			assert_int_equal(*(uint8_t *)pkt_at(m, pkt_of(m)->l4), type);
		sum += rte_raw_cksum(pkt_at(m, pkt_of(m)->l4), PIECE);
	}
	if (pkt_of(m)->flags & PKT_V6) {
		struct rte_ipv6_hdr pseudo = *pkt_ip6(m);

		pseudo.proto = IPPROTO_ICMPV6;
		pseudo.payload_len = rte_cpu_to_be_16(PIECES * PIECE);
		sum += rte_ipv6_phdr_cksum(&pseudo, 0);
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_null(world_next_ip(w, &port));
	return (uint16_t)sum;
}

/* In any order, in both families; one whose sum is wrong is taken in silence. */
static void fragments_are_gathered(void **state)
{
	static const unsigned orders[][PIECES] = { { 0, 1, 2 }, { 2, 0, 1 }, { 1, 2, 0 } };
	struct edge_decision decision;
	struct rte_mbuf *piece[PIECES];
	struct world w;
	uint16_t port;

	(void)state;
	open_known(&w);
	world_skip(&w);
	for (unsigned i = 0; i < 6; i++) {
		bool six = i % 2;

		make_pieces(six ? "2001:db8:1::50" : "10.0.1.50", six ? "2001:db8:1::1" : "10.0.1.1", 7 + i,
		            piece);
		for (unsigned k = 0; k < PIECES; k++)
			assert_int_equal(world_input(&w, 0, piece[orders[i / 2][k]], &decision), EDGE_DONE);
		assert_int_equal(sum_of_answer(&w, six ? 129 : 0), 0xffff);
		assert_int_equal(world_counter(&w, EDGE_C_GATHERED), 0);
	}
	make_pieces("10.0.1.50", "10.0.1.1", 99, piece);
	*(uint8_t *)pkt_at(piece[2], (uint16_t)(pkt_of(piece[2])->end - 1)) ^= 1;
	for (unsigned k = 0; k < PIECES; k++)
		assert_int_equal(world_input(&w, 0, piece[k], &decision), EDGE_DONE);
	assert_null(world_next_ip(&w, &port));
	assert_int_equal(world_counter(&w, EDGE_C_GATHERED), 0);
	world_close(&w);
}

/* Datagrams that never become whole take a bounded place, and the oldest goes first. */
static void gathering_is_bounded(void **state)
{
	struct edge_decision decision;
	struct rte_mbuf *piece[PIECES];
	struct world w;

	(void)state;
	open_known(&w);
	for (unsigned i = 0; i < 20; i++) {
		make_pieces("10.0.1.50", "10.0.1.1", 100 + i, piece);
		assert_int_equal(world_input(&w, 0, piece[0], &decision), EDGE_DONE);
		rte_pktmbuf_free(piece[1]);
		rte_pktmbuf_free(piece[2]);
		w.now += SECOND / 100;
	}
	assert_int_equal(world_counter(&w, EDGE_C_GATHERED), 16);
	assert_int_equal(world_counter(&w, EDGE_C_LOCAL_FRAGMENT), 4);
	make_pieces("10.0.1.50", "10.0.1.1", 119, piece);
	world_skip(&w);
	rte_pktmbuf_free(piece[0]);
	for (unsigned k = 1; k < PIECES; k++)
		assert_int_equal(world_input(&w, 0, piece[k], &decision), EDGE_DONE);
	assert_int_equal(sum_of_answer(&w, 0), 0xffff);
	assert_int_equal(world_counter(&w, EDGE_C_GATHERED), 15);
	world_pass(&w, 31);
	assert_int_equal(world_counter(&w, EDGE_C_GATHERED), 0);
	world_close(&w);
}

static void unknown_services_are_refused(void **state)
{
	struct packet_spec spec = { .src = "10.0.1.50", .dst = "10.0.1.1", .dport = 53, .length = 20 };
	struct packet_spec spec6 = {
		.src = "2001:db8:1::50", .dst = "2001:db8:1::1", .dport = 53, .length = 20
	};
	struct world w;
	struct rte_mbuf *m;

	(void)state;
	open_known(&w);
	m = input_one(&w, LAN, &spec);
	assert_non_null(m);
	assert_int_equal(pkt_of(m)->icmp_type << 8 | pkt_of(m)->icmp_code, 0x303);
	m = input_one(&w, LAN, &spec6);
	assert_non_null(m);
	assert_int_equal(pkt_of(m)->icmp_type << 8 | pkt_of(m)->icmp_code, 0x104);
	spec.proto = spec6.proto = 47;
	m = input_one(&w, LAN, &spec);
	assert_non_null(m);
	assert_int_equal(pkt_of(m)->icmp_type << 8 | pkt_of(m)->icmp_code, 0x302);
	m = input_one(&w, LAN, &spec6);
	assert_non_null(m);
	assert_int_equal(pkt_of(m)->icmp_type << 8 | pkt_of(m)->icmp_code, 0x401);
	assert_int_equal(rte_be_to_cpu_32(*(uint32_t *)pkt_at(m, pkt_of(m)->l4 + 4)), 6);
	spec.proto = IPPROTO_TCP;
	spec.tcp_flags = RTE_TCP_SYN_FLAG;
	spec.seq = 1000;
	spec.length = 0;
	m = input_one(&w, LAN, &spec);
	assert_non_null(m);
	assert_int_equal(pkt_of(m)->tcp_flags, RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG);
	assert_int_equal(pkt_ip4(m)->src_addr, ip4("10.0.1.1"));
	assert_true(packet_checksums_right(m));
	spec.tcp_flags = RTE_TCP_RST_FLAG;
	assert_null(input_one(&w, LAN, &spec));
	assert_int_equal(world_counter(&w, EDGE_C_LOCAL_UNKNOWN), 6);
	world_close(&w);
}

/* The next-header field that is at fault lies in the last extension header. */
static void protocol_field_behind_extensions(void **state)
{
	static const uint8_t options[16] = { 60, 0, 1, 4, 0, 0, 0, 0, 47, 0, 1, 4, 0, 0, 0, 0 };
	struct packet_spec spec = { .src = "2001:db8:1::50",
		                    .dst = "2001:db8:1::1",
		                    .proto = 47,
		                    .length = 20,
		                    .options = options,
		                    .options_length = 16,
		                    .options_first = 0 };
	struct world w;
	struct rte_mbuf *m;

	(void)state;
	open_known(&w);
	m = input_one(&w, LAN, &spec);
	assert_non_null(m);
	assert_int_equal(pkt_of(m)->icmp_type << 8 | pkt_of(m)->icmp_code, 0x401);
	assert_int_equal(rte_be_to_cpu_32(*(uint32_t *)pkt_at(m, pkt_of(m)->l4 + 4)), 48);
	world_close(&w);
}

static void not_ours(void **state)
{
	static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };
	struct packet_spec spec = { .src = "10.0.1.50", .dst = "203.0.113.7", .dmac = other_mac };
	struct world w;

	(void)state;
	open_known(&w);
	assert_null(input_one(&w, LAN, &spec));
	assert_int_equal(world_counter(&w, EDGE_C_NOT_FOR_ME), 1);
	spec.dmac = broadcast;
	assert_null(input_one(&w, LAN, &spec));
	spec.dmac = NULL;
	spec.dst = "224.0.0.5";
	assert_null(input_one(&w, LAN, &spec));
	spec.dst = "203.0.113.255";
	assert_null(input_one(&w, LAN, &spec));
	spec.dst = "10.0.1.0";
	assert_null(input_one(&w, LAN, &spec));
	assert_int_equal(world_counter(&w, EDGE_C_MULTICAST), 4);
	world_close(&w);
}

static void spoofed_sources(void **state)
{
	static const char *const pairs[][2] = {
		{ "10.0.1.1", "203.0.113.7" },
		{ "203.0.113.1", "203.0.113.1" },
		{ "10.0.1.255", "203.0.113.7" },
		{ "2001:db8:1::1", "2001:db8:2::7" },
		{ "fe80::ff:fe00:101", "2001:db8:1::1" },
	};
	struct world w;
	unsigned sent;

	(void)state;
	open_known(&w);
	sent = w.sent_count;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		assert_null(
		        input_one(&w, LAN, &(struct packet_spec){ .src = pairs[i][0], .dst = pairs[i][1] }));
	assert_int_equal(world_counter(&w, EDGE_C_SPOOFED), 5);
	assert_int_equal(w.sent_count, sent);
	world_close(&w);
}

static void link_local_stays_on_its_link(void **state)
{
	struct world w;

	(void)state;
	open_known(&w);
	assert_null(input_one(&w, LAN, &(struct packet_spec){ .src = "fe80::50", .dst = "2001:db8:2::7" }));
	assert_null(input_one(&w, LAN, &(struct packet_spec){ .src = "2001:db8:1::50", .dst = "fe80::51" }));
	assert_int_equal(world_counter(&w, EDGE_C_NO_ROUTE), 2);
	world_close(&w);
}

static void other_frames(void **state)
{
	uint8_t lldp[60] = { 1, 0x80, 0xc2, 0, 0, 0x0e, 2, 0, 0, 0, 9, 1, 0x88, 0xcc };
	struct world w;

	(void)state;
	open_known(&w);
	world_control(&w, world_frame(LAN, lldp, sizeof(lldp)));
	assert_int_equal(world_counter(&w, EDGE_C_NOT_IP), 1);
	/* ARP cut short, at every length */
	for (uint16_t length = 14; length < 42; length++) {
		uint8_t arp[60] = { 255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 9,
			            1,   8,   6,   0,   1,   8,   0, 6, 4, 0, 1 };

		world_control(&w, world_frame(LAN, arp, length));
	}
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), 28);
	world_close(&w);
}

static void plain_packets_are_no_control(void **state)
{
	struct rte_mbuf *m = world_packet(LAN, &(struct packet_spec){ .src = "2001:db8:1::50",
	                                                              .dst = "2001:db8:2::7",
	                                                              .proto = IPPROTO_ICMPV6,
	                                                              .icmp_type = 128 });

	(void)state;
	assert_false(edge_is_control(m));
	rte_pktmbuf_free(m);
	m = world_packet(LAN, &(struct packet_spec){ .src = "10.0.1.50", .dst = "203.0.113.7" });
	assert_false(edge_is_control(m));
	rte_pktmbuf_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(echo),
		cmocka_unit_test(wrong_echo_is_silent),
		cmocka_unit_test(fragments_are_gathered),
		cmocka_unit_test(gathering_is_bounded),
		cmocka_unit_test(unknown_services_are_refused),
		cmocka_unit_test(protocol_field_behind_extensions),
		cmocka_unit_test(not_ours),
		cmocka_unit_test(spoofed_sources),
		cmocka_unit_test(link_local_stays_on_its_link),
		cmocka_unit_test(other_frames),
		cmocka_unit_test(plain_packets_are_no_control),
	};

	return cmocka_run_group_tests(tests, world_eal, NULL);
}
