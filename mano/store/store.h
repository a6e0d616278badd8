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

/* --- Services: a name, the revision that should run, and its document. --- */

/* One service of an operation: its new document as JSON text, or NULL if it shall go. */
struct store_change {
	const char *service;
	const char *document;
};

/*
 * The point of no return of an operation: gives each changed service its new revision, remembers the one before, and
 * puts the operation into PROCESSING.
 */
bool store_commit(struct store *store, uint64_t op, const struct store_change *changes, size_t count,
                  const char *author, struct errors *errors);

/* Gives each service of an operation the revision from before it, and puts the operation into ROLLING_BACK. */
bool store_roll_back(struct store *store, uint64_t op, struct errors *errors);

/* A service is gone: forgets it and its revisions, unless it was wanted again meanwhile. */
bool store_forget(struct store *store, const char *service, struct errors *errors);

/* Calls each service in order of names; document is NULL if it is to go. Strings live during the call. */
typedef void store_service_fn(void *user, const char *name, uint64_t revision, const char *document);
bool store_services(struct store *store, store_service_fn *each, void *user, struct errors *errors);

/* Names of the services that an operation changes, as a JSON array; NULL with an error. */
json_t *store_op_services(struct store *store, uint64_t op, struct errors *errors);

/* [{revision, time, author, comment, current}], oldest first; NULL with an error. */
json_t *store_revisions(struct store *store, const char *service, struct errors *errors);

/* The document of one revision; NULL without an error if there is none. */
json_t *store_revision(struct store *store, const char *service, uint64_t revision, struct errors *errors);

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

/* {id, kind, subject, state, progress, message, errors, author, created, updated}; NULL without an error if there is none. */
json_t *store_op(struct store *store, uint64_t op, struct errors *errors);

/* The last STORE_OPS, oldest first; only those in `state` unless it is NULL. */
json_t *store_ops(struct store *store, const char *state, struct errors *errors);

/* --- Numbers that outlive us. --- */

/* The first of `count` numbers that were never given out under this name; 0 with an error. */
uint64_t store_reserve(struct store *store, const char *name, uint64_t count, struct errors *errors);

#endif
