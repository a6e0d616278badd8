/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the compute bench share: its cases (bench_cases.c), its engine, its ways of measuring. One thread makes the engine, turns
 * its worker and frees it; only bench_workers.c has others, which it joins before it answers.
 */
#ifndef SLUICE_PERF_BENCH_H
#define SLUICE_PERF_BENCH_H

#include "runtime/worker.h"

enum { WARM_TURNS_MAX = 4000000, BENCH_WORKERS_MAX = 8 };

enum bench_kind {
	BENCH_NULL,     /* receive and send, without an engine between */
	BENCH_PACKETS,  /* packets of established sessions */
	BENCH_OPENINGS, /* first packets */
	BENCH_RULES,    /* the classifier alone */
};

struct bench_case {
	const char *name, *path, *functions;
	uint32_t flows; /* BENCH_RULES: rules */
	enum bench_kind kind;
	uint32_t rules;   /* that the firewall has besides the one that accepts */
	uint32_t routes;  /* besides the default; flows then go where these lead */
	uint32_t targets; /* addresses that flows go to; 0: 65,536 */
};

struct bench {
	const struct bench_case *what;
	struct engine *engine;
	struct worker *worker;
	struct rules *rules; /* BENCH_RULES */
	uint32_t flows;
	unsigned workers;
	uint64_t now;
	bool counted; /* its instructions are counted: time stands still but for a microsecond a turn */
};

/* The case of that name, NULL: none. bench_cases lists all; a case without a name is behind the last. */
const struct bench_case *bench_case(const char *name);
extern const struct bench_case bench_cases[];
/* The document of an engine for a case; NULL with errors. */
struct conf *bench_document(const struct bench_case *c, uint32_t flows, unsigned workers,
                            struct errors *errors);

/* Cycles of TSC per one-cycle instruction: above the quiet value, the core is shared or slowed. */
double bench_calibrate(void);

struct bench_sample {
	double value, calibration, handed; /* handed: share of packets that went to another worker */
};
/* Prints samples of a warm engine of several workers, each on its cpu: value, calibration, 0, share handed off. False: not all sessions could be opened, or no memory. */
bool bench_workers(struct bench *b, const int *cpus, bool spread, unsigned samples);

/* Rules as a firewall has them and packets, half of which are meant by one; NULL with errors. */
struct rules *rules_new(unsigned count, struct errors *errors);
void rules_free(struct rules *r);
/* Cycles a packet of the classifier. */
double rules_sample(struct rules *r);

#endif
