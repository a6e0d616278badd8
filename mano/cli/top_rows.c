/* SPDX-License-Identifier: BSD-3-Clause */
/* Rates and quantiles between two looks. See top_rows.h. */
#include "cli/top_rows.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct pair {
	const json_t *old, *now;
	double seconds;
};

/* A number, or the sum of a list of them. */
static double number(const json_t *value)
{
	double sum = 0;
	json_t *item;
	size_t i;

	if (!json_is_array(value))
		return json_number_value(value);
	json_array_foreach((json_t *)(uintptr_t)value, i, item) sum += json_number_value(item);
	return sum;
}

static double growth(const struct pair *p, const char *member)
{
	double old = number(json_object_get(p->old, member)), now = number(json_object_get(p->now, member));

	return now < old ? now : now - old;
}

/* Rounded: fractions of a packet tell nobody anything. */
static json_t *rate(const struct pair *p, const char *member, double factor)
{
	return json_integer((json_int_t)llround(factor * growth(p, member) / p->seconds));
}

static json_t *tenths(double value)
{
	return json_real(round(value * 10) / 10);
}

/* --- quantiles --- */

/* A histogram of two looks: bounds of its buckets, and counts, one more. */
struct histogram {
	const json_t *bounds, *old, *now;
};

static struct histogram histogram_of(const json_t *old, const json_t *now, const char *bounds)
{
	return (struct histogram){ json_object_get(now, bounds), json_object_get(old, "counts"),
		                   json_object_get(now, "counts") };
}

/* What bucket i, or with -1 all, counted between the looks; all of it if the process began anew. */
static double counted(const struct histogram *h, ssize_t i)
{
	bool anew = number(h->now) < number(h->old);
	double now = i < 0 ? number(h->now) : json_number_value(json_array_get(h->now, (size_t)i));
	double old = i < 0 ? number(h->old) : json_number_value(json_array_get(h->old, (size_t)i));

	return anew ? now : now - old;
}

/* The bound below which the share lies; null: nothing was counted, or beyond the last bound. */
static json_t *quantile(const struct histogram *h, double share, double divisor)
{
	double total = counted(h, -1), below = 0;

	for (size_t i = 0; i < json_array_size(h->bounds) && total > 0; i++) {
		below += counted(h, (ssize_t)i);
		if (below >= share * total)
			return json_real(json_number_value(json_array_get(h->bounds, i)) / divisor);
	}
	return json_null();
}

static json_t *latency(const struct pair *p, double share)
{
	struct histogram h = histogram_of(json_object_get(p->old, "latency"),
	                                  json_object_get(p->now, "latency"), "boundsNs");

	return quantile(&h, share, 1000);
}

/* --- rows --- */

static json_t *function_row(const char *name, const struct pair *p)
{
	double sampled = growth(p, "sampledPackets");

	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "name", name, "packets/s",
	                 rate(p, "packets", 1), "bits/s", rate(p, "bytes", 8), "drops/s", rate(p, "drops", 1),
	                 "sessions/s", rate(p, "opened", 1), "cycles/packet",
	                 sampled > 0 ? tenths(growth(p, "sampledCycles") / sampled) : json_null(), "p50 us",
	                 latency(p, 0.5), "p99 us", latency(p, 0.99));
}

/* What both ends of a chain say of its TCP. */
static void add_tcp(json_t *row, const struct pair *p)
{
	const json_t *old = json_object_get(p->old, "tcp"), *now = json_object_get(p->now, "tcp");
	json_t *rtts = json_array(), *end;
	double again = 0, late = 0;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)now, i, end)
	{
		struct pair ends = { json_array_get(old, i), end, p->seconds };
		struct histogram h = histogram_of(json_object_get(ends.old, "rtt"),
		                                  json_object_get(end, "rtt"), "boundsUs");

		again += growth(&ends, "retransmits");
		late += growth(&ends, "outOfOrder");
		json_array_append_new(rtts, quantile(&h, 0.5, 1));
	}
	json_object_set_new(row, "tcp again/s", json_integer(llround(again / p->seconds)));
	json_object_set_new(row, "tcp late/s", json_integer(llround(late / p->seconds)));
	json_object_set_new(row, "tcp rtt us", rtts);
}

static json_t *chain_row(const char *name, const struct pair *p)
{
	json_t *row = json_pack("{s:s,s:o,s:o}", "chain", name, "p50 us", latency(p, 0.5), "p99 us",
	                        latency(p, 0.99));

	add_tcp(row, p);
	return row;
}

static json_t *worker_row(const char *name, const struct pair *p)
{
	return json_pack("{s:s,s:o,s:O*,s:O*,s:o}", "worker", name, "busy %",
	                 tenths(100 * number(json_object_get(p->now, "busyNow"))), "sessions",
	                 json_object_get(p->now, "sessions"), "halfOpen", json_object_get(p->now, "halfOpen"),
	                 "opened/s", rate(p, "opened", 1));
}

static json_t *port_row(const char *name, const struct pair *p)
{
	double bursts = growth(p, "bursts");

	return json_pack("{s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "port", name, "in packets/s",
	                 rate(p, "receivedPackets", 1), "in bits/s", rate(p, "receivedBytes", 8),
	                 "out packets/s", rate(p, "sentPackets", 1), "out bits/s", rate(p, "sentBytes", 8),
	                 "full %", bursts > 0 ? tenths(100 * growth(p, "fullBursts") / bursts) : json_null(),
	                 "missed/s", rate(p, "missed", 1), "send drops/s", rate(p, "sendDrops", 1));
}

static json_t *rows_of(const json_t *before, const json_t *now, const char *section,
                       json_t *(*row)(const char *name, const struct pair *p))
{
	json_t *list = json_array(), *state;
	const char *name;
	struct pair p = { .seconds = number(json_object_get(now, "at")) -
		                     number(json_object_get(before, "at")) };

	json_object_foreach(json_object_get(now, section), name, state)
	{
		p.old = json_object_get(json_object_get(before, section), name);
		p.now = state;
		json_array_append_new(list, row(name, &p));
	}
	return list;
}

json_t *top_rows(const json_t *before, const json_t *now)
{
	return json_pack("{s:o,s:o,s:o,s:o}", "functions", rows_of(before, now, "functions", function_row),
	                 "chains", rows_of(before, now, "paths", chain_row), "workers",
	                 rows_of(before, now, "workers", worker_row), "ports",
	                 rows_of(before, now, "ports", port_row));
}
