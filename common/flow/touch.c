/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rest of flow_touch(): whatever changes a session's class, first answers, ICMP, fragments, and TCP
 * segments that are not plain ones of an established session. Called by the worker that owns the table.
 */
#include "flow/touch.h"

#include "flow/sctp.h"
#include "flow/table_private.h"

/* Class of a session without states: UDP and ICMP are half-open until they are answered; where no answer can come this
 * way, until its originator sends a second time. */
static enum session_class plain_class(const struct session *s, const struct pkt *p)
{
	if (s->klass != CLASS_UDP_OPENING && s->klass != CLASS_ICMP_OPENING)
		return s->klass;
	if (p->dir == 1 || ((s->flags & SESSION_ONEWAY) && s->packets[0]))
		return s->klass == CLASS_UDP_OPENING ? CLASS_UDP : CLASS_ICMP;
	return s->klass;
}

/* A segment that would move the tracking by a flag, and that its receiver would not believe. */
static bool is_spoilt(const struct flow_table *table, struct rte_mbuf *m)
{
	return table->verify_tcp &&
	       pkt_of(m)->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG | RTE_TCP_RST_FLAG) &&
	       !pkt_transport_checksum_ok(m);
}

static enum flow_invalid track(struct flow_table *table, struct session *s, struct rte_mbuf *m,
                               enum session_class *klass)
{
	const struct tcp_look look = {
		.quality = &table->quality[flow_index(table, s)],
		.totals = s->path < table->totals_count ? &table->totals[s->path] : NULL,
		.now = table->now_us,
		.timing = table->timing,
	};

	return is_spoilt(table, m) ? FLOW_TCP_CHECKSUM : tcp_track(s, m, &look, klass);
}

enum flow_invalid flow_touch_slow(struct flow_table *table, struct session *s, struct rte_mbuf *m,
                                  uint32_t now)
{
	const struct pkt *p = pkt_of(m);
	enum session_class klass = s->klass;
	enum flow_invalid verdict = FLOW_VALID;

	if (p->flags & PKT_ICMP_ERROR) {
		flow_account(s, p);
		return FLOW_VALID;
	}
	if (p->proto != IPPROTO_TCP && p->proto != IPPROTO_SCTP)
		klass = plain_class(s, p);
	else if (!(p->flags & PKT_LATER))
		verdict = p->proto == IPPROTO_TCP ? track(table, s, m, &klass) : sctp_track(s, m, &klass);
	if (verdict != FLOW_VALID)
		return verdict;
	if (p->dir)
		s->flags |= SESSION_REPLIED;
	s->last_seen = now;
	if (klass != s->klass)
		list_change_class(table, s, klass, now);
	flow_account(s, p);
	return FLOW_VALID;
}

enum flow_invalid flow_touch_timed(struct flow_table *table, struct session *s, struct rte_mbuf *m,
                                   uint32_t now)
{
	enum flow_invalid verdict;

	table->timing = true;
	verdict = flow_touch_slow(table, s, m, now);
	table->timing = false;
	return verdict;
}
