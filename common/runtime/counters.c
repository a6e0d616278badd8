/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of the engine's counters: what is not a drop, why the parser refused, why the engine dropped. */
#include "runtime/worker.h"

static const struct engine_counter_info totals[C_FIRST_DROP] = {
	[C_RECEIVED] = { "received", "Packets taken from ports.", false },
	[C_RECEIVED_BYTES] = { "received-bytes", "Bytes taken from ports.", false },
	[C_SENT] = { "sent", "Packets that ports took.", false },
	[C_SENT_BYTES] = { "sent-bytes", "Bytes that ports took.", false },
	[C_ORIGINATED] = { "originated", "Packets made by functions.", false },
	[C_HANDED_OFF] = { "handed-off", "Packets given to the worker that owns them.", false },
	[C_TAKEN_OVER] = { "taken-over", "Packets that workers have taken from others.", false },
	[C_EMITTED] = { "emitted", "Packets that a function sent on as new ones or turned round.", false },
	[C_OPENED] = { "opened", "Sessions opened.", false },
	[C_CLOSED] = { "closed", "Sessions closed.", false },
	[C_POLICY_CHANGED] = { "policy-changed", "Sessions closed because the policy denies them now.",
	                       false },
	[C_PATH_CHANGED] = { "path-changed", "Sessions closed because their path is gone.", false },
	[C_REVIEWED] = { "reviewed", "Sessions judged anew after a change of policy.", false },
	[C_ADOPTED] = { "adopted", "Sessions of a predecessor process that go on.", false },
	[C_TRANSFERS] = { "transfers", "Frames that brought sessions from other processes.", false },
	[C_TRANSFER_LOST] = { "transfers-lost", "Sessions that a link did not take.", false },
	[C_STATELESS] = { "stateless",
	                  "Packets that went on without a session, for there was no room for one.", false },
	[C_SYN_COOKIES] = { "syn-cookies", "SYNs answered in the server's name, with a cookie.", false },
	[C_SYN_PROVEN] = { "syn-proven",
	                   "Clients that acknowledged such an answer: their SYNs went to the server.",
	                   false },
	[C_NOT_ADOPTED] = { "not-adopted",
	                    "Sessions of a predecessor process whose path or functions cannot go on with "
	                    "them.",
	                    false },
};

static const struct engine_counter_info drops[ENGINE_COUNTERS - C_NOT_FOR_ME] = {
	[C_NOT_FOR_ME - C_NOT_FOR_ME] = { "not-for-me", "The frame's destination MAC is another's.", true },
	[C_NO_PATH - C_NOT_FOR_ME] = { "no-path", "No path takes the packet.", true },
	[C_SESSIONS_FULL - C_NOT_FOR_ME] = { "sessions-full", "The session table is full.", true },
	[C_HALF_OPEN_FULL - C_NOT_FOR_ME] = { "half-open-full", "Too many half-open sessions.", true },
	[C_KEY_CLASH - C_NOT_FOR_ME] = { "key-clash", "Another session has the same key.", true },
	[C_TCP_WINDOW - C_NOT_FOR_ME] = { "tcp-window", "TCP segment outside of the window.", true },
	[C_TCP_STATE - C_NOT_FOR_ME] = { "tcp-state", "TCP segment that is not legal in the session's state.",
	                                 true },
	[C_SCTP_TAG - C_NOT_FOR_ME] = { "sctp-tag",
	                                "SCTP packet with a verification tag that is not the association's.",
	                                true },
	[C_SCTP_STATE - C_NOT_FOR_ME] = { "sctp-state", "SCTP packet that begins no association.", true },
	[C_TCP_CHECKSUM -
	        C_NOT_FOR_ME] = { "tcp-checksum", "TCP SYN, FIN or RST with a wrong checksum.", true },
	[C_SCTP_CHECKSUM -
	        C_NOT_FOR_ME] = { "sctp-checksum", "SCTP control packet with a wrong CRC32c.", true },
	[C_WITHHELD - C_NOT_FOR_ME] = { "withheld", "Segment for a server that has not answered the SYN yet.",
	                                true },
	[C_SYN_UNFIT - C_NOT_FOR_ME] = { "syn-unfit",
	                                 "SYN that cannot be answered with a cookie: in fragments, with IP "
	                                 "options, from or to a group.",
	                                 true },
	[C_NO_SESSION - C_NOT_FOR_ME] = { "no-session", "ICMP error that belongs to no session.", true },
	[C_HANDOFF_FULL - C_NOT_FOR_ME] = { "handoff-full", "The owning worker's inbox is full.", true },
	[C_PORT_BUSY - C_NOT_FOR_ME] = { "port-busy", "The device took no more packets.", true },
	[C_EMIT_FULL - C_NOT_FOR_ME] = { "emit-full", "Too many emitted packets at once.", true },
	[C_TURNED_TOO_OFTEN -
	        C_NOT_FOR_ME] = { "turned-too-often", "The packet turned round more than twice.", true },
	[C_HOP_DOWN - C_NOT_FOR_ME] = { "hop-down", "The function behind the hop is not there.", true },
	[C_FRAGMENT_TIMEOUT -
	        C_NOT_FOR_ME] = { "fragment-timeout", "A fragment waited for its first one too long.", true },
	[C_NO_MBUF -
	        C_NOT_FOR_ME] = { "no-mbuf", "No packet buffer was free for a packet of our own.", false },
	[C_TRANSFER_REFUSED - C_NOT_FOR_ME] = { "transfer-refused",
	                                        "A session from another process that makes no sense here.",
	                                        true },
	[C_STRAY - C_NOT_FOR_ME] = { "stray", "Came by, or was for, a port that is gone.", true },
};

/* Passed and held fragments are no drops and never counted. */
static const char *const frag_counter_names[FRAG_RESULTS] = {
	[FRAG_PASS] = "fragment-passed",         [FRAG_HOLD] = "fragment-held",
	[FRAG_DUPLICATE] = "fragment-duplicate", [FRAG_OVERLAP] = "fragment-overlap",
	[FRAG_LOST] = "fragment-lost",           [FRAG_TOO_MANY] = "fragment-too-many",
	[FRAG_HOLD_FULL] = "fragment-hold-full",
};

const uint16_t invalid_counter[FLOW_INVALIDS] = {
	[FLOW_TCP_WINDOW] = C_TCP_WINDOW,     [FLOW_TCP_STATE] = C_TCP_STATE,
	[FLOW_SCTP_TAG] = C_SCTP_TAG,         [FLOW_SCTP_STATE] = C_SCTP_STATE,
	[FLOW_TCP_CHECKSUM] = C_TCP_CHECKSUM, [FLOW_SCTP_CHECKSUM] = C_SCTP_CHECKSUM,
	[FLOW_WITHHELD] = C_WITHHELD,         [FLOW_REOPEN] = C_TCP_STATE,
};

struct engine_counter_info engine_counter_info(unsigned counter)
{
	if (counter < C_FIRST_DROP)
		return totals[counter];
	if (counter < C_NOT_FOR_ME) {
		struct engine_counter_info info = { pkt_malformed_names[counter - C_MALFORMED],
			                            "Malformed packet.", true };

		return info;
	}
	if (counter >= C_FRAGMENT && counter <= C_FRAGMENT_LAST) {
		struct engine_counter_info info = {
			frag_counter_names[counter - C_FRAGMENT],
			"Fragment of a datagram that cannot be told apart or held.", true
		};

		return info;
	}
	return drops[counter - C_NOT_FOR_ME];
}
