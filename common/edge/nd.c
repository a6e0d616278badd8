/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Neighbour discovery (RFC 4861) in and out: solicitations and advertisements. Router messages and redirects are taken in
 * and not acted on: our routes come from the configuration. Worker 0.
 */
#include "edge/private.h"
#include "packet/icmp_types.h"

enum {
	OPTION_SOURCE_MAC = 1,
	OPTION_TARGET_MAC = 2,
	FLAG_ROUTER = 0x80,
	FLAG_SOLICITED = 0x40,
	FLAG_OVERRIDE = 0x20,
	HOP_LIMIT = 255,
};

struct nd_message {
	uint8_t type, code;
	uint16_t checksum;
	uint8_t flags, reserved[3];
	uint8_t target[16];
	uint8_t option_type, option_length, option_mac[6];
};
enum { ND_FIXED = offsetof(struct nd_message, option_type) };
static_assert(sizeof(struct nd_message) == 32, "as on the wire");

struct nd_frame {
	struct rte_ether_hdr ether;
	struct rte_ipv6_hdr ip;
	struct nd_message nd;
} __attribute__((packed, aligned(2)));

static const union ipaddr all_nodes = { .bytes = { 0xff, 2, [15] = 1 } };
static const uint8_t unspecified[16];

/* RFC 4291, section 2.7.1. */
static union ipaddr solicited_node(const union ipaddr *address)
{
	union ipaddr group = { .bytes = { 0xff, 2, [11] = 1, [12] = 0xff } };

	memcpy(group.bytes + 13, address->bytes + 13, 3);
	return group;
}

/* Finds the option with a MAC; false: the options are malformed (RFC 4861, section 7.1: length 0). */
static bool read_options(const uint8_t *at, size_t left, uint8_t wanted, struct neighbour_news *news)
{
	while (left > 0) {
		size_t length = left >= 2 ? (size_t)at[1] * 8 : 0;

		if (length == 0 || length > left)
			return false;
		if (at[0] == wanted && length == 8) {
			news->has_mac = true;
			memcpy(news->mac, at + 2, 6);
		}
		at += length;
		left -= length;
	}
	return !news->has_mac ||
	       rte_is_valid_assigned_ether_addr((const struct rte_ether_addr *)(const void *)news->mac);
}

/* What all messages must be: never forwarded, whole, true (RFC 4861, section 7.1; RFC 6980). */
static bool well_formed(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);

	return pkt_ip6(m)->hop_limits == HOP_LIMIT && p->icmp_code == 0 && !(p->flags & PKT_FRAGMENT) &&
	       p->end <= rte_pktmbuf_data_len(m) && pkt_transport_checksum_ok(m);
}

static struct rte_mbuf *nd_frame_new(struct edge_worker *ew, const struct edge_table *table, uint16_t port,
                                     const union ipaddr *source, const union ipaddr *destination,
                                     const uint8_t *to, const struct nd_message *message)
{
	struct rte_mbuf *m = edge_originate(ew, port, sizeof(struct nd_frame));
	struct nd_frame *frame;

	if (!m)
		return NULL;
	frame = rte_pktmbuf_mtod(m, struct nd_frame *);
	frame->ether.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV6);
	memcpy(&frame->ether.src_addr, table->ports[port].mac, 6);
	if (to)
		memcpy(&frame->ether.dst_addr, to, 6);
	else
		memcpy(&frame->ether.dst_addr, (const uint8_t[]){ 0x33, 0x33 }, 2);
	if (!to)
		memcpy(frame->ether.dst_addr.addr_bytes + 2, destination->bytes + 12, 4);
	frame->ip.vtc_flow = rte_cpu_to_be_32(6u << 28);
	frame->ip.payload_len = rte_cpu_to_be_16(sizeof(frame->nd));
	frame->ip.proto = IPPROTO_ICMPV6;
	frame->ip.hop_limits = HOP_LIMIT;
	memcpy(frame->ip.src_addr, source->bytes, 16);
	memcpy(frame->ip.dst_addr, destination->bytes, 16);
	frame->nd = *message;
	memcpy(frame->nd.option_mac, table->ports[port].mac, 6);
	frame->nd.checksum = rte_ipv6_udptcp_cksum(&frame->ip, &frame->nd);
	return m;
}

static void nd_send(struct edge_worker *ew, const struct edge_table *table, uint16_t port,
                    const union ipaddr *source, const union ipaddr *destination, const uint8_t *to,
                    const struct nd_message *message)
{
	struct rte_mbuf *m = nd_frame_new(ew, table, port, source, destination, to, message);

	if (!m)
		return;
	pkt_of(m)->flags |= PKT_V6;
	pkt_of(m)->l4 = offsetof(struct nd_frame, nd);
	edge_transmit_own(ew, port, m);
}

void nd_solicit(struct edge_worker *ew, const struct edge_table *table, const struct neighbour_key *key,
                const uint8_t *to)
{
	struct nd_message message = { .type = ICMP6_NEIGHBOUR_SOLICIT,
		                      .option_type = OPTION_SOURCE_MAC,
		                      .option_length = 1 };
	union ipaddr source, destination = to ? key->address : solicited_node(&key->address);

	if (!table_source_toward(table, key->port, FAMILY_V6, &key->address, &source))
		return;
	memcpy(message.target, key->address.bytes, 16);
	nd_send(ew, table, key->port, &source, &destination, to, &message);
}

static void advertise(struct edge_worker *ew, const struct edge_table *table, uint16_t port,
                      const union ipaddr *target, const union ipaddr *destination, const uint8_t *to,
                      uint8_t flags)
{
	struct nd_message message = { .type = ICMP6_NEIGHBOUR_ADVERT,
		                      .flags = (uint8_t)(FLAG_ROUTER | FLAG_OVERRIDE | flags),
		                      .option_type = OPTION_TARGET_MAC,
		                      .option_length = 1 };

	memcpy(message.target, target->bytes, 16);
	nd_send(ew, table, port, target, destination, to, &message);
}

void nd_announce(struct edge_worker *ew, const struct edge_table *table, uint16_t port,
                 const union ipaddr *address)
{
	advertise(ew, table, port, address, &all_nodes, NULL, 0);
}

/* An address that is being tested for duplicates is asked for from nowhere, by its group and without a MAC. */
static bool from_nowhere_ok(const union ipaddr *destination, const union ipaddr *target, bool has_mac)
{
	union ipaddr group = solicited_node(target);

	return !has_mac && ipaddr_equal(destination, &group);
}

static bool solicitation(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                         const union ipaddr *target, struct neighbour_news *news, uint64_t now)
{
	union ipaddr destination = ip_v6(pkt_ip6(m)->dst_addr);
	uint16_t port = news->key.port;
	const uint8_t *sender = rte_pktmbuf_mtod(m, const uint8_t *) + 6;
	bool nowhere = memcmp(news->key.address.bytes, unspecified, 16) == 0;

	if (nowhere ? !from_nowhere_ok(&destination, target, news->has_mac)
	            : !table_on_link(table, port, FAMILY_V6, &news->key.address))
		return false;
	if (!table_answers(table, port, FAMILY_V6, target))
		return true;
	news->override = news->may_add = true;
	if (nowhere) {
		advertise(ew, table, port, target, &all_nodes, NULL, 0);
		return true;
	}
	if (news->has_mac)
		neighbour_learn(ew, table, news, now);
	advertise(ew, table, port, target, &news->key.address, news->has_mac ? news->mac : sender,
	          FLAG_SOLICITED);
	return true;
}

static bool advertisement(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                          const union ipaddr *target, uint8_t flags, struct neighbour_news *news,
                          uint64_t now)
{
	bool multicast = pkt_of(m)->flags & PKT_MULTICAST;

	/* A solicited answer goes to one host; an address of ours in it is a conflict or a lie. */
	if ((multicast && (flags & FLAG_SOLICITED)) ||
	    !table_on_link(table, news->key.port, FAMILY_V6, target))
		return false;
	news->key.address = *target;
	news->solicited = flags & FLAG_SOLICITED;
	news->override = flags & FLAG_OVERRIDE;
	neighbour_learn(ew, table, news, now);
	return true;
}

static bool discovery(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                      uint64_t now)
{
	const struct pkt *p = pkt_of(m);
	struct neighbour_news news = { .key = { ip_v6(pkt_ip6(m)->src_addr), p->in_port, FAMILY_V6 } };
	bool solicits = p->icmp_type == ICMP6_NEIGHBOUR_SOLICIT;
	size_t length = (size_t)(p->end - p->l4);
	struct nd_message message = { 0 };
	union ipaddr target;

	if (!well_formed(m) || length < ND_FIXED)
		return false;
	memcpy(&message, pkt_at(m, p->l4), ND_FIXED);
	target = ip_v6(message.target);
	if (target.bytes[0] == 0xff ||
	    !read_options((const uint8_t *)pkt_at(m, p->l4) + ND_FIXED, length - ND_FIXED,
	                  solicits ? OPTION_SOURCE_MAC : OPTION_TARGET_MAC, &news))
		return false;
	conflict_look(ew, table, p->in_port, FAMILY_V6, solicits ? &news.key.address : &target,
	              news.has_mac ? news.mac : rte_pktmbuf_mtod(m, const uint8_t *) + 6, now);
	if (solicits)
		return solicitation(ew, table, m, &target, &news, now);
	return advertisement(ew, table, m, &target, message.flags, &news, now);
}

void nd_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m, uint64_t now)
{
	const struct edge_port *port = &table->ports[pkt_of(m)->in_port];
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	uint8_t type = pkt_of(m)->icmp_type;

	if (!(frame[0] & 1) && memcmp(frame, port->mac, 6) != 0) {
		edge_drop(ew, m, EDGE_C_NOT_FOR_ME);
		return;
	}
	if (type < ICMP6_ROUTER_SOLICIT || type > 137) {
		edge_drop(ew, m, EDGE_C_MULTICAST);
		return;
	}
	if ((type == ICMP6_NEIGHBOUR_SOLICIT || type == ICMP6_NEIGHBOUR_ADVERT) &&
	    !discovery(ew, table, m, now)) {
		edge_drop(ew, m, EDGE_C_BAD_ARP);
		return;
	}
	edge_count(ew, EDGE_C_DELIVERED);
	edge_note(ew, m, EDGE_C_DELIVERED);
	rte_pktmbuf_free(m);
}
