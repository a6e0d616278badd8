/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: the host, the doctor, metrics, health and the API itself. */
#include <string.h>

#include "api/api.h"
#include "lifecycle/doctor.h"
#include "lifecycle/mend.h"
#include "lifecycle/schemas.h"
#include "lifecycle/unit.h"
#include "manage/metrics.h"
#include "manage/openapi.h"
#include "manage/problem.h"
#include "manage/process_metrics.h"

/* --- nodes --- */

/* Units that run here, with what they were given. */
static json_t *units_json(struct manager *manager)
{
	json_t *list = json_array();

	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < manager->services_count; i++)
		for (size_t j = 0; j < manager->services[i]->units_count; j++) {
			const struct unit *unit = manager->services[i]->units[j];
			json_t *shown = unit_show(unit);

			json_object_set_new(shown, "name", json_string(unit->name));
			json_array_append_new(list, shown);
		}
	pthread_mutex_unlock(&manager->lock);
	return list;
}

static json_t *node_json(struct manager *manager)
{
	json_t *node = host_show(&manager->host);

	json_object_set_new(node, "units", units_json(manager));
	return node;
}

static void get_nodes(const struct rest_request *request, struct rest_reply *reply)
{
	rest_reply_json(reply, 200, json_pack("[o]", node_json(manager_of(request))));
}

static void get_node(const struct rest_request *request, struct rest_reply *reply)
{
	const char *name = rest_param(request, "node");
	json_t *node = node_json(manager_of(request));

	if (strcmp(name, json_string_value(json_object_get(node, "name"))) == 0) {
		rest_reply_json(reply, 200, node);
		return;
	}
	json_decref(node);
	rest_problem(reply, 404, "there is no node \"%s\"", name);
}

static void get_doctor(const struct rest_request *request, struct rest_reply *reply)
{
	rest_reply_json(reply, 200, doctor_show(manager_of(request)));
}

static void post_doctor_fix(const struct rest_request *request, struct rest_reply *reply)
{
	manager_begin(manager_of(request));
	rest_reply_json(reply, 200, doctor_mend(manager_of(request), rest_query_flag(request, "dryRun")));
	manager_end(manager_of(request));
}

/* --- metrics --- */

struct tally {
	uint64_t services, units, ready;
};

static void count_units(struct manager *manager, struct metrics *m, struct tally *tally)
{
	struct metrics_family *up = metrics_family(m, METRICS_GAUGE, "sluice_process_up", NULL,
	                                           "1 if the process is ready."),
	                      *restarts = metrics_family(m, METRICS_COUNTER, "sluice_process_restarts", NULL,
	                                                 "Times that the process was started again.");

	pthread_mutex_lock(&manager->lock);
	tally->services = manager->services_count;
	for (size_t i = 0; i < manager->services_count; i++)
		for (size_t j = 0; j < manager->services[i]->units_count; j++) {
			const struct unit *unit = manager->services[i]->units[j];

			tally->units++;
			tally->ready += unit->state == UNIT_READY;
			metrics_count(up, unit->state == UNIT_READY, "service", unit->service, "vnf",
			              unit->vnf, NULL);
			metrics_count(restarts, unit->restarts, "service", unit->service, "vnf", unit->vnf,
			              NULL);
		}
	pthread_mutex_unlock(&manager->lock);
}

static void put_number(struct metrics *m, enum metrics_type type, const char *name, const char *help,
                       uint64_t value)
{
	metrics_count(metrics_family(m, type, name, NULL, help), value, NULL);
}

static void get_metrics(const struct rest_request *request, struct rest_reply *reply)
{
	struct api *api = api_of(request);
	struct manager *manager = api->manager;
	struct metrics *m = metrics_new(metrics_negotiate(rest_header(request, "Accept")));
	struct tally tally = { 0 };

	count_units(manager, m, &tally);
	put_number(m, METRICS_GAUGE, "sluice_services", "Services that should be there.", tally.services);
	put_number(m, METRICS_GAUGE, "sluice_processes", "Processes that should run.", tally.units);
	put_number(m, METRICS_GAUGE, "sluice_processes_ready", "Processes that are ready.", tally.ready);
	put_number(m, METRICS_COUNTER, "sluice_exits", "Ends of processes that were not asked for.",
	           atomic_load(&manager->restarts));
	put_number(m, METRICS_COUNTER, "sluice_hangs", "Processes killed because a worker stood still.",
	           atomic_load(&manager->hangs));
	put_number(m, METRICS_COUNTER, "sluice_operations", "Operations begun.",
	           atomic_load(&manager->ops_started));
	put_number(m, METRICS_COUNTER, "sluice_operations_failed",
	           "Operations that could not be carried out.", atomic_load(&manager->ops_failed));
	put_number(m, METRICS_COUNTER, "sluice_http_requests", "Requests answered.",
	           atomic_load(&api->requests));
	put_number(m, METRICS_COUNTER, "sluice_http_refused",
	           "Requests answered with a status of 400 or more.", atomic_load(&api->refused));
	metrics_count(metrics_family(m, METRICS_GAUGE, "sluice_build_info", NULL,
	                             "Always 1; the version is a label."),
	              1, "version", SLUICE_VERSION, NULL);
	process_metrics(m);
	metrics_reply(m, reply);
}

/* --- itself --- */

static void get_health(const struct rest_request *request, struct rest_reply *reply)
{
	(void)request;
	rest_reply_json(reply, 200, json_pack("{s:s}", "status", "ok"));
}

static void get_ready(const struct rest_request *request, struct rest_reply *reply)
{
	if (atomic_load(&api_of(request)->ready)) {
		rest_reply_json(reply, 200, json_pack("{s:s}", "status", "ready"));
		return;
	}
	rest_problem(reply, 503, "still taking up what a former life left");
	rest_reply_header(reply, "Retry-After", "1");
}

static void get_version(const struct rest_request *request, struct rest_reply *reply)
{
	(void)request;
	rest_reply_json(reply, 200,
	                json_pack("{s:s,s:s,s:[s],s:I}", "name", "sluiced", "version", SLUICE_VERSION, "apis",
	                          "v1", "life", (json_int_t)manager_of(request)->life));
}

static void get_openapi(const struct rest_request *request, struct rest_reply *reply)
{
	json_t *components = shapes_json();

	rest_reply_json(reply, 200,
	                openapi_document(api_of(request)->rest, "sluiced", SLUICE_VERSION, components));
	json_decref(components);
}

static void get_schemas(const struct rest_request *request, struct rest_reply *reply)
{
	struct errors errors = ERRORS_NONE;
	json_t *schemas = schemas_read(&manager_of(request)->options, &errors);

	if (schemas)
		rest_reply_json(reply, 200, schemas);
	else
		rest_problem(reply, 500, "%s", errors.list[0].detail);
	errors_free(&errors);
}

const struct rest_route system_routes[] = {
	{ .pattern = "/v1/nodes",
	  .summary = "Hosts",
	  .get = { .handle = get_nodes, .summary = "This one", .answer = "Node[]" } },
	{ .pattern = "/v1/nodes/{node}",
	  .summary = "One host",
	  .get = { .handle = get_node, .summary = "Read it", .answer = "Node" } },
	{ .pattern = "/v1/doctor",
	  .summary = "What the host lacks",
	  .get = { .handle = get_doctor, .summary = "Checks and their fixes", .answer = "Doctor" },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/doctor:fix",
	  .summary = "Mend what can be mended safely",
	  .post = { .handle = post_doctor_fix,
	            .summary = "Remove what the dead left, ask for hugepages; ?dryRun=1 tells what would be "
	                       "done",
	            .query = "dryRun",
	            .answer = "Mending",
	            .role = ROLE_ADMIN },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/schemas",
	  .summary = "What descriptors and the configurations of functions may hold",
	  .get = { .handle = get_schemas, .summary = "All of them, as JSON Schema" },
	  .flags = REST_SLOW },
	{ .pattern = "/metrics",
	  .summary = "Metrics for Prometheus",
	  .get = { .handle = get_metrics,
	           .summary = "Scrape",
	           .types = "text/plain application/openmetrics-text" } },
	{ .pattern = "/healthz",
	  .summary = "Liveness",
	  .get = { .handle = get_health, .summary = "Alive", .answer = "Status" },
	  .flags = REST_PUBLIC },
	{ .pattern = "/readyz",
	  .summary = "Readiness",
	  .get = { .handle = get_ready, .summary = "Ready", .answer = "Status" },
	  .flags = REST_PUBLIC },
	{ .pattern = "/v1/version",
	  .summary = "Version",
	  .get = { .handle = get_version, .summary = "Version", .answer = "Version" } },
	{ .pattern = "/openapi.json",
	  .summary = "This API",
	  .get = { .handle = get_openapi, .summary = "OpenAPI 3.1" } },
	{ .pattern = NULL },
};
