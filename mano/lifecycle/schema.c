/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The schema of a service's descriptor. What goes to the engine as it is stands in config/shared.h, for both. Static tables.
 */
#include "config/shared.h"
#include "lifecycle/descriptor.h"
#include "manage/rest.h"

static const char *const placements[] = { "fused", "process", "container", "vm", NULL };
static const char *const hugepage_values[] = { "auto", "always", "never", NULL };
static const char *const modes[] = { "routed", "transparent", NULL };

static const struct schema engine_members[] = {
	SHARED_ENGINE_ROWS,
	{ .name = "shareCores",
	  .type = SCHEMA_BOOL,
	  .otherwise = "true",
	  .help = "Whether workers may share cores when there are too few; else the service is refused." },
	{ .name = "hugepages",
	  .type = SCHEMA_ENUM,
	  .values = hugepage_values,
	  .otherwise = "auto",
	  .help = "Whether packet memory lies in hugepages." },
	{ .name = "memory",
	  .type = SCHEMA_INT,
	  .unit = "MB",
	  .min = 32,
	  .max = 1 << 20,
	  .otherwise = "128",
	  .help = "Packet memory of a process." },
	{ .name = NULL },
};

static const struct schema port_members[] = {
	SHARED_PORT_ROWS,
	{ .name = NULL },
};

static const struct schema edge_members[] = {
	{ .name = "mode",
	  .type = SCHEMA_ENUM,
	  .values = modes,
	  .otherwise = "routed",
	  .help = "routed: an IP router with ARP and ND; transparent: a bump in the wire." },
	{ .name = "netns", .type = SCHEMA_NAME, .help = "Network namespace of all ports." },
	{ .name = "ports",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = port_members,
	  .min = 1,
	  .max = 32,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Outside ports." },
	{ .name = "routes", .type = SCHEMA_LIST, .members = routes_schema, .help = "Static routes." },
	SHARED_TRANSPARENT_ROWS,
	{ .name = NULL },
};

static const struct schema vnf_members[] = {
	{ .name = "name",
	  .type = SCHEMA_NAME,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Name of the VNF in its service." },
	{ .name = "kind",
	  .type = SCHEMA_NAME,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Its class: firewall, nat." },
	{ .name = "placement",
	  .type = SCHEMA_ENUM,
	  .values = placements,
	  .help = "Where it runs, if not where the service says." },
	{ .name = "config", .type = SCHEMA_ANY, .help = "Its configuration, by the schema of its kind." },
	{ .name = "manage",
	  .type = SCHEMA_GROUP,
	  .members = rest_schema,
	  .help = "REST of its process beside the control socket; not if it is fused." },
	{ .name = NULL },
};

const struct schema chain_schema[] = {
	SHARED_PATH_ROWS,
	{ .name = NULL },
};

const struct schema service_schema[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Name of the service." },
	{ .name = "placement",
	  .type = SCHEMA_ENUM,
	  .values = placements,
	  .otherwise = "fused",
	  .help = "Where VNFs run: in the service's own process, or in a process each." },
	{ .name = "engine",
	  .type = SCHEMA_GROUP,
	  .members = engine_members,
	  .help = "Sizes of its processes." },
	{ .name = "edge",
	  .type = SCHEMA_GROUP,
	  .members = edge_members,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Outside ports, addresses, routes." },
	{ .name = "vnfs",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = vnf_members,
	  .max = 64,
	  .help = "Network functions of the service." },
	{ .name = "chains",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = chain_schema,
	  .max = 64,
	  .help = "The ways that packets take." },
	{ .name = "manage",
	  .type = SCHEMA_GROUP,
	  .members = rest_schema,
	  .help = "REST of the service process beside the control socket, apart from traffic." },
	SHARED_UNMATCHED_ROW,
	{ .name = NULL },
};

const struct schema resources_schema[] = {
	{ .name = "services",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = service_schema,
	  .help = "Services that shall be there." },
	{ .name = NULL },
};
