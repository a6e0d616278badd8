/* SPDX-License-Identifier: BSD-3-Clause */
/* See pool.h. */
#include "lb/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_hash_crc.h>

struct pool *pool_create(unsigned workers, uint64_t (*clock)(const void *), const void *clock_context)
{
	struct pool *pool = calloc(1, sizeof(*pool) + workers * sizeof(pool->worker[0]));

	if (!pool)
		return NULL;
	pool->clock = clock;
	pool->clock_context = clock_context;
	pthread_mutex_init(&pool->mutex, NULL);
	for (; pool->workers < workers; pool->workers++) {
		pool->worker[pool->workers] = calloc(1, sizeof(struct pool_worker));
		if (!pool->worker[pool->workers]) {
			pool_destroy(pool);
			return NULL;
		}
	}
	return pool;
}

void pool_destroy(struct pool *pool)
{
	if (!pool)
		return;
	for (unsigned i = 0; i < pool->workers; i++)
		free(pool->worker[i]);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}

uint32_t pool_sessions(const struct pool *pool, unsigned id)
{
	uint32_t sum = 0;

	for (unsigned w = 0; w < pool->workers; w++)
		sum += __atomic_load_n(&pool->worker[w]->sessions[id], __ATOMIC_RELAXED);
	return sum;
}

uint32_t pool_open_sessions(const struct pool *pool, unsigned id)
{
	uint32_t sum = 0;

	for (unsigned w = 0; w < pool->workers; w++)
		sum += __atomic_load_n(&pool->worker[w]->open[id], __ATOMIC_RELAXED);
	return sum;
}

uint32_t pool_service_sessions(const struct pool *pool, unsigned service)
{
	uint32_t sum = 0;

	for (unsigned w = 0; w < pool->workers; w++)
		sum += __atomic_load_n(&pool->worker[w]->services[service].sessions, __ATOMIC_RELAXED);
	return sum;
}

uint32_t pool_service_open_sessions(const struct pool *pool, unsigned service)
{
	uint32_t sum = 0;

	for (unsigned w = 0; w < pool->workers; w++)
		sum += __atomic_load_n(&pool->worker[w]->services[service].open, __ATOMIC_RELAXED);
	return sum;
}

static void add(uint32_t *count, uint32_t by)
{
	__atomic_store_n(count, *count + by, __ATOMIC_RELAXED);
}

static void add_open(struct pool *pool, unsigned worker, unsigned id, uint32_t by)
{
	struct pool_worker *w = pool->worker[worker];

	add(&w->open[id], by);
	add(&w->services[pool->backends[id].is.service].open, by);
}

static void add_session(struct pool *pool, unsigned worker, unsigned id, uint32_t by)
{
	struct pool_worker *w = pool->worker[worker];

	add(&w->sessions[id], by);
	add(&w->services[pool->backends[id].is.service].sessions, by);
}

void pool_join(struct pool *pool, unsigned worker, unsigned id)
{
	add_session(pool, worker, id, 1);
	add_open(pool, worker, id, 1);
}

void pool_over(struct pool *pool, unsigned worker, unsigned id)
{
	add_open(pool, worker, id, UINT32_MAX);
}

void pool_leave(struct pool *pool, unsigned worker, unsigned id, bool over)
{
	if (!over)
		add_open(pool, worker, id, UINT32_MAX);
	add_session(pool, worker, id, UINT32_MAX);
}

/* --- rates --- */

static uint64_t full_at(const struct pool *pool, unsigned rate)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < pool->workers; w++)
		sum += __atomic_load_n(&pool->worker[w]->spent[rate], __ATOMIC_RELAXED);
	return sum;
}

/* What a bucket lacks, ns; at most a token more of each worker than it holds. */
static uint64_t lacks(const struct pool *pool, const struct token_bucket *limit, uint64_t full, uint64_t now)
{
	uint64_t most = limit->depth + pool->workers * limit->interval;

	return full > now && full - now <= most ? full - now : 0;
}

bool pool_rate_has(const struct pool *pool, unsigned rate, const struct token_bucket *limit, uint64_t now)
{
	return lacks(pool, limit, full_at(pool, rate), now) <= limit->depth;
}

void pool_rate_take(struct pool *pool, unsigned worker, unsigned rate, const struct token_bucket *limit,
                    uint64_t now)
{
	uint64_t *spent = &pool->worker[worker]->spent[rate], full = full_at(pool, rate);

	__atomic_store_n(spent, *spent - full + now + lacks(pool, limit, full, now) + limit->interval,
	                 __ATOMIC_RELAXED);
}

/* --- services --- */

void pool_service_name(struct pool *pool, unsigned service, const char *name)
{
	pthread_mutex_lock(&pool->mutex);
	snprintf(pool->services[service].name, sizeof(pool->services[service].name), "%s", name);
	pthread_mutex_unlock(&pool->mutex);
}

/* In a place that no configuration and no session has, and so no worker. */
static void begin_service(struct pool *pool, unsigned service, const char *name)
{
	pool_service_name(pool, service, name);
	for (unsigned w = 0; w < pool->workers; w++)
		memset(&pool->worker[w]->services[service], 0, sizeof(pool->worker[w]->services[service]));
}

int pool_service_hold(struct pool *pool, const char *name, int renamed)
{
	int place = -1;

	for (int i = POOL_SERVICES_MAX - 1; i >= 0; i--) {
		if (strcmp(pool->services[i].name, name) == 0) {
			pool->services[i].snapshots++;
			return i;
		}
		if (!pool->services[i].snapshots && !pool_service_sessions(pool, (unsigned)i))
			place = i;
	}
	if (renamed < 0 && place >= 0)
		begin_service(pool, (unsigned)place, name);
	place = renamed >= 0 ? renamed : place;
	if (place >= 0)
		pool->services[place].snapshots++;
	return place;
}

void pool_service_read_name(struct pool *pool, unsigned service, char name[POOL_NAME])
{
	pthread_mutex_lock(&pool->mutex);
	memcpy(name, pool->services[service].name, POOL_NAME);
	pthread_mutex_unlock(&pool->mutex);
}

void pool_service_drop(struct pool *pool, unsigned service)
{
	pool->services[service].snapshots--;
}

/* --- backends --- */

static uint32_t *chain_of(struct pool *pool, const struct pool_identity *is)
{
	return &pool->chains[rte_hash_crc(is, sizeof(*is), 0) % POOL_BACKENDS_MAX];
}

unsigned pool_find(const struct pool *pool, const struct pool_identity *is)
{
	uint32_t at = *chain_of((struct pool *)(uintptr_t)pool, is);

	while (at && memcmp(&pool->backends[at - 1].is, is, sizeof(*is)) != 0)
		at = pool->backends[at - 1].next;
	return at ? at - 1 : POOL_NONE;
}

static void unchain(struct pool *pool, unsigned id)
{
	uint32_t *link = chain_of(pool, &pool->backends[id].is);

	while (*link && *link != id + 1)
		link = &pool->backends[*link - 1].next;
	if (*link)
		*link = pool->backends[id].next;
}

/* A number that nobody names and no session is on; POOL_NONE: there is none. */
static unsigned idle_number(const struct pool *pool)
{
	for (unsigned i = 0; i < POOL_BACKENDS_MAX; i++)
		if (!pool->backends[i].snapshots && !pool_sessions(pool, i))
			return i;
	return POOL_NONE;
}

static unsigned new_number(struct pool *pool, void (*settle)(void *), void *context)
{
	unsigned id;

	if (pool->top < POOL_BACKENDS_MAX)
		return pool->top++;
	id = idle_number(pool);
	if (id == POOL_NONE)
		return POOL_NONE;
	/* A worker may be in the middle of giving its last session back. */
	settle(context);
	unchain(pool, id);
	for (unsigned w = 0; w < pool->workers; w++)
		memset(&pool->worker[w]->backends[id], 0, sizeof(pool->worker[w]->backends[id]));
	return id;
}

int pool_hold(struct pool *pool, const struct pool_identity *is, bool checked, void (*settle)(void *),
              void *context)
{
	unsigned id = pool_find(pool, is);
	struct pool_backend *b;

	if (id == POOL_NONE) {
		id = new_number(pool, settle, context);
		if (id == POOL_NONE)
			return -1;
		b = &pool->backends[id];
		memset(b, 0, sizeof(*b));
		b->is = *is;
		b->checked = checked;
		snprintf(b->why, sizeof(b->why), "%s", checked ? "not checked yet" : "");
		b->next = *chain_of(pool, is);
		*chain_of(pool, is) = id + 1;
		pool->since[id] = 0;
		__atomic_store_n(&pool->state[id], checked ? 0 : POOL_UP, __ATOMIC_RELAXED);
	}
	pool->backends[id].snapshots++;
	return (int)id;
}

void pool_drop(struct pool *pool, unsigned id)
{
	pool->backends[id].snapshots--;
}

static void set_state(struct pool *pool, unsigned id, bool up)
{
	struct pool_backend *b = &pool->backends[id];
	bool was = pool_state_of(pool, id) & POOL_UP;
	uint32_t now = (uint32_t)(pool->clock(pool->clock_context) / 1000000);

	if (up && !was)
		__atomic_store_n(&pool->since[id], now ? now : 1, __ATOMIC_RELAXED);
	__atomic_store_n(&pool->state[id],
	                 up                    ? POOL_UP
	                 : b->reset_on_failure ? POOL_RESET
	                                       : 0,
	                 __ATOMIC_RELAXED);
}

void pool_backend_runs(struct pool *pool, unsigned id, bool checked, bool reset_on_failure)
{
	struct pool_backend *b = &pool->backends[id];
	bool up = pool_state_of(pool, id) & POOL_UP;

	pthread_mutex_lock(&pool->mutex);
	if (b->checked && !checked) {
		b->why[0] = '\0';
		up = true;
	} else if (!b->checked && checked) {
		snprintf(b->why, sizeof(b->why), "not checked yet"); /* and up until a check says else */
	}
	b->checked = checked;
	b->reset_on_failure = reset_on_failure;
	set_state(pool, id, up);
	pthread_mutex_unlock(&pool->mutex);
}

static uint64_t wall_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void pool_backend_state(struct pool *pool, uint32_t id, bool up, const char *why)
{
	struct pool_backend *b = &pool->backends[id];

	pthread_mutex_lock(&pool->mutex);
	if (b->checked) {
		snprintf(b->why, sizeof(b->why), "%s", why);
		b->turned_ns = wall_clock();
		b->turns++;
		set_state(pool, id, up);
	}
	pthread_mutex_unlock(&pool->mutex);
}

void pool_backend_begins(struct pool *pool, uint32_t id, bool up)
{
	struct pool_backend *b = &pool->backends[id];

	pthread_mutex_lock(&pool->mutex);
	if (b->checked) {
		snprintf(b->why, sizeof(b->why), "not checked yet");
		b->turned_ns = 0;
		set_state(pool, id, up);
		__atomic_store_n(&pool->since[id], 0, __ATOMIC_RELAXED); /* it does not come up just now */
	}
	pthread_mutex_unlock(&pool->mutex);
}

void pool_backend_found_down(struct pool *pool, uint32_t id, const char *why)
{
	struct pool_backend *b = &pool->backends[id];

	pthread_mutex_lock(&pool->mutex);
	if (b->checked) {
		snprintf(b->why, sizeof(b->why), "%s", why);
		b->turned_ns = wall_clock();
		set_state(pool, id, false);
	}
	pthread_mutex_unlock(&pool->mutex);
}
