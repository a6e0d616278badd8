/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools of addresses with their ports, from which functions take sources (NAT, the load balancer's full NAT). A pool is what it is named, its addresses
 * and its ports: if one of these changes it is another pool, and the sessions of the old one are closed as they are reviewed. It outlives the
 * configurations that name it for as long as sessions may hold its ports. Of IPv6 the addresses differ in their last word alone, which flow/ports.h takes
 * for an IPv4 address. Control side; workers read, and take and give back ports.
 */
#ifndef SLUICE_RUNTIME_SOURCE_POOL_H
#define SLUICE_RUNTIME_SOURCE_POOL_H

#include "flow/ports.h"
#include "runtime/nf.h"

enum { SOURCE_POOLS_MAX = 16, SOURCE_RANGES_MAX = 256 };

/* How this process comes by blocks of the reserve where another deals them. Workers; relaxed. */
struct source_dealing {
	struct {
		uint64_t answer; /* not looked at yet: block, and `from` in the upper half; 0: none */
		uint64_t ask_at; /* ns before which it is not asked again */
		uint32_t from;   /* worker 0's: what the dealer has told so far: ports_deal() */
	} bucket[PORTS_BUCKETS];
	uint64_t silent_since; /* worker 0's: when it was first asked without an answer; 0: it has answered */
	uint64_t greet_at;     /* worker 0's */
	uint32_t answers, seen; /* so many; of them, those that worker 0 knows of */
	uint32_t dealer;        /* life of the dealer that spoke last; 0: none */
	uint32_t told; /* worker 0's: life of the dealer that is being told what is given here, or was ... */
	uint32_t tell_from; /* ... from which block on it has to be told */
};

struct source_pool {
	char name[NF_NAME_MAX];
	struct ports *ports;
	struct ports_range ranges[SOURCE_RANGES_MAX];
	unsigned range_count;
	union ipaddr prefix; /* IPv6: the first three words */
	uint8_t family;
	uint32_t addresses;             /* in all ranges */
	uint16_t first_port, last_port; /* host order */
	unsigned snapshots;             /* configurations that name it; control side */
	uint8_t used;                   /* a worker has ever taken a port of it; relaxed */
	uint8_t claimed;                /* one was claimed since worker 0 looked last; relaxed */
	uint64_t grants_at;             /* worker 0's: ns before which no block of the reserve is granted */
	uint32_t identity;              /* of what it is: the same in every process */
	uint32_t life;                  /* of this process's knowledge of it */
	struct source_dealing dealing;  /* source_dealing.c */
};

/* A session from elsewhere takes its port again, as ports_claim(). The session's worker. */
bool source_pool_claim(struct source_pool *pool, unsigned bucket, enum ports_space space, uint32_t address,
                       uint16_t port);
/* Gives blocks of the reserve to buckets that run low, of those in `asked` that have ever allocated. While sessions come from elsewhere with ports of which nothing was known none is given: it might be the one that
 * the next of them has a port of. Where the function serves a hop, blocks are asked for: the process whose hop it is deals them, and so knows at any time
 * whose they are, which it needs for packets from outside, and while the function moves. From tick(), by worker 0 alone. */
void source_pool_grant(const struct nf *nf, struct source_pool *pool, const uint8_t *asked, uint64_t now);
/* nf_class.hear(), for the pools of a set. */
bool source_pools_hear(struct source_pool *const *pools, uint32_t set, const struct nf_message *message,
                       struct nf_message *answer, uint64_t now);
/* nf_class.recall() of a packet to this port. */
void source_pool_recall(const struct source_pool *pool, uint32_t address, uint16_t port, unsigned bucket);
/* nf_class.ahead() of a session with this port. */
bool source_pool_ahead(const struct source_pool *pool, uint32_t address, uint16_t port,
                       struct nf_message *message);

/* The pool in `pools` (by number: slots name them; SOURCE_POOLS_MAX of them) like this one, or a new one: its number; -1 with errors added. It counts as
 * named by one more configuration until source_pools_drop(). */
int source_pool_hold(struct nf *nf, struct source_pool **pools, const struct conf *item,
                     const struct source_pool *wanted, struct errors *errors);
/* A configuration names the pools of this set no more. One that none names is freed at once if no port of it was ever taken, else when its place is
 * needed and all have come back. */
void source_pools_drop(struct source_pool **pools, uint32_t set);
/* All of them, at the function's end. */
void source_pools_free(struct source_pool **pools);

#endif
