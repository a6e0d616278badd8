/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Live pools: which are there, which configurations name them. A pool is what it is named, its addresses and its ports: if one of these
 * changes it is another pool, and the sessions of the old one are closed as they are reviewed. A pool that no configuration names is freed at
 * once if no port of it was ever taken, else when its place is needed and all have come back. Control side.
 */
#include <stdlib.h>
#include <string.h>

#include "nat/nat.h"

static bool same_pool(const struct nat_pool *a, const struct nat_pool *b)
{
	return strcmp(a->name, b->name) == 0 && a->range_count == b->range_count &&
	       a->first_port == b->first_port && a->last_port == b->last_port &&
	       memcmp(a->ranges, b->ranges, a->range_count * sizeof(*a->ranges)) == 0;
}

void nat_pool_free(struct nat_live *live, unsigned number)
{
	if (!live->pools[number])
		return;
	ports_free(live->pools[number]->ports);
	free(live->pools[number]);
	live->pools[number] = NULL;
}

static bool drained(const struct nat_pool *pool)
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

static void between_turns(const struct nf *nf, unsigned worker_id, uint64_t now, void *argument)
{
	(void)nf;
	(void)worker_id;
	(void)now;
	(void)argument;
}

/* Frees pools that nobody names and whose ports are all back. Nobody takes one of such a pool, but a worker may be in the middle of giving
 * the last one back: it is not, any more, when it has been between two turns since. */
static void free_drained(struct nf *nf, struct nat_live *live)
{
	uint32_t found = 0;

	for (unsigned i = 0; i < NAT_POOLS_MAX; i++)
		if (live->pools[i] && !live->pools[i]->snapshots && drained(live->pools[i]))
			found |= 1u << i;
	if (found)
		nf_on_workers(nf, between_turns, NULL);
	for (unsigned i = 0; i < NAT_POOLS_MAX; i++)
		if (found >> i & 1)
			nat_pool_free(live, i);
}

static int free_place(const struct nat_live *live)
{
	for (int i = 0; i < NAT_POOLS_MAX; i++)
		if (!live->pools[i])
			return i;
	return -1;
}

static int new_pool(struct nat_live *live, int at, const struct conf *item, const struct nat_pool *wanted,
                    struct errors *errors)
{
	struct ports_options options = { wanted->ranges, wanted->range_count, wanted->first_port,
		                         wanted->last_port };
	struct nat_pool *pool = malloc(sizeof(*pool));

	if (!pool) {
		conf_error(errors, item, "no-memory", "not enough memory for the pool");
		return -1;
	}
	*pool = *wanted;
	pool->snapshots = 1;
	pool->ports = ports_new(&options, errors);
	if (pool->ports) {
		live->pools[at] = pool;
		return at;
	}
	free(pool);
	return -1;
}

int nat_pool_hold(struct nf *nf, const struct conf *item, const struct nat_pool *wanted,
                  struct errors *errors)
{
	struct nat_live *live = nf->live;
	int at;

	for (int i = 0; i < NAT_POOLS_MAX; i++) {
		if (live->pools[i] && same_pool(live->pools[i], wanted)) {
			live->pools[i]->snapshots++;
			return i;
		}
	}
	at = free_place(live);
	if (at < 0) {
		free_drained(nf, live);
		at = free_place(live);
	}
	if (at >= 0)
		return new_pool(live, at, item, wanted, errors);
	conf_error(errors, item, "too-many-pools",
	           "%d pools are configured or still have sessions; try again when those of old pools have "
	           "ended",
	           NAT_POOLS_MAX);
	return -1;
}

void nat_pools_drop(struct nat_live *live, uint32_t pools)
{
	for (unsigned i = 0; i < NAT_POOLS_MAX; i++)
		if (pools >> i & 1 && --live->pools[i]->snapshots == 0 &&
		    !__atomic_load_n(&live->pools[i]->used, __ATOMIC_RELAXED))
			nat_pool_free(live, i);
}
