/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event log: a ring of JSON objects under one lock, and the subscribers that are woken when it grows.
 * Events are immutable once added; readers hold references, so that no text is made under the lock.
 */
#include "manage/events_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manage/timestamp.h"

struct events *events_new(unsigned size, uint64_t first)
{
	struct events *events = calloc(1, sizeof *events);
	size = size ? size : EVENTS_RING;
	if (!events || !(events->ring = calloc(size, sizeof(json_t *)))) {
		free(events);
		return NULL;
	}
	events->size = size;
	events->next = events->first = events->begun = events->base = first ? first : 1;
	pthread_mutex_init(&events->lock, NULL);
	return events;
}

void events_free(struct events *events)
{
	if (!events)
		return;
	for (unsigned i = 0; i < events->size; i++)
		json_decref(events->ring[i]);
	events_unmap(events);
	pthread_mutex_destroy(&events->lock);
	free(events->ring);
	free(events);
}

static json_t *make_event(const char *kind, const char *subject, json_t *details, const char *message)
{
	json_t *event = json_object(), *text = json_string(message);
	char now[TIMESTAMP_SIZE];
	json_object_set_new(event, "id", json_integer(0));
	json_object_set_new(event, "time", json_string(timestamp_now(now)));
	json_object_set_new(event, "kind", json_string(kind));
	json_object_set_new(event, "subject", json_string(subject ? subject : ""));
	json_object_set_new(event, "message", text ? text : json_string("(not UTF-8)"));
	if (details)
		json_object_set_new(event, "details", details);
	return event;
}

/* Puts an event in the ring and wakes who waits. Takes the reference. */
static uint64_t publish(struct events *events, json_t *event)
{
	pthread_mutex_lock(&events->lock);
	uint64_t id = events->next++;
	if (events->kept)
		events->kept->next = events->next;
	json_t **place = &events->ring[id % events->size], *old = *place;
	json_integer_set(json_object_get(event, "id"), (json_int_t)id);
	*place = json_incref(event);
	if (id - events->first >= events->size)
		events->first = id - events->size + 1;
	for (struct subscriber *subscriber = events->subscribers; subscriber; subscriber = subscriber->next)
		rest_stream_wake(subscriber->stream);
	pthread_mutex_unlock(&events->lock);
	json_decref(old);
	json_decref(event);
	return id;
}

uint64_t events_add(struct events *events, const char *kind, const char *subject, json_t *details,
                    const char *format, ...)
{
	char *message = NULL;
	va_list args;
	va_start(args, format);
	if (vasprintf(&message, format, args) < 0)
		message = NULL;
	va_end(args);
	uint64_t id = publish(events, make_event(kind, subject, details, message ? message : ""));
	free(message);
	return id;
}

uint64_t events_last(struct events *events)
{
	pthread_mutex_lock(&events->lock);
	uint64_t last = events->next - 1;
	pthread_mutex_unlock(&events->lock);
	return last;
}

static bool is(const json_t *event, const char *member, const char *value)
{
	return !value || !strcmp(json_string_value(json_object_get(event, member)), value);
}

bool event_selected(const json_t *event, const char *kind, const char *subject)
{
	return is(event, "kind", kind) && is(event, "subject", subject);
}

json_t *events_list(struct events *events, uint64_t after, unsigned limit, const char *kind,
                    const char *subject)
{
	json_t *list = json_array();
	pthread_mutex_lock(&events->lock);
	for (uint64_t id = after < events->first ? events->first : after + 1;
	     id < events->next && json_array_size(list) < limit; id++) {
		json_t *event = events->ring[id % events->size];
		if (event_selected(event, kind, subject))
			json_array_append(list, event);
	}
	pthread_mutex_unlock(&events->lock);
	return list;
}

json_t *event_after(struct events *events, uint64_t after, uint64_t *lost)
{
	json_t *event = NULL;
	pthread_mutex_lock(&events->lock);
	*lost = after + 1 < events->first ? events->first - after - 1 : 0;
	uint64_t id = *lost ? events->first : after + 1;
	if (id < events->next)
		event = json_incref(events->ring[id % events->size]);
	pthread_mutex_unlock(&events->lock);
	return event;
}

void subscriber_add(struct events *events, struct subscriber *subscriber)
{
	pthread_mutex_lock(&events->lock);
	subscriber->next = events->subscribers;
	events->subscribers = subscriber;
	pthread_mutex_unlock(&events->lock);
}

void subscriber_remove(struct events *events, struct subscriber *subscriber)
{
	pthread_mutex_lock(&events->lock);
	struct subscriber **link = &events->subscribers;
	while (*link && *link != subscriber)
		link = &(*link)->next;
	if (*link)
		*link = subscriber->next;
	pthread_mutex_unlock(&events->lock);
}
