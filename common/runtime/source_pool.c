/* SPDX-License-Identifier: BSD-3-Clause */
/* Which pools of sources there are, and which configurations name them. See source_pool.h. Control side. */
#include "runtime/source_pool.h"

#include <stdlib.h>
#include <string.h>

#include <rte_hash_crc.h>
#include <rte_random.h>

static bool same_pool(const struct source_pool *a, const struct source_pool *b)
{
	return strcmp(a->name, b->name) == 0 && a->family == b->family && a->range_count == b->range_count &&
	       a->first_port == b->first_port && a->last_port == b->last_port &&
	       memcmp(&a->prefix, &b->prefix, sizeof(a->prefix)) == 0 &&
	       memcmp(a->ranges, b->ranges, a->range_count * sizeof(*a->ranges)) == 0;
}

static void free_pool(struct source_pool **pools, unsigned number)
{
	if (!pools[number])
		return;
	ports_free(pools[number]->ports);
	free(pools[number]);
	pools[number] = NULL;
}

static bool drained(const struct source_pool *pool)
{
	struct ports_stats stats;

	for (unsigned bucket = 0; bucket < PORTS_BUCKETS; bucket++) {
		ports_stats(pool->ports, bucket, &stats);
		for (unsigned space = 0; space < PORTS_SPACES; space++)
			if (stats.used[space])
				return false;
	}
	return true;
}

/* Frees pools that nobody names and whose ports are all back. Nobody takes one of such a pool, but a worker may be in the middle of giving
 * the last one back: it is not, any more, when it has been between two turns since. */
static void free_drained(struct nf *nf, struct source_pool **pools)
{
	uint32_t found = 0;

	for (unsigned i = 0; i < SOURCE_POOLS_MAX; i++)
		if (pools[i] && !pools[i]->snapshots && drained(pools[i]))
			found |= 1u << i;
	if (found)
		nf_settle(nf);
	for (unsigned i = 0; i < SOURCE_POOLS_MAX; i++)
		if (found >> i & 1)
			free_pool(pools, i);
}

static int free_place(struct source_pool *const *pools)
{
	for (int i = 0; i < SOURCE_POOLS_MAX; i++)
		if (!pools[i])
			return i;
	return -1;
}

static uint32_t identity_of(const struct source_pool *pool)
{
	uint32_t hash = rte_hash_crc(pool->name, (uint32_t)strlen(pool->name), pool->family);

	hash = rte_hash_crc(&pool->prefix, sizeof(pool->prefix), hash);
	hash = rte_hash_crc(pool->ranges, pool->range_count * (uint32_t)sizeof(*pool->ranges), hash);
	return rte_hash_crc_4byte((uint32_t)pool->first_port << 16 | pool->last_port, hash);
}

static int new_pool(struct source_pool **pools, int at, const struct conf *item,
                    const struct source_pool *wanted, struct errors *errors)
{
	struct ports_options options = { wanted->ranges, wanted->range_count, wanted->first_port,
		                         wanted->last_port };
	struct source_pool *pool = malloc(sizeof(*pool));

	if (!pool) {
		conf_error(errors, item, "no-memory", "not enough memory for the pool");
		return -1;
	}
	*pool = *wanted;
	pool->snapshots = 1;
	pool->identity = identity_of(wanted);
	pool->life = (uint32_t)rte_rand() | 1;
	pool->ports = ports_new(&options, errors);
	if (pool->ports) {
		pools[at] = pool;
		return at;
	}
	free(pool);
	return -1;
}

int source_pool_hold(struct nf *nf, struct source_pool **pools, const struct conf *item,
                     const struct source_pool *wanted, struct errors *errors)
{
	int at;

	for (int i = 0; i < SOURCE_POOLS_MAX; i++) {
		if (pools[i] && same_pool(pools[i], wanted)) {
			pools[i]->snapshots++;
			return i;
		}
	}
	at = free_place(pools);
	if (at < 0) {
		free_drained(nf, pools);
		at = free_place(pools);
	}
	if (at >= 0)
		return new_pool(pools, at, item, wanted, errors);
	conf_error(errors, item, "too-many-pools",
	           "%d pools are configured or still have sessions; try again when those of old pools have "
	           "ended",
	           SOURCE_POOLS_MAX);
	return -1;
}

void source_pools_drop(struct source_pool **pools, uint32_t set)
{
	for (unsigned i = 0; i < SOURCE_POOLS_MAX; i++)
		if (set >> i & 1 && --pools[i]->snapshots == 0 &&
		    !__atomic_load_n(&pools[i]->used, __ATOMIC_RELAXED))
			free_pool(pools, i);
}

void source_pools_free(struct source_pool **pools)
{
	for (unsigned i = 0; i < SOURCE_POOLS_MAX; i++)
		free_pool(pools, i);
}

bool source_pool_claim(struct source_pool *pool, unsigned bucket, enum ports_space space, uint32_t address,
                       uint16_t port)
{
	__atomic_store_n(&pool->used, 1, __ATOMIC_RELAXED);
	if (ports_undealt(pool->ports, address, port))
		__atomic_store_n(&pool->claimed, 1, __ATOMIC_RELAXED);
	return ports_claim(pool->ports, bucket, space, address, port);
}
