/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hold queues: packets of one worker that wait for a neighbour's MAC. Each worker has its own and looks at the shared
 * neighbour table to see what became of its questions. Bounded per neighbour and in all. A queue is taken out of the
 * index before its packets are sent or refused, because both may hold further packets.
 */
#include <stdlib.h>

#include <rte_hash_crc.h>

#include "edge/private.h"

#define CHECK_EVERY MILLISECONDS(100)
#define GIVE_UP     SECONDS(10)

bool holds_new(struct edge_worker *ew)
{
	ew->holds = calloc(HOLD_NEIGHBOURS, sizeof(*ew->holds));
	if (!ew->holds)
		return false;
	for (unsigned i = 0; i < HOLD_NEIGHBOURS; i++)
		ew->holds[i].next = (uint16_t)(i + 1 < HOLD_NEIGHBOURS ? i + 2 : 0);
	ew->hold_free = 1;
	return true;
}

static uint16_t *head_of(struct edge_worker *ew, const struct neighbour_key *key)
{
	uint32_t hash = rte_hash_crc_8byte(key->address.halves[0], key->port);

	return &ew->hold_heads[rte_hash_crc_8byte(key->address.halves[1], hash) % HOLD_HASH];
}

static bool same_key(const struct neighbour_key *a, const struct neighbour_key *b)
{
	return a->port == b->port && a->family == b->family && ipaddr_equal(&a->address, &b->address);
}

/* The link that leads to the queue of a key; *link is 0 where there is none. */
static uint16_t *link_of(struct edge_worker *ew, const struct neighbour_key *key)
{
	uint16_t *link = head_of(ew, key);

	while (*link != 0 && !same_key(&ew->holds[*link - 1].key, key))
		link = &ew->holds[*link - 1].next;
	return link;
}

static struct hold *hold_add(struct edge_worker *ew, const struct neighbour_key *key, uint64_t now)
{
	uint16_t number = ew->hold_free, *head = head_of(ew, key);
	struct hold *hold;

	if (number == 0)
		return NULL;
	hold = &ew->holds[number - 1];
	ew->hold_free = hold->next;
	*hold = (struct hold){ .key = *key, .since = now, .next = *head };
	*head = number;
	return hold;
}

static struct rte_mbuf *hold_pop(struct edge_worker *ew, struct hold *hold)
{
	struct rte_mbuf *m = hold->head;

	hold->head = m->next;
	m->next = NULL;
	hold->count--;
	__atomic_store_n(&ew->counters[EDGE_C_HELD], ew->counters[EDGE_C_HELD] - 1, __ATOMIC_RELAXED);
	return m;
}

static void hold_append(struct edge_worker *ew, struct hold *hold, struct rte_mbuf *m)
{
	m->next = NULL;
	if (hold->count++ == 0)
		hold->head = m;
	else
		hold->tail->next = m;
	hold->tail = m;
	edge_count(ew, EDGE_C_HELD);
}

/* Back to the free ones; it is empty and out of the index. */
static void hold_give_back(struct edge_worker *ew, struct hold *hold)
{
	hold->next = ew->hold_free;
	ew->hold_free = (uint16_t)(hold - ew->holds + 1);
}

static void ask(struct edge_worker *ew, const struct edge_table *table, const struct neighbour_key *key,
                uint64_t now)
{
	if (ew->id == 0)
		neighbour_resolve(ew, table, key, now);
	else /* a full ring is no loss: the question is asked again while packets wait */
		rte_ring_mp_enqueue_elem(ew->edge->requests, (void *)(uintptr_t)key, sizeof(*key));
}

/* Half of the room is anybody's (of a gateway behind a burst that waited for a successor); of the rest each has its share. */
static bool is_full(const struct edge_worker *ew, const struct hold *hold)
{
	uint64_t held = ew->counters[EDGE_C_HELD];

	return held >= HOLD_PACKETS ||
	       (hold && held >= HOLD_PACKETS / 2 && hold->count >= HOLD_PER_NEIGHBOUR);
}

void hold_packet(struct edge_worker *ew, const struct edge_table *table, const struct neighbour_key *key,
                 struct rte_mbuf *m, uint64_t now)
{
	uint16_t number = *link_of(ew, key);
	struct hold *hold = number ? &ew->holds[number - 1] : NULL;

	if (is_full(ew, hold) || (!hold && !(hold = hold_add(ew, key, now)))) {
		edge_drop(ew, m, EDGE_C_HOLD_FULL);
		return;
	}
	hold_append(ew, hold, m);
	edge_note(ew, m, EDGE_C_HELD);
	if (number == 0)
		ask(ew, table, key, now);
}

static void send_all(struct edge_worker *ew, struct hold *hold, uint32_t id)
{
	const struct adjacency *a = adjacency_of(ew->edge, id);

	while (hold->count > 0)
		output_frame(ew, a, hold_pop(ew, hold));
	hold_give_back(ew, hold);
}

static void refuse_all(struct edge_worker *ew, const struct edge_table *table, struct hold *hold,
                       uint64_t now)
{
	while (hold->count > 0) {
		struct rte_mbuf *m = hold_pop(ew, hold);

		edge_error(ew, table, m, ICMP_HOST_UNREACHABLE, 0, now);
		edge_drop(ew, m, EDGE_C_HOLD_TIMEOUT);
	}
	hold_give_back(ew, hold);
}

void hold_flush(struct edge_worker *ew, uint32_t id)
{
	struct neighbour_key key = neighbour_key_of(adjacency_of(ew->edge, id));
	uint16_t *link;
	struct hold *hold;

	if (ew->counters[EDGE_C_HELD] == 0)
		return;
	link = link_of(ew, &key);
	if (*link == 0)
		return;
	hold = &ew->holds[*link - 1];
	*link = hold->next;
	send_all(ew, hold, id);
}

/* What became of the neighbour: 0 wait on, else the queue is to be dealt with. */
static bool is_decided(struct edge_worker *ew, const struct edge_table *table, const struct hold *hold,
                       uint64_t now)
{
	uint32_t id = neighbour_find(ew->edge, &hold->key);
	const struct adjacency *a = adjacency_of(ew->edge, id);

	if (now - hold->since >= GIVE_UP)
		return true;
	if (id == 0) {
		ask(ew, table, &hold->key, now);
		return false;
	}
	return adjacency_usable(a, id) || __atomic_load_n(&a->failed, __ATOMIC_ACQUIRE);
}

static void decide(struct edge_worker *ew, const struct edge_table *table, struct hold *hold, uint64_t now)
{
	uint32_t id = neighbour_find(ew->edge, &hold->key);

	if (id != 0 && adjacency_usable(adjacency_of(ew->edge, id), id))
		send_all(ew, hold, id);
	else
		refuse_all(ew, table, hold, now);
}

/* Takes the queues out of the index that are decided (or all); returns them as a list by `next`. */
static uint16_t detach(struct edge_worker *ew, const struct edge_table *table, bool all, uint64_t now)
{
	uint16_t list = 0;

	for (unsigned i = 0; i < HOLD_HASH; i++) {
		uint16_t *link = &ew->hold_heads[i];

		while (*link != 0) {
			uint16_t number = *link;
			struct hold *hold = &ew->holds[number - 1];

			if (!all && !is_decided(ew, table, hold, now)) {
				link = &hold->next;
				continue;
			}
			*link = hold->next;
			hold->next = list;
			list = number;
		}
	}
	return list;
}

uint64_t holds_tick(struct edge_worker *ew, const struct edge_table *table, uint64_t now)
{
	uint64_t changes = __atomic_load_n(&ew->edge->changes, __ATOMIC_ACQUIRE);

	if (ew->counters[EDGE_C_HELD] == 0)
		return UINT64_MAX;
	if (changes == ew->changes_seen && now < ew->next_hold_check)
		return ew->next_hold_check;
	ew->changes_seen = changes;
	ew->next_hold_check = now + CHECK_EVERY;
	for (uint16_t list = detach(ew, table, false, now); list != 0;) {
		struct hold *hold = &ew->holds[list - 1];

		list = hold->next;
		decide(ew, table, hold, now);
	}
	return ew->next_hold_check;
}

/* By the routes of a new table: to its destination, or still to the next hop that a function named. */
static void reroute(struct edge_worker *ew, const struct edge_table *table, const struct neighbour_key *was,
                    struct rte_mbuf *m, uint64_t now)
{
	if (pkt_of(m)->flags & PKT_VIA)
		output_via(ew, table, m, &was->address, false, now);
	else
		output_route(ew, table, m, was->port, true, now);
}

void holds_reroute(struct edge_worker *ew, const struct edge_table *table, uint64_t now)
{
	for (uint16_t list = detach(ew, table, true, now); list != 0;) {
		struct hold *hold = &ew->holds[list - 1];

		list = hold->next;
		while (hold->count > 0)
			reroute(ew, table, &hold->key, hold_pop(ew, hold), now);
		hold_give_back(ew, hold);
	}
}

void holds_free(struct edge_worker *ew)
{
	for (unsigned i = 0; ew->holds && i < HOLD_NEIGHBOURS; i++)
		while (ew->holds[i].count > 0)
			rte_pktmbuf_free(hold_pop(ew, &ew->holds[i]));
	free(ew->holds);
}
