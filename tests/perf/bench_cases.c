/* SPDX-License-Identifier: BSD-3-Clause */
/* The cases of the compute bench and the documents of their engines. Constant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { MBUFS = 4096, MBUFS_WORKERS = 16384, ROUTES_FROM = 32 << 24 };

#define FIREWALL                                                                                            \
	"{ name = \"fw\"; kind = \"firewall\"; config = { zones = ( { name = \"in\"; ports = [ \"lan\" ]; " \
	"} ); "                                                                                             \
	"rules = ( %s { name = \"out\"; from = \"in\"; action = \"accept\"; } ); }; }"
#define NAT                                                                                           \
	"{ name = \"nat\"; kind = \"nat\"; config = { mappings = 1500000; pools = ( { name = \"p\"; " \
	"addresses = [ \"203.0.113.0-203.0.113.63\" ]; } ); }; }"
#define LB                                                                                                   \
	"{ name = \"lb\"; kind = \"lb\"; config = { services = ( { name = \"s\"; address = \"198.18.0.1\"; " \
	"protocol = \"udp\"; scheduler = \"maglev\"; backends = ( " BACKEND(10) ", " BACKEND(                \
	        11) ", " BACKEND(12) ", " BACKEND(13) " ); } ); }; }"
#define BACKEND(n) "{ name = \"b" #n "\"; address = \"198.51.100." #n "\"; port = 9000; }"
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

/* Rules that are for other traffic than the bench's, and must be gone through all the same. */
static char *other_rules(uint32_t count)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (uint32_t i = 0; i < count; i++)
		fprintf(out,
		        "{ name = \"r%u\"; from = \"in\"; action = \"drop\"; protocol = \"%s\"; source = [ "
		        "\"10.%u.%u.0/24\" ]; "
		        "destination = [ \"172.16.%u.%u/32\" ]; destinationPorts = \"%u\"; }, ",
		        i, i % 3 ? "tcp" : "udp", i % 64, i % 251, i / 251 % 256, i % 256, 1 + i % 10000);
	fclose(out);
	return text;
}

/* A firewall's rules are the only argument that functions have. */
static char *functions_of(const struct bench_case *c)
{
	char *rules = other_rules(c->rules), *text = NULL;
	const char *at = strstr(c->functions, "%s");
	int length = at ? (int)(at - c->functions) : 0;

	if (rules && asprintf(&text, "%.*s%s%s", length, c->functions, at ? rules : "",
	                      c->functions + length + (at ? 2 : 0)) < 0)
		text = NULL;
	free(rules);
	return text;
}

/* As many as a full table has, most of them /24, some inside wider ones, by 16 next hops; from 32.0.0.0 on, four /24 apart. */
static void write_routes(FILE *out, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		unsigned length = i % 64 == 0 ? 16 : i % 8 == 1 ? 22 : 24;
		uint32_t prefix = (ROUTES_FROM + (i << 10)) & ~(UINT32_MAX >> length);

		fprintf(out, ",\n{ prefix = \"%u.%u.%u.0/%u\"; via = \"198.51.100.%u\"; }", prefix >> 24,
		        prefix >> 16 & 0xff, prefix >> 8 & 0xff, length, 200 + i % 16);
	}
}

/* The devices of the two ports. Sessions without answers may be a quarter of the table. */
static void write_ports(FILE *out, const struct bench_case *c, uint32_t flows)
{
	const char *answers = c->kind == BENCH_OPENINGS ? "silent=1" : "learn=1";

	fprintf(out, "{ name = \"lan\"; device = \"synth:?flows=%u", flows);
	if (c->routes)
		fprintf(out, "&to=%u&targets=%u", ROUTES_FROM, (c->routes - 1) << 10);
	else if (c->targets)
		fprintf(out, "&targets=%u", c->targets);
	fprintf(out,
	        "\"; addresses = [ \"192.0.2.1/24\" ]; },\n{ name = \"wan\"; device = "
	        "\"synth:?flows=%u&%s\"; "
	        "addresses = [ \"198.51.100.2/24\" ]; gateways = [ \"198.51.100.254\" ]; }",
	        flows, answers);
}

static void write_document(FILE *out, const struct bench_case *c, uint32_t flows, unsigned workers,
                           const char *functions)
{
	fprintf(out, "engine = { workers = %u; sessions = %u; mbufs = %u; idle = \"poll\"; seed = 1; };\n",
	        workers, c->kind == BENCH_OPENINGS ? 5 * flows : flows + flows / 4,
	        workers > 1 ? MBUFS_WORKERS : MBUFS);
	fprintf(out, "edge = { ports = ( ");
	write_ports(out, c, flows);
	fprintf(out, " );\nroutes = ( { prefix = \"10.0.0.0/8\"; via = \"192.0.2.254\"; }");
	write_routes(out, c->routes);
	fprintf(out,
	        " ); };\nfunctions = ( %s );\npaths = ( { name = \"all\"; path = [ \"lan\", %s \"wan\" ]; } "
	        ");\n",
	        functions, c->path);
}

struct conf *bench_document(const struct bench_case *c, uint32_t flows, unsigned workers,
                            struct errors *errors)
{
	char *functions = functions_of(c), *text = NULL;
	struct conf *document = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (functions && out)
		write_document(out, c, flows, workers, functions);
	if (out && fclose(out) == 0 && functions)
		document = conf_read_text(text, "bench", errors);
	free(text);
	free(functions);
	return document;
}
