/* SPDX-License-Identifier: BSD-3-Clause */
/* Bringing the orchestrator's REST up and down. See api.h. */
#include "api/api.h"

#include <stdlib.h>
#include <unistd.h>

#include "manage/access_setup.h"
#include "manage/audit.h"
#include "manage/log.h"
#include "util/memory.h"

/* Waits for operations keep a thread each; the pool is made for people and programs that wait at the same time. */
enum { API_THREADS = 16, API_QUEUE = 256, PUMP_PAUSE_US = 10000 };

static void on_done(const struct rest_request *request, const struct rest_reply *reply, uint64_t microseconds,
                    void *user)
{
	struct api *api = user;
	unsigned status = rest_reply_get_status(reply);

	atomic_fetch_add(&api->requests, 1);
	if (status >= 400)
		atomic_fetch_add(&api->refused, 1);
	audit_request(api->audit, request, reply, true);
	log_debug("http", "method=%s path=%s status=%u microseconds=%llu caller=%s", request->method,
	          request->path, status, (unsigned long long)microseconds, request->caller.subject);
}

/* HTTP thread. */
static void on_refused(const struct rest_request *request, const struct rest_reply *reply, void *user)
{
	struct api *api = user;

	atomic_fetch_add(&api->requests, 1);
	atomic_fetch_add(&api->refused, 1);
	audit_request(api->audit, request, reply, false);
}

static bool listen_tcp(struct api *api, struct errors *errors)
{
	for (unsigned i = 0; i < api->options->listen_count; i++) {
		struct rest_tcp where = { api->options->listen[i] };
		char bound[64];

		if (!rest_listen_tcp(api->rest, &where, bound, errors))
			return false;
		log_info("listening", "address=%s", bound);
		if (i == 0 && !access_context(api->access_folder, bound, errors))
			return false;
	}
	return true;
}

static bool add_routes(struct api *api, struct errors *errors)
{
	const struct rest_route *const tables[] = {
		service_routes, revision_routes, upgrade_routes,    vnf_routes,
		chain_routes,   op_routes,       system_routes,     backup_routes,
		access_routes,  log_routes,      api->audit_routes, api->event_routes,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		if (!rest_add(api->rest, tables[i], errors))
			return false;
	return true;
}

static bool serve(struct api *api, struct errors *errors)
{
	char *path = text_format("%s/sluiced.sock", api->manager->options.run_folder);
	long group = api->options->group;
	struct rest_unix where = { .path = path, .has_group = group >= 0, .group = (gid_t)group };
	bool fine = add_routes(api, errors) && rest_listen_unix(api->rest, &where, errors) &&
	            listen_tcp(api, errors);

	free(path);
	return fine;
}

struct api *api_start(struct manager *manager, const struct api_options *how, struct errors *errors)
{
	struct api *api = memory_new(1, sizeof(*api));
	struct rest_options options = how->limits;

	api->manager = manager;
	api->options = how;
	if (!access_prepare(api, errors)) {
		api_stop(api);
		return NULL;
	}
	options.user = api;
	options.access = api->access;
	options.threads = API_THREADS;
	options.queue = API_QUEUE;
	options.done = on_done;
	options.refused = on_refused;
	api->audit_routes[0] = audit_route(api->audit, "/v1/audit");
	api->event_routes[0] = events_route(manager->events, "/v1/events");
	api->rest = rest_new(&options);
	if (!api->rest)
		errors_add(errors, NULL, "no-resources", NULL, 0, "no memory or threads for the REST server");
	else if (serve(api, errors))
		return api;
	api_stop(api);
	return NULL;
}

void api_ready(struct api *api)
{
	atomic_store(&api->ready, true);
}

void api_stop(struct api *api)
{
	if (!api)
		return;
	rest_stop(api->rest);
	while (atomic_load(&api->pumps)) /* they see within a second that nobody reads any more */
		usleep(PUMP_PAUSE_US);
	audit_close(api->audit);
	access_close(api->access);
	free(api->access_folder);
	free(api);
}
