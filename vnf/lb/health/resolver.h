/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Names of backends, looked up again and again: each name's addresses are told when they change. A thread of its own, in the process's network
 * namespace (names are asked of the management network's servers, not through the datapath). Answers are kept for their TTL, bounded; when
 * a look-up fails the last answer stands, and the name is asked for again after the minimum TTL. A name that does not exist any more is a failure, too:
 * a mistake in a zone must not take a service away.
 */
#ifndef SLUICE_VNF_LB_RESOLVER_H
#define SLUICE_VNF_LB_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "util/errors.h"
#include "util/net.h"

enum { RESOLVER_ADDRESSES_MAX = 64, RESOLVER_NAMES_MAX = 1024, RESOLVER_WHY = 160 };

enum resolver_family { RESOLVER_ANY, RESOLVER_V4 = 4, RESOLVER_V6 = 6 };

struct resolver_name {
	uint32_t id;      /* the caller's; stable */
	const char *name; /* copied */
	uint8_t family;   /* enum resolver_family */
};

struct resolver_options {
	const char *servers;       /* "192.0.2.53,[2001:db8::53]:5353"; NULL or empty: those of the system */
	uint32_t ttl_min, ttl_max; /* s */
};

/* A name's addresses, sorted, n >= 1: when they are first known and when they change. Resolver's thread, without a lock of this module. It must not wait for
 * a thread that is in resolver_stop(). */
typedef void resolver_changed_fn(void *context, uint32_t id, const struct ip_addr *addresses, unsigned n);

struct resolver;

/* NULL with errors added. The thread starts here. */
struct resolver *resolver_start(const struct resolver_options *options, resolver_changed_fn *changed,
                                void *context, struct errors *errors);
/* The names from now on; those that were there keep what is known of them. -1 with errors added: too many. Control thread. */
int resolver_set(struct resolver *r, const struct resolver_name *names, unsigned n, struct errors *errors);
/* Waits until each name has been looked up once, well or not, for at most so many ms. Control thread. */
void resolver_wait(struct resolver *r, uint32_t ms);
void resolver_stop(struct resolver *r);

/* One name for REST. */
struct resolver_view {
	struct ip_addr addresses[RESOLVER_ADDRESSES_MAX];
	unsigned count;
	char why[RESOLVER_WHY];         /* of the last look-up that failed; empty: the last went well */
	uint64_t asked_ns, answered_ns; /* CLOCK_REALTIME; 0: never */
	uint32_t ttl;                   /* s, of the last answer, bounded */
	uint64_t lookups, failures;
};
/* False: no such name. */
bool resolver_show(struct resolver *r, uint32_t id, struct resolver_view *view);

#endif
