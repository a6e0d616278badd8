/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event log: a bounded ring in memory of what happened (a hop went down, a revision was committed), and a
 * route that streams it. Ids increase by one. Any thread may add; subscribers read from the HTTP thread and
 * never hold up who adds. Life cycle: events_new, routes served, rest_stop, events_free (the server must be
 * stopped first).
 */
#ifndef SLUICE_MANAGE_EVENTS_H
#define SLUICE_MANAGE_EVENTS_H

#include <stdint.h>

#include <jansson.h>

#include "manage/rest.h"

enum { EVENTS_RING = 4096 };

struct events;

/* A log of `size` events (0: EVENTS_RING) whose first id is `first` (0: 1; a caller that stores events goes
 * on from there). */
struct events *events_new(unsigned size, uint64_t first);
void events_free(struct events *events);

/*
 * Goes on with the ids that a former life has left in a file, and leaves its own there: before the first event. False, with a
 * line in the log: that is not possible, and ids begin as events_new() says.
 */
bool events_keep(struct events *events, const char *file);

/*
 * Adds {id, time, kind, subject, message, details}: kind is a stable word ("hop-down"), subject the object
 * ("edge/fw"), details a JSON object that is taken over, or NULL; the message is formatted. Returns the id.
 * Any thread; no I/O.
 */
uint64_t events_add(struct events *events, const char *kind, const char *subject, json_t *details,
                    const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The id of the latest event; 0 if there was none. */
uint64_t events_last(struct events *events);

/* JSON array of up to `limit` events with an id above `after`, oldest first; kind, subject: only these (NULL:
 * all). New reference. */
json_t *events_list(struct events *events, uint64_t after, unsigned limit, const char *kind,
                    const char *subject);

/*
 * GET at `pattern` ("/v1/events"): server-sent events; with `Accept: application/json` the list. Starts after
 * Last-Event-ID (header) or ?last=ID, else with new events; ?last=0 gives all that is there. An id that the
 * ring has lost already makes the stream begin with an event of kind "gap", which says how many are `lost`
 * unless the id is below the first that this log gave. ?kind= and ?subject= select;
 * ?limit= for the list. A comment each 15 s.
 */
struct rest_route events_route(struct events *events, const char *pattern);

#endif
