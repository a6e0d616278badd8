/* SPDX-License-Identifier: BSD-3-Clause */
/* The cases of the compute bench and the documents of their engines. Constant. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

enum { MBUFS = 4096, MBUFS_WORKERS = 16384 };

#define FIREWALL                                                                                            \
	"{ name = \"fw\"; kind = \"firewall\"; config = { zones = ( { name = \"in\"; ports = [ \"lan\" ]; " \
	"} ); "                                                                                             \
	"rules = ( %s { name = \"out\"; from = \"in\"; action = \"accept\"; } ); }; }"
#define NAT                                                                                           \
	"{ name = \"nat\"; kind = \"nat\"; config = { mappings = 1500000; pools = ( { name = \"p\"; " \
	"addresses = [ \"203.0.113.0-203.0.113.63\" ]; } ); }; }"
#define NOTHING(n) "{ name = \"c" #n "\"; kind = \"count\"; }"

const struct bench_case bench_cases[] = {
	{ "null", "", "", 65536, BENCH_NULL, 0 },
	{ "path-0", "", "", 65536, BENCH_PACKETS, 0 },
	{ "path-4", "\"c1\", \"c2\", \"c3\", \"c4\",",
	  NOTHING(1) "," NOTHING(2) "," NOTHING(3) "," NOTHING(4), 65536, BENCH_PACKETS, 0 },
	{ "firewall-64k", "\"fw\",", FIREWALL, 65536, BENCH_PACKETS, 0 },
	{ "firewall-1m", "\"fw\",", FIREWALL, 1048576, BENCH_PACKETS, 0 },
	{ "nat-64k", "\"nat\",", NAT, 65536, BENCH_PACKETS, 0 },
	{ "nat-1m", "\"nat\",", NAT, 1048576, BENCH_PACKETS, 0 },
	{ "chain2-64k", "\"fw\", \"nat\",", FIREWALL "," NAT, 65536, BENCH_PACKETS, 0 },
	{ "chain2-1m", "\"fw\", \"nat\",", FIREWALL "," NAT, 1048576, BENCH_PACKETS, 0 },
	{ "sessions-firewall", "\"fw\",", FIREWALL, 131072, BENCH_OPENINGS, 0 },
	{ "sessions-firewall-10k", "\"fw\",", FIREWALL, 131072, BENCH_OPENINGS, 10000 },
	{ "sessions-nat", "\"nat\",", NAT, 131072, BENCH_OPENINGS, 0 },
	{ "acl-1k", "", "", 1000, BENCH_RULES, 0 },
	{ "acl-10k", "", "", 10000, BENCH_RULES, 0 },
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

struct conf *bench_document(const struct bench_case *c, uint32_t flows, unsigned workers,
                            struct errors *errors)
{
	/* Sessions without answers may be a quarter of the table. */
	uint32_t room = c->kind == BENCH_OPENINGS ? 5 * flows : flows + flows / 4;
	const char *answers = c->kind == BENCH_OPENINGS ? "silent=1" : "learn=1";
	char *functions = functions_of(c), *text = NULL;
	struct conf *document = NULL;

	if (functions &&
	    asprintf(
	            &text,
	            "engine = { workers = %u; sessions = %u; mbufs = %u; idle = \"poll\"; seed = 1; };\n"
	            "edge = { ports = ( { name = \"lan\"; device = \"synth:?flows=%u\"; addresses = [ "
	            "\"192.0.2.1/24\" ]; },\n"
	            "  { name = \"wan\"; device = \"synth:?flows=%u&%s\"; addresses = [ "
	            "\"198.51.100.2/24\" ]; gateways = [ \"198.51.100.254\" ]; } );\n"
	            "  routes = ( { prefix = \"10.0.0.0/8\"; via = \"192.0.2.254\"; } ); };\n"
	            "functions = ( %s );\npaths = ( { name = \"all\"; path = [ \"lan\", %s \"wan\" ]; } );\n",
	            workers, room, workers > 1 ? MBUFS_WORKERS : MBUFS, flows, flows, answers, functions,
	            c->path) >= 0)
		document = conf_read_text(text, "bench", errors);
	free(text);
	free(functions);
	return document;
}
