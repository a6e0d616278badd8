/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The general parser's transport part: TCP, UDP, ICMP, ICMPv6 (SCTP: parse_sctp.c). Works on one packet, on the thread that holds
 * it.
 */
#include <netinet/in.h>

#include "packet/icmp_types.h"
#include "packet/parse_private.h"

static enum pkt_malformed too_short(const struct parse *c)
{
	return c->p->flags & PKT_FRAGMENT ? PKT_BAD_FRAGMENT : PKT_SHORT_TRANSPORT;
}

static bool holds(const struct parse *c, uint16_t at, uint16_t bytes)
{
	return (uint32_t)at + bytes <= parse_room(c);
}

static enum pkt_malformed parse_tcp(struct parse *c)
{
	struct pkt *p = c->p;
	const uint8_t *tcp = c->frame + p->l4;
	uint16_t header;

	if (!holds(c, p->l4, sizeof(struct rte_tcp_hdr)))
		return too_short(c);
	header = (tcp[12] >> 4) * 4;
	p->sport = raw16_at(tcp);
	p->dport = raw16_at(tcp + 2);
	p->tcp_flags = tcp[13];
	if (header < sizeof(struct rte_tcp_hdr) || p->sport == 0 || p->dport == 0)
		return PKT_BAD_TRANSPORT;
	if (!holds(c, p->l4, header))
		return p->flags & PKT_FRAGMENT ? PKT_BAD_FRAGMENT : PKT_BAD_TRANSPORT;
	return tcp_flags_refused(p->tcp_flags) ? PKT_BAD_FLAGS : PKT_OK;
}

static enum pkt_malformed parse_udp(struct parse *c)
{
	struct pkt *p = c->p;
	const uint8_t *udp = c->frame + p->l4;
	uint16_t length;

	if (!holds(c, p->l4, sizeof(struct rte_udp_hdr)))
		return too_short(c);
	p->sport = raw16_at(udp);
	p->dport = raw16_at(udp + 2);
	length = be16_at(udp + 4);
	if (length < sizeof(struct rte_udp_hdr))
		return PKT_BAD_TRANSPORT;
	if (!(p->flags & PKT_FRAGMENT) && length > p->end - p->l4)
		return PKT_BAD_TRANSPORT;
	return PKT_OK;
}

enum pkt_malformed parse_transport(struct parse *c)
{
	switch (c->p->proto) {
	case IPPROTO_TCP:
		return parse_tcp(c);
	case IPPROTO_UDP:
		return parse_udp(c);
	case IPPROTO_SCTP:
		return parse_sctp(c);
	case IPPROTO_ICMP:
		return c->p->flags & PKT_V4 ? parse_icmp(c) : PKT_OK;
	case IPPROTO_ICMPV6:
		return c->p->flags & PKT_V6 ? parse_icmp6(c) : PKT_OK;
	default:
		return PKT_OK;
	}
}

/* Ports of the quoted packet, reversed: an error's sport is what was the destination port. */
static enum pkt_malformed inner_ports(struct parse *c, bool query)
{
	struct pkt *p = c->p;
	const uint8_t *l4 = c->frame + p->inner_l4;

	if (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP || p->proto == IPPROTO_SCTP) {
		p->dport = raw16_at(l4);
		p->sport = raw16_at(l4 + 2);
	} else if (query) {
		p->sport = p->dport = raw16_at(l4 + 4);
	}
	return PKT_OK;
}

/* An error goes to whoever sent the packet that it quotes (RFC 792; RFC 4443, section 2.2). One that quotes another's would be let through to where
 * its own destination may not be reached. */
static bool quotes_its_destination(const struct parse *c, size_t destination, size_t source, size_t bytes)
{
	return memcmp(c->frame + c->p->l3 + destination, c->frame + c->p->inner_l3 + source, bytes) == 0;
}

/* RFC 792, 1812: the quoted header and at least 8 bytes behind it. */
static enum pkt_malformed inner_ip4(struct parse *c)
{
	struct pkt *p = c->p;
	const uint8_t *ip = c->frame + p->inner_l3;
	uint16_t header;
	bool query = false;

	if (!holds(c, p->inner_l3, sizeof(struct rte_ipv4_hdr)) || ip[0] >> 4 != 4)
		return PKT_BAD_ICMP;
	header = (ip[0] & 15) * 4;
	if (header < sizeof(struct rte_ipv4_hdr) || !holds(c, p->inner_l3, header + 8) ||
	    !quotes_its_destination(c, offsetof(struct rte_ipv4_hdr, dst_addr),
	                            offsetof(struct rte_ipv4_hdr, src_addr), 4))
		return PKT_BAD_ICMP;
	p->proto = ip[9];
	if (be16_at(ip + 6) & 0x1fff)
		return PKT_OK;
	p->inner_l4 = p->inner_l3 + header;
	if (p->proto == IPPROTO_ICMP) {
		if (icmp4_is_error(c->frame[p->inner_l4]))
			return PKT_BAD_ICMP;
		query = icmp4_is_query(c->frame[p->inner_l4]);
	}
	return inner_ports(c, query);
}

static enum pkt_malformed inner_ip6(struct parse *c)
{
	struct pkt *p = c->p;
	const struct rte_ipv6_hdr *ip = (const void *)(c->frame + p->inner_l3);
	struct ext6 x;
	bool query = false;

	if (!holds(c, p->inner_l3, sizeof(*ip)) || c->frame[p->inner_l3] >> 4 != 6 ||
	    !quotes_its_destination(c, offsetof(struct rte_ipv6_hdr, dst_addr),
	                            offsetof(struct rte_ipv6_hdr, src_addr), 16))
		return PKT_BAD_ICMP;
	if (!ext6_walk(c->frame, p->inner_l3 + sizeof(*ip), parse_room(c), ip->proto, &x))
		return PKT_BAD_ICMP;
	p->proto = x.proto;
	if (x.later)
		return PKT_OK;
	if (!holds(c, x.l4, 8))
		return PKT_BAD_ICMP;
	p->inner_l4 = x.l4;
	if (p->proto == IPPROTO_ICMPV6) {
		if (icmp6_is_error(c->frame[p->inner_l4]))
			return PKT_BAD_ICMP;
		query = icmp6_is_query(c->frame[p->inner_l4]);
	}
	return inner_ports(c, query);
}

static enum pkt_malformed icmp_body(struct parse *c, bool error, bool query,
                                    enum pkt_malformed (*inner)(struct parse *))
{
	struct pkt *p = c->p;

	if (query) {
		p->flags |= PKT_ICMP_QUERY;
		p->sport = p->dport = raw16_at(c->frame + p->l4 + 4);
	}
	if (!error)
		return PKT_OK;
	if (p->flags & PKT_FRAGMENT)
		return PKT_BAD_ICMP;
	p->flags |= PKT_ICMP_ERROR;
	p->inner_l3 = p->l4 + ICMP_HEADER;
	return inner(c);
}

/* Type and code, once the 8 bytes that every message has are known to be there. */
static bool icmp_begin(struct parse *c)
{
	struct pkt *p = c->p;

	if (!holds(c, p->l4, ICMP_HEADER))
		return false;
	p->icmp_type = c->frame[p->l4];
	p->icmp_code = c->frame[p->l4 + 1];
	return true;
}

enum pkt_malformed parse_icmp(struct parse *c)
{
	if (!icmp_begin(c))
		return too_short(c);
	return icmp_body(c, icmp4_is_error(c->p->icmp_type), icmp4_is_query(c->p->icmp_type), inner_ip4);
}

enum pkt_malformed parse_icmp6(struct parse *c)
{
	if (!icmp_begin(c))
		return too_short(c);
	return icmp_body(c, icmp6_is_error(c->p->icmp_type), icmp6_is_query(c->p->icmp_type), inner_ip6);
}
