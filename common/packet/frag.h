/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Shallow virtual reassembly: fragments are not joined, but each leaves with what its datagram's first one
 * knows (ports, protocol, ICMP type), so that whoever looks up sessions need not care. Later fragments that
 * come before the first are held, bounded and timed.
 *
 * A table belongs to one worker and is used by its thread alone; the time is an argument. All memory is taken
 * when it is made. Sessions are found by source, destination, identification, zone and (IPv4) protocol, RFC
 * 791 and 8200. A datagram that is complete is forgotten at once, so that its identification can be used
 * again.
 */
#ifndef SLUICE_PACKET_FRAG_H
#define SLUICE_PACKET_FRAG_H

#include "packet/pkt.h"

/* Fragments of one datagram, and room that `out` of the calls below must have: all of them, and the one that
 * is one too many. */
enum { FRAG_RANGES = 64, FRAG_OUT = FRAG_RANGES + 1 };

/* 0 in any field: the default. */
struct frag_options {
	uint32_t datagrams; /* at once; default 4096. At least held + 1 are taken, so that holding never fills
	                       the table */
	uint32_t held;      /* packets, default 1024 */
	uint64_t held_bytes; /* default 4 MiB */
	uint64_t timeout4;   /* ns from the first fragment on, default 30 s (RFC 1122: at least 30) */
	uint64_t timeout6;   /* default 60 s (RFC 8200) */
	/* How long later ones wait for their first, ns, default 2 s. What is reordered by the network comes
	 * within milliseconds; who never sends a first one shall not keep memory. */
	uint64_t hold;
	uint64_t seed; /* of the hash; give a random one against chosen collisions */
};

enum frag_result {
	FRAG_PASS, /* out: the packet, and behind it those that had waited for it, in the order they came */
	FRAG_HOLD, /* the table keeps the packet */
	FRAG_DUPLICATE, /* drop: the very range was there before */
	FRAG_OVERLAP,   /* drop: overlaps another or contradicts the known length; the datagram is lost (RFC
	                   5722) */
	FRAG_LOST,      /* drop: of a datagram that was lost before */
	FRAG_TOO_MANY,  /* drop: more than FRAG_RANGES fragments; the datagram is lost */
	FRAG_HOLD_FULL, /* drop: the first is not there, and no room to wait */
	FRAG_RESULTS
};

/* Names for counters: "pass", "hold", "duplicate", ... */
extern const char *const frag_result_names[FRAG_RESULTS];

struct frag_table;

/* NULL: no memory. */
struct frag_table *frag_table_new(const struct frag_options *options);
/* Nothing may be held any more, see frag_drain(). */
void frag_table_free(struct frag_table *table);

/* Deals with one parsed packet that has PKT_FRAGMENT. Takes it over. For FRAG_PASS, out[0..*n_out) go on; for
 * every drop they are the caller's to count (under the result) and free: the packet, and for FRAG_OVERLAP and
 * FRAG_TOO_MANY those held of its datagram. Later fragments leave with proto, sport, dport, icmp_type,
 * icmp_code and PKT_ICMP_QUERY of their first one. `out` has room for FRAG_OUT. */
enum frag_result frag_input(struct frag_table *table, struct rte_mbuf *m, uint64_t now_ns,
                            struct rte_mbuf **out, unsigned *n_out);

/* Where a parsed fragment belongs: bytes of what is behind the IP header (and fragment header) of the whole datagram. */
struct frag_place {
	uint32_t id; /* as on the wire */
	uint16_t start, length;
	bool more;
};
void frag_place(struct rte_mbuf *m, struct frag_place *place);

/* Forgets datagrams whose time is over, at most `budget`; what they held (of no more than one of them) is the
 * caller's to count and free. Call again while it gives any, or on the next turn. `out` has room for
 * FRAG_OUT. Returns their number. */
unsigned frag_expire(struct frag_table *table, uint64_t now_ns, unsigned budget, struct rte_mbuf **out);

/* Gives back what is held, datagram by datagram, until it returns 0. `out` has room for FRAG_OUT. */
unsigned frag_drain(struct frag_table *table, struct rte_mbuf **out);

/* Packets held now, and datagrams known now. */
unsigned frag_held(const struct frag_table *table);
unsigned frag_datagrams(const struct frag_table *table);

#endif
