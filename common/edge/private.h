/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the edge share: the snapshot, the live neighbour table and the worker's part. Who may write what is
 * said at each struct.
 */
#ifndef SLUICE_EDGE_PRIVATE_H
#define SLUICE_EDGE_PRIVATE_H

#include <rte_ether.h>
#include <rte_ring.h>

#include "edge/edge.h"
#include "flow/session.h"
#include "match/fib.h"
#include "packet/frag.h"
#include "packet/icmp_error.h"
#include "packet/rate.h"
#include "util/net.h"

enum { EDGE_NO_OWNER = 0xffff, NANOSECONDS = 1000000000 };
#define SECONDS(n)      ((uint64_t)(n)*NANOSECONDS)
#define MILLISECONDS(n) ((uint64_t)(n)*1000000)

/* ---- the snapshot: written by the builder thread before it is published, then const ---- */

enum hop_kind {
	HOP_NONE, /* no route */
	HOP_LOCAL,
	HOP_CLAIM,
	HOP_BROADCAST,
	HOP_CONNECTED,
	HOP_VIA,
	HOP_BLACKHOLE,
	HOP_REJECT,
};

/* What the FIB's next-hop numbers stand for. Number 0 is always HOP_NONE. */
struct edge_hop {
	uint8_t kind, family;
	uint16_t port;
	uint16_t owner; /* of a claim, also of one on an own address; else EDGE_NO_OWNER */
	union ipaddr via;
};

/* What a transparent edge passes beside IP packets; bits. */
enum pass_choice {
	PASS_NEIGHBOURS = 1 << 0, /* ARP; ICMPv6 neighbour, router and group messages */
	PASS_LINK_LOCAL = 1 << 1, /* frames that bridges keep to themselves */
	PASS_OTHERS = 1 << 2,     /* whatever else is not IP */
	PASS_LINK_STATE = 1 << 3, /* from one port of a pair to the other */
};

/* One route as it was compiled, for the FIB and for people. */
struct edge_route {
	struct ip_prefix prefix;
	uint32_t hop;
	const char *origin;      /* "local", "claim", "connected", "static", "gateway", "broadcast" */
	const struct conf *conf; /* while compiling: where an error belongs */
};

struct edge_port {
	bool present;
	bool routed6; /* has an IPv6 address, hence a link-local one */
	uint8_t mac[6];
	char *name;
	struct ip_prefix *addresses;
	unsigned address_count;
	uint8_t link_local[16]; /* RFC 4291, appendix A, from the MAC */
};

struct edge_table {
	uint16_t mtu[EDGE_PORTS_MAX]; /* by port; together, because the way out reads them for every packet */
	uint8_t generation;           /* never 0 */
	enum edge_mode mode;
	uint16_t
	        pair[EDGE_PORTS_MAX]; /* EDGE_TRANSPARENT: where a port's packets leave; EDGE_NO_PORT: none */
	uint8_t choices;              /* enum pass_choice */
	struct edge_port ports[EDGE_PORTS_MAX];
	struct fib *fib;
	struct edge_hop *hops;
	unsigned hop_count;
	struct edge_route *routes; /* sorted by prefix */
	unsigned route_count;
	struct edge_claim *claims;
	unsigned claim_count;
	bool shared_claims; /* some face several ports */
};

/* The hop of an address; never NULL. Any thread. */
const struct edge_hop *table_route(const struct edge_table *table, uint8_t family,
                                   const union ipaddr *address);
/* Whether neighbours of this port may ask for the address: an own address of it, or a claim on it. */
bool table_answers(const struct edge_table *table, uint16_t port, uint8_t family,
                   const union ipaddr *address);
/* Whether an address may be a neighbour on this port: in one of its subnets, routed onto its link or a gateway, or link-local. */
bool table_on_link(const struct edge_table *table, uint16_t port, uint8_t family,
                   const union ipaddr *address);
/* Our address on a port for talking to a neighbour: of the neighbour's subnet if there is one. */
bool table_source_toward(const struct edge_table *table, uint16_t port, uint8_t family,
                         const union ipaddr *neighbour, union ipaddr *address);
/* routes.c: adds the routes of the configuration, claims and ports, and builds the FIB. */
void table_build_routes(struct edge_table *table, const struct conf *config, struct errors *errors);
int table_port_number(const struct edge_table *table, const char *name);

static inline union ipaddr ipaddr_of(const struct ip_addr *address)
{
	union ipaddr ip;

	memcpy(ip.bytes, address->bytes, sizeof(ip.bytes));
	return ip;
}

static inline struct ip_addr ip_addr_of(uint8_t family, const union ipaddr *address)
{
	struct ip_addr ip = { .family = family };

	memcpy(ip.bytes, address->bytes, family == FAMILY_V4 ? 4 : 16);
	return ip;
}

static inline union ipaddr ip_v6(const uint8_t bytes[16])
{
	union ipaddr ip;

	memcpy(ip.bytes, bytes, sizeof(ip.bytes));
	return ip;
}

static inline bool ipaddr_equal(const union ipaddr *a, const union ipaddr *b)
{
	return a->halves[0] == b->halves[0] && a->halves[1] == b->halves[1];
}

static inline bool is_link_local(uint8_t family, const union ipaddr *address)
{
	return family == FAMILY_V6 && address->bytes[0] == 0xfe && (address->bytes[1] & 0xc0) == 0x80;
}

/* ---- neighbours: worker 0 writes, everybody reads ---- */

enum { ADJACENCY_BITS = 14, ADJACENCIES = 1 << ADJACENCY_BITS, NEIGHBOUR_SLOTS = 2 * ADJACENCIES };

/* Who is meant: an address on the link of a port. */
struct neighbour_key {
	union ipaddr address;
	uint16_t port;
	uint8_t family;
};

/*
 * A neighbour as workers read it. The id is the index in the low bits and a version above, which moves on with every entry made: an
 * index that is used again has another id, and a cached one leads nowhere. Versions come round after 262,144 entries, so an id that is as old would lead
 * to another neighbour if its index were the one to be used at that very turn; sessions forget theirs with each configuration, and ask anew. In the life of one id the entry only goes forward: header
 * is written before `usable` is set to the id, and never again after it; another MAC is another entry. Free entries are
 * used again only after every worker has passed through its tick.
 */
struct adjacency {
	uint32_t usable;    /* the id while packets may go by it, else 0 */
	uint32_t id;        /* 0: free */
	uint8_t header[16]; /* destination MAC, source MAC, ethertype; 14 bytes */
	union ipaddr address;
	uint16_t port;
	uint8_t family;
	uint8_t stale;  /* worker 0 wants to know whether it is in use */
	uint8_t failed; /* did not answer: do not wait for it */
} __attribute__((aligned(64)));
static_assert(sizeof(struct adjacency) == 64, "one line");
static_assert(offsetof(struct adjacency, header) == 8, "the header is copied in two halves");

/* RFC 4861, section 7.3.2, and a negative cache. */
enum neighbour_state {
	NEIGHBOUR_INCOMPLETE,
	NEIGHBOUR_REACHABLE,
	NEIGHBOUR_STALE,
	NEIGHBOUR_DELAY,
	NEIGHBOUR_PROBE,
	NEIGHBOUR_FAILED,
};

/* Worker 0's part of a neighbour. */
struct neighbour {
	uint64_t deadline; /* of the present state */
	uint32_t place;    /* in edge->live */
	uint8_t state;
	uint8_t tries;
};

struct limbo {
	uint32_t index;
	uint64_t epoch;
};

struct edge {
	/* read by all */
	struct adjacency *adjacencies;
	uint32_t *slots;           /* open addressing, linear probes: ids; 0 ends a probe */
	struct rte_ring *requests; /* struct neighbour_key, from the other workers to worker 0 */
	struct edge_worker **workers;
	unsigned worker_count;
	uint8_t first_generation;
	/* written by worker 0 */
	uint64_t epoch __attribute__((aligned(64))); /* moves with every entry that is retired */
	uint64_t changes; /* moves with every neighbour that became usable or failed */
	struct neighbour *neighbours;
	uint32_t *live;
	unsigned live_count, cursor, incomplete;
	uint32_t *spare;
	unsigned spare_count;
	struct limbo *limbo; /* a ring of ADJACENCIES */
	unsigned limbo_head, limbo_count;
	uint32_t version;
	uint64_t seed; /* of the random reachable times */
	uint64_t next_scan;
	/* from a predecessor (recall.c): the control thread's until workers begin, then worker 0's */
	struct neighbour_record *recalled;
	unsigned recalled_count;
};

static inline struct adjacency *adjacency_of(const struct edge *edge, uint32_t id)
{
	return &edge->adjacencies[id & (ADJACENCIES - 1)];
}

static inline bool adjacency_usable(const struct adjacency *a, uint32_t id)
{
	return __atomic_load_n(&a->usable, __ATOMIC_ACQUIRE) == id;
}

/* neighbour.c: the table. neighbour_find: any worker (a miss may be wrong while worker 0 moves entries: ask it); 0: none. */
bool neighbours_new(struct edge *edge);
void neighbours_free(struct edge *edge);
uint32_t neighbour_find(const struct edge *edge, const struct neighbour_key *key);
/* Worker 0 only, from here on. neighbour_add: a new entry in NEIGHBOUR_INCOMPLETE, 0: no room. */
uint32_t neighbour_add(struct edge *edge, const struct neighbour_key *key);
void neighbour_publish(struct edge *edge, uint32_t id, const uint8_t destination[6], const uint8_t source[6]);
void neighbour_fail(struct edge *edge, uint32_t id);
void neighbour_retire(struct edge *edge, uint32_t id);
/* Gives retired entries back that no worker can still be reading. */
void neighbours_reclaim(struct edge *edge);

static inline struct neighbour *neighbour_of(struct edge *edge, uint32_t id)
{
	return &edge->neighbours[id & (ADJACENCIES - 1)];
}

static inline struct neighbour_key neighbour_key_of(const struct adjacency *a)
{
	struct neighbour_key key = { a->address, a->port, a->family };

	return key;
}

/* resolve.c: the state machine. What an ARP or ND message says of a neighbour: */
struct neighbour_news {
	struct neighbour_key key;
	uint8_t mac[6];
	bool has_mac;
	bool solicited; /* an answer to us: proves that it can be reached */
	bool override;  /* RFC 4861: may change a known MAC */
	bool may_add;   /* a question to us: we shall want to answer, so it may make an entry */
};
void neighbour_learn(struct edge_worker *ew, const struct edge_table *table,
                     const struct neighbour_news *news, uint64_t now);
/* Starts to resolve a key unless it is known; worker 0. */
void neighbour_resolve(struct edge_worker *ew, const struct edge_table *table,
                       const struct neighbour_key *key, uint64_t now);
uint64_t neighbours_tick(struct edge_worker *ew, const struct edge_table *table, uint64_t now);
/* After a change of table: drops neighbours that it made untrue. */
void neighbours_switch(struct edge_worker *ew, const struct edge_table *table);
/* recall.c: those of a predecessor, with the first table that has ports; worker 0. */
void neighbours_recall(struct edge_worker *ew, const struct edge_table *table, uint64_t now);

/* ---- one worker's part: that worker alone, except `used` and `epoch_seen`, which worker 0 reads ---- */

enum { HOLD_NEIGHBOURS = 1024, HOLD_HASH = 256, HOLD_PER_NEIGHBOUR = 64, HOLD_PACKETS = 1024 };

/* Packets that wait for one neighbour, linked by mbuf->next; all have passed TTL and MTU. */
struct hold {
	struct neighbour_key key;
	struct rte_mbuf *head, *tail;
	uint64_t since;
	uint16_t count;
	uint16_t next; /* in its hash chain or the list of free ones: index + 1, 0 ends */
};

/* Fragments of one datagram for the box itself (gather.c). */
enum { GATHERINGS_MAX = 16, GATHER_PIECES = 48 };
#define GATHER_NS UINT64_C(30000000000)

struct gathering {
	struct tuple tuple;
	struct frag_place place; /* of the first that came: its id counts */
	uint64_t deadline;
	uint32_t total, covered; /* bytes; a total of 0: not known yet */
	unsigned count;          /* 0: free */
	struct rte_mbuf *piece[GATHER_PIECES];
};

struct edge_worker {
	struct edge *edge;
	const struct edge_ops *ops;
	void *context;
	unsigned id;
	uint64_t epoch_seen; /* edge->epoch at the last tick */
	uint64_t changes_seen;
	uint64_t next_hold_check;
	uint8_t *used; /* by adjacency index: used while stale */
	struct token_bucket error_rate;
	struct hold *holds;
	uint16_t hold_free;
	uint16_t hold_heads[HOLD_HASH];
	struct gathering gatherings[GATHERINGS_MAX];
	uint64_t counters[EDGE_COUNTERS];
	struct edge_conflict conflicts[EDGE_CONFLICTS];
};

static inline void edge_count(struct edge_worker *ew, enum edge_counter counter)
{
	__atomic_store_n(&ew->counters[counter], ew->counters[counter] + 1, __ATOMIC_RELAXED);
}

/* Says what becomes of a packet, if it is one that somebody follows. */
static inline void edge_note(struct edge_worker *ew, struct rte_mbuf *m, enum edge_counter what)
{
	if (unlikely(pkt_of(m)->flags & PKT_TRACE) && ew->ops->note)
		ew->ops->note(ew->context, m, what);
}

static inline void edge_drop(struct edge_worker *ew, struct rte_mbuf *m, enum edge_counter reason)
{
	edge_count(ew, reason);
	edge_note(ew, m, reason);
	rte_pktmbuf_free(m);
}

/* hold.c */
bool holds_new(struct edge_worker *ew);
void holds_free(struct edge_worker *ew);
/* Takes a packet over until its neighbour is known, and asks for the neighbour. */
void hold_packet(struct edge_worker *ew, const struct edge_table *table, const struct neighbour_key *key,
                 struct rte_mbuf *m, uint64_t now);
/* Sends what waits for a neighbour that is usable now, in order. */
void hold_flush(struct edge_worker *ew, uint32_t id);
uint64_t holds_tick(struct edge_worker *ew, const struct edge_table *table, uint64_t now);
/* Sends everything that waits through the routes of a new table. */
void holds_reroute(struct edge_worker *ew, const struct edge_table *table, uint64_t now);

/* output.c */

/* Sends a packet to a next hop that a function has named, if that is on a link of ours; it has passed the TTL or counts_hops. */
void output_via(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                const union ipaddr *next_hop, bool counts_hops, uint64_t now);

/* Sends a packet that has passed TTL and MTU to a next hop, holds it, or drops it where the neighbour has failed. */
void output_to(struct edge_worker *ew, const struct edge_table *table, const struct neighbour_key *key,
               struct rte_mbuf *m, uint64_t now);
/* Looks up the route of a packet and sends it; `checked`: it has passed the TTL. end_port: where a link-local destination
 * is, EDGE_NO_PORT: on the port that the packet came by. */
void output_route(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                  uint16_t end_port, bool checked, uint64_t now);
/* Writes the MAC header of an adjacency (VLAN tags go) and transmits. */
void output_frame(struct edge_worker *ew, const struct adjacency *a, struct rte_mbuf *m);
/* Source and destination address of a parsed packet. */
uint8_t packet_addresses(struct rte_mbuf *m, union ipaddr *source, union ipaddr *destination);

/* error.c: answers to the sender of a packet that the caller keeps: an ICMP error (value: see packet/icmp_error.h), a reset. Nothing is
 * sent where the rate is used up, none is due, or the edge has no address that the sender's port would know. */
void edge_error(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *offending,
                enum icmp_reason reason, uint32_t value, uint64_t now);
void edge_reset(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *offending,
                uint64_t now);

/* transparent.c. table_join_ports: ports are known, the configuration is checked; builder thread. The others are the transparent edge's parts of edge_input(), edge_control()
 * and edge_output(). */
void table_join_ports(struct edge_table *table, const struct conf *config);
enum edge_answer transparent_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                                   struct edge_decision *decision);
void transparent_control(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m);
void transparent_output(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf **m,
                        unsigned n, uint16_t end_port, uint64_t now);

/* local.c: a packet for an address of ours; takes it over. */
void local_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m, uint64_t now);
/* The same for a datagram that came in pieces, all of which are there; piece[first] has its transport header; `sound`: its checksum is right. */
void local_whole(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf **piece,
                 unsigned count, unsigned first, bool sound, uint64_t now);

/* gather.c: a fragment of such a packet; takes it over. */
void gather_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m, uint64_t now);
uint64_t gather_tick(struct edge_worker *ew, uint64_t now);
void gather_free(struct edge_worker *ew);

/* conflict.c: somebody says by ARP or ND that he has an address; notes it if it is ours and he is not we. */
void conflict_look(struct edge_worker *ew, const struct edge_table *table, uint16_t port, uint8_t family,
                   const union ipaddr *address, const uint8_t *mac, uint64_t now);

/* arp.c, nd.c: messages in and out. They take the mbuf over. */
void arp_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m, uint64_t now);
void nd_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m, uint64_t now);
/* A request for a key; `to` NULL: broadcast (multicast), else to this MAC. */
void arp_request(struct edge_worker *ew, const struct edge_table *table, const struct neighbour_key *key,
                 const uint8_t *to);
void nd_solicit(struct edge_worker *ew, const struct edge_table *table, const struct neighbour_key *key,
                const uint8_t *to);
void arp_announce(struct edge_worker *ew, const struct edge_table *table, uint16_t port, uint32_t address);
void nd_announce(struct edge_worker *ew, const struct edge_table *table, uint16_t port,
                 const union ipaddr *address);

/* A fresh mbuf with `length` zero bytes of frame, marked as ours; NULL: none to be had. */
struct rte_mbuf *edge_originate(struct edge_worker *ew, uint16_t port, uint16_t length);
/* Counts it and sends it as it is. */
void edge_transmit_own(struct edge_worker *ew, uint16_t port, struct rte_mbuf *m);

#endif
