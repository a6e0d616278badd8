/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The neighbour table: a fixed array of entries and a hash of their ids. Worker 0 is the only writer; every worker reads
 * without locks. An entry is written whole before its id is stored in the hash, and after its removal it is used again only when
 * every worker has passed a tick (workers keep no reference to an entry across calls). A reader may miss an entry while
 * the hash is being changed, never find a wrong one: it then asks worker 0, whose view is exact.
 */
#include <stdlib.h>

#include <rte_hash_crc.h>
#include <rte_random.h>

#include "edge/private.h"

enum { REQUESTS = 1024, SLOT_MASK = NEIGHBOUR_SLOTS - 1 };
#define VERSION_MASK ((1u << (32 - ADJACENCY_BITS)) - 1)

static bool ring_new(struct edge *edge)
{
	ssize_t size = rte_ring_get_memsize_elem(sizeof(struct neighbour_key), REQUESTS);

	if (size < 0 || posix_memalign((void **)&edge->requests, 64, (size_t)size) != 0) {
		edge->requests = NULL;
		return false;
	}
	return rte_ring_init(edge->requests, "edge_requests", REQUESTS, RING_F_SC_DEQ) == 0;
}

bool neighbours_new(struct edge *edge)
{
	size_t bytes = sizeof(struct adjacency) * ADJACENCIES;

	if (posix_memalign((void **)&edge->adjacencies, 64, bytes) != 0) {
		edge->adjacencies = NULL;
		return false;
	}
	memset(edge->adjacencies, 0, bytes);
	edge->slots = calloc(NEIGHBOUR_SLOTS, sizeof(*edge->slots));
	edge->neighbours = calloc(ADJACENCIES, sizeof(*edge->neighbours));
	edge->live = calloc(ADJACENCIES, sizeof(*edge->live));
	edge->spare = calloc(ADJACENCIES, sizeof(*edge->spare));
	edge->limbo = calloc(ADJACENCIES, sizeof(*edge->limbo));
	if (!edge->slots || !edge->neighbours || !edge->live || !edge->spare || !edge->limbo ||
	    !ring_new(edge))
		return false;
	/* Id 0 means "none": its entry can never be usable. */
	edge->adjacencies[0].usable = UINT32_MAX;
	for (uint32_t i = ADJACENCIES - 1; i > 0; i--)
		edge->spare[edge->spare_count++] = i;
	/* Sessions may outlive the process with ids of its table: begin where they do not match. */
	edge->version = (uint32_t)rte_rand() & VERSION_MASK;
	edge->seed = rte_rand() | 1;
	return true;
}

void neighbours_free(struct edge *edge)
{
	free(edge->recalled);
	free(edge->requests);
	free(edge->limbo);
	free(edge->spare);
	free(edge->live);
	free(edge->neighbours);
	free(edge->slots);
	free(edge->adjacencies);
}

static uint32_t slot_of(const struct neighbour_key *key)
{
	uint32_t hash = rte_hash_crc_8byte(key->address.halves[0], (uint32_t)key->port << 8 | key->family);

	return rte_hash_crc_8byte(key->address.halves[1], hash) & SLOT_MASK;
}

static bool is_of(const struct adjacency *a, const struct neighbour_key *key)
{
	return a->port == key->port && a->family == key->family && ipaddr_equal(&a->address, &key->address);
}

uint32_t neighbour_find(const struct edge *edge, const struct neighbour_key *key)
{
	uint32_t slot = slot_of(key);

	for (unsigned i = 0; i < NEIGHBOUR_SLOTS; i++, slot = (slot + 1) & SLOT_MASK) {
		uint32_t id = __atomic_load_n(&edge->slots[slot], __ATOMIC_ACQUIRE);

		if (id == 0)
			return 0;
		if (is_of(adjacency_of(edge, id), key))
			return id;
	}
	return 0;
}

static void slots_insert(struct edge *edge, const struct neighbour_key *key, uint32_t id)
{
	uint32_t slot = slot_of(key);

	while (edge->slots[slot] != 0)
		slot = (slot + 1) & SLOT_MASK;
	__atomic_store_n(&edge->slots[slot], id, __ATOMIC_RELEASE);
}

/* Whether an entry whose probe begins at `home` may move from `from` back to the hole: the hole lies between the two. */
static bool may_move(uint32_t home, uint32_t hole, uint32_t from)
{
	return ((from - home) & SLOT_MASK) >= ((from - hole) & SLOT_MASK);
}

/* Removes an id and closes the hole, so that probes stay short for ever. */
static void slots_remove(struct edge *edge, const struct neighbour_key *key, uint32_t id)
{
	uint32_t hole = slot_of(key), from;

	while (edge->slots[hole] != id)
		hole = (hole + 1) & SLOT_MASK;
	for (from = (hole + 1) & SLOT_MASK; edge->slots[from] != 0; from = (from + 1) & SLOT_MASK) {
		struct neighbour_key other = neighbour_key_of(adjacency_of(edge, edge->slots[from]));

		if (!may_move(slot_of(&other), hole, from))
			continue;
		__atomic_store_n(&edge->slots[hole], edge->slots[from], __ATOMIC_RELEASE);
		hole = from;
	}
	__atomic_store_n(&edge->slots[hole], 0, __ATOMIC_RELEASE);
}

/* An index with a version of its own; ids are never 0. */
static uint32_t new_id(struct edge *edge, uint32_t index)
{
	edge->version = (edge->version + 1) & VERSION_MASK;
	return edge->version << ADJACENCY_BITS | index;
}

uint32_t neighbour_add(struct edge *edge, const struct neighbour_key *key)
{
	uint32_t id;
	struct adjacency *a;

	if (edge->spare_count == 0)
		return 0;
	id = new_id(edge, edge->spare[--edge->spare_count]);
	a = adjacency_of(edge, id);
	*a = (struct adjacency){ .address = key->address, .port = key->port, .family = key->family };
	*neighbour_of(edge, id) =
	        (struct neighbour){ .place = edge->live_count, .state = NEIGHBOUR_INCOMPLETE };
	edge->live[edge->live_count++] = id;
	edge->incomplete++;
	__atomic_store_n(&a->id, id, __ATOMIC_RELEASE);
	slots_insert(edge, key, id);
	return id;
}

static void leave_incomplete(struct edge *edge, uint32_t id)
{
	if (neighbour_of(edge, id)->state == NEIGHBOUR_INCOMPLETE)
		edge->incomplete--;
}

void neighbour_publish(struct edge *edge, uint32_t id, const uint8_t destination[6], const uint8_t source[6])
{
	struct adjacency *a = adjacency_of(edge, id);
	uint16_t type = rte_cpu_to_be_16(a->family == FAMILY_V4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);

	leave_incomplete(edge, id);
	memcpy(a->header, destination, 6);
	memcpy(a->header + 6, source, 6);
	memcpy(a->header + 12, &type, sizeof(type));
	__atomic_store_n(&a->usable, id, __ATOMIC_RELEASE);
	__atomic_store_n(&edge->changes, edge->changes + 1, __ATOMIC_RELEASE);
}

void neighbour_fail(struct edge *edge, uint32_t id)
{
	leave_incomplete(edge, id);
	neighbour_of(edge, id)->state = NEIGHBOUR_FAILED;
	__atomic_store_n(&adjacency_of(edge, id)->failed, 1, __ATOMIC_RELEASE);
	__atomic_store_n(&edge->changes, edge->changes + 1, __ATOMIC_RELEASE);
}

void neighbour_retire(struct edge *edge, uint32_t id)
{
	struct adjacency *a = adjacency_of(edge, id);
	struct neighbour_key key = neighbour_key_of(a);
	uint32_t place = neighbour_of(edge, id)->place, last = edge->live[--edge->live_count];
	struct limbo *limbo = &edge->limbo[(edge->limbo_head + edge->limbo_count++) % ADJACENCIES];

	leave_incomplete(edge, id);
	edge->live[place] = last;
	neighbour_of(edge, last)->place = place;
	__atomic_store_n(&a->usable, 0, __ATOMIC_RELEASE);
	__atomic_store_n(&a->id, 0, __ATOMIC_RELEASE);
	slots_remove(edge, &key, id);
	__atomic_store_n(&edge->epoch, edge->epoch + 1, __ATOMIC_RELEASE);
	*limbo = (struct limbo){ id & (ADJACENCIES - 1), edge->epoch };
}

static uint64_t oldest_epoch(const struct edge *edge)
{
	uint64_t oldest = edge->epoch;

	for (unsigned i = 0; i < edge->worker_count; i++) {
		struct edge_worker *ew = __atomic_load_n(&edge->workers[i], __ATOMIC_ACQUIRE);
		uint64_t seen = ew ? __atomic_load_n(&ew->epoch_seen, __ATOMIC_ACQUIRE) : oldest;

		oldest = seen < oldest ? seen : oldest;
	}
	return oldest;
}

void neighbours_reclaim(struct edge *edge)
{
	uint64_t oldest;

	if (edge->limbo_count == 0)
		return;
	oldest = oldest_epoch(edge);
	while (edge->limbo_count > 0 && edge->limbo[edge->limbo_head].epoch <= oldest) {
		edge->spare[edge->spare_count++] = edge->limbo[edge->limbo_head].index;
		edge->limbo_head = (edge->limbo_head + 1) % ADJACENCIES;
		edge->limbo_count--;
	}
}
