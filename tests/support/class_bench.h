/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A function on a bench: its class, a session table and an engine of one worker that has neither threads nor ports. Sessions are opened and
 * committed as the runtime does it (open.c), packets edited by the class, and looked at; the clock is the test's. One thread, no EAL.
 */
#ifndef SLUICE_TESTS_CLASS_BENCH_H
#define SLUICE_TESTS_CLASS_BENCH_H

#include "flow/table.h"
#include "runtime/nf.h"
#include "support/packets.h"

/* Zones of packets that walk along the path, and against it. */
enum { BENCH_LAN = 1, BENCH_WAN = 2, BENCH_COUNTERS = 64 };

struct bench {
	struct engine *engine;
	struct worker *worker;
	struct snapshot *snapshot; /* of the engine: an edge that has nothing */
	struct flow_table *table;
	struct nf nf;
	void *config; /* the class's snapshot */
	uint64_t counters[BENCH_COUNTERS];
	uint64_t now; /* ns */
};

/* A first packet, by its ends: "10.0.0.1", 1000. */
struct flow {
	uint8_t proto;
	const char *src;
	uint16_t sport;
	const char *dst;
	uint16_t dport;
};

/* Makes a bench on which the class is started but has no configuration yet; `file`: of the session table, NULL: none. */
void bench_begin(struct bench *b, const struct nf_class *class, const char *file);
/* Ends it as a crash does: nothing is closed, the session file stays. */
void bench_stop(struct bench *b);

/* Configurations are JSON with single quotes. The first, or another: the sessions stay. */
void bench_reload(struct bench *b, const char *config);
/* Fails the test unless the configuration is refused with this code. */
void bench_refused(struct bench *b, const char *config, const char *code);
/* Compiles and throws away. */
void bench_dry(struct bench *b, const char *config);

/* Opens the session of a first packet; NULL: refused (see counters), or all tries clashed. */
struct session *bench_open_in(struct bench *b, int walk, uint16_t zone, const struct flow *f);
/* The session that its packet belongs to; NULL: none. */
struct session *bench_known(struct bench *b, uint16_t zone, const struct flow *f);
void bench_close(struct bench *b, struct session *s);
void bench_close_all(struct bench *b);
/* What the class says of a live session under the present configuration. */
enum verdict bench_review(struct bench *b, struct session *s);
/* Asks the class to adopt everything that was found; what it refuses is removed. Answers how many it took. */
unsigned bench_adopt(struct bench *b);
/* Has the class edit one packet of a session; true: it goes on, false: it was dropped or taken. */
bool bench_pass(struct bench *b, struct session *s, int walk, struct rte_mbuf *m);

#endif
