/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prepared rewrites of IPv4 address and port: the differences of the checksums are computed once for a
 * session, and each packet then takes a handful of instructions. A struct edit4 lies in the slot of the
 * function that made it and belongs to the session's worker.
 */
#ifndef SLUICE_PACKET_REWRITE_H
#define SLUICE_PACKET_REWRITE_H

#include <netinet/in.h>

#include "packet/checksum.h"
#include "packet/pkt.h"

struct edit4 {
	uint32_t address;  /* what it becomes; unicast, network order */
	uint16_t port;     /* what it becomes, or the ICMP identifier; network order */
	uint16_t l3_delta; /* what the change adds to the sum of the IPv4 header */
	uint16_t l4_delta; /* and to that of the transport segment with its pseudo header */
};

/* Addresses and ports in network order. */
static inline void edit4_prepare(struct edit4 *e, uint32_t from_addr, uint16_t from_port, uint32_t to_addr,
                                 uint16_t to_port)
{
	e->address = to_addr;
	e->port = to_port;
	e->l3_delta = checksum_delta32(from_addr, to_addr);
	e->l4_delta = checksum_join(e->l3_delta, checksum_delta16(from_port, to_port));
}

/* Packets that the quick path below does not serve. */
#define EDIT4_GENERAL (PKT_V6 | PKT_FRAGMENT | PKT_LATER | PKT_ICMP_ERROR | PKT_ICMP_QUERY | PKT_MULTICAST)

static inline bool edit4_is_quick(const struct pkt *p)
{
	return !(p->flags & EDIT4_GENERAL) && (p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP);
}

/* Transport checksum of a whole TCP or UDP packet. */
static inline void edit4_checksum(const struct pkt *p, uint8_t *l4, uint16_t delta)
{
	if (p->proto == IPPROTO_TCP) {
		struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)l4;

		tcp->cksum = checksum_update(tcp->cksum, delta);
	} else {
		struct rte_udp_hdr *udp = (struct rte_udp_hdr *)l4;

		udp->dgram_cksum = checksum_update_udp(udp->dgram_cksum, delta);
	}
}

/* Sets source (destination) address and port of an IPv4 packet whose address and port are those that the edit
 * was prepared from. Of an ICMP error only the outer address; see pkt_inner_set_src4() for the rest of it.
 * Keeps struct pkt and all checksums true. */
static inline void pkt_apply_src4(struct rte_mbuf *m, const struct edit4 *e)
{
	struct pkt *p = pkt_of(m);
	struct rte_ipv4_hdr *ip = pkt_ip4(m);
	uint8_t *l4 = (uint8_t *)pkt_at(m, p->l4);

	if (unlikely(!edit4_is_quick(p))) {
		pkt_set_src4(m, e->address);
		pkt_set_sport(m, e->port);
		return;
	}
	ip->src_addr = e->address;
	ip->hdr_checksum = checksum_update(ip->hdr_checksum, e->l3_delta);
	memcpy(l4, &e->port, sizeof(e->port));
	edit4_checksum(p, l4, e->l4_delta);
	p->sport = e->port;
}

static inline void pkt_apply_dst4(struct rte_mbuf *m, const struct edit4 *e)
{
	struct pkt *p = pkt_of(m);
	struct rte_ipv4_hdr *ip = pkt_ip4(m);
	uint8_t *l4 = (uint8_t *)pkt_at(m, p->l4);

	if (unlikely(!edit4_is_quick(p))) {
		pkt_set_dst4(m, e->address);
		pkt_set_dport(m, e->port);
		return;
	}
	ip->dst_addr = e->address;
	ip->hdr_checksum = checksum_update(ip->hdr_checksum, e->l3_delta);
	memcpy(l4 + sizeof(e->port), &e->port, sizeof(e->port));
	edit4_checksum(p, l4, e->l4_delta);
	p->dport = e->port;
}

#endif
