/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The general parser's IPv6 part: header, addresses, extension chain, fragments. Works on one packet, on the
 * thread that holds it.
 */
#include <netinet/in.h>

#include "packet/parse_private.h"

static const uint8_t unspecified[16];
static const uint8_t loopback[16] = { [15] = 1 };

static bool is(const uint8_t *address, const uint8_t other[16])
{
	return memcmp(address, other, 16) == 0;
}

static enum pkt_malformed check_addresses(struct pkt *p, const struct rte_ipv6_hdr *ip)
{
	const uint8_t *src = ip->src_addr, *dst = ip->dst_addr;
	bool to_link = dst[0] == 0xff && (dst[1] & 15) == 2;

	if (src[0] == 0xff || is(src, loopback) || (is(src, unspecified) && !to_link))
		return PKT_BAD_ADDRESS;
	if (is(dst, unspecified) || is(dst, loopback))
		return PKT_BAD_ADDRESS;
	if (dst[0] == 0xff)
		p->flags |= PKT_MULTICAST;
	return PKT_OK;
}

/* `at`: offset of the fragment header. One that has neither an offset nor successors makes no fragment (RFC
 * 6946). */
static enum pkt_malformed check_fragment(struct parse *c, uint16_t at)
{
	struct pkt *p = c->p;
	uint16_t field = be16_at(c->frame + at + 2);
	uint16_t offset = field & 0xfff8;
	uint16_t length = p->end - (at + 8);
	uint16_t ahead = at - p->l3 - sizeof(struct rte_ipv6_hdr);
	bool more = field & 1;

	if (!more && offset == 0)
		return PKT_OK;
	p->flags |= PKT_FRAGMENT;
	if (offset)
		p->flags |= PKT_LATER;
	if (length == 0 || (more && length % 8) || (uint32_t)ahead + offset + length > UINT16_MAX)
		return PKT_BAD_FRAGMENT;
	if (offset && offset < sizeof(struct rte_tcp_hdr) && p->proto == IPPROTO_TCP)
		return PKT_BAD_FRAGMENT;
	return PKT_OK;
}

static enum pkt_malformed parse_chain(struct parse *c, uint8_t next)
{
	struct pkt *p = c->p;
	struct ext6 x;

	if (!ext6_walk(c->frame, p->l4, parse_room(c), next, &x))
		return PKT_BAD_EXTENSION;
	if (x.l4 != p->l4)
		p->flags |= PKT_OPTIONS;
	p->l4 = x.l4;
	p->proto = x.proto;
	return x.fragment ? check_fragment(c, x.fragment) : PKT_OK;
}

enum pkt_malformed parse_ip6(struct parse *c)
{
	struct pkt *p = c->p;
	const struct rte_ipv6_hdr *ip = (const void *)(c->frame + p->l3);
	uint32_t end;
	enum pkt_malformed kind;

	if (c->have < p->l3 + sizeof(*ip))
		return PKT_SHORT_IP;
	if (c->frame[p->l3] >> 4 != 6)
		return PKT_BAD_VERSION;
	p->flags |= PKT_V6;
	p->l4 = p->l3 + sizeof(*ip);
	end = (uint32_t)p->l4 + rte_be_to_cpu_16(ip->payload_len);
	if (c->length < end || end > UINT16_MAX)
		return PKT_SHORT_IP;
	p->end = (uint16_t)end;
	kind = check_addresses(p, ip);
	if (kind != PKT_OK)
		return kind;
	kind = parse_chain(c, ip->proto);
	if (kind != PKT_OK || p->flags & PKT_LATER)
		return kind;
	return parse_transport(c);
}
