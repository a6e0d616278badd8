/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes and operations in the store. See store.h. */
#include <stdlib.h>

#include "store/sql.h"

bool store_process_put(struct store *store, const struct store_process *p, struct errors *errors)
{
	pthread_mutex_lock(&store->lock);
	bool fine = sql_run(store, errors, NULL, NULL,
	                    "INSERT OR REPLACE INTO process VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", "ssiisssii",
	                    p->service, p->vnf, (int64_t)p->pid, (int64_t)p->start_time, p->boot, p->digest,
	                    p->cores, (int64_t)p->restarts, p->since);
	pthread_mutex_unlock(&store->lock);
	return fine;
}

bool store_process_drop(struct store *store, const char *service, const char *vnf, struct errors *errors)
{
	pthread_mutex_lock(&store->lock);
	bool fine = sql_run(store, errors, NULL, NULL, "DELETE FROM process WHERE service = ? AND vnf = ?",
	                    "ss", service, vnf);
	pthread_mutex_unlock(&store->lock);
	return fine;
}

struct processes_walk {
	store_process_fn *each;
	void *user;
};

static void process_row(void *user, sqlite3_stmt *row)
{
	struct processes_walk *walk = user;
	struct store_process p = {
		.service = sql_text(row, 0),
		.vnf = sql_text(row, 1),
		.pid = (pid_t)sqlite3_column_int64(row, 2),
		.start_time = (uint64_t)sqlite3_column_int64(row, 3),
		.boot = sql_text(row, 4),
		.digest = sql_text(row, 5),
		.cores = sql_text(row, 6),
		.restarts = (uint64_t)sqlite3_column_int64(row, 7),
		.since = sqlite3_column_int64(row, 8),
	};

	walk->each(walk->user, &p);
}

bool store_processes(struct store *store, store_process_fn *each, void *user, struct errors *errors)
{
	struct processes_walk walk = { each, user };

	pthread_mutex_lock(&store->lock);
	bool fine = sql_run(store, errors, process_row, &walk, "SELECT * FROM process", "");
	pthread_mutex_unlock(&store->lock);
	return fine;
}

/* --- operations --- */

static bool trim_ops(struct store *store, uint64_t newest, struct errors *errors)
{
	int64_t bound = (int64_t)newest - STORE_OPS;

	return sql_run(store, errors, NULL, NULL,
	               "DELETE FROM op WHERE id <= ? AND state IN ('COMPLETED', 'FAILED', 'ROLLED_BACK')"
	               " AND id NOT IN (SELECT op FROM confirm)",
	               "i", bound) &&
	       sql_run(store, errors, NULL, NULL, "DELETE FROM op_build WHERE op NOT IN (SELECT id FROM op)",
	               "") &&
	       sql_run(store, errors, NULL, NULL,
	               "DELETE FROM op_service WHERE op NOT IN (SELECT id FROM op)", "");
}

uint64_t store_op_new(struct store *store, const char *kind, const char *subject, const char *author,
                      struct errors *errors)
{
	uint64_t id = 0;

	if (!sql_begin(store, errors))
		return 0;
	if (store->frozen) {
		errors_add(errors, NULL, "restoring", NULL, 0,
		           "a backup is being restored: ask again in a moment");
		sql_end(store, false, errors);
		return 0;
	}
	bool fine = sql_run(
	        store, errors, NULL, NULL,
	        "INSERT INTO op (kind, subject, state, progress, message, errors, author, created, updated)"
	        " VALUES (?1, ?2, 'STARTING', 0, '', '[]', ?3, ?4, ?4)",
	        "sssi", kind, subject, author, sql_now());
	if (fine) {
		id = (uint64_t)sqlite3_last_insert_rowid(store->db);
		fine = trim_ops(store, id, errors);
	}
	return sql_end(store, fine, errors) ? id : 0;
}

bool store_op_set(struct store *store, uint64_t op, const char *state, unsigned progress, const char *message,
                  const json_t *op_errors, struct errors *errors)
{
	char *text = op_errors ? json_dumps(op_errors, JSON_COMPACT) : NULL;

	pthread_mutex_lock(&store->lock);
	bool fine = sql_run(store, errors, NULL, NULL,
	                    "UPDATE op SET state = ?, progress = ?, message = ?, errors = COALESCE(?, "
	                    "errors), updated = ?"
	                    " WHERE id = ?",
	                    "sissii", state, (int64_t)progress, message, text, sql_now(), (int64_t)op);
	pthread_mutex_unlock(&store->lock);
	free(text);
	return fine;
}

bool store_op_note(struct store *store, uint64_t op, const json_t *details, struct errors *errors)
{
	char *text = json_dumps(details, JSON_COMPACT);

	pthread_mutex_lock(&store->lock);
	bool fine = sql_run(store, errors, NULL, NULL, "UPDATE op SET details = ? WHERE id = ?", "si", text,
	                    (int64_t)op);
	pthread_mutex_unlock(&store->lock);
	free(text);
	return fine;
}

static void details_row(void *user, sqlite3_stmt *row)
{
	json_array_append_new(user, json_loads(sql_text(row, 0), 0, NULL));
}

json_t *store_op_details(struct store *store, uint64_t op, struct errors *errors)
{
	json_t *rows = sql_list(store, details_row, "SELECT details FROM op WHERE id = ?", NULL, (int64_t)op,
	                        errors),
	       *found = json_incref(json_array_get(rows, 0));

	json_decref(rows);
	return found;
}

static void op_row(void *user, sqlite3_stmt *row)
{
	json_t *op_errors = json_loads(sql_text(row, 6), 0, NULL);

	json_array_append_new(user,
	                      json_pack("{s:I,s:s,s:s,s:s,s:I,s:s,s:o,s:s,s:o,s:o}", "id",
	                                (json_int_t)sqlite3_column_int64(row, 0), "kind", sql_text(row, 1),
	                                "subject", sql_text(row, 2), "state", sql_text(row, 3), "progress",
	                                (json_int_t)sqlite3_column_int64(row, 4), "message", sql_text(row, 5),
	                                "errors", op_errors ? op_errors : json_array(), "author",
	                                sql_text(row, 7), "created", sql_time(sqlite3_column_int64(row, 8)),
	                                "updated", sql_time(sqlite3_column_int64(row, 9))));
}

json_t *store_op(struct store *store, uint64_t op, struct errors *errors)
{
	json_t *rows = json_array();

	pthread_mutex_lock(&store->lock);
	sql_run(store, errors, op_row, rows, "SELECT * FROM op WHERE id = ?", "i", (int64_t)op);
	pthread_mutex_unlock(&store->lock);
	json_t *found = json_incref(json_array_get(rows, 0));
	json_decref(rows);
	return found;
}

json_t *store_ops(struct store *store, const char *state, struct errors *errors)
{
	json_t *rows = json_array();

	pthread_mutex_lock(&store->lock);
	bool fine = sql_run(store, errors, op_row, rows,
	                    "SELECT * FROM op WHERE ?1 IS NULL OR state = ?1 ORDER BY id", "s", state);
	pthread_mutex_unlock(&store->lock);
	if (fine)
		return rows;
	json_decref(rows);
	return NULL;
}
