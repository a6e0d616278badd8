/* SPDX-License-Identifier: BSD-3-Clause */
/* Neighbour discovery: resolution, the override flag, what is believed and what is answered. */
#include "helper_edge.h"

#include <arpa/inet.h>

enum { SOLICITATION = 135, ADVERTISEMENT = 136, OVERRIDE = 0x20, SOLICITED = 0x40 };

static struct rte_mbuf *to_host(const char *dst, uint16_t sport)
{
	struct packet_spec spec = { .src = "2001:db8:1::50", .dst = dst, .sport = sport };

	return world_packet(LAN, &spec);
}

/* The next message that was sent must be of this type and about this target; returns it parsed. */
static struct rte_mbuf *expect_nd(struct world *w, uint16_t port, uint8_t type, const char *target,
                                  const char *dst)
{
	uint16_t by;
	struct rte_mbuf *m = world_next(w, &by);
	union ipaddr about = ip_any(target), to = ip_any(dst);

	assert_non_null(m);
	assert_int_equal(by, port);
	assert_int_equal(pkt_parse(m, 0), PKT_OK);
	assert_true(packet_checksums_right(m));
	assert_int_equal(pkt_of(m)->icmp_type, type);
	assert_int_equal(pkt_ttl(m), 255);
	assert_memory_equal(pkt_ip6(m)->dst_addr, to.bytes, 16);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 40 + 8), about.bytes, 16);
	assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 40 + 26),
	                    port == LAN ? lan_mac : wan_mac, 6);
	return m;
}

static void advertise(struct world *w, const char *target, const uint8_t *mac, uint8_t flags)
{
	world_control(w, world_nd(WAN, ADVERTISEMENT, flags, target,
	                          flags & SOLICITED ? "2001:db8:2::1" : "ff02::1", target, mac, 255));
}

static void expect_mac(struct world *w, const char *dst, const uint8_t *mac)
{
	uint16_t port;
	struct rte_mbuf *m;

	world_skip(w);
	world_output(w, 0, to_host(dst, 1));
	m = world_next_ip(w, &port);
	assert_non_null(m);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), mac, 6);
}

static void holds_and_sends_in_order(void **state)
{
	static const uint8_t group_mac[6] = { 0x33, 0x33, 0xff, 0x00, 0x00, 0x77 };
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	for (uint16_t i = 0; i < 5; i++)
		world_output(&w, 0, to_host("2001:db8:2::77", (uint16_t)(100 + i)));
	m = expect_nd(&w, WAN, SOLICITATION, "2001:db8:2::77", "ff02::1:ff00:77");
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), group_mac, 6);
	assert_null(world_next(&w, &port));
	advertise(&w, "2001:db8:2::77", host_mac, SOLICITED | OVERRIDE);
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 0);
	for (uint16_t i = 0; i < 5; i++) {
		m = world_next_ip(&w, &port);
		assert_non_null(m);
		assert_int_equal(rte_be_to_cpu_16(pkt_of(m)->sport), 100 + i);
		assert_int_equal(pkt_ttl(m), 63);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), host_mac, 6);
	}
	world_close(&w);
}

static void fails_with_unreachable(void **state)
{
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_learn6(&w, LAN, "2001:db8:1::50", other_mac);
	world_output(&w, 0, to_host("2001:db8:2::77", 1));
	world_pass(&w, 3.5);
	assert_int_equal(world_counter(&w, EDGE_C_HOLD_TIMEOUT), 1);
	m = world_next_ip(&w, &port);
	assert_non_null(m);
	assert_int_equal(port, LAN);
	assert_int_equal(pkt_of(m)->icmp_type, 1);
	assert_int_equal(pkt_of(m)->icmp_code, 3);
	assert_true(packet_checksums_right(m));
	assert_int_equal(w.sent_count,
	                 1 + 3 + 1); /* the answer to the host, three solicitations, the error */
	world_close(&w);
}

/* RFC 4861, section 7.2.5. */
static void override_is_honoured(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_output(&w, 0, to_host("2001:db8:2::77", 1));
	advertise(&w, "2001:db8:2::77", host_mac, SOLICITED);
	expect_mac(&w, "2001:db8:2::77", host_mac);
	advertise(&w, "2001:db8:2::77", other_mac, 0);
	expect_mac(&w, "2001:db8:2::77", host_mac);
	advertise(&w, "2001:db8:2::77", other_mac, OVERRIDE);
	expect_mac(&w, "2001:db8:2::77", other_mac);
	/* an entry without a MAC is not made by an answer that has none */
	world_skip(&w);
	world_output(&w, 0, to_host("2001:db8:2::78", 1));
	world_control(&w, world_nd(WAN, ADVERTISEMENT, SOLICITED, "2001:db8:2::78", "2001:db8:2::1",
	                           "2001:db8:2::78", NULL, 255));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 1);
	/* nor by one that nobody asked for */
	advertise(&w, "2001:db8:2::79", host_mac, OVERRIDE);
	world_output(&w, 0, to_host("2001:db8:2::79", 1));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 2);
	world_close(&w);
}

static void own_and_claims_are_answered(void **state)
{
	struct edge_claim claim = {
		.address = ip_any("2001:db8:2::100"), .family = 6, .length = 128, .port = WAN, .owner = 5
	};
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;
	char link_local[] = "fe80::ff:fe00:201";

	(void)state;
	world_open(&w, world_config, &claim, 1);
	world_control(&w, world_nd(WAN, SOLICITATION, 0, "2001:db8:2::7", "ff02::1:ff00:1", "2001:db8:2::1",
	                           host_mac, 255));
	m = expect_nd(&w, WAN, ADVERTISEMENT, "2001:db8:2::1", "2001:db8:2::7");
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), host_mac, 6);
	assert_int_equal(*rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 40 + 4), 0xe0);
	world_control(&w, world_nd(WAN, SOLICITATION, 0, "fe80::7", "ff02::1:ff00:100", "2001:db8:2::100",
	                           host_mac, 255));
	expect_nd(&w, WAN, ADVERTISEMENT, "2001:db8:2::100", "fe80::7");
	world_control(
	        &w, world_nd(WAN, SOLICITATION, 0, "fe80::7", "ff02::1:ff00:201", link_local, host_mac, 255));
	expect_nd(&w, WAN, ADVERTISEMENT, link_local, "fe80::7");
	/* duplicate address detection of somebody else */
	world_control(&w, world_nd(WAN, SOLICITATION, 0, "::", "ff02::1:ff00:1", "2001:db8:2::1", NULL, 255));
	expect_nd(&w, WAN, ADVERTISEMENT, "2001:db8:2::1", "ff02::1");
	/* neither on another port nor for others */
	world_control(&w, world_nd(LAN, SOLICITATION, 0, "2001:db8:1::7", "ff02::1:ff00:1", "2001:db8:2::1",
	                           host_mac, 255));
	world_control(&w, world_nd(WAN, SOLICITATION, 0, "2001:db8:2::7", "ff02::1:ff00:8", "2001:db8:2::8",
	                           host_mac, 255));
	assert_null(world_next(&w, &port));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), 0);
	world_close(&w);
}

static void wrong_messages_are_refused(void **state)
{
	static const uint8_t group[6] = { 0x33, 0x33, 0, 0, 0, 1 };
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;
	unsigned bad = 0;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	/* forwarded */
	world_control(&w, world_nd(WAN, SOLICITATION, 0, "2001:db8:2::7", "ff02::1:ff00:1", "2001:db8:2::1",
	                           host_mac, 254));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), ++bad);
	/* from off the link, from our own address */
	world_control(&w, world_nd(WAN, SOLICITATION, 0, "2001:db8:9::7", "ff02::1:ff00:1", "2001:db8:2::1",
	                           host_mac, 255));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), ++bad);
	world_control(&w, world_nd(WAN, SOLICITATION, 0, "2001:db8:2::1", "ff02::1:ff00:1", "2001:db8:2::1",
	                           host_mac, 255));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), ++bad);
	/* from nowhere, but with a MAC */
	world_control(&w,
	              world_nd(WAN, SOLICITATION, 0, "::", "ff02::1:ff00:1", "2001:db8:2::1", host_mac, 255));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), ++bad);
	/* about an address of ours, and about a group */
	world_control(&w, world_nd(WAN, ADVERTISEMENT, OVERRIDE, "fe80::7", "ff02::1", "2001:db8:2::1",
	                           host_mac, 255));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), ++bad);
	world_control(&w,
	              world_nd(WAN, ADVERTISEMENT, OVERRIDE, "fe80::7", "ff02::1", "ff02::7", host_mac, 255));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), ++bad);
	assert_int_equal(world_counter(&w, EDGE_C_CONFLICT), 2);
	/* solicited, to everybody */
	world_control(&w, world_nd(WAN, ADVERTISEMENT, SOLICITED, "fe80::7", "ff02::1", "2001:db8:2::7",
	                           host_mac, 255));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), ++bad);
	/* a MAC that is a group's */
	world_control(&w, world_nd(WAN, SOLICITATION, 0, "2001:db8:2::7", "ff02::1:ff00:1", "2001:db8:2::1",
	                           group, 255));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), ++bad);
	/* a wrong checksum, an option of length 0 */
	m = world_nd(WAN, SOLICITATION, 0, "2001:db8:2::7", "ff02::1:ff00:1", "2001:db8:2::1", host_mac, 255);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 40 + 8 + 3) ^= 1;
	world_control(&w, m);
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), ++bad);
	m = world_nd(WAN, SOLICITATION, 0, "2001:db8:2::7", "ff02::1:ff00:1", "2001:db8:2::1", host_mac, 255);
	*rte_pktmbuf_mtod_offset(m, uint8_t *, 14 + 40 + 8 + 17) = 0;
	pkt_checksums(m);
	world_control(&w, m);
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), ++bad);
	assert_null(world_next(&w, &port));
	world_close(&w);
}

static void others_are_taken_in(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_control(&w, world_nd(WAN, 134, 0, "fe80::7", "ff02::1", "::", host_mac, 255));
	assert_int_equal(world_counter(&w, EDGE_C_DELIVERED), 1);
	world_control(&w, world_nd(WAN, 143, 0, "fe80::7", "ff02::16", "::", host_mac, 1));
	assert_int_equal(world_counter(&w, EDGE_C_MULTICAST), 1);
	assert_int_equal(w.sent_count, 0);
	world_close(&w);
}

static void link_local_gateway(void **state)
{
	static const char config[] =
	        "ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"2001:db8:1::1/64\" ]; },\n"
	        "          { name = \"wan\"; device = \"null:\"; addresses = [ \"2001:db8:2::1/64\" ]; "
	        "gateways = [ \"fe80::99\" ]; } );\n";
	struct world w;

	(void)state;
	world_open(&w, config, NULL, 0);
	world_output(&w, 0, to_host("2001:db8:ffff::1", 1));
	expect_nd(&w, WAN, SOLICITATION, "fe80::99", "ff02::1:ff00:99");
	world_control(&w, world_nd(WAN, ADVERTISEMENT, SOLICITED | OVERRIDE, "fe80::99", "fe80::ff:fe00:201",
	                           "fe80::99", host_mac, 255));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 0);
	world_close(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_and_sends_in_order),   cmocka_unit_test(fails_with_unreachable),
		cmocka_unit_test(override_is_honoured),       cmocka_unit_test(own_and_claims_are_answered),
		cmocka_unit_test(wrong_messages_are_refused), cmocka_unit_test(others_are_taken_in),
		cmocka_unit_test(link_local_gateway),
	};

	return cmocka_run_group_tests(tests, world_eal, NULL);
}
