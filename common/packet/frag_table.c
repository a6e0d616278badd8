/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory, hash, lists and time of the fragment table; see frag.h for its life and owner.
 */
#include <stdlib.h>

#include "packet/frag_private.h"

enum { DATAGRAMS = 4096, HELD = 1024, HELD_BYTES = 4 << 20, DATAGRAMS_MAX = 1 << 24 };

static const uint64_t second = UINT64_C(1000000000);

static uint64_t or_default(uint64_t value, uint64_t other)
{
	return value ? value : other;
}

static void set_times(struct frag_table *t, const struct frag_options *o)
{
	t->live[FRAG_AWAITING] = or_default(o->hold, 2 * second);
	t->live[FRAG_SEEN4] = or_default(o->timeout4, 30 * second);
	t->live[FRAG_SEEN6] = or_default(o->timeout6, 60 * second);
	for (unsigned list = 0; list < FRAG_LISTS; list++)
		t->oldest[list] = t->youngest[list] = FRAG_NONE;
}

static void link_free(struct frag_table *t, uint32_t datagrams, uint32_t held)
{
	for (uint32_t i = 0; i < datagrams; i++)
		t->datagrams[i].chain = i + 1 < datagrams ? i + 1 : FRAG_NONE;
	for (uint32_t i = 0; i < held; i++)
		t->held[i].next = i + 1 < held ? i + 1 : FRAG_NONE;
	for (uint32_t i = 0; i <= t->mask; i++)
		t->heads[i] = FRAG_NONE;
}

struct frag_table *frag_table_new(const struct frag_options *o)
{
	uint32_t held = RTE_MIN((uint32_t)or_default(o->held, HELD), (uint32_t)DATAGRAMS_MAX - 1);
	uint32_t datagrams = RTE_MIN((uint32_t)or_default(o->datagrams, DATAGRAMS), (uint32_t)DATAGRAMS_MAX);
	struct frag_table *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	datagrams = RTE_MAX(datagrams, held + 1);
	t->mask = rte_align32pow2(datagrams) - 1;
	t->datagrams = calloc(datagrams, sizeof(*t->datagrams));
	t->held = calloc(held, sizeof(*t->held));
	t->heads = calloc((size_t)t->mask + 1, sizeof(*t->heads));
	if (!t->datagrams || !t->held || !t->heads) {
		frag_table_free(t);
		return NULL;
	}
	t->seed = o->seed;
	t->held_bytes_max = or_default(o->held_bytes, HELD_BYTES);
	set_times(t, o);
	link_free(t, datagrams, held);
	return t;
}

void frag_table_free(struct frag_table *t)
{
	if (!t)
		return;
	free(t->datagrams);
	free(t->held);
	free(t->heads);
	free(t);
}

/* Multiply and fold: each step spreads a word over all bits. */
static uint64_t mix(uint64_t state, uint64_t word)
{
	__uint128_t product = (__uint128_t)(state ^ word) * UINT64_C(0x9fb21c651e98df25);

	return (uint64_t)product ^ (uint64_t)(product >> 64) ^ UINT64_C(0x2545f4914f6cdd1d);
}

uint32_t frag_hash(const struct frag_table *t, const struct frag_key *key)
{
	uint64_t words[sizeof(*key) / sizeof(uint64_t)], state = t->seed;

	static_assert(sizeof(*key) == sizeof(words), "no padding, whole words");
	memcpy(words, key, sizeof(words));
	for (unsigned i = 0; i < RTE_DIM(words); i++)
		state = mix(state, words[i]);
	return (uint32_t)(state ^ state >> 32);
}

static uint32_t index_of(const struct frag_table *t, const struct datagram *d)
{
	return (uint32_t)(d - t->datagrams);
}

struct datagram *frag_find(struct frag_table *t, const struct frag_key *key, uint32_t hash)
{
	for (uint32_t i = t->heads[hash & t->mask]; i != FRAG_NONE; i = t->datagrams[i].chain) {
		struct datagram *d = &t->datagrams[i];

		if (d->hash == hash && memcmp(&d->key, key, sizeof(*key)) == 0)
			return d;
	}
	return NULL;
}

static void unlist(struct frag_table *t, struct datagram *d)
{
	if (d->older == FRAG_NONE)
		t->oldest[d->list] = d->younger;
	else
		t->datagrams[d->older].younger = d->younger;
	if (d->younger == FRAG_NONE)
		t->youngest[d->list] = d->older;
	else
		t->datagrams[d->younger].older = d->older;
}

static void enlist(struct frag_table *t, struct datagram *d, enum frag_list list, uint64_t now)
{
	d->list = list;
	d->deadline = now + t->live[list];
	d->older = t->youngest[list];
	d->younger = FRAG_NONE;
	if (d->older == FRAG_NONE)
		t->oldest[list] = index_of(t, d);
	else
		t->datagrams[d->older].younger = index_of(t, d);
	t->youngest[list] = index_of(t, d);
}

void frag_move(struct frag_table *t, struct datagram *d, enum frag_list list, uint64_t now)
{
	unlist(t, d);
	enlist(t, d, list, now);
}

void frag_remove(struct frag_table *t, struct datagram *d)
{
	uint32_t *link = &t->heads[d->hash & t->mask];

	while (*link != index_of(t, d))
		link = &t->datagrams[*link].chain;
	*link = d->chain;
	unlist(t, d);
	d->chain = t->free_datagram;
	t->free_datagram = index_of(t, d);
	t->count--;
}

/* When it joined its list. */
static uint64_t joined(const struct frag_table *t, uint32_t i)
{
	return t->datagrams[i].deadline - t->live[t->datagrams[i].list];
}

/* Those that await their first hold a packet each, and there are more datagrams than packets can be held: so
 * when all are taken, one of the others exists. The oldest of them goes. */
static void evict(struct frag_table *t)
{
	uint32_t a = t->oldest[FRAG_SEEN4], b = t->oldest[FRAG_SEEN6];

	if (a == FRAG_NONE || (b != FRAG_NONE && joined(t, b) < joined(t, a)))
		a = b;
	frag_remove(t, &t->datagrams[a]);
}

struct datagram *frag_add(struct frag_table *t, const struct frag_key *key, uint32_t hash, uint64_t now)
{
	struct datagram *d;

	if (t->free_datagram == FRAG_NONE)
		evict(t);
	d = &t->datagrams[t->free_datagram];
	t->free_datagram = d->chain;
	memset(d, 0, offsetof(struct datagram, range));
	d->key = *key;
	d->hash = hash;
	d->held_first = d->held_last = FRAG_NONE;
	d->chain = t->heads[hash & t->mask];
	t->heads[hash & t->mask] = index_of(t, d);
	enlist(t, d, FRAG_AWAITING, now);
	t->count++;
	return d;
}

bool frag_keep(struct frag_table *t, struct datagram *d, struct rte_mbuf *m)
{
	uint32_t slot = t->free_held;

	if (slot == FRAG_NONE || t->held_bytes + m->pkt_len > t->held_bytes_max)
		return false;
	t->free_held = t->held[slot].next;
	t->held[slot] = (struct held){ m, FRAG_NONE };
	if (d->held_first == FRAG_NONE)
		d->held_first = slot;
	else
		t->held[d->held_last].next = slot;
	d->held_last = slot;
	t->held_count++;
	t->held_bytes += m->pkt_len;
	return true;
}

unsigned frag_release(struct frag_table *t, struct datagram *d, struct rte_mbuf **out)
{
	unsigned n = 0;

	while (d->held_first != FRAG_NONE) {
		uint32_t slot = d->held_first;

		d->held_first = t->held[slot].next;
		out[n] = t->held[slot].m;
		t->held_bytes -= out[n++]->pkt_len;
		t->held_count--;
		t->held[slot] = (struct held){ NULL, t->free_held };
		t->free_held = slot;
	}
	d->held_last = FRAG_NONE;
	return n;
}

/* Of the datagrams whose time is first over, by list; NULL: none known. */
static struct datagram *next_due(const struct frag_table *t)
{
	struct datagram *due = NULL;

	for (unsigned list = 0; list < FRAG_LISTS; list++) {
		uint32_t i = t->oldest[list];

		if (i != FRAG_NONE && (!due || t->datagrams[i].deadline < due->deadline))
			due = &t->datagrams[i];
	}
	return due;
}

unsigned frag_expire(struct frag_table *t, uint64_t now, unsigned budget, struct rte_mbuf **out)
{
	unsigned n = 0;

	while (n == 0 && budget--) {
		struct datagram *d = next_due(t);

		if (!d || d->deadline > now)
			break;
		n = frag_release(t, d, out);
		frag_remove(t, d);
	}
	return n;
}

unsigned frag_drain(struct frag_table *t, struct rte_mbuf **out)
{
	uint32_t i = t->oldest[FRAG_AWAITING];
	unsigned n;

	if (i == FRAG_NONE)
		return 0;
	n = frag_release(t, &t->datagrams[i], out);
	frag_remove(t, &t->datagrams[i]);
	return n;
}

unsigned frag_held(const struct frag_table *t)
{
	return t->held_count;
}

unsigned frag_datagrams(const struct frag_table *t)
{
	return t->count;
}
