/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments for the box itself: they wait until their datagram is whole, then it is answered or refused as a whole one is. Whoever comes here
 * has passed packet/frag.h (so its first fragment was seen, and none overlaps another). A bounded number of datagrams a worker, each for a
 * bounded time; where a new one finds no room, the oldest goes. Worker's thread.
 */
#include <rte_ip.h>

#include "edge/private.h"
#include "packet/frag.h"

static bool same(const struct gathering *g, const struct frag_place *place, const struct tuple *t)
{
	return g->count && g->place.id == place->id && tuple_equal(&g->tuple, t);
}

static void wait_no_more(struct edge_worker *ew, struct gathering *g)
{
	__atomic_store_n(&ew->counters[EDGE_C_GATHERED], ew->counters[EDGE_C_GATHERED] - g->count,
	                 __ATOMIC_RELAXED);
	g->count = 0;
}

static void give_up(struct edge_worker *ew, struct gathering *g)
{
	for (unsigned i = 0; i < g->count; i++)
		edge_drop(ew, g->piece[i], EDGE_C_LOCAL_FRAGMENT);
	wait_no_more(ew, g);
}

/* That of the datagram, or a new one in place of a free one or the oldest. */
static struct gathering *find(struct edge_worker *ew, const struct frag_place *place, const struct tuple *t,
                              uint64_t now)
{
	struct gathering *chosen = &ew->gatherings[0];

	for (unsigned i = 0; i < GATHERINGS_MAX; i++) {
		struct gathering *g = &ew->gatherings[i];

		if (same(g, place, t))
			return g;
		if (chosen->count && (!g->count || g->deadline < chosen->deadline))
			chosen = g;
	}
	give_up(ew, chosen);
	*chosen = (struct gathering){ .tuple = *t, .place = *place, .deadline = now + GATHER_NS };
	return chosen;
}

/* Sum of what the datagram carries; every piece but the last has an even length. */
static bool checksum_ok(const struct gathering *g)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < g->count; i++) {
		const struct pkt *p = pkt_of(g->piece[i]);
		uint16_t part;

		if (rte_raw_cksum_mbuf(g->piece[i], p->l4, (uint32_t)(p->end - p->l4), &part) != 0)
			return false;
		sum += part;
	}
	if (g->tuple.family == FAMILY_V6) {
		struct rte_ipv6_hdr pseudo = *pkt_ip6(g->piece[0]);

		pseudo.payload_len = rte_cpu_to_be_16((uint16_t)g->total);
		pseudo.proto = g->tuple.proto;
		sum += rte_ipv6_phdr_cksum(&pseudo, 0);
	}
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum == 0xffff;
}

static void whole(struct edge_worker *ew, const struct edge_table *table, struct gathering *g, uint64_t now)
{
	struct rte_mbuf *piece[GATHER_PIECES];
	unsigned count = g->count, first = 0;
	bool sound = checksum_ok(g);

	memcpy(piece, g->piece, count * sizeof(*piece));
	while (first + 1 < count && pkt_of(piece[first])->flags & PKT_LATER)
		first++;
	wait_no_more(ew, g);
	local_whole(ew, table, piece, count, first, sound, now);
}

void gather_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m, uint64_t now)
{
	struct frag_place place;
	struct gathering *g;
	struct tuple t;

	frag_place(m, &place);
	pkt_tuple(m, &t);
	g = find(ew, &place, &t, now);
	if (g->count == GATHER_PIECES || (!place.more && g->total)) {
		give_up(ew, g);
		edge_drop(ew, m, EDGE_C_LOCAL_FRAGMENT);
		return;
	}
	g->piece[g->count++] = m;
	edge_count(ew, EDGE_C_GATHERED);
	g->covered += place.length;
	if (!place.more)
		g->total = (uint32_t)place.start + place.length;
	if (g->total && g->covered == g->total)
		whole(ew, table, g, now);
}

uint64_t gather_tick(struct edge_worker *ew, uint64_t now)
{
	uint64_t next = UINT64_MAX;

	if (ew->counters[EDGE_C_GATHERED] == 0)
		return next;
	for (unsigned i = 0; i < GATHERINGS_MAX; i++) {
		struct gathering *g = &ew->gatherings[i];

		if (g->count && g->deadline <= now)
			give_up(ew, g);
		else if (g->count && g->deadline < next)
			next = g->deadline;
	}
	return next;
}

void gather_free(struct edge_worker *ew)
{
	for (unsigned i = 0; i < GATHERINGS_MAX; i++)
		for (unsigned k = 0; k < ew->gatherings[i].count; k++)
			rte_pktmbuf_free(ew->gatherings[i].piece[k]);
}
