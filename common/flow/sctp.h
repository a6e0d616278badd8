/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SCTP tracking: where an association is in its life, and the verification tags by which its packets are known (RFC 9260, sections 5,
 * 8.5 and 9). It reads headers and writes struct session, nothing else; the worker that owns the session calls it.
 *
 * What is decided:
 * - A packet carries the tag that its receiver chose in its INIT or INIT ACK; ABORT and SHUTDOWN COMPLETE may carry the sender's
 *   own with the T bit. Any other tag is refused: numbers are 32 bits of chance, so this is what the window check is for TCP.
 * - INIT carries no tag. On a live association it changes nothing until it has gone through the whole handshake with the tags that it
 *   brought: a peer that restarts gets its association, somebody who guesses addresses and ports does not.
 * - A packet that may move the state, that is any whose first chunk is neither DATA nor SACK, must have a right CRC32c: its receiver
 *   would throw it away, and so must not we take it for what it says. Fragments are believed.
 * - A session may begin with INIT, or with HEARTBEAT (another path of an association that lives already, RFC 9260, section 5.4); with
 *   anything else only where midstream pickup is allowed. Tags not yet seen are learnt from the first packet of each direction.
 */
#ifndef SLUICE_FLOW_SCTP_H
#define SLUICE_FLOW_SCTP_H

#include "flow/tcp.h"

/* Of an association, in session.tcp_state[0]. */
enum sctp_state {
	SCTP_NONE,
	SCTP_OPENING,     /* INIT, INIT ACK or COOKIE ECHO seen, or HEARTBEAT alone */
	SCTP_ESTABLISHED, /* COOKIE ACK seen; or both directions of one that was picked up */
	SCTP_SHUTTING,    /* SHUTDOWN seen */
	SCTP_ENDED,       /* ABORT or SHUTDOWN COMPLETE seen: only INIT is of use */
	SCTP_STATES
};
extern const char *const sctp_state_names[SCTP_STATES];

/* Tracks one packet of a session; it is parsed, not a later fragment and not an ICMP error. Nothing changes unless the answer is
 * FLOW_VALID. *klass: the class the session now belongs to. FLOW_REOPEN: an INIT on an association that has ended. */
enum flow_invalid sctp_track(struct session *s, struct rte_mbuf *m, enum session_class *klass);

#endif
