/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fragment table's inside, shared by frag.c (what becomes of a fragment) and frag_table.c (memory, hash,
 * lists, time). One thread.
 */
#ifndef SLUICE_PACKET_FRAG_PRIVATE_H
#define SLUICE_PACKET_FRAG_PRIVATE_H

#include "packet/frag.h"

#define FRAG_NONE UINT32_MAX

struct frag_key {
	union ipaddr src, dst;
	uint32_t id;
	uint8_t zone;
	uint8_t proto; /* IPv4 only: in IPv6 only the first fragment is sure of it */
	uint16_t vlan : 12, family : 4;
};

/* A fragment's place in its datagram, bytes. */
struct frag_range {
	uint16_t start, length;
};

/* Lists by age, oldest first; all of one list have the same time to live, so that only the head need be
 * looked at. */
enum frag_list { FRAG_AWAITING, FRAG_SEEN4, FRAG_SEEN6, FRAG_LISTS };

struct datagram {
	struct frag_key key;
	uint32_t hash;
	uint32_t chain;                 /* next of the same hash head, or of the free ones */
	uint32_t older, younger;        /* its list */
	uint64_t deadline;              /* ns */
	uint32_t held_first, held_last; /* FRAG_NONE: nothing held */
	uint32_t total;                 /* length of the datagram; 0: the last fragment was not there yet */
	uint32_t covered;               /* bytes of all ranges */
	uint16_t sport, dport;          /* of the first fragment, as all below */
	uint16_t query;                 /* PKT_ICMP_QUERY or 0 */
	uint8_t proto, icmp_type, icmp_code;
	uint8_t list; /* enum frag_list */
	uint8_t ranges;
	bool lost; /* overlapped or too many: drop what still comes */
	struct frag_range range[FRAG_RANGES];
};

struct held {
	struct rte_mbuf *m;
	uint32_t next;
};

struct frag_table {
	struct datagram *datagrams;
	struct held *held;
	uint32_t *heads; /* by hash */
	uint32_t mask;   /* heads - 1 */
	uint32_t free_datagram, free_held;
	uint32_t oldest[FRAG_LISTS], youngest[FRAG_LISTS];
	uint64_t live[FRAG_LISTS]; /* ns */
	uint32_t count, held_count;
	uint64_t held_bytes, held_bytes_max;
	uint64_t seed;
};

uint32_t frag_hash(const struct frag_table *t, const struct frag_key *key);
struct datagram *frag_find(struct frag_table *t, const struct frag_key *key, uint32_t hash);
/* A new one in the awaiting list; the oldest with a first fragment makes room if need be. Never NULL. */
struct datagram *frag_add(struct frag_table *t, const struct frag_key *key, uint32_t hash, uint64_t now);
/* Forgets one that holds nothing. */
void frag_remove(struct frag_table *t, struct datagram *d);
/* Puts it at the young end of a list, with that list's time to live. */
void frag_move(struct frag_table *t, struct datagram *d, enum frag_list list, uint64_t now);

/* Keeps a packet for a datagram; false: no room. */
bool frag_keep(struct frag_table *t, struct datagram *d, struct rte_mbuf *m);
/* Takes out what is held for a datagram, in order. Returns the number (at most FRAG_RANGES). */
unsigned frag_release(struct frag_table *t, struct datagram *d, struct rte_mbuf **out);

#endif
