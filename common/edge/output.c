/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way out. A packet whose session knows a current next hop takes the quick way: one look at the adjacency, TTL, MAC
 * header, transmit. Everything else is looked up in the FIB; what is found is remembered in the session. Worker's thread; the
 * snapshot is const, adjacencies are read without locks (see neighbour.c).
 */
#include <rte_prefetch.h>

#include "edge/private.h"
#include "packet/fragment.h"

enum { FRAGMENTS_MAX = 64, BURST = 64 };

static uint16_t ip_length(const struct pkt *p)
{
	return (uint16_t)(p->end - p->l3);
}

/* Moves the start of the frame so that 14 bytes precede the IP header; offsets follow. */
static void strip_tags(struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);
	uint16_t extra = (uint16_t)(p->l3 - RTE_ETHER_HDR_LEN);

	rte_pktmbuf_adj(m, extra);
	p->l3 -= extra;
	p->l4 -= extra;
	p->end -= extra;
	if (p->flags & PKT_ICMP_ERROR) {
		p->inner_l3 -= extra;
		p->inner_l4 -= extra;
	}
	p->flags &= (uint16_t)~PKT_VLAN;
	p->vlan[0] = p->vlan[1] = 0;
}

/* 14 bytes as two overlapping words. */
static inline void write_header(struct rte_mbuf *m, const struct adjacency *a)
{
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);

	memcpy(frame, a->header, 8);
	memcpy(frame + 6, a->header + 6, 8);
}

static inline void mark_used(struct edge_worker *ew, const struct adjacency *a)
{
	uint8_t *used = &ew->used[a - ew->edge->adjacencies];

	if (__atomic_load_n(&a->stale, __ATOMIC_RELAXED) && !__atomic_load_n(used, __ATOMIC_RELAXED))
		__atomic_store_n(used, 1, __ATOMIC_RELAXED);
}

void output_frame(struct edge_worker *ew, const struct adjacency *a, struct rte_mbuf *m)
{
	if (pkt_of(m)->l3 != RTE_ETHER_HDR_LEN)
		strip_tags(m);
	mark_used(ew, a);
	write_header(m, a);
	ew->ops->transmit(ew->context, a->port, m);
}

uint8_t packet_addresses(struct rte_mbuf *m, union ipaddr *source, union ipaddr *destination)
{
	if (pkt_of(m)->flags & PKT_V4) {
		*source = ip_v4(pkt_ip4(m)->src_addr);
		*destination = ip_v4(pkt_ip4(m)->dst_addr);
		return FAMILY_V4;
	}
	*source = ip_v6(pkt_ip6(m)->src_addr);
	*destination = ip_v6(pkt_ip6(m)->dst_addr);
	return FAMILY_V6;
}

void edge_forget_hops(const struct edge_table *table, struct session *s)
{
	if (s->hop_generation == table->generation)
		return;
	s->hop[0] = s->hop[1] = 0;
	s->hop_generation = table->generation;
}

/* ICMP errors of our own may leave in a session's name, but not by its rules. */
static void remember(const struct edge_table *table, const struct pkt *p, uint32_t id)
{
	struct session *s = p->session;

	if (!s || (p->flags & (PKT_ORIGINATED | PKT_ICMP_ERROR | PKT_ROUTED)))
		return;
	edge_forget_hops(table, s);
	s->hop[p->dir] = id;
}

void output_to(struct edge_worker *ew, const struct edge_table *table, const struct neighbour_key *key,
               struct rte_mbuf *m, uint64_t now)
{
	uint32_t id = neighbour_find(ew->edge, key);
	const struct adjacency *a = adjacency_of(ew->edge, id);

	if (id != 0 && adjacency_usable(a, id)) {
		hold_flush(ew, id);
		remember(table, pkt_of(m), id);
		output_frame(ew, a, m);
	} else if (id != 0 && __atomic_load_n(&a->failed, __ATOMIC_ACQUIRE)) {
		edge_error(ew, table, m, ICMP_HOST_UNREACHABLE, 0, now);
		edge_drop(ew, m, EDGE_C_HOLD_TIMEOUT);
	} else {
		hold_packet(ew, table, key, m, now);
	}
}

static void refuse(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                   enum edge_counter reason, uint64_t now)
{
	if (reason != EDGE_C_BLACKHOLE && reason != EDGE_C_MULTICAST)
		edge_error(ew, table, m, ICMP_NO_ROUTE, 0, now);
	edge_drop(ew, m, reason);
}

static bool key_of_hop(const struct edge_hop *hop, const union ipaddr *destination, struct neighbour_key *key)
{
	if (hop->kind != HOP_CONNECTED && hop->kind != HOP_VIA)
		return false;
	*key = (struct neighbour_key){ hop->kind == HOP_VIA ? hop->via : *destination, hop->port,
		                       hop->family };
	return true;
}

/* Link-local destinations are on the link of a port, whatever the FIB says. */
static bool key_of_link(const struct edge_table *table, struct rte_mbuf *m, uint16_t end_port,
                        const union ipaddr *destination, struct neighbour_key *key)
{
	uint16_t port = end_port != EDGE_NO_PORT ? end_port : pkt_of(m)->in_port;

	*key = (struct neighbour_key){ *destination, port, FAMILY_V6 };
	return port < EDGE_PORTS_MAX && table->ports[port].routed6;
}

/* The next hop; false: the packet has been taken care of. */
static bool next_hop(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                     uint16_t end_port, struct neighbour_key *key, uint64_t now)
{
	static const uint8_t reasons[] = {
		[HOP_NONE] = EDGE_C_NO_ROUTE,       [HOP_CLAIM] = EDGE_C_NO_ROUTE,
		[HOP_BROADCAST] = EDGE_C_MULTICAST, [HOP_BLACKHOLE] = EDGE_C_BLACKHOLE,
		[HOP_REJECT] = EDGE_C_REJECTED,
	};
	union ipaddr source, destination;
	uint8_t family = packet_addresses(m, &source, &destination);
	const struct edge_hop *hop;

	if (is_link_local(family, &destination)) {
		if (key_of_link(table, m, end_port, &destination, key))
			return true;
		edge_drop(ew, m, EDGE_C_NO_ROUTE);
		return false;
	}
	hop = table_route(table, family, &destination);
	if (key_of_hop(hop, &destination, key))
		return true;
	if (hop->kind == HOP_LOCAL)
		local_input(ew, table, m, now);
	else
		refuse(ew, table, m, (enum edge_counter)reasons[hop->kind], now);
	return false;
}

static struct rte_mbuf *take_mbuf(void *argument)
{
	struct edge_worker *ew = argument;

	return ew->ops->mbuf(ew->context);
}

/* One packet becomes n, of which all but one are our making. */
static void send_fragments(struct edge_worker *ew, const struct edge_table *table,
                           const struct neighbour_key *key, struct rte_mbuf *m, uint64_t now)
{
	struct rte_mbuf *out[FRAGMENTS_MAX];
	unsigned n = 0;
	uint16_t mtu = table->mtu[key->port];
	enum fragment_result result = fragment_ip4(m, mtu, take_mbuf, ew, out, FRAGMENTS_MAX, &n);

	if (result == FRAGMENT_TOO_BIG)
		edge_error(ew, table, m, ICMP_TOO_BIG, mtu, now);
	if (result != FRAGMENT_DONE) {
		rte_pktmbuf_free_bulk(out, n);
		edge_drop(ew, m, result == FRAGMENT_TOO_BIG ? EDGE_C_TOO_BIG : EDGE_C_NO_BUFFER);
		return;
	}
	rte_pktmbuf_free(m);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			edge_count(ew, EDGE_C_ORIGINATED);
		output_to(ew, table, key, out[i], now);
	}
}

/* An adjacency that a function chose beats the FIB while it lives. */
static bool chosen(struct edge_worker *ew, const struct pkt *p, struct neighbour_key *key)
{
	const struct adjacency *a = adjacency_of(ew->edge, p->adjacency);

	if (!(p->flags & PKT_ROUTED) || p->adjacency == 0 || !adjacency_usable(a, p->adjacency))
		return false;
	*key = neighbour_key_of(a);
	return true;
}

/* The next hop is known: MTU, TTL, and on to it. */
static void output_hop(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                       const struct neighbour_key *key, bool counts_hops, uint64_t now)
{
	const struct pkt *p = pkt_of(m);

	if (ip_length(p) > table->mtu[key->port]) {
		bool whole = p->flags & PKT_V6 ||
		             pkt_ip4(m)->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);

		if (counts_hops && !whole)
			pkt_decrement_ttl(m);
		send_fragments(ew, table, key, m, now);
		return;
	}
	if (counts_hops)
		pkt_decrement_ttl(m);
	output_to(ew, table, key, m, now);
}

static bool hops_left(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                      uint64_t now)
{
	if (pkt_ttl(m) > 1)
		return true;
	edge_error(ew, table, m, ICMP_TTL_EXCEEDED, 0, now);
	edge_drop(ew, m, EDGE_C_TTL_EXCEEDED);
	return false;
}

void output_route(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                  uint16_t end_port, bool checked, uint64_t now)
{
	struct pkt *p = pkt_of(m);
	struct neighbour_key key;
	bool counts_hops = !checked && !(p->flags & PKT_ORIGINATED);

	if (counts_hops && !hops_left(ew, table, m, now))
		return;
	if (!chosen(ew, p, &key) && !next_hop(ew, table, m, end_port, &key, now))
		return;
	output_hop(ew, table, m, &key, counts_hops, now);
}

/* The adjacency that a packet's session remembers; entry 0, which is never usable, where it does not. */
static inline uint32_t remembered(const struct edge_table *table, const struct pkt *p)
{
	const struct session *s = p->session;

	return s && s->hop_generation == table->generation ? s->hop[p->dir] : 0;
}

/* Makes a packet ready that needs no more than a next hop's header; false: it needs more. */
static inline bool output_quick(const struct edge_table *table, struct rte_mbuf *m, const struct adjacency *a)
{
	const struct pkt *p = pkt_of(m);

	if (unlikely((p->flags & (PKT_ORIGINATED | PKT_ROUTED)) || p->l3 != RTE_ETHER_HDR_LEN ||
	             ip_length(p) > table->mtu[a->port] || pkt_ttl(m) <= 1))
		return false;
	pkt_decrement_ttl(m);
	write_header(m, a);
	return true;
}

void output_via(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                const union ipaddr *next_hop, bool counts_hops, uint64_t now)
{
	uint8_t family = pkt_of(m)->flags & PKT_V4 ? FAMILY_V4 : FAMILY_V6;
	const struct edge_hop *hop = table_route(table, family, next_hop);
	struct neighbour_key key = { *next_hop, hop->port, hop->family };

	pkt_of(m)->flags |= PKT_VIA;
	if (hop->kind == HOP_CONNECTED)
		output_hop(ew, table, m, &key, counts_hops, now);
	else
		refuse(ew, table, m, EDGE_C_NO_ROUTE, now);
}

void edge_output_via(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                     const union ipaddr *next_hop, uint64_t now)
{
	bool counts_hops = !(pkt_of(m)->flags & PKT_ORIGINATED);
	uint32_t id = remembered(table, pkt_of(m));
	const struct adjacency *a = adjacency_of(ew->edge, id);

	if (adjacency_usable(a, id) && output_quick(table, m, a)) {
		mark_used(ew, a);
		ew->ops->transmit(ew->context, a->port, m);
		return;
	}
	if (!counts_hops || hops_left(ew, table, m, now))
		output_via(ew, table, m, next_hop, counts_hops, now);
}

/* Ready packets for one port that follow each other, and the next hop of the last. */
struct run {
	const struct adjacency *a; /* NULL: not one that is usable */
	uint32_t id;
	unsigned count;
	uint16_t port;
	struct rte_mbuf **m;
};

/* The next one begins at `m`. */
static void run_end(struct edge_worker *ew, struct run *run, struct rte_mbuf **m)
{
	if (run->count)
		ew->ops->transmit_burst(ew->context, run->port, run->m, run->count);
	run->count = 0;
	run->m = m;
}

/* Another next hop, from `m` on. */
static inline void run_turn(struct edge_worker *ew, struct run *run, uint32_t id, struct rte_mbuf **m)
{
	const struct adjacency *a = adjacency_of(ew->edge, id);

	run->id = id;
	run->a = adjacency_usable(a, id) ? a : NULL;
	if (!run->a)
		return;
	mark_used(ew, a);
	if (a->port != run->port)
		run_end(ew, run, m);
	run->port = a->port;
}

static void output_burst(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf **m,
                         unsigned n, uint16_t end_port, uint64_t now)
{
	struct run run = { .m = m, .port = EDGE_NO_PORT };
	uint32_t ids[BURST];

	for (unsigned i = 0; i < n; i++) {
		ids[i] = remembered(table, pkt_of(m[i]));
		rte_prefetch0(adjacency_of(ew->edge, ids[i]));
	}
	for (unsigned i = 0; i < n; i++) {
		if (ids[i] != run.id)
			run_turn(ew, &run, ids[i], m + i);
		if (likely(run.a && output_quick(table, m[i], run.a))) {
			run.count++;
			continue;
		}
		run_end(ew, &run, m + i + 1); /* they were first */
		output_route(ew, table, m[i], end_port, false, now);
	}
	run_end(ew, &run, NULL);
}

/* Inner links know no addresses: what leaves the path leaves by its end. */
static void output_link(struct edge_worker *ew, struct rte_mbuf **m, unsigned n, uint16_t end_port)
{
	if (end_port != EDGE_NO_PORT) {
		ew->ops->transmit_burst(ew->context, end_port, m, n);
		return;
	}
	for (unsigned i = 0; i < n; i++)
		edge_drop(ew, m[i], EDGE_C_NO_ROUTE);
}

void edge_output(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf **m, unsigned n,
                 uint16_t end_port, uint64_t now)
{
	if (table->mode == EDGE_LINK) {
		output_link(ew, m, n, end_port);
		return;
	}
	if (table->mode == EDGE_TRANSPARENT) {
		transparent_output(ew, table, m, n, end_port, now);
		return;
	}
	for (unsigned done = 0; done < n; done += BURST)
		output_burst(ew, table, m + done, RTE_MIN(n - done, (unsigned)BURST), end_port, now);
}
