/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The compute bench: one case, many samples. An engine without threads stands between two ports that make and swallow packets (64 B,
 * random flows, both directions, established), and this thread turns its worker. Each sample stands between two calibration loops of
 * independent one-cycle instructions, of which the slower counts, and beside a sample of the null forwarder (the same ports, receive and send). Cases `acl`: the classifier
 * alone. Cases `sessions`: first packets of new flows until all are open, and then all are closed; sessions a second. Prints a line a
 * sample: value, calibration, null. With --count it runs one sample between the calls of measured(), for a tool that counts
 * instructions, and prints its packets; with --workers see bench_workers.c; for the case "tsc" the rate of the time stamp counter. tests/perf/run makes the table.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "count/count_class.h"
#include "firewall/firewall_class.h"
#include "lb/lb_class.h"
#include "nat/nat_class.h"
#include "runtime/process/eal.h"

enum {
	WARM_ROUNDS_MAX = 200,
	SAMPLE_PACKETS = 2 << 20,
	NULL_PACKETS = 1 << 20,
	COUNTED_PACKETS = 1 << 16,
	COUNTED_TURN_NS = 1000
};

struct options {
	unsigned samples, flows, workers; /* 0 workers: one, turned by this thread */
	const char *cpu;
	int cpus[BENCH_WORKERS_MAX];
	int cpu_count;
	bool count, spread;
};

double bench_calibrate(void)
{
	uint64_t a = 1, b = 2, c = 3, d = 4, begin = rte_rdtsc();

	for (unsigned i = 0; i < 1000000; i++)
		__asm__ volatile("add $1, %0\n\tadd $1, %1\n\tadd $1, %2\n\tadd $1, %3"
		                 : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
	return (double)(rte_rdtsc() - begin) / 1000000;
}

/* Receive from one port, send by the other, and nothing else. */
static uint64_t forward(struct bench *b, uint64_t most)
{
	struct port *lan = b->engine->ports[0].port, *wan = b->engine->ports[1].port;
	struct rte_mbuf *m[BATCH_MAX];
	uint64_t packets = 0;

	while (packets < most) {
		uint16_t n = lan->ops->rx(lan, 0, m, BATCH_MAX);

		packets += wan->ops->tx(wan, 0, m, n);
		n = wan->ops->rx(wan, 0, m, BATCH_MAX);
		packets += lan->ops->tx(lan, 0, m, n);
	}
	return packets;
}

static unsigned turn(struct bench *b)
{
	b->now = b->counted ? b->now + COUNTED_TURN_NS : clock_now(&b->engine->clock);
	return worker_turn(b->worker, b->now);
}

static void turn_all(struct bench *b)
{
	turn(b);
	for (unsigned i = 1; i < b->workers; i++)
		worker_turn(b->engine->workers[i], b->now);
}

/* Packets that came out. 0: more than one in a hundred did not, and their price would be no figure. */
static uint64_t run_packets(struct bench *b, uint64_t most)
{
	uint64_t packets = 0, sent = b->worker->counters[C_SENT];

	while (packets < most)
		packets += turn(b);
	sent = b->worker->counters[C_SENT] - sent;
	return sent * 100 < packets * 99 ? 0 : sent;
}

static double cycles_a_packet(struct bench *b, uint64_t (*work)(struct bench *b, uint64_t most),
                              uint64_t most)
{
	uint64_t begin = rte_rdtsc(), packets = work(b, most);

	return packets ? (double)(rte_rdtsc() - begin) / (double)packets : 0;
}

static void close_one(void *bench, struct session *s)
{
	session_close(((struct bench *)bench)->worker, s);
}

/* Opens every flow of the port and closes it again; sessions a second of both together. 0: not all could be opened. */
static double sample_openings(struct bench *b)
{
	uint64_t begin = rte_rdtsc(), opened = b->worker->counters[C_OPENED], cursor = 0, count;
	uint32_t wanted = b->flows - b->flows / 50;

	for (unsigned i = 0; i < WARM_TURNS_MAX && b->worker->counters[C_OPENED] - opened < wanted; i++)
		turn(b);
	count = b->worker->counters[C_OPENED] - opened;
	do
		flow_walk(b->worker->table, &cursor, 4096, close_one, b);
	while (cursor);
	if (count < wanted)
		return 0;
	return (double)count * (double)rte_get_tsc_hz() / (double)(rte_rdtsc() - begin);
}

static uint32_t live_sessions(const struct bench *b)
{
	struct flow_stats stats;
	uint32_t live = 0;

	for (unsigned i = 0; i < b->workers; i++) {
		flow_stats(b->engine->workers[i]->table, &stats);
		live += stats.live;
	}
	return live;
}

/* Until nearly all flows are open, and then for as long again, so that all answers have come in. */
static bool warm(struct bench *b)
{
	uint32_t live = 0, wanted = b->flows - b->flows / 100, rounds = 0;
	unsigned round = b->flows / BATCH_MAX + 1;

	for (; rounds < WARM_ROUNDS_MAX && live < wanted; rounds++) {
		for (unsigned i = 0; i < round; i++)
			turn_all(b);
		live = live_sessions(b);
	}
	for (unsigned i = 0; i < round * rounds; i++)
		turn_all(b);
	fprintf(stderr, "%s: %u sessions of %u flows after %u rounds\n", b->what->name, live, b->flows,
	        rounds);
	return live >= wanted;
}

static double sample_of(struct bench *b)
{
	switch (b->what->kind) {
	case BENCH_OPENINGS:
		return sample_openings(b);
	case BENCH_RULES:
		return rules_sample(b->rules);
	case BENCH_NULL:
		return cycles_a_packet(b, forward, NULL_PACKETS);
	default:
		return cycles_a_packet(b, run_packets, SAMPLE_PACKETS);
	}
}

/* What a tool that counts instructions looks for by its name. */
static __attribute__((noinline)) uint64_t measured(struct bench *b, uint64_t most)
{
	return b->what->kind == BENCH_NULL ? forward(b, most) : run_packets(b, most);
}

static bool take_samples(struct bench *b, unsigned samples)
{
	for (unsigned i = 0; i < samples; i++) {
		double before = bench_calibrate(), value = sample_of(b),
		       calibration = RTE_MAX(before, bench_calibrate()),
		       nothing = cycles_a_packet(b, forward, NULL_PACKETS);

		if (value == 0) {
			fprintf(stderr, "%s: not all sessions could be opened, or packets were dropped\n",
			        b->what->name);
			return false;
		}
		printf("%.2f %.4f %.2f\n", value, calibration, nothing);
	}
	return true;
}

static void print_errors(const struct errors *errors)
{
	char line[512];

	for (size_t i = 0; i < errors->count; i++) {
		error_format(&errors->list[i], line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
}

/* The engine of a case, warm; false with errors, or if its sessions did not come about. */
static bool set_up(struct bench *b, struct errors *errors)
{
	static const struct nf_class *const classes[] = { &count_class, &firewall_class, &nat_class,
		                                          &lb_class, NULL };
	struct engine_options options = { .classes = classes, .manual = true };
	uint32_t flows = b->what->kind == BENCH_RULES ? 65536 : b->flows;
	struct conf *document = bench_document(b->what, flows, b->workers, errors);

	if (document)
		b->engine = engine_new(document, &options, errors);
	if (!b->engine || !engine_apply(b->engine, document, false, errors))
		return false;
	b->worker = b->engine->workers[0];
	b->now = clock_now(&b->engine->clock);
	if (b->what->kind == BENCH_RULES && !(b->rules = rules_new(b->flows, errors)))
		return false;
	return b->what->kind != BENCH_PACKETS || warm(b);
}

static int run(const struct bench_case *c, const struct options *options)
{
	struct bench b = { .what = c,
		           .flows = options->flows ? options->flows : c->flows,
		           .counted = options->count,
		           .workers = options->workers ? options->workers : 1 };
	struct errors errors = ERRORS_NONE;
	bool done = set_up(&b, &errors);

	print_errors(&errors);
	errors_free(&errors);
	if (done && options->count)
		printf("%llu\n", (unsigned long long)measured(&b, COUNTED_PACKETS));
	else if (done && options->workers)
		done = bench_workers(&b, options->cpus, options->spread, options->samples);
	else if (done)
		done = take_samples(&b, options->samples);
	rules_free(b.rules);
	if (b.engine)
		engine_free(b.engine);
	return done ? 0 : 1;
}

static int usage(void)
{
	fprintf(stderr, "usage: bench [--samples N] [--cpu LIST] [--flows N] [--count | --workers N "
	                "[--spread]] CASE\ncases:");
	for (const struct bench_case *c = bench_cases; c->name; c++)
		fprintf(stderr, " %s", c->name);
	fprintf(stderr, "\n");
	return 2;
}

/* "3,2": where the workers are, the first one first. */
static void take_cpus(struct options *options, const char *list)
{
	options->cpu = list;
	for (int used; options->cpu_count < BENCH_WORKERS_MAX &&
	               sscanf(list, "%d%n", &options->cpus[options->cpu_count], &used) == 1;
	     list += used + (list[used] == ','))
		options->cpu_count++;
}

static bool take_option(struct options *options, int option)
{
	if (option == 's')
		options->samples = (unsigned)strtoul(optarg, NULL, 10);
	else if (option == 'c')
		take_cpus(options, optarg);
	else if (option == 'f')
		options->flows = (unsigned)strtoul(optarg, NULL, 10);
	else if (option == 'w')
		options->workers = (unsigned)strtoul(optarg, NULL, 10);
	else if (option == 'n')
		options->count = true;
	else if (option == 'p')
		options->spread = true;
	else
		return false;
	return true;
}

static bool parse(int argc, char **argv, struct options *options)
{
	static const struct option known[] = { { "samples", required_argument, NULL, 's' },
		                               { "cpu", required_argument, NULL, 'c' },
		                               { "flows", required_argument, NULL, 'f' },
		                               { "workers", required_argument, NULL, 'w' },
		                               { "count", no_argument, NULL, 'n' },
		                               { "spread", no_argument, NULL, 'p' },
		                               { NULL, 0, NULL, 0 } };
	int option;

	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
		if (!take_option(options, option))
			return false;
	return optind == argc - 1 && options->workers <= (unsigned)options->cpu_count;
}

int main(int argc, char **argv)
{
	struct options options = { .samples = 7 };
	struct eal_options eal = { .name = "bench", .memory_mb = 64 };
	struct errors errors = ERRORS_NONE;
	const struct bench_case *c;

	if (!parse(argc, argv, &options))
		return usage();
	c = bench_case(argv[optind]);
	if (!c && strcmp(argv[optind], "tsc") != 0)
		return usage();
	eal.cpus = options.cpu;
	/* A tool that counts instructions has no room for the addresses that EAL reserves for hugepages. */
	eal.hugepages = options.count ? EAL_HUGEPAGES_NEVER : EAL_HUGEPAGES_AUTO;
	if (!eal_start(&eal, &errors)) {
		print_errors(&errors);
		return 1;
	}
	if (c)
		return run(c, &options);
	printf("%llu\n", (unsigned long long)rte_get_tsc_hz());
	return 0;
}
