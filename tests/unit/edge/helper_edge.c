/* SPDX-License-Identifier: BSD-3-Clause */
#include "helper_edge.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include <rte_arp.h>
#include <rte_eal.h>
#include <rte_ether.h>
#include <rte_mempool.h>

#include "config/schema.h"

enum { POOL = 4095, WAN_MTU = 1500 };

const uint8_t lan_mac[6] = { 2, 0, 0, 0, 1, 1 }, wan_mac[6] = { 2, 0, 0, 0, 2, 1 };
const uint8_t host_mac[6] = { 2, 0, 0, 0, 9, 1 }, other_mac[6] = { 2, 0, 0, 0, 9, 2 };
const char world_config[] = "ports = ( { name = \"lan\"; device = \"null:\"; addresses = [ \"10.0.1.1/24\", "
                            "\"2001:db8:1::1/64\" ]; },\n"
                            "          { name = \"wan\"; device = \"null:\"; addresses = [ "
                            "\"203.0.113.1/24\", \"2001:db8:2::1/64\" ];\n"
                            "            gateways = [ \"203.0.113.254\", \"2001:db8:2::fe\" ]; } );\n";

static struct rte_mempool *pool;

int world_eal(void **state)
{
	char *arguments[] = {
		"test",        "--no-huge",     "-m", "64", "--no-pci", "--no-shconf", "--no-telemetry",
		"--log-level", "lib.eal:error", "-l", "0",  NULL
	};
	int count = (int)(sizeof(arguments) / sizeof(arguments[0])) - 3;

	(void)state;
	if (rte_eal_init(count, arguments) < 0)
		return -1;
	pool = rte_pktmbuf_pool_create("test", POOL, 0, PKT_PRIVATE_SIZE, 2048 + 128, 0);
	return pool ? 0 : -1;
}

static void transmit(void *context, uint16_t port, struct rte_mbuf *m)
{
	struct world *w = context;

	assert_true(w->sent_count < SENT_MAX);
	assert_null(m->next);
	w->sent[w->sent_count++] = (struct sent){ m, port };
}

static void transmit_burst(void *context, uint16_t port, struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		transmit(context, port, m[i]);
}

static struct rte_mbuf *fresh(void *context)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);

	(void)context;
	if (m)
		memset(pkt_of(m), 0, sizeof(struct pkt));
	return m;
}

static void turn(void *context, struct rte_mbuf *offending, struct rte_mbuf *error)
{
	struct world *w = context;

	assert_non_null(pkt_of(offending)->session);
	w->turned++;
	rte_pktmbuf_free(w->last_turned);
	w->last_turned = error;
}

static const struct edge_ops ops = { transmit, transmit_burst, fresh, turn, NULL };

static void print_errors(const struct errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		print_message("%s: %s\n", errors->list[i].path ? errors->list[i].path : "-",
		              errors->list[i].detail);
}

struct edge_table *world_compile(struct world *w, const char *config, uint16_t wan_mtu,
                                 const struct edge_claim *claims, unsigned claim_count, struct errors *errors)
{
	struct edge_port_info ports[] = { { .name = "lan", .number = LAN, .mtu = 1500 },
		                          { .name = "wan", .number = WAN, .mtu = wan_mtu } };
	struct conf *c = conf_read_text(config, "test.cfg", errors);
	struct edge_table *table;

	memcpy(ports[0].mac, lan_mac, 6);
	memcpy(ports[1].mac, wan_mac, 6);
	assert_non_null(c);
	if (!schema_check(edge_schema, c, errors)) {
		conf_free(c);
		return NULL;
	}
	schema_defaults(edge_schema, c);
	table = edge_compile(w->edge, c, ports, 2, claims, claim_count, w->table, errors);
	conf_free(c);
	return table;
}

void world_open(struct world *w, const char *config, const struct edge_claim *claims, unsigned claim_count)
{
	struct errors errors = ERRORS_NONE;

	memset(w, 0, sizeof(*w));
	w->now = 1000 * SECOND;
	w->edge = edge_new(2, &errors);
	assert_non_null(w->edge);
	for (unsigned i = 0; i < 2; i++) {
		w->ew[i] = edge_worker_new(w->edge, i, &ops, w, &errors);
		assert_non_null(w->ew[i]);
	}
	w->table = world_compile(w, config, WAN_MTU, claims, claim_count, &errors);
	print_errors(&errors);
	assert_non_null(w->table);
	errors_free(&errors);
}

uint64_t world_counter(const struct world *w, enum edge_counter counter)
{
	return edge_worker_counters(w->ew[0])[counter] + edge_worker_counters(w->ew[1])[counter];
}

static void check_balance(const struct world *w)
{
	uint64_t in = w->taken + world_counter(w, EDGE_C_ORIGINATED);
	uint64_t out = w->cleared + w->sent_count + w->turned + w->forwarded +
	               world_counter(w, EDGE_C_DELIVERED) + world_counter(w, EDGE_C_HELD) +
	               world_counter(w, EDGE_C_GATHERED);

	for (unsigned i = 0; i < EDGE_COUNTERS; i++)
		if (edge_counters[i].drop)
			out += world_counter(w, i);
	assert_int_equal(in, out);
}

void world_clear(struct world *w)
{
	for (unsigned i = 0; i < w->sent_count; i++)
		rte_pktmbuf_free(w->sent[i].m);
	w->cleared += w->sent_count;
	w->sent_count = w->seen = 0;
}

void world_close(struct world *w)
{
	check_balance(w);
	world_clear(w);
	rte_pktmbuf_free(w->last_turned);
	for (unsigned i = 0; i < 2; i++)
		edge_worker_free(w->ew[i]);
	edge_table_free(w->table);
	edge_free(w->edge);
	assert_int_equal(rte_mempool_avail_count(pool), POOL);
	assert_int_equal(packet_live(), 0);
}

void world_switch(struct world *w, struct edge_table *table)
{
	for (unsigned i = 0; i < 2; i++)
		edge_worker_switch(w->ew[i], table, w->now);
	edge_table_free(w->table);
	w->table = table;
}

void world_pass(struct world *w, double seconds)
{
	uint64_t end = w->now + (uint64_t)(seconds * (double)SECOND);

	while (w->now < end) {
		w->now = end - w->now > SECOND / 10 ? w->now + SECOND / 10 : end;
		for (unsigned i = 0; i < 2; i++)
			edge_tick(w->ew[i], w->table, w->now);
	}
}

struct rte_mbuf *world_frame(uint16_t port, const void *bytes, uint16_t length)
{
	struct rte_mbuf *m = fresh(NULL);

	assert_non_null(m);
	memcpy(rte_pktmbuf_append(m, length), bytes, length);
	pkt_parse(m, 0);
	pkt_of(m)->in_port = port;
	return m;
}

struct rte_mbuf *world_packet(uint16_t port, const struct packet_spec *spec)
{
	struct packet_spec full = *spec;
	struct rte_mbuf *built, *m;

	full.dmac = spec->dmac ? spec->dmac : port == LAN ? lan_mac : wan_mac;
	full.smac = spec->smac ? spec->smac : host_mac;
	built = packet_build(&full);
	m = world_frame(port, rte_pktmbuf_mtod(built, void *), rte_pktmbuf_data_len(built));
	packet_free(built);
	return m;
}

uint32_t ip4(const char *text)
{
	return inet_addr(text);
}

union ipaddr ip_any(const char *text)
{
	union ipaddr ip = { .halves = { 0, 0 } };

	assert_int_equal(inet_pton(strchr(text, ':') ? AF_INET6 : AF_INET, text, &ip), 1);
	return ip;
}

struct rte_mbuf *world_arp(uint16_t port, uint16_t operation, const uint8_t *dmac, const uint8_t *sha,
                           const char *sip, const char *tip)
{
	uint8_t frame[60] = { 0 };
	struct rte_arp_hdr *arp = (struct rte_arp_hdr *)(frame + 14);

	memcpy(frame, dmac, 6);
	memcpy(frame + 6, sha, 6);
	frame[12] = 0x08;
	frame[13] = 0x06;
	*arp = (struct rte_arp_hdr){ .arp_hardware = rte_cpu_to_be_16(1),
		                     .arp_protocol = rte_cpu_to_be_16(0x0800),
		                     .arp_hlen = 6,
		                     .arp_plen = 4,
		                     .arp_opcode = rte_cpu_to_be_16(operation),
		                     .arp_data = { .arp_sip = ip4(sip), .arp_tip = ip4(tip) } };
	memcpy(&arp->arp_data.arp_sha, sha, 6);
	return world_frame(port, frame, sizeof(frame));
}

struct rte_mbuf *world_nd(uint16_t port, uint8_t type, uint8_t flags, const char *src, const char *dst,
                          const char *target, const uint8_t *mac, uint8_t hop_limit)
{
	uint8_t payload[24] = { 0 };
	union ipaddr address = ip_any(target), group = ip_any(dst);
	uint8_t dmac[6] = { 0x33, 0x33, group.bytes[12], group.bytes[13], group.bytes[14], group.bytes[15] };
	struct packet_spec spec = { .src = src,
		                    .dst = dst,
		                    .proto = IPPROTO_ICMPV6,
		                    .ttl = hop_limit,
		                    .icmp_type = type,
		                    .payload = payload,
		                    .length = mac ? 24 : 16,
		                    .icmp_id = (uint16_t)(flags << 8),
		                    .smac = mac };

	if (group.bytes[0] == 0xff)
		spec.dmac = dmac;
	memcpy(payload, address.bytes, 16);
	payload[16] = type == 135 ? 1 : 2;
	payload[17] = 1;
	if (mac)
		memcpy(payload + 18, mac, 6);
	return world_packet(port, &spec);
}

enum edge_answer world_input(struct world *w, unsigned worker, struct rte_mbuf *m,
                             struct edge_decision *decision)
{
	enum edge_answer answer = edge_input(w->ew[worker], w->table, m, w->now, decision);

	w->taken++;
	if (answer == EDGE_FORWARD) {
		w->forwarded++;
		rte_pktmbuf_free(m);
	}
	return answer;
}

void world_control(struct world *w, struct rte_mbuf *m)
{
	assert_true(edge_is_control(m));
	w->taken++;
	edge_control(w->ew[0], w->table, m, w->now);
}

void world_output(struct world *w, unsigned worker, struct rte_mbuf *m)
{
	w->taken++;
	edge_output(w->ew[worker], w->table, &m, 1, EDGE_NO_PORT, w->now);
}

void world_learn4(struct world *w, uint16_t port, const char *address, const uint8_t *mac)
{
	world_control(w, world_arp(port, 1, (const uint8_t[]){ 255, 255, 255, 255, 255, 255 }, mac, address,
	                           port == LAN ? "10.0.1.1" : "203.0.113.1"));
	world_skip(w);
}

void world_learn6(struct world *w, uint16_t port, const char *address, const uint8_t *mac)
{
	world_control(w, world_nd(port, 135, 0, address, "ff02::1:ff00:1",
	                          port == LAN ? "2001:db8:1::1" : "2001:db8:2::1", mac, 255));
	world_skip(w);
}

struct rte_mbuf *world_next(struct world *w, uint16_t *port)
{
	if (w->seen == w->sent_count)
		return NULL;
	*port = w->sent[w->seen].port;
	return w->sent[w->seen++].m;
}

struct rte_mbuf *world_next_ip(struct world *w, uint16_t *port)
{
	struct rte_mbuf *m;

	while ((m = world_next(w, port)) != NULL) {
		assert_int_not_equal(pkt_of(m)->l3, 0);
		if (pkt_parse(m, PARSE_VERIFY_IP_CHECKSUM) != PKT_OK || edge_is_control(m))
			continue;
		return m;
	}
	return NULL;
}

void world_skip(struct world *w)
{
	w->seen = w->sent_count;
}
