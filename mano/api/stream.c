/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Passing streams on: replies of processes that do not end by themselves (server-sent events). A pump, a thread for
 * each stream, reads from the process into a small buffer, from which the HTTP thread takes; a full buffer holds the
 * pump up, and with it the process's own buffer, so that memory stays bounded. Everything in struct pump is guarded by
 * its lock; it is freed by whoever is done last, the pump or the stream.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/api.h"
#include "manage/client.h"
#include "manage/problem.h"
#include "util/memory.h"

enum { ROOM = 32 << 10, HEAD_MS = 10000, CONNECT_MS = 1000, STACK = 256 << 10 };

struct pump {
	struct api *api;
	char *target, *path, *headers[4];
	struct rest_stream *stream; /* NULL: not there yet, or over */
	pthread_mutex_t lock;
	pthread_cond_t change;
	unsigned holders;         /* the pump's thread, and the handler or the stream */
	bool headed, ended, gone; /* the reply has begun; the process has ended it; the reader is gone */
	unsigned status;
	char *type, error[256];
	char buffer[ROOM];
	size_t length;
};

static void let_go(struct pump *pump)
{
	pthread_mutex_lock(&pump->lock);
	bool last = --pump->holders == 0;
	pthread_mutex_unlock(&pump->lock);
	if (!last)
		return;
	for (size_t i = 0; pump->headers[i]; i++)
		free(pump->headers[i]);
	pthread_cond_destroy(&pump->change);
	pthread_mutex_destroy(&pump->lock);
	free(pump->type);
	free(pump->target);
	free(pump->path);
	free(pump);
}

/* --- the pump's thread --- */

/* Takes what fits; lock held. False: the reader has gone while we waited for room. */
static bool put(struct pump *pump, const char *data, size_t length)
{
	while (length && !pump->gone) {
		size_t room = ROOM - pump->length, part = length < room ? length : room;

		memcpy(pump->buffer + pump->length, data, part);
		pump->length += part;
		data += part;
		length -= part;
		if (part && pump->stream)
			rest_stream_wake(pump->stream);
		if (length)
			pthread_cond_wait(&pump->change, &pump->lock);
	}
	return !pump->gone;
}

static bool take(void *user, const struct http_reply *head, const char *data, size_t length)
{
	struct pump *pump = user;
	bool go_on, ending = manager_is_stopping(pump->api->manager);

	pthread_mutex_lock(&pump->lock);
	if (head->status >= 200 && !pump->headed) {
		pump->headed = true;
		pump->status = head->status;
		pump->type = text_copy(head->content_type ? head->content_type : "application/json");
		pthread_cond_broadcast(&pump->change);
	}
	go_on = data ? put(pump, data, length) : !pump->gone && (pump->headed || !ending);
	pthread_mutex_unlock(&pump->lock);
	return go_on;
}

static void *run(void *argument)
{
	struct pump *pump = argument;
	struct api *api = pump->api;
	struct http_client *client = http_client_new();
	struct http_request request = { .target = pump->target,
		                        .path = pump->path,
		                        .headers = (const char *const *)pump->headers,
		                        .timeout_ms = CONNECT_MS };
	struct http_reply reply = { 0 };

	if (client)
		http_stream(client, &request, take, pump, &reply);
	pthread_mutex_lock(&pump->lock);
	pump->ended = true;
	snprintf(pump->error, sizeof(pump->error), "%s", reply.error);
	if (pump->stream)
		rest_stream_wake(pump->stream);
	pthread_cond_broadcast(&pump->change);
	pthread_mutex_unlock(&pump->lock);
	http_reply_free(&reply);
	http_client_free(client);
	let_go(pump);
	atomic_fetch_sub(&api->pumps, 1);
	return NULL;
}

/* --- the HTTP thread --- */

static ssize_t give(void *state, char *text, size_t size, bool idle)
{
	struct pump *pump = state;
	ssize_t given;

	(void)idle;
	pthread_mutex_lock(&pump->lock);
	size_t part = pump->length < size ? pump->length : size;
	memcpy(text, pump->buffer, part);
	memmove(pump->buffer, pump->buffer + part, pump->length - part);
	pump->length -= part;
	given = part || !pump->ended ? (ssize_t)part : -1;
	pthread_cond_broadcast(&pump->change);
	pthread_mutex_unlock(&pump->lock);
	return given;
}

static void leave(void *state)
{
	struct pump *pump = state;

	pthread_mutex_lock(&pump->lock);
	pump->gone = true;
	pump->stream = NULL;
	pthread_cond_broadcast(&pump->change);
	pthread_mutex_unlock(&pump->lock);
	let_go(pump);
}

static const struct rest_stream_class pump_class = { give, leave, 0 };

/* --- the handler --- */

static bool begin(struct pump *pump)
{
	pthread_attr_t attributes;
	pthread_t thread;

	atomic_fetch_add(&pump->api->pumps, 1);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK);
	bool begun = pthread_create(&thread, &attributes, run, pump) == 0;
	pthread_attr_destroy(&attributes);
	if (!begun)
		atomic_fetch_sub(&pump->api->pumps, 1);
	return begun;
}

/* Waits for the head of the reply, and for all of it if it is no stream; false: it has not come in time. */
static bool await_head(struct pump *pump)
{
	struct timespec until;
	bool came;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += HEAD_MS / 1000;
	pthread_mutex_lock(&pump->lock);
	while (!pump->ended && !(pump->headed && pump->status == 200))
		if (pthread_cond_timedwait(&pump->change, &pump->lock, &until))
			break;
	came = pump->headed && (pump->status == 200 || pump->ended);
	pthread_mutex_unlock(&pump->lock);
	return came;
}

static struct pump *pump_new(const struct rest_request *request, const char *socket, const char *path)
{
	static const char *const names[] = { "Accept", "Last-Event-ID" };
	struct pump *pump = memory_new(1, sizeof(*pump));
	pthread_condattr_t clock;
	size_t count = 0;

	*pump = (struct pump){ .api = api_of(request), .target = text_copy(socket), .holders = 2 };
	pump->path = request->query ? text_format("%s?%s", path, request->query) : text_copy(path);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (rest_header(request, names[i]))
			pump->headers[count++] =
			        text_format("%s: %s", names[i], rest_header(request, names[i]));
	pthread_mutex_init(&pump->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&pump->change, &clock);
	pthread_condattr_destroy(&clock);
	return pump;
}

/* What was refused is answered whole: a problem document is small. */
static void pass_refusal(struct pump *pump, struct rest_reply *reply)
{
	char *text = text_copy_n(pump->buffer, pump->length);

	rest_reply_text(reply, pump->status, pump->type, text, pump->length);
	leave(pump);
}

static void pass_stream(struct pump *pump, struct rest_reply *reply)
{
	struct rest_stream *stream = rest_reply_stream(reply, 200, pump->type, &pump_class, pump);

	if (!stream) /* the reply is set, and we have left */
		return;
	pthread_mutex_lock(&pump->lock);
	pump->stream = stream;
	pthread_mutex_unlock(&pump->lock);
}

void proxy_stream(const struct rest_request *request, struct rest_reply *reply, const char *socket,
                  const char *path)
{
	struct pump *pump = pump_new(request, socket, path);

	if (!begin(pump)) {
		rest_problem(reply, 503, "there is no thread for another stream");
		let_go(pump);
		leave(pump);
	} else if (!await_head(pump)) {
		pthread_mutex_lock(&pump->lock);
		rest_problem(reply, pump->ended ? 503 : 504, "the process does not answer: %s", pump->error);
		pthread_mutex_unlock(&pump->lock);
		rest_reply_header(reply, "Retry-After", "1");
		leave(pump);
	} else if (pump->status == 200) {
		pass_stream(pump, reply);
	} else {
		pass_refusal(pump, reply);
	}
}
