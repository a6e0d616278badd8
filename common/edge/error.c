/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets of the edge's own making: fresh mbufs, ICMP errors and resets for packets that it drops. Errors share one rate
 * limit a worker (RFC 1812, section 4.3.2.8; RFC 4443, section 2.4 f). An error about a packet of a session goes back the way the
 * packet came, through the functions, which translate it; others are routed from here.
 */
#include "edge/private.h"
#include "packet/reset.h"

struct rte_mbuf *edge_originate(struct edge_worker *ew, uint16_t port, uint16_t length)
{
	struct rte_mbuf *m = ew->ops->mbuf(ew->context);
	struct pkt *p;
	char *frame;

	if (!m)
		return NULL;
	frame = rte_pktmbuf_append(m, length);
	if (!frame) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memset(frame, 0, length);
	p = pkt_of(m);
	*p = (struct pkt){ .flags = PKT_ORIGINATED, .l3 = RTE_ETHER_HDR_LEN, .end = length, .in_port = port };
	return m;
}

void edge_transmit_own(struct edge_worker *ew, uint16_t port, struct rte_mbuf *m)
{
	edge_count(ew, EDGE_C_ORIGINATED);
	ew->ops->transmit(ew->context, port, m);
}

/* Whether a packet came out of a hop: what it was before is known there alone, so answers to it go back by the link. */
static bool from_link(const struct edge_table *table, struct rte_mbuf *m)
{
	uint16_t port = pkt_of(m)->in_port;

	return table->mode == EDGE_ROUTED && port < EDGE_PORTS_MAX && !table->ports[port].present;
}

/* The first address of the family that any port has. */
static bool any_source(const struct edge_table *table, uint8_t family, union ipaddr *address)
{
	for (uint16_t port = 0; port < EDGE_PORTS_MAX; port++)
		if (table->ports[port].present && edge_source(table, port, family, address))
			return true;
	return false;
}

static void send_answer(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *offending,
                        struct rte_mbuf *answer, uint64_t now)
{
	edge_count(ew, EDGE_C_ORIGINATED);
	if (pkt_of(offending)->session || from_link(table, offending))
		ew->ops->turn(ew->context, offending, answer);
	else if (table->mode == EDGE_TRANSPARENT)
		ew->ops->transmit(ew->context, pkt_of(offending)->in_port, answer);
	else
		output_route(ew, table, answer, EDGE_NO_PORT, true, now);
}

bool edge_error_source(const struct edge_table *table, struct rte_mbuf *offending, union ipaddr *address)
{
	const struct pkt *p = pkt_of(offending);
	bool own = p->in_port < EDGE_PORTS_MAX && table->ports[p->in_port].address_count > 0;
	union ipaddr source;

	if (from_link(table, offending))
		return any_source(table, p->flags & PKT_V4 ? FAMILY_V4 : FAMILY_V6, address);
	if (own || table->mode == EDGE_ROUTED)
		return edge_source(table, p->in_port, p->flags & PKT_V4 ? FAMILY_V4 : FAMILY_V6, address);
	packet_addresses(offending, &source, address);
	return true;
}

void edge_error(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *offending,
                enum icmp_reason reason, uint32_t value, uint64_t now)
{
	union ipaddr source;
	struct rte_mbuf *answer;

	if ((pkt_of(offending)->flags & PKT_ORIGINATED) || !icmp_error_due(offending) ||
	    !edge_error_source(table, offending, &source) || !token_bucket_take(&ew->error_rate, now))
		return;
	answer = ew->ops->mbuf(ew->context);
	if (!answer)
		return;
	if (icmp_error_build(answer, offending, reason, value, &source))
		send_answer(ew, table, offending, answer, now);
	else
		rte_pktmbuf_free(answer);
}

void edge_reset(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *offending,
                uint64_t now)
{
	struct rte_mbuf *answer;

	if (!token_bucket_take(&ew->error_rate, now))
		return;
	answer = ew->ops->mbuf(ew->context);
	if (!answer)
		return;
	if (reset_build(answer, offending))
		send_answer(ew, table, offending, answer, now);
	else
		rte_pktmbuf_free(answer);
}
