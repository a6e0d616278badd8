/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A load balancer on a bench (support/class_bench.h), and what is asked of it beside what every class is asked.
 */
#ifndef TESTS_UNIT_LB_HELPER_LB_H
#define TESTS_UNIT_LB_HELPER_LB_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lb/lb.h"
#include "support/class_bench.h"

/* Makes a bench with a configuration (JSON with single quotes); `file`: of the session table, NULL: none. */
void bench_start(struct bench *b, const char *file, const char *config);

/* Opens the session of a first packet; NULL: refused (see counters), or all tries clashed. A flow that has a session is given that one. */
struct session *bench_open(struct bench *b, const struct flow *f);
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
