/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a parsed packet to the tuple of its session. Pure functions over one packet, on the thread that holds
 * it.
 */
#include "packet/pkt.h"

static void tuple4(struct tuple *t, uint32_t src, uint32_t dst)
{
	t->src = ip_v4(src);
	t->dst = ip_v4(dst);
}

static void tuple6(struct tuple *t, const uint8_t src[16], const uint8_t dst[16])
{
	memcpy(t->src.bytes, src, 16);
	memcpy(t->dst.bytes, dst, 16);
}

void pkt_tuple(struct rte_mbuf *m, struct tuple *t)
{
	const struct pkt *p = pkt_of(m);
	bool error = p->flags & PKT_ICMP_ERROR;
	const void *ip = pkt_at(m, error ? p->inner_l3 : p->l3);
	const struct rte_ipv4_hdr *ip4 = ip;
	const struct rte_ipv6_hdr *ip6 = ip;
	uint64_t rest = pkt_tuple_rest(p);

	memcpy((uint8_t *)t + TUPLE_REST, &rest, sizeof(rest));
	if (p->flags & PKT_V4 && error)
		tuple4(t, ip4->dst_addr, ip4->src_addr);
	else if (p->flags & PKT_V4)
		tuple4(t, ip4->src_addr, ip4->dst_addr);
	else if (error)
		tuple6(t, ip6->dst_addr, ip6->src_addr);
	else
		tuple6(t, ip6->src_addr, ip6->dst_addr);
}
