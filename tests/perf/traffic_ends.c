/* SPDX-License-Identifier: BSD-3-Clause */
/* The two ends of the traffic: frames, their marks, ARP. Each function belongs to the thread of its end. */
#include <string.h>

#include <rte_cycles.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_udp.h>

#include "traffic.h"

enum { HEADERS = 42, MAGIC = 0x534c5046, DEBT_MAX = 2 * TRAFFIC_BURST, SOURCE_HOSTS = 1 << 12 };

static const uint8_t own_mac[6] = { 0x02, 0xaa, 0, 0, 0, 1 };

/* What follows the headers. */
struct mark {
	uint32_t magic;
	uint16_t phase;
	uint64_t sent; /* cycles */
} __attribute__((packed));

void sender_prepare(struct sender *s)
{
	struct rte_ether_hdr *ether = (struct rte_ether_hdr *)s->head;
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(ether + 1);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	memcpy(&ether->dst_addr, s->mac, 6);
	memcpy(&ether->src_addr, own_mac, 6);
	ether->ether_type = RTE_BE16(RTE_ETHER_TYPE_IPV4);
	ip->version_ihl = 0x45;
	ip->total_length = rte_cpu_to_be_16((uint16_t)(s->size - RTE_ETHER_HDR_LEN));
	ip->time_to_live = 64;
	ip->next_proto_id = IPPROTO_UDP;
	ip->dst_addr = RTE_BE32(RTE_IPV4(198u, 18, 0, 1));
	udp->dst_port = RTE_BE16(9000);
	udp->dgram_len = rte_cpu_to_be_16((uint16_t)(s->size - RTE_ETHER_HDR_LEN - sizeof(*ip)));
}

/* Flow i comes from host and port i of 10.0.0.0/20. */
static void fill(struct sender *s, struct rte_mbuf *m, uint64_t now)
{
	struct mark mark = { MAGIC, s->phase, now };
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, s->size);
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(frame + RTE_ETHER_HDR_LEN);
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(ip + 1);

	memcpy(frame, s->head, HEADERS);
	ip->src_addr = rte_cpu_to_be_32(RTE_IPV4(10, 0, 0, 2) + s->flow % SOURCE_HOSTS);
	udp->src_port = rte_cpu_to_be_16((uint16_t)(1024 + s->flow / SOURCE_HOSTS));
	ip->hdr_checksum = rte_ipv4_cksum(ip);
	memcpy(frame + HEADERS, &mark, sizeof(mark));
	s->flow = s->flow + 1 == s->flows ? 0 : s->flow + 1;
}

/* The one neighbour of the port answers for every address. */
static bool answer_arp(struct port *port, struct rte_mbuf *m)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *), *arp = frame + RTE_ETHER_HDR_LEN, sender[10];

	if (rte_pktmbuf_data_len(m) < HEADERS || frame[12] != 0x08 || frame[13] != 0x06 || arp[7] != 1)
		return false;
	memcpy(sender, arp + 8, sizeof(sender));
	memcpy(arp + 14, arp + 24, 4);
	memcpy(arp + 8, own_mac, 6);
	memcpy(arp + 18, sender, sizeof(sender));
	arp[7] = 2;
	memcpy(frame, sender, 6);
	memcpy(frame + 6, own_mac, 6);
	return port->ops->tx(port, 0, &m, 1) == 1;
}

/* How many are to be sent now. Who was kept from sending does not make up for it: that would be a burst which no rate means. */
static unsigned due_now(struct sender *s, uint64_t now)
{
	uint64_t due;

	if (!s->rate)
		return TRAFFIC_BURST;
	due = (uint64_t)((double)(now - s->begin) * (double)s->rate / (double)rte_get_tsc_hz());
	if (due > s->due + DEBT_MAX)
		s->due = due - DEBT_MAX;
	due -= s->due;
	return due < TRAFFIC_BURST ? (unsigned)due : TRAFFIC_BURST;
}

static void listen_for_arp(struct port *port)
{
	struct rte_mbuf *m[TRAFFIC_BURST];
	unsigned n = port->ops->rx(port, 0, m, TRAFFIC_BURST);

	for (unsigned i = 0; i < n; i++)
		if (!answer_arp(port, m[i]))
			rte_pktmbuf_free(m[i]);
}

void sender_step(struct sender *s)
{
	struct rte_mbuf *m[TRAFFIC_BURST];
	uint64_t now = rte_rdtsc();
	unsigned n = due_now(s, now), taken;

	listen_for_arp(s->port);
	if (!n || rte_pktmbuf_alloc_bulk(s->pool, m, n) != 0)
		return;
	for (unsigned i = 0; i < n; i++)
		fill(s, m[i], now);
	taken = s->port->ops->tx(s->port, 0, m, (uint16_t)n);
	rte_pktmbuf_free_bulk(m + taken, n - taken);
	s->sent += taken;
	s->due += n;
	if (s->rate)
		s->refused += n - taken;
}

static void note_time(struct receiver *r, uint64_t cycles)
{
	uint32_t at = r->count++;

	if (at >= TRAFFIC_TIMES) {
		r->seed = r->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		at = (uint32_t)((r->seed >> 32) % r->count);
	}
	if (at < TRAFFIC_TIMES)
		r->times[at] = cycles < UINT32_MAX ? (uint32_t)cycles : UINT32_MAX;
}

/* Whether it is one of this phase. */
static bool take(struct receiver *r, struct rte_mbuf *m, uint16_t phase, uint64_t now)
{
	struct mark mark;

	if (rte_pktmbuf_data_len(m) < HEADERS + sizeof(mark))
		return false;
	memcpy(&mark, rte_pktmbuf_mtod(m, uint8_t *) + HEADERS, sizeof(mark));
	if (mark.magic != MAGIC || mark.phase != phase)
		return false;
	note_time(r, now - mark.sent);
	return true;
}

void receiver_step(struct receiver *r)
{
	struct rte_mbuf *m[TRAFFIC_BURST];
	uint16_t phase = atomic_load_explicit(&r->phase, memory_order_acquire);
	unsigned n = r->port->ops->rx(r->port, 0, m, TRAFFIC_BURST), taken = 0;
	uint64_t now = rte_rdtsc();

	for (unsigned i = 0; i < n; i++) {
		if (take(r, m[i], phase, now))
			taken++;
		else if (answer_arp(r->port, m[i]))
			continue;
		rte_pktmbuf_free(m[i]);
	}
	if (!taken)
		return;
	atomic_store_explicit(&r->received, r->received + taken, memory_order_relaxed);
	atomic_store_explicit(&r->last, now, memory_order_release);
}
