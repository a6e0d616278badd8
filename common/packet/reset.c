/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See reset.h.
 */
#include <netinet/in.h>

#include "packet/originate.h"
#include "packet/reset.h"

static bool reset_due(struct rte_mbuf *offending)
{
	const struct pkt *p = pkt_of(offending);

	return p->proto == IPPROTO_TCP && !(p->flags & (PKT_ICMP_ERROR | PKT_FRAGMENT)) &&
	       !(p->tcp_flags & RTE_TCP_RST_FLAG) && originate_answerable(offending);
}

/* What the segment takes of sequence space: its data, SYN and FIN. */
static uint32_t segment_length(struct rte_mbuf *m, const struct rte_tcp_hdr *tcp)
{
	const struct pkt *p = pkt_of(m);
	uint32_t data = p->end - p->l4 - (tcp->data_off >> 4) * 4;

	return data + !!(p->tcp_flags & RTE_TCP_SYN_FLAG) + !!(p->tcp_flags & RTE_TCP_FIN_FLAG);
}

static void put_tcp(uint8_t *at, struct rte_mbuf *offending)
{
	const struct rte_tcp_hdr *tcp = pkt_at(offending, pkt_of(offending)->l4);
	struct rte_tcp_hdr reset = {
		.src_port = tcp->dst_port,
		.dst_port = tcp->src_port,
		.data_off = sizeof(reset) / 4 << 4,
		.tcp_flags = RTE_TCP_RST_FLAG,
	};

	if (tcp->tcp_flags & RTE_TCP_ACK_FLAG) {
		reset.sent_seq = tcp->recv_ack;
	} else {
		uint32_t seen = rte_be_to_cpu_32(tcp->sent_seq) + segment_length(offending, tcp);

		reset.recv_ack = rte_cpu_to_be_32(seen);
		reset.tcp_flags |= RTE_TCP_ACK_FLAG;
	}
	memcpy(at, &reset, sizeof(reset));
}

bool reset_build(struct rte_mbuf *reset, struct rte_mbuf *offending)
{
	bool v4 = pkt_of(offending)->flags & PKT_V4;
	uint16_t length =
	        (v4 ? sizeof(struct rte_ipv4_hdr) : sizeof(struct rte_ipv6_hdr)) + sizeof(struct rte_tcp_hdr);
	uint8_t *at;

	if (!reset_due(offending))
		return false;
	at = originate_begin(reset, offending, length);
	if (!at)
		return false;
	if (v4)
		at = originate_ip4(at, length, IPPROTO_TCP, 0, pkt_ip4(offending)->dst_addr,
		                   pkt_ip4(offending)->src_addr);
	else
		at = originate_ip6(at, length, IPPROTO_TCP, pkt_ip6(offending)->dst_addr,
		                   pkt_ip6(offending)->src_addr);
	put_tcp(at, offending);
	return originate_end(reset, offending);
}
