/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The compute bench: one case, many samples. An engine without threads stands between two ports that make and swallow packets (64 B,
 * random flows, both directions, established), and this thread turns its worker. Each sample stands beside a calibration loop of
 * independent one-cycle instructions and a sample of the null forwarder (the same ports, receive and send). Prints a line a sample:
 * value, calibration, null. tests/perf/run makes the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "count/count_class.h"
#include "firewall/firewall_class.h"
#include "nat/nat_class.h"
#include "runtime/eal.h"
#include "runtime/worker.h"

enum { WARM_TURNS_MAX = 4000000, SAMPLE_PACKETS = 4 << 20, NULL_PACKETS = 1 << 20 };

struct bench {
	struct engine *engine;
	struct worker *worker;
	uint64_t now;
};

#define FIREWALL                                                                                            \
	"{ name = \"fw\"; kind = \"firewall\"; config = { zones = ( { name = \"in\"; ports = [ \"lan\" ]; " \
	"} ); "                                                                                             \
	"rules = ( { name = \"out\"; from = \"in\"; action = \"accept\"; } ); }; }"
#define NAT                                                                                     \
	"{ name = \"nat\"; kind = \"nat\"; config = { mappings = 1500000; pools = ( { name = \"p\"; addresses = [ " \
	"\"203.0.113.0-203.0.113.63\" ]; } ); }; }"
#define NOTHING(n) "{ name = \"c" #n "\"; kind = \"count\"; }"

static const struct bench_case {
	const char *name, *path, *functions;
	uint32_t flows;
} cases[] = {
	{ "path-0", "", "", 65536 },
	{ "path-4", "\"c1\", \"c2\", \"c3\", \"c4\",",
	  NOTHING(1) "," NOTHING(2) "," NOTHING(3) "," NOTHING(4), 65536 },
	{ "firewall-64k", "\"fw\",", FIREWALL, 65536 },
	{ "firewall-1m", "\"fw\",", FIREWALL, 1048576 },
	{ "nat-64k", "\"nat\",", NAT, 65536 },
	{ "nat-1m", "\"nat\",", NAT, 1048576 },
	{ "chain2-64k", "\"fw\", \"nat\",", FIREWALL "," NAT, 65536 },
	{ "chain2-1m", "\"fw\", \"nat\",", FIREWALL "," NAT, 1048576 },
};

/* Cycles of TSC per one-cycle instruction: above the quiet value, the core is shared or slowed. */
static double calibrate(void)
{
	uint64_t a = 1, b = 2, c = 3, d = 4, begin = rte_rdtsc();

	for (unsigned i = 0; i < 1000000; i++)
		__asm__ volatile("add $1, %0\n\tadd $1, %1\n\tadd $1, %2\n\tadd $1, %3"
		                 : "+r"(a), "+r"(b), "+r"(c), "+r"(d));
	return (double)(rte_rdtsc() - begin) / 1000000;
}

/* Receive from one port, send by the other, and nothing else. */
static double null_forward(struct bench *b)
{
	struct port *lan = b->engine->ports[0].port, *wan = b->engine->ports[1].port;
	struct rte_mbuf *m[BATCH_MAX];
	uint64_t begin = rte_rdtsc(), packets = 0;

	while (packets < NULL_PACKETS) {
		uint16_t n = lan->ops->rx(lan, 0, m, BATCH_MAX);

		packets += wan->ops->tx(wan, 0, m, n);
		n = wan->ops->rx(wan, 0, m, BATCH_MAX);
		packets += lan->ops->tx(lan, 0, m, n);
	}
	return (double)(rte_rdtsc() - begin) / (double)packets;
}

static unsigned turn(struct bench *b)
{
	b->now = clock_now(&b->engine->clock);
	return worker_turn(b->worker, b->now);
}

static double sample(struct bench *b)
{
	uint64_t begin = rte_rdtsc(), packets = 0;

	while (packets < SAMPLE_PACKETS)
		packets += turn(b);
	return (double)(rte_rdtsc() - begin) / (double)packets;
}

static struct conf *document(const struct bench_case *c, struct errors *errors)
{
	char text[4096];

	snprintf(text, sizeof(text),
	         "engine = { sessions = %u; mbufs = 4096; idle = \"poll\"; seed = 1; };\n"
	         "edge = { ports = ( { name = \"lan\"; device = \"synth:?flows=%u\"; addresses = [ "
	         "\"192.0.2.1/24\" ]; },\n"
	         "  { name = \"wan\"; device = \"synth:?flows=%u&learn=1\"; addresses = [ "
	         "\"198.51.100.2/24\" ]; gateways = [ \"198.51.100.254\" ]; } );\n"
	         "  routes = ( { prefix = \"10.0.0.0/8\"; via = \"192.0.2.254\"; } ); };\n"
	         "functions = ( %s );\npaths = ( { name = \"all\"; path = [ \"lan\", %s \"wan\" ]; } );\n",
	         c->flows + c->flows / 4, c->flows, c->flows, c->functions, c->path);
	return conf_read_text(text, "bench", errors);
}

/* Until all flows are open and their answers come in. */
static bool warm(struct bench *b, const struct bench_case *c)
{
	struct flow_stats stats;
	uint64_t answers = 0;

	for (unsigned i = 0; i < WARM_TURNS_MAX && answers < c->flows; i++) {
		turn(b);
		answers = b->worker->port_traffic[1].rx_packets;
	}
	flow_stats(b->worker->table, &stats);
	fprintf(stderr, "%s: %u sessions of %u flows, %llu answers\n", c->name, stats.live, c->flows,
	        (unsigned long long)answers);
	return stats.live >= c->flows - c->flows / 100 && answers >= c->flows;
}

static int run(const struct bench_case *c, unsigned samples)
{
	static const struct nf_class *const classes[] = { &count_class, &firewall_class, &nat_class, NULL };
	struct engine_options options = { .classes = classes, .manual = true };
	struct errors errors = ERRORS_NONE;
	struct conf *doc = document(c, &errors);
	struct bench b = { 0 };
	char line[512];

	if (doc)
		b.engine = engine_new(doc, &options, &errors);
	if (!b.engine || !engine_apply(b.engine, doc, false, &errors)) {
		for (size_t i = 0; i < errors.count; i++) {
			error_format(&errors.list[i], line, sizeof(line));
			fprintf(stderr, "%s\n", line);
		}
		return 1;
	}
	b.worker = b.engine->workers[0];
	if (!warm(&b, c))
		return 1;
	for (unsigned i = 0; i < samples; i++) {
		double calibration = calibrate(), value = sample(&b), nothing = null_forward(&b);

		printf("%.2f %.4f %.2f\n", value, calibration, nothing);
	}
	engine_free(b.engine);
	return 0;
}

int main(int argc, char **argv)
{
	struct eal_options eal = { .name = "bench", .cpus = argc > 3 ? argv[3] : NULL, .memory_mb = 64 };
	struct errors errors = ERRORS_NONE;

	if (argc < 3) {
		fprintf(stderr, "usage: bench CASE SAMPLES [CPU]\ncases:");
		for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++)
			fprintf(stderr, " %s", cases[i].name);
		fprintf(stderr, "\n");
		return 2;
	}
	if (!eal_start(&eal, &errors))
		return 1;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (strcmp(cases[i].name, argv[1]) == 0)
			return run(&cases[i], (unsigned)atoi(argv[2]));
	return 2;
}
