/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes metrics as text, in the Prometheus format 0.0.4 or as OpenMetrics 1.0.0. Families are collected, so
 * that several writers may add samples to one family in any order. Used by one thread; made for one scrape
 * and thrown away.
 *
 *	struct metrics *m = metrics_new(metrics_negotiate(accept));
 *	struct metrics_family *f = metrics_family(m, METRICS_COUNTER, "sluice_received", "bytes", "Bytes in.");
 *	metrics_count(f, port->bytes, "port", port->name, NULL);
 *	metrics_reply(m, reply);
 *
 * Names: the writer puts the unit (base units: seconds, bytes, ratio) and `_total` of a counter at the end of
 * a name.
 */
#ifndef SLUICE_MANAGE_METRICS_H
#define SLUICE_MANAGE_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "manage/rest.h"

enum metrics_format { METRICS_PROMETHEUS, METRICS_OPENMETRICS };
enum metrics_type { METRICS_COUNTER, METRICS_GAUGE, METRICS_HISTOGRAM };

struct metrics;
struct metrics_family;

/* The format that an Accept header (may be NULL) asks for. */
enum metrics_format metrics_negotiate(const char *accept);

struct metrics *metrics_new(enum metrics_format format);

/* The family of this name: found or made. unit may be NULL (a plain number). help is one sentence, never
 * empty. Owned by m. */
struct metrics_family *metrics_family(struct metrics *m, enum metrics_type type, const char *name,
                                      const char *unit, const char *help);

/* One sample, exact or real. Labels: pairs of name and value, NULL at the end; values are escaped. */
void metrics_count(struct metrics_family *family, uint64_t value, ...) __attribute__((sentinel));
void metrics_value(struct metrics_family *family, double value, ...) __attribute__((sentinel));

/* A histogram: counts[i] observations <= bounds[i] (not cumulative, ascending), counts[n] above the last
 * bound. */
struct metrics_histogram {
	const double *bounds;
	const uint64_t *counts; /* n + 1 of them */
	size_t n;
	double sum;
};
void metrics_histogram(struct metrics_family *family, const struct metrics_histogram *histogram, ...)
        __attribute__((sentinel));

/* The text, malloc'd; frees m. */
char *metrics_finish(struct metrics *m, size_t *length);
/* The same as a 200 reply with the content type of its format. */
void metrics_reply(struct metrics *m, struct rest_reply *reply);

#endif
