/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health checks of a load balancer's backends: TCP, HTTP(S), UDP, ICMP echo and DNS, with kernel sockets, from an address of the function,
 * through its own datapath.
 *
 * One thread, the checker, owns all probes. It lives in a network namespace of its own, where a TUN device (no link layer, hence no ARP and no
 * ND) is the only way out: nothing of the host's interfaces and routes is touched or seen, and addresses may overlap with the host's. What the
 * kernel sends by that device reaches a worker through a ring (health_tick), and goes on from the function's position as a new packet in the
 * function's zone; what comes back is taken by the function (health_take) and reaches the device through another ring. A worker neither asks
 * the kernel for anything nor waits.
 *
 * Life: health_start() makes the object alone; the thread and the device come with the first targets. Control threads call start, sources, set,
 * show, stop; one at a time each. A target that is set again with the same id, address, port and check keeps its state.
 */
#ifndef SLUICE_VNF_LB_HEALTH_H
#define SLUICE_VNF_LB_HEALTH_H

#include <stdbool.h>
#include <stdint.h>

#include "config/schema.h"
#include "util/net.h"

enum { HEALTH_TARGETS_MAX = 65536, HEALTH_BYTES_MAX = 256, HEALTH_WHY = 160, HEALTH_STATUS_RANGES = 8 };

enum health_kind { HEALTH_TCP, HEALTH_HTTP, HEALTH_HTTPS, HEALTH_UDP, HEALTH_ICMP, HEALTH_DNS };

struct health_range {
	uint16_t first, last;
};

/* What a target of which nothing is known counts as. */
enum health_initial { HEALTH_INITIAL_AUTO, HEALTH_INITIAL_UP, HEALTH_INITIAL_DOWN };

/* One check as configured. No pointers: may be copied and compared (zero it before it is filled in). */
struct health_check {
	uint8_t kind; /* enum health_kind */
	bool verify;  /* HTTPS: the certificate must be right for `host` */
	bool damped;
	uint8_t initial; /* enum health_initial; the caller's */
	uint8_t status_count;
	uint8_t rcode;              /* DNS: what the answer's code must be */
	uint16_t port;              /* 0: the target's */
	uint16_t type;              /* DNS: of the record */
	uint16_t send_length;       /* UDP */
	uint16_t expect_length;     /* UDP: 0: any answer, or none, is well */
	uint32_t interval, timeout; /* ms; the interval is jittered by 10 % */
	uint32_t rise, fall;        /* checks in a row that turn the state */
	uint32_t half_life;         /* ms: of the penalty for flapping */
	struct ip_addr answer;      /* DNS: an address that must be in the answer; family 0: any */
	struct health_range status[HEALTH_STATUS_RANGES]; /* HTTP */
	char host[256];                                   /* HTTP: Host and SNI; empty: the address */
	char path[512];                                   /* HTTP: with the query */
	char body[HEALTH_BYTES_MAX]; /* HTTP: what must be in the first 64 KB of the body; empty: anything */
	char ca[256];                /* HTTPS: PEM file of authorities; empty: the system's */
	char name[256];              /* DNS: what is asked for */
	uint8_t send[HEALTH_BYTES_MAX], expect[HEALTH_BYTES_MAX]; /* UDP; the answer begins with `expect` */
};

struct health_target {
	uint32_t id; /* the caller's; stable */
	struct ip_addr address;
	uint16_t port; /* host order */
	const struct health_check *check;
	bool assumed; /* a new one: the caller takes it for up until `fall` checks have failed, not until the first */
};

enum health_state { HEALTH_UNKNOWN, HEALTH_UP, HEALTH_DOWN };

/* A target turned: also from unknown, by its first check. Checker thread, without any lock of this module: it may call health_show(). It must not wait
 * for a thread that is in health_stop(). why: "HTTP 503, 200 expected". Ids that health_set() has taken away may still be told for a moment. */
typedef void health_changed_fn(void *context, uint32_t id, bool up, const char *why);

struct health_options {
	void (*told)(
	        void *context); /* after changes were told, once for all that turned together; as above; may be NULL */
	const char *name; /* of the function: names the thread */
	unsigned
	        workers; /* of the engine, nf->workers; 0: no datapath, sockets of the process's own namespace (tests) */
	uint32_t seed; /* of the jitter */
};

struct health;

/* NULL with an error added: not enough memory. */
struct health *health_start(const struct health_options *options, health_changed_fn *changed, void *context,
                            struct errors *errors);

/* Where checks come from: addresses that the function claims; family 0: none, and targets of that family are refused. */
int health_sources(struct health *h, const struct ip_addr *source4, const struct ip_addr *source6,
                   struct errors *errors);

/* The targets from now on, with checks of their own copied: 0, or -1 with errors added and nothing changed (no source of a target's family; the
 * network namespace or the device cannot be made, with what it takes). n = 0: all checks end. */
int health_set(struct health *h, const struct health_target *targets, unsigned n, struct errors *errors);

/* One target for REST. */
struct health_view {
	uint8_t state;        /* enum health_state */
	bool held;            /* up again, but held down because it flaps */
	char why[HEALTH_WHY]; /* of the last check: "connected", "HTTP 503, 200 expected", "no answer within 2 s" */
	uint64_t checked_ns; /* when it last ended, CLOCK_REALTIME; 0: never */
	uint64_t changed_ns; /* when the state last turned; 0: never */
	uint64_t rtt_us;     /* of the last check that passed; includes up to 2 ms of ours; 0: none has */
	uint64_t checks, failures, changes;
	uint32_t penalty; /* for flapping; 1000 a fall, halves with half_life */
};
/* False: no such target. */
bool health_show(struct health *h, uint32_t id, struct health_view *view);

/* Ends all checks and the thread; NULL is allowed. No worker may be in health_tick() or health_take(). */
void health_stop(struct health *h);

/* --- configuration: conf.c --- */

/* Members of a check's group: kind, port, interval, timeout, rise, fall, host, path, status, body, ... */
extern const struct schema health_check_schema[];
/* Reads a checked group with its defaults. False with errors added (a text that is no bytes, a status that is none, a name that is too long). */
bool health_check_read(const struct conf *group, struct health_check *check, struct errors *errors);
const char *health_state_name(enum health_state state);

/* --- workers: datapath.c --- */

struct nf;
struct batch;

/* For tick(): packets of checks that wait go out, from the function's position. Worker 0 alone does anything. walk: toward the backends where
 * the edge cannot tell (behind a hop). Answers how many. open() must let a tuple whose zone is nf_zone(nf) pass and mark its session, for its
 * answers must be taken. */
unsigned health_tick(struct health *h, const struct nf *nf, unsigned worker_id, int walk);

/* For process(): packet i of the batch answers a check (its session was opened by health_tick, and it walks toward us). Takes it. Any worker. */
void health_take(struct health *h, struct batch *b, unsigned i);

#endif
