/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a service's descriptor and the documents of its processes have in common, described once: timeouts, routes and
 * matches as tables, and the rows of tables that each of the two completes with rows of its own. Static const data; any thread.
 */
#ifndef SLUICE_CONFIG_SHARED_H
#define SLUICE_CONFIG_SHARED_H

#include "config/schema.h"

/* Threads that move packets in a process; functions between the two ends of a path; functions in a process. */
enum { SHARED_WORKERS_MAX = 32, SHARED_POSITIONS_MAX = 15, SHARED_FUNCTIONS_MAX = 32 };

extern const char *const shared_idle[];
extern const char *const shared_failure[];
extern const char *const shared_unmatched[];
extern const char *const shared_pass_or_drop[];
extern const char *const shared_absent[];
extern const char *const shared_link_states[];
/* Of match_schema, in the order in which its readers know them. */
extern const char *const shared_protocols[];
extern const char *const shared_families[];

/* Idle times, in the order of enum session_class (flow/session.h). */
extern const struct schema timeouts_schema[];
/* One static route. */
extern const struct schema routes_schema[];
/* One rule of what a path takes. */
extern const struct schema match_schema[];

/* clang-format off */
/* Sizes and times of a process. */
#define SHARED_ENGINE_ROWS \
	{ .name = "workers", \
	  .type = SCHEMA_INT, \
	  .min = 1, \
	  .max = SHARED_WORKERS_MAX, \
	  .otherwise = "1", \
	  .help = "Threads that move packets, at most workersMax; sessions go with their packets " \
	          "when it changes." }, \
	{ .name = "workersMax", \
	  .type = SCHEMA_INT, \
	  .min = 0, \
	  .max = SHARED_WORKERS_MAX, \
	  .otherwise = "0", \
	  .help = "How many workers there can be, each with its share of memory and a core; 0: as " \
	          "many as `workers`. For the life of a process." }, \
	{ .name = "sessions", \
	  .type = SCHEMA_INT, \
	  .min = 1024, \
	  .max = 64 << 20, \
	  .otherwise = "65536", \
	  .help = "IPv4 sessions, over workersMax workers. For the life of a process." }, \
	{ .name = "sessions6", \
	  .type = SCHEMA_INT, \
	  .min = 1024, \
	  .max = 64 << 20, \
	  .otherwise = "16384", \
	  .help = "IPv6 sessions, over workersMax workers. For the life of a process." }, \
	{ .name = "mbufs", \
	  .type = SCHEMA_INT, \
	  .min = 0, \
	  .max = 1 << 20, \
	  .otherwise = "0", \
	  .help = "Packet buffers of a process (2.3 KB each, more with a larger MTU); 0: chosen by workers and ports at " \
	          "the start, at least 8192. For the life of a process." }, \
	{ .name = "mtuMax", \
	  .type = SCHEMA_INT, \
	  .unit = "bytes", \
	  .min = 0, \
	  .max = 9216, \
	  .otherwise = "0", \
	  .help = "Largest MTU that a port may ever have: packet buffers are made for it; 0: the largest that one has " \
	          "at the start. For the life of a process." }, \
	{ .name = "idle", \
	  .type = SCHEMA_ENUM, \
	  .values = shared_idle, \
	  .otherwise = "adaptive", \
	  .help = "What a worker without packets does: nap, or poll for those who own the core." }, \
	{ .name = "verifyTcp", \
	  .type = SCHEMA_BOOL, \
	  .otherwise = "false", \
	  .help = "TCP segments with SYN, FIN or RST whose checksum is wrong are dropped, and do not " \
	          "move the tracking." }, \
	{ .name = "synProxyAt", \
	  .type = SCHEMA_INT, \
	  .unit = "%", \
	  .min = 1, \
	  .max = 100, \
	  .otherwise = "50", \
	  .help = "How much of the room for half-open sessions (a quarter of each worker's) is taken when `synProxy` " \
	          "\"auto\" begins." }, \
	{ .name = "pickup", \
	  .type = SCHEMA_INT, \
	  .unit = "s", \
	  .min = 0, \
	  .max = 3600, \
	  .otherwise = "60", \
	  .help = "After a start that cannot read the sessions that the process before left: how " \
	          "long functions take up TCP and SCTP from their middle where rules allow it; 0: " \
	          "never." }, \
	{ .name = "drain", \
	  .type = SCHEMA_INT, \
	  .unit = "s", \
	  .min = 0, \
	  .max = 31536000, \
	  .otherwise = "604800", \
	  .help = "How long sessions go on through a function that rewrote them (NAT, load balancer) and was " \
	          "taken out of their path; 0: they end at once." }, \
	{ .name = "seed", \
	  .type = SCHEMA_INT, \
	  .min = 0, \
	  .max = 0x7fffffff, \
	  .otherwise = "0", \
	  .help = "0: random choices are random; else reproducible, for comparisons." }, \
	{ .name = "timeouts", \
	  .type = SCHEMA_GROUP, \
	  .members = timeouts_schema, \
	  .help = "Idle times of sessions." }

/* An outside port. */
#define SHARED_PORT_ROWS \
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the port." }, \
	{ .name = "device", \
	  .type = SCHEMA_STRING, \
	  .flags = SCHEMA_REQUIRED, \
	  .help = "What carries the port, as KIND:WHAT (af_packet:eth1, pci:0000:03:00.0, " \
	          "vhost:/run/x)." }, \
	{ .name = "netns", \
	  .type = SCHEMA_NAME, \
	  .help = "Network namespace in which the device is looked for." }, \
	{ .name = "absent", \
	  .type = SCHEMA_ENUM, \
	  .values = shared_absent, \
	  .otherwise = "refuse", \
	  .help = "What if the interface or namespace is not there when the port is to open: refuse the " \
	          "configuration, or wait for it." }, \
	{ .name = "addresses", \
	  .type = SCHEMA_ARRAY, \
	  .element = SCHEMA_INTERFACE_ADDRESS, \
	  .max = 64, \
	  .help = "Own addresses with the lengths of their subnets; answered by ARP, ND and echo." }, \
	{ .name = "gateways", \
	  .type = SCHEMA_ARRAY, \
	  .element = SCHEMA_ADDRESS, \
	  .max = 2, \
	  .help = "Next hops of default routes by this port, at most one of each family." }, \
	{ .name = "mtu", \
	  .type = SCHEMA_INT, \
	  .unit = "bytes", \
	  .min = 576, \
	  .max = 9216, \
	  .otherwise = "1500", \
	  .help = "Largest IP packet that the port sends." }, \
	{ .name = "mac", .type = SCHEMA_MAC, .help = "MAC address of the port, if not the device's own." }, \
	{ .name = "pair", \
	  .type = SCHEMA_NAME, \
	  .help = "Mode transparent: the port that this one is joined to; one of the two says so." }

/* What a transparent edge lets by beside IP. */
#define SHARED_TRANSPARENT_ROWS \
	{ .name = "neighbours", \
	  .type = SCHEMA_ENUM, \
	  .values = shared_pass_or_drop, \
	  .otherwise = "pass", \
	  .help = "Mode transparent: ARP, and ICMPv6 neighbour, router and group messages." }, \
	{ .name = "linkLocal", \
	  .type = SCHEMA_ENUM, \
	  .values = shared_pass_or_drop, \
	  .otherwise = "drop", \
	  .help = "Mode transparent: frames that bridges keep to themselves (STP, LACP, 802.1X, LLDP)." }, \
	{ .name = "nonIp", \
	  .type = SCHEMA_ENUM, \
	  .values = shared_pass_or_drop, \
	  .otherwise = "drop", \
	  .help = "Mode transparent: any other frame that is not IP." }, \
	{ .name = "linkState", \
	  .type = SCHEMA_ENUM, \
	  .values = shared_link_states, \
	  .otherwise = "keep", \
	  .help = "Mode transparent: pass: a port that loses its link takes the other port of its pair " \
	          "down, until it has one again." }

/* What becomes of the rest. */
#define SHARED_UNMATCHED_ROW \
	{ .name = "unmatched", \
	  .type = SCHEMA_ENUM, \
	  .values = shared_unmatched, \
	  .otherwise = "drop", \
	  .help = "What becomes of packets that belong to no path: drop, or route (mode routed) or " \
	          "pass (mode transparent) past all functions." }

/* A way of packets: path of the engine, chain of a service. */
#define SHARED_PATH_ROWS \
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the path, or chain." }, \
	{ .name = "path", \
	  .type = SCHEMA_ARRAY, \
	  .element = SCHEMA_NAME, \
	  .min = 2, \
	  .max = SHARED_POSITIONS_MAX + 2, \
	  .flags = SCHEMA_REQUIRED, \
	  .help = "First port, functions in order, last port." }, \
	{ .name = "symmetric", \
	  .type = SCHEMA_BOOL, \
	  .otherwise = "true", \
	  .help = "Sessions may also begin at the last port." }, \
	{ .name = "priority", \
	  .type = SCHEMA_INT, \
	  .min = -1000000, \
	  .max = 1000000, \
	  .otherwise = "0", \
	  .help = "Paths of higher priority are asked first; among equals, in order." }, \
	{ .name = "onFailure", \
	  .type = SCHEMA_ENUM, \
	  .values = shared_failure, \
	  .otherwise = "drop", \
	  .help = "What to do while a function that runs elsewhere is not there; bypass only where " \
	          "it allows it." }, \
	{ .name = "match", \
	  .type = SCHEMA_LIST, \
	  .members = match_schema, \
	  .help = "What the path takes; none: everything." }
/* clang-format on */

#endif
