/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the event log and its route share. All of struct events is guarded by `lock`.
 */
#ifndef SLUICE_MANAGE_EVENTS_PRIVATE_H
#define SLUICE_MANAGE_EVENTS_PRIVATE_H

#include <pthread.h>

#include "manage/events.h"

struct subscriber {
	struct subscriber *next;
	struct rest_stream *stream;
};

/* What is in the file of events_keep(). */
struct events_kept {
	uint64_t magic, next;
};

struct events {
	pthread_mutex_t lock;
	json_t **ring; /* by id % size */
	unsigned size;
	uint64_t
	        base; /* the first id that this log may give; what lies below it was given by another, nobody knows how much of it */
	uint64_t first, next; /* ids: the oldest that is there, the one to be given */
	uint64_t
	        begun; /* the first that was given by this life of the log, which may go on where a former one was */
	struct events_kept *kept; /* NULL: not kept */
	struct subscriber *subscribers;
};

void events_unmap(struct events *events);
bool event_selected(const json_t *event, const char *kind, const char *subject);
/* The event after an id (new reference), or the oldest if that one is lost (*lost: how many are); NULL: none
 * yet. */
json_t *event_after(struct events *events, uint64_t after, uint64_t *lost);
void subscriber_add(struct events *events, struct subscriber *subscriber);
void subscriber_remove(struct events *events, struct subscriber *subscriber);

#endif
