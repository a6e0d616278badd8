/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replies that go on. A stream that has nothing to send suspends its connection; a wake resumes it. `lock`
 * closes the gap between "nothing to read" and the suspension, so that no wake is lost. One ticker thread
 * looks once a second: it wakes silent streams for their heartbeat, and ends those whose client went away,
 * which the HTTP library does not notice while they sleep. Lock order: whoever wakes holds its own lock (the
 * event log's), then stream.lock; the list's lock comes before stream.lock. A class's read and close are
 * called with none of them held.
 */
#include "manage/rest_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <poll.h>
#include <time.h>

#include "manage/access.h"
#include "manage/problem.h"
#include "manage/trust.h"

struct rest_stream {
	struct rest_stream *next, **link; /* the server's list; guarded by stream_lock */
	struct rest *rest;
	struct MHD_Connection *connection;
	int fd; /* of the connection; open as long as the stream is in the list */
	const struct rest_stream_class *class;
	void *state;
	char token[CALLER_SUBJECT]; /* whose it is: it ends with that; "": with nobody's */
	unsigned char *certificate; /* the same, in DER; NULL: none */
	size_t certificate_length;
	struct judgement judged; /* the ticker's */
	pthread_mutex_t lock;    /* guards what follows */
	bool suspended, woken, ending;
	uint64_t last_us; /* when the last byte was sent */
};

uint64_t monotonic_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static bool list_add(struct rest *rest, struct rest_stream *stream)
{
	pthread_mutex_lock(&rest->stream_lock);
	bool room = rest->stream_count < rest->limits.streams && !atomic_load(&rest->stopping);
	if (room) {
		rest->stream_count++;
		stream->next = rest->streams;
		stream->link = &rest->streams;
		if (stream->next)
			stream->next->link = &stream->next;
		rest->streams = stream;
		pthread_cond_signal(&rest->stream_change);
	}
	pthread_mutex_unlock(&rest->stream_lock);
	return room;
}

static void list_remove(struct rest_stream *stream)
{
	struct rest *rest = stream->rest;
	pthread_mutex_lock(&rest->stream_lock);
	*stream->link = stream->next;
	if (stream->next)
		stream->next->link = stream->link;
	rest->stream_count--;
	pthread_mutex_unlock(&rest->stream_lock);
}

static int connection_fd(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	return info ? info->connect_fd : -1;
}

/* Notes by what its client was let in. */
static void remember_owner(struct rest_stream *stream, const struct caller *caller)
{
	if (!caller)
		return;
	if (!strcmp(caller->how, "token"))
		snprintf(stream->token, sizeof stream->token, "%s", caller->subject);
	if (strcmp(caller->how, "certificate"))
		return;
	const unsigned char *der = tls_peer(stream->connection, &stream->certificate_length);
	stream->certificate = der ? malloc(stream->certificate_length) : NULL;
	if (stream->certificate)
		memcpy(stream->certificate, der, stream->certificate_length);
}

static void free_owner(struct rest_stream *stream)
{
	trust_release(stream->judged.trust);
	free(stream->certificate);
}

struct rest_stream *rest_reply_stream(struct rest_reply *reply, unsigned status, const char *type,
                                      const struct rest_stream_class *class, void *state)
{
	struct rest_stream *stream = calloc(1, sizeof *stream);
	if (stream) {
		*stream = (struct rest_stream){ .rest = reply->rest,
			                        .connection = reply->connection,
			                        .class = class,
			                        .state = state,
			                        .fd = connection_fd(reply->connection),
			                        .last_us = monotonic_us() };
		pthread_mutex_init(&stream->lock, NULL);
	}
	if (stream)
		remember_owner(stream, reply->caller);
	if (!stream || !list_add(reply->rest, stream)) {
		if (stream)
			free_owner(stream);
		free(stream);
		class->close(state);
		rest_problem(reply, 503, "too many streams are open");
		rest_reply_header(reply, "Retry-After", "5");
		return NULL;
	}
	rest_reply_status(reply, status);
	rest_reply_header(reply, "Cache-Control", "no-cache");
	reply->type = strdup(type);
	reply->stream = stream;
	return stream;
}

void stream_discard(struct rest_stream *stream)
{
	list_remove(stream);
	stream->class->close(stream->state);
	pthread_mutex_destroy(&stream->lock);
	free_owner(stream);
	free(stream);
}

void rest_stream_wake(struct rest_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->woken = true;
	if (stream->suspended) {
		stream->suspended = false;
		MHD_resume_connection(stream->connection);
	}
	pthread_mutex_unlock(&stream->lock);
}

/* Nothing was read: suspends, unless somebody woke the stream meanwhile. */
static bool suspend(struct rest_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	bool sleeps = !stream->woken && !stream->ending;
	if (sleeps) {
		stream->suspended = true;
		MHD_suspend_connection(stream->connection);
	}
	pthread_mutex_unlock(&stream->lock);
	return sleeps;
}

static bool begin_read(struct rest_stream *stream, bool *idle)
{
	uint64_t beat_us = stream->class->beat_s * UINT64_C(1000000);
	pthread_mutex_lock(&stream->lock);
	bool ending = stream->ending;
	stream->woken = false;
	*idle = beat_us && monotonic_us() - stream->last_us >= beat_us;
	pthread_mutex_unlock(&stream->lock);
	return !ending;
}

static void sent(struct rest_stream *stream)
{
	pthread_mutex_lock(&stream->lock);
	stream->last_us = monotonic_us();
	pthread_mutex_unlock(&stream->lock);
}

static ssize_t read_stream(void *argument, uint64_t position, char *text, size_t size)
{
	struct rest_stream *stream = argument;
	bool idle;
	(void)position;
	while (begin_read(stream, &idle)) {
		ssize_t got = stream->class->read(stream->state, text, size, idle);
		if (got < 0)
			break;
		if (got > 0) {
			sent(stream);
			return got;
		}
		if (suspend(stream))
			return 0;
	}
	return MHD_CONTENT_READER_END_OF_STREAM;
}

static void free_stream(void *stream)
{
	stream_discard(stream);
}

struct MHD_Response *stream_response(struct rest_stream *stream)
{
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 4096, read_stream, stream, free_stream);
}

static bool hung_up(const struct rest_stream *stream)
{
	struct pollfd client = { .fd = stream->fd, .events = POLLRDHUP };
	return poll(&client, 1, 0) > 0;
}

static bool certificate_holds(struct rest_stream *stream, struct access *access, time_t now)
{
	struct caller caller = { 0 };
	const char *why;
	struct trust *trust;
	bool holds = true;
	if (judgement_due(&stream->judged, access, now, &trust))
		holds = trust && trust_check(trust, stream->certificate, stream->certificate_length, now,
		                             &caller, &why);
	trust_release(trust);
	return holds;
}

/* Who was let in by a token or a certificate is let out when that is revoked or over. */
static bool owner_may(struct rest_stream *stream)
{
	struct access *access = stream->rest->access;
	time_t now = time(NULL);
	return (!*stream->token || tokens_alive(access_tokens(access), stream->token, now)) &&
	       (!stream->certificate || certificate_holds(stream, access, now));
}

static void look_after(struct rest_stream *stream, uint64_t now)
{
	uint64_t beat_us = stream->class->beat_s * UINT64_C(1000000);
	bool gone = hung_up(stream) || !owner_may(stream);
	pthread_mutex_lock(&stream->lock);
	stream->ending |= gone;
	bool due = gone || (beat_us && now - stream->last_us >= beat_us);
	pthread_mutex_unlock(&stream->lock);
	if (due)
		rest_stream_wake(stream);
}

void *stream_ticker(void *argument)
{
	struct rest *rest = argument;
	pthread_mutex_lock(&rest->stream_lock);
	while (!atomic_load(&rest->stopping)) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec++;
		if (rest->streams || connections_any(rest))
			pthread_cond_timedwait(&rest->stream_change, &rest->stream_lock, &until);
		else
			pthread_cond_wait(&rest->stream_change, &rest->stream_lock);
		uint64_t now = monotonic_us();
		for (struct rest_stream *stream = rest->streams; stream; stream = stream->next)
			look_after(stream, now);
		connections_sweep(rest, now);
	}
	pthread_mutex_unlock(&rest->stream_lock);
	return NULL;
}

void streams_end(struct rest *rest)
{
	pthread_mutex_lock(&rest->stream_lock);
	for (struct rest_stream *stream = rest->streams; stream; stream = stream->next) {
		pthread_mutex_lock(&stream->lock);
		stream->ending = true;
		pthread_mutex_unlock(&stream->lock);
		rest_stream_wake(stream);
	}
	pthread_cond_broadcast(&rest->stream_change);
	pthread_mutex_unlock(&rest->stream_lock);
}

unsigned streams_open(struct rest *rest)
{
	pthread_mutex_lock(&rest->stream_lock);
	unsigned count = rest->stream_count;
	pthread_mutex_unlock(&rest->stream_lock);
	return count;
}
