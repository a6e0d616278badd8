/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ARP (RFC 826, 5227) in and out. Worker 0.
 */
#include <rte_arp.h>

#include "edge/private.h"

struct arp_frame {
	struct rte_ether_hdr ether;
	struct rte_arp_hdr arp;
} __attribute__((packed, aligned(2)));

static const uint8_t broadcast[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

static bool well_formed(struct rte_mbuf *m, struct rte_arp_hdr *arp)
{
	const struct pkt *p = pkt_of(m);

	if (rte_pktmbuf_data_len(m) < p->l3 + sizeof(*arp))
		return false;
	memcpy(arp, pkt_at(m, p->l3), sizeof(*arp));
	return arp->arp_hardware == rte_cpu_to_be_16(RTE_ARP_HRD_ETHER) &&
	       arp->arp_protocol == rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4) && arp->arp_hlen == 6 &&
	       arp->arp_plen == 4 && rte_is_valid_assigned_ether_addr(&arp->arp_data.arp_sha) &&
	       (arp->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REQUEST) ||
	        arp->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REPLY));
}

/* A frame to a MAC of somebody else is none of our business, even if it is ARP. */
static bool is_to_us(const struct edge_port *port, struct rte_mbuf *m)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);

	return (frame[0] & 1) || memcmp(frame, port->mac, 6) == 0;
}

static void send_arp(struct edge_worker *ew, const struct edge_table *table, uint16_t port,
                     uint16_t operation, uint32_t source, uint32_t target, const uint8_t *target_mac,
                     const uint8_t *frame_to)
{
	struct rte_mbuf *m = edge_originate(ew, port, RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN);
	struct arp_frame frame = {
		.ether.ether_type = rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP),
		.arp = { .arp_hardware = rte_cpu_to_be_16(RTE_ARP_HRD_ETHER),
		         .arp_protocol = rte_cpu_to_be_16(RTE_ETHER_TYPE_IPV4),
		         .arp_hlen = 6,
		         .arp_plen = 4,
		         .arp_opcode = rte_cpu_to_be_16(operation),
		         .arp_data = { .arp_sip = source, .arp_tip = target } },
	};

	if (!m)
		return;
	memcpy(&frame.ether.dst_addr, frame_to, 6);
	memcpy(&frame.ether.src_addr, table->ports[port].mac, 6);
	memcpy(&frame.arp.arp_data.arp_sha, table->ports[port].mac, 6);
	if (target_mac)
		memcpy(&frame.arp.arp_data.arp_tha, target_mac, 6);
	memcpy(rte_pktmbuf_mtod(m, void *), &frame, sizeof(frame));
	edge_transmit_own(ew, port, m);
}

void arp_request(struct edge_worker *ew, const struct edge_table *table, const struct neighbour_key *key,
                 const uint8_t *to)
{
	union ipaddr source;

	if (table_source_toward(table, key->port, FAMILY_V4, &key->address, &source))
		send_arp(ew, table, key->port, RTE_ARP_OP_REQUEST, source.v4, key->address.v4, NULL,
		         to ? to : broadcast);
}

void arp_announce(struct edge_worker *ew, const struct edge_table *table, uint16_t port, uint32_t address)
{
	send_arp(ew, table, port, RTE_ARP_OP_REQUEST, address, address, NULL, broadcast);
}

/* Who says he has an address must be able to have it on this link. The sender 0 asks whether an address is free. */
static bool believable(const struct edge_table *table, uint16_t port, uint32_t sender)
{
	union ipaddr address = ip_v4(sender);

	return sender == 0 || table_on_link(table, port, FAMILY_V4, &address);
}

static void learn(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                  const struct rte_arp_hdr *arp, bool for_us, uint64_t now)
{
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);
	bool reply = arp->arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REPLY);
	struct neighbour_news news = {
		.key = { ip_v4(arp->arp_data.arp_sip), pkt_of(m)->in_port, FAMILY_V4 },
		.has_mac = true,
		.override = true,
		.solicited = reply && for_us && !(frame[0] & 1),
		.may_add = !reply && for_us,
	};

	memcpy(news.mac, &arp->arp_data.arp_sha, 6);
	neighbour_learn(ew, table, &news, now);
}

void arp_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m, uint64_t now)
{
	uint16_t port = pkt_of(m)->in_port;
	struct rte_arp_hdr arp;
	union ipaddr sender, target;
	bool for_us;

	if (!is_to_us(&table->ports[port], m)) {
		edge_drop(ew, m, EDGE_C_NOT_FOR_ME);
		return;
	}
	if (!well_formed(m, &arp)) {
		edge_drop(ew, m, EDGE_C_BAD_ARP);
		return;
	}
	sender = ip_v4(arp.arp_data.arp_sip);
	conflict_look(ew, table, port, FAMILY_V4, &sender, arp.arp_data.arp_sha.addr_bytes, now);
	if (!believable(table, port, arp.arp_data.arp_sip)) {
		edge_drop(ew, m, EDGE_C_BAD_ARP);
		return;
	}
	target = ip_v4(arp.arp_data.arp_tip);
	for_us = table_answers(table, port, FAMILY_V4, &target);
	if (arp.arp_data.arp_sip != 0)
		learn(ew, table, m, &arp, for_us, now);
	if (for_us && arp.arp_opcode == rte_cpu_to_be_16(RTE_ARP_OP_REQUEST))
		send_arp(ew, table, port, RTE_ARP_OP_REPLY, target.v4, arp.arp_data.arp_sip,
		         arp.arp_data.arp_sha.addr_bytes, arp.arp_data.arp_sha.addr_bytes);
	edge_count(ew, EDGE_C_DELIVERED);
	edge_note(ew, m, EDGE_C_DELIVERED);
	rte_pktmbuf_free(m);
}
