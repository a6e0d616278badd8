/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sampling: one burst of 64, chosen at random, is measured, how long each function took for it, and how long its packets were on their path in this process
 * (from their receipt to the port's queue; of a path with hops: to the hop). Written by the worker, whole words read by the control side.
 */
#ifndef SLUICE_RUNTIME_SAMPLE_H
#define SLUICE_RUNTIME_SAMPLE_H

#include <jansson.h>

#include "manage/metrics.h"

struct worker;
struct engine;
struct path;

enum {
	SAMPLE_EVERY = 64,  /* bursts */
	SAMPLE_BOUNDS = 14, /* bucket i: up to 250 ns * 2^i; one more above the last, 2 ms */
	SAMPLE_FIRST_NS = 250,
};

struct sample {
	uint64_t packets, cycles, ns;       /* ns: of all packets together */
	uint64_t counts[SAMPLE_BOUNDS + 1]; /* packets */
};

/* Worker: this burst is measured; the next after SAMPLE_EVERY bursts on average, but never in step with the ports' turns. */
void sample_begin(struct worker *w);
/* Worker: a burst of n packets took so many cycles. */
void sample_add(struct worker *w, struct sample *sample, unsigned n, uint64_t cycles);
/* The packets of the present burst are at the end of a path. */
void sample_path(struct worker *w, const struct path *path, unsigned n);

/* Control side: the path is gone, its number may be another's next. */
void sample_forget_path(struct engine *engine, unsigned id);
/* Control side: sums over the workers. */
struct sample sample_of_function(const struct engine *engine, unsigned id);
struct sample sample_of_path(const struct engine *engine, unsigned id);
/* Adds sampledPackets, sampledCycles, cyclesPerPacket and latency {p50Ns, p99Ns, boundsNs, counts} to an object. */
void sample_show(const struct sample *sample, json_t *into);
/* One histogram, label and its value. */
void sample_metrics(const struct sample *sample, struct metrics_family *family, const char *label,
                    const char *value);
/* Cycles a packet; 0: none was sampled. */
double sample_cycles(const struct sample *sample);

#endif
