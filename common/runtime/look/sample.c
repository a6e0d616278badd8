/* SPDX-License-Identifier: BSD-3-Clause */
/* Sampled times of functions and paths. See sample.h. */
#include "runtime/look/sample.h"

#include <rte_hash_crc.h>

#include "runtime/worker.h"

static unsigned bucket_of(uint64_t ns)
{
	unsigned i = 0;

	while (i < SAMPLE_BOUNDS && ns > (uint64_t)SAMPLE_FIRST_NS << i)
		i++;
	return i;
}

void sample_begin(struct worker *w)
{
	w->watch |= WATCH_SAMPLE;
	w->sample_begin = rte_rdtsc();
	w->sample_in = SAMPLE_EVERY / 2 + rte_hash_crc_8byte(w->sample_begin, w->id) % SAMPLE_EVERY;
}

void sample_add(struct worker *w, struct sample *sample, unsigned n, uint64_t cycles)
{
	uint64_t ns = (uint64_t)(((unsigned __int128)cycles * w->engine->clock.nominal) >> 32);

	sample->packets += n;
	sample->cycles += cycles;
	sample->ns += ns * n;
	sample->counts[bucket_of(ns)] += n;
}

void sample_path(struct worker *w, const struct path *path, unsigned n)
{
	sample_add(w, &w->path_samples[path->id], n, rte_rdtsc() - w->sample_begin);
}

void sample_forget_path(struct engine *engine, unsigned id)
{
	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		engine->workers[i]->path_samples[id] = (struct sample){ 0 };
		engine->workers[i]->tcp[id] = (struct tcp_totals){ 0 };
	}
}

static void add(struct sample *sum, const struct sample *s)
{
	sum->packets += s->packets;
	sum->cycles += s->cycles;
	sum->ns += s->ns;
	for (unsigned i = 0; i <= SAMPLE_BOUNDS; i++)
		sum->counts[i] += s->counts[i];
}

struct sample sample_of_function(const struct engine *engine, unsigned id)
{
	struct sample sum = { 0 };

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		add(&sum, &engine->workers[i]->nf_samples[id]);
	return sum;
}

struct sample sample_of_path(const struct engine *engine, unsigned id)
{
	struct sample sum = { 0 };

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		add(&sum, &engine->workers[i]->path_samples[id]);
	return sum;
}

double sample_cycles(const struct sample *sample)
{
	return sample->packets ? (double)sample->cycles / (double)sample->packets : 0;
}

/* The bound below which so many of a hundred packets are, ns; beyond the last bound: twice it. */
static uint64_t quantile(const struct sample *sample, unsigned percent)
{
	uint64_t total = 0, below = 0;

	for (unsigned i = 0; i <= SAMPLE_BOUNDS; i++)
		total += sample->counts[i];
	for (unsigned i = 0; i <= SAMPLE_BOUNDS && total; i++) {
		below += sample->counts[i];
		if (below * 100 >= total * percent)
			return (uint64_t)SAMPLE_FIRST_NS << i;
	}
	return 0;
}

void sample_show(const struct sample *sample, json_t *into)
{
	json_t *bounds = json_array(), *counts = json_array();

	for (unsigned i = 0; i <= SAMPLE_BOUNDS; i++) {
		if (i < SAMPLE_BOUNDS)
			json_array_append_new(bounds,
			                      json_integer((json_int_t)((uint64_t)SAMPLE_FIRST_NS << i)));
		json_array_append_new(counts, json_integer((json_int_t)sample->counts[i]));
	}
	json_object_set_new(into, "sampledPackets", json_integer((json_int_t)sample->packets));
	json_object_set_new(into, "sampledCycles", json_integer((json_int_t)sample->cycles));
	json_object_set_new(into, "cyclesPerPacket", json_real(sample_cycles(sample)));
	json_object_set_new(into, "latency",
	                    json_pack("{s:I,s:I,s:o,s:o}", "p50Ns", (json_int_t)quantile(sample, 50), "p99Ns",
	                              (json_int_t)quantile(sample, 99), "boundsNs", bounds, "counts",
	                              counts));
}

void sample_metrics(const struct sample *sample, struct metrics_family *family, const char *label,
                    const char *value)
{
	double bounds[SAMPLE_BOUNDS];
	struct metrics_histogram histogram = { bounds, sample->counts, SAMPLE_BOUNDS,
		                               (double)sample->ns / 1e9 };

	for (unsigned i = 0; i < SAMPLE_BOUNDS; i++)
		bounds[i] = (double)((uint64_t)SAMPLE_FIRST_NS << i) / 1e9;
	metrics_histogram(family, &histogram, label, value, NULL);
}
