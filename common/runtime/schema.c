/* SPDX-License-Identifier: BSD-3-Clause */
/* The schema of the engine's document (docs/ENGINE.md). Static tables. */
#include "config/shared.h"
#include "manage/rest.h"
#include "runtime/engine.h"

static const struct schema sizes_schema[] = {
	{ .name = "name",
	  .type = SCHEMA_NAME,
	  .otherwise = "engine",
	  .help = "Name of this process, for people." },
	SHARED_ENGINE_ROWS,
	{ .name = NULL },
};

static const struct schema function_schema[] = {
	{ .name = "name",
	  .type = SCHEMA_NAME,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Name of the function, unique in the service." },
	{ .name = "kind",
	  .type = SCHEMA_NAME,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Its class: \"firewall\", \"nat\"." },
	{ .name = "config", .type = SCHEMA_ANY, .help = "Its configuration, by the schema of its class." },
	{ .name = NULL },
};

static const struct schema hop_schema[] = {
	{ .name = "name",
	  .type = SCHEMA_NAME,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Name of the function behind the hop." },
	{ .name = "kind", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Its class." },
	{ .name = "path",
	  .type = SCHEMA_NAME,
	  .flags = SCHEMA_REQUIRED,
	  .help = "The path that this pair of links serves." },
	{ .name = "a",
	  .type = SCHEMA_STRING,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Device of the link that faces the path's first port." },
	{ .name = "b",
	  .type = SCHEMA_STRING,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Device of the link that faces its last." },
	{ .name = "onFailure",
	  .type = SCHEMA_ENUM,
	  .values = shared_failure,
	  .otherwise = "drop",
	  .help = "What to do while the function is not there." },
	{ .name = "config",
	  .type = SCHEMA_ANY,
	  .help = "Shadow of its configuration, for claims and owners." },
	{ .name = NULL },
};

static const struct schema path_schema[] = {
	SHARED_PATH_ROWS,
	{ .name = "draining",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_NAME,
	  .max = PATH_DRAINS_MAX,
	  .help = "Functions of the path that take no new sessions: those that they rewrote go on "
	          "through them." },
	{ .name = NULL },
};

const struct schema engine_schema[] = {
	{ .name = "manage",
	  .type = SCHEMA_GROUP,
	  .members = rest_schema,
	  .help = "REST beside the control socket, apart from traffic." },
	{ .name = "engine",
	  .type = SCHEMA_GROUP,
	  .members = sizes_schema,
	  .help = "Sizes and times of the process." },
	{ .name = "edge",
	  .type = SCHEMA_GROUP,
	  .members = edge_schema,
	  .help = "Outside ports, addresses, routes." },
	{ .name = "functions",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = function_schema,
	  .max = ENGINE_NFS_MAX,
	  .help = "Functions placed in this process." },
	{ .name = "hops",
	  .type = SCHEMA_LIST,
	  .members = hop_schema,
	  .max = ENGINE_HOPS_MAX,
	  .help = "Functions placed elsewhere." },
	{ .name = "paths",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = path_schema,
	  .max = ENGINE_PATHS_MAX,
	  .help = "The ways that packets take." },
	{ .name = NULL },
};
