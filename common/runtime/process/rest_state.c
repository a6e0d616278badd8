/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: what the engine and its functions are doing. Handlers run on the server's threads and read whole words that workers write. */
#include <errno.h>
#include <string.h>

#include "manage/openapi.h"
#include "manage/pages.h"
#include "manage/problem.h"
#include "runtime/balance.h"
#include "runtime/change/drain.h"
#include "runtime/look/levels.h"
#include "runtime/process/process.h"
#include "runtime/look/quality_show.h"

static struct engine *engine_of(const struct rest_request *request)
{
	return ((struct process *)request->user)->engine;
}

static json_t *names_of_paths(struct engine *engine, unsigned id)
{
	const struct snapshot *s = atomic_load(&engine->snapshot);
	json_t *list = json_array();

	for (unsigned i = 0; i < s->path_count; i++)
		if (s->paths[i] && (s->paths[i]->nf_set | s->paths[i]->draining) >> id & 1)
			json_array_append_new(list, json_string(s->paths[i]->name));
	return list;
}

static json_t *drops_of(struct engine *engine, const struct nf *nf)
{
	json_t *drops = json_object();

	for (unsigned c = 0; nf->klass->counters && nf->klass->counters[c].name; c++)
		json_object_set_new(drops, nf->klass->counters[c].name,
		                    json_integer((json_int_t)engine_nf_counter(engine, nf->id, c)));
	return drops;
}

static json_t *describe_nf(struct engine *engine, const struct nf *nf)
{
	struct nf_traffic t = engine_nf_traffic(engine, nf->id);
	struct sample sample = sample_of_function(engine, nf->id);
	json_t *json;

	json = json_pack("{s:s,s:s,s:o,s:[I,I],s:[I,I],s:I,s:I,s:o}", "name", nf->name, "kind",
	                 nf->klass->name, "paths", names_of_paths(engine, nf->id), "packets",
	                 (json_int_t)t.packets[0], (json_int_t)t.packets[1], "bytes", (json_int_t)t.bytes[0],
	                 (json_int_t)t.bytes[1], "drops", (json_int_t)t.drops, "opened", (json_int_t)t.opened,
	                 "counters", drops_of(engine, nf));
	sample_show(&sample, json);
	return json;
}

static void get_functions(const struct rest_request *request, struct rest_reply *reply)
{
	struct engine *engine = engine_of(request);
	json_t *list = json_array();

	pthread_mutex_lock(&engine->lock);
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (engine->nfs[i])
			json_array_append_new(list, describe_nf(engine, engine->nfs[i]));
	pthread_mutex_unlock(&engine->lock);
	page_reply(request, reply, list);
}

/* Finds the function under the engine's lock, which stays held when it answers one. */
static struct nf *lock_nf(const struct rest_request *request, struct rest_reply *reply, const void **snapshot)
{
	struct engine *engine = engine_of(request);
	struct nf *nf;

	pthread_mutex_lock(&engine->lock);
	nf = engine_nf(engine, rest_param(request, "vnf"), snapshot);
	if (nf)
		return nf;
	pthread_mutex_unlock(&engine->lock);
	rest_problem(reply, 404, "no function \"%s\" in this process", rest_param(request, "vnf"));
	return NULL;
}

static void get_function(const struct rest_request *request, struct rest_reply *reply)
{
	const void *snapshot;
	struct nf *nf = lock_nf(request, reply, &snapshot);

	if (!nf)
		return;
	rest_reply_json(reply, 200, describe_nf(engine_of(request), nf));
	pthread_mutex_unlock(&engine_of(request)->lock);
}

static void get_function_state(const struct rest_request *request, struct rest_reply *reply)
{
	const char *topic = rest_param(request, "topic");
	const void *snapshot;
	struct nf *nf = lock_nf(request, reply, &snapshot);
	json_t *out = NULL;
	int failed = -ENOENT;

	if (!nf)
		return;
	if (strcmp(topic, "traffic") == 0) {
		out = describe_nf(engine_of(request), nf);
		failed = 0;
	} else if (nf->klass->show)
		failed = nf->klass->show(nf, snapshot, topic, request, &out);
	pthread_mutex_unlock(&engine_of(request)->lock);
	if (failed)
		rest_problem(reply, 404, "a %s has no state \"%s\"", nf->klass->name, topic);
	else if (json_is_array(out))
		page_reply(request, reply, out);
	else
		rest_reply_json(reply, 200, out);
}

static json_t *show_path(const struct path *path, struct engine *engine)
{
	struct sample sample = sample_of_path(engine, path->id);
	json_t *positions = json_array(), *json;

	for (unsigned i = 0; i < path->count; i++) {
		const struct position *p = &path->positions[i];

		json_array_append_new(positions,
		                      json_pack("{s:s,s:s,s:b}", "name", p->name, "placement",
		                                p->draining ? "draining"
		                                : p->nf     ? "local"
		                                            : "hop",
		                                "up", p->nf || atomic_load(&engine->hop_up[p->hop])));
	}
	json = json_pack("{s:s,s:s,s:s,s:o,s:b,s:i,s:I}", "name", path->name, "first",
	                 engine_port_name(engine, path->ends[0]), "last",
	                 engine_port_name(engine, path->ends[1]), "positions", positions, "symmetric",
	                 path->symmetric, "priority", path->priority, "generation",
	                 (json_int_t)path->generation);
	json_object_set_new(json, "tcp", quality_path(engine, path));
	sample_show(&sample, json);
	return json;
}

static json_t *show_paths(struct engine *engine)
{
	const struct snapshot *s = atomic_load(&engine->snapshot);
	json_t *list = json_array();

	for (unsigned i = 0; i < s->path_count; i++)
		if (s->paths[i])
			json_array_append_new(list, show_path(s->paths[i], engine));
	return list;
}

static json_t *show_port(struct engine *engine, unsigned number)
{
	struct engine_port *slot = &engine->ports[number];
	uint16_t pair = edge_pair(atomic_load(&engine->snapshot)->edge, (uint16_t)number);
	struct port_traffic sum = engine_port_traffic(engine, number);
	json_t *out;
	char mac[18];

	snprintf(mac, sizeof(mac), "%02x:%02x:%02x:%02x:%02x:%02x", slot->port->mac[0], slot->port->mac[1],
	         slot->port->mac[2], slot->port->mac[3], slot->port->mac[4], slot->port->mac[5]);
	out = json_pack("{s:s,s:s,s:s,s:b,s:s,s:i,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "name", slot->name,
	                "as", slot->as, "device", slot->device, "up", port_up(slot->port), "mac", mac,
	                "queues", slot->port->rx_queues, "receivedPackets", (json_int_t)sum.rx_packets,
	                "receivedBytes", (json_int_t)sum.rx_bytes, "sentPackets", (json_int_t)sum.tx_packets,
	                "sentBytes", (json_int_t)sum.tx_bytes, "sendDrops",
	                (json_int_t)(sum.tx_dropped + atomic_load(&slot->port->undelivered)), "bursts",
	                (json_int_t)sum.rx_bursts, "fullBursts", (json_int_t)sum.rx_full, "missed",
	                (json_int_t)port_missed(slot->port), "oversize",
	                (json_int_t)atomic_load(&slot->port->oversize));
	if (pair != EDGE_NO_PORT)
		json_object_set_new(out, "pair", json_string(engine->ports[pair].name));
	return out;
}

static json_t *show_ports(struct engine *engine)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		if (engine->ports[i].port)
			json_array_append_new(list, show_port(engine, i));
	return list;
}

static json_t *show_counters(struct engine *engine)
{
	json_t *counters = json_object(), *edge = json_object(), *functions = json_object();
	json_t *workers, *balance = engine_balance(engine, &workers);

	for (unsigned c = 0; c < ENGINE_COUNTERS; c++)
		if (engine_counter_info(c).name)
			json_object_set_new(counters, engine_counter_info(c).name,
			                    json_integer((json_int_t)engine_total(engine, c)));
	for (unsigned c = 0; c < EDGE_COUNTERS; c++)
		json_object_set_new(edge, edge_counters[c].name,
		                    json_integer((json_int_t)engine_edge_total(engine, c)));
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (engine->nfs[i])
			json_object_set_new(functions, engine->nfs[i]->name,
			                    drops_of(engine, engine->nfs[i]));
	return json_pack("{s:o,s:o,s:o,s:o,s:o}", "balance", balance, "engine", counters, "edge", edge,
	                 "functions", functions, "workers", workers);
}

static json_t *show_workers(struct engine *engine)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		const struct worker *w = engine->workers[i];
		struct flow_stats stats;
		json_t *json;

		flow_stats(w->table, &stats);
		json = json_pack("{s:i,s:b,s:f,s:f,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "worker", i, "parked",
		                 i >= atomic_load(&engine->snapshot)->workers, "busyNow",
		                 atomic_load(&w->busy_share), "busyRatio",
		                 w->total_tsc ? (double)w->busy_tsc / (double)w->total_tsc : 0.0, "sessions",
		                 (json_int_t)stats.live, "halfOpen", (json_int_t)stats.half_open, "opened",
		                 (json_int_t)stats.opened, "expired", (json_int_t)stats.expired, "evicted",
		                 (json_int_t)stats.evicted, "torn", (json_int_t)stats.torn, "memoryBytes",
		                 (json_int_t)stats.memory_bytes);
		json_object_set_new(json, "sessionsByState", levels_sessions(&stats));
		json_object_set_new(json, "queues", levels_queues(w));
		json_array_append_new(list, json);
	}
	return list;
}

static json_t *show_hops(struct engine *engine)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ENGINE_HOPS_MAX; i++)
		if (engine->hop_names[i][0])
			json_array_append_new(list, json_pack("{s:s,s:b}", "name", engine->hop_names[i], "up",
			                                      atomic_load(&engine->hop_up[i])));
	return list;
}

/* A function that takes no new sessions on some path: how many still go through it, as far as they were counted, and the seconds that they have. NULL: it
 * is none. */
static json_t *show_drain(struct engine *engine, const struct nf *nf)
{
	const struct snapshot *s = atomic_load(&engine->snapshot);
	int64_t sessions = drain_sessions(engine, nf->id), left = drain_left(engine, nf->id);
	json_t *paths = json_array(), *json = NULL;

	for (unsigned i = 0; i < s->path_count; i++)
		if (s->paths[i] && s->paths[i]->draining >> nf->id & 1)
			json_array_append_new(paths, json_string(s->paths[i]->name));
	if (json_array_size(paths))
		json = json_pack("{s:s,s:s,s:O}", "name", nf->name, "kind", nf->klass->name, "paths", paths);
	json_decref(paths);
	if (json && sessions >= 0)
		json_object_set_new(json, "sessions", json_integer(sessions));
	if (json && left >= 0)
		json_object_set_new(json, "secondsLeft", json_integer(left));
	return json;
}

static json_t *show_drains(struct engine *engine)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++) {
		json_t *json = engine->nfs[i] ? show_drain(engine, engine->nfs[i]) : NULL;

		if (json)
			json_array_append_new(list, json);
	}
	return list;
}

static void get_state(const struct rest_request *request, struct rest_reply *reply)
{
	static const struct {
		const char *topic;
		json_t *(*show)(struct engine *engine);
	} topics[] = { { "paths", show_paths },     { "ports", show_ports }, { "counters", show_counters },
		       { "workers", show_workers }, { "hops", show_hops },   { "drains", show_drains },
		       { "memory", levels_memory } };
	struct engine *engine = engine_of(request);
	const char *topic = rest_param(request, "topic");
	json_t *out = NULL;

	pthread_mutex_lock(&engine->lock);
	for (unsigned i = 0; i < sizeof(topics) / sizeof(*topics); i++)
		if (strcmp(topics[i].topic, topic) == 0)
			out = topics[i].show(engine);
	if (!out && edge_show(engine->edge, atomic_load(&engine->snapshot)->edge, topic, &out) != 0)
		out = NULL;
	pthread_mutex_unlock(&engine->lock);
	if (!out)
		rest_problem(reply, 404, "no state \"%s\"", topic);
	else if (json_is_array(out))
		page_reply(request, reply, out);
	else
		rest_reply_json(reply, 200, out);
}

static void get_health(const struct rest_request *request, struct rest_reply *reply)
{
	(void)request;
	rest_reply_json(reply, 200, json_pack("{s:s}", "status", "ok"));
}

static void get_ready(const struct rest_request *request, struct rest_reply *reply)
{
	struct process *p = request->user;

	if (atomic_load(&p->ready))
		rest_reply_json(reply, 200,
		                json_pack("{s:s,s:I}", "status", "ready", "revision",
		                          (json_int_t)p->engine->revision));
	else
		rest_problem(reply, 503, "the boot document is not applied yet");
}

static void get_version(const struct rest_request *request, struct rest_reply *reply)
{
	struct process *p = request->user;

	rest_reply_json(reply, 200,
	                json_pack("{s:s,s:s,s:s}", "program", p->program, "version", SLUICE_VERSION, "api",
	                          PROCESS_API));
}

static void get_openapi(const struct rest_request *request, struct rest_reply *reply)
{
	struct process *p = request->user;
	json_t *components = json_pack("{s:o}", "Document", schema_to_openapi(engine_schema));

	rest_reply_json(reply, 200, openapi_document(p->rest, p->program, SLUICE_VERSION, components));
	json_decref(components);
}

const struct rest_route state_routes[] = {
	{ .pattern = "/v1/vnfs",
	  .summary = "Functions of this process",
	  .get = { .handle = get_functions, .summary = "List them" } },
	{ .pattern = "/v1/vnfs/{vnf}",
	  .summary = "One function",
	  .get = { .handle = get_function, .summary = "Traffic and counters" } },
	{ .pattern = "/v1/vnfs/{vnf}/state/{topic}",
	  .summary = "A function's own state",
	  .get = { .handle = get_function_state,
	           .summary = "Filtered and paged where it is a list",
	           .query = "filter limit cursor" } },
	{ .pattern = "/v1/state/{topic}",
	  .summary = "The engine's state: paths, ports, counters, workers, hops, drains, memory, neighbours, "
	             "routes, "
	             "claims",
	  .get = { .handle = get_state,
	           .summary = "Filtered and paged where it is a list",
	           .query = "filter limit cursor" } },
	{ .pattern = "/metrics",
	  .summary = "Metrics for Prometheus",
	  .get = { .handle = metrics_handler,
	           .summary = "Scrape",
	           .types = "text/plain application/openmetrics-text" } },
	{ .pattern = "/healthz",
	  .summary = "Liveness",
	  .get = { .handle = get_health, .summary = "Alive" },
	  .flags = REST_PUBLIC },
	{ .pattern = "/readyz",
	  .summary = "Readiness",
	  .get = { .handle = get_ready, .summary = "Ready" },
	  .flags = REST_PUBLIC },
	{ .pattern = "/v1/version",
	  .summary = "Version",
	  .get = { .handle = get_version, .summary = "Program and version" } },
	{ .pattern = "/v1/whoami",
	  .summary = "Who one is here",
	  .get = { .handle = rest_whoami, .summary = "Subject and role" } },
	{ .pattern = "/openapi.json",
	  .summary = "This API",
	  .get = { .handle = get_openapi, .summary = "OpenAPI 3.1" } },
	{ .pattern = NULL },
};
