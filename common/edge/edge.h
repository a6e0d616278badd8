/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The edge: outside ports, their addresses, ARP and ND with hold queues, claims, routes, local ICMP. It sees packets and
 * ports only through struct edge_ops. In both directions it comes first (is it for me? which egress?) and last
 * (next hop, TTL, MAC).
 *
 * Ownership: struct edge_table is an immutable snapshot (builder thread; freed after a grace period by its owner).
 * struct edge is live state for the engine's life: the neighbour table has one writer, worker 0; other workers read it without locks
 * and ask worker 0 by message. struct edge_worker is one worker's: hold queues, rate limits, counters.
 */
#ifndef SLUICE_EDGE_EDGE_H
#define SLUICE_EDGE_EDGE_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "config/conf.h"
#include "config/schema.h"
#include "packet/pkt.h"
#include "util/errors.h"

enum { EDGE_PORTS_MAX = 64, EDGE_NO_PORT = 0xffff };

enum edge_mode {
	EDGE_ROUTED,
	EDGE_TRANSPARENT, /* a bump in the wire: ports in pairs, frames leave as they came; no addresses, no TTL, no MACs */
	EDGE_LINK, /* inner links of a hop: blind to MACs, no ARP, no TTL, no routing: what leaves a path leaves by its end port */
};

/* Mode of an edge's configuration. */
enum edge_mode edge_mode_of(const struct conf *config);
/* Name of the port that a port of a transparent edge is joined to; NULL: none is said. Control side. */
const char *edge_pair_of(const struct conf *config, const char *port);

/* What a mode demands and forbids of the rest of the configuration: pairs, addresses, routes. Control side. */
void edge_check(const struct conf *config, struct errors *errors);
/* Whether the same addresses and ports in two VLANs are two sessions. */
bool edge_separates_vlans(const struct conf *config);

/* The schema of the `edge` group of an engine's configuration: mode, ports (name, device, addresses, gateways, mtu, mac, netns, pair),
 * routes (prefix, via, port, or action = blackhole|reject), unmatched, neighbours, linkLocal, nonIp. Ports' `device` and `netns` are the runtime's business. */
extern const struct schema edge_schema[];

/* Counters of the edge per worker; names and help in edge_counters[] (drop: a reason for a drop). Every mbuf that the edge
 * takes is transmitted, held, delivered or dropped with one of them: taken + originated = transmitted + turned + delivered
 * + dropped + held. An answer made in the mbuf of its question counts as delivered and as originated. */
enum edge_counter {
	EDGE_C_TTL_EXCEEDED, /* drop; ICMP time exceeded was sent if the rate allowed */
	EDGE_C_NO_ROUTE,     /* drop; ICMP network unreachable likewise */
	EDGE_C_BLACKHOLE,    /* drop */
	EDGE_C_REJECTED,     /* drop: a reject route; ICMP network unreachable */
	EDGE_C_HOLD_FULL, /* drop: too many packets wait for one neighbour, or in all, or no room for a neighbour */
	EDGE_C_HOLD_TIMEOUT,   /* drop: the neighbour did not answer (ICMP host unreachable sent) */
	EDGE_C_TOO_BIG,        /* drop: larger than the MTU and DF set, or IPv6; ICMP with the MTU */
	EDGE_C_NOT_FOR_ME,     /* drop: unicast frame with another destination MAC */
	EDGE_C_LOCAL_UNKNOWN,  /* drop: for an address of ours, but nobody listens */
	EDGE_C_LOCAL_FRAGMENT, /* drop: of a datagram for an address of ours that did not become whole */
	EDGE_C_SPOOFED,        /* drop: comes from outside with an address of ours as its source */
	EDGE_C_MULTICAST,      /* drop: multicast or broadcast that nobody wants */
	EDGE_C_BAD_ARP,        /* drop: malformed or spoofed ARP or ND */
	EDGE_C_NOT_IP,         /* drop: another ethertype */
	EDGE_C_NOT_PASSED,     /* drop: of a kind that a transparent edge is told not to pass */
	EDGE_C_NO_BUFFER,      /* drop: no mbuf for the fragments of a packet */
	EDGE_C_DELIVERED,      /* taken in by the edge itself: ARP, ND, echo requests and the like */
	EDGE_C_ORIGINATED,     /* packets made by the edge: ARP, ND, ICMP, further fragments */
	EDGE_C_HELD,           /* gauge: waiting in hold queues now */
	EDGE_C_GATHERED,       /* gauge: fragments for addresses of ours that wait for the rest now */
	EDGE_C_CONFLICT,       /* also: somebody else says that an address of ours is his */
	EDGE_COUNTERS
};
struct edge_counter_info {
	const char *name, *help;
	bool drop;
};
extern const struct edge_counter_info edge_counters[EDGE_COUNTERS];

/* What the edge needs of whoever runs it; all are called on the worker's thread. */
struct edge_ops {
	/* Queues a complete frame for a port; takes the mbuf over. */
	void (*transmit)(void *context, uint16_t port, struct rte_mbuf *m);
	/* The same for n (<= 64) frames of one port, in order. */
	void (*transmit_burst)(void *context, uint16_t port, struct rte_mbuf **m, unsigned n);
	/* A fresh mbuf with a cleared struct pkt, or NULL. */
	struct rte_mbuf *(*mbuf)(void *context);
	/* An ICMP error of ours for a packet of a session (TTL, MTU, unreachable at exit): the runtime walks it back along the packet's path,
	 * so that functions translate it; offending stays the edge's. Without a session the packet came out of a hop, and the error goes back there; what came by a
	 * port and has none is routed by the edge itself. Takes `error` over. */
	void (*turn)(void *context, struct rte_mbuf *offending, struct rte_mbuf *error);
	/* A packet marked for tracing (PKT_TRACE) was dropped, delivered or is held, as the counter says. NULL: nobody looks. */
	void (*note)(void *context, struct rte_mbuf *m, enum edge_counter what);
};

struct edge;
struct edge_table;
struct edge_worker;

/* Live state, for as many workers (0 .. workers - 1). NULL with errors. Control thread; free it after its workers' parts. */
struct edge *edge_new(unsigned workers, struct errors *errors);
void edge_free(struct edge *edge);

/* For a process that takes this one's place: a file without a name that has all neighbours, by the ports' numbers, for the caller to close; -1: there is none. No worker
 * turns. And what the other does with it, before its workers begin; any other file is as good as none. */
int edge_neighbours_save(const struct edge *edge);
void edge_neighbours_recall(struct edge *edge, int fd);

/* One worker's part; made and freed by the control thread while that worker does not turn. Every `now` below is in ns. */
struct edge_worker *edge_worker_new(struct edge *edge, unsigned worker_id, const struct edge_ops *ops,
                                    void *context, struct errors *errors);
void edge_worker_free(struct edge_worker *ew); /* frees what is held */
uint64_t *edge_worker_counters(
        struct edge_worker *ew); /* EDGE_COUNTERS of them; readers of other threads see whole words */

/* A port as the runtime made it. */
struct edge_port_info {
	const char *name; /* as in the configuration */
	uint16_t number;  /* engine's number, < EDGE_PORTS_MAX */
	uint8_t mac[6];
	uint16_t mtu;
};

/* An address that functions say is theirs, on the port whose neighbours may ask for it. */
struct edge_claim {
	union ipaddr address;
	uint8_t family, length;
	uint16_t port;
	uint16_t owner; /* the function's id: the claim leads to a path that holds it */
};

/* Compiles the `edge` group (checked against edge_schema) with the ports that exist and the claims of all functions. NULL with
 * errors. A claim on an own address shares it: echo requests stay the edge's, everything else is the claim's. `previous`: the current
 * table or NULL; the new one's generation differs from it. Builder thread. */
struct edge_table *edge_compile(struct edge *edge, const struct conf *config,
                                const struct edge_port_info *ports, unsigned port_count,
                                const struct edge_claim *claims, unsigned claim_count,
                                const struct edge_table *previous, struct errors *errors);
void edge_table_free(struct edge_table *table);
/* Whether a port that loses its link takes its pair's down. */
bool edge_passes_link_state(const struct edge_table *table);
/* The port that a port of a transparent edge is joined to; EDGE_NO_PORT: none. */
uint16_t edge_pair(const struct edge_table *table, uint16_t port);
/* Told to every worker when a new table is current (worker thread): drops cached state that the change made stale. */
void edge_worker_switch(struct edge_worker *ew, const struct edge_table *table, uint64_t now);

/* Where a packet that found no session is to go. */
enum edge_answer {
	EDGE_FORWARD, /* egress is set: the port that its destination is routed to (or that claims it) */
	EDGE_DONE,    /* taken over: answered, delivered or dropped and counted */
};
struct edge_decision {
	uint16_t egress;      /* port */
	uint16_t claim_owner; /* function id whose claim the destination is; 0xffff: none */
};
/* First look at a parsed IP packet without a session (pkt->in_port set): destination MAC, own addresses (echo request and the rest of local
 * ICMP), claims, multicast, TTL, route. EDGE_LINK: always EDGE_FORWARD with EDGE_NO_PORT. EDGE_TRANSPARENT: EDGE_FORWARD
 * with the port that in_port is joined to. */
enum edge_answer edge_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                            uint64_t now, struct edge_decision *decision);

/* ARP, ND and other frames that are no sessions' business. True for packets that must go to edge_control() instead of a lookup: non-IP frames,
 * ICMPv6 neighbour and router messages. Pure. They are handed to worker 0; a transparent edge takes them on any worker. */
bool edge_is_control(struct rte_mbuf *m);
void edge_control(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m, uint64_t now);

/* Last look, for packets with or without a session that leave their path toward a port (EDGE_LINK, EDGE_TRANSPARENT) or toward their destination (EDGE_ROUTED):
 * TTL (checked above 1 and decremented here unless PKT_ORIGINATED), next hop (session->hop[dir] if its generation is current; else the FIB, and cached
 * there), MTU, MAC header (VLAN tags removed), hold queue, transmit. Takes all n mbufs over. end_port: the path's end (EDGE_NO_PORT: none). EDGE_TRANSPARENT: MTU
 * alone; without end_port they leave by the port that in_port is joined to. */
void edge_output(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf **m, unsigned n,
                 uint16_t end_port, uint64_t now);

/* Forgets the next hops of a session that were found by another table. Tables are told apart by eight bits: a session that is idle must not sleep through so many
 * of them that the number comes again, hence every session is shown each table. Its worker. */
void edge_forget_hops(const struct edge_table *table, struct session *s);

/* Addresses of ours that somebody else said were his, the last few. */
enum { EDGE_CONFLICTS = 8 };
struct edge_conflict {
	union ipaddr address;
	uint64_t packets, heard; /* 0: there is none; when, ns */
	uint16_t port;
	uint8_t family, mac[6];
};
/* Worker 0; each keeps its place as long as it is remembered. */
void edge_conflicts(const struct edge_worker *ew, struct edge_conflict into[EDGE_CONFLICTS]);
/* {address, mac, port, packets}; new reference. Any thread. */
json_t *edge_conflict_text(const struct edge_conflict *conflict, const char *port);

/* Whether packets to an address leave by this port. EDGE_LINK: whether a subnet of what it stands for has it; links of several paths may. */
bool edge_leads_to(const struct edge_table *table, uint16_t port, uint8_t family,
                   const union ipaddr *address);

/* Whether two addresses are in one subnet of a port: hosts that reach each other past us. */
bool edge_one_subnet(const struct edge_table *table, uint8_t family, const union ipaddr *a,
                     const union ipaddr *b);

/* The same for one packet whose next hop a function chose: a host on the link of one of our ports, whatever the packet's destination is (direct
 * return). The FIB is asked for the port alone; one that no port is connected to: EDGE_C_NO_ROUTE. The next hop is of the packet's family, and the same for
 * all packets of its session and direction. EDGE_ROUTED only. */
void edge_output_via(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                     const union ipaddr *next_hop, uint64_t now);

/* Source address that the edge uses toward a port's hosts, for errors; false: none of that family. */
bool edge_source(const struct edge_table *table, uint16_t port, uint8_t family, union ipaddr *address);
/* The same for an error about one packet: the address of the port that it came by; of a transparent edge, and behind its hops, which have none, the
 * packet's destination, in whose name a bridge speaks. */
bool edge_error_source(const struct edge_table *table, struct rte_mbuf *offending, union ipaddr *address);

/* Timers: ARP/ND retries and aging, hold queues. Returns the next deadline in ns. */
uint64_t edge_tick(struct edge_worker *ew, const struct edge_table *table, uint64_t now);

/* Announces a port's addresses and claims (gratuitous ARP, RFC 5227, 2.3; unsolicited NA, RFC 4861, 7.2.6), if the edge is routed; worker 0. */
void edge_announce(struct edge_worker *ew, const struct edge_table *table, uint16_t port);
/* The same of all ports that `before` had, too, but only what it had not there, or at another MAC. The caller keeps both tables meanwhile. */
void edge_announce_news(struct edge_worker *ew, const struct edge_table *before,
                        const struct edge_table *table);

/* A port's interface went away and came back: who its neighbours are is asked anew. Worker 0. */
void edge_port_renewed(struct edge_worker *ew, uint16_t port);

/* Operational state for REST, control thread: "neighbours", "routes", "ports", "claims". 0 or -ENOENT. */
int edge_show(struct edge *edge, const struct edge_table *table, const char *topic, json_t **out);

#endif
