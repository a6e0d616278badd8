/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The checker's own: what health.c (control threads), checker.c (the thread) and the probes share. `lock` guards targets, sources and `changes`;
 * the thread gives it back while it waits and while it tells of changes. Wires are shared with workers, without it.
 */
#ifndef SLUICE_VNF_LB_CHECKER_H
#define SLUICE_VNF_LB_CHECKER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "lb/health/space.h"
#include "lb/health/track.h"
#include "lb/health/wire.h"

struct target;

/* How one kind of check is made. All on the checker's thread, under the lock; none blocks. */
struct probe_ops {
	/* Begins; may end at once by probe_end(). */
	void (*begin)(struct health *h, struct target *t);
	/* Its socket is ready. */
	void (*ready)(struct health *h, struct target *t, uint32_t events);
	/* Its time is over: the verdict. */
	void (*late)(struct health *h, struct target *t);
	/* Gives up what a check holds. */
	void (*drop)(struct health *h, struct target *t);
};

struct page; /* http.c */

struct target {
	uint32_t id;
	uint16_t port; /* of the backend */
	struct ip_addr address;
	struct health_check check;
	struct track track;
	struct health_view view;
	const struct probe_ops *ops;
	uint64_t due, began, deadline; /* ns; due: of the next check */
	bool busy;                     /* a check is going on */
	bool kept;                     /* health_set(): is among the new ones */
	int fd;                        /* of its socket, in the epoll set; -1: none */
	uint16_t sequence;             /* of ICMP echo, of DNS */
	struct page *page;             /* of HTTP */
	struct target *after;          /* among those that are gone */
};

struct change {
	uint32_t id;
	bool up;
	char why[HEALTH_WHY];
};

struct health {
	struct health_options options;
	char name[16]; /* of the thread */
	health_changed_fn *changed;
	void *context;
	pthread_mutex_t lock;
	struct ip_addr source[2]; /* IPv4, IPv6; family 0: none */
	struct target **targets;  /* sorted by id */
	unsigned count;
	struct target *gone;    /* taken away; freed by the thread */
	struct change *changes; /* not yet told */
	unsigned changed_count, changed_room;
	/* the thread */
	bool running;
	pthread_t thread;
	sem_t started;
	struct errors *start_errors; /* until `started` */
	_Atomic bool stopping;
	int epoll, wake;
	struct space space;
	CURLM *multi;
	uint64_t curl_due; /* ns; UINT64_MAX: never */
	uint64_t next;     /* ns: nothing is due before */
	uint64_t quiet;    /* ns: since when no check goes on */
	unsigned busy;     /* checks that go on */
	uint32_t random;
	struct wire *out; /* to worker 0; NULL: no datapath */
	struct wire **in; /* from each worker */
};

/* What epoll's data says: a target's pointer, or EPOLL_WAKE, or a socket of curl's (its number and EPOLL_CURL). The device is not in the set: the
 * kernel sends by it what this thread has just asked it to, or what its timers ask it to, and those may wait. */
enum { EPOLL_WAKE = 1 };
#define EPOLL_CURL (UINT64_C(1) << 63)

/* checker.c: the thread. */
void *checker_main(void *health);
uint64_t checker_now(void);                                /* ns, monotonic */
uint32_t checker_random(struct health *h, uint32_t bound); /* below it */
/* A check has ended, with a word on why. */
void probe_end(struct health *h, struct target *t, bool passed, const char *why, ...)
        __attribute__((format(printf, 4, 5)));
/* Watches the target's socket. False: it cannot, and the check has ended. */
bool probe_watch(struct health *h, struct target *t, uint32_t events);
/* Ends a check without a verdict. */
void probe_abort(struct health *h, struct target *t);
/* The address and port that are checked; answers the length. */
socklen_t probe_address(const struct target *t, struct sockaddr_storage *address);

const struct probe_ops *probe_ops_of(enum health_kind kind);
extern const struct probe_ops probe_tcp, probe_udp, probe_icmp, probe_dns; /* sockets.c */
extern const struct probe_ops probe_http;                                  /* http.c */

/* http.c: curl's part of the thread's set-up, turn and end. */
bool http_open(struct health *h);
void http_socket_ready(struct health *h, int fd, uint32_t events);
void http_timers(struct health *h, uint64_t now);
void http_close(struct health *h);

/* dns.c: a query and what an answer is worth. Pure. */
/* Length of the query, 0: there is no such name. */
unsigned dns_query(const struct health_check *check, uint16_t id, uint8_t *out, unsigned size);
/* Whether these bytes answer query `id` at all. */
bool dns_is_answer(uint16_t id, const uint8_t *bytes, unsigned length);
/* Whether an answer is what the check expects, and in words what is wrong or right. */
bool dns_judge(const struct health_check *check, const uint8_t *bytes, unsigned length, char why[HEALTH_WHY]);

#endif
