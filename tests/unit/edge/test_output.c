/* SPDX-License-Identifier: BSD-3-Clause */
/* The way out: TTL, MTU, VLAN tags, what a session remembers, chosen adjacencies, two workers, inner links. */
#include "helper_edge.h"

static void open_known(struct world *w)
{
	world_open(w, world_config, NULL, 0);
	world_learn4(w, LAN, "10.0.1.50", other_mac);
	world_learn4(w, WAN, "203.0.113.7", host_mac);
	world_learn6(w, LAN, "2001:db8:1::50", other_mac);
	world_learn6(w, WAN, "2001:db8:2::7", host_mac);
}

static struct packet_spec spec4 = { .src = "10.0.1.50", .dst = "203.0.113.7" };
static struct packet_spec spec6 = { .src = "2001:db8:1::50", .dst = "2001:db8:2::7" };

static void expect_error(struct world *w, uint8_t type, uint8_t code)
{
	uint16_t port;
	struct rte_mbuf *m = world_next_ip(w, &port);

	assert_non_null(m);
	assert_int_equal(port, LAN);
	assert_true(pkt_of(m)->flags & PKT_ICMP_ERROR);
	assert_int_equal(pkt_of(m)->icmp_type, type);
	assert_int_equal(pkt_of(m)->icmp_code, code);
	assert_true(packet_checksums_right(m));
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), other_mac, 6);
}

static void ttl(void **state)
{
	struct edge_decision decision;
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	open_known(&w);
	for (uint8_t i = 1; i <= 3; i++) {
		spec4.ttl = spec6.ttl = i;
		world_output(&w, 0, world_packet(LAN, &spec4));
		world_output(&w, 0, world_packet(LAN, &spec6));
		if (i == 1) {
			expect_error(&w, 11, 0);
			expect_error(&w, 3, 0);
			continue;
		}
		for (int k = 0; k < 2; k++) {
			m = world_next_ip(&w, &port);
			assert_int_equal(pkt_ttl(m), i - 1);
			assert_true(packet_checksums_right(m));
		}
	}
	spec4.ttl = spec6.ttl = 1;
	assert_int_equal(world_input(&w, 0, world_packet(LAN, &spec4), &decision), EDGE_DONE);
	expect_error(&w, 11, 0);
	assert_int_equal(world_input(&w, 0, world_packet(LAN, &spec6), &decision), EDGE_DONE);
	expect_error(&w, 3, 0);
	spec4.ttl = spec6.ttl = 0;
	assert_int_equal(world_counter(&w, EDGE_C_TTL_EXCEEDED), 4);
	world_close(&w);
}

static void errors_are_limited(void **state)
{
	struct world w;

	(void)state;
	open_known(&w);
	spec4.ttl = 1;
	for (int i = 0; i < 1000; i++)
		world_output(&w, 0, world_packet(LAN, &spec4));
	spec4.ttl = 0;
	assert_int_equal(world_counter(&w, EDGE_C_TTL_EXCEEDED), 1000);
	assert_in_range(w.sent_count, 90, 110);
	world_close(&w);
}

static void own_packets_keep_their_ttl(void **state)
{
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	open_known(&w);
	spec4.ttl = 1;
	m = world_packet(LAN, &spec4);
	spec4.ttl = 0;
	pkt_of(m)->flags |= PKT_ORIGINATED;
	world_output(&w, 0, m);
	m = world_next_ip(&w, &port);
	assert_non_null(m);
	assert_int_equal(pkt_ttl(m), 1);
	world_close(&w);
}

static void mtu(void **state)
{
	struct packet_spec big4 = { .src = "10.0.1.50", .dst = "203.0.113.7", .length = 1400, .df = true };
	struct packet_spec big6 = { .src = "2001:db8:1::50", .dst = "2001:db8:2::7", .length = 1400 };
	struct errors errors = ERRORS_NONE;
	unsigned bytes = 0, pieces = 0;
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	open_known(&w);
	world_switch(&w, world_compile(&w, world_config, 1300, NULL, 0, &errors));
	world_output(&w, 0, world_packet(LAN, &big4));
	expect_error(&w, 3, 4);
	assert_int_equal(
	        rte_be_to_cpu_16(*rte_pktmbuf_mtod_offset(w.sent[w.seen - 1].m, uint16_t *, 14 + 20 + 6)),
	        1300);
	world_output(&w, 0, world_packet(LAN, &big6));
	expect_error(&w, 2, 0);
	assert_int_equal(
	        rte_be_to_cpu_32(*rte_pktmbuf_mtod_offset(w.sent[w.seen - 1].m, uint32_t *, 14 + 40 + 4)),
	        1300);
	assert_int_equal(world_counter(&w, EDGE_C_TOO_BIG), 2);
	big4.df = false;
	world_output(&w, 0, world_packet(LAN, &big4));
	while ((m = world_next_ip(&w, &port)) != NULL) {
		assert_int_equal(port, WAN);
		assert_int_equal(pkt_ttl(m), 63);
		assert_true(pkt_of(m)->end - pkt_of(m)->l3 <= 1300);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), host_mac, 6);
		bytes += pkt_of(m)->end - pkt_of(m)->l3 - 20u;
		pieces++;
	}
	assert_int_equal(pieces, 2);
	assert_int_equal(bytes, 1400 + 8);
	world_close(&w);
}

static void vlan_tags_go(void **state)
{
	struct packet_spec tagged = { .src = "10.0.1.50", .dst = "203.0.113.7", .vlan = { 5, 6 } };
	struct world w;
	uint16_t port;
	struct rte_mbuf *m, *plain;

	(void)state;
	open_known(&w);
	world_output(&w, 0, world_packet(LAN, &tagged));
	tagged.vlan[0] = tagged.vlan[1] = 0;
	world_output(&w, 0, world_packet(LAN, &tagged));
	m = world_next_ip(&w, &port);
	plain = world_next_ip(&w, &port);
	assert_non_null(plain);
	assert_int_equal(pkt_of(m)->l3, 14);
	assert_true(packet_same(m, plain));
	world_close(&w);
}

static void offsets_follow_vlan_tags(void **state)
{
	struct packet_spec tagged = { .src = "10.0.1.50", .dst = "203.0.113.7", .vlan = { 5 } };
	struct world w;
	struct pkt before;
	struct rte_mbuf *m;

	(void)state;
	open_known(&w);
	m = world_packet(LAN, &tagged);
	before = *pkt_of(m);
	world_output(&w, 0, m);
	assert_ptr_equal(w.sent[w.sent_count - 1].m, m);
	assert_int_equal(pkt_of(m)->l3, before.l3 - 4);
	assert_int_equal(pkt_of(m)->l4, before.l4 - 4);
	assert_int_equal(pkt_of(m)->end, before.end - 4);
	assert_int_equal(pkt_of(m)->flags & PKT_VLAN, 0);
	world_close(&w);
}

static struct rte_mbuf *of_session(struct session *session, uint8_t dir, const struct packet_spec *spec)
{
	struct rte_mbuf *m = world_packet(LAN, spec);

	pkt_of(m)->session = session;
	pkt_of(m)->dir = dir;
	return m;
}

/* What a session remembers is used, and dropped when the neighbour changes. */
static void session_remembers(void **state)
{
	struct packet_spec back = { .src = "203.0.113.7", .dst = "10.0.1.50" };
	struct session session = { 0 };
	struct world w;
	uint16_t port;
	uint32_t first;
	struct rte_mbuf *m;

	(void)state;
	open_known(&w);
	world_output(&w, 0, of_session(&session, 0, &spec4));
	world_output(&w, 0, of_session(&session, 1, &back));
	assert_int_not_equal(session.hop[0], 0);
	assert_int_not_equal(session.hop[1], 0);
	assert_int_not_equal(session.hop[0], session.hop[1]);
	world_skip(&w);
	/* the remembered next hop beats the destination: it is not looked up again */
	first = session.hop[0];
	session.hop[0] = session.hop[1];
	world_output(&w, 0, of_session(&session, 0, &spec4));
	m = world_next_ip(&w, &port);
	assert_int_equal(port, LAN);
	assert_int_equal(pkt_ttl(m), 63);
	assert_true(packet_checksums_right(m));
	session.hop[0] = first;
	world_learn4(&w, WAN, "203.0.113.7", other_mac);
	world_output(&w, 0, of_session(&session, 0, &spec4));
	m = world_next_ip(&w, &port);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), other_mac, 6);
	assert_int_not_equal(session.hop[0], first);
	world_close(&w);
}

static void errors_of_sessions_turn(void **state)
{
	struct session session = { 0 };
	struct world w;

	(void)state;
	open_known(&w);
	spec4.ttl = 1;
	world_output(&w, 0, of_session(&session, 0, &spec4));
	spec4.ttl = 0;
	assert_int_equal(w.turned, 1);
	assert_int_equal(pkt_of(w.last_turned)->icmp_type, 11);
	assert_true(pkt_of(w.last_turned)->flags & PKT_ORIGINATED);
	assert_int_equal(session.hop[0], 0);
	world_close(&w);
}

static void chosen_adjacency_beats_routing(void **state)
{
	struct session session = { 0 };
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	open_known(&w);
	world_output(&w, 0, of_session(&session, 0, &spec4));
	world_skip(&w);
	m = world_packet(LAN, &(struct packet_spec){ .src = "10.0.1.50", .dst = "9.9.9.9" });
	pkt_of(m)->flags |= PKT_ROUTED;
	pkt_of(m)->adjacency = session.hop[0];
	world_output(&w, 0, m);
	m = world_next_ip(&w, &port);
	assert_non_null(m);
	assert_int_equal(port, WAN);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), host_mac, 6);
	/* one that is gone does not */
	m = world_packet(LAN, &(struct packet_spec){ .src = "10.0.1.50", .dst = "9.9.9.9" });
	pkt_of(m)->flags |= PKT_ROUTED;
	pkt_of(m)->adjacency = session.hop[0] + (1 << 14);
	world_output(&w, 0, m);
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 1);
	world_close(&w);
}

static void output_via(struct world *w, struct rte_mbuf *m, const char *next_hop)
{
	union ipaddr address = ip_any(next_hop);

	w->taken++;
	edge_output_via(w->ew[0], w->table, m, &address, w->now);
}

/* Direct return: the destination is claimed here, the next hop is the backend. */
static void next_hop_beats_destination(void **state)
{
	struct edge_claim claims[] = {
		{ .address = ip_any("10.0.1.80"), .family = 4, .length = 32, .port = WAN, .owner = 1 }
	};
	struct packet_spec spec = { .src = "203.0.113.7", .dst = "10.0.1.80" };
	struct packet_spec last = { .src = "203.0.113.7", .dst = "10.0.1.80", .ttl = 1 };
	struct session session = { 0 };
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	world_open(&w, world_config, claims, 1);
	world_learn4(&w, WAN, "203.0.113.7", host_mac);
	output_via(&w, of_session(&session, 0, &spec), "10.0.1.50");
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 1);
	world_learn4(&w, LAN, "10.0.1.50", other_mac);
	world_clear(&w);
	for (int i = 0; i < 2; i++) {
		output_via(&w, of_session(&session, 0, &spec), "10.0.1.50");
		m = world_next_ip(&w, &port);
		assert_non_null(m);
		assert_int_equal(port, LAN);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), other_mac, 6);
		assert_int_equal(pkt_ip4(m)->dst_addr, ip4("10.0.1.80"));
		assert_int_equal(pkt_ttl(m), 63);
		assert_int_not_equal(session.hop[0], 0);
	}
	/* nobody's link, and the last hop */
	output_via(&w, world_packet(WAN, &spec), "9.9.9.9");
	assert_int_equal(world_counter(&w, EDGE_C_NO_ROUTE), 1);
	output_via(&w, world_packet(WAN, &last), "10.0.1.50");
	assert_int_equal(world_counter(&w, EDGE_C_TTL_EXCEEDED), 1);
	world_close(&w);
}

/* What waits for such a next hop goes there still when the configuration changes meanwhile, unless that is on no link of ours any more. */
static void next_hop_beats_a_change(void **state)
{
	static const char without[] =
	        "ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"10.0.9.1/24\" ]; }, "
	        "{ name = \"wan\"; device = \"null:\"; addresses = [ \"203.0.113.2/24\" ]; } );";
	struct edge_claim claims[] = {
		{ .address = ip_any("10.0.1.80"), .family = 4, .length = 32, .port = WAN, .owner = 1 }
	};
	struct packet_spec spec = { .src = "203.0.113.7", .dst = "10.0.1.80" };
	struct errors errors = ERRORS_NONE;
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	world_open(&w, world_config, claims, 1);
	world_learn4(&w, WAN, "203.0.113.7", host_mac);
	output_via(&w, world_packet(WAN, &spec), "10.0.1.50");
	world_switch(&w, world_compile(&w, world_config, 1500, claims, 1, &errors));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 1);
	world_control(&w, world_arp(LAN, 2, lan_mac, other_mac, "10.0.1.50", "10.0.1.1"));
	m = world_next_ip(&w, &port);
	assert_non_null(m);
	assert_int_equal(port, LAN);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), other_mac, 6);
	assert_int_equal(pkt_ttl(m), 63);
	output_via(&w, world_packet(WAN, &spec), "10.0.1.51");
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 1);
	world_switch(&w, world_compile(&w, without, 1500, claims, 1, &errors));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 0);
	assert_int_equal(world_counter(&w, EDGE_C_NO_ROUTE), 1);
	world_close(&w);
}

static void next_hop_of_ipv6(void **state)
{
	struct packet_spec spec = { .src = "2001:db8:2::7", .dst = "2001:db8:80::1" };
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	open_known(&w);
	output_via(&w, world_packet(WAN, &spec), "2001:db8:1::50");
	m = world_next_ip(&w, &port);
	assert_non_null(m);
	assert_int_equal(port, LAN);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), other_mac, 6);
	world_close(&w);
}

/* The other worker asks worker 0 and keeps its packets meanwhile; both keep their order. */
static void two_workers(void **state)
{
	static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };
	struct packet_spec spec = { .src = "10.0.1.50", .dst = "203.0.113.9" };
	struct world w;
	uint16_t port;
	unsigned next = 100;
	struct rte_mbuf *m;

	(void)state;
	open_known(&w);
	for (uint16_t i = 0; i < 4; i++) {
		spec.sport = (uint16_t)(100 + i);
		world_output(&w, 1, world_packet(LAN, &spec));
	}
	assert_null(world_next(&w, &port));
	edge_tick(w.ew[0], w.table, w.now);
	m = world_next(&w, &port);
	assert_non_null(m);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), broadcast, 6);
	world_control(&w, world_arp(WAN, 2, wan_mac, host_mac, "203.0.113.9", "203.0.113.1"));
	assert_int_equal(edge_worker_counters(w.ew[1])[EDGE_C_HELD], 4);
	/* before its tick: a later packet lets the earlier ones go first */
	spec.sport = 104;
	world_output(&w, 1, world_packet(LAN, &spec));
	assert_int_equal(edge_worker_counters(w.ew[1])[EDGE_C_HELD], 0);
	while ((m = world_next_ip(&w, &port)) != NULL)
		assert_int_equal(rte_be_to_cpu_16(pkt_of(m)->sport), next++);
	assert_int_equal(next, 105);
	/* and by its tick, if no packet comes */
	spec.dst = "203.0.113.10";
	world_output(&w, 1, world_packet(LAN, &spec));
	edge_tick(w.ew[0], w.table, w.now);
	world_control(&w, world_arp(WAN, 2, wan_mac, host_mac, "203.0.113.10", "203.0.113.1"));
	world_skip(&w);
	edge_tick(w.ew[1], w.table, w.now);
	assert_non_null(world_next_ip(&w, &port));
	world_close(&w);
}

/* A worker's question that got lost, as by a full ring, is asked again. */
static void lost_question_is_asked_again(void **state)
{
	struct packet_spec spec = { .src = "10.0.1.50", .dst = "203.0.113.9" };
	struct errors errors = ERRORS_NONE;
	struct edge_table *without;
	struct world w;
	uint16_t port;

	(void)state;
	open_known(&w);
	world_output(&w, 1, world_packet(LAN, &spec));
	without = world_compile(&w, "ports = ();\n", 1500, NULL, 0, &errors);
	assert_non_null(without);
	edge_tick(w.ew[0], without,
	          w.now); /* worker 0 does not know the port yet, and forgets the question */
	edge_table_free(without);
	assert_null(world_next(&w, &port));
	world_pass(&w, 0.3);
	assert_non_null(world_next(&w, &port));
	world_close(&w);
}

static void link_mode_is_blind(void **state)
{
	static const char config[] =
	        "mode = \"link\";\nports = ( { name = \"lan\"; device = \"null:\"; as = \"outside\"; },\n"
	        " { name = \"wan\"; device = \"null:\"; addresses = [ \"203.0.113.1/24\" ]; } );\n";
	struct edge_decision decision;
	struct world w;
	uint16_t port;
	struct rte_mbuf *m, *copy;
	union ipaddr source;

	(void)state;
	world_open(&w, config, NULL, 0);
	spec4.ttl = 1;
	m = world_packet(LAN, &spec4);
	spec4.ttl = 0;
	copy = packet_clone(m);
	w.taken++;
	edge_output(w.ew[0], w.table, &m, 1, WAN, w.now);
	m = world_next(&w, &port);
	assert_int_equal(port, WAN);
	assert_true(packet_same(m, copy));
	packet_free(copy);
	assert_int_equal(world_input(&w, 0, world_packet(LAN, &spec4), &decision), EDGE_FORWARD);
	assert_int_equal(decision.egress, EDGE_NO_PORT);
	world_output(&w, 0, world_packet(LAN, &spec4));
	assert_int_equal(world_counter(&w, EDGE_C_NO_ROUTE), 1);
	assert_true(edge_source(w.table, WAN, 4, &source));
	assert_int_equal(source.v4, ip4("203.0.113.1"));
	assert_false(edge_source(w.table, LAN, 4, &source));
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ttl),
		cmocka_unit_test(errors_are_limited),
		cmocka_unit_test(own_packets_keep_their_ttl),
		cmocka_unit_test(mtu),
		cmocka_unit_test(vlan_tags_go),
		cmocka_unit_test(offsets_follow_vlan_tags),
		cmocka_unit_test(session_remembers),
		cmocka_unit_test(errors_of_sessions_turn),
		cmocka_unit_test(chosen_adjacency_beats_routing),
		cmocka_unit_test(next_hop_beats_destination),
		cmocka_unit_test(next_hop_beats_a_change),
		cmocka_unit_test(next_hop_of_ipv6),
		cmocka_unit_test(two_workers),
		cmocka_unit_test(lost_question_is_asked_again),
		cmocka_unit_test(link_mode_is_blind),
	};

	return cmocka_run_group_tests(tests, world_eal, NULL);
}
