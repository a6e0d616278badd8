/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the edge shows to people: the schema of its configuration and the names of its counters. Static const data.
 */
#include "edge/edge.h"

static const char *const modes[] = { "routed", "transparent", "link", NULL };
static const char *const unmatched[] = { "drop", "route", "pass", NULL };
static const char *const pass_or_drop[] = { "pass", "drop", NULL };
static const char *const actions[] = { "forward", "blackhole", "reject", NULL };

static const struct schema port_schema[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the port." },
	{ .name = "device",
	  .type = SCHEMA_STRING,
	  .flags = SCHEMA_REQUIRED,
	  .help = "What carries the port, as KIND:WHAT (af_packet:eth1, pci:0000:03:00.0, vhost:/run/x)." },
	{ .name = "addresses",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_INTERFACE_ADDRESS,
	  .max = 64,
	  .help = "Own addresses with the lengths of their subnets; answered by ARP, ND and echo." },
	{ .name = "gateways",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_ADDRESS,
	  .max = 2,
	  .help = "Next hops of default routes by this port, at most one of each family." },
	{ .name = "mtu",
	  .type = SCHEMA_INT,
	  .unit = "bytes",
	  .min = 576,
	  .max = 9216,
	  .otherwise = "1500",
	  .help = "Largest IP packet that the port sends." },
	{ .name = "mac", .type = SCHEMA_MAC, .help = "MAC address of the port, if not the device's own." },
	{ .name = "netns",
	  .type = SCHEMA_STRING,
	  .help = "Network namespace in which the device is looked for." },
	{ .name = "pair",
	  .type = SCHEMA_NAME,
	  .help = "Mode transparent: the port that this one is joined to; one of the two says so." },
	{ .name = "as",
	  .type = SCHEMA_NAME,
	  .help = "Mode link: name of the outside port that this link stands for." },
	{ .name = NULL },
};

static const struct schema route_schema[] = {
	{ .name = "prefix", .type = SCHEMA_PREFIX, .flags = SCHEMA_REQUIRED, .help = "Destination." },
	{ .name = "via", .type = SCHEMA_ADDRESS, .help = "Next hop, on a subnet of a port." },
	{ .name = "port",
	  .type = SCHEMA_NAME,
	  .help = "Port of the next hop; without a next hop the destination itself is on the port's link." },
	{ .name = "action",
	  .type = SCHEMA_ENUM,
	  .values = actions,
	  .otherwise = "forward",
	  .help = "forward, or drop in silence (blackhole), or with an ICMP unreachable (reject)." },
	{ .name = NULL },
};

const struct schema edge_schema[] = {
	{ .name = "mode",
	  .type = SCHEMA_ENUM,
	  .values = modes,
	  .otherwise = "routed",
	  .help = "routed: an IP router with ARP and ND; transparent: a bump in the wire between pairs of "
	          "ports; link: the inner end of a hop, blind to addresses." },
	{ .name = "ports",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = port_schema,
	  .max = EDGE_PORTS_MAX,
	  .help = "Outside ports." },
	{ .name = "routes", .type = SCHEMA_LIST, .members = route_schema, .help = "Static routes." },
	{ .name = "unmatched",
	  .type = SCHEMA_ENUM,
	  .values = unmatched,
	  .otherwise = "drop",
	  .help = "What becomes of packets that belong to no path: drop, or route (mode routed) or pass "
	          "(mode transparent) past all "
	          "functions." },
	{ .name = "neighbours",
	  .type = SCHEMA_ENUM,
	  .values = pass_or_drop,
	  .otherwise = "pass",
	  .help = "Mode transparent: ARP, and ICMPv6 neighbour, router and group messages." },
	{ .name = "linkLocal",
	  .type = SCHEMA_ENUM,
	  .values = pass_or_drop,
	  .otherwise = "drop",
	  .help = "Mode transparent: frames that bridges keep to themselves (STP, LACP, 802.1X, LLDP)." },
	{ .name = "nonIp",
	  .type = SCHEMA_ENUM,
	  .values = pass_or_drop,
	  .otherwise = "drop",
	  .help = "Mode transparent: any other frame that is not IP." },
	{ .name = NULL },
};

const struct edge_counter_info edge_counters[EDGE_COUNTERS] = {
	[EDGE_C_TTL_EXCEEDED] = { "ttl-exceeded", "TTL or hop limit used up", true },
	[EDGE_C_NO_ROUTE] = { "no-route", "No route to the destination", true },
	[EDGE_C_BLACKHOLE] = { "blackhole", "Destination has a blackhole route", true },
	[EDGE_C_REJECTED] = { "rejected", "Destination has a reject route", true },
	[EDGE_C_HOLD_FULL] = { "hold-full", "Too many packets wait for neighbours", true },
	[EDGE_C_HOLD_TIMEOUT] = { "hold-timeout", "The next hop did not answer ARP or ND", true },
	[EDGE_C_TOO_BIG] = { "too-big", "Larger than the MTU and not to be fragmented", true },
	[EDGE_C_NOT_FOR_ME] = { "not-for-me", "Unicast frame to the MAC of somebody else", true },
	[EDGE_C_LOCAL_UNKNOWN] = { "local-unknown", "For an own address, but nobody listens there", true },
	[EDGE_C_LOCAL_FRAGMENT] = { "local-fragment", "A fragment for an own address", true },
	[EDGE_C_SPOOFED] = { "spoofed", "From outside, with an own address as source", true },
	[EDGE_C_MULTICAST] = { "multicast", "Multicast or broadcast that nobody wants", true },
	[EDGE_C_BAD_ARP] = { "bad-neighbour", "Malformed or spoofed ARP or neighbour discovery", true },
	[EDGE_C_NOT_IP] = { "not-ip", "Neither IP nor ARP", true },
	[EDGE_C_NOT_PASSED] = { "not-passed", "Of a kind that the transparent edge is told to drop", true },
	[EDGE_C_NO_BUFFER] = { "no-buffer", "No buffer for the fragments of a packet", true },
	[EDGE_C_DELIVERED] = { "delivered", "Taken in by the edge itself: ARP, ND, ICMP", false },
	[EDGE_C_ORIGINATED] = { "originated", "Made by the edge: ARP, ND, ICMP, further fragments", false },
	[EDGE_C_HELD] = { "held", "Waiting for a neighbour now", false },
};
