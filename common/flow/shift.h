/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TCP connection that was opened in the server's name before the server was asked (SYN proxy): the client counts from our number, the server from
 * its own, and every segment between them is translated. Lies at a fixed place in the slot area of sessions with SESSION_SHIFTED, so that it outlives the
 * process with them; the worker that owns the session calls this. Tracking sees the client's view of both directions.
 *
 * Windows: our answer had to name a scale before the server's was known, and each side goes on with what it was told. Time stamps: our answer's carried what
 * the client's SYN had offered (scale, SACK), for nobody else remembers it; the server's clock is brought to ours.
 */
#ifndef SLUICE_FLOW_SHIFT_H
#define SLUICE_FLOW_SHIFT_H

#include "flow/carry.h"
#include "packet/pkt.h"
#include "packet/tcp_edit.h"

enum {
	SHIFT_OFFSET = 112, /* in the slot area */
	SHIFT_SCALE = 7,    /* the window scale that our answers name */
};

enum shift_flag {
	SHIFT_WAITING = 1 << 0,     /* the server has not answered the SYN that was withheld */
	SHIFT_STAMPED = 1 << 1,     /* the client sends time stamps, and so must we */
	SHIFT_SACK = 1 << 2,        /* it understands SACK */
	SHIFT_BOTH_STAMPED = 1 << 3 /* so does the server: its stamps are translated */
};

struct tcp_shift {
	uint32_t seq;   /* waiting: the number of our answer; then: what is added to the server's numbers */
	uint32_t stamp; /* the same of time stamps */
	uint32_t client_stamp;                      /* the client's when it proved itself */
	uint16_t window;                            /* the client's then, as written */
	uint8_t flags : 5;                          /* enum shift_flag */
	uint8_t size : 3;                           /* segments that the client can take: cookie_mss() */
	uint8_t client_scale : 4, server_scale : 4; /* TCP_NO_SCALE: none */
};
static_assert(sizeof(struct tcp_shift) == 16, "a unit of the slot area");

static inline struct tcp_shift *session_shift(struct session *s)
{
	return session_slot(s, SHIFT_OFFSET);
}

/* Translates a segment, or the segment that an ICMP error quotes, that comes from the server into the client's view, and one that goes to the server into the
 * server's. Not while waiting. m is parsed, of the session, and no later fragment. */
void shift_to_client(const struct tcp_shift *shift, struct rte_mbuf *m);
void shift_to_server(const struct tcp_shift *shift, struct rte_mbuf *m);

/* Whether bytes from elsewhere can be a translation that is known; and tracking as the client sees it, as the server does: for a session behind the one
 * that translates. */
bool shift_valid(const struct tcp_shift *shift);
void shift_carry_to_server(const struct tcp_shift *shift, struct flow_carry *carry);

#endif
