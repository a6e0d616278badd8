/* SPDX-License-Identifier: BSD-3-Clause */
/* Mappings in chained hash tables over fixed arrays; see mapping.h. One worker's thread. */
#include "nat/mapping.h"

#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_hash_crc.h>
#include <rte_prefetch.h>

#include "util/pages.h"

/* Of a mapping's other remotes than the one that it names itself. */
struct permit {
	uint32_t mapping, remote, sessions;
	uint32_t next; /* chain of the hash table; of a free one: next free */
};

struct nat_mappings {
	uint32_t room, used, mask;
	uint32_t free, free_permit;
	struct mapping *list;
	uint32_t *inside, *outside; /* heads of chains */
	struct permit *permits;
	uint32_t *permit_heads;
};

static uint32_t hash(uint32_t a, uint32_t b)
{
	return rte_hash_crc_4byte(a, rte_hash_crc_4byte(b, 0x9e3779b9));
}

static uint32_t place(const struct nat_mappings *m, uint32_t address, uint16_t port, uint8_t space)
{
	return hash(address, (uint32_t)port << 8 | space) & m->mask;
}

static void chain_free(struct nat_mappings *m)
{
	for (uint32_t i = 0; i < m->room; i++) {
		m->list[i].next_inside = i + 1 < m->room ? i + 1 : MAPPING_NONE;
		m->permits[i].next = m->list[i].next_inside;
	}
	memset(m->inside, 0xff, (m->mask + 1) * sizeof(*m->inside));
	memset(m->outside, 0xff, (m->mask + 1) * sizeof(*m->outside));
	memset(m->permit_heads, 0xff, (m->mask + 1) * sizeof(*m->permit_heads));
}

struct nat_mappings *mappings_new(uint32_t room)
{
	struct nat_mappings *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->room = room;
	m->mask = rte_align32pow2(room) - 1;
	m->list = pages_new(room * sizeof(*m->list));
	m->permits = pages_new(room * sizeof(*m->permits));
	m->inside = pages_new((m->mask + 1) * sizeof(*m->inside));
	m->outside = pages_new((m->mask + 1) * sizeof(*m->outside));
	m->permit_heads = pages_new((m->mask + 1) * sizeof(*m->permit_heads));
	if (m->list && m->permits && m->inside && m->outside && m->permit_heads) {
		chain_free(m);
		return m;
	}
	mappings_free(m);
	return NULL;
}

void mappings_free(struct nat_mappings *m)
{
	if (!m)
		return;
	free(m->list);
	free(m->permits);
	free(m->inside);
	free(m->outside);
	free(m->permit_heads);
	free(m);
}

uint32_t mappings_used(const struct nat_mappings *m)
{
	return __atomic_load_n(&m->used, __ATOMIC_RELAXED);
}

uint32_t mappings_room(const struct nat_mappings *m)
{
	return m->room;
}

const struct mapping *mappings_at(const struct nat_mappings *m, uint32_t i)
{
	return i < m->room && m->list[i].used ? &m->list[i] : NULL;
}

struct mapping *mapping_by_index(struct nat_mappings *m, uint32_t i)
{
	return &m->list[i];
}

static bool same_kind(const struct mapping *m, struct mapping_end end)
{
	return m->space == end.space && m->pool == end.pool;
}

uint32_t mapping_find_inside(const struct nat_mappings *m, struct mapping_end end)
{
	uint32_t i = m->inside[place(m, end.address, end.port, end.space)];

	while (i != MAPPING_NONE && (m->list[i].inside != end.address || m->list[i].inside_port != end.port ||
	                             !same_kind(&m->list[i], end)))
		i = m->list[i].next_inside;
	return i;
}

uint32_t mapping_find_outside(const struct nat_mappings *m, struct mapping_end end)
{
	uint32_t i = m->outside[place(m, end.address, end.port, end.space)];

	while (i != MAPPING_NONE && (m->list[i].outside != end.address ||
	                             m->list[i].outside_port != end.port || !same_kind(&m->list[i], end)))
		i = m->list[i].next_outside;
	return i;
}

uint32_t mapping_add(struct nat_mappings *m, const struct mapping *mapping)
{
	uint32_t i = m->free, *inside, *outside;

	if (i == MAPPING_NONE)
		return MAPPING_NONE;
	m->free = m->list[i].next_inside;
	m->list[i] = *mapping;
	m->list[i].used = 1;
	m->list[i].sessions = 0;
	m->list[i].remotes = 0;
	inside = &m->inside[place(m, mapping->inside, mapping->inside_port, mapping->space)];
	outside = &m->outside[place(m, mapping->outside, mapping->outside_port, mapping->space)];
	m->list[i].next_inside = *inside;
	m->list[i].next_outside = *outside;
	*inside = *outside = i;
	__atomic_store_n(&m->used, m->used + 1, __ATOMIC_RELAXED);
	return i;
}

void mapping_remove(struct nat_mappings *m, uint32_t i)
{
	struct mapping *mapping = &m->list[i];
	uint32_t *at = &m->inside[place(m, mapping->inside, mapping->inside_port, mapping->space)];

	while (*at != i)
		at = &m->list[*at].next_inside;
	*at = mapping->next_inside;
	at = &m->outside[place(m, mapping->outside, mapping->outside_port, mapping->space)];
	while (*at != i)
		at = &m->list[*at].next_outside;
	*at = mapping->next_outside;
	mapping->used = 0;
	mapping->next_inside = m->free;
	m->free = i;
	__atomic_store_n(&m->used, m->used - 1, __ATOMIC_RELAXED);
}

void mapping_prefetch_inside(const struct nat_mappings *m, struct mapping_end end)
{
	rte_prefetch0_write(&m->inside[place(m, end.address, end.port, end.space)]);
}

void mapping_prefetch_outside(const struct nat_mappings *m, struct mapping_end end)
{
	rte_prefetch0_write(&m->outside[place(m, end.address, end.port, end.space)]);
}

static uint32_t *permit_at(const struct nat_mappings *m, uint32_t mapping, uint32_t remote)
{
	uint32_t *at = &m->permit_heads[hash(mapping, remote) & m->mask];

	while (*at != MAPPING_NONE &&
	       (m->permits[*at].mapping != mapping || m->permits[*at].remote != remote))
		at = &m->permits[*at].next;
	return at;
}

/* One more that is not named by its mapping. */
static bool permit_add(struct nat_mappings *m, uint32_t mapping, uint32_t remote)
{
	uint32_t *at = permit_at(m, mapping, remote), i = *at;

	if (i != MAPPING_NONE) {
		m->permits[i].sessions++;
		return true;
	}
	i = m->free_permit;
	if (i == MAPPING_NONE)
		return false;
	m->free_permit = m->permits[i].next;
	m->permits[i] =
	        (struct permit){ .mapping = mapping, .remote = remote, .sessions = 1, .next = MAPPING_NONE };
	*at = i;
	return true;
}

static bool names(const struct mapping *k, uint32_t remote)
{
	return k->remotes && k->remote == remote;
}

/* A remote may stand in both places: what is counted is the sum. */
bool permit_take(struct nat_mappings *m, uint32_t mapping, uint32_t remote)
{
	struct mapping *k = &m->list[mapping];

	if ((k->remotes && k->remote != remote) || k->remotes == UINT16_MAX)
		return permit_add(m, mapping, remote);
	k->remote = remote;
	k->remotes++;
	return true;
}

void permit_give(struct nat_mappings *m, uint32_t mapping, uint32_t remote)
{
	uint32_t *at, i;

	if (names(&m->list[mapping], remote)) {
		m->list[mapping].remotes--;
		return;
	}
	at = permit_at(m, mapping, remote);
	i = *at;
	if (i == MAPPING_NONE || --m->permits[i].sessions > 0)
		return;
	*at = m->permits[i].next;
	m->permits[i].next = m->free_permit;
	m->free_permit = i;
}

bool permit_known(const struct nat_mappings *m, uint32_t mapping, uint32_t remote)
{
	return names(&m->list[mapping], remote) || *permit_at(m, mapping, remote) != MAPPING_NONE;
}
