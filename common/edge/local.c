/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets for the box itself: echo requests are answered in their own mbufs, everything that nobody listens for is refused as
 * a host would (RFC 1122, 4443). Worker's thread.
 */
#include <rte_icmp.h>

#include "edge/private.h"

enum {
	OWN_TTL = 64,
	ECHO_REQUEST6 = 128,
	ECHO_REPLY6 = 129,
};

static bool is_echo_request(const struct pkt *p)
{
	if (!(p->flags & PKT_ICMP_QUERY))
		return false;
	return p->icmp_type == (p->flags & PKT_V4 ? RTE_IP_ICMP_ECHO_REQUEST : ECHO_REQUEST6);
}

/* The answer differs from the question in the type alone, and for IPv6 the sum over the addresses is symmetric (RFC 1624). */
static void turn_type(struct rte_mbuf *m, uint8_t type)
{
	struct rte_icmp_hdr *icmp = pkt_at(m, pkt_of(m)->l4);
	uint32_t sum = (uint16_t)~icmp->icmp_cksum;

	sum += (uint16_t)~rte_cpu_to_be_16((uint16_t)(icmp->icmp_type << 8 | icmp->icmp_code));
	sum += rte_cpu_to_be_16((uint16_t)(type << 8 | icmp->icmp_code));
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	icmp->icmp_type = type;
	icmp->icmp_cksum = (uint16_t)~sum;
}

static void turn_ip4(struct rte_mbuf *m)
{
	struct rte_ipv4_hdr *ip = pkt_ip4(m);
	uint32_t source = ip->src_addr;

	ip->src_addr = ip->dst_addr;
	ip->dst_addr = source;
	ip->time_to_live = OWN_TTL;
	ip->hdr_checksum = 0;
	ip->hdr_checksum = rte_ipv4_cksum(ip);
}

static void turn_ip6(struct rte_mbuf *m)
{
	struct rte_ipv6_hdr *ip = pkt_ip6(m);
	uint8_t source[16];

	memcpy(source, ip->src_addr, sizeof(source));
	memcpy(ip->src_addr, ip->dst_addr, sizeof(source));
	memcpy(ip->dst_addr, source, sizeof(source));
	ip->hop_limits = OWN_TTL;
}

static void deliver(struct edge_worker *ew, struct rte_mbuf *m)
{
	edge_count(ew, EDGE_C_DELIVERED);
	edge_note(ew, m, EDGE_C_DELIVERED);
}

/* A request, or a piece of one, goes back as its reply. */
static void turn_echo(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                      uint64_t now)
{
	struct pkt *p = pkt_of(m);

	if (p->flags & PKT_V4)
		turn_ip4(m);
	else
		turn_ip6(m);
	p->icmp_type = p->flags & PKT_V4 ? RTE_IP_ICMP_ECHO_REPLY : ECHO_REPLY6;
	if (!(p->flags & PKT_LATER))
		turn_type(m, p->icmp_type);
	p->flags = (uint16_t)((p->flags | PKT_ORIGINATED) & ~PKT_ROUTED);
	p->session = NULL;
	edge_count(ew, EDGE_C_ORIGINATED);
	output_route(ew, table, m, EDGE_NO_PORT, true, now);
}

static void answer_echo(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                        uint64_t now)
{
	deliver(ew, m);
	if (pkt_transport_checksum_ok(m))
		turn_echo(ew, table, m, now);
	else
		rte_pktmbuf_free(m);
}

static bool is_icmp(const struct pkt *p)
{
	return (p->flags & PKT_ICMP_ERROR) || p->proto == (p->flags & PKT_V4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
}

/* Offset of the next-header field that named a protocol we do not speak, for a parameter problem (RFC 8200, section 4). */
static uint32_t protocol_field(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);
	const uint8_t *ip = pkt_at(m, p->l3);
	uint32_t field = offsetof(struct rte_ipv6_hdr, proto), at = sizeof(struct rte_ipv6_hdr);
	uint32_t end = (uint32_t)(p->l4 - p->l3);

	while (at + 8 <= end) {
		field = at;
		at += ((uint32_t)ip[at + 1] + 1) * 8;
	}
	return field;
}

static void refuse_local(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                         uint64_t now)
{
	const struct pkt *p = pkt_of(m);

	if (p->proto == IPPROTO_TCP)
		edge_reset(ew, table, m, now);
	else if (p->proto == IPPROTO_UDP)
		edge_error(ew, table, m, ICMP_PORT_UNREACHABLE, 0, now);
	else
		edge_error(ew, table, m, ICMP_PROTOCOL_UNREACHABLE, protocol_field(m), now);
	edge_drop(ew, m, EDGE_C_LOCAL_UNKNOWN);
}

void local_whole(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf **piece,
                 unsigned count, unsigned first, bool sound, uint64_t now)
{
	const struct pkt *p = pkt_of(piece[first]);
	bool icmp = is_icmp(p), answer = is_echo_request(p) && !(p->flags & PKT_ORIGINATED) && sound;

	for (unsigned i = 0; i < count; i++) {
		if (icmp)
			deliver(ew, piece[i]);
		if (answer)
			turn_echo(ew, table, piece[i], now);
		else if (icmp)
			rte_pktmbuf_free(piece[i]);
		else if (i != first)
			edge_drop(ew, piece[i], EDGE_C_LOCAL_UNKNOWN);
	}
	if (!icmp)
		refuse_local(ew, table, piece[first], now);
}

void local_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m, uint64_t now)
{
	const struct pkt *p = pkt_of(m);

	if (p->flags & PKT_FRAGMENT) {
		gather_input(ew, table, m, now);
	} else if (is_echo_request(p) && !(p->flags & PKT_ORIGINATED)) {
		answer_echo(ew, table, m, now);
	} else if (is_icmp(p)) {
		deliver(ew, m);
		rte_pktmbuf_free(m);
	} else {
		refuse_local(ew, table, m, now);
	}
}
