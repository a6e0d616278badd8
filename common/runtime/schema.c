/* SPDX-License-Identifier: BSD-3-Clause */
/* The schema of the engine's document (docs/ENGINE.md). Static tables. */
#include "runtime/engine.h"

static const char *const idle_values[] = { "adaptive", "poll", NULL };
static const char *const failure_values[] = { "drop", "bypass", NULL };

/* In the order of enum session_class; the members of `timeouts` are read in this order. */
static const struct schema timeout_schema[] = {
	{ .name = "tcpOpening", .type = SCHEMA_INT, .unit = "s", .min = 1, .max = 1000000, .otherwise = "30",
	  .help = "TCP, until the handshake is complete." },
	{ .name = "tcpEstablished", .type = SCHEMA_INT, .unit = "s", .min = 1, .max = 1000000, .otherwise = "7440",
	  .help = "TCP, established and silent (RFC 5382: at least 2 h 4 min)." },
	{ .name = "tcpClosing", .type = SCHEMA_INT, .unit = "s", .min = 1, .max = 1000000, .otherwise = "240",
	  .help = "TCP, after FIN or RST (RFC 5382: 4 min)." },
	{ .name = "udp", .type = SCHEMA_INT, .unit = "s", .min = 1, .max = 1000000, .otherwise = "300",
	  .help = "UDP, answered (RFC 4787: at least 2 min, 5 min advised)." },
	{ .name = "udpOpening", .type = SCHEMA_INT, .unit = "s", .min = 1, .max = 1000000, .otherwise = "120",
	  .help = "UDP, not yet answered (RFC 4787: at least 2 min)." },
	{ .name = "icmp", .type = SCHEMA_INT, .unit = "s", .min = 1, .max = 1000000, .otherwise = "60",
	  .help = "ICMP queries (RFC 5508: at least 60 s)." },
	{ .name = "other", .type = SCHEMA_INT, .unit = "s", .min = 1, .max = 1000000, .otherwise = "120",
	  .help = "Any other protocol." },
	{ .name = NULL },
};

static const struct schema sizes_schema[] = {
	{ .name = "name", .type = SCHEMA_NAME, .otherwise = "engine", .help = "Name of this process, for people." },
	{ .name = "workers", .type = SCHEMA_INT, .min = 1, .max = ENGINE_WORKERS_MAX, .otherwise = "1",
	  .help = "Threads that move packets. For the life of the process." },
	{ .name = "sessions", .type = SCHEMA_INT, .min = 1024, .max = 64 << 20, .otherwise = "65536",
	  .help = "IPv4 sessions, over all workers. For the life of the process." },
	{ .name = "sessions6", .type = SCHEMA_INT, .min = 1024, .max = 64 << 20, .otherwise = "16384",
	  .help = "IPv6 sessions, over all workers. For the life of the process." },
	{ .name = "mbufs", .type = SCHEMA_INT, .min = 1024, .max = 1 << 20, .otherwise = "8192",
	  .help = "Packet buffers. For the life of the process." },
	{ .name = "idle", .type = SCHEMA_ENUM, .values = idle_values, .otherwise = "adaptive",
	  .help = "What a worker without packets does: nap, or poll for those who own the core." },
	{ .name = "seed", .type = SCHEMA_INT, .min = 0, .max = 0x7fffffff, .otherwise = "0",
	  .help = "0: random choices are random; else reproducible, for comparisons." },
	{ .name = "timeouts", .type = SCHEMA_GROUP, .members = timeout_schema, .help = "Idle times of sessions." },
	{ .name = NULL },
};

static const struct schema function_schema[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the function, unique in the service." },
	{ .name = "kind", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Its class: \"firewall\", \"nat\"." },
	{ .name = "config", .type = SCHEMA_ANY, .help = "Its configuration, by the schema of its class." },
	{ .name = NULL },
};

static const struct schema hop_schema[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the function behind the hop." },
	{ .name = "kind", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Its class." },
	{ .name = "path", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "The path that this pair of links serves." },
	{ .name = "a", .type = SCHEMA_STRING, .flags = SCHEMA_REQUIRED, .help = "Device of the link that faces the path's first port." },
	{ .name = "b", .type = SCHEMA_STRING, .flags = SCHEMA_REQUIRED, .help = "Device of the link that faces its last." },
	{ .name = "onFailure", .type = SCHEMA_ENUM, .values = failure_values, .otherwise = "drop",
	  .help = "What to do while the function is not there." },
	{ .name = "config", .type = SCHEMA_ANY, .help = "Shadow of its configuration, for claims and owners." },
	{ .name = NULL },
};

static const struct schema path_schema[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the path." },
	{ .name = "path", .type = SCHEMA_ARRAY, .element = SCHEMA_NAME, .min = 2, .max = PATH_POSITIONS_MAX + 2,
	  .flags = SCHEMA_REQUIRED, .help = "First port, functions and hops in order, last port." },
	{ .name = "symmetric", .type = SCHEMA_BOOL, .otherwise = "true", .help = "Sessions may also begin at the last port." },
	{ .name = "priority", .type = SCHEMA_INT, .min = -1000000, .max = 1000000, .otherwise = "0",
	  .help = "Paths of higher priority are asked first." },
	{ .name = "onFailure", .type = SCHEMA_ENUM, .values = failure_values, .otherwise = "drop",
	  .help = "What to do while a hop is not there." },
	{ .name = "match", .type = SCHEMA_LIST, .members = nfp_schema, .help = "What the path takes; none: everything." },
	{ .name = NULL },
};

const struct schema engine_schema[] = {
	{ .name = "engine", .type = SCHEMA_GROUP, .members = sizes_schema, .help = "Sizes and times of the process." },
	{ .name = "edge", .type = SCHEMA_GROUP, .members = edge_schema, .help = "Outside ports, addresses, routes." },
	{ .name = "functions", .type = SCHEMA_LIST, .key = "name", .members = function_schema, .max = ENGINE_NFS_MAX,
	  .help = "Functions placed in this process." },
	{ .name = "hops", .type = SCHEMA_LIST, .members = hop_schema, .max = ENGINE_HOPS_MAX, .help = "Functions placed elsewhere." },
	{ .name = "paths", .type = SCHEMA_LIST, .key = "name", .members = path_schema, .max = ENGINE_PATHS_MAX,
	  .help = "The ways that packets take." },
	{ .name = NULL },
};
