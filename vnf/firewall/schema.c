/* SPDX-License-Identifier: BSD-3-Clause */
/* The firewall's configuration. Static tables. */
#include "firewall/firewall.h"

static const char *const actions[] = { "accept", "drop", "reject", NULL };
static const char *const defaults[] = { "drop", "reject", "accept", NULL };
static const char *const syn_proxy[] = { "off", "auto", "on", NULL };
static const char *const redirects[] = { "drop", "accept", NULL };
static const char *const midstream[] = { "deny", "accept", NULL };

#define SERVICE_MEMBERS                                                                                     \
	{ .name = "protocol",                                                                               \
	  .type = SCHEMA_STRING,                                                                            \
	  .help = "any, tcp, udp, icmp, icmpv6, sctp, esp, gre, or a number from 0 to 255." },              \
	        { .name = "sourcePorts", .type = SCHEMA_PORTS, .help = "Source port or range." },           \
	        { .name = "destinationPorts", .type = SCHEMA_PORTS, .help = "Destination port or range." }, \
	        { .name = "icmpType",                                                                       \
		  .type = SCHEMA_INT,                                                                       \
		  .min = 0,                                                                                 \
		  .max = 255,                                                                               \
		  .help = "ICMP or ICMPv6 type." },                                                         \
	{                                                                                                   \
		.name = "icmpCode", .type = SCHEMA_INT, .min = 0, .max = 255, .help = "Its code."           \
	}

static const struct schema zone_members[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the zone." },
	{ .name = "ports",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_NAME,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Ports of the service that belong to it." },
	{ .name = NULL },
};
static const struct schema address_group_members[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the group." },
	{ .name = "prefixes",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_PREFIX,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Prefixes, IPv4 and IPv6." },
	{ .name = NULL },
};
static const struct schema service_members[] = { SERVICE_MEMBERS, { .name = NULL } };
static const struct schema service_group_members[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the group." },
	{ .name = "services",
	  .type = SCHEMA_LIST,
	  .members = service_members,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Services." },
	{ .name = NULL },
};
static const struct schema rule_members[] = {
	{ .name = "name",
	  .type = SCHEMA_NAME,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Name of the rule: its hits are kept by it." },
	{ .name = "from", .type = SCHEMA_NAME, .help = "Zone that the session begins in; absent: any." },
	{ .name = "to", .type = SCHEMA_NAME, .help = "Zone that it goes to; absent: any." },
	{ .name = "source",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_STRING,
	  .help = "Prefixes or address groups; absent: any." },
	{ .name = "destination",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_STRING,
	  .help = "Prefixes or address groups; absent: any." },
	SERVICE_MEMBERS,
	{ .name = "services",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_NAME,
	  .help = "Service groups, instead of one service in the rule." },
	{ .name = "action",
	  .type = SCHEMA_ENUM,
	  .values = actions,
	  .flags = SCHEMA_REQUIRED,
	  .help = "accept; drop in silence; reject with a TCP reset or an ICMP unreachable." },
	{ .name = "log",
	  .type = SCHEMA_BOOL,
	  .otherwise = "false",
	  .help = "Say so when a session meets the rule (rate-limited)." },
	{ .name = "synProxy",
	  .type = SCHEMA_ENUM,
	  .values = syn_proxy,
	  .help = "The same for the TCP sessions of this rule; absent: as the firewall says." },
	{ .name = "enabled",
	  .type = SCHEMA_BOOL,
	  .otherwise = "true",
	  .help = "false: as if it were not there." },
	{ .name = NULL },
};

const struct schema firewall_schema[] = {
	{ .name = "zones",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = zone_members,
	  .max = ZONES_MAX,
	  .help = "Groups of ports." },
	{ .name = "addressGroups",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = address_group_members,
	  .help = "Named prefixes." },
	{ .name = "serviceGroups",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = service_group_members,
	  .help = "Named services." },
	{ .name = "rules",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = rule_members,
	  .max = COMBINATIONS_ALL,
	  .help = "In order; the first that matches decides. Some 13 KB of memory each while they are "
	          "compiled." },
	{ .name = "default",
	  .type = SCHEMA_ENUM,
	  .values = defaults,
	  .otherwise = "drop",
	  .help = "What becomes of a session that no rule matches." },
	{ .name = "synProxy",
	  .type = SCHEMA_ENUM,
	  .values = syn_proxy,
	  .otherwise = "off",
	  .help = "on: TCP clients are answered with a cookie, and their servers asked when they have "
	          "acknowledged "
	          "it; auto: while half-open sessions are many (`engine.synProxyAt`)." },
	{ .name = "redirects",
	  .type = SCHEMA_ENUM,
	  .values = redirects,
	  .otherwise = "drop",
	  .help = "ICMP Redirects and Source Quenches about a session: dropped, or passed like errors." },
	{ .name = "midstream",
	  .type = SCHEMA_ENUM,
	  .values = midstream,
	  .otherwise = "deny",
	  .help = "accept: TCP and SCTP sessions whose beginning was not seen are judged by the rules; deny: "
	          "they are "
	          "refused." },
	{ .name = NULL },
};
