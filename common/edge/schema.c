/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the edge shows to people: the schema of its configuration and the names of its counters. Static const data.
 */
#include "config/shared.h"
#include "edge/edge.h"

static const char *const modes[] = { "routed", "transparent", "link", NULL };

static const struct schema port_schema[] = {
	SHARED_PORT_ROWS,
	{ .name = "as",
	  .type = SCHEMA_NAME,
	  .help = "Mode link: name of the outside port that this link stands for." },
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
	{ .name = "routes", .type = SCHEMA_LIST, .members = routes_schema, .help = "Static routes." },
	SHARED_UNMATCHED_ROW,
	SHARED_TRANSPARENT_ROWS,
	{ .name = "separateVlans",
	  .type = SCHEMA_BOOL,
	  .otherwise = "false",
	  .help = "Mode link: the same addresses and ports in two VLANs are two sessions, as they always are "
	          "in mode "
	          "transparent; set where the service is." },
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
	[EDGE_C_LOCAL_FRAGMENT] = { "local-fragment",
	                            "Fragment for an own address whose datagram did not become whole", true },
	[EDGE_C_SPOOFED] = { "spoofed", "From outside, with an own address as source", true },
	[EDGE_C_MULTICAST] = { "multicast", "Multicast or broadcast that nobody wants", true },
	[EDGE_C_BAD_ARP] = { "bad-neighbour", "Malformed or spoofed ARP or neighbour discovery", true },
	[EDGE_C_NOT_IP] = { "not-ip", "Neither IP nor ARP", true },
	[EDGE_C_NOT_PASSED] = { "not-passed", "Of a kind that the transparent edge is told to drop", true },
	[EDGE_C_NO_BUFFER] = { "no-buffer", "No buffer for the fragments of a packet", true },
	[EDGE_C_DELIVERED] = { "delivered", "Taken in by the edge itself: ARP, ND, ICMP", false },
	[EDGE_C_ORIGINATED] = { "originated", "Made by the edge: ARP, ND, ICMP, further fragments", false },
	[EDGE_C_HELD] = { "held", "Waiting for a neighbour now", false },
	[EDGE_C_CONFLICT] = { "address-conflict", "ARP or ND by which somebody else has an own address",
	                      false },
	[EDGE_C_GATHERED] = { "gathered", "Fragments for an own address that wait for the rest now", false },
};
