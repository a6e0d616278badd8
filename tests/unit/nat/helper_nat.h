/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A NAT on a bench (support/class_bench.h), and what is asked of it beside what every class is asked.
 */
#ifndef TESTS_UNIT_NAT_HELPER_NAT_H
#define TESTS_UNIT_NAT_HELPER_NAT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "nat/nat.h"
#include "support/class_bench.h"

enum { OUTWARD = 0, INWARD = 1 };

/* Makes a bench with a configuration (JSON with single quotes); `file`: of the session table, NULL: none. */
void bench_start(struct bench *b, const char *file, const char *config);

/* Opens the session of a first packet; NULL: refused (see counters), or all tries clashed. */
struct session *bench_open(struct bench *b, int walk, const struct flow *f);
/* The same, but in the zone of hairpin packets. */
struct session *bench_open_hairpin(struct bench *b, const struct flow *f);

const struct nat_slot *bench_slot(const struct bench *b, const struct session *s);
/* Ports of all pools of the configuration that are taken, over all protocols. */
uint32_t bench_ports_used(const struct bench *b);
uint32_t bench_mappings(const struct bench *b);

/* Network order of text. */
uint32_t ip(const char *text);
/* Fails unless a session's outside end is this address and port (0: any). */
void expect_outside(const struct bench *b, const struct session *s, const char *address, uint16_t port);
void expect_inside(const struct bench *b, const struct session *s, const char *address, uint16_t port);

#endif
