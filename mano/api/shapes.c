/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What sluiced answers, as tables: the components of its OpenAPI document, which a test holds against every
 * answer. More members may come than are named; those that are required always come. Constant.
 */
#include "api/api.h"
#include "manage/openapi.h"

#define NEED(n, t, h)                                                     \
	{                                                                 \
		.name = n, .type = t, .flags = SCHEMA_REQUIRED, .help = h \
	}
#define MAY(n, t, h)                            \
	{                                       \
		.name = n, .type = t, .help = h \
	}
#define END                  \
	{                    \
		.name = NULL \
	}

static const char *const op_states[] = { "STARTING",     "PROCESSING",  "COMPLETED", "FAILED_TEMP",
	                                 "ROLLING_BACK", "ROLLED_BACK", "FAILED",    NULL };
static const char *const health_values[] = { "healthy", "starting", "down", NULL };
static const char *const actions[] = { "create", "update",  "delete",  "none",
	                               "heal",   "restart", "upgrade", NULL };
static const char *const roles[] = { "viewer", "operator", "admin", NULL };
static const char *const callers[] = { "none", "viewer", "operator", "admin", NULL };
static const char *const ways[] = { "unix", "certificate", "token", "none", NULL };

static const struct schema error_members[] = { MAY("path", SCHEMA_STRING, "Where in the document."),
	                                       NEED("code", SCHEMA_STRING, "A stable word."),
	                                       NEED("detail", SCHEMA_STRING, "A sentence."), END };

static const struct schema operation_members[] = {
	NEED("id", SCHEMA_INT, "Number."),
	NEED("kind", SCHEMA_STRING, "apply, delete, heal, restart ..."),
	NEED("subject", SCHEMA_STRING, "What it is about."),
	{ .name = "state",
	  .type = SCHEMA_ENUM,
	  .values = op_states,
	  .flags = SCHEMA_REQUIRED,
	  .help = "State." },
	{ .name = "progress", .type = SCHEMA_INT, .max = 100, .flags = SCHEMA_REQUIRED, .help = "Percent." },
	NEED("message", SCHEMA_STRING, "What it does, or how it ended."),
	{ .name = "errors",
	  .type = SCHEMA_LIST,
	  .members = error_members,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Why it failed." },
	NEED("author", SCHEMA_STRING, "Who asked for it."),
	NEED("created", SCHEMA_STRING, "When it began."),
	NEED("updated", SCHEMA_STRING, "When it changed last."),
	END,
};

#define PROCESS_MEMBERS                                                                               \
	NEED("state", SCHEMA_STRING, "starting, ready, backing-off, stopping, stopped, standby ..."), \
	        { .name = "health",                                                                   \
		  .type = SCHEMA_ENUM,                                                                \
		  .values = health_values,                                                            \
		  .flags = SCHEMA_REQUIRED,                                                           \
		  .help = "Health." },                                                                \
	        NEED("restarts", SCHEMA_INT, "Times that it was started again."),                     \
	        { .name = "cores",                                                                    \
		  .type = SCHEMA_ARRAY,                                                               \
		  .element = SCHEMA_INT,                                                              \
		  .flags = SCHEMA_REQUIRED,                                                           \
		  .help = "Cores of its workers." },                                                  \
	        NEED("drift", SCHEMA_BOOL, "Whether it was changed behind our back."),                \
	        MAY("pid", SCHEMA_INT, "Process id."),                                                \
	        MAY("uptime", SCHEMA_INT, "Seconds since its start."),                                \
	        MAY("error", SCHEMA_STRING, "Why it is not well."), END

static const struct schema process_members[] = { PROCESS_MEMBERS };

static const struct schema vnf_members[] = { NEED("name", SCHEMA_NAME, "Name."),
	                                     NEED("kind", SCHEMA_STRING, "Kind of function."),
	                                     NEED("service", SCHEMA_NAME, "Its service."),
	                                     NEED("placement", SCHEMA_STRING, "Where it runs."),
	                                     { .name = "chains",
	                                       .type = SCHEMA_ARRAY,
	                                       .element = SCHEMA_NAME,
	                                       .flags = SCHEMA_REQUIRED,
	                                       .help = "Chains that cross it." },
	                                     MAY("process", SCHEMA_STRING, "The process that it runs in."),
	                                     PROCESS_MEMBERS };

static const struct schema service_members[] = {
	NEED("name", SCHEMA_NAME, "Name."),
	NEED("placement", SCHEMA_STRING, "Where its VNFs run, if they do not say."),
	NEED("revision", SCHEMA_INT, "Number of what is wanted."),
	NEED("state", SCHEMA_STRING, "starting, ready, degraded, stopping."),
	{ .name = "process",
	  .type = SCHEMA_GROUP,
	  .members = process_members,
	  .flags = SCHEMA_REQUIRED,
	  .help = "The service process." },
	{ .name = "vnfs",
	  .type = SCHEMA_LIST,
	  .members = vnf_members,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Its VNFs." },
	NEED("chains", SCHEMA_ANY, "Its chains."),
	MAY("operation", SCHEMA_INT, "The operation under way."),
	MAY("descriptor", SCHEMA_ANY, "As it was written; of one service alone."),
	END,
};

static const struct schema change_members[] = { NEED("path", SCHEMA_STRING, "Where."),
	                                        NEED("kind", SCHEMA_STRING, "+ - ~ >"),
	                                        MAY("before", SCHEMA_ANY, "What was there."),
	                                        MAY("after", SCHEMA_ANY, "What will be."), END };

static const struct schema planned_members[] = {
	NEED("name", SCHEMA_NAME, "Service."),
	{ .name = "action",
	  .type = SCHEMA_ENUM,
	  .values = actions,
	  .flags = SCHEMA_REQUIRED,
	  .help = "What would be done." },
	END,
};

static const struct schema dry_run_members[] = {
	NEED("valid", SCHEMA_BOOL, "Whether it could be done."),
	{ .name = "errors",
	  .type = SCHEMA_LIST,
	  .members = error_members,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Why not." },
	{ .name = "services",
	  .type = SCHEMA_LIST,
	  .members = planned_members,
	  .help = "What would become of services." },
	{ .name = "changes", .type = SCHEMA_LIST, .members = change_members, .help = "What would change." },
	END,
};

static const struct schema diff_members[] = {
	NEED("from", SCHEMA_ANY, "Revision, or current."),
	NEED("to", SCHEMA_ANY, "Revision, current or running."),
	{ .name = "changes",
	  .type = SCHEMA_LIST,
	  .members = change_members,
	  .flags = SCHEMA_REQUIRED,
	  .help = "What differs." },
	END,
};

static const struct schema revision_members[] = {
	NEED("revision", SCHEMA_INT, "Number."),
	NEED("time", SCHEMA_STRING, "When it was made."),
	NEED("author", SCHEMA_STRING, "By whom."),
	NEED("kind", SCHEMA_STRING, "Of the operation."),
	NEED("operation", SCHEMA_INT, "That made it."),
	NEED("digest", SCHEMA_STRING, "Of its document."),
	NEED("state", SCHEMA_STRING, "current, past, unconfirmed, undone."),
	NEED("current", SCHEMA_BOOL, "Whether it is wanted now."),
	MAY("origin", SCHEMA_INT, "The revision that it brings back."),
	MAY("comment", SCHEMA_STRING, "Why."),
	MAY("descriptor", SCHEMA_ANY, "Of one revision alone."),
	END
};

static const struct schema node_members[] = {
	NEED("name", SCHEMA_STRING, "Name of the host."),
	NEED("kernel", SCHEMA_STRING, "Its kernel."),
	{ .name = "cores",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_INT,
	  .flags = SCHEMA_REQUIRED,
	  .help = "All cores." },
	{ .name = "workerCores",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_INT,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Those for workers." },
	NEED("memory", SCHEMA_ANY, "Memory."),
	NEED("hugepages", SCHEMA_ANY, "Hugepages."),
	{ .name = "load",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_FLOAT,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Of 1, 5, 15 minutes." },
	NEED("uptime", SCHEMA_INT, "Seconds."),
	NEED("units", SCHEMA_ANY, "Processes."),
	END,
};

static const struct schema check_members[] = {
	NEED("name", SCHEMA_STRING, "Of the check."),      NEED("ok", SCHEMA_BOOL, "Whether all is well."),
	NEED("severity", SCHEMA_STRING, "How bad it is."), NEED("detail", SCHEMA_STRING, "What was found."),
	MAY("fix", SCHEMA_STRING, "How to mend it."),      END
};

static const struct schema doctor_members[] = {
	NEED("ok", SCHEMA_BOOL, "Whether nothing is missing."),
	{ .name = "checks",
	  .type = SCHEMA_LIST,
	  .members = check_members,
	  .flags = SCHEMA_REQUIRED,
	  .help = "All checks." },
	END,
};

static const struct schema action_members[] = { NEED("check", SCHEMA_STRING, "The check that it is about."),
	                                        NEED("action", SCHEMA_STRING, "What it is."),
	                                        NEED("done", SCHEMA_BOOL, "Whether it was done."),
	                                        MAY("detail", SCHEMA_STRING, "Why not."), END };

static const struct schema mending_members[] = {
	NEED("dryRun", SCHEMA_BOOL, "Whether nothing was done at all."),
	NEED("ok", SCHEMA_BOOL, "Whether nothing is missing now."),
	{ .name = "actions",
	  .type = SCHEMA_LIST,
	  .members = action_members,
	  .flags = SCHEMA_REQUIRED,
	  .help = "What was, or would be, done." },
	{ .name = "checks",
	  .type = SCHEMA_LIST,
	  .members = check_members,
	  .flags = SCHEMA_REQUIRED,
	  .help = "All checks, after it." },
	END,
};

static const struct schema status_members[] = { NEED("status", SCHEMA_STRING, "ok, ready."), END };

static const struct schema version_members[] = { NEED("name", SCHEMA_STRING, "Program."),
	                                         NEED("version", SCHEMA_STRING, "Version."),
	                                         NEED("apis", SCHEMA_ANY, "Versions of the API."),
	                                         NEED("life", SCHEMA_INT, "Grows with each start."), END };

#define ROLE_MEMBER                                                                             \
	{                                                                                       \
		.name = "role", .type = SCHEMA_ENUM, .values = roles, .flags = SCHEMA_REQUIRED, \
		.help = "What it may."                                                          \
	}
#define TOKEN_MEMBERS                                                                             \
	NEED("name", SCHEMA_NAME, "Name."), ROLE_MEMBER, NEED("created", SCHEMA_STRING, "When."), \
	        NEED("author", SCHEMA_STRING, "By whom."), MAY("expires", SCHEMA_STRING, "When it ends.")

static const struct schema token_members[] = { TOKEN_MEMBERS, END };
static const struct schema new_token_members[] = { TOKEN_MEMBERS,
	                                           NEED("token", SCHEMA_STRING, "The token itself."), END };
static const struct schema token_order_members[] = {
	NEED("name", SCHEMA_NAME, "Its name."), ROLE_MEMBER,
	MAY("expires", SCHEMA_STRING, "When it ends: 90d, 12h, or a time; else never."), END
};

static const struct schema caller_members[] = {
	NEED("subject", SCHEMA_STRING, "Who."),
	{ .name = "role",
	  .type = SCHEMA_ENUM,
	  .values = callers,
	  .flags = SCHEMA_REQUIRED,
	  .help = "What it may." },
	{ .name = "how",
	  .type = SCHEMA_ENUM,
	  .values = ways,
	  .flags = SCHEMA_REQUIRED,
	  .help = "How that is known." },
	NEED("address", SCHEMA_STRING, "From where."),
	END,
};

static const struct schema audit_members[] = {
	NEED("id", SCHEMA_INT, "Number."),
	NEED("time", SCHEMA_STRING, "When."),
	NEED("method", SCHEMA_STRING, "What."),
	NEED("status", SCHEMA_INT, "Outcome."),
	{ .name = "role",
	  .type = SCHEMA_ENUM,
	  .values = callers,
	  .flags = SCHEMA_REQUIRED,
	  .help = "What the caller may." },
	{ .name = "how",
	  .type = SCHEMA_ENUM,
	  .values = ways,
	  .flags = SCHEMA_REQUIRED,
	  .help = "How the caller is known." },
	MAY("who", SCHEMA_STRING, "The caller."),
	MAY("for", SCHEMA_STRING, "Whose wish was passed on."),
	MAY("address", SCHEMA_STRING, "From where."),
	MAY("path", SCHEMA_STRING, "Of what."),
	MAY("query", SCHEMA_STRING, "With these parameters."),
	MAY("body", SCHEMA_ANY, "What was sent, secrets hidden; of much its digest."),
	MAY("change", SCHEMA_ANY, "What changed."),
	MAY("etag", SCHEMA_STRING, "Of what is there now."),
	MAY("location", SCHEMA_STRING, "Of the operation, or of what was made."),
	MAY("lost", SCHEMA_INT, "Lines before this one that could not be written."),
	END,
};

static const struct schema event_members[] = { NEED("id", SCHEMA_INT, "Number."),
	                                       NEED("time", SCHEMA_STRING, "When."),
	                                       NEED("kind", SCHEMA_STRING, "What."),
	                                       NEED("subject", SCHEMA_STRING, "To what."),
	                                       NEED("message", SCHEMA_STRING, "A sentence."),
	                                       MAY("details", SCHEMA_ANY, "More."),
	                                       END };

static const struct schema confirmed_members[] = { NEED("service", SCHEMA_NAME, "Service."),
	                                           NEED("revision", SCHEMA_INT, "What stays."), END };

static const struct schema insertion_members[] = {
	NEED("vnf", SCHEMA_NAME, "What is put on the chain."),
	MAY("before", SCHEMA_NAME, "In front of this member."),
	MAY("after", SCHEMA_NAME, "Behind this member."),
	MAY("position", SCHEMA_INT, "Or so many from the first port."), END
};
static const struct schema removal_members[] = { NEED("vnf", SCHEMA_NAME, "What is taken off the chain."),
	                                         END };
static const struct schema order_members[] = { { .name = "path",
	                                         .type = SCHEMA_ARRAY,
	                                         .element = SCHEMA_NAME,
	                                         .flags = SCHEMA_REQUIRED,
	                                         .help = "The same members in another order." },
	                                       END };
static const struct schema rollback_members[] = {
	MAY("revision", SCHEMA_INT, "Back to this; else to the one before."),
	MAY("vnf", SCHEMA_NAME, "One VNF's configuration alone."), END
};

static const struct schema upgrade_members[] = {
	MAY("program", SCHEMA_STRING, "Path of one process's executable."),
	MAY("libexec", SCHEMA_STRING, "Folder with executables of all kinds."), END
};
static const struct schema restored_members[] = {
	{ .name = "services",
	  .type = SCHEMA_ARRAY,
	  .element = SCHEMA_STRING,
	  .flags = SCHEMA_REQUIRED,
	  .help = "Services in the backup." },
	NEED("life", SCHEMA_INT, "That ends now."),
	END,
};

static const struct {
	const char *name;
	const struct schema *members;
	bool sent; /* a body that is sent: nothing else may be in it */
} shapes[] = {
	{ "Service", service_schema, true },
	{ "Chain", chain_schema, true },
	{ "Insertion", insertion_members, true },
	{ "Removal", removal_members, true },
	{ "Order", order_members, true },
	{ "Rollback", rollback_members, true },
	{ "Upgrade", upgrade_members, true },
	{ "TokenOrder", token_order_members, true },
	{ "ServiceState", service_members, false },
	{ "Vnf", vnf_members, false },
	{ "Operation", operation_members, false },
	{ "DryRun", dry_run_members, false },
	{ "Revision", revision_members, false },
	{ "Difference", diff_members, false },
	{ "Node", node_members, false },
	{ "Doctor", doctor_members, false },
	{ "Mending", mending_members, false },
	{ "Status", status_members, false },
	{ "Version", version_members, false },
	{ "Token", token_members, false },
	{ "NewToken", new_token_members, false },
	{ "Caller", caller_members, false },
	{ "AuditLine", audit_members, false },
	{ "Event", event_members, false },
	{ "Confirmed", confirmed_members, false },
	{ "Restored", restored_members, false },
};

json_t *shapes_json(void)
{
	json_t *components = json_object();

	for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		json_object_set_new(components, shapes[i].name,
		                    shapes[i].sent ? schema_to_openapi(shapes[i].members)
		                                   : openapi_open(shapes[i].members));
	/* A change answers with its operation, or, if it was a dry run, with what would be. */
	json_object_set_new(components, "Outcome",
	                    json_pack("{s:[{s:s},{s:s}]}", "anyOf", "$ref", "#/components/schemas/Operation",
	                              "$ref", "#/components/schemas/DryRun"));
	json_object_set_new(components, "Apply",
	                    json_pack("{s:s,s:{s:{s:s},s:{s:s},s:{s:s},s:{s:s},s:{s:s}},s:[s]}", "type",
	                              "object", "properties", "resources", "type", "object", "dryRun", "type",
	                              "boolean", "prune", "type", "boolean", "comment", "type", "string",
	                              "confirm", "type", "integer", "required", "resources"));
	return components;
}
