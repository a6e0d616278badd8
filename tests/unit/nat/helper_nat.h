/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A NAT on a bench: the class, a session table and an engine of one worker that has neither threads nor ports. Packets are opened and
 * committed as the runtime does it (open.c), edited by the class, and looked at. One thread, no EAL.
 */
#ifndef TESTS_UNIT_NAT_HELPER_NAT_H
#define TESTS_UNIT_NAT_HELPER_NAT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/table.h"
#include "nat/nat.h"
#include "support/packets.h"

enum { OUTWARD = 0, INWARD = 1, BENCH_SECONDS = 1000 };

struct bench {
	struct engine *engine;
	struct worker *worker;
	struct snapshot *snapshot; /* of the engine: an edge that has nothing */
	struct flow_table *table;
	struct nf nf;
	struct nat_config *config;
	uint64_t counters[16];
	uint32_t now; /* milliseconds */
};

/* An inside host's or an outside host's packet, by its ends: "10.0.0.1", 1000. */
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
/* Compiles and throws away. */
void bench_dry(struct bench *b, const char *config);

/* Opens the session of a first packet; NULL: refused (see counters), or all tries clashed. */
struct session *bench_open(struct bench *b, int walk, const struct flow *f);
/* The same, but in the zone of hairpin packets. */
struct session *bench_open_hairpin(struct bench *b, const struct flow *f);
void bench_close(struct bench *b, struct session *s);
/* What the class says of a live session under the present configuration. */
enum verdict bench_review(struct bench *b, struct session *s);
/* Asks the class to adopt everything that was found; what it refuses is removed. Answers how many it took. */
unsigned bench_adopt(struct bench *b);

const struct nat_slot *bench_slot(const struct bench *b, const struct session *s);
/* Ports of all pools of the configuration that are taken, over all protocols. */
uint32_t bench_ports_used(const struct bench *b);
uint32_t bench_mappings(const struct bench *b);

/* Has the class edit one packet of a session; true: it went on, false: it was taken (turned round). */
bool bench_process(struct bench *b, struct session *s, int walk, struct rte_mbuf *m);

/* Network order of text. */
uint32_t ip(const char *text);
/* Fails unless a session's outside end is this address and port (0: any). */
void expect_outside(const struct bench *b, const struct session *s, const char *address, uint16_t port);
void expect_inside(const struct bench *b, const struct session *s, const char *address, uint16_t port);

#endif
