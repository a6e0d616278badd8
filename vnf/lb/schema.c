/* SPDX-License-Identifier: BSD-3-Clause */
/* The load balancer's configuration. Static tables. */
#include "lb/checks.h"
#include "lb/names.h"

const char *const lb_schedulers[] = {
	"maglev",
	"round-robin",
	"weighted-round-robin",
	"least-connections",
	"weighted-least-connections",
	"source-hash",
	NULL,
};
const char *const lb_modes[] = { "nat", "full-nat", "direct", "ipip", "gre", "gue", NULL };
const char *const lb_syn_proxy[] = { "off", "auto", "on", NULL };
const char *const lb_protocols[] = { "tcp", "udp", "any", NULL };
const char *const lb_admins[] = { "enabled", "drain", "disabled", NULL };
static const char *const failures[] = { "reset", "keep", NULL };
static const char *const ends[] = { "last", "first", NULL };

#define LIMITS                                                                               \
	{ .name = "maxSessions",                                                             \
	  .type = SCHEMA_INT,                                                                \
	  .max = INT32_MAX,                                                                  \
	  .otherwise = "0",                                                                  \
	  .help = "Open sessions at once; 0: no limit." },                                   \
	        { .name = "newSessions",                                                     \
		  .type = SCHEMA_INT,                                                        \
		  .max = 1000000000,                                                         \
		  .unit = "sessions/s",                                                      \
		  .otherwise = "0",                                                          \
		  .help = "New sessions a second, of all workers together; 0: no limit." },  \
	{                                                                                    \
		.name = "newSessionsBurst", .type = SCHEMA_INT, .min = 1, .max = 1000000000, \
		.help = "New sessions at once; absent: a tenth of the rate."                 \
	}

static const struct schema source_members[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the sources." },
	{ .name = "addresses",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_STRING,
	  .min = 1,
	  .max = SOURCE_RANGES_MAX,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Addresses of one family: one, a range \"a-b\", or a prefix; of IPv6 all with the same "
	          "first "
	          "96 bits." },
	{ .name = "ports", .type = SCHEMA_PORTS, .otherwise = "1024-65535", .help = "Ports to give out." },
	{ .name = NULL },
};
static const struct schema backend_members[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the backend." },
	{ .name = "address",
	  .type = SCHEMA_ADDRESS,
	  .help = "Its address, of the service's family; or `host`." },
	{ .name = "host",
	  .type = SCHEMA_STRING,
	  .help = "A DNS name: each of its addresses of the service's family is a backend like this one." },
	{ .name = "port",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 65535,
	  .help = "Its port; absent: the one that the client asked for." },
	{ .name = "weight",
	  .type = SCHEMA_INT,
	  .max = 1000,
	  .otherwise = "1",
	  .help = "Its share; 0: no new sessions." },
	{ .name = "state",
	  .type = SCHEMA_ENUM,
	  .values = lb_admins,
	  .otherwise = "enabled",
	  .help = "\"drain\": no new sessions, old ones stay; \"disabled\": they end, too." },
	{ .name = "backup",
	  .type = SCHEMA_BOOL,
	  .otherwise = "false",
	  .help = "Used while no other backend of the service is up." },
	LIMITS,
	{ .name = NULL },
};
static const struct schema persistence_members[] = {
	{ .name = "seconds",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 604800,
	  .unit = "s",
	  .otherwise = "300",
	  .help = "How long a client is remembered since its last new session." },
	{ .name = "prefix4",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 32,
	  .otherwise = "32",
	  .help = "Bits of an IPv4 address that make a client." },
	{ .name = "prefix6",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 128,
	  .otherwise = "128",
	  .help = "Bits of an IPv6 address that make a client." },
	{ .name = NULL },
};
static const struct schema service_members[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the service." },
	{ .name = "address",
	  .type = SCHEMA_ADDRESS,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Virtual address; neighbours are answered for it." },
	{ .name = "protocol",
	  .type = SCHEMA_ENUM,
	  .values = lb_protocols,
	  .otherwise = "tcp",
	  .help = "Transport protocol; \"any\": whatever no other service of the address takes." },
	{ .name = "ports", .type = SCHEMA_PORTS, .help = "Port or range; absent: all. Not with \"any\"." },
	{ .name = "mode",
	  .type = SCHEMA_ENUM,
	  .values = lb_modes,
	  .otherwise = "nat",
	  .help = "\"nat\": the destination is rewritten, answers must come back this way; \"full-nat\": the "
	          "source, too. The others rewrite nothing, and backends answer clients themselves: "
	          "\"direct\" "
	          "sends packets to the backend's MAC, \"ipip\", \"gre\" and \"gue\" in a tunnel to its "
	          "address." },
	{ .name = "synProxy",
	  .type = SCHEMA_ENUM,
	  .values = lb_syn_proxy,
	  .otherwise = "off",
	  .help = "on: TCP clients are answered with a cookie, and a backend asked when they have "
	          "acknowledged it; "
	          "auto: while half-open sessions are many (`engine.synProxyAt`). Modes \"nat\" and "
	          "\"full-nat\"." },
	{ .name = "mtu",
	  .type = SCHEMA_INT,
	  .min = 1280,
	  .max = 65535,
	  .unit = "bytes",
	  .otherwise = "1500",
	  .help = "MTU of the way to backends in tunnels; senders of larger packets are told what fits." },
	{ .name = "fragment",
	  .type = SCHEMA_BOOL,
	  .otherwise = "false",
	  .help = "true: tunnels over IPv4 are fragmented instead." },
	{ .name = "guePort",
	  .type = SCHEMA_INT,
	  .min = 1,
	  .max = 65535,
	  .otherwise = "6080",
	  .help = "UDP port of GUE at the backends." },
	{ .name = "source",
	  .type = SCHEMA_NAME,
	  .help = "Sources of mode \"full-nat\"; absent: the first of the service's family." },
	{ .name = "scheduler",
	  .type = SCHEMA_ENUM,
	  .values = lb_schedulers,
	  .otherwise = "maglev",
	  .help = "How a new session's backend is chosen; Maglev and source hash obey weights, too." },
	{ .name = "tableSize",
	  .type = SCHEMA_INT,
	  .min = 101,
	  .max = 1048583,
	  .otherwise = "65537",
	  .help = "Entries of the table of Maglev and source hash; a prime, above 100 times the backends." },
	{ .name = "slowStart",
	  .type = SCHEMA_INT,
	  .max = 86400,
	  .unit = "s",
	  .otherwise = "0",
	  .help = "Time in which the weight of a backend that comes up grows to what it is." },
	{ .name = "onFailure",
	  .type = SCHEMA_ENUM,
	  .values = failures,
	  .otherwise = "reset",
	  .help = "Sessions of a backend that fails: ended (TCP is reset), or kept." },
	{ .name = "health",
	  .type = SCHEMA_GROUP,
	  .members = health_check_schema,
	  .help = "How backends are checked; absent: they are not, and count as up." },
	{ .name = "persistence",
	  .type = SCHEMA_GROUP,
	  .members = persistence_members,
	  .help = "A client is given the backend that it had; absent: not so." },
	{ .name = "allow",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_PREFIX,
	  .max = LB_PREFIXES_MAX,
	  .help = "Clients that are served; none: all." },
	{ .name = "deny",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_PREFIX,
	  .max = LB_PREFIXES_MAX,
	  .help = "Clients that are not; goes before \"allow\"." },
	LIMITS,
	{ .name = "backends",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = backend_members,
	  .max = LB_SERVICE_BACKENDS_MAX,
	  .help = "Who serves." },
	{ .name = NULL },
};

const struct schema lb_schema[] = {
	{ .name = "services",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = service_members,
	  .max = LB_SERVICES_MAX,
	  .help = "Virtual services." },
	{ .name = "sources",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = source_members,
	  .max = SOURCE_POOLS_MAX,
	  .help = "Addresses that mode \"full-nat\" sends from; neighbours are answered for them." },
	{ .name = "health",
	  .type = SCHEMA_GROUP,
	  .members = lb_health_schema,
	  .help = "Where checks of backends come from." },
	{ .name = "resolver",
	  .type = SCHEMA_GROUP,
	  .members = lb_resolver_schema,
	  .help = "How names of backends are looked up: from the process's network namespace." },
	{ .name = "tunnelSources",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_ADDRESS,
	  .max = 2,
	  .help = "Source addresses of tunnels, at most one of each family." },
	{ .name = "clients",
	  .type = SCHEMA_ENUM,
	  .values = ends,
	  .otherwise = "last",
	  .help = "End of the path at which neighbours are answered for virtual addresses; for sources it is "
	          "the "
	          "other one." },
	{ .name = "persistenceEntries",
	  .type = SCHEMA_INT,
	  .min = 1024,
	  .max = 16 << 20,
	  .otherwise = "65536",
	  .help = "Clients that are remembered, a worker. For the life of the function." },
	{ .name = NULL },
};
