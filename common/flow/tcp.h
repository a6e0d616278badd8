/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP tracking: the state of both sides and the window check (after G. van Rooij, "Real stateful TCP packet
 * filtering in IP Filter"; RFC 9293 for the states, RFC 5961 for resets, RFC 7323 for scaling). It reads
 * headers and writes struct session, nothing else; the worker that owns the session calls it. Most packets
 * never get here: flow/touch.h has the quick path.
 *
 * What is decided, where the RFCs leave it to us:
 * - A segment is in window when it begins no further than the receiver allowed, ends no earlier than one
 * largest window of the
 *   receiver before the highest byte sent, and acknowledges nothing unsent, nor anything too long ago.
 * - A RST whose number is exactly the next one expected of its sender resets the session. Another one in the
 * window passes (the
 *   receiver decides, and challenges) and puts the session on the closing timer until the next good segment.
 *   One outside the window is refused.
 * - A SYN without ACK within a synchronised session passes and changes nothing: the receiver answers with a
 * challenge ACK, and a
 *   host that has rebooted can so end its old connection. After both FINs or a RST it asks for a new session.
 * - A SYN ACK with another number, before the first one was acknowledged, counts instead of that: a server with SYN cookies that is asked
 * again has forgotten its first answer.
 * - An ACK without data that answers a SYN (the challenge of a host that still has an older connection)
 * passes, and so does the
 *   RST that it provokes, but no other stray segment.
 * - Picked up midstream: each side's first segment is believed; after that the window check goes on with the
 * largest scale that
 *   there is, because the real one was never seen.
 * - A fragmented segment hides its length: acknowledgements of its receiver are believed from then on.
 */
#ifndef SLUICE_FLOW_TCP_H
#define SLUICE_FLOW_TCP_H

#include <stdint.h>

#include "flow/quality.h"
#include "flow/session.h"
#include "packet/pkt.h"

/* Of one side; those from TCP_FIN_SENT on make the session a closing one. */
enum tcp_side_state {
	TCP_NONE,
	TCP_SYN_SENT,
	TCP_ESTABLISHED, /* its SYN was acknowledged, or it was picked up midstream */
	TCP_FIN_SENT,
	TCP_FIN_ACKED,
	TCP_RESET, /* of both sides, whoever sent it */
};
extern const char *const tcp_side_state_names[];

/* In tcp_scale[], beside the scale itself. */
enum tcp_side_flag {
	TCP_SCALE_MASK = 0x0f,
	TCP_TIMED = 0x10,      /* a segment of its is timed: struct tcp_quality */
	TCP_LOOSE = 0x20,      /* its true end is not known: what the other side acknowledges is believed */
	TCP_CHALLENGED = 0x40, /* it answered a SYN by an ACK; `end` is what that acknowledged */
	TCP_SCALING = 0x80,    /* its SYN carried the option */
};

enum { TCP_MAX_SCALE = 14 };

/* An acknowledgement may be older by this than the largest window of its sender: a segment may begin within a window and end this far beyond. */
#define TCP_OLDEST_ACK 66000U

/* Why a packet is not acceptable. */
enum flow_invalid {
	FLOW_VALID,
	FLOW_TCP_WINDOW,    /* outside of the window */
	FLOW_TCP_STATE,     /* not legal in this state: no SYN first, an answer to nothing */
	FLOW_TCP_CHECKSUM,  /* of a SYN, FIN or RST, where it is verified */
	FLOW_SCTP_TAG,      /* a verification tag that is not the association's */
	FLOW_SCTP_STATE,    /* no beginning of an association */
	FLOW_SCTP_CHECKSUM, /* the CRC32c is wrong */
	FLOW_WITHHELD, /* the server has not answered yet: what the client sends meanwhile it will send again */
	FLOW_REOPEN,   /* a new SYN or INIT on a session that is over: close it, open a new one with it */
	FLOW_INVALIDS
};
extern const char *const flow_invalid_names[FLOW_INVALIDS];

/* Where its quality is noted. */
struct tcp_look {
	struct tcp_quality *quality; /* of the session */
	struct tcp_totals *totals;   /* of its path; NULL: none are kept */
	uint32_t now;                /* microseconds, wraps */
	bool timing;                 /* data of this segment may be timed */
};

/* Tracks one segment of a session; its packet is parsed, not a later fragment and not an ICMP error. Changes
 * nothing but tcp, tcp_state, tcp_scale and what `look` names, and nothing at all unless the answer is FLOW_VALID.
 * *klass: the class the session now belongs to. */
enum flow_invalid tcp_track(struct session *s, struct rte_mbuf *m, const struct tcp_look *look,
                            enum session_class *klass);

/* Whether numbers are in window; all of one side's bounds in one place. */
static inline bool tcp_in_window(const struct tcp_side *from, const struct tcp_side *to, uint32_t seq,
                                 uint32_t end)
{
	return time_after32(seq, from->max_end) <= 0 && time_after32(end, from->end - to->max_win) >= 0;
}

static inline bool tcp_ack_in_window(const struct tcp_side *from, const struct tcp_side *to, uint32_t ack)
{
	return time_after32(ack, to->end) <= 0 &&
	       time_after32(ack, to->end - from->max_win - TCP_OLDEST_ACK) >= 0;
}

/* Moves the bounds on after an accepted segment: `window` in bytes. */
static inline void tcp_advance(struct tcp_side *from, struct tcp_side *to, uint32_t end, uint32_t ack,
                               uint32_t window)
{
	if (time_after32(end, from->end) > 0)
		from->end = end;
	if (window > from->max_win)
		from->max_win = window;
	if (time_after32(ack + window, to->max_end) > 0)
		to->max_end = ack + window;
}

/* The quick path: both sides established, a segment with ACK and without SYN, FIN, RST, whole. False: not in
 * window, not the next in order, or it may be the acknowledgement that is waited for. */
static inline bool tcp_quick(struct session *s, const struct pkt *p, const struct rte_tcp_hdr *tcp)
{
	struct tcp_side *from = &s->tcp[p->dir], *to = &s->tcp[p->dir ^ 1];
	uint32_t seq = rte_be_to_cpu_32(tcp->sent_seq), ack = rte_be_to_cpu_32(tcp->recv_ack);
	uint32_t end = seq + (uint32_t)(p->end - p->l4) - (uint32_t)(tcp->data_off >> 4) * 4;
	uint32_t window = (uint32_t)rte_be_to_cpu_16(tcp->rx_win) << (s->tcp_scale[p->dir] & TCP_SCALE_MASK);

	if (seq != from->end || (s->tcp_scale[p->dir ^ 1] & TCP_TIMED))
		return false;
	if (!tcp_in_window(from, to, seq, end) || !tcp_ack_in_window(from, to, ack))
		return false;
	tcp_advance(from, to, end, ack, window);
	return true;
}

#endif
