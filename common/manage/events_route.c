/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event log over HTTP: a JSON list, or server-sent events. A follower belongs to the HTTP thread from its
 * first read to its close; it keeps the text of one event that did not fit into what the connection could
 * take.
 */
#include "manage/events_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/problem.h"

struct follower {
	struct subscriber subscriber;
	struct events *events;
	uint64_t after; /* id of the last event that was written */
	bool begun;
	char *kind, *subject; /* NULL: all */
	char *text;           /* being written */
	size_t length, written;
};

static void set_text(struct follower *follower, char *text)
{
	free(follower->text);
	follower->text = text;
	follower->length = text ? strlen(text) : 0;
	follower->written = 0;
}

static void set_event(struct follower *follower, const json_t *event)
{
	char *json = json_dumps(event, JSON_COMPACT), *text = NULL;
	const char *kind = json_string_value(json_object_get(event, "kind"));
	if (json &&
	    asprintf(&text, "id: %" PRIu64 "\nevent: %s\ndata: %s\n\n", follower->after, kind, json) < 0)
		text = NULL;
	free(json);
	set_text(follower, text);
}

/* How many are lost is known of this log's own ids alone. */
static void set_gap(struct follower *follower, uint64_t lost)
{
	json_t *gap = json_pack("{s:s}", "kind", "gap");
	if (follower->after + 1 >= follower->events->base)
		json_object_set_new(gap, "lost", json_integer((json_int_t)lost));
	follower->after += lost;
	char *json = json_dumps(gap, JSON_COMPACT), *text = NULL;
	if (json && asprintf(&text, "id: %" PRIu64 "\nevent: gap\ndata: %s\n\n", follower->after, json) < 0)
		text = NULL;
	free(json);
	json_decref(gap);
	set_text(follower, text);
}

/* Makes the text of the next event that is wanted; false: there is none. */
static bool next_text(struct follower *follower)
{
	uint64_t lost;
	json_t *event;
	while ((event = event_after(follower->events, follower->after, &lost))) {
		if (lost) {
			set_gap(follower, lost);
		} else {
			follower->after++;
			if (event_selected(event, follower->kind, follower->subject))
				set_event(follower, event);
		}
		json_decref(event);
		if (follower->length)
			return true;
	}
	return false;
}

static ssize_t follow(void *state, char *text, size_t size, bool idle)
{
	struct follower *follower = state;
	if (follower->written == follower->length) {
		set_text(follower, NULL);
		if (!follower->begun || (!next_text(follower) && idle))
			set_text(follower, strdup(follower->begun ? ": alive\n\n" : "retry: 1000\n\n"));
		follower->begun = true;
	}
	size_t left = follower->length - follower->written;
	size_t count = left < size ? left : size;
	if (count)
		memcpy(text, follower->text + follower->written, count);
	follower->written += count;
	return (ssize_t)count;
}

static void unfollow(void *state)
{
	struct follower *follower = state;
	subscriber_remove(follower->events, &follower->subscriber);
	free(follower->text);
	free(follower->kind);
	free(follower->subject);
	free(follower);
}

static const struct rest_stream_class follow_class = { follow, unfollow, 15 };

static char *copy_query(const struct rest_request *request, const char *name)
{
	const char *text = rest_query(request, name);
	return text ? strdup(text) : NULL;
}

static void stream_events(const struct rest_request *request, struct rest_reply *reply, uint64_t after)
{
	struct follower *follower = calloc(1, sizeof *follower);
	if (!follower) {
		rest_problem(reply, 503, "no memory for another stream");
		return;
	}
	follower->events = request->user;
	follower->after = after;
	follower->kind = copy_query(request, "kind");
	follower->subject = copy_query(request, "subject");
	struct rest_stream *stream =
	        rest_reply_stream(reply, 200, "text/event-stream", &follow_class, follower);
	if (!stream)
		return;
	follower->subscriber.stream = stream;
	subscriber_add(follower->events, &follower->subscriber);
}

/* Where to begin: Last-Event-ID, else ?last=, else `otherwise`. An id above the newest is from an earlier
 * life of this process: then all that is there is new to the client. */
static bool begin_after(const struct rest_request *request, struct rest_reply *reply, uint64_t otherwise,
                        uint64_t *after)
{
	const char *header = rest_header(request, "Last-Event-ID");
	int64_t last;
	char *end;
	if (!rest_query_number(request, reply, "last", 0, INT64_MAX, (int64_t)otherwise, &last))
		return false;
	*after = (uint64_t)last;
	if (header && *header) {
		*after = strtoull(header, &end, 10);
		if (*end || *header == '-') {
			rest_problem(reply, 400, "Last-Event-ID: expected a number, not \"%s\"", header);
			return false;
		}
	}
	if (*after > events_last(request->user))
		*after = 0;
	if (!*after) /* all that is there; nothing is missed */
		*after = ((struct events *)request->user)->begun - 1;
	return true;
}

static void get_events(const struct rest_request *request, struct rest_reply *reply)
{
	struct events *events = request->user;
	const char *accept = rest_header(request, "Accept");
	bool list = accept && strstr(accept, "application/json");
	uint64_t after;
	int64_t limit;
	if (!begin_after(request, reply, list ? 0 : events_last(events), &after) ||
	    !rest_query_number(request, reply, "limit", 1, EVENTS_RING, EVENTS_RING, &limit))
		return;
	if (list)
		rest_reply_json(reply, 200,
		                events_list(events, after, (unsigned)limit, rest_query(request, "kind"),
		                            rest_query(request, "subject")));
	else
		stream_events(request, reply, after);
}

struct rest_route events_route(struct events *events, const char *pattern)
{
	return (struct rest_route){
		.pattern = pattern,
		.summary = "Events",
		.get = { .handle = get_events,
		         .answer = "Event[]",
		         .query = "last limit<=4096 kind subject",
		         .types = "text/event-stream application/json",
		         .summary = "Server-sent events, or with Accept: application/json a list" },
		.user = events,
	};
}
