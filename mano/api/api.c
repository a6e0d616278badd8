/* SPDX-License-Identifier: BSD-3-Clause */
/* Bringing the orchestrator's REST up and down. See api.h. */
#include "api/api.h"

#include <stdlib.h>
#include <unistd.h>

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
	log_debug("http", "method=%s path=%s status=%u microseconds=%llu uid=%u", request->method,
	          request->path, status, (unsigned long long)microseconds, (unsigned)request->peer.uid);
}

static bool serve(struct api *api, long group, struct errors *errors)
{
	char *path = text_format("%s/sluiced.sock", api->manager->options.run_folder);
	struct rest_unix where = { .path = path, .has_group = group >= 0, .group = (gid_t)group };
	bool fine =
	        rest_add(api->rest, service_routes, errors) && rest_add(api->rest, revision_routes, errors) &&
	        rest_add(api->rest, vnf_routes, errors) && rest_add(api->rest, chain_routes, errors) &&
	        rest_add(api->rest, op_routes, errors) && rest_add(api->rest, system_routes, errors) &&
	        rest_add(api->rest, api->event_routes, errors) && rest_listen_unix(api->rest, &where, errors);

	free(path);
	return fine;
}

struct api *api_start(struct manager *manager, long group, struct errors *errors)
{
	struct api *api = memory_new(1, sizeof(*api));
	struct rest_options options = {
		.user = api, .threads = API_THREADS, .queue = API_QUEUE, .done = on_done
	};

	api->manager = manager;
	api->event_routes[0] = events_route(manager->events, "/v1/events");
	api->rest = rest_new(&options);
	if (!api->rest)
		errors_add(errors, NULL, "no-resources", NULL, 0, "no memory or threads for the REST server");
	else if (serve(api, group, errors))
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
	free(api);
}
