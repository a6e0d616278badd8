/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hears the events of one process and adds them to ours, under new ids and with the name of the service or VNF, in the
 * order in which the process said them. A thread of its own for each unit. A process that is started anew is followed
 * from its first event; one that was taken up, too: our own list began empty as well. What comes faster than a bounded rate
 * is counted and left out, so that one that talks too much does not push the others' events out.
 *
 * Life cycle: listener_start with the unit, listener_stop before the unit is freed.
 */
#ifndef SLUICE_LIFECYCLE_LISTENER_H
#define SLUICE_LIFECYCLE_LISTENER_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

struct unit;
struct listener;

/* NULL if there is no thread to be had. The unit outlives it. */
struct listener *listener_start(struct unit *unit);
/* Tells it to end; any thread. */
void listener_ask_stop(struct listener *listener);
/* Waits for its end (a second at most) and frees. NULL is fine. */
void listener_stop(struct listener *listener);

/* How many events may still be taken: so many at once, so many a second. */
struct listener_budget {
	double left;
	uint64_t filled; /* ms */
};
enum { LISTENER_BURST = 256, LISTENER_RATE = 50 };
/* Whether one more may be taken at a time (ms), which never goes back. */
bool listener_may(struct listener_budget *budget, uint64_t now);

#endif
