/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A load balancer on a bench: the class, a session table and an engine of one worker that has neither threads nor ports. Sessions are opened and
 * committed as the runtime does it (open.c), packets edited by the class, and looked at; the clock is the test's. One thread, no EAL.
 */
#ifndef TESTS_UNIT_LB_HELPER_LB_H
#define TESTS_UNIT_LB_HELPER_LB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/table.h"
#include "lb/lb.h"
#include "support/packets.h"

enum { BENCH_COUNTERS = 32 };

struct bench {
	struct engine *engine;
	struct worker *worker;
	struct snapshot *snapshot; /* of the engine: an edge that has nothing */
	struct flow_table *table;
	struct nf nf;
	struct lb_config *config;
	uint64_t counters[BENCH_COUNTERS];
	uint64_t now; /* ns */
};

struct flow {
	uint8_t proto;
	const char *src;
	uint16_t sport;
	const char *dst;
	uint16_t dport;
};

/* Makes a bench with a configuration (JSON with single quotes); `file`: of the session table, NULL: none. */
void bench_start(struct bench *b, const char *file, const char *config);
/* Ends it as a crash does: nothing is closed, the session file stays. */
void bench_stop(struct bench *b);
/* Another configuration; the sessions stay. */
void bench_reload(struct bench *b, const char *config);
/* Fails the test unless the configuration is refused with this code. */
void bench_refused(struct bench *b, const char *config, const char *code);

/* Opens the session of a first packet; NULL: refused (see counters), or all tries clashed. A flow that has a session is given that one. */
struct session *bench_open(struct bench *b, const struct flow *f);
void bench_close(struct bench *b, struct session *s);
void bench_close_all(struct bench *b);
enum verdict bench_review(struct bench *b, struct session *s);
/* Asks the class to adopt everything that was found; what it refuses is removed. Answers how many it took. */
unsigned bench_adopt(struct bench *b);
/* Has the class edit one packet of a session; false: it was dropped. */
bool bench_process(struct bench *b, struct session *s, int direction, struct rte_mbuf *m);

/* Opens n sessions from addresses 10.0.x.y to a UDP service on port 80; counts[i]: how many the backend of name "b<i>" got, counts[0]: refused. */
void bench_spread(struct bench *b, const char *vip, unsigned n, unsigned *counts, unsigned backends);
/* The number in the name of a session's backend ("b7": 7). */
unsigned bench_backend(const struct bench *b, const struct session *s);
/* Turns the backend of a name up or down, as a health check does. */
void bench_health(struct bench *b, const char *backend, bool up);
const struct lb_backend *bench_named(const struct bench *b, const char *backend);
uint32_t bench_sessions(const struct bench *b, const char *backend);

#endif
