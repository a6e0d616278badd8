/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Port blocks: see ports.h. Blocks are numbered across addresses first, so that the halves (static, reserve)
 * and the buckets each get their part of every address. The blocks of a bucket that have a free port in a
 * space form a ring; a block that is full leaves it, so an allocation never looks at more than a few blocks
 * and knows at once when nothing is left.
 */
#include "flow/ports_private.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "util/errors.h"
#include "util/pages.h"

enum { NEARBY = 8, MAX_ADDRESSES = 1 << 20 };

#define EVEN_BITS 0x5555555555555555ULL

static uint32_t range_size(const struct ports_range *range)
{
	return range->last - range->first + 1;
}

/* Number of an address within the pool, or the pool's size. */
static uint32_t address_number(const struct ports *pool, uint32_t address)
{
	uint32_t host = ntohl(address), before = 0;

	for (unsigned i = 0; i < pool->ranges; i++) {
		if (host - pool->range[i].first < range_size(&pool->range[i]))
			return before + host - pool->range[i].first;
		before += range_size(&pool->range[i]);
	}
	return pool->addresses;
}

static uint32_t address_at(const struct ports *pool, uint32_t number)
{
	unsigned i = 0;

	for (; number >= range_size(&pool->range[i]); i++)
		number -= range_size(&pool->range[i]);
	return htonl(pool->range[i].first + number);
}

uint32_t ports_block(const struct ports *pool, uint32_t address, uint16_t port)
{
	uint32_t number = address_number(pool, address), host = ntohs(port);

	if (number == pool->addresses || host < pool->first || host > pool->last)
		return NO_BLOCK;
	return (host - pool->first) / PORTS_BLOCK * pool->addresses + number;
}

static unsigned bit_of(const struct ports *pool, uint16_t port)
{
	return (ntohs(port) - pool->first) % PORTS_BLOCK;
}

static uint32_t first_port(const struct ports *pool, uint32_t number)
{
	return pool->first + number / pool->addresses * PORTS_BLOCK;
}

static void ring_insert(struct ports *pool, struct bucket *bucket, unsigned space, uint32_t number)
{
	struct block *b = &pool->block[number];
	uint32_t at = bucket->ring[space];

	if (at == NO_BLOCK) {
		b->next[space] = b->previous[space] = number;
		bucket->ring[space] = number;
		return;
	}
	b->next[space] = at;
	b->previous[space] = pool->block[at].previous[space];
	pool->block[b->previous[space]].next[space] = number;
	pool->block[at].previous[space] = number;
}

static void ring_remove(struct ports *pool, struct bucket *bucket, unsigned space, uint32_t number)
{
	struct block *b = &pool->block[number];

	if (b->next[space] == number) {
		bucket->ring[space] = NO_BLOCK;
		return;
	}
	pool->block[b->previous[space]].next[space] = b->next[space];
	pool->block[b->next[space]].previous[space] = b->previous[space];
	if (bucket->ring[space] == number)
		bucket->ring[space] = b->next[space];
}

void ports_join(struct ports *pool, unsigned bucket, uint32_t number)
{
	struct bucket *k = &pool->bucket[bucket];
	struct block *b = &pool->block[number];

	b->bucket = (int32_t)bucket;
	k->blocks++;
	for (unsigned space = 0; space < PORTS_SPACES; space++) {
		k->available[space] += (uint32_t)__builtin_popcountll(~b->used[space]);
		if (~b->used[space])
			ring_insert(pool, k, space, number);
	}
	k->generation = GENERATION_STALE; /* what is withheld in it is looked up at the next allocation */
}

void ports_settle(struct ports *pool, unsigned bucket, unsigned space, uint32_t number, uint64_t before)
{
	struct bucket *k = &pool->bucket[bucket];
	uint64_t now = ports_free_bits(pool, number, space);

	k->available[space] += (uint32_t)__builtin_popcountll(now);
	k->available[space] -= (uint32_t)__builtin_popcountll(before);
	if (now && !before)
		ring_insert(pool, k, space, number);
	else if (before && !now)
		ring_remove(pool, k, space, number);
}

void ports_weigh(struct bucket *k)
{
	bool low = false;

	for (unsigned space = 0; space < PORTS_SPACES; space++)
		low |= k->available[space] < PORTS_LOW_WATER;
	__atomic_store_n(&k->wants, low, __ATOMIC_RELAXED);
}

static bool ranges_valid(const struct ports_options *o, uint64_t *addresses, struct errors *errors)
{
	for (unsigned i = 0; i < o->count; i++) {
		uint32_t first = ntohl(o->ranges[i].first), last = ntohl(o->ranges[i].last);

		if (first > last) {
			errors_add(errors, NULL, "bad-range", NULL, 0,
			           "address range %u: its first address is above its last", i);
			return false;
		}
		for (unsigned j = 0; j < i; j++) {
			if (first <= ntohl(o->ranges[j].last) && last >= ntohl(o->ranges[j].first)) {
				errors_add(errors, NULL, "overlap", NULL, 0,
				           "address ranges %u and %u overlap", j, i);
				return false;
			}
		}
		*addresses += (uint64_t)last - first + 1;
	}
	if (*addresses >= 1 && *addresses <= MAX_ADDRESSES)
		return true;
	errors_add(errors, NULL, "out-of-range", NULL, 0, "a pool of %llu addresses: expected 1 to %d",
	           (unsigned long long)*addresses, MAX_ADDRESSES);
	return false;
}

/* Marks what lies beyond the last port in the last block of each address. */
static void trim_last_blocks(struct ports *pool)
{
	uint32_t past = pool->per_address * PORTS_BLOCK - (uint32_t)(pool->last - pool->first + 1);
	uint64_t mask = past ? ~0ULL << (PORTS_BLOCK - past) : 0;

	for (uint32_t a = 0; a < pool->addresses; a++)
		for (unsigned space = 0; space < PORTS_SPACES; space++)
			pool->block[(pool->per_address - 1) * pool->addresses + a].used[space] = mask;
}

static void deal(struct ports *pool)
{
	for (unsigned k = 0; k < PORTS_BUCKETS; k++) {
		pool->bucket[k].withheld = NO_BLOCK;
		for (unsigned space = 0; space < PORTS_SPACES; space++)
			pool->bucket[k].ring[space] = NO_BLOCK;
	}
	for (uint32_t b = 0; b < pool->blocks; b++) {
		pool->owner[b] = (uint8_t)b;
		pool->block[b].bucket = -1;
	}
	trim_last_blocks(pool);
	for (uint32_t b = 0; b < pool->dealt; b++)
		ports_join(pool, b % PORTS_BUCKETS, b);
	for (unsigned k = 0; k < PORTS_BUCKETS; k++) {
		pool->bucket[k].drawn = NO_BLOCK;
		ports_weigh(&pool->bucket[k]);
	}
}

static struct ports *allocate_pool(const struct ports_options *o, uint32_t blocks)
{
	struct ports *pool = aligned_alloc(64, sizeof(*pool));

	static_assert(sizeof(struct ports) % 64 == 0, "aligned_alloc wants whole lines");
	if (!pool)
		return NULL;
	memset(pool, 0, sizeof(*pool));
	pool->range = calloc(o->count, sizeof(*pool->range));
	pool->owner = calloc(blocks, 1);
	pool->state = calloc(blocks, 1);
	pool->block = pages_new(blocks * sizeof(*pool->block));
	pool->withheld = calloc(blocks, sizeof(*pool->withheld));
	if (pool->range && pool->owner && pool->state && pool->block && pool->withheld)
		return pool;
	ports_free(pool);
	return NULL;
}

struct ports *ports_new(const struct ports_options *options, struct errors *errors)
{
	uint32_t first = options->last ? options->first : 1024, last = options->last ? options->last : 65535;
	uint32_t per_address = (last - first + PORTS_BLOCK) / PORTS_BLOCK;
	uint64_t addresses = 0;
	struct ports *pool;

	static_assert(sizeof(struct block) == 64, "one cache line");
	if (first > last) {
		errors_add(errors, NULL, "bad-range", NULL, 0, "ports %u-%u: the first is above the last",
		           first, last);
		return NULL;
	}
	if (!ranges_valid(options, &addresses, errors))
		return NULL;
	pool = allocate_pool(options, per_address * (uint32_t)addresses);
	if (!pool) {
		errors_add(errors, NULL, "no-memory", NULL, 0, "no memory for a pool of %llu addresses",
		           (unsigned long long)addresses);
		return NULL;
	}
	pool->ranges = options->count;
	for (unsigned i = 0; i < options->count; i++)
		pool->range[i] = (struct ports_range){ ntohl(options->ranges[i].first),
			                               ntohl(options->ranges[i].last) };
	pool->addresses = (uint32_t)addresses;
	pool->per_address = per_address;
	pool->blocks = per_address * pool->addresses;
	pool->dealt = (pool->blocks + 1) / 2;
	pool->reserve_next = pool->dealt;
	pool->reserve_left = pool->blocks - pool->dealt;
	pool->first = (uint16_t)first;
	pool->last = (uint16_t)last;
	pool->generations = GENERATION_NONE;
	deal(pool);
	return pool;
}

void ports_free(struct ports *pool)
{
	if (!pool)
		return;
	free(pool->range);
	free(pool->owner);
	free(pool->state);
	free(pool->block);
	free(pool->withheld);
	free(pool);
}

int ports_owner(const struct ports *pool, uint32_t address, uint16_t port)
{
	uint32_t number = ports_block(pool, address, port);

	return number == NO_BLOCK ? -1 : __atomic_load_n(&pool->owner[number], __ATOMIC_RELAXED);
}

void ports_prefetch(const struct ports *pool, uint32_t address, uint16_t port)
{
	uint32_t number = ports_block(pool, address, port);

	if (number != NO_BLOCK)
		__builtin_prefetch(&pool->block[number], 1);
}

static void take(struct ports *pool, unsigned bucket, unsigned space, uint32_t number, unsigned bit)
{
	struct bucket *k = &pool->bucket[bucket];
	uint64_t before = ports_free_bits(pool, number, space);

	pool->block[number].used[space] |= 1ULL << bit;
	k->used[space]++;
	ports_settle(pool, bucket, space, number, before);
	ports_weigh(k);
}

/* A free bit from `start` on, going round. */
static unsigned free_bit(uint64_t free, unsigned start)
{
	uint64_t turned = start ? free >> start | free << (PORTS_BLOCK - start) : free;

	return ((unsigned)__builtin_ctzll(turned) + start) % PORTS_BLOCK;
}

/* The preferred port itself, on the preferred address. */
static bool preserve(struct ports *pool, unsigned bucket, const struct ports_request *r, uint32_t address,
                     uint32_t *number, unsigned *bit)
{
	*number = ports_block(pool, address, r->preferred);
	if (*number == NO_BLOCK || !ports_holds(pool, bucket, *number))
		return false;
	*bit = bit_of(pool, r->preferred);
	return ports_free_bits(pool, *number, r->space) >> *bit & 1;
}

/* The same on some addresses from a random one on, where any will do. */
static bool preserve_anywhere(struct ports *pool, unsigned bucket, const struct ports_request *r,
                              uint32_t *number, unsigned *bit)
{
	uint32_t tries = pool->addresses < NEARBY ? pool->addresses : NEARBY;

	for (uint32_t i = 0; i < tries; i++)
		if (preserve(pool, bucket, r, address_at(pool, (r->seed + i) % pool->addresses), number, bit))
			return true;
	return false;
}

/* What a block offers to a request: its free ports, of the wanted parity if that is asked for. */
static uint64_t offer(const struct ports *pool, const struct ports_request *r, uint32_t number)
{
	uint64_t free = ports_free_bits(pool, number, r->space);
	unsigned odd = (ntohs(r->preferred) ^ first_port(pool, number)) & 1;

	return r->flags & PORTS_PARITY ? free & (EVEN_BITS << odd) : free;
}

/* How well a block suits: the wanted address weighs more than parity; 3 is everything that was asked for. */
static unsigned suits(const struct ports *pool, const struct ports_request *r, uint32_t number,
                      uint32_t wanted)
{
	bool address = !(r->flags & PORTS_ADDRESS) || number % pool->addresses == wanted;

	return 2U * address + (offer(pool, r, number) != 0);
}

/* The best of the blocks nearby on the ring. */
static uint32_t choose(struct ports *pool, struct bucket *k, const struct ports_request *r)
{
	uint32_t at = k->ring[r->space], best = at, wanted = address_number(pool, r->address);
	unsigned mark = suits(pool, r, at, wanted);

	for (unsigned hops = r->seed >> 6 & 3; hops; hops--)
		at = pool->block[at].next[r->space];
	for (unsigned tries = 0; mark < 3 && tries < NEARBY; tries++) {
		unsigned other = suits(pool, r, at, wanted);

		if (other > mark) {
			mark = other;
			best = at;
		}
		at = pool->block[at].next[r->space];
	}
	k->ring[r->space] = pool->block[best].next[r->space];
	return best;
}

/* A block of the bucket's static share by the seed, on the wanted address if one is nearby: the same for the same request, whatever else was allocated
 * and in what order, and one line of memory. */
static uint32_t draw(const struct ports *pool, unsigned bucket, const struct ports_request *r)
{
	uint32_t share = (pool->dealt + PORTS_BUCKETS - 1 - bucket) / PORTS_BUCKETS, wanted, first;

	if (!share)
		return NO_BLOCK;
	first = r->seed / PORTS_BLOCK % share;
	wanted = address_number(pool, r->address);
	/* The blocks of a bucket are all on one address where the number of addresses divides that of buckets. */
	for (uint32_t i = 0; r->flags & PORTS_ADDRESS && PORTS_BUCKETS % pool->addresses && i < NEARBY; i++) {
		uint32_t number = bucket + (first + i) % share * PORTS_BUCKETS;

		if (number % pool->addresses == wanted)
			return number;
	}
	return bucket + first * PORTS_BUCKETS;
}

static void choose_port(struct ports *pool, unsigned bucket, const struct ports_request *r, uint32_t *number,
                        unsigned *bit)
{
	uint64_t free;

	*number = draw(pool, bucket, r);
	if (*number == NO_BLOCK || !offer(pool, r, *number))
		*number = choose(pool, &pool->bucket[bucket], r);
	free = offer(pool, r, *number);
	if (!free)
		free = ports_free_bits(pool, *number, r->space);
	*bit = free_bit(free, r->seed % PORTS_BLOCK);
}

bool ports_allocate(struct ports *pool, unsigned bucket, const struct ports_request *request,
                    uint32_t *address, uint16_t *port)
{
	struct bucket *k = &pool->bucket[bucket];
	uint32_t number = NO_BLOCK;
	unsigned bit = 0;
	bool found = false;

	ports_adopt(pool, bucket);
	ports_withhold(pool, bucket, request->withheld);
	if (request->flags & PORTS_PRESERVE)
		found = request->flags & PORTS_ADDRESS
		                ? preserve(pool, bucket, request, request->address, &number, &bit)
		                : preserve_anywhere(pool, bucket, request, &number, &bit);
	if (!found) {
		if (k->ring[request->space] == NO_BLOCK)
			return false;
		choose_port(pool, bucket, request, &number, &bit);
	}
	take(pool, bucket, request->space, number, bit);
	*address = address_at(pool, number % pool->addresses);
	*port = htons((uint16_t)(first_port(pool, number) + bit));
	return true;
}

bool ports_release(struct ports *pool, unsigned bucket, enum ports_space space, uint32_t address,
                   uint16_t port)
{
	uint32_t number = ports_block(pool, address, port);
	struct bucket *k = &pool->bucket[bucket];
	uint64_t bit, before;

	if (number == NO_BLOCK || !ports_holds(pool, bucket, number))
		return false;
	bit = 1ULL << bit_of(pool, port);
	if (!(pool->block[number].used[space] & bit))
		return false;
	before = ports_free_bits(pool, number, space);
	pool->block[number].used[space] &= ~bit;
	k->used[space]--;
	ports_settle(pool, bucket, space, number, before);
	ports_weigh(k);
	return true;
}

bool ports_claim(struct ports *pool, unsigned bucket, enum ports_space space, uint32_t address, uint16_t port)
{
	uint32_t number = ports_block(pool, address, port);

	if (number == NO_BLOCK)
		return false;
	ports_adopt(pool, bucket);
	if (ports_take(pool, bucket, number)) {
		ports_join(pool, bucket, number);
		ports_weigh(&pool->bucket[bucket]);
	}
	if (!ports_holds(pool, bucket, number) || pool->block[number].used[space] >> bit_of(pool, port) & 1)
		return false;
	take(pool, bucket, space, number, bit_of(pool, port));
	return true;
}

void ports_stats(const struct ports *pool, unsigned bucket, struct ports_stats *stats)
{
	const struct bucket *k = &pool->bucket[bucket];

	*stats = (struct ports_stats){
		.blocks = pool->blocks,
		.undealt = pool->blocks - pool->dealt,
		.reserve = __atomic_load_n(&pool->reserve_left, __ATOMIC_RELAXED),
		.bucket_blocks = __atomic_load_n(&k->blocks, __ATOMIC_RELAXED),
	};
	for (unsigned space = 0; space < PORTS_SPACES; space++) {
		stats->used[space] = __atomic_load_n(&k->used[space], __ATOMIC_RELAXED);
		stats->available[space] = __atomic_load_n(&k->available[space], __ATOMIC_RELAXED);
	}
}
