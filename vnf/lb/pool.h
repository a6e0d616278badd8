/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Services and backends as live state: what outlives configurations. Each has a number that it keeps for as long as a configuration names it or a
 * session is on it; sessions hold the number, configurations find it again by what the service and the backend are.
 *
 * Who writes what: places (identities) the control side alone, before a number is given to anybody. The state word of a backend is written by control
 * threads (pool_backend_state, under a mutex) and read by workers, relaxed, one byte each packet and one word more for each new session. So a
 * backend that turns needs no new snapshot and no grace period: schedulers step over it, and whatever else they would choose stays as it was,
 * which is what moves the failed backend's flows alone. Counts belong to one worker each (struct pool_worker), others read them relaxed.
 */
#ifndef SLUICE_VNF_LB_POOL_H
#define SLUICE_VNF_LB_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "packet/rate.h"
#include "packet/tuple.h"
#include "util/errors.h"

enum {
	POOL_SERVICES_MAX = 1024,
	POOL_BACKENDS_MAX = 16384,
	POOL_WHY = 160,
	POOL_NAME = 64,
	POOL_NONE = 0xffff,
};

enum pool_state {
	POOL_UP = 1 << 0,    /* takes new sessions, as far as configuration and limits allow */
	POOL_RESET = 1 << 1, /* down, and its sessions are to end */
};

/* What a backend is: the address and port at which a service's sessions reach it. Zeroed before it is filled in. */
struct pool_identity {
	union ipaddr vip, address;
	uint16_t service; /* number of the service */
	uint16_t port;    /* network order; 0: the one that the client asked for */
	uint8_t family, spare[3];
};

struct pool_backend {
	struct pool_identity is;
	unsigned snapshots; /* configurations that name it; control side */
	uint32_t next;      /* in its chain, + 1 */
	bool reset_on_failure;
	bool checked;       /* by health checks: its state is theirs */
	uint64_t turned_ns; /* CLOCK_REALTIME; 0: never */
	uint64_t turns;
	char why[POOL_WHY]; /* of its state, as health says it; under the mutex */
};

struct pool_service {
	char name[POOL_NAME]; /* written by the control side, under the mutex */
	unsigned snapshots;   /* control side; 0: free */
};

/* One worker's counts of a backend. */
struct pool_use {
	int32_t credit;  /* of weighted round robin */
	uint64_t opened; /* sessions, ever */
	uint64_t packets[2], bytes[2];
};

struct pool_service_use {
	uint32_t turn; /* of round robin */
	uint32_t sessions, open;
	uint64_t opened, refused;
};

/* What others add up for each new session lies close together: where all backends are compared, 16 of them are one cache line of each worker. */
struct pool_worker {
	uint32_t open[POOL_BACKENDS_MAX]; /* sessions that are not over */
	uint32_t sessions[POOL_BACKENDS_MAX];
	uint64_t spent[POOL_SERVICES_MAX + POOL_BACKENDS_MAX]; /* of rates: pool_rate_has() */
	struct pool_service_use services[POOL_SERVICES_MAX];
	struct pool_use backends[POOL_BACKENDS_MAX];
};

struct pool {
	uint8_t state[POOL_BACKENDS_MAX]; /* enum pool_state; relaxed */
	uint32_t since
	        [POOL_BACKENDS_MAX]; /* when it came up, ms of the engine's clock, never 0; 0: has long been up; relaxed */
	struct pool_backend backends[POOL_BACKENDS_MAX];
	struct pool_service services[POOL_SERVICES_MAX];
	uint32_t chains[POOL_BACKENDS_MAX]; /* by hash of the identity; index + 1 */
	unsigned top;                       /* numbers ever given; control side */
	pthread_mutex_t mutex;              /* of states and whys */
	uint64_t (*clock)(const void *);    /* the engine's, ns */
	const void *clock_context;
	unsigned workers;
	struct pool_worker *worker[];
};

/* NULL: no memory. */
struct pool *pool_create(unsigned workers, uint64_t (*clock)(const void *), const void *clock_context);
void pool_destroy(struct pool *pool);

/* The number of a service by name, or if that is not known `renamed` (-1: none), or a new one; -1: all are taken. Counts as named until
 * pool_service_drop(). Control side. */
int pool_service_hold(struct pool *pool, const char *name, int renamed);
void pool_service_drop(struct pool *pool, unsigned service);
/* Its name from now on. Control side. */
void pool_service_name(struct pool *pool, unsigned service, const char *name);
/* Reads it. Any control thread. */
void pool_service_read_name(struct pool *pool, unsigned service, char name[POOL_NAME]);

/* The same for a backend. A new one is up unless it is `checked`, then it waits for its first check. `settle` is called before numbers of old ones are
 * given away again: it must wait until every worker has been between two turns. */
int pool_hold(struct pool *pool, const struct pool_identity *is, bool checked, void (*settle)(void *),
              void *context);
void pool_drop(struct pool *pool, unsigned id);
/* Number of a backend that is there, or POOL_NONE. Control side, or a worker that adopts while nobody holds or frees numbers. */
unsigned pool_find(const struct pool *pool, const struct pool_identity *is);

/* A configuration runs in which the backend is checked or not, and its sessions end or stay when it fails. Control side. */
void pool_backend_runs(struct pool *pool, unsigned id, bool checked, bool reset_on_failure);
/* A checked backend is up or not until its first check. Control side. */
void pool_backend_begins(struct pool *pool, uint32_t id, bool up);
/* A checked backend is down, as a predecessor knew. Control side. */
void pool_backend_found_down(struct pool *pool, uint32_t id, const char *why);
/* A checked backend turned. Any control thread. */
void pool_backend_state(struct pool *pool, uint32_t id, bool up, const char *why);

static inline unsigned pool_state_of(const struct pool *pool, unsigned id)
{
	return __atomic_load_n(&pool->state[id], __ATOMIC_RELAXED);
}

/* Sessions on a backend, or on a service, over all workers: exact but for those that open or close at this moment. Any thread. */
uint32_t pool_sessions(const struct pool *pool, unsigned id);
uint32_t pool_service_sessions(const struct pool *pool, unsigned service);
/* The same without those that are over and only kept for stragglers: what limits and least connections go by. */
uint32_t pool_open_sessions(const struct pool *pool, unsigned id);
uint32_t pool_service_open_sessions(const struct pool *pool, unsigned service);

/* Rates of new sessions are of all workers together. A bucket is kept as the time at which it will be full again (packet/rate.h); here that time is the sum of what
 * the workers have spent, each in its own word: no worker waits for another or writes what another does, and however flows are spread, so much is let through as the
 * rate says; of those that ask at the same moment a few more. A sum that no workers can have come to (the rate was another a while ago) counts as a full bucket. */
static inline unsigned pool_rate_of_service(unsigned service)
{
	return service;
}

static inline unsigned pool_rate_of_backend(unsigned id)
{
	return POOL_SERVICES_MAX + id;
}

/* Whether there is a token; takes none. Worker; now: ns. */
bool pool_rate_has(const struct pool *pool, unsigned rate, const struct token_bucket *limit, uint64_t now);
/* Takes one that there is. */
void pool_rate_take(struct pool *pool, unsigned worker, unsigned rate, const struct token_bucket *limit,
                    uint64_t now);

/* A session joined; is over, which is said once; left. Its worker. */
void pool_join(struct pool *pool, unsigned worker, unsigned id);
void pool_over(struct pool *pool, unsigned worker, unsigned id);
void pool_leave(struct pool *pool, unsigned worker, unsigned id, bool over);

#endif
