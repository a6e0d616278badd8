/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way in, for packets that belong to no session: is it for us, may it go on, and by which port. Worker's thread.
 */
#include "edge/private.h"

/* A packet of our own, or one that a function sent anew: its frame is not as it came from outside. */
static bool is_inner(const struct pkt *p)
{
	return (p->flags & PKT_ORIGINATED) || p->turns > 0;
}

/* Frames that are not addressed to us, RFC 1812, sections 3.3.4 and 5.3.4. */
static bool wrong_frame(const struct edge_table *table, struct rte_mbuf *m, enum edge_counter *reason)
{
	const struct pkt *p = pkt_of(m);
	const uint8_t *frame = rte_pktmbuf_mtod(m, const uint8_t *);

	if ((p->flags & PKT_MULTICAST) || (!is_inner(p) && (frame[0] & 1)))
		*reason = EDGE_C_MULTICAST;
	else if (!is_inner(p) && (p->in_port >= EDGE_PORTS_MAX || !table->ports[p->in_port].present ||
	                          memcmp(frame, table->ports[p->in_port].mac, RTE_ETHER_ADDR_LEN) != 0))
		*reason = EDGE_C_NOT_FOR_ME;
	else
		return false;
	return true;
}

/* Nobody else has our addresses; where a function shares one, it says itself what may come. */
static bool is_spoofed(const struct edge_table *table, const struct pkt *p, uint8_t family,
                       const union ipaddr *source)
{
	const struct edge_hop *hop;

	if (is_inner(p))
		return false;
	if (is_link_local(family, source))
		return table_answers(table, p->in_port, family, source);
	hop = table_route(table, family, source);
	return hop->kind == HOP_BROADCAST || (hop->kind == HOP_LOCAL && hop->owner == EDGE_NO_OWNER);
}

/* On our own addresses: everything is ours but what a function claims, and of that echo requests still are. */
static bool is_local(struct rte_mbuf *m, const struct edge_hop *hop)
{
	const struct pkt *p = pkt_of(m);

	if (hop->kind != HOP_LOCAL)
		return false;
	if (hop->owner == EDGE_NO_OWNER)
		return true;
	return (p->flags & PKT_ICMP_QUERY) && p->icmp_type == (p->flags & PKT_V4 ? 8 : 128);
}

/* What is link-local stays on its link. */
static void input_link_local(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                             const union ipaddr *destination, uint64_t now)
{
	const struct pkt *p = pkt_of(m);

	if (p->in_port < EDGE_PORTS_MAX && table_answers(table, p->in_port, FAMILY_V6, destination))
		local_input(ew, table, m, now);
	else
		edge_drop(ew, m, EDGE_C_NO_ROUTE);
}

static bool refused(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                    const struct edge_hop *hop, uint64_t now)
{
	enum edge_counter reason = EDGE_C_NO_ROUTE;

	switch (hop->kind) {
	case HOP_BLACKHOLE:
		edge_drop(ew, m, EDGE_C_BLACKHOLE);
		return true;
	case HOP_BROADCAST:
		edge_drop(ew, m, EDGE_C_MULTICAST);
		return true;
	case HOP_REJECT:
		reason = EDGE_C_REJECTED;
		break;
	case HOP_NONE:
		break;
	default:
		if (pkt_ttl(m) > 1 || (pkt_of(m)->flags & PKT_ORIGINATED))
			return false;
		edge_error(ew, table, m, ICMP_TTL_EXCEEDED, 0, now);
		edge_drop(ew, m, EDGE_C_TTL_EXCEEDED);
		return true;
	}
	edge_error(ew, table, m, ICMP_NO_ROUTE, 0, now);
	edge_drop(ew, m, reason);
	return true;
}

static enum edge_answer input_routed(struct edge_worker *ew, const struct edge_table *table,
                                     struct rte_mbuf *m, uint64_t now, struct edge_decision *decision)
{
	enum edge_counter reason;
	union ipaddr source, destination;
	uint8_t family = packet_addresses(m, &source, &destination);
	const struct edge_hop *hop;

	if (wrong_frame(table, m, &reason)) {
		edge_drop(ew, m, reason);
		return EDGE_DONE;
	}
	if (is_spoofed(table, pkt_of(m), family, &source)) {
		edge_drop(ew, m, EDGE_C_SPOOFED);
		return EDGE_DONE;
	}
	if (is_link_local(family, &destination) ||
	    (is_link_local(family, &source) && table_route(table, family, &destination)->kind != HOP_LOCAL)) {
		input_link_local(ew, table, m, &destination, now);
		return EDGE_DONE;
	}
	hop = table_route(table, family, &destination);
	if (is_local(m, hop)) {
		local_input(ew, table, m, now);
		return EDGE_DONE;
	}
	if (refused(ew, table, m, hop, now))
		return EDGE_DONE;
	*decision = (struct edge_decision){ hop->port, hop->owner };
	return EDGE_FORWARD;
}

enum edge_answer edge_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                            uint64_t now, struct edge_decision *decision)
{
	*decision = (struct edge_decision){ EDGE_NO_PORT, EDGE_NO_OWNER };
	if (table->mode == EDGE_LINK)
		return EDGE_FORWARD;
	if (table->mode == EDGE_TRANSPARENT)
		return transparent_input(ew, table, m, decision);
	return input_routed(ew, table, m, now, decision);
}

/* Neighbour discovery, router messages and group membership: 130 to 137, 143. */
static bool is_discovery(const struct pkt *p)
{
	if (!(p->flags & PKT_V6) || (p->flags & (PKT_ICMP_ERROR | PKT_LATER)) || p->proto != IPPROTO_ICMPV6)
		return false;
	return (p->icmp_type >= 130 && p->icmp_type <= 137) || p->icmp_type == 143;
}

bool edge_is_control(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);

	return !(p->flags & (PKT_V4 | PKT_V6)) || is_discovery(p);
}

void edge_control(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m, uint64_t now)
{
	const struct pkt *p = pkt_of(m);
	uint16_t type;

	if (table->mode == EDGE_LINK || p->in_port >= EDGE_PORTS_MAX || !table->ports[p->in_port].present) {
		edge_drop(ew, m, EDGE_C_NOT_IP);
		return;
	}
	if (table->mode == EDGE_TRANSPARENT) {
		transparent_control(ew, table, m);
		return;
	}
	if (p->flags & PKT_V6) {
		nd_input(ew, table, m, now);
		return;
	}
	if (rte_pktmbuf_data_len(m) < RTE_ETHER_HDR_LEN || p->l3 < RTE_ETHER_HDR_LEN) {
		edge_drop(ew, m, EDGE_C_NOT_IP);
		return;
	}
	memcpy(&type, pkt_at(m, (uint16_t)(p->l3 - 2)), sizeof(type));
	if (type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP))
		arp_input(ew, table, m, now);
	else
		edge_drop(ew, m, EDGE_C_NOT_IP);
}
