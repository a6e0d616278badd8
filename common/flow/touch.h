/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every packet does to its session: last seen, counters, TCP tracking with window check, class. Inline,
 * because it is on every packet's way: replied UDP, and a plain segment of an established TCP session, never
 * leave this file and never touch the table. Called by the worker that owns the session.
 */
#ifndef SLUICE_FLOW_TOUCH_H
#define SLUICE_FLOW_TOUCH_H

#include <rte_branch_prediction.h>

#include "flow/session.h"
#include "flow/table.h"
#include "flow/tcp.h"
#include "packet/pkt.h"

/* The whole rule, for the packets that the quick path leaves over. As flow_touch() otherwise. */
enum flow_invalid flow_touch_slow(struct flow_table *table, struct session *s, struct rte_mbuf *m,
                                  uint32_t now);

/* As flow_touch(); a TCP segment's data may be timed (flow/quality.h). */
enum flow_invalid flow_touch_timed(struct flow_table *table, struct session *s, struct rte_mbuf *m,
                                   uint32_t now);

/* Packets, as many as can be counted, and bytes (of IP) by direction; pkt->dir says which. */
static inline void flow_account(struct session *s, const struct pkt *p)
{
	s->packets[p->dir] += s->packets[p->dir] != UINT32_MAX;
	s->bytes[p->dir] += (uint16_t)(p->end - p->l3);
}

/* Accounts one packet of pkt->dir and moves the session along. Anything but FLOW_VALID: the packet is not
 * acceptable and nothing was changed. ICMP errors are counted and refresh nothing. `now` in milliseconds. A
 * ONEWAY session is not window checked. */
static inline enum flow_invalid flow_touch(struct flow_table *table, struct session *s, struct rte_mbuf *m,
                                           uint32_t now)
{
	const struct pkt *p = pkt_of(m);

	if (unlikely(p->flags & (PKT_ICMP_ERROR | PKT_FRAGMENT)))
		return flow_touch_slow(table, s, m, now);
	if (likely(s->klass == CLASS_TCP_ESTABLISHED)) {
		unsigned kind = p->tcp_flags &
		                (RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG);

		if (unlikely(kind != RTE_TCP_ACK_FLAG || (s->flags & SESSION_ONEWAY) ||
		             !tcp_quick(s, p, pkt_at(m, p->l4))))
			return flow_touch_slow(table, s, m, now);
	} else if (unlikely(s->klass != CLASS_UDP)) {
		return flow_touch_slow(table, s, m, now);
	}
	s->last_seen = now;
	flow_account(s, p);
	return FLOW_VALID;
}

#endif
