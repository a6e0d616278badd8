/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The memory of the orchestrator: what should be (services and their revisions), what was started (processes), and
 * what is being done (operations). SQLite in WAL mode: each call is one transaction, whole or not at all, also if the
 * process is killed in it. Any thread; calls wait for each other. Life cycle: store_open, calls, store_close.
 *
 * Calls that answer false have added an error (code "store-failed": disk full, damaged ...) and changed nothing.
 */
#ifndef SLUICE_STORE_STORE_H
#define SLUICE_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "util/errors.h"

enum { STORE_REVISIONS = 50, STORE_OPS = 1000 };

struct store;

/* Opens or makes FOLDER/sluiced.db; NULL with an error ("store-taken": another orchestrator uses it). */
struct store *store_open(const char *folder, struct errors *errors);
void store_close(struct store *store);

/* What to do about a damaged store, as an end of an error's text. */
#define STORE_MEND                                                                                        \
	": it is damaged. Restore a backup (sluiced --restore FILE), or move sluiced.db, sluiced.db-wal " \
	"and "                                                                                            \
	"sluiced.db-shm away and apply all services again"

/*
 * Reads a whole database file, on a connection of its own, and says whether it is sound; else adds an error
 * ("store-damaged"). Documents of the present revisions are compared with their digests, with `all` those of the past, too. Any thread, also while the store is open; takes as long as reading the file.
 */
bool store_sound(const char *file, bool all, struct errors *errors);

/* How many revisions of a service are kept, if not STORE_REVISIONS; at least 2. Before other threads use the store. */
void store_keep(struct store *store, unsigned revisions);

/* No operation begins any more, because another store is about to take this one's place: store_op_new fails ("restoring"). */
void store_freeze(struct store *store);

/* --- Services: a name, the revision that should run, and its document. --- */

/* One service of an operation: its new document as JSON text, or NULL if it shall go. */
struct store_change {
	const char *service;
	const char *document;
};

/* One process of an operation that gives it another executable. program: its path; "": the one where all are. */
struct store_build {
	const char *service, *vnf;
	const char *program;
};

/* Who changes, and why. */
struct store_reason {
	const char *author;
	const char *comment; /* of whoever asked for it; NULL: none */
	uint64_t origin;     /* the revision that is brought back; 0: none */
	unsigned
	        confirm_seconds; /* undone unless confirmed so long after the operation has completed; 0: need not be */
	uint64_t ends;           /* operation whose confirmation is awaited no more; 0: none */
};

/*
 * The point of no return of an operation: gives each changed service its new revision, remembers the one before, and
 * puts the operation into PROCESSING.
 */
bool store_commit(struct store *store, uint64_t op, const struct store_change *changes, size_t count,
                  const struct store_reason *reason, struct errors *errors);

/* The same of an operation that changes executables and no document. */
bool store_commit_builds(struct store *store, uint64_t op, const struct store_build *builds, size_t count,
                         struct errors *errors);

/* Gives each service of an operation the revision and the executables from before it, marks its own revisions as undone,
 * and puts it into ROLLING_BACK. Nobody waits for its confirmation any more. */
bool store_roll_back(struct store *store, uint64_t op, struct errors *errors);

/* A service is gone: forgets it, its revisions and executables, unless it was wanted again meanwhile. */
bool store_forget(struct store *store, const char *service, struct errors *errors);

/* Calls each service in order of names; document is NULL if it is to go. Strings live during the call. */
typedef void store_service_fn(void *user, const char *name, uint64_t revision, const char *document);
bool store_services(struct store *store, store_service_fn *each, void *user, struct errors *errors);

/* Calls each process that has an executable of its own. */
typedef void store_build_fn(void *user, const struct store_build *build);
bool store_builds(struct store *store, store_build_fn *each, void *user, struct errors *errors);

/* Names of the services that an operation changes, as a JSON array; NULL with an error. */
json_t *store_op_services(struct store *store, uint64_t op, struct errors *errors);

/* [{service, before, after}] of the services that an operation changes; NULL with an error. */
json_t *store_op_changes(struct store *store, uint64_t op, struct errors *errors);

/* --- Revisions (revisions.c). --- */

/*
 * [{revision, time, author, kind, comment, operation, digest, state, current}], oldest first, comment only if there is
 * one, origin if it brings one back; NULL with an error. state: current, past, unconfirmed (current), undone.
 */
json_t *store_revisions(struct store *store, const char *service, struct errors *errors);

/* One of them with its `descriptor`; NULL without an error if there is none. */
json_t *store_revision_shown(struct store *store, const char *service, uint64_t revision,
                             struct errors *errors);

/* The document of one revision; NULL without an error if there is none. */
json_t *store_revision(struct store *store, const char *service, uint64_t revision, struct errors *errors);

/* The last revision before the present one that was not undone and is not the same; 0 without an error if there is none. */
uint64_t store_revision_before(struct store *store, const char *service, struct errors *errors);

/* --- Confirmations (confirms.c): operations that are undone unless somebody confirms them in time. --- */

/* A moment: on the clock since boot (CLOCK_BOOTTIME) of this boot, and on the calendar; milliseconds. */
struct store_moment {
	const char *boot;
	int64_t boottime, wall;
};

/* An operation has completed: from here on its confirmation is waited for, if one was asked for. */
bool store_complete(struct store *store, uint64_t op, const char *message, const struct store_moment *now,
                    struct errors *errors);

/* One that is waited for. until: in boottime of this boot; 0: the operation has not completed. */
struct store_confirm {
	uint64_t op;
	unsigned seconds;
	int64_t until;
};

typedef void store_confirm_fn(void *user, const struct store_confirm *confirm);
bool store_confirms(struct store *store, store_confirm_fn *each, void *user, struct errors *errors);

/* What is waited for of a service; op 0 without an error if nothing is. */
struct store_confirm store_confirm_of(struct store *store, const char *service, struct errors *errors);

/* It was confirmed. */
bool store_confirm(struct store *store, uint64_t op, struct errors *errors);

/*
 * To be called first in each life. Deadlines of another boot of the machine become ones of this boot: as long as the
 * calendar says is left of them, but never longer than was asked for, however the calendar was set meanwhile.
 */
bool store_confirms_recall(struct store *store, const struct store_moment *now, struct errors *errors);

/* --- Processes: what was started, so that the next life finds it. vnf is "" for a service's own process. --- */

struct store_process {
	const char *service, *vnf;
	pid_t pid;
	uint64_t start_time;
	const char *boot;   /* which start of the machine pid and start_time belong to */
	const char *digest; /* of the document that it runs */
	const char *cores;  /* of its workers: "2-3" */
	uint64_t restarts;
	int64_t since; /* when it was started, seconds since 1970 */
};

bool store_process_put(struct store *store, const struct store_process *process, struct errors *errors);
bool store_process_drop(struct store *store, const char *service, const char *vnf, struct errors *errors);

typedef void store_process_fn(void *user, const struct store_process *process);
bool store_processes(struct store *store, store_process_fn *each, void *user, struct errors *errors);

/* --- Operations. --- */

/* Writes a new operation in STARTING; its id, or 0 with an error. */
uint64_t store_op_new(struct store *store, const char *kind, const char *subject, const char *author,
                      struct errors *errors);

/* Its state, progress (0..100), a message, and errors (a JSON array, borrowed; NULL: as they are). */
bool store_op_set(struct store *store, uint64_t op, const char *state, unsigned progress, const char *message,
                  const json_t *op_errors, struct errors *errors);

/* What the next life must know to carry an operation on: a JSON object (borrowed), {} at first. NULL with an error. */
bool store_op_note(struct store *store, uint64_t op, const json_t *details, struct errors *errors);
json_t *store_op_details(struct store *store, uint64_t op, struct errors *errors);

/* {id, kind, subject, state, progress, message, errors, author, created, updated}; NULL without an error if there is none. */
json_t *store_op(struct store *store, uint64_t op, struct errors *errors);

/* The last STORE_OPS, oldest first; only those in `state` unless it is NULL. */
json_t *store_ops(struct store *store, const char *state, struct errors *errors);

/* --- Backups (backup.c). --- */

/* Copies the store in FOLDER to a new database, without the processes of this host. Also while it is in use; any thread. */
bool store_backup(const char *folder, const char *file, struct errors *errors);

/*
 * Checks a backup and, unless `dry_run`, lays it down in FOLDER, where the next store_open finds it. The names of its services (JSON array), NULL
 * with errors ("not-a-backup", "store-too-new"). One caller at a time.
 */
json_t *store_restore(const char *folder, const void *data, size_t length, bool dry_run,
                      struct errors *errors);

/* --- Numbers that outlive us. --- */

/* The first of `count` numbers that were never given out under this name; 0 with an error. */
uint64_t store_reserve(struct store *store, const char *name, uint64_t count, struct errors *errors);

#endif
