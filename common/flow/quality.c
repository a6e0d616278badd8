/* SPDX-License-Identifier: BSD-3-Clause */
/* Retransmissions, order and round-trip times of TCP sessions. See quality.h. */
#include "flow/quality.h"

#include <rte_tcp.h>

#include "flow/tcp.h"

enum { LATE_UNKNOWN_US = 3000 };

static struct tcp_totals_side *side_of(struct tcp_totals *totals, const struct session *s, unsigned dir)
{
	return &totals->side[!!(s->flags & SESSION_WALK) ^ dir];
}

static bool within(uint32_t number, uint32_t begin, uint32_t end)
{
	return number - begin < end - begin;
}

/* --- round-trip times --- */

static void count_rtt(struct tcp_totals_side *side, uint32_t us)
{
	unsigned i = 0;

	while (i < RTT_BOUNDS && us > (uint32_t)RTT_FIRST_US << i)
		i++;
	side->rtts[i]++;
	side->rtt_us += us;
}

static void time_segment(struct tcp_quality *q, struct session *s, const struct tcp_seen *g)
{
	q->timed_end[g->dir] = g->end;
	q->timed_at[g->dir] = g->now;
	s->tcp_scale[g->dir] |= TCP_TIMED;
}

/* What the other side has sent and has been timed is acknowledged by this segment. */
static void acknowledged(struct tcp_quality *q, struct tcp_totals *totals, struct session *s,
                         const struct tcp_seen *g)
{
	unsigned sender = g->dir ^ 1;
	uint32_t us = g->now - q->timed_at[sender];

	if (time_after32(g->ack, q->timed_end[sender]) < 0)
		return;
	s->tcp_scale[sender] &= (uint8_t)~TCP_TIMED;
	q->rtt_us[g->dir] = us ? us : 1;
	if (!q->rtt_min[g->dir] || us < q->rtt_min[g->dir])
		q->rtt_min[g->dir] = q->rtt_us[g->dir];
	if (totals)
		count_rtt(side_of(totals, s, g->dir), us);
}

/* --- order --- */

static void open_hole(struct tcp_hole *hole, const struct tcp_seen *g)
{
	if (hole->begin == hole->end)
		*hole = (struct tcp_hole){ .begin = g->before, .since = g->now };
	hole->end = g->seq;
}

/* Whether a segment fills a hole, before its sender can have known of it. */
static bool is_late(const struct tcp_quality *q, const struct tcp_seen *g)
{
	const struct tcp_hole *hole = &q->hole[g->dir];
	uint32_t half = (q->rtt_min[0] + q->rtt_min[1]) / 2;

	return within(g->seq, hole->begin, hole->end) &&
	       g->now - hole->since < (half ? half : LATE_UNKNOWN_US);
}

/* What is missing is mostly sent again in order: nothing below is waited for any more. */
static void fill_hole(struct tcp_hole *hole, const struct tcp_seen *g)
{
	if (within(g->seq, hole->begin, hole->end))
		hole->begin = within(g->end, hole->begin, hole->end) ? g->end : hole->end;
}

static bool is_keep_alive(const struct tcp_seen *g)
{
	return g->end == g->before && g->end - g->seq == 1 &&
	       !(g->flags & (RTE_TCP_SYN_FLAG | RTE_TCP_FIN_FLAG));
}

/* Numbers below the highest: they came before, or come late. */
static void again(struct tcp_quality *q, struct tcp_totals *totals, struct session *s,
                  const struct tcp_seen *g)
{
	bool late = is_late(q, g);

	if (is_keep_alive(g))
		return;
	q->out_of_order[g->dir] += late;
	q->retransmits[g->dir] += !late;
	if (totals) {
		side_of(totals, s, g->dir)->out_of_order += late;
		side_of(totals, s, g->dir)->retransmits += !late;
	}
	fill_hole(&q->hole[g->dir], g);
	if (!late && time_after32(g->seq, q->timed_end[g->dir]) < 0)
		s->tcp_scale[g->dir] &= (uint8_t)~TCP_TIMED;
}

void quality_note(struct tcp_quality *q, struct tcp_totals *totals, struct session *s,
                  const struct tcp_seen *g)
{
	int32_t ahead = time_after32(g->seq, g->before);

	if ((g->flags & RTE_TCP_ACK_FLAG) && (s->tcp_scale[g->dir ^ 1] & TCP_TIMED))
		acknowledged(q, totals, s, g);
	if (g->seq == g->end || (s->tcp_scale[g->dir] & TCP_LOOSE))
		return;
	if (g->first) {
		if (g->flags & RTE_TCP_SYN_FLAG)
			time_segment(q, s, g);
	} else if (ahead == 0) {
		if (g->timing && !(s->tcp_scale[g->dir] & TCP_TIMED))
			time_segment(q, s, g);
	} else if (ahead > 0) {
		open_hole(&q->hole[g->dir], g);
	} else {
		again(q, totals, s, g);
	}
}
