/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What TCP tracking sees of a connection's quality, as its segments pass here: retransmissions, segments out of order, round-trip times.
 * Beside the session table, touched by segments that are not plain ones in order, and by those that are timed; not in the
 * memory file, a successor begins anew. The worker that owns the table writes, in tcp_track(); totals are whole words that others may read.
 *
 * - A segment whose numbers went by before is a retransmission. So is one that fills a hole in the numbers, unless it comes within half of the
 *   shortest round-trip time (3 ms if none is known) of the hole: its sender cannot have known of the hole by then, so it is out of order.
 * - A segment is timed until its acknowledgement comes: each SYN, and data of bursts that are sampled (flow_touch_timed()). What was sent again
 *   meanwhile is not timed (Karn's rule, RFC 6298). The time is that between here and the side that acknowledges, and back, with whatever
 *   delay that side's acknowledgements have.
 * - A byte or none just below the highest number is a keep-alive (RFC 9293, 3.8.4), not a retransmission.
 */
#ifndef SLUICE_FLOW_QUALITY_H
#define SLUICE_FLOW_QUALITY_H

#include <stdint.h>

#include "flow/session.h"

enum {
	RTT_BOUNDS = 16, /* bucket i: up to 50 us * 2^i; one more above the last, 1.6 s */
	RTT_FIRST_US = 50,
};

/* Numbers that went missing: from the first that did not come to the last gap's end. begin == end: none. */
struct tcp_hole {
	uint32_t begin, end;
	uint32_t since; /* when its first gap was seen, microseconds */
};

/* Of one session; pairs are by sender: 0 the originator. */
struct tcp_quality {
	struct tcp_hole hole[2];
	uint32_t retransmits[2], out_of_order[2];
	uint32_t rtt_min[2]; /* the shortest between here and that side, microseconds; 0: none yet */
	uint32_t rtt_us[2];  /* between here and that side; the last one measured; 0: none yet */
	uint32_t timed_end[2],
	        timed_at[2]; /* with TCP_TIMED: what must be acknowledged; when it passed, microseconds */
};

/* Of one path: by walk, that is [0] of segments sent from behind its first port, and of times to there and back. */
struct tcp_totals {
	struct tcp_totals_side {
		uint64_t retransmits, out_of_order;
		uint64_t rtt_us; /* sum of those counted */
		uint64_t rtts[RTT_BOUNDS + 1];
	} side[2];
};

/* One segment that was accepted. */
struct tcp_seen {
	uint32_t seq, end, ack;
	uint32_t before; /* highest number of its sender before it, + 1 */
	uint32_t now;    /* microseconds, wraps */
	uint8_t dir, flags;
	bool first;  /* its sender had not spoken yet */
	bool timing; /* its data may be timed */
};

/* Notes a segment of a session (not ONEWAY) with both sides' bounds known; totals may be NULL. May set and clear TCP_TIMED. */
void quality_note(struct tcp_quality *q, struct tcp_totals *totals, struct session *s,
                  const struct tcp_seen *seen);

#endif
