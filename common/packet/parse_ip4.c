/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The general parser's IPv4 part: header, addresses, fragments. Works on one packet, on the thread that holds
 * it.
 */
#include <netinet/in.h>

#include "packet/parse_private.h"

enum { MORE_FRAGMENTS = 0x2000, OFFSET_MASK = 0x1fff };

static enum pkt_malformed check_lengths(struct parse *c, const uint8_t *ip)
{
	struct pkt *p = c->p;
	uint16_t header = (ip[0] & 15) * 4;
	uint16_t total = be16_at(ip + 2);

	if (ip[0] >> 4 != 4)
		return PKT_BAD_VERSION;
	if (header < sizeof(struct rte_ipv4_hdr))
		return PKT_BAD_HEADER_LENGTH;
	if (total < header || c->have < p->l3 + header || c->length < (uint32_t)p->l3 + total ||
	    p->l3 + total > UINT16_MAX)
		return PKT_SHORT_IP;
	p->l4 = p->l3 + header;
	p->end = p->l3 + total;
	if (header > sizeof(struct rte_ipv4_hdr))
		p->flags |= PKT_OPTIONS;
	return PKT_OK;
}

static bool header_sum_ok(const uint8_t *header, uint16_t length)
{
	return rte_raw_cksum(header, length) == 0xffff;
}

static enum pkt_malformed check_addresses(struct pkt *p, const uint8_t *ip)
{
	const uint8_t *src = ip + 12, *dst = ip + 16;
	uint32_t source, destination;

	memcpy(&source, src, sizeof(source));
	memcpy(&destination, dst, sizeof(destination));
	if (src[0] == 127 || (src[0] >= 224 && src[0] < 240) || source == INADDR_BROADCAST)
		return PKT_BAD_ADDRESS;
	if (src[0] == 0 && (source != 0 || destination != INADDR_BROADCAST))
		return PKT_BAD_ADDRESS;
	if (dst[0] == 0 || dst[0] == 127)
		return PKT_BAD_ADDRESS;
	if ((dst[0] >= 224 && dst[0] < 240) || destination == INADDR_BROADCAST)
		p->flags |= PKT_MULTICAST;
	return PKT_OK;
}

static enum pkt_malformed check_fragment(struct pkt *p, uint16_t field)
{
	uint16_t offset = (field & OFFSET_MASK) * 8;
	uint16_t length = p->end - p->l4;
	bool more = field & MORE_FRAGMENTS;

	if (!more && offset == 0)
		return PKT_OK;
	p->flags |= PKT_FRAGMENT;
	if (offset)
		p->flags |= PKT_LATER;
	if (length == 0 || (more && length % 8) || (uint32_t)(p->l4 - p->l3) + offset + length > UINT16_MAX)
		return PKT_BAD_FRAGMENT;
	if (offset && offset < sizeof(struct rte_tcp_hdr) && p->proto == IPPROTO_TCP)
		return PKT_BAD_FRAGMENT;
	return PKT_OK;
}

enum pkt_malformed parse_ip4(struct parse *c, unsigned verify)
{
	struct pkt *p = c->p;
	const uint8_t *ip = c->frame + p->l3;
	enum pkt_malformed kind;

	if (c->have < p->l3 + sizeof(struct rte_ipv4_hdr))
		return PKT_SHORT_IP;
	p->flags |= PKT_V4;
	kind = check_lengths(c, ip);
	if (kind != PKT_OK)
		return kind;
	if (verify & PARSE_VERIFY_IP_CHECKSUM && !header_sum_ok(ip, p->l4 - p->l3))
		return PKT_BAD_CHECKSUM;
	kind = check_addresses(p, ip);
	if (kind != PKT_OK)
		return kind;
	p->proto = ip[9];
	kind = check_fragment(p, be16_at(ip + 6));
	if (kind != PKT_OK || p->flags & PKT_LATER)
		return kind;
	return parse_transport(c);
}
