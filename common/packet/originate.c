/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See originate.h.
 */
#include <netinet/in.h>

#include <rte_ether.h>

#include "packet/originate.h"

uint8_t *originate_begin(struct rte_mbuf *answer, struct rte_mbuf *offending, uint16_t ip_length)
{
	uint16_t l3 = pkt_of(offending)->l3;
	const uint8_t *from = rte_pktmbuf_mtod(offending, const uint8_t *);
	uint8_t *to = (uint8_t *)rte_pktmbuf_append(answer, l3 + ip_length);

	if (!to)
		return NULL;
	memcpy(to, from + RTE_ETHER_ADDR_LEN, RTE_ETHER_ADDR_LEN);
	memcpy(to + RTE_ETHER_ADDR_LEN, from, RTE_ETHER_ADDR_LEN);
	memcpy(to + 2 * RTE_ETHER_ADDR_LEN, from + 2 * RTE_ETHER_ADDR_LEN, l3 - 2 * RTE_ETHER_ADDR_LEN);
	return to + l3;
}

uint8_t *originate_ip4(uint8_t *at, uint16_t ip_length, uint8_t proto, uint8_t tos, uint32_t src,
                       uint32_t dst)
{
	struct rte_ipv4_hdr ip = {
		.version_ihl = RTE_IPV4_VHL_DEF,
		.type_of_service = tos,
		.total_length = rte_cpu_to_be_16(ip_length),
		.fragment_offset = rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG),
		.time_to_live = ORIGINATE_TTL,
		.next_proto_id = proto,
		.src_addr = src,
		.dst_addr = dst,
	};

	memcpy(at, &ip, sizeof(ip));
	return at + sizeof(ip);
}

uint8_t *originate_ip6(uint8_t *at, uint16_t ip_length, uint8_t proto, const uint8_t src[16],
                       const uint8_t dst[16])
{
	struct rte_ipv6_hdr ip = {
		.vtc_flow = rte_cpu_to_be_32(UINT32_C(6) << 28),
		.payload_len = rte_cpu_to_be_16(ip_length - sizeof(ip)),
		.proto = proto,
		.hop_limits = ORIGINATE_TTL,
	};

	memcpy(ip.src_addr, src, sizeof(ip.src_addr));
	memcpy(ip.dst_addr, dst, sizeof(ip.dst_addr));
	memcpy(at, &ip, sizeof(ip));
	return at + sizeof(ip);
}

bool originate_end(struct rte_mbuf *answer, struct rte_mbuf *offending)
{
	struct pkt *p = pkt_of(answer);

	memset(p, 0, sizeof(*p));
	if (pkt_parse(answer, 0) != PKT_OK) {
		rte_pktmbuf_trim(answer, answer->data_len);
		return false;
	}
	pkt_checksums(answer);
	p->flags |= PKT_ORIGINATED;
	p->in_port = pkt_of(offending)->in_port;
	p->zone = pkt_of(offending)->zone;
	p->key_vlan = pkt_of(offending)->key_vlan;
	return true;
}

/* 240.0.0.0/4 names no host either; the parser refused multicast, broadcast and loopback. */
static bool one_host(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);
	static const uint8_t unspecified[16];

	if (p->flags & PKT_V6)
		return memcmp(pkt_ip6(m)->src_addr, unspecified, sizeof(unspecified)) != 0;
	return pkt_ip4(m)->src_addr != INADDR_ANY && rte_be_to_cpu_32(pkt_ip4(m)->src_addr) >> 28 != 15;
}

bool originate_answerable(struct rte_mbuf *offending)
{
	const struct pkt *p = pkt_of(offending);
	const uint8_t *frame = rte_pktmbuf_mtod(offending, const uint8_t *);

	return !(p->flags & (PKT_MULTICAST | PKT_LATER)) && !(frame[0] & RTE_ETHER_GROUP_ADDR) &&
	       one_host(offending);
}
