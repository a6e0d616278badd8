/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rewrites of the header that an ICMP error quotes. Three checksums follow: the quoted IP header's, the
 * quoted transport's where the quotation reaches so far, and the error's own, which covers all of it. A
 * checksum that follows a change of what it covers adds to the sum exactly the opposite of the change, so
 * each word changed is simply told to the outer one. Works on one packet, on the thread that holds it.
 */
#include <netinet/in.h>

#include "packet/checksum.h"
#include "packet/icmp_types.h"
#include "packet/pkt.h"

/* What changes in one rewrite, and where. */
struct inner {
	struct rte_mbuf *m;
	struct pkt *p;
	uint8_t *l4;    /* NULL: nothing of it is quoted */
	uint16_t quote; /* offset just past what is quoted of the original packet */
	uint16_t outer; /* sum of all changes, for the error's own checksum */
};

/* The original packet ends by its own length, by where a length given in the error says (RFC 4884, in words
 * of 4 or 8 bytes), and with the error; behind that come padding and extensions. */
static uint16_t quote_end(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);
	const uint8_t *icmp = pkt_at(m, p->l4);
	const uint8_t *ip = pkt_at(m, p->inner_l3);
	bool v4 = p->flags & PKT_V4;
	uint32_t given = v4 ? icmp[5] * 4 : icmp[4] * 8;
	uint32_t length = v4 ? ip[2] << 8 | ip[3] : 40 + (ip[4] << 8 | ip[5]);
	uint32_t end = RTE_MIN((uint32_t)p->end, p->inner_l3 + length);
	bool extended = v4 ? p->icmp_type == ICMP4_UNREACHABLE || p->icmp_type == ICMP4_TIME_EXCEEDED ||
	                                p->icmp_type == ICMP4_PARAMETER_PROBLEM
	                   : p->icmp_type == ICMP6_UNREACHABLE || p->icmp_type == ICMP6_TIME_EXCEEDED;

	if (extended && given)
		end = RTE_MIN(end, p->inner_l3 + given);
	return (uint16_t)RTE_MIN(end, (uint32_t)m->data_len);
}

static struct inner inner_begin(struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);

	return (struct inner){
		.m = m,
		.p = p,
		.l4 = p->inner_l4 ? pkt_at(m, p->inner_l4) : NULL,
		.quote = quote_end(m),
	};
}

/* Replaces a 16-bit word; an odd place in the message would swap its bytes in the sum, but headers are never
 * at one. */
static void put16(struct inner *e, uint16_t *field, uint16_t value)
{
	e->outer = checksum_join(e->outer, checksum_delta16(*field, value));
	*field = value;
}

static bool quoted(const struct inner *e, size_t offset)
{
	return e->l4 && e->p->inner_l4 + offset + sizeof(uint16_t) <= e->quote;
}

/* The quoted transport checksum after a change that it covers. */
static void inner_transport(struct inner *e, uint16_t delta)
{
	size_t offset;
	uint16_t *sum;

	switch (e->p->proto) {
	case IPPROTO_TCP:
		offset = offsetof(struct rte_tcp_hdr, cksum);
		break;
	case IPPROTO_UDP:
		offset = offsetof(struct rte_udp_hdr, dgram_cksum);
		break;
	default:
		offset = offsetof(struct rte_icmp_hdr, icmp_cksum);
		break;
	}
	if (!quoted(e, offset))
		return;
	sum = (uint16_t *)(e->l4 + offset);
	if (e->p->proto == IPPROTO_UDP)
		put16(e, sum, checksum_update_udp(*sum, delta));
	else
		put16(e, sum, checksum_update(*sum, delta));
}

static bool is_query(const struct inner *e)
{
	if (e->p->flags & PKT_V4)
		return e->p->proto == IPPROTO_ICMP && icmp4_is_query(e->l4[0]);
	return e->p->proto == IPPROTO_ICMPV6 && icmp6_is_query(e->l4[0]);
}

/* The change of the address is `delta`; destination: which of the two ports goes with it. */
static void inner_port(struct inner *e, uint16_t delta, bool destination, uint16_t port)
{
	bool ports = e->p->proto == IPPROTO_TCP || e->p->proto == IPPROTO_UDP;
	bool pseudo = ports || (e->p->proto == IPPROTO_ICMPV6 && e->p->flags & PKT_V6);
	uint16_t *field;

	if (!e->l4)
		return;
	if (pseudo)
		inner_transport(e, delta);
	if (ports)
		field = (uint16_t *)(e->l4 + (destination ? sizeof(port) : 0));
	else if (is_query(e))
		field = (uint16_t *)(e->l4 + offsetof(struct rte_icmp_hdr, icmp_ident));
	else
		return;
	delta = checksum_delta16(*field, port);
	put16(e, field, port);
	inner_transport(e, delta);
	if (!ports)
		e->p->sport = e->p->dport = port;
	else if (destination)
		e->p->sport = port;
	else
		e->p->dport = port;
}

static void inner_end(struct inner *e)
{
	struct rte_icmp_hdr *icmp = pkt_at(e->m, e->p->l4);

	icmp->icmp_cksum = checksum_update(icmp->icmp_cksum, e->outer);
}

static void inner4(struct rte_mbuf *m, bool destination, uint32_t address, uint16_t port)
{
	struct inner e = inner_begin(m);
	struct rte_ipv4_hdr *ip = pkt_at(m, e.p->inner_l3);
	rte_be32_t *field = destination ? &ip->dst_addr : &ip->src_addr;
	uint16_t delta = checksum_delta32(*field, address);

	*field = address;
	e.outer = delta;
	put16(&e, &ip->hdr_checksum, checksum_update(ip->hdr_checksum, delta));
	inner_port(&e, delta, destination, port);
	inner_end(&e);
}

static void inner6(struct rte_mbuf *m, bool destination, const uint8_t address[16], uint16_t port)
{
	struct inner e = inner_begin(m);
	struct rte_ipv6_hdr *ip = pkt_at(m, e.p->inner_l3);
	uint8_t *field = destination ? ip->dst_addr : ip->src_addr;
	uint16_t delta = checksum_delta128(field, address);

	memcpy(field, address, 16);
	e.outer = delta;
	inner_port(&e, delta, destination, port);
	inner_end(&e);
}

void pkt_inner_set_src4(struct rte_mbuf *m, uint32_t address, uint16_t port)
{
	inner4(m, false, address, port);
}

void pkt_inner_set_dst4(struct rte_mbuf *m, uint32_t address, uint16_t port)
{
	inner4(m, true, address, port);
}

void pkt_inner_set_src6(struct rte_mbuf *m, const uint8_t address[16], uint16_t port)
{
	inner6(m, false, address, port);
}

void pkt_inner_set_dst6(struct rte_mbuf *m, const uint8_t address[16], uint16_t port)
{
	inner6(m, true, address, port);
}
