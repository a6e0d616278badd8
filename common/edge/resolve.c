/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a neighbour, after RFC 4861, section 7.3, for ARP as well: who is asked when, what an answer changes, when
 * it is forgotten. Worker 0 only. Nothing above IP tells us that a neighbour is well, so one in use is asked anew by
 * unicast some 35 s after its last answer.
 */
#include "edge/private.h"

enum { TRIES = 3, INCOMPLETE_MAX = 1024, SCAN_BUDGET = 512, REQUEST_BUDGET = 64 };
#define RETRANSMIT   SECONDS(1)
#define DELAY        SECONDS(5)
#define NEGATIVE     SECONDS(1)
#define STALE_KEPT   SECONDS(600)
#define SCAN_EVERY   MILLISECONDS(100)
#define REACHABLE_MS 30000

/* 0.5 to 1.5 times the base, so that a router's neighbours do not all fall due together. */
static uint64_t reachable_time(struct edge *edge)
{
	edge->seed ^= edge->seed << 13;
	edge->seed ^= edge->seed >> 7;
	edge->seed ^= edge->seed << 17;
	return MILLISECONDS(REACHABLE_MS / 2 + edge->seed % REACHABLE_MS);
}

static void set_state(struct edge *edge, uint32_t id, enum neighbour_state state, uint64_t deadline)
{
	struct neighbour *n = neighbour_of(edge, id);

	n->state = (uint8_t)state;
	n->deadline = deadline;
	n->tries = 0;
	__atomic_store_n(&adjacency_of(edge, id)->stale, state == NEIGHBOUR_STALE, __ATOMIC_RELAXED);
}

static void clear_used(struct edge *edge, uint32_t id)
{
	for (unsigned i = 0; i < edge->worker_count; i++) {
		struct edge_worker *ew = __atomic_load_n(&edge->workers[i], __ATOMIC_ACQUIRE);

		if (ew)
			__atomic_store_n(&ew->used[id & (ADJACENCIES - 1)], 0, __ATOMIC_RELAXED);
	}
}

static bool was_used(struct edge *edge, uint32_t id)
{
	for (unsigned i = 0; i < edge->worker_count; i++) {
		struct edge_worker *ew = __atomic_load_n(&edge->workers[i], __ATOMIC_ACQUIRE);

		if (ew && __atomic_load_n(&ew->used[id & (ADJACENCIES - 1)], __ATOMIC_RELAXED))
			return true;
	}
	return false;
}

static void become_known(struct edge *edge, uint32_t id, bool solicited, uint64_t now)
{
	if (solicited) {
		set_state(edge, id, NEIGHBOUR_REACHABLE, now + reachable_time(edge));
		return;
	}
	clear_used(edge, id);
	set_state(edge, id, NEIGHBOUR_STALE, now + STALE_KEPT);
}

/* First MAC of an entry: what waits for it may go. */
static void first_mac(struct edge_worker *ew, const struct edge_table *table, uint32_t id,
                      const struct neighbour_news *news, uint64_t now)
{
	neighbour_publish(ew->edge, id, news->mac, table->ports[news->key.port].mac);
	become_known(ew->edge, id, news->solicited, now);
	hold_flush(ew, id);
}

static void learn_new(struct edge_worker *ew, const struct edge_table *table,
                      const struct neighbour_news *news, uint64_t now)
{
	uint32_t id = neighbour_add(ew->edge, &news->key);

	if (id != 0)
		first_mac(ew, table, id, news, now);
}

static void learn_known(struct edge_worker *ew, const struct edge_table *table, uint32_t id,
                        const struct neighbour_news *news, uint64_t now)
{
	struct edge *edge = ew->edge;
	bool differs = news->has_mac && memcmp(adjacency_of(edge, id)->header, news->mac, 6) != 0;

	if (differs && news->override) {
		neighbour_retire(edge, id);
		learn_new(ew, table, news, now);
	} else if (differs) {
		if (neighbour_of(edge, id)->state == NEIGHBOUR_REACHABLE)
			become_known(edge, id, false, now);
	} else if (news->solicited) {
		become_known(edge, id, true, now);
	}
}

/* ARP does not say whether an answer was asked for, and anybody may send one: unless it was, it is believed, and then proven. */
static bool was_asked(const struct neighbour_news *news, uint8_t state)
{
	return news->key.family == FAMILY_V6 || state == NEIGHBOUR_INCOMPLETE || state == NEIGHBOUR_PROBE;
}

void neighbour_learn(struct edge_worker *ew, const struct edge_table *table,
                     const struct neighbour_news *heard, uint64_t now)
{
	struct neighbour_news said = *heard, *news = &said;
	uint32_t id = neighbour_find(ew->edge, &heard->key);
	uint8_t state = id ? neighbour_of(ew->edge, id)->state : NEIGHBOUR_INCOMPLETE;

	news->solicited &= was_asked(news, state);
	if (id == 0) {
		if (news->may_add && news->has_mac)
			learn_new(ew, table, news, now);
	} else if (state == NEIGHBOUR_FAILED) {
		if (news->has_mac) {
			neighbour_retire(ew->edge, id);
			learn_new(ew, table, news, now);
		}
	} else if (state == NEIGHBOUR_INCOMPLETE) {
		if (news->has_mac)
			first_mac(ew, table, id, news, now);
	} else {
		learn_known(ew, table, id, news, now);
	}
}

static void request(struct edge_worker *ew, const struct edge_table *table, uint32_t id, const uint8_t *to)
{
	struct neighbour_key key = neighbour_key_of(adjacency_of(ew->edge, id));

	neighbour_of(ew->edge, id)->tries++;
	if (key.family == FAMILY_V4)
		arp_request(ew, table, &key, to);
	else
		nd_solicit(ew, table, &key, to);
}

void neighbour_resolve(struct edge_worker *ew, const struct edge_table *table,
                       const struct neighbour_key *key, uint64_t now)
{
	struct edge *edge = ew->edge;
	uint32_t id;

	if (neighbour_find(edge, key) != 0 || edge->incomplete >= INCOMPLETE_MAX ||
	    !table_on_link(table, key->port, key->family, &key->address))
		return;
	id = neighbour_add(edge, key);
	if (id == 0)
		return;
	set_state(edge, id, NEIGHBOUR_INCOMPLETE, now + RETRANSMIT);
	request(ew, table, id, NULL);
}

/* A question was not answered in time: asks again, or answers false. */
static bool ask_again(struct edge_worker *ew, const struct edge_table *table, uint32_t id, const uint8_t *to,
                      uint64_t now)
{
	struct neighbour *n = neighbour_of(ew->edge, id);

	if (n->tries >= TRIES)
		return false;
	n->deadline = now + RETRANSMIT;
	request(ew, table, id, to);
	return true;
}

static void start_probe(struct edge_worker *ew, const struct edge_table *table, uint32_t id, uint64_t now)
{
	set_state(ew->edge, id, NEIGHBOUR_PROBE, now + RETRANSMIT);
	request(ew, table, id, adjacency_of(ew->edge, id)->header);
}

static void fall_due(struct edge_worker *ew, const struct edge_table *table, uint32_t id, uint64_t now)
{
	struct edge *edge = ew->edge;

	switch (neighbour_of(edge, id)->state) {
	case NEIGHBOUR_INCOMPLETE:
		if (!ask_again(ew, table, id, NULL, now)) {
			neighbour_fail(edge, id);
			set_state(edge, id, NEIGHBOUR_FAILED, now + NEGATIVE);
		}
		break;
	case NEIGHBOUR_REACHABLE:
		become_known(edge, id, false, now);
		break;
	case NEIGHBOUR_DELAY:
		start_probe(ew, table, id, now);
		break;
	case NEIGHBOUR_PROBE:
		if (!ask_again(ew, table, id, adjacency_of(edge, id)->header, now))
			neighbour_retire(edge, id);
		break;
	default: /* stale for long, or the negative cache is over */
		neighbour_retire(edge, id);
	}
}

void edge_port_renewed(struct edge_worker *ew, uint16_t port)
{
	struct edge *edge = ew->edge;

	for (uint32_t i = edge->live_count; i-- > 0;) {
		uint32_t id = edge->live[i];

		/* What is being asked for now goes on being asked for: packets may wait for it. */
		if (adjacency_of(edge, id)->port == port &&
		    neighbour_of(edge, id)->state != NEIGHBOUR_INCOMPLETE)
			neighbour_retire(edge, id);
	}
}

static void look_after(struct edge_worker *ew, const struct edge_table *table, uint32_t id, uint64_t now)
{
	struct neighbour *n = neighbour_of(ew->edge, id);

	if (n->state == NEIGHBOUR_STALE && was_used(ew->edge, id))
		set_state(ew->edge, id, NEIGHBOUR_DELAY, now + DELAY);
	else if (now >= n->deadline)
		fall_due(ew, table, id, now);
}

/* Downwards through the live entries, a budget at a time: removal puts one that was seen already into the gap. */
static void scan(struct edge_worker *ew, const struct edge_table *table, uint64_t now)
{
	struct edge *edge = ew->edge;

	if (edge->cursor == 0)
		edge->cursor = edge->live_count;
	for (unsigned i = 0; i < SCAN_BUDGET && edge->cursor > 0; i++) {
		edge->cursor--;
		if (edge->cursor < edge->live_count)
			look_after(ew, table, edge->live[edge->cursor], now);
	}
	if (edge->cursor == 0)
		edge->next_scan = now + SCAN_EVERY;
}

static void take_requests(struct edge_worker *ew, const struct edge_table *table, uint64_t now)
{
	struct neighbour_key key;

	for (unsigned i = 0; i < REQUEST_BUDGET; i++) {
		if (rte_ring_sc_dequeue_elem(ew->edge->requests, &key, sizeof(key)) != 0)
			return;
		neighbour_resolve(ew, table, &key, now);
	}
}

uint64_t neighbours_tick(struct edge_worker *ew, const struct edge_table *table, uint64_t now)
{
	struct edge *edge = ew->edge;

	neighbours_reclaim(edge);
	take_requests(ew, table, now);
	if (now >= edge->next_scan)
		scan(ew, table, now);
	return edge->live_count > 0 ? edge->next_scan : UINT64_MAX;
}

static bool still_true(const struct edge *edge, const struct edge_table *table, uint32_t id)
{
	const struct adjacency *a = adjacency_of(edge, id);
	const struct edge_port *port = &table->ports[a->port];

	if (!port->present || (a->usable == id && memcmp(a->header + 6, port->mac, 6) != 0))
		return false;
	return table_on_link(table, a->port, a->family, &a->address);
}

void neighbours_switch(struct edge_worker *ew, const struct edge_table *table)
{
	struct edge *edge = ew->edge;

	for (unsigned i = edge->live_count; i-- > 0;)
		if (!still_true(edge, table, edge->live[i]))
			neighbour_retire(edge, edge->live[i]);
	edge->cursor = 0;
}
