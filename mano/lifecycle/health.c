/* SPDX-License-Identifier: BSD-3-Clause */
/* What a keeper says to its process over the control socket, and hears from it. Keepers' threads. See unit.h. */
#include <stdlib.h>
#include <string.h>

#include "lifecycle/unit.h"
#include "manage/log.h"
#include "manage/problem.h"
#include "util/memory.h"

enum {
	READY_MS = 500,   /* for an answer to "are you ready" */
	PROBE_MS = 1000,  /* for one to "do you live" */
	MISSES_MAX = 3,   /* answers missed in a row before it counts as dead */
	DRIFT_EVERY = 5,  /* probes */
	PUSH_MS = 120000, /* to compile and take a document: large rule sets take seconds */
};

static unsigned get(struct unit *unit, const char *path, const char *const *headers, long timeout_ms,
                    char **etag)
{
	struct http_request request = {
		.target = unit->socket, .path = path, .headers = headers, .timeout_ms = timeout_ms
	};
	struct http_reply reply = { 0 };
	unsigned status = http_request(unit->client, &request, &reply) ? reply.status : 0;

	if (etag && reply.etag)
		*etag = text_copy(reply.etag);
	http_reply_free(&reply);
	return status;
}

bool health_ready(struct unit *unit)
{
	return get(unit, "/readyz", NULL, READY_MS, NULL) == 200;
}

void health_remember(struct unit *unit)
{
	free(unit->etag);
	unit->etag = NULL;
	get(unit, "/v1/config", NULL, PROBE_MS, &unit->etag);
	unit->misses = 0;
	pthread_mutex_lock(&unit->manager->lock);
	unit->drift = false;
	pthread_mutex_unlock(&unit->manager->lock);
}

static void look_for_drift(struct unit *unit)
{
	char *condition = text_format("If-None-Match: %s", unit->etag);
	const char *headers[] = { condition, NULL };
	bool drift = get(unit, "/v1/config", headers, PROBE_MS, NULL) == 200, before;

	free(condition);
	pthread_mutex_lock(&unit->manager->lock);
	before = unit->drift;
	unit->drift = drift;
	pthread_mutex_unlock(&unit->manager->lock);
	if (drift && !before)
		events_add(unit->manager->events, "drift", unit->name, NULL,
		           "its configuration was changed behind the orchestrator's back; apply, or restart, "
		           "brings it back");
}

bool health_probe(struct unit *unit)
{
	if (get(unit, "/healthz", NULL, PROBE_MS, NULL) != 200)
		return ++unit->misses < MISSES_MAX;
	unit->misses = 0;
	if (++unit->probes % DRIFT_EVERY == 0 && unit->etag)
		look_for_drift(unit);
	return true;
}

static bool asks_for_restart(const struct errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		if (strcmp(errors->list[i].code, "needs-restart") == 0)
			return true;
	return false;
}

static enum push_result refused(const struct http_reply *reply, json_t *answer, struct errors *errors)
{
	if (problem_read(answer, errors) == 0)
		errors_add(errors, NULL, "refused", NULL, 0, "the process answered %u: %.200s", reply->status,
		           reply->body);
	if (!asks_for_restart(errors))
		return PUSH_REFUSED;
	errors_free(errors);
	return PUSH_RESTART;
}

enum push_result health_push(struct unit *unit, const struct wish *wish, struct errors *errors)
{
	struct http_request request = { .target = unit->socket,
		                        .method = "PUT",
		                        .path = "/v1/config",
		                        .body = wish->document,
		                        .body_length = strlen(wish->document),
		                        .timeout_ms = PUSH_MS };
	struct http_reply reply = { 0 };
	json_t *answer = NULL;
	enum push_result result = PUSH_DONE;

	if (!http_request(unit->client, &request, &reply)) {
		errors_add(errors, NULL, "unreachable", NULL, 0, "%s", reply.error);
		result = PUSH_UNREACHED;
	} else if (reply.status >= 300) {
		answer = json_loads(reply.body, 0, NULL);
		result = refused(&reply, answer, errors);
	}
	json_decref(answer);
	http_reply_free(&reply);
	return result;
}
