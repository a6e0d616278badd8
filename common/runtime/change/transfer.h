/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions that move between processes with the function that knows them, through the hop's own links, so that it works alike for a
 * process, a container and a virtual machine. A frame of its own Ethernet type carries
 *
 *	SESSION  one session, as it is at the hop: its tuple before and behind the function, tracking, the function's slot. By both links, ahead of its packets;
 *	         what has come already is taken for what it is.
 *	ASK      asks the function's process for the session whose packets come to it by this link with this tuple; it answers with
 *	         SESSION, by the link by which the originator's packets leave, or with
 *	NONE     where it knows none, by the link that it was asked by.
 *	PROBE    asks whether what was sent by this link before it has been dealt with: each worker of the process answers with
 *	ECHO     by the other link, behind all that it made of it. One that names one sender is answered by one worker alone.
 *	MESSAGE  what an instance of a function and its counterpart at the other end have to say to each other (struct nf_message).
 *
 * Frames are taken by links alone: the hops of a service process, the ports of a process in link mode. Whoever sends may be another build,
 * or broken: every field is checked.
 */
#ifndef SLUICE_RUNTIME_TRANSFER_H
#define SLUICE_RUNTIME_TRANSFER_H

#include "flow/carry.h"
#include "flow/shift.h"
#include "runtime/nf.h"

enum {
	TRANSFER_ETHERTYPE = 0x88b5, /* IEEE 802: local experimental */
	TRANSFER_VERSION = 2, /* of sessions that are translated or turn round; else 1, which knows neither */
	TRANSFER_SLOT_MAX = 32,
};

enum transfer_kind {
	TRANSFER_SESSION = 1,
	TRANSFER_ASK = 4, /* 2 and 3 were a way to ask for all sessions at once */
	TRANSFER_NONE,
	TRANSFER_PROBE,
	TRANSFER_ECHO,
	TRANSFER_MESSAGE,
};

/* What there is to know of one session at a function. Zones of the tuples are 0. */
struct transfer {
	struct tuple before, behind; /* as the originator's packets arrive at the function, and leave it */
	struct flow_carry carry;
	uint8_t walk;           /* the originator's */
	bool known;             /* the function has a slot in the session; else it joins it */
	bool begins;            /* at the function, which emits its packets */
	bool ends;              /* there */
	struct tcp_shift shift; /* with SESSION_SHIFTED in `carry` */
	char kind[16];          /* of the function */
	uint16_t size;          /* of its slot */
	uint16_t version;
	uint8_t slot[TRANSFER_SLOT_MAX];
};

/* One frame, decoded. */
struct transfer_frame {
	enum transfer_kind kind;
	uint16_t senders; /* of ECHO: how many workers answer */
	uint16_t round;   /* of PROBE and ECHO: which one */
	struct transfer
	        session; /* of ASK and NONE: `before` alone; of MESSAGE: `kind`, and in `slot` the message */
};

/* Writes a frame into an empty mbuf. */
void transfer_encode(struct rte_mbuf *m, const struct transfer_frame *frame);

/* Whether it is a frame of this protocol at all (whole or not). */
bool transfer_is(const struct rte_mbuf *m);

/* Reads a frame; false: not whole, of another version, or with a field that makes no sense. */
bool transfer_decode(const struct rte_mbuf *m, struct transfer_frame *frame);

#endif
