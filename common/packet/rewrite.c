/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rewrites of addresses and ports of any parsed packet, with struct pkt and all checksums kept true. Works on
 * one packet, on the thread that holds it. The outer headers are here, those quoted in ICMP errors in
 * rewrite_inner.c.
 */
#include <netinet/in.h>

#include "packet/checksum.h"
#include "packet/pkt.h"

static uint16_t *checksum_at(uint8_t *l4, size_t offset)
{
	return (uint16_t *)(l4 + offset);
}

/* The transport checksum after a change of what it covers. */
static void update_transport(struct rte_mbuf *m, uint16_t delta)
{
	const struct pkt *p = pkt_of(m);
	uint8_t *l4 = pkt_at(m, p->l4);
	uint16_t *sum;

	switch (pkt_own_proto(p)) {
	case IPPROTO_TCP:
		sum = checksum_at(l4, offsetof(struct rte_tcp_hdr, cksum));
		*sum = checksum_update(*sum, delta);
		break;
	case IPPROTO_UDP:
		sum = checksum_at(l4, offsetof(struct rte_udp_hdr, dgram_cksum));
		*sum = checksum_update_udp(*sum, delta);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		sum = checksum_at(l4, offsetof(struct rte_icmp_hdr, icmp_cksum));
		*sum = checksum_update(*sum, delta);
		break;
	default:
		break;
	}
}

/* Whether a transport header is there whose checksum covers the addresses; ICMP of IPv4 has no pseudo header.
 */
static bool covers_addresses(const struct pkt *p)
{
	uint8_t proto = pkt_own_proto(p);

	if (p->flags & PKT_LATER)
		return false;
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || (proto == IPPROTO_ICMPV6 && p->flags & PKT_V6);
}

static void set_multicast(struct pkt *p, bool multicast)
{
	p->flags = (p->flags & ~PKT_MULTICAST) | (multicast ? PKT_MULTICAST : 0);
}

static void set4(struct rte_mbuf *m, rte_be32_t *field, uint32_t address)
{
	struct pkt *p = pkt_of(m);
	struct rte_ipv4_hdr *ip = pkt_ip4(m);
	uint16_t delta = checksum_delta32(*field, address);

	*field = address;
	ip->hdr_checksum = checksum_update(ip->hdr_checksum, delta);
	if (covers_addresses(p))
		update_transport(m, delta);
}

void pkt_set_src4(struct rte_mbuf *m, uint32_t address)
{
	set4(m, &pkt_ip4(m)->src_addr, address);
}

void pkt_set_dst4(struct rte_mbuf *m, uint32_t address)
{
	uint32_t host = rte_be_to_cpu_32(address);

	set4(m, &pkt_ip4(m)->dst_addr, address);
	set_multicast(pkt_of(m), IN_MULTICAST(host) || host == INADDR_BROADCAST);
}

static void set6(struct rte_mbuf *m, uint8_t *field, const uint8_t address[16])
{
	struct pkt *p = pkt_of(m);
	uint16_t delta = checksum_delta128(field, address);

	memcpy(field, address, 16);
	if (covers_addresses(p))
		update_transport(m, delta);
}

void pkt_set_src6(struct rte_mbuf *m, const uint8_t address[16])
{
	set6(m, pkt_ip6(m)->src_addr, address);
}

void pkt_set_dst6(struct rte_mbuf *m, const uint8_t address[16])
{
	set6(m, pkt_ip6(m)->dst_addr, address);
	set_multicast(pkt_of(m), address[0] == 0xff);
}

/* A port or identifier `offset` bytes into the transport header. */
static void set_port(struct rte_mbuf *m, size_t offset, uint16_t port)
{
	const struct pkt *p = pkt_of(m);
	uint16_t *field = (uint16_t *)((uint8_t *)pkt_at(m, p->l4) + offset);
	uint16_t delta;

	if (p->flags & PKT_LATER)
		return;
	delta = checksum_delta16(*field, port);
	*field = port;
	update_transport(m, delta);
}

static bool has_ports(const struct pkt *p)
{
	return !(p->flags & PKT_ICMP_ERROR) && (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP);
}

static void set_identifier(struct rte_mbuf *m, uint16_t identifier)
{
	struct pkt *p = pkt_of(m);

	set_port(m, offsetof(struct rte_icmp_hdr, icmp_ident), identifier);
	p->sport = p->dport = identifier;
}

void pkt_set_sport(struct rte_mbuf *m, uint16_t port)
{
	struct pkt *p = pkt_of(m);

	if (p->flags & PKT_ICMP_QUERY) {
		set_identifier(m, port);
	} else if (has_ports(p)) {
		set_port(m, 0, port);
		p->sport = port;
	}
}

void pkt_set_dport(struct rte_mbuf *m, uint16_t port)
{
	struct pkt *p = pkt_of(m);

	if (p->flags & PKT_ICMP_QUERY) {
		set_identifier(m, port);
	} else if (has_ports(p)) {
		set_port(m, sizeof(port), port);
		p->dport = port;
	}
}
