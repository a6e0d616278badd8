/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session: both directions of one flow, shared by every function that it crosses. It lies in the table's
 * memory file, is position-independent (indexes, values and stable ids, never pointers) and carries a
 * sequence word, so that a successor process can find it. One worker owns it: no field is ever written by
 * another thread.
 *
 * Layout: line 0 = what every packet reads, line 1 = tracking and accounting; an IPv6 session has a third
 * line with its four addresses at offset 128; then come the slots of the functions (slot_of()).
 */
#ifndef SLUICE_FLOW_SESSION_H
#define SLUICE_FLOW_SESSION_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/tuple.h"

/* Time classes; each has one expiry list per worker and a timeout (seconds) in struct flow_timeouts. */
enum session_class {
	CLASS_TCP_OPENING,     /* SYN seen, not yet established: half-open */
	CLASS_TCP_ESTABLISHED, /* RFC 5382: at least 2 h 4 min */
	CLASS_TCP_CLOSING,     /* FIN or RST seen; RFC 5382 / 7857: 4 min */
	CLASS_UDP,             /* replied; RFC 4787: 2 min at least, 5 min advised */
	CLASS_UDP_OPENING,     /* one way only so far: half-open */
	CLASS_ICMP,            /* answered; RFC 5508: 60 s */
	CLASS_OTHER,
	CLASS_SCTP_OPENING,     /* INIT or HEARTBEAT seen: half-open */
	CLASS_SCTP_ESTABLISHED, /* an idle association sends HEARTBEATs, RFC 9260: every 30 s */
	CLASS_SCTP_CLOSING,     /* SHUTDOWN or ABORT seen */
	CLASS_ICMP_OPENING,     /* not yet answered: half-open */
	SESSION_CLASSES
};

enum session_flag {
	SESSION_V6 = 1 << 0,
	SESSION_REPLIED = 1 << 1, /* a packet came back */
	SESSION_SHIFTED = 1 << 2, /* opened in the server's name: its numbers are translated (flow/shift.h) */
	SESSION_ONEWAY = 1 << 3,  /* no reverse key (direct return): one-way timers, no window check */
	SESSION_REWRITTEN = 1 << 4, /* its tuple was changed: the path may not change under it */
	SESSION_MIDSTREAM = 1 << 5, /* picked up without its beginning: windows are learnt */
	SESSION_WALK = 1 << 6,      /* the originator walks against the path */
	SESSION_HELD = 1 << 7,      /* a function holds packets of it: not freed */
};

/* Key of one direction. For IPv6, src and dst hold a 32-bit digest and the addresses stand in struct
 * session_v6. */
struct session_key {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint8_t zone;
	uint8_t proto;
	uint16_t vlan : 12, family : 4;
};
static_assert(sizeof(struct session_key) == 16, "two keys fill half a line");

/* TCP tracking of one direction; its state and window scale stand in struct session (flow/tcp.h has the
 * rules). */
struct tcp_side {
	uint32_t end;     /* highest sequence number sent + 1 */
	uint32_t max_end; /* how far it may send: highest acknowledgement + window of the other side */
	uint32_t max_win; /* largest window offered by this side, in bytes */
};
static_assert(sizeof(struct tcp_side) == 12, "two sides, their states and the queue time fill half a line");

/* SCTP tracking of one direction (flow/sctp.h has the rules), in host order. */
struct sctp_side {
	uint32_t tag;   /* verification tag that its packets carry; 0: not yet known */
	uint32_t fresh; /* the same in the handshake of a restart; 0: there is none */
};

struct session {
	/* line 0 */
	struct session_key key[2]; /* 0: as the originator's packets come in; 1: as the answers come in */
	uint32_t sequence;         /* odd while being written; the rest counts uses of the record */
	uint32_t generation;       /* policy generation of its path by which it was last judged */
	uint32_t last_seen;     /* milliseconds of the engine's clock, wraps; compare with time_after32() */
	uint16_t layout;        /* which slots it has: id of a struct layout */
	uint16_t path;          /* pinned path */
	uint8_t klass;          /* enum session_class */
	uint8_t flags;          /* enum session_flag */
	uint8_t bucket;         /* owner bucket */
	uint8_t hop_generation; /* edge's routing generation of hop[] */
	uint32_t hop[2];        /* cached adjacency by direction; 0: none */
	uint32_t entry_ports;   /* low half: port of direction 0, high half: of 1; 0xffff: not yet seen */
	/* line 1 */
	union {
		struct tcp_side tcp[2];
		struct sctp_side sctp[2];
	};
	uint8_t tcp_state[2];    /* enum tcp_side_state; of SCTP: [0] is enum sctp_state */
	uint8_t tcp_scale[2];    /* window scale and enum tcp_side_flag; of SCTP: see sctp.c */
	uint32_t queued;         /* when it joined its expiry list, milliseconds */
	uint32_t next, previous; /* expiry list, by index; next of a free record: free list */
	uint32_t packets[2];     /* by direction; UINT32_MAX: so many or more */
	uint64_t bytes[2];
};
static_assert(sizeof(struct session) == 128, "two cache lines");
static_assert(offsetof(struct session, tcp) == 64, "line 1");

struct session_v6 {
	union ipaddr address[4]; /* src, dst of key 0; src, dst of key 1 */
};
static_assert(sizeof(struct session_v6) == 64, "one line");

#define SESSION_NONE UINT32_MAX

static inline struct session_v6 *session_v6(struct session *s)
{
	return (struct session_v6 *)(s + 1);
}

/* The slot area starts behind the fixed part; offset is what the function's instance was given (0..area). */
static inline void *session_slot(struct session *s, uint32_t offset)
{
	return (uint8_t *)(s + 1) + (s->flags & SESSION_V6 ? sizeof(struct session_v6) : 0) + offset;
}

/* Brackets a change of several words that a successor must see whole or not at all: a process that dies
 * between the two leaves a record that its successor drops. Opening and removing do so themselves. */
static inline void session_write_begin(struct session *s)
{
	__atomic_store_n(&s->sequence, s->sequence | 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void session_write_end(struct session *s)
{
	__atomic_store_n(&s->sequence, s->sequence & ~1U, __ATOMIC_RELEASE);
}

/* Above 0 where a is later than b on a clock that wraps. */
static inline int32_t time_after32(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b);
}

/* Tuples of a session: direction 0 as the originator's packets come in, 1 as the answers come in. */
void session_tuple(const struct session *s, int direction, struct tuple *t);

#endif
