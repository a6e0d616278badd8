/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole checksums of a parsed packet, computed anew or verified, over all its segments. For packets that this
 * process makes, for verification on request and for tests; rewrites update theirs instead. Works on one
 * packet, on the thread that holds it.
 */
#include <netinet/in.h>

#include "packet/checksum.h"
#include "packet/pkt.h"
#include "packet/sctp.h"

/* Sum of `length` bytes from `offset` on; segments may have odd lengths. */
static uint16_t sum_of(const struct rte_mbuf *m, uint32_t offset, uint32_t length)
{
	uint64_t sum = 0;
	uint32_t done = 0;

	for (; m && length; m = m->next) {
		uint32_t piece = m->data_len > offset ? RTE_MIN(m->data_len - offset, length) : 0;
		uint16_t part = rte_raw_cksum(rte_pktmbuf_mtod_offset(m, const uint8_t *, offset), piece);

		sum += done % 2 ? rte_bswap16(part) : part;
		done += piece;
		length -= piece;
		offset -= RTE_MIN(offset, (uint32_t)m->data_len);
	}
	return checksum_fold(sum);
}

/* Bytes that the transport checksum covers: by UDP's own length, which may be less than what the IP packet
 * carries. */
static uint16_t covered(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);
	const struct rte_udp_hdr *udp = pkt_at(m, p->l4);

	return pkt_own_proto(p) == IPPROTO_UDP ? rte_be_to_cpu_16(udp->dgram_len) : p->end - p->l4;
}

static uint16_t pseudo_header(struct rte_mbuf *m, uint16_t length)
{
	const struct pkt *p = pkt_of(m);
	uint64_t sum = (uint64_t)rte_cpu_to_be_16(pkt_own_proto(p)) + rte_cpu_to_be_16(length);

	if (p->flags & PKT_V4)
		sum += rte_raw_cksum(&pkt_ip4(m)->src_addr, 8);
	else
		sum += rte_raw_cksum(pkt_ip6(m)->src_addr, 32);
	return checksum_fold(sum);
}

/* Offset of the checksum in the transport header; false: no checksum that we know, or not all of what it
 * covers is here. */
static bool find_checksum(const struct pkt *p, uint16_t *offset)
{
	if (p->flags & PKT_FRAGMENT)
		return false;
	switch (pkt_own_proto(p)) {
	case IPPROTO_TCP:
		*offset = offsetof(struct rte_tcp_hdr, cksum);
		return true;
	case IPPROTO_UDP:
		*offset = offsetof(struct rte_udp_hdr, dgram_cksum);
		return true;
	case IPPROTO_ICMP:
		*offset = offsetof(struct rte_icmp_hdr, icmp_cksum);
		return p->flags & PKT_V4;
	case IPPROTO_ICMPV6:
		*offset = offsetof(struct rte_icmp_hdr, icmp_cksum);
		return p->flags & PKT_V6;
	default:
		return false;
	}
}

/* Sum of the segment, its checksum field included, and of the pseudo header where there is one. */
static uint16_t transport_sum(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);
	uint16_t length = covered(m);
	uint16_t sum = sum_of(m, p->l4, length);

	if (pkt_own_proto(p) == IPPROTO_ICMP)
		return sum;
	return checksum_join(sum, pseudo_header(m, length));
}

void pkt_checksums(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);
	uint16_t offset, *field;

	if (p->flags & PKT_V4) {
		struct rte_ipv4_hdr *ip = pkt_ip4(m);

		ip->hdr_checksum = 0;
		ip->hdr_checksum = (uint16_t)~rte_raw_cksum(ip, rte_ipv4_hdr_len(ip));
	}
	if (pkt_own_proto(p) == IPPROTO_SCTP && !(p->flags & PKT_FRAGMENT))
		((struct rte_sctp_hdr *)pkt_at(m, p->l4))->cksum = sctp_crc(m);
	if (!find_checksum(p, &offset))
		return;
	field = (uint16_t *)((uint8_t *)pkt_at(m, p->l4) + offset);
	*field = 0;
	*field = (uint16_t)~transport_sum(m);
	if (pkt_own_proto(p) == IPPROTO_UDP && *field == 0)
		*field = 0xffff;
}

bool pkt_transport_checksum_ok(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);
	uint16_t offset, *field;

	if (pkt_own_proto(p) == IPPROTO_SCTP && !(p->flags & PKT_FRAGMENT))
		return ((struct rte_sctp_hdr *)pkt_at(m, p->l4))->cksum == sctp_crc(m);
	if (!find_checksum(p, &offset))
		return true;
	field = (uint16_t *)((uint8_t *)pkt_at(m, p->l4) + offset);
	if (pkt_own_proto(p) == IPPROTO_UDP && p->flags & PKT_V4 && *field == 0)
		return true;
	return transport_sum(m) == 0xffff;
}
