/* SPDX-License-Identifier: BSD-3-Clause */
/* The cases of the compute bench and the documents of their engines. Constant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum {
	MBUFS = 4096,
	MBUFS_WORKERS = 16384,
	ROUTES_FROM = 32 << 24,
	ROUTE_SHIFT = 10,      /* addresses from one route to the next */
	BACKENDS = 4,          /* on the link */
	BACKENDS_ROUTED = 1000 /* behind routes */
};

#define FIREWALL                                                                                            \
	"{ name = \"fw\"; kind = \"firewall\"; config = { zones = ( { name = \"in\"; ports = [ \"lan\" ]; " \
	"} ); "                                                                                             \
	"rules = ( %r { name = \"out\"; from = \"in\"; action = \"accept\"; } ); }; }"
#define NAT                                                                                           \
	"{ name = \"nat\"; kind = \"nat\"; config = { mappings = 1500000; pools = ( { name = \"p\"; " \
	"addresses = [ \"203.0.113.0-203.0.113.63\" ]; } ); }; }"
#define LB                                                                                                   \
	"{ name = \"lb\"; kind = \"lb\"; config = { services = ( { name = \"s\"; address = \"198.18.0.1\"; " \
	"protocol = \"udp\"; scheduler = \"maglev\"; backends = ( %b ); } ); }; }"
#define NOTHING(n) "{ name = \"c" #n "\"; kind = \"count\"; }"

#define CHAIN3 "\"fw\", \"nat\", \"lb\",", FIREWALL "," NAT "," LB

const struct bench_case bench_cases[] = {
	{ "null", "", "", 65536, .kind = BENCH_NULL },
	{ "path-0", "", "", 65536, .kind = BENCH_PACKETS },
	{ "path-4", "\"c1\", \"c2\", \"c3\", \"c4\",",
	  NOTHING(1) "," NOTHING(2) "," NOTHING(3) "," NOTHING(4), 65536, .kind = BENCH_PACKETS },
	{ "firewall-64k", "\"fw\",", FIREWALL, 65536, .kind = BENCH_PACKETS },
	{ "firewall-1m", "\"fw\",", FIREWALL, 1048576, .kind = BENCH_PACKETS },
	{ "nat-64k", "\"nat\",", NAT, 65536, .kind = BENCH_PACKETS },
	{ "nat-1m", "\"nat\",", NAT, 1048576, .kind = BENCH_PACKETS },
	{ "chain2-64k", "\"fw\", \"nat\",", FIREWALL "," NAT, 65536, .kind = BENCH_PACKETS },
	{ "chain2-1m", "\"fw\", \"nat\",", FIREWALL "," NAT, 1048576, .kind = BENCH_PACKETS },
	{ "lb-64k", "\"lb\",", LB, 65536, .kind = BENCH_PACKETS, .targets = 1 },
	{ "lb-1m", "\"lb\",", LB, 1048576, .kind = BENCH_PACKETS, .targets = 1 },
	{ "chain3-64k", CHAIN3, 65536, .kind = BENCH_PACKETS, .targets = 1 },
	{ "chain3-1m", CHAIN3, 1048576, .kind = BENCH_PACKETS, .targets = 1 },
	{ "router-900k", "", "", 65536, .kind = BENCH_PACKETS, .routes = 900000 },
	{ "chain2-900k", "\"fw\", \"nat\",", FIREWALL "," NAT, 65536, .kind = BENCH_PACKETS,
	  .routes = 900000 },
	{ "chain2-900k-1m", "\"fw\", \"nat\",", FIREWALL "," NAT, 1048576, .kind = BENCH_PACKETS,
	  .routes = 900000 },
	{ "chain3-900k", CHAIN3, 65536, .kind = BENCH_PACKETS, .routes = 900000, .targets = 1 },
	{ "chain3-900k-1m", CHAIN3, 1048576, .kind = BENCH_PACKETS, .routes = 900000, .targets = 1 },
	{ "sessions-firewall", "\"fw\",", FIREWALL, 131072, .kind = BENCH_OPENINGS },
	{ "sessions-firewall-10k", "\"fw\",", FIREWALL, 131072, .kind = BENCH_OPENINGS, .rules = 10000 },
	{ "sessions-nat", "\"nat\",", NAT, 131072, .kind = BENCH_OPENINGS },
	{ "sessions-lb", "\"lb\",", LB, 131072, .kind = BENCH_OPENINGS, .targets = 1 },
	{ "sessions-900k", "", "", 131072, .kind = BENCH_OPENINGS, .routes = 900000 },
	{ "acl-1k", "", "", 1000, .kind = BENCH_RULES },
	{ "acl-10k", "", "", 10000, .kind = BENCH_RULES },
	{ .name = NULL },
};

const struct bench_case *bench_case(const char *name)
{
	for (const struct bench_case *c = bench_cases; c->name; c++)
		if (strcmp(c->name, name) == 0)
			return c;
	return NULL;
}

/* Clients and backends are behind the routes then, each in its half of them: destinations of both directions are all over them. */
static bool both_sides(const struct bench_case *c)
{
	return c->routes && c->targets;
}

/* Rules that are for other traffic than the bench's, and must be gone through all the same. */
static void write_rules(FILE *out, const struct bench_case *c)
{
	for (uint32_t i = 0; i < c->rules; i++)
		fprintf(out,
		        "{ name = \"r%u\"; from = \"in\"; action = \"drop\"; protocol = \"%s\"; source = [ "
		        "\"10.%u.%u.0/24\" ]; "
		        "destination = [ \"172.16.%u.%u/32\" ]; destinationPorts = \"%u\"; }, ",
		        i, i % 3 ? "tcp" : "udp", i % 64, i % 251, i / 251 % 256, i % 256, 1 + i % 10000);
}

static void write_backends(FILE *out, const struct bench_case *c)
{
	uint32_t count = both_sides(c) ? BACKENDS_ROUTED : BACKENDS,
	         first = (198u << 24) + (51 << 16) + (100 << 8), apart = 1;

	if (both_sides(c)) {
		first = ROUTES_FROM + ((c->routes / 2) << ROUTE_SHIFT);
		apart = (c->routes / 2 / count) << ROUTE_SHIFT;
	}
	for (uint32_t i = 0; i < count; i++) {
		uint32_t address = first + i * apart + 10;

		fprintf(out, "%s{ name = \"b%u\"; address = \"%u.%u.%u.%u\"; port = 9000; }", i ? ", " : "",
		        i, address >> 24, address >> 16 & 0xff, address >> 8 & 0xff, address & 0xff);
	}
}

/* The case's functions; in them, %r stands for a firewall's further rules, %b for a load balancer's backends. */
static void write_functions(FILE *out, const struct bench_case *c)
{
	for (const char *at = c->functions; *at; at++)
		if (at[0] == '%' && at[1] == 'r' && at++)
			write_rules(out, c);
		else if (at[0] == '%' && at[1] == 'b' && at++)
			write_backends(out, c);
		else
			fputc(*at, out);
}

/* As many as a full table has, most of them /24, some inside wider ones, by 16 next hops (of each side); from 32.0.0.0 on, four /24 apart. */
static void write_routes(FILE *out, const struct bench_case *c)
{
	for (uint32_t i = 0; i < c->routes; i++) {
		unsigned length = i % 64 == 0 ? 16 : i % 8 == 1 ? 22 : 24;
		uint32_t prefix = (ROUTES_FROM + (i << ROUTE_SHIFT)) & ~(UINT32_MAX >> length);
		bool lan = both_sides(c) && i < c->routes / 2;

		fprintf(out, ",\n{ prefix = \"%u.%u.%u.0/%u\"; via = \"%s.%u\"; }", prefix >> 24,
		        prefix >> 16 & 0xff, prefix >> 8 & 0xff, length, lan ? "192.0.2" : "198.51.100",
		        200 + i % 16);
	}
}

/* The devices of the two ports. Sessions without answers may be a quarter of the table. */
static void write_ports(FILE *out, const struct bench_case *c, uint32_t flows)
{
	const char *answers = c->kind == BENCH_OPENINGS ? "silent=1" : "learn=1";

	fprintf(out, "{ name = \"lan\"; device = \"synth:?flows=%u", flows);
	if (c->targets)
		fprintf(out, "&targets=%u", c->targets);
	else if (c->routes)
		fprintf(out, "&to=%u&targets=%u", ROUTES_FROM, (c->routes - 1) << ROUTE_SHIFT);
	if (both_sides(c))
		fprintf(out, "&from=%u&sources=%u", ROUTES_FROM, (c->routes / 2 - 1) << ROUTE_SHIFT);
	fprintf(out,
	        "\"; addresses = [ \"192.0.2.1/24\" ]; },\n{ name = \"wan\"; device = "
	        "\"synth:?flows=%u&%s\"; "
	        "addresses = [ \"198.51.100.2/24\" ]; gateways = [ \"198.51.100.254\" ]; }",
	        flows, answers);
}

static void write_document(FILE *out, const struct bench_case *c, uint32_t flows, unsigned workers)
{
	fprintf(out, "engine = { workers = %u; sessions = %u; mbufs = %u; idle = \"poll\"; seed = 1; };\n",
	        workers, c->kind == BENCH_OPENINGS ? 5 * flows : flows + flows / 4,
	        workers > 1 ? MBUFS_WORKERS : MBUFS);
	fprintf(out, "edge = { ports = ( ");
	write_ports(out, c, flows);
	fprintf(out, " );\nroutes = ( { prefix = \"10.0.0.0/8\"; via = \"192.0.2.254\"; }");
	write_routes(out, c);
	fprintf(out, " ); };\nfunctions = ( ");
	write_functions(out, c);
	fprintf(out, " );\npaths = ( { name = \"all\"; path = [ \"lan\", %s \"wan\" ]; } );\n", c->path);
}

struct conf *bench_document(const struct bench_case *c, uint32_t flows, unsigned workers,
                            struct errors *errors)
{
	char *text = NULL;
	struct conf *document = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	write_document(out, c, flows, workers);
	if (fclose(out) == 0)
		document = conf_read_text(text, "bench", errors);
	free(text);
	return document;
}
