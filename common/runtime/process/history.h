/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The documents that a process has run (config/revisions.h), and a change that awaits its confirmation. All calls but
 * history_open, history_boot and history_close: the caller holds process->changes.
 */
#ifndef SLUICE_RUNTIME_HISTORY_H
#define SLUICE_RUNTIME_HISTORY_H

#include "config/revisions.h"

struct process;

struct history {
	struct revisions *kept; /* NULL: none are kept */
	char *startup_digest;   /* of the startup file */
	struct conf *former;  /* what comes back unless the change is confirmed; NULL: nothing awaits that */
	uint64_t deadline_ms; /* when; by the clock that only goes forward */
};

/* Opens the folder of --revisions (NULL: none are kept), and says what the process is to begin with: the saved revision, or NULL, the startup
 * file (may be NULL). False with errors. */
bool history_open(struct history *history, const char *folder, const char *startup, struct conf **saved,
                  struct errors *errors);
void history_close(struct history *history);

/* Writes down what runs now, unless the newest revision is that; a failure is logged, for it runs all the same. */
void history_note(struct process *p, const char *author, const char *comment);

/* Lets a change await its confirmation: `former` (taken over) ran before. */
void history_await(struct process *p, struct conf *former, unsigned seconds);
/* Keeps it. False: there is none. */
bool history_confirm(struct process *p);
/* Goes back to what ran before it. False with errors; it then counts as confirmed, for what ran before cannot run any more. */
bool history_undo(struct process *p, const char *author, struct errors *errors);
/* Undoes what was not confirmed in time; to be called each second, takes process->changes itself. */
void history_poll(struct process *p);

#endif
