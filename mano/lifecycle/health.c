/* SPDX-License-Identifier: BSD-3-Clause */
/* What a keeper says to its process over the control socket, and hears from it. Keepers' threads. See keeper.h. */
#include <stdlib.h>
#include <string.h>

#include "lifecycle/credentials.h"
#include "lifecycle/keeper.h"
#include "manage/log.h"
#include "manage/problem.h"
#include "manage/strbuf.h"
#include "util/memory.h"

#define API "v1" /* of the processes' REST: docs/ENGINE.md */

enum {
	TAIL_BYTES = 600, /* of a log, to explain an end */
	READY_MS = 500,   /* for an answer to "are you ready" */
	PROBE_MS = 2000,  /* for one to "do you live": a busy machine takes its time */
	PROBE_EVERY_MS = 2000,
	MISSES_MAX = 4, /* answers missed in a row before it counts as dead */
	MISSES_STARVED =
	        15,      /* of one that has no processor to answer with, while its workers may move packets */
	DRIFT_EVERY = 5, /* probes */
	PUSH_MS = 120000, /* to compile and take a document: large rule sets take seconds */
};

/* The status; 0: no answer in time. */
static unsigned get(struct unit *unit, const char *path, const char *const *headers, long timeout_ms,
                    char **etag)
{
	struct http_request request = {
		.target = unit->socket, .path = path, .headers = headers, .timeout_ms = timeout_ms
	};
	struct http_reply reply = { 0 };
	unsigned status = http_request(unit->prober, &request, &reply) ? reply.status : 0;

	if (status)
		unit->answered = unit_now();
	if (etag && reply.etag)
		*etag = text_copy(reply.etag);
	http_reply_free(&reply);
	return status;
}

bool health_ready(struct unit *unit)
{
	return get(unit, "/readyz", NULL, READY_MS, NULL) == 200;
}

bool health_speaks(struct unit *unit, const char *api, const char *version, struct errors *errors)
{
	bool known = api && strcmp(api, API) == 0;

	if (!known)
		errors_add(errors, NULL, "wrong-version", NULL, 0,
		           "%s of version %s speaks API %s, and this sluiced " API ": use a build that fits",
		           unit->name, version ? version : "unknown", api ? api : "unknown");
	return known;
}

bool health_greet(struct unit *unit, struct errors *errors)
{
	struct http_request request = { .target = unit->socket,
		                        .path = "/v1/version",
		                        .timeout_ms = PROBE_MS };
	struct http_reply reply = { 0 };
	json_t *answer = NULL;
	bool came = http_request_json(unit->prober, &request, NULL, &reply, &answer);
	const char *version = json_string_value(json_object_get(answer, "version"));
	bool known = health_speaks(
	        unit, came && reply.status == 200 ? json_string_value(json_object_get(answer, "api")) : NULL,
	        version, errors);

	pthread_mutex_lock(&unit->manager->lock);
	free(unit->version);
	unit->version = text_copy(version);
	pthread_mutex_unlock(&unit->manager->lock);
	json_decref(answer);
	http_reply_free(&reply);
	return known;
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

bool health_probe_due(const struct unit *unit)
{
	return unit_now() >= unit->next_probe;
}

/* Whether a thread of it that does not move packets has something to do and does not get round to it: who answers may be that one. */
static bool is_starved(const struct unit *unit)
{
	char *path = text_format("%s/" INSTANCE_HEARTBEAT, unit->folder);
	const struct heartbeat *beats = heartbeat_open(path);
	pid_t workers[HEARTBEAT_WORKERS_MAX];
	size_t count = 0;
	bool starved = false;

	free(path);
	if (!beats)
		return false;
	for (; count < beats->workers && count < HEARTBEAT_WORKERS_MAX; count++)
		workers[count] = (pid_t)beats->line[count].thread;
	starved =
	        beats->pid == (uint32_t)unit->child.pid && child_is_runnable(unit->child.pid, workers, count);
	heartbeat_close(beats);
	return starved;
}

bool health_probe(struct unit *unit)
{
	unit->next_probe = unit_now() + PROBE_EVERY_MS;
	if (get(unit, "/healthz", NULL, PROBE_MS, NULL) != 200) {
		unit->misses++;
		return unit->misses < MISSES_MAX || (unit->misses < MISSES_STARVED && is_starved(unit));
	}
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

static enum push_result refused(unsigned status, const char *body, struct errors *errors)
{
	json_t *answer = json_loads(body, 0, NULL);

	if (problem_read(answer, errors) == 0)
		errors_add(errors, NULL, "refused", NULL, 0, "the process answered %u: %.200s", status, body);
	json_decref(answer);
	if (!asks_for_restart(errors))
		return PUSH_REFUSED;
	errors_free(errors);
	return PUSH_RESTART;
}

/* A document on its way: compiling it may take long, so orders and the process's health are looked at meanwhile. */
struct push {
	struct unit *unit;
	uint64_t until;
	struct strbuf answer;
	const char *broken; /* why it was given up; NULL: it was not */
};

static bool has_orders(struct unit *unit)
{
	pthread_mutex_lock(&unit->manager->lock);
	bool orders = unit->stop || unit->leave || unit->heal;
	pthread_mutex_unlock(&unit->manager->lock);
	return orders;
}

static bool on_answer(void *user, const struct http_reply *head, const char *data, size_t length)
{
	struct push *push = user;

	(void)head;
	if (data)
		strbuf_add(&push->answer, data, length);
	if (has_orders(push->unit))
		push->broken = "given up for another order";
	else if (unit_now() >= push->until)
		push->broken = "no answer in time";
	else if (health_probe_due(push->unit) && !health_probe(push->unit))
		push->broken = "it does not say that it lives";
	return !push->broken;
}

enum push_result health_push(struct unit *unit, const struct wish *wish, struct errors *errors)
{
	struct http_request request = { .target = unit->socket,
		                        .method = "PUT",
		                        .path = "/v1/config",
		                        .body = wish->document,
		                        .body_length = strlen(wish->document),
		                        .timeout_ms = READY_MS };
	struct push push = { .unit = unit, .until = unit_now() + PUSH_MS };
	struct http_reply reply = { 0 };
	enum push_result result = PUSH_DONE;

	/* It may be told to listen, or to listen elsewhere. */
	if (!credentials_issue(unit->manager, unit->folder, unit->name, wish->document, errors))
		return PUSH_UNREACHED;
	bool came = http_stream(unit->client, &request, on_answer, &push, &reply) && !push.broken;

	strbuf_puts(&push.answer, "");
	if (!came) {
		errors_add(errors, NULL, "unreachable", NULL, 0, "%s",
		           push.broken ? push.broken : reply.error);
		result = PUSH_UNREACHED;
	} else if (reply.status >= 300) {
		result = refused(reply.status, push.answer.text ? push.answer.text : "", errors);
	}
	strbuf_free(&push.answer);
	http_reply_free(&reply);
	return result;
}

/* --- ends --- */

/* The errors that it left, by the paths of its document; whether there are any. */
static bool read_failure(const struct unit *unit, struct errors *errors)
{
	char *text = unit->manager->driver->failure(unit->folder);
	json_t *answer = text ? json_loads(text, 0, NULL) : NULL;
	size_t found = answer ? problem_read(answer, errors) : 0;

	json_decref(answer);
	free(text);
	return found > 0;
}

/* Else what it wrote before it ended is the best reason that there is. */
void health_explain(struct unit *unit, struct errors *errors)
{
	if (read_failure(unit, errors))
		return;
	char *tail = unit->manager->driver->logs(unit->folder, unit->log_from, TAIL_BYTES);
	size_t length = strlen(tail);

	while (length > 0 && strchr("\r\n ", tail[length - 1]))
		tail[--length] = '\0';
	errors_add(errors, NULL, "cannot-start", NULL, 0, "%s ended before it was ready%s%s", unit->name,
	           length ? ": " : "", tail);
	free(tail);
}
