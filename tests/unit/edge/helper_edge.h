/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small world for tests of the edge: two ports, up to two workers, a clock that the test moves, and a record of what was
 * sent. EAL runs without hugepages; one world at a time. world_close() checks that every packet is accounted for.
 */
#ifndef SLUICE_TESTS_HELPER_EDGE_H
#define SLUICE_TESTS_HELPER_EDGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "edge/edge.h"
#include "flow/session.h"
#include "support/packets.h"

enum { LAN = 0, WAN = 1, SENT_MAX = 4096 };
#define SECOND UINT64_C(1000000000)

extern const uint8_t lan_mac[6], wan_mac[6], host_mac[6], other_mac[6];
/* lan: 10.0.1.1/24, 2001:db8:1::1/64; wan: 203.0.113.1/24, 2001:db8:2::1/64, gateways .254 and ::fe. */
extern const char world_config[];

struct sent {
	struct rte_mbuf *m;
	uint16_t port;
};

struct world {
	struct edge *edge;
	struct edge_worker *ew[2];
	struct edge_table *table;
	uint64_t now;
	struct sent sent[SENT_MAX];
	unsigned sent_count, seen; /* recorded; already asked for by world_next() */
	unsigned cleared, turned, forwarded, taken;
	struct rte_mbuf *last_turned;
};

/* EAL and the pool; group setup of every program. */
int world_eal(void **state);

void world_open(struct world *w, const char *config, const struct edge_claim *claims, unsigned claim_count);
void world_close(struct world *w);
struct edge_table *world_compile(struct world *w, const char *config, uint16_t wan_mtu,
                                 const struct edge_claim *claims, unsigned claim_count,
                                 struct errors *errors);
/* Another table becomes current for all workers. */
void world_switch(struct world *w, struct edge_table *table);
/* Moves the clock and ticks all workers, in steps of 100 ms. */
void world_pass(struct world *w, double seconds);

/* A packet as a port would deliver it: built, copied to the pool, parsed. */
struct rte_mbuf *world_packet(uint16_t port, const struct packet_spec *spec);
/* Any frame. */
struct rte_mbuf *world_frame(uint16_t port, const void *bytes, uint16_t length);
struct rte_mbuf *world_arp(uint16_t port, uint16_t operation, const uint8_t *dmac, const uint8_t *sha,
                           const char *sip, const char *tip);
/* A neighbour message; mac NULL: no option. */
struct rte_mbuf *world_nd(uint16_t port, uint8_t type, uint8_t flags, const char *src, const char *dst,
                          const char *target, const uint8_t *mac, uint8_t hop_limit);

/* Hands packets to the edge and counts them as taken. */
enum edge_answer world_input(struct world *w, unsigned worker, struct rte_mbuf *m,
                             struct edge_decision *decision);
void world_control(struct world *w, struct rte_mbuf *m);
void world_output(struct world *w, unsigned worker, struct rte_mbuf *m);
/* Teaches the edge a neighbour by an exchange as on the wire. */
void world_learn4(struct world *w, uint16_t port, const char *address, const uint8_t *mac);
void world_learn6(struct world *w, uint16_t port, const char *address, const uint8_t *mac);

/* The next frame that was sent, oldest first; NULL: none. It stays the world's. */
struct rte_mbuf *world_next(struct world *w, uint16_t *port);
/* Passes over ARP and ND: the next IP packet of other kinds, parsed. */
struct rte_mbuf *world_next_ip(struct world *w, uint16_t *port);
void world_skip(struct world *w);
/* Forgets what was sent, which still counts. */
void world_clear(struct world *w);
uint64_t world_counter(const struct world *w, enum edge_counter counter);

uint32_t ip4(const char *text);
union ipaddr ip_any(const char *text);

#endif
