/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The compute bench: one case, many samples. An engine without threads stands between two ports that make and swallow packets (64 B,
 * random flows, both directions, established), and this thread turns its worker. Each sample stands beside a calibration loop of
 * independent one-cycle instructions and a sample of the null forwarder (the same ports, receive and send). Cases `acl`: the classifier
 * alone, on vectors of 64 random packets. Cases `sessions`: first packets of new flows until all are open, and then all are closed; sessions a
 * second. Prints a line a sample: value, calibration, null. tests/perf/run makes the table.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "count/count_class.h"
#include "firewall/firewall_class.h"
#include "match/acl.h"
#include "nat/nat_class.h"
#include "runtime/process/eal.h"
#include "runtime/worker.h"

enum {
	ACL_ROUNDS = 4096,
	ACL_PACKETS = 65536,
	WARM_TURNS_MAX = 4000000,
	SAMPLE_PACKETS = 4 << 20,
	NULL_PACKETS = 1 << 20
};

struct bench {
	struct engine *engine;
	struct worker *worker;
	uint64_t now;
};

#define FIREWALL                                                                                            \
	"{ name = \"fw\"; kind = \"firewall\"; config = { zones = ( { name = \"in\"; ports = [ \"lan\" ]; " \
	"} ); "                                                                                             \
	"rules = ( { name = \"out\"; from = \"in\"; action = \"accept\"; } ); }; }"
#define NAT                                                                                           \
	"{ name = \"nat\"; kind = \"nat\"; config = { mappings = 1500000; pools = ( { name = \"p\"; " \
	"addresses = [ "                                                                              \
	"\"203.0.113.0-203.0.113.63\" ]; } ); }; }"
#define NOTHING(n) "{ name = \"c" #n "\"; kind = \"count\"; }"

enum kind { PACKETS, OPENINGS, RULES };

static const struct bench_case {
	const char *name, *path, *functions;
	uint32_t flows; /* or rules */
	enum kind kind;
} cases[] = {
	{ "path-0", "", "", 65536, PACKETS },
	{ "path-4", "\"c1\", \"c2\", \"c3\", \"c4\",",
	  NOTHING(1) "," NOTHING(2) "," NOTHING(3) "," NOTHING(4), 65536, PACKETS },
	{ "firewall-64k", "\"fw\",", FIREWALL, 65536, PACKETS },
	{ "firewall-1m", "\"fw\",", FIREWALL, 1048576, PACKETS },
	{ "nat-64k", "\"nat\",", NAT, 65536, PACKETS },
	{ "nat-1m", "\"nat\",", NAT, 1048576, PACKETS },
	{ "chain2-64k", "\"fw\", \"nat\",", FIREWALL "," NAT, 65536, PACKETS },
	{ "chain2-1m", "\"fw\", \"nat\",", FIREWALL "," NAT, 1048576, PACKETS },
	{ "sessions-firewall", "\"fw\",", FIREWALL, 131072, OPENINGS },
	{ "sessions-nat", "\"nat\",", NAT, 131072, OPENINGS },
	{ "acl-1k", "", "", 1000, RULES },
	{ "acl-10k", "", "", 10000, RULES },
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

static void close_one(void *bench, struct session *s)
{
	session_close(((struct bench *)bench)->worker, s);
}

/* Opens every flow of the port and closes it again; sessions a second of both together. 0: not all could be opened. */
static double sample_openings(struct bench *b, const struct bench_case *c)
{
	uint64_t begin = rte_rdtsc(), opened = b->worker->counters[C_OPENED], cursor = 0, count;

	for (unsigned i = 0;
	     i < WARM_TURNS_MAX && b->worker->counters[C_OPENED] - opened < c->flows - c->flows / 50; i++)
		turn(b);
	count = b->worker->counters[C_OPENED] - opened;
	do
		flow_walk(b->worker->table, &cursor, 4096, close_one, b);
	while (cursor);
	if (count < c->flows - c->flows / 50)
		return 0;
	return (double)count * (double)rte_get_tsc_hz() / (double)(rte_rdtsc() - begin);
}

/* --- the classifier --- */

struct rules {
	struct acl *acl;
	struct acl_query *queries;
	uint64_t seed;
};

static uint32_t dice(struct rules *r)
{
	r->seed = r->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(r->seed >> 33);
}

/* As rules of a firewall are: an inside network, a server or its network, a protocol, a port or a range of them. */
static struct acl_rule make_rule(struct rules *r)
{
	struct acl_rule rule = { .family = FAMILY_V4,
		                 .protocol = dice(r) % 3 ? 6 : 17,
		                 .source_last = 65535,
		                 .icmp_last = 65535,
		                 .from = ACL_ANY_ZONE,
		                 .to = ACL_ANY_ZONE };
	uint16_t port = (uint16_t)(dice(r) % 10000);

	rule.source =
	        (struct ip_prefix){ .address = { .family = FAMILY_V4,
		                                 .bytes = { 10, (uint8_t)(dice(r) % 64), (uint8_t)dice(r) } },
		                    .length = (uint8_t)(dice(r) % 2 ? 16 : 24) };
	rule.destination =
	        (struct ip_prefix){ .address = { .family = FAMILY_V4,
		                                 .bytes = { 172, 16, (uint8_t)dice(r), (uint8_t)dice(r) } },
		                    .length = (uint8_t)(dice(r) % 2 ? 24 : 32) };
	ip_prefix_mask(&rule.source);
	ip_prefix_mask(&rule.destination);
	rule.destination_first = port;
	rule.destination_last = (uint16_t)(port + (dice(r) % 2 ? 0 : dice(r) % 500));
	return rule;
}

/* Every other packet is one that a rule is for. */
static struct acl_query make_query(struct rules *r, const struct acl_rule *rule)
{
	struct acl_query q = { .from = 1, .to = 2 };

	q.tuple.family = FAMILY_V4;
	q.tuple.proto = dice(r) % 3 ? 6 : 17;
	q.tuple.src = ip_v4(rte_cpu_to_be_32(0x0a000000 | (dice(r) % 64) << 16 | (dice(r) & 0xffff)));
	q.tuple.dst = ip_v4(rte_cpu_to_be_32(0xac100000 | (dice(r) & 0xffff)));
	q.tuple.sport = (uint16_t)dice(r);
	q.tuple.dport = rte_cpu_to_be_16((uint16_t)(dice(r) % 10000));
	if (dice(r) % 2)
		return q;
	q.tuple.proto = rule->protocol;
	memcpy(&q.tuple.src, rule->source.address.bytes, 4);
	memcpy(&q.tuple.dst, rule->destination.address.bytes, 4);
	q.tuple.dport = rte_cpu_to_be_16(rule->destination_first);
	return q;
}

static bool make_rules(struct rules *r, unsigned count, struct errors *errors)
{
	struct acl_builder *builder = acl_builder_new();
	struct acl_rule *list = calloc(count, sizeof(*list));
	int error;

	r->queries = calloc(ACL_PACKETS, sizeof(*r->queries));
	r->seed = 1;
	if (!builder || !list || !r->queries)
		return false;
	for (unsigned i = 0; i < count; i++) {
		list[i] = make_rule(r);
		if (!acl_builder_add(builder, &list[i], i))
			return false;
	}
	for (unsigned i = 0; i < ACL_PACKETS; i++)
		r->queries[i] = make_query(r, &list[dice(r) % count]);
	free(list);
	error = acl_build(builder, &r->acl);
	if (error)
		errors_add(errors, NULL, "acl-not-built", NULL, 0, "%u rules could not be compiled: %s",
		           count, strerror(-error));
	return !error;
}

static double sample_rules(struct rules *r)
{
	uint32_t results[BATCH_MAX];
	const struct acl_query *list[BATCH_MAX];
	uint64_t begin = rte_rdtsc();

	for (unsigned round = 0; round < ACL_ROUNDS; round++) {
		for (unsigned i = 0; i < BATCH_MAX; i++)
			list[i] = &r->queries[(round * BATCH_MAX + i) % ACL_PACKETS];
		acl_classify(r->acl, list, results, BATCH_MAX);
	}
	return (double)(rte_rdtsc() - begin) / ((double)ACL_ROUNDS * BATCH_MAX);
}

/* --- a case --- */

static struct conf *document(const struct bench_case *c, struct errors *errors)
{
	uint32_t flows = c->kind == RULES ? 65536 : c->flows;
	/* Sessions without answers may be a quarter of the table. */
	uint32_t room = c->kind == OPENINGS ? 5 * flows : flows + flows / 4;
	const char *answers = c->kind == OPENINGS ? "silent=1" : "learn=1";
	char text[4096];

	snprintf(text, sizeof(text),
	         "engine = { sessions = %u; mbufs = 4096; idle = \"poll\"; seed = 1; };\n"
	         "edge = { ports = ( { name = \"lan\"; device = \"synth:?flows=%u\"; addresses = [ "
	         "\"192.0.2.1/24\" ]; },\n"
	         "  { name = \"wan\"; device = \"synth:?flows=%u&%s\"; addresses = [ "
	         "\"198.51.100.2/24\" ]; gateways = [ \"198.51.100.254\" ]; } );\n"
	         "  routes = ( { prefix = \"10.0.0.0/8\"; via = \"192.0.2.254\"; } ); };\n"
	         "functions = ( %s );\npaths = ( { name = \"all\"; path = [ \"lan\", %s \"wan\" ]; } );\n",
	         room, flows, flows, answers, c->functions, c->path);
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

static double sample_of(struct bench *b, const struct bench_case *c, struct rules *rules)
{
	switch (c->kind) {
	case OPENINGS:
		return sample_openings(b, c);
	case RULES:
		return sample_rules(rules);
	default:
		return sample(b);
	}
}

static int run(const struct bench_case *c, unsigned samples)
{
	static const struct nf_class *const classes[] = { &count_class, &firewall_class, &nat_class, NULL };
	struct engine_options options = { .classes = classes, .manual = true };
	struct errors errors = ERRORS_NONE;
	struct conf *doc = document(c, &errors);
	struct bench b = { 0 };
	struct rules rules = { 0 };
	char line[512];

	if (doc)
		b.engine = engine_new(doc, &options, &errors);
	if (!b.engine || !engine_apply(b.engine, doc, false, &errors) ||
	    (c->kind == RULES && !make_rules(&rules, c->flows, &errors))) {
		for (size_t i = 0; i < errors.count; i++) {
			error_format(&errors.list[i], line, sizeof(line));
			fprintf(stderr, "%s\n", line);
		}
		return 1;
	}
	b.worker = b.engine->workers[0];
	if (c->kind == PACKETS && !warm(&b, c))
		return 1;
	for (unsigned i = 0; i < samples; i++) {
		double calibration = calibrate(), value = sample_of(&b, c, &rules),
		       nothing = null_forward(&b);

		if (value == 0) {
			fprintf(stderr, "%s: not all sessions could be opened\n", c->name);
			return 1;
		}
		printf("%.2f %.4f %.2f\n", value, calibration, nothing);
	}
	acl_free(rules.acl);
	free(rules.queries);
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
