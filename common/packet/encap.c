/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See encap.h.
 */
#include <netinet/in.h>

#include <rte_ether.h>

#include "packet/checksum.h"
#include "packet/encap.h"

struct gre {
	uint16_t flags; /* no checksum, key or sequence; version 0 */
	uint16_t type;
};

struct gue {
	uint8_t how; /* version 0, data, no optional fields */
	uint8_t proto;
	uint16_t flags;
};
static_assert(sizeof(struct gre) == 4 && sizeof(struct gue) == 4, "as on the wire");

enum { FLOW_PORTS = 49152 };

/* What is known of the inner packet, read before anything moves. */
struct inner {
	uint16_t length; /* of IP */
	uint8_t proto;   /* IPPROTO_IPIP or IPPROTO_IPV6 */
	uint8_t tos;     /* DSCP and ECN */
	uint16_t id;
	bool df;
};

static uint16_t shim(uint8_t kind)
{
	static const uint8_t bytes[] = {
		[ENCAP_IPIP] = 0,
		[ENCAP_GRE] = sizeof(struct gre),
		[ENCAP_GUE] = sizeof(struct rte_udp_hdr) + sizeof(struct gue),
	};

	return bytes[kind];
}

static uint16_t outer_header(const struct encap *tunnel)
{
	return tunnel->family == FAMILY_V4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr);
}

uint16_t encap_overhead(const struct encap *tunnel)
{
	return outer_header(tunnel) + shim(tunnel->kind);
}

static struct inner look_at(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);
	struct inner inner = { .length = p->end - p->l3, .df = true };

	if (p->flags & PKT_V4) {
		inner.proto = IPPROTO_IPIP;
		inner.tos = pkt_ip4(m)->type_of_service;
		inner.id = pkt_ip4(m)->packet_id;
		inner.df = pkt_ip4(m)->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);
	} else {
		inner.proto = IPPROTO_IPV6;
		inner.tos = (uint8_t)(rte_be_to_cpu_32(pkt_ip6(m)->vtc_flow) >> 20);
	}
	return inner;
}

static uint8_t outer_proto(const struct encap *tunnel, const struct inner *inner)
{
	if (tunnel->kind == ENCAP_IPIP)
		return inner->proto;
	return tunnel->kind == ENCAP_GRE ? IPPROTO_GRE : IPPROTO_UDP;
}

static void put_ip4(uint8_t *at, const struct encap *tunnel, const struct inner *inner, uint16_t length,
                    uint32_t hash)
{
	bool df = inner->df && !tunnel->may_fragment;
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = inner->tos,
		.total_length = rte_cpu_to_be_16(length),
		/* Many senders count their packets, each for itself: pieces of one must not be taken for another's. */
		.packet_id = df ? 0 : inner->id ^ (uint16_t)(hash ^ hash >> 16),
		.fragment_offset = df ? rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG) : 0,
		.time_to_live = ENCAP_TTL,
		.next_proto_id = outer_proto(tunnel, inner),
		.src_addr = tunnel->source.v4,
		.dst_addr = tunnel->destination.v4,
	};

	ip.hdr_checksum = rte_ipv4_cksum(&ip);
	memcpy(at, &ip, sizeof(ip));
}

static void put_ip6(uint8_t *at, const struct encap *tunnel, const struct inner *inner, uint16_t length,
                    uint32_t hash)
{
	struct rte_ipv6_hdr ip = {
		.vtc_flow =
		        rte_cpu_to_be_32(UINT32_C(6) << 28 | (uint32_t)inner->tos << 20 | (hash & 0xfffff)),
		.payload_len = rte_cpu_to_be_16((uint16_t)(length - sizeof(ip))),
		.proto = outer_proto(tunnel, inner),
		.hop_limits = ENCAP_TTL,
	};

	memcpy(ip.src_addr, tunnel->source.bytes, sizeof(ip.src_addr));
	memcpy(ip.dst_addr, tunnel->destination.bytes, sizeof(ip.dst_addr));
	memcpy(at, &ip, sizeof(ip));
}

static void put_gre(uint8_t *at, const struct inner *inner)
{
	struct gre gre = {
		.type = rte_cpu_to_be_16(inner->proto == IPPROTO_IPIP ? RTE_ETHER_TYPE_IPV4
		                                                      : RTE_ETHER_TYPE_IPV6),
	};

	memcpy(at, &gre, sizeof(gre));
}

static void put_gue(uint8_t *at, const struct encap *tunnel, const struct inner *inner, uint32_t hash)
{
	struct rte_udp_hdr udp = {
		.src_port = rte_cpu_to_be_16((uint16_t)(FLOW_PORTS | (hash ^ hash >> 16))),
		.dst_port = tunnel->port,
		.dgram_len = rte_cpu_to_be_16((uint16_t)(inner->length + shim(ENCAP_GUE))),
	};
	struct gue gue = { .proto = inner->proto };

	memcpy(at, &udp, sizeof(udp));
	memcpy(at + sizeof(udp), &gue, sizeof(gue));
}

/* Over IPv6 the UDP checksum is not optional (RFC 8200, 8.1). */
static void udp_checksum(struct rte_mbuf *m)
{
	if (pkt_of(m)->flags & PKT_V6)
		pkt_checksums(m);
}

/* The link header moves to the front; its last two bytes say what follows it now. */
static void move_link_header(uint8_t *to, uint16_t l3, uint16_t by, uint8_t family)
{
	uint16_t type = rte_cpu_to_be_16(family == FAMILY_V4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);

	memmove(to, to + by, l3);
	memcpy(to + l3 - sizeof(type), &type, sizeof(type));
}

static void describe(struct rte_mbuf *m, const struct encap *tunnel, uint8_t proto)
{
	struct pkt *p = pkt_of(m);
	const struct rte_udp_hdr *udp;

	p->flags &= PKT_VLAN | PKT_TRACE | PKT_ORIGINATED;
	p->flags |= tunnel->family == FAMILY_V4 ? PKT_V4 : PKT_V6;
	p->l4 = p->l3 + outer_header(tunnel);
	p->end += encap_overhead(tunnel);
	p->proto = proto;
	p->sport = p->dport = 0;
	p->tcp_flags = p->icmp_type = p->icmp_code = p->sctp_chunk = 0;
	p->inner_l3 = p->inner_l4 = 0;
	if (proto == IPPROTO_UDP) {
		udp = pkt_at(m, p->l4);
		p->sport = udp->src_port;
		p->dport = udp->dst_port;
	}
}

bool encap_push(struct rte_mbuf *m, const struct encap *tunnel, uint32_t hash)
{
	struct pkt *p = pkt_of(m);
	struct inner inner = look_at(m);
	uint16_t more = encap_overhead(tunnel), head = outer_header(tunnel);
	uint8_t *ip;

	if ((uint32_t)p->end + more > UINT16_MAX || rte_pktmbuf_headroom(m) < more)
		return false;
	if (pkt_ttl(m) > 1)
		pkt_decrement_ttl(m);
	ip = (uint8_t *)rte_pktmbuf_prepend(m, more) + p->l3;
	move_link_header(ip - p->l3, p->l3, more, tunnel->family);
	if (tunnel->family == FAMILY_V4)
		put_ip4(ip, tunnel, &inner, inner.length + more, hash);
	else
		put_ip6(ip, tunnel, &inner, inner.length + more, hash);
	if (tunnel->kind == ENCAP_GRE)
		put_gre(ip + head, &inner);
	else if (tunnel->kind == ENCAP_GUE)
		put_gue(ip + head, tunnel, &inner, hash);
	describe(m, tunnel, outer_proto(tunnel, &inner));
	if (tunnel->kind == ENCAP_GUE)
		udp_checksum(m);
	return true;
}
