/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Statements with their values, on one connection. Used by the store's files alone, under its lock.
 */
#ifndef SLUICE_STORE_SQL_H
#define SLUICE_STORE_SQL_H

#include <pthread.h>

#include <sqlite3.h>

#include "store/store.h"

struct store {
	sqlite3 *db;
	pthread_mutex_t lock;
	int guard;          /* file descriptor that holds the lock against a second orchestrator */
	unsigned revisions; /* of a service that are kept */
	bool frozen;        /* no operation may begin; lock */
};

/* Called for each row. */
typedef void sql_row(void *user, sqlite3_stmt *row);

/*
 * Runs one statement; `types` tells the values: 's' const char * (NULL allowed), 'i' int64_t. False with an error. each
 * may be NULL.
 */
bool sql_run(struct store *store, struct errors *errors, sql_row *each, void *user, const char *statement,
             const char *types, ...);

/* Several statements as one: begin takes the lock, end commits if `fine`, else undoes. Answers whether it is committed. */
bool sql_begin(struct store *store, struct errors *errors);
bool sql_end(struct store *store, bool fine, struct errors *errors);

/* Column as text, "" for NULL. */
const char *sql_text(sqlite3_stmt *row, int column);

/* Row handlers: the first column as a number into *(int64_t *)user; each row as one JSON object into an array. */
void sql_take_number(void *user, sqlite3_stmt *row);

/* Seconds since 1970. */
int64_t sql_now(void);

/* Adds each row's first column, a text, to a JSON array. */
void sql_take_name(void *user, sqlite3_stmt *row);

/* The rows of a statement with one value ('s' or 'i', NULL: none), as `each` makes them into a JSON array; NULL with an error. */
json_t *sql_list(struct store *store, sql_row *each, const char *statement, const char *text, int64_t number,
                 struct errors *errors);

/* Puts an operation into a state; part of a transaction. */
bool sql_set_op(struct store *store, uint64_t op, const char *state, struct errors *errors);

/* RFC 3339, UTC, as a new string of JSON. */
json_t *sql_time(int64_t seconds);

#endif
