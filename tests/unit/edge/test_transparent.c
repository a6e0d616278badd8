/* SPDX-License-Identifier: BSD-3-Clause */
/* The transparent edge alone: pairs and what is said against them, frames that pass untouched, errors in the name of destinations. */
#include "helper_edge.h"

#include <rte_ether.h>

#define PORTS                                                                                            \
	"ports = ( { name = \"lan\"; device = \"null:\"; pair = \"wan\"; }, { name = \"wan\"; device = " \
	"\"null:\"; } );\n"
static const char wire[] = "mode = \"transparent\";\n" PORTS;

static struct world w;

static void refuses(const char *config, const char *code)
{
	struct errors errors = ERRORS_NONE;

	assert_null(world_compile(&w, config, 1500, NULL, 0, &errors));
	assert_true(errors.count > 0);
	assert_string_equal(errors.list[0].code, code);
	errors_free(&errors);
}

static void configurations(void **state)
{
	(void)state;
	world_open(&w, wire, NULL, 0);
	assert_int_equal(edge_pair(w.table, LAN), WAN);
	assert_int_equal(edge_pair(w.table, WAN), LAN);
	assert_int_equal(edge_pair(w.table, 7), EDGE_NO_PORT);
	refuses("mode = \"routed\";\n" PORTS, "needs-transparent");
	refuses("unmatched = \"pass\"; ports = ( { name = \"lan\"; device = \"null:\"; } );",
	        "needs-transparent");
	refuses("mode = \"transparent\"; unmatched = \"route\";\n" PORTS, "needs-routed");
	refuses("mode = \"transparent\"; routes = ( { prefix = \"10.0.0.0/8\"; action = \"reject\"; } "
	        ");\n" PORTS,
	        "needs-routed");
	refuses("mode = \"transparent\"; ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ "
	        "\"10.0.0.1/8\" ]; "
	        "pair = \"wan\"; }, { name = \"wan\"; device = \"null:\"; } );",
	        "needs-routed");
	refuses("mode = \"transparent\"; ports = ( { name = \"lan\"; device = \"null:\"; }, { name = "
	        "\"wan\"; device = "
	        "\"null:\"; } );",
	        "no-pair");
	refuses("mode = \"transparent\"; ports = ( { name = \"lan\"; device = \"null:\"; pair = \"lan\"; } "
	        ");",
	        "own-pair");
	refuses("mode = \"transparent\"; ports = ( { name = \"lan\"; device = \"null:\"; pair = \"dmz\"; } "
	        ");",
	        "no-such-port");
	world_close(&w);
}

/* Whatever its addresses, MACs, TTL and tags: it leaves by the other port, and is the same bytes. */
static void frames(void **state)
{
	const struct packet_spec specs[] = {
		{ .ttl = 1 },
		{ .src = "2001:db8::1", .ttl = 1 },
		{ .vlan = { 5, 7 }, .dst = "224.0.0.5" },
		{ .dmac = other_mac, .dst = "192.0.2.1", .pad = 9, .length = 1 },
	};

	(void)state;
	world_open(&w, wire, NULL, 0);
	for (unsigned i = 0; i < RTE_DIM(specs); i++) {
		struct rte_mbuf *m = world_packet(WAN, &specs[i]), *copy = packet_clone(m), *out;
		struct edge_decision decision;
		uint16_t port;

		assert_int_equal(world_input(&w, 1, m, &decision), EDGE_FORWARD);
		assert_int_equal(decision.egress, LAN);
		world_output(&w, 1, m);
		out = world_next(&w, &port);
		assert_non_null(out);
		assert_int_equal(port, LAN);
		assert_true(packet_same(copy, out));
		packet_free(copy);
	}
	world_close(&w);
}

static void send_frame(uint16_t ethertype, uint8_t last, bool passes)
{
	uint8_t frame[60] = {
		0x01, 0x80, 0xc2, 0, 0, last, 2, 0, 0, 0, 0, 1, (uint8_t)(ethertype >> 8), (uint8_t)ethertype
	};
	uint64_t before = world_counter(&w, EDGE_C_NOT_PASSED);
	uint16_t port;

	world_control(&w, world_frame(LAN, frame, sizeof(frame)));
	assert_int_equal(world_next(&w, &port) != NULL, passes);
	assert_int_equal(world_counter(&w, EDGE_C_NOT_PASSED) - before, !passes);
	if (passes)
		assert_int_equal(port, WAN);
}

static void kinds(void **state)
{
	const struct {
		const char *config;
		bool arp, lldp, other;
	} cases[] = {
		{ "mode = \"transparent\";\n" PORTS, true, false, false },
		{ "mode = \"transparent\"; linkLocal = \"pass\";\n" PORTS, true, true, false },
		{ "mode = \"transparent\"; nonIp = \"pass\";\n" PORTS, true, false, true },
		{ "mode = \"transparent\"; neighbours = \"drop\"; nonIp = \"pass\";\n" PORTS, false, false,
		  true },
	};

	(void)state;
	for (unsigned i = 0; i < RTE_DIM(cases); i++) {
		world_open(&w, cases[i].config, NULL, 0);
		send_frame(RTE_ETHER_TYPE_ARP, 0x20, cases[i].arp);
		send_frame(RTE_ETHER_TYPE_LLDP, 0x0e, cases[i].lldp);
		send_frame(RTE_ETHER_TYPE_MPLS, 0x20, cases[i].other);
		world_control(&w, world_nd(LAN, 135, 0, "2001:db8::1", "ff02::1:ff00:2", "2001:db8::2",
		                           host_mac, 255));
		assert_int_equal(world_next(&w, &(uint16_t){ 0 }) != NULL, cases[i].arp);
		world_close(&w);
	}
}

/* A host that sends too much hears of it from the one it meant, by the wire it came from. */
static void too_big(void **state)
{
	const struct packet_spec spec = {
		.src = "2001:db8::1", .vlan = { 9 }, .smac = host_mac, .dmac = other_mac, .length = 1400
	};
	struct errors errors = ERRORS_NONE;
	struct rte_mbuf *answer;
	uint16_t port;
	uint8_t *frame;

	(void)state;
	world_open(&w, wire, NULL, 0);
	world_switch(&w, world_compile(&w, wire, 1300, NULL, 0, &errors));
	world_output(&w, 0, world_packet(LAN, &spec));
	assert_int_equal(world_counter(&w, EDGE_C_TOO_BIG), 1);
	answer = world_next(&w, &port);
	assert_non_null(answer);
	assert_int_equal(port, LAN);
	frame = rte_pktmbuf_mtod(answer, uint8_t *);
	assert_memory_equal(frame, host_mac, 6);
	assert_memory_equal(frame + 6, other_mac, 6);
	assert_int_equal(pkt_parse(answer, 0), PKT_OK);
	assert_int_equal(pkt_of(answer)->vlan[0], 9);
	assert_int_equal(pkt_of(answer)->icmp_type, 2);
	assert_memory_equal(pkt_ip6(answer)->src_addr, ip_any("2001:db8::2").bytes, 16);
	assert_memory_equal(pkt_ip6(answer)->dst_addr, ip_any("2001:db8::1").bytes, 16);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(configurations),
		cmocka_unit_test(frames),
		cmocka_unit_test(kinds),
		cmocka_unit_test(too_big),
	};

	return cmocka_run_group_tests(tests, world_eal, NULL);
}
