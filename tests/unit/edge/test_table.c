/* SPDX-License-Identifier: BSD-3-Clause */
/* The compiler of the edge's configuration: what it refuses, which route wins, and the change from one table to the next. */
#include "helper_edge.h"

#define LAN_PORT \
	"{ name = \"lan\"; device = \"null:\"; addresses = [ \"10.0.1.1/24\", \"2001:db8:1::1/64\" ]; }"
#define WAN_PORT "{ name = \"wan\"; device = \"null:\"; addresses = [ \"203.0.113.1/24\" ]; }"
#define PORTS    "ports = ( " LAN_PORT ", " WAN_PORT " );\n"

static void expect_refused(const char *config, const char *code, const char *path)
{
	struct errors errors = ERRORS_NONE;
	struct world w;

	world_open(&w, world_config, NULL, 0);
	assert_null(world_compile(&w, config, 1500, NULL, 0, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.list[0].code, code);
	assert_string_equal(errors.list[0].path, path);
	assert_string_equal(errors.list[0].file, "test.cfg");
	assert_true(errors.list[0].line > 0);
	errors_free(&errors);
	world_close(&w);
}

/* Links of several paths stand for one port: each has its addresses, and leads to its subnets. */
static void links_share_addresses(void **state)
{
	static const char config[] = "mode = \"link\"; ports = ( " LAN_PORT
	                             ", { name = \"wan\"; device = \"null:\"; addresses = [ \"10.0.1.1/24\", "
	                             "\"2001:db8:1::1/64\" ]; } );\n";
	struct errors errors = ERRORS_NONE;
	union ipaddr near = ip_any("10.0.1.9"), far = ip_any("10.9.1.9");
	struct world w;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	struct edge_table *table = world_compile(&w, config, 1500, NULL, 0, &errors);
	assert_non_null(table);
	assert_true(edge_leads_to(table, LAN, FAMILY_V4, &near));
	assert_true(edge_leads_to(table, WAN, FAMILY_V4, &near));
	assert_false(edge_leads_to(table, LAN, FAMILY_V4, &far));
	edge_table_free(table);
	world_close(&w);
}

static void refuses(void **state)
{
	(void)state;
	expect_refused("ports = ( { name = \"dmz\"; device = \"null:\"; } );\n", "no-such-port", "ports[0]");
	expect_refused("ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"10.0.1.1/24\" ]; "
	               "gateways = [ \"10.0.2.1\" ]; } );\n",
	               "not-on-link", "ports[0].gateways[0]");
	expect_refused("ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"10.0.1.1/24\" ]; "
	               "gateways = [ \"10.0.1.1\" ]; } );\n",
	               "own-address", "ports[0].gateways[0]");
	expect_refused(
	        "ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"10.0.1.0/24\" ]; } );\n",
	        "bad-address", "ports[0].addresses[0]");
	expect_refused(
	        "ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"10.0.1.255/24\" ]; } );\n",
	        "bad-address", "ports[0].addresses[0]");
	expect_refused("ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"10.0.1.1/24\" ]; "
	               "gateways = [ \"fe80::1\" ]; } );\n",
	               "no-port", "ports[0].gateways[0]");
	expect_refused("ports = ( " LAN_PORT
	               ", { name = \"wan\"; device = \"null:\"; addresses = [ \"10.0.1.1/24\" ]; } );\n",
	               "duplicate-address", "ports[1].addresses[0]");
	expect_refused("ports = ( " LAN_PORT
	               ", { name = \"wan\"; device = \"null:\"; addresses = [ \"10.0.0.1/16\" ]; } );\n",
	               "overlapping-subnets", "ports[1].addresses[0]");
	expect_refused(
	        "ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"224.0.0.1/24\" ]; } );\n",
	        "bad-address", "ports[0].addresses[0]");
	expect_refused(PORTS "routes = ( { prefix = \"8.0.0.0/8\"; via = \"10.0.9.1\"; } );\n", "not-on-link",
	               "routes[0].via");
	expect_refused(PORTS "routes = ( { prefix = \"8.0.0.0/8\"; via = \"2001:db8:1::9\"; } );\n",
	               "family-mismatch", "routes[0].via");
	expect_refused(PORTS
	               "routes = ( { prefix = \"8.0.0.0/8\"; via = \"10.0.1.9\"; port = \"wan\"; } );\n",
	               "not-on-link", "routes[0].via");
	expect_refused(PORTS "routes = ( { prefix = \"8.0.0.0/8\"; port = \"dmz\"; } );\n", "no-such-port",
	               "routes[0].port");
	expect_refused(PORTS "routes = ( { prefix = \"8.0.0.0/8\"; } );\n", "no-next-hop", "routes[0]");
	expect_refused(PORTS
	               "routes = ( { prefix = \"8.0.0.0/8\"; action = \"reject\"; port = \"wan\"; } );\n",
	               "contradiction", "routes[0]");
	expect_refused(PORTS "routes = ( { prefix = \"8.0.0.0/8\"; port = \"lan\"; }, { prefix = "
	                     "\"8.0.0.0/8\"; port = \"wan\"; } );\n",
	               "duplicate-route", "routes[1]");
	expect_refused(PORTS "routes = ( { prefix = \"10.0.1.0/24\"; port = \"wan\"; } );\n",
	               "duplicate-route", "routes[0]");
}

static void refuses_claims(void **state)
{
	struct edge_claim twice[] = {
		{ .address = ip_any("203.0.113.9"), .family = 4, .length = 32, .port = WAN, .owner = 1 },
		{ .address = ip_any("203.0.113.9"), .family = 4, .length = 32, .port = WAN, .owner = 2 },
	};
	struct edge_claim nowhere = {
		.address = ip_any("203.0.113.9"), .family = 4, .length = 32, .port = 9, .owner = 1
	};
	struct edge_claim own[] = {
		{ .address = ip_any("203.0.113.1"), .family = 4, .length = 32, .port = WAN, .owner = 1 },
		{ .address = ip_any("203.0.113.1"), .family = 4, .length = 32, .port = WAN, .owner = 2 },
	};
	struct errors errors = ERRORS_NONE;
	struct world w;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	assert_null(world_compile(&w, world_config, 1500, twice, 2, &errors));
	assert_null(world_compile(&w, world_config, 1500, &nowhere, 1, &errors));
	assert_null(world_compile(&w, world_config, 1500, own, 2, &errors));
	assert_int_equal(errors.count, 3);
	assert_string_equal(errors.list[0].code, "duplicate-claim");
	assert_string_equal(errors.list[1].code, "no-such-port");
	assert_string_equal(errors.list[2].code, "duplicate-claim");
	errors_free(&errors);
	/* A gateway that a NAT's pool holds would be answered for, and never reached. */
	assert_null(
	        world_compile(&w,
	                      "ports = ( " LAN_PORT
	                      ", { name = \"wan\"; device = \"null:\"; addresses = [ \"203.0.113.1/24\" ]; "
	                      "gateways = [ \"203.0.113.9\" ]; } );\n",
	                      1500, twice, 1, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.list[0].code, "claimed");
	assert_string_equal(errors.list[0].path, "ports[1].gateways[0]");
	errors_free(&errors);
	/* IPv6 with too small an MTU */
	assert_null(world_compile(&w, world_config, 1200, NULL, 0, &errors));
	assert_string_equal(errors.list[0].code, "mtu-too-small");
	errors_free(&errors);
	world_close(&w);
}

static const char routes_config[] =
        "ports = ( " LAN_PORT
        ", { name = \"wan\"; device = \"null:\"; addresses = [ \"203.0.113.1/24\", \"203.0.113.2/24\" ];\n"
        "  gateways = [ \"203.0.113.254\" ]; } );\n"
        "routes = ( { prefix = \"198.51.100.0/24\"; via = \"10.0.1.77\"; }, { prefix = "
        "\"198.51.100.128/25\"; port = \"wan\"; },\n"
        "  { prefix = \"192.0.2.0/24\"; action = \"blackhole\"; }, { prefix = \"192.0.3.0/24\"; action = "
        "\"reject\"; },\n"
        "  { prefix = \"192.0.3.7\"; via = \"203.0.113.9\"; }, { prefix = \"2001:db8:5::/48\"; via = "
        "\"2001:db8:1::77\"; } );\n";

static enum edge_answer ask(struct world *w, const char *dst, struct edge_decision *decision)
{
	struct packet_spec spec = { .src = strchr(dst, ':') ? "2001:db8:1::50" : "10.0.1.50", .dst = dst };

	return world_input(w, 0, world_packet(LAN, &spec), decision);
}

static void longest_prefix_wins(void **state)
{
	static const struct {
		const char *dst;
		uint16_t egress;
	} cases[] = {
		{ "198.51.100.1", LAN },    { "198.51.100.129", WAN }, { "10.0.1.9", LAN },
		{ "203.0.113.77", WAN },    { "9.9.9.9", WAN },        { "192.0.3.7", WAN },
		{ "2001:db8:5:7::1", LAN }, { "2001:db8:1::9", LAN },
	};
	struct edge_decision decision;
	struct world w;

	(void)state;
	world_open(&w, routes_config, NULL, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(ask(&w, cases[i].dst, &decision), EDGE_FORWARD);
		assert_int_equal(decision.egress, cases[i].egress);
		assert_int_equal(decision.claim_owner, 0xffff);
	}
	world_close(&w);
}

static void blackhole_reject_and_no_route(void **state)
{
	struct edge_decision decision;
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	world_open(&w, routes_config, NULL, 0);
	world_learn4(&w, LAN, "10.0.1.50", host_mac);
	world_learn6(&w, LAN, "2001:db8:1::50", host_mac);
	assert_int_equal(ask(&w, "192.0.2.7", &decision), EDGE_DONE);
	assert_int_equal(world_counter(&w, EDGE_C_BLACKHOLE), 1);
	assert_null(world_next(&w, &port));
	assert_int_equal(ask(&w, "192.0.3.8", &decision), EDGE_DONE);
	assert_int_equal(world_counter(&w, EDGE_C_REJECTED), 1);
	m = world_next_ip(&w, &port);
	assert_non_null(m);
	assert_int_equal(pkt_of(m)->icmp_type << 8 | pkt_of(m)->icmp_code, 0x300);
	assert_int_equal(pkt_ip4(m)->src_addr, ip4("10.0.1.1"));
	assert_true(packet_checksums_right(m));
	assert_int_equal(ask(&w, "2001:db8:99::1", &decision), EDGE_DONE);
	assert_int_equal(world_counter(&w, EDGE_C_NO_ROUTE), 1);
	m = world_next_ip(&w, &port);
	assert_non_null(m);
	assert_int_equal(pkt_of(m)->icmp_type << 8 | pkt_of(m)->icmp_code, 0x100);
	/* on the way out likewise */
	world_output(&w, 0,
	             world_packet(LAN, &(struct packet_spec){ .src = "10.0.1.50", .dst = "192.0.2.7" }));
	assert_int_equal(world_counter(&w, EDGE_C_BLACKHOLE), 2);
	world_output(&w, 0,
	             world_packet(LAN, &(struct packet_spec){ .src = "10.0.1.50", .dst = "203.0.113.255" }));
	assert_int_equal(world_counter(&w, EDGE_C_MULTICAST), 1);
	world_close(&w);
}

static void claims_lead_to_their_owner(void **state)
{
	struct edge_claim claims[] = {
		{ .address = ip_any("203.0.113.100"), .family = 4, .length = 32, .port = WAN, .owner = 5 },
		{ .address = ip_any("203.0.113.1"), .family = 4, .length = 32, .port = WAN, .owner = 6 },
		{ .address = ip_any("198.18.0.0"), .family = 4, .length = 16, .port = WAN, .owner = 7 },
	};
	struct packet_spec ping = {
		.src = "203.0.113.7", .dst = "203.0.113.1", .proto = IPPROTO_ICMP, .icmp_type = 8
	};
	struct edge_decision decision;
	struct world w;
	uint16_t port;

	(void)state;
	world_open(&w, world_config, claims, 3);
	assert_int_equal(ask(&w, "203.0.113.100", &decision), EDGE_FORWARD);
	assert_int_equal(decision.claim_owner, 5);
	assert_int_equal(decision.egress, WAN);
	assert_int_equal(ask(&w, "198.18.200.1", &decision), EDGE_FORWARD);
	assert_int_equal(decision.claim_owner, 7);
	/* an own address that is shared: echo requests stay here */
	assert_int_equal(ask(&w, "203.0.113.1", &decision), EDGE_FORWARD);
	assert_int_equal(decision.claim_owner, 6);
	world_learn4(&w, WAN, "203.0.113.7", host_mac);
	assert_int_equal(world_input(&w, 0, world_packet(WAN, &ping), &decision), EDGE_DONE);
	assert_non_null(world_next_ip(&w, &port));
	world_close(&w);
}

static void sessions_forget_with_a_new_table(void **state)
{
	static const char moved[] = "ports = ( " LAN_PORT ", " WAN_PORT
	                            " );\nroutes = ( { prefix = \"0.0.0.0/0\"; via = \"203.0.113.8\"; } );\n";
	struct packet_spec spec = { .src = "10.0.1.50", .dst = "9.9.9.9" };
	struct errors errors = ERRORS_NONE;
	struct session session = { 0 };
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;
	uint8_t generation;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_learn4(&w, WAN, "203.0.113.254", host_mac);
	world_learn4(&w, WAN, "203.0.113.8", other_mac);
	for (int i = 0; i < 2; i++) {
		m = world_packet(LAN, &spec);
		pkt_of(m)->session = &session;
		world_output(&w, 0, m);
		m = world_next_ip(&w, &port);
		assert_non_null(m);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), host_mac, 6);
	}
	generation = session.hop_generation;
	assert_int_not_equal(session.hop[0], 0);
	world_switch(&w, world_compile(&w, moved, 1500, NULL, 0, &errors));
	m = world_packet(LAN, &spec);
	pkt_of(m)->session = &session;
	world_output(&w, 0, m);
	m = world_next_ip(&w, &port);
	assert_non_null(m);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), other_mac, 6);
	assert_int_not_equal(session.hop_generation, generation);
	errors_free(&errors);
	world_close(&w);
}

static void generation_is_never_zero(void **state)
{
	struct errors errors = ERRORS_NONE;
	struct session session = { 0 };
	struct packet_spec spec = { .src = "10.0.1.50", .dst = "203.0.113.7" };
	uint8_t last = 0;
	struct world w;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_learn4(&w, WAN, "203.0.113.7", host_mac);
	for (int i = 0; i < 300; i++) {
		struct rte_mbuf *m = world_packet(LAN, &spec);

		pkt_of(m)->session = &session;
		world_output(&w, 0, m);
		assert_int_not_equal(session.hop_generation, 0);
		assert_int_not_equal(session.hop_generation, last);
		last = session.hop_generation;
		world_switch(&w, world_compile(&w, world_config, 1500, NULL, 0, &errors));
	}
	world_close(&w);
}

static void held_packets_follow_the_table(void **state)
{
	static const char moved[] = "ports = ( " LAN_PORT ", " WAN_PORT
	                            " );\nroutes = ( { prefix = \"9.0.0.0/8\"; via = \"10.0.1.77\"; } );\n";
	struct packet_spec spec = { .src = "10.0.1.50", .dst = "9.9.9.9", .ttl = 7 };
	struct errors errors = ERRORS_NONE;
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_learn4(&w, LAN, "10.0.1.77", other_mac);
	world_output(&w, 0, world_packet(LAN, &spec));
	world_output(&w, 1, world_packet(LAN, &spec));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 2);
	world_switch(&w, world_compile(&w, moved, 1500, NULL, 0, &errors));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 0);
	for (int i = 0; i < 2; i++) {
		m = world_next_ip(&w, &port);
		assert_non_null(m);
		assert_int_equal(port, LAN);
		assert_int_equal(pkt_ttl(m), 6);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), other_mac, 6);
	}
	world_close(&w);
}

static void shows(void **state)
{
	struct edge_claim claim = {
		.address = ip_any("203.0.113.100"), .family = 4, .length = 32, .port = WAN, .owner = 5
	};
	struct world w;
	json_t *out;

	(void)state;
	world_open(&w, routes_config, &claim, 1);
	assert_int_equal(edge_show(w.edge, w.table, "routes", &out), 0);
	assert_true(json_array_size(out) > 10);
	assert_string_equal(json_string_value(json_object_get(json_array_get(out, 0), "prefix")),
	                    "0.0.0.0/0");
	assert_string_equal(json_string_value(json_object_get(json_array_get(out, 0), "via")),
	                    "203.0.113.254");
	json_decref(out);
	assert_int_equal(edge_show(w.edge, w.table, "ports", &out), 0);
	assert_int_equal(json_array_size(out), 2);
	assert_string_equal(json_string_value(json_object_get(json_array_get(out, 0), "mac")),
	                    "02:00:00:00:01:01");
	json_decref(out);
	assert_int_equal(edge_show(w.edge, w.table, "claims", &out), 0);
	assert_int_equal(json_array_size(out), 1);
	json_decref(out);
	assert_int_equal(edge_show(w.edge, w.table, "weather", &out), -ENOENT);
	world_close(&w);
}

static void schema_is_sound(void **state)
{
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_true(schema_lint(edge_schema, &errors));
	for (unsigned i = 0; i < EDGE_COUNTERS; i++) {
		assert_non_null(edge_counters[i].name);
		assert_non_null(edge_counters[i].help);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(refuses),
		cmocka_unit_test(links_share_addresses),
		cmocka_unit_test(refuses_claims),
		cmocka_unit_test(longest_prefix_wins),
		cmocka_unit_test(blackhole_reject_and_no_route),
		cmocka_unit_test(claims_lead_to_their_owner),
		cmocka_unit_test(sessions_forget_with_a_new_table),
		cmocka_unit_test(generation_is_never_zero),
		cmocka_unit_test(held_packets_follow_the_table),
		cmocka_unit_test(shows),
		cmocka_unit_test(schema_is_sound),
	};

	return cmocka_run_group_tests(tests, world_eal, NULL);
}
