/* SPDX-License-Identifier: BSD-3-Clause */
/* ARP: resolution with hold queues, retries and failure, aging, what is believed and what is answered. */
#include "helper_edge.h"

#include <sys/mman.h>
#include <unistd.h>

#include <rte_arp.h>

static const uint8_t broadcast[6] = { 255, 255, 255, 255, 255, 255 };

static struct rte_mbuf *to_host(const char *dst, uint16_t sport)
{
	struct packet_spec spec = { .src = "10.0.1.50", .dst = dst, .sport = sport };

	return world_packet(LAN, &spec);
}

static void expect_request(struct world *w, uint16_t port, const char *target, const uint8_t *to)
{
	uint16_t by;
	struct rte_mbuf *m = world_next(w, &by);
	const uint8_t *frame;
	const struct rte_arp_hdr *arp;

	assert_non_null(m);
	frame = rte_pktmbuf_mtod(m, const uint8_t *);
	arp = (const struct rte_arp_hdr *)(frame + 14);
	assert_int_equal(by, port);
	assert_int_equal(frame[12] << 8 | frame[13], 0x0806);
	assert_memory_equal(frame, to, 6);
	assert_int_equal(arp->arp_opcode, rte_cpu_to_be_16(1));
	assert_int_equal(arp->arp_data.arp_tip, ip4(target));
	assert_int_equal(arp->arp_data.arp_sip, ip4(port == LAN ? "10.0.1.1" : "203.0.113.1"));
}

static void reply(struct world *w, uint16_t port, const char *address, const uint8_t *mac)
{
	world_control(w, world_arp(port, 2, port == LAN ? lan_mac : wan_mac, mac, address,
	                           port == LAN ? "10.0.1.1" : "203.0.113.1"));
}

static void holds_and_sends_in_order(void **state)
{
	struct world w;
	uint16_t port;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	for (uint16_t i = 0; i < 5; i++)
		world_output(&w, 0, to_host("203.0.113.7", (uint16_t)(100 + i)));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 5);
	expect_request(&w, WAN, "203.0.113.7", broadcast);
	assert_null(world_next(&w, &port));
	reply(&w, WAN, "203.0.113.7", host_mac);
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 0);
	for (uint16_t i = 0; i < 5; i++) {
		struct rte_mbuf *m = world_next_ip(&w, &port);

		assert_non_null(m);
		assert_int_equal(port, WAN);
		assert_int_equal(rte_be_to_cpu_16(pkt_of(m)->sport), 100 + i);
		assert_int_equal(pkt_ttl(m), 63);
		assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), host_mac, 6);
		assert_memory_equal(rte_pktmbuf_mtod_offset(m, uint8_t *, 6), wan_mac, 6);
	}
	world_output(&w, 0, to_host("203.0.113.7", 1));
	assert_non_null(world_next_ip(&w, &port));
	world_close(&w);
}

static void gateway_is_asked_for(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_output(&w, 0, to_host("8.8.8.8", 1));
	expect_request(&w, WAN, "203.0.113.254", broadcast);
	world_close(&w);
}

static void fails_after_three_requests(void **state)
{
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_learn4(&w, LAN, "10.0.1.50", other_mac);
	world_output(&w, 0, to_host("203.0.113.7", 1));
	world_output(&w, 0, to_host("203.0.113.7", 2));
	expect_request(&w, WAN, "203.0.113.7", broadcast);
	world_pass(&w, 1.15);
	expect_request(&w, WAN, "203.0.113.7", broadcast);
	world_pass(&w, 1.15);
	expect_request(&w, WAN, "203.0.113.7", broadcast);
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 2);
	world_pass(&w, 1.2);
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 0);
	assert_int_equal(world_counter(&w, EDGE_C_HOLD_TIMEOUT), 2);
	for (int i = 0; i < 2; i++) {
		m = world_next_ip(&w, &port);
		assert_non_null(m);
		assert_int_equal(port, LAN);
		assert_int_equal(pkt_of(m)->icmp_type, 3);
		assert_int_equal(pkt_of(m)->icmp_code, 1);
		assert_int_equal(pkt_ip4(m)->dst_addr, ip4("10.0.1.50"));
		assert_int_equal(pkt_ip4(m)->src_addr, ip4("10.0.1.1"));
	}
	/* a short while nothing is asked, then anew */
	world_skip(&w);
	world_output(&w, 0, to_host("203.0.113.7", 3));
	assert_int_equal(world_counter(&w, EDGE_C_HOLD_TIMEOUT), 3);
	world_pass(&w, 1.5);
	world_skip(&w);
	world_output(&w, 0, to_host("203.0.113.7", 4));
	expect_request(&w, WAN, "203.0.113.7", broadcast);
	world_close(&w);
}

static void hold_is_bounded(void **state)
{
	struct world w;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	/* One may have half of the room; of what is left then the next has a share. */
	for (uint16_t i = 0; i < 514; i++)
		world_output(&w, 0, to_host("203.0.113.7", (uint16_t)(1 + i)));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 512);
	assert_int_equal(world_counter(&w, EDGE_C_HOLD_FULL), 2);
	for (uint16_t i = 0; i < 68; i++)
		world_output(&w, 0, to_host("203.0.113.8", (uint16_t)(1 + i)));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 512 + 64);
	assert_int_equal(world_counter(&w, EDGE_C_HOLD_FULL), 6);
	for (unsigned i = 0; i < 1100; i++) {
		char text[32];

		snprintf(text, sizeof(text), "203.0.113.%u", 10 + i % 200);
		world_output(&w, 1, to_host(text, 1));
	}
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 512 + 64 + 1024);
	assert_int_equal(world_counter(&w, EDGE_C_HOLD_FULL), 6 + 76);
	world_close(&w);
}

static void stale_in_use_is_probed(void **state)
{
	struct world w;
	uint16_t port;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_output(&w, 0, to_host("203.0.113.7", 1));
	reply(&w, WAN, "203.0.113.7", host_mac);
	world_skip(&w);
	world_pass(&w, 50); /* reachable is over, nobody has used it: no probe */
	assert_null(world_next(&w, &port));
	world_output(&w, 0, to_host("203.0.113.7", 2));
	assert_non_null(world_next_ip(&w, &port));
	world_pass(&w, 5.3);
	expect_request(&w, WAN, "203.0.113.7", host_mac);
	reply(&w, WAN, "203.0.113.7", host_mac);
	world_pass(&w, 10);
	assert_null(world_next(&w, &port));
	world_close(&w);
}

/* An answer that nobody asked for is believed, but soon proven: the true host answers what the false one does not. */
static void unasked_answer_is_proven(void **state)
{
	struct world w;
	struct rte_mbuf *m;
	uint16_t port;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_output(&w, 0, to_host("203.0.113.7", 1));
	reply(&w, WAN, "203.0.113.7", host_mac);
	world_skip(&w);
	reply(&w, WAN, "203.0.113.7", other_mac);
	world_output(&w, 0, to_host("203.0.113.7", 2));
	m = world_next_ip(&w, &port);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), other_mac, 6);
	world_pass(&w, 5.3);
	expect_request(&w, WAN, "203.0.113.7", other_mac);
	world_pass(&w, 3.2);
	world_skip(&w);
	world_output(&w, 0, to_host("203.0.113.7", 3));
	expect_request(&w, WAN, "203.0.113.7", broadcast);
	reply(&w, WAN, "203.0.113.7", host_mac);
	m = world_next_ip(&w, &port);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), host_mac, 6);
	world_close(&w);
}

static void probe_without_answer_forgets(void **state)
{
	struct world w;
	uint16_t port;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_learn4(&w, WAN, "203.0.113.7", host_mac); /* a question makes a stale entry */
	world_output(&w, 0, to_host("203.0.113.7", 2));
	assert_non_null(world_next_ip(&w, &port));
	world_pass(&w, 5.3);
	expect_request(&w, WAN, "203.0.113.7", host_mac);
	world_output(&w, 0, to_host("203.0.113.7", 3)); /* probing goes on beside traffic */
	assert_non_null(world_next_ip(&w, &port));
	world_pass(&w, 3.5);
	world_skip(&w);
	world_output(&w, 0, to_host("203.0.113.7", 4));
	expect_request(&w, WAN, "203.0.113.7", broadcast);
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 1);
	world_close(&w);
}

static void unused_is_forgotten(void **state)
{
	struct world w;
	json_t *list;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_learn4(&w, WAN, "203.0.113.7", host_mac);
	assert_int_equal(edge_show(w.edge, w.table, "neighbours", &list), 0);
	assert_int_equal(json_array_size(list), 1);
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "state")), "stale");
	assert_string_equal(json_string_value(json_object_get(json_array_get(list, 0), "mac")),
	                    "02:00:00:00:09:01");
	json_decref(list);
	world_pass(&w, 601);
	assert_int_equal(edge_show(w.edge, w.table, "neighbours", &list), 0);
	assert_int_equal(json_array_size(list), 0);
	json_decref(list);
	world_close(&w);
}

static void new_mac_is_taken(void **state)
{
	struct world w;
	uint16_t port;
	struct rte_mbuf *m;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_learn4(&w, WAN, "203.0.113.7", host_mac);
	/* gratuitous, for a known neighbour: failover */
	world_control(&w, world_arp(WAN, 1, broadcast, other_mac, "203.0.113.7", "203.0.113.7"));
	/* gratuitous, for an unknown one: not learnt */
	world_control(&w, world_arp(WAN, 1, broadcast, other_mac, "203.0.113.8", "203.0.113.8"));
	world_output(&w, 0, to_host("203.0.113.7", 1));
	m = world_next_ip(&w, &port);
	assert_non_null(m);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), other_mac, 6);
	world_output(&w, 0, to_host("203.0.113.8", 1));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 1);
	world_close(&w);
}

static void spoofed_is_refused(void **state)
{
	static const struct {
		uint16_t operation;
		const char *sip, *tip;
	} cases[] = {
		{ 1, "203.0.113.1", "203.0.113.1" }, /* our own address */
		{ 2, "203.0.113.1", "203.0.113.1" },
		{ 1, "10.0.1.50", "203.0.113.1" },     /* of another port's subnet */
		{ 1, "192.0.2.9", "203.0.113.1" },     /* of no subnet */
		{ 1, "203.0.113.255", "203.0.113.1" }, /* broadcast */
		{ 3, "203.0.113.7", "203.0.113.1" },   /* no such operation */
	};
	struct edge_conflict conflicts[EDGE_CONFLICTS];
	struct world w;
	uint16_t port;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		world_control(&w, world_arp(WAN, cases[i].operation, broadcast, host_mac, cases[i].sip,
		                            cases[i].tip));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), 6);
	assert_int_equal(world_counter(&w, EDGE_C_CONFLICT), 2);
	edge_conflicts(w.ew[0], conflicts);
	assert_int_equal(conflicts[0].address.v4, ip4("203.0.113.1"));
	assert_int_equal(conflicts[0].packets, 2);
	assert_int_equal(conflicts[0].port, WAN);
	assert_memory_equal(conflicts[0].mac, host_mac, 6);
	assert_int_equal(conflicts[1].packets, 0);
	/* what comes back to us is no other; nor is one that only asks whether the address is free */
	world_control(&w, world_arp(WAN, 1, broadcast, wan_mac, "203.0.113.1", "203.0.113.1"));
	world_control(&w, world_arp(LAN, 1, broadcast, host_mac, "203.0.113.1", "203.0.113.1"));
	assert_int_equal(world_counter(&w, EDGE_C_CONFLICT), 2);
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), 8);
	world_control(&w, world_arp(WAN, 1, broadcast, broadcast, "203.0.113.7", "203.0.113.1"));
	assert_int_equal(world_counter(&w, EDGE_C_BAD_ARP), 9);
	world_control(&w, world_arp(WAN, 2, other_mac, host_mac, "203.0.113.7", "203.0.113.1"));
	assert_int_equal(world_counter(&w, EDGE_C_NOT_FOR_ME), 1);
	assert_null(world_next(&w, &port));
	/* an answer nobody asked for makes no entry */
	reply(&w, WAN, "203.0.113.7", host_mac);
	world_output(&w, 0, to_host("203.0.113.7", 1));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 1);
	world_close(&w);
}

static void expect_reply(struct world *w, uint16_t port, const char *target)
{
	uint16_t by;
	struct rte_mbuf *m = world_next(w, &by);
	const uint8_t *frame;
	const struct rte_arp_hdr *arp;

	assert_non_null(m);
	frame = rte_pktmbuf_mtod(m, const uint8_t *);
	arp = (const struct rte_arp_hdr *)(frame + 14);
	assert_int_equal(by, port);
	assert_int_equal(arp->arp_opcode, rte_cpu_to_be_16(2));
	assert_int_equal(arp->arp_data.arp_sip, ip4(target));
	assert_memory_equal(&arp->arp_data.arp_sha, port == LAN ? lan_mac : wan_mac, 6);
	assert_memory_equal(&arp->arp_data.arp_tha, host_mac, 6);
	assert_memory_equal(frame, host_mac, 6);
}

static void own_and_claims_are_answered(void **state)
{
	struct edge_claim claims[] = {
		{ .address = ip_any("203.0.113.100"), .family = 4, .length = 32, .port = WAN, .owner = 5 },
		{ .address = ip_any("203.0.113.128"), .family = 4, .length = 28, .port = WAN, .owner = 5 },
	};
	struct world w;
	uint16_t port;

	(void)state;
	world_open(&w, world_config, claims, 2);
	world_control(&w, world_arp(WAN, 1, broadcast, host_mac, "203.0.113.7", "203.0.113.1"));
	expect_reply(&w, WAN, "203.0.113.1");
	world_control(&w, world_arp(WAN, 1, broadcast, host_mac, "203.0.113.7", "203.0.113.100"));
	expect_reply(&w, WAN, "203.0.113.100");
	world_control(&w, world_arp(WAN, 1, broadcast, host_mac, "203.0.113.7", "203.0.113.130"));
	expect_reply(&w, WAN, "203.0.113.130");
	/* a host that tests whether an address is free */
	world_control(&w, world_arp(WAN, 1, broadcast, host_mac, "0.0.0.0", "203.0.113.100"));
	expect_reply(&w, WAN, "203.0.113.100");
	/* not on another port, and not for others */
	world_control(&w, world_arp(LAN, 1, broadcast, host_mac, "10.0.1.9", "203.0.113.100"));
	world_control(&w, world_arp(LAN, 1, broadcast, host_mac, "10.0.1.9", "203.0.113.1"));
	world_control(&w, world_arp(WAN, 1, broadcast, host_mac, "203.0.113.7", "203.0.113.8"));
	assert_null(world_next(&w, &port));
	assert_int_equal(world_counter(&w, EDGE_C_DELIVERED), 7);
	world_close(&w);
}

static void announces(void **state)
{
	struct edge_claim claim = {
		.address = ip_any("203.0.113.100"), .family = 4, .length = 32, .port = WAN, .owner = 5
	};
	struct world w;
	const char *expected[] = { "203.0.113.1", "203.0.113.100" };
	unsigned arps = 0, advertisements = 0;
	struct rte_mbuf *m;
	uint16_t port;

	(void)state;
	world_open(&w, world_config, &claim, 1);
	edge_announce(w.ew[0], w.table, WAN);
	while ((m = world_next(&w, &port)) != NULL) {
		const struct rte_arp_hdr *arp = rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, 14);

		assert_int_equal(port, WAN);
		if (pkt_parse(m, 0) == PKT_OK) {
			assert_int_equal(pkt_of(m)->icmp_type, 136);
			assert_true(packet_checksums_right(m));
			advertisements++;
			continue;
		}
		assert_in_range(arps, 0, 1);
		assert_int_equal(arp->arp_data.arp_sip, ip4(expected[arps]));
		assert_int_equal(arp->arp_data.arp_tip, ip4(expected[arps]));
		arps++;
	}
	assert_int_equal(arps, 2);
	assert_int_equal(advertisements, 1);
	world_close(&w);
}

static void announces_only_news(void **state)
{
	static const char more[] =
	        "ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"10.0.1.1/24\" ]; }, "
	        "{ name = \"wan\"; device = \"null:\"; "
	        "addresses = [ \"203.0.113.1/24\", \"203.0.113.2/24\" ]; } );\n";
	struct edge_claim claims[] = {
		{ .address = ip_any("203.0.113.100"), .family = 4, .length = 32, .port = WAN, .owner = 5 },
		{ .address = ip_any("203.0.113.101"), .family = 4, .length = 32, .port = WAN, .owner = 5 },
		{ .address = ip_any("203.0.113.128"), .family = 4, .length = 30, .port = WAN, .owner = 5 },
	};
	const char *expected[] = { "203.0.113.2", "203.0.113.101" };
	struct errors errors = ERRORS_NONE;
	struct edge_table *next;
	struct rte_mbuf *m;
	struct world w;
	uint16_t port;

	(void)state;
	world_open(&w, world_config, claims, 1);
	edge_announce_news(w.ew[0], w.table, w.table);
	assert_null(world_next(&w, &port));
	next = world_compile(&w, more, 1500, claims, 3, &errors);
	edge_announce_news(w.ew[0], w.table, next);
	world_switch(&w, next);
	for (unsigned i = 0; i < 2; i++) {
		m = world_next(&w, &port);
		assert_non_null(m);
		assert_int_equal(port, WAN);
		assert_int_equal(rte_pktmbuf_mtod_offset(m, struct rte_arp_hdr *, 14)->arp_data.arp_sip,
		                 ip4(expected[i]));
	}
	assert_null(world_next(&w, &port));
	world_close(&w);
}

/* More addresses than the table has room for, over and over: entries come back, ids never mean another neighbour. */
static void table_is_used_again(void **state)
{
	static const char config[] =
	        "ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"10.0.0.1/8\" ]; } );\n";
	struct world w;

	(void)state;
	world_open(&w, config, NULL, 0);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 9000; i++) {
			char text[32];
			struct rte_mbuf *m;

			snprintf(text, sizeof(text), "10.%u.%u.%u", round + 1, i / 200, 1 + i % 200);
			w.taken++;
			m = world_arp(LAN, 1, broadcast, host_mac, text, "10.0.0.1");
			edge_control(w.ew[0], w.table, m, w.now);
			if (w.sent_count > 3000)
				world_clear(&w);
		}
		world_pass(&w, 700);
	}
	world_control(&w, world_arp(LAN, 1, broadcast, other_mac, "10.9.9.9", "10.0.0.1"));
	world_output(&w, 1, to_host("10.9.9.9", 1));
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 0);
	world_close(&w);
}

/* A successor uses them at once, proves them soon, and has none that its own table has no place for. */
static void successor_knows_them(void **state)
{
	struct world w;
	struct rte_mbuf *m;
	uint16_t port;
	int fd;

	(void)state;
	world_open(&w, world_config, NULL, 0);
	world_learn4(&w, WAN, "203.0.113.7", host_mac);
	world_learn6(&w, LAN, "2001:db8:1::7", other_mac);
	world_output(&w, 0, to_host("203.0.113.8", 1)); /* does not answer */
	fd = edge_neighbours_save(w.edge);
	assert_int_equal(lseek(fd, 0, SEEK_END), 2 * 32); /* who has answered */
	world_pass(&w, 10);
	world_close(&w);

	world_open(&w, world_config, NULL, 0);
	edge_neighbours_recall(w.edge, fd);
	close(fd);
	edge_worker_switch(w.ew[0], w.table, w.now);
	world_output(&w, 1, to_host("203.0.113.7", 2));
	m = world_next_ip(&w, &port);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), host_mac, 6);
	assert_int_equal(world_counter(&w, EDGE_C_HELD), 0);
	world_skip(&w);
	world_pass(&w, 6);
	expect_request(&w, WAN, "203.0.113.7", host_mac); /* in use, hence asked */
	world_skip(&w);
	world_output(&w, 0, to_host("203.0.113.8", 2));
	expect_request(&w, WAN, "203.0.113.8", broadcast);
	world_pass(&w, 10);
	world_close(&w);
}

/* Whatever the file has, nobody is known whom the table could not have, and no packet goes to all. */
static void recalls_no_nonsense(void **state)
{
	uint8_t bytes[64 * 32];
	struct world w;
	int fd;

	(void)state;
	for (unsigned fill = 0; fill < 256; fill += 5) {
		json_t *shown;

		world_open(&w, world_config, NULL, 0);
		memset(bytes, (int)fill, sizeof(bytes));
		fd = memfd_create("test", 0);
		assert_int_equal(write(fd, bytes, sizeof(bytes) - fill), sizeof(bytes) - fill);
		edge_neighbours_recall(w.edge, fd);
		close(fd);
		edge_worker_switch(w.ew[0], w.table, w.now);
		assert_int_equal(edge_show(w.edge, w.table, "neighbours", &shown), 0);
		assert_int_equal(json_array_size(shown), 0);
		json_decref(shown);
		world_close(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_and_sends_in_order),
		cmocka_unit_test(gateway_is_asked_for),
		cmocka_unit_test(fails_after_three_requests),
		cmocka_unit_test(hold_is_bounded),
		cmocka_unit_test(stale_in_use_is_probed),
		cmocka_unit_test(unasked_answer_is_proven),
		cmocka_unit_test(probe_without_answer_forgets),
		cmocka_unit_test(unused_is_forgotten),
		cmocka_unit_test(new_mac_is_taken),
		cmocka_unit_test(spoofed_is_refused),
		cmocka_unit_test(own_and_claims_are_answered),
		cmocka_unit_test(announces),
		cmocka_unit_test(announces_only_news),
		cmocka_unit_test(table_is_used_again),
		cmocka_unit_test(successor_knows_them),
		cmocka_unit_test(recalls_no_nonsense),
	};

	return cmocka_run_group_tests(tests, world_eal, NULL);
}
