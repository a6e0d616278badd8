/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of a keeper share: keeper.c turns, start.c brings a process up, adjust.c gives it documents, ends.c sees to its end, succession.c has
 * another take its place, health.c speaks with it. All on the keeper's own thread; manager->lock is not held.
 */
#ifndef SLUICE_LIFECYCLE_KEEPER_H
#define SLUICE_LIFECYCLE_KEEPER_H

#include "lifecycle/unit.h"

enum {
	KEEPER_STOP_MS = 2000,     /* for a process to end by itself */
	KEEPER_TAKEN_UP_MS = 5000, /* for one of a former life to listen */
};

/* --- keeper.c --- */

void *keeper_run(void *unit);
void keeper_set_state(struct unit *unit, enum unit_state state);
void keeper_count_restart(struct unit *unit);
/* The wish of that number is carried out. */
void keeper_set_done(struct unit *unit, uint64_t wish);
/* Takes the errors over. */
void keeper_refuse(struct unit *unit, uint64_t wish, struct errors *errors);

/* --- start.c --- */

struct instance keeper_instance(const struct unit *unit, const struct wish *wish);
/* Takes the present wish as what is to be run from here on. */
void keeper_take_wish(struct unit *unit);
/* Starts a process for the present wish. */
void keeper_begin(struct unit *unit);
/* Looks whether one that starts is ready, or never will be. */
void keeper_await_ready(struct unit *unit);
/* Says when the next is started, after one that was ready for `served` ms. */
void keeper_back_off(struct unit *unit, uint64_t served);
/* What failed is no guide any more. */
void keeper_start_at_once(struct unit *unit);

/* --- adjust.c --- */

/* Gives the process the document that is wished, or a successor. */
void keeper_adjust(struct unit *unit);
/* Another executable or another shape takes the place of what runs: beside it if there is room for both, else after it. */
void keeper_succeed(struct unit *unit);

/* --- ends.c --- */

/* The process has ended; the status is as waitpid gives it, -1: not known. */
void keeper_on_end(struct unit *unit, int status);
/* Ends its process, which is not the unit's any more from the first moment. */
void keeper_take_away(struct unit *unit);
/* A restart that was asked for: no failure, and at once. */
void keeper_replace(struct unit *unit, bool kill);
/* Stops it, and removes what there is of it. */
void keeper_end(struct unit *unit);

/* --- succession.c --- */

/* Make before break: a process comes up beside what runs and takes its place. */

/* Starts one for the present wish; false: the host has no room for two. What fails is a refusal of the wish, and what runs runs on. */
bool succession_begin(struct unit *unit);
/* Whether one stands by, or is on its way there. */
bool succession_under_way(const struct unit *unit);
/* Sees to one that stands by: when it is ready it becomes the unit's process; one that fails is a refusal. */
void succession_look(struct unit *unit);
/* Sees to one that was told to begin, and to one that leaves. */
void succession_tend(struct unit *unit);
/* Gives up one that stands by. */
void succession_drop(struct unit *unit);
/* The same, and ends one that leaves. */
void succession_end(struct unit *unit);
/* What a former life left: by the store's word, if it was not one that stood by and went with that life; else whatever runs in the folder. What that one
 * was started as it says itself; its document is not known then. */
void succession_take_up(struct unit *unit);

/* --- health.c --- */

enum push_result { PUSH_DONE, PUSH_RESTART, PUSH_REFUSED, PUSH_UNREACHED };
/* Gives a running process the document of its wish. */
enum push_result health_push(struct unit *unit, const struct wish *wish, struct errors *errors);
/* Whether it says that it is ready. */
bool health_ready(struct unit *unit);
/* Asks which version it is, and notes it; false with an error ("wrong-version") if it does not speak our API. */
bool health_greet(struct unit *unit, struct errors *errors);
/* Whether we speak the API of a process of that version (NULL: it told none); else an error. */
bool health_speaks(struct unit *unit, const char *api, const char *version, struct errors *errors);
/* Whether it is time to ask it whether it lives. */
bool health_probe_due(const struct unit *unit);
/* Asks it whether it lives; false when it has not answered several times. Also looks for drift now and then. */
bool health_probe(struct unit *unit);
/* Why it ended before it was ready, by its own words. */
void health_explain(struct unit *unit, struct errors *errors);
/* Remembers its configuration's ETag, against which drift is seen. */
void health_remember(struct unit *unit);

/* --- unit.c --- */

/* Tells the store of the process as it is. */
void unit_record(struct unit *unit);
/* The same of one that exists and does not run yet. */
void unit_record_start(struct unit *unit, const struct child *child);
/* What it runs, here and in the store. */
void unit_set_digest(struct unit *unit, const char *digest);
/* A document is on its way: until it is known which one the process runs, neither we nor the next life take it for granted. */
void unit_forget_document(struct unit *unit);
/* An event and a log line: the process was started. */
void unit_say_started(struct unit *unit);
/* Sets the text of the last failure (NULL: none) and logs it. */
void unit_set_error(struct unit *unit, const char *text);

#endif
