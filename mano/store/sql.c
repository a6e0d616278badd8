/* SPDX-License-Identifier: BSD-3-Clause */
/* Statements with their values. No data of its own; the store's lock is held by whoever calls. */
#include "store/sql.h"

#include <stdarg.h>
#include <time.h>

static bool fail(struct store *store, struct errors *errors)
{
	errors_add(errors, NULL, "store-failed", NULL, 0,
	           "cannot write or read the store: %s (is the disk full?)", sqlite3_errmsg(store->db));
	return false;
}

static void bind(sqlite3_stmt *statement, const char *types, va_list values)
{
	for (int i = 1; *types; types++, i++) {
		if (*types == 's')
			sqlite3_bind_text(statement, i, va_arg(values, const char *), -1, SQLITE_TRANSIENT);
		else
			sqlite3_bind_int64(statement, i, va_arg(values, int64_t));
	}
}

bool sql_run(struct store *store, struct errors *errors, sql_row *each, void *user, const char *statement,
             const char *types, ...)
{
	sqlite3_stmt *prepared;
	va_list values;
	int result;

	if (sqlite3_prepare_v2(store->db, statement, -1, &prepared, NULL) != SQLITE_OK)
		return fail(store, errors);
	va_start(values, types);
	bind(prepared, types, values);
	va_end(values);
	while ((result = sqlite3_step(prepared)) == SQLITE_ROW)
		if (each)
			each(user, prepared);
	if (result != SQLITE_DONE)
		fail(store, errors);
	sqlite3_finalize(prepared);
	return result == SQLITE_DONE;
}

bool sql_begin(struct store *store, struct errors *errors)
{
	pthread_mutex_lock(&store->lock);
	if (sql_run(store, errors, NULL, NULL, "BEGIN IMMEDIATE", ""))
		return true;
	pthread_mutex_unlock(&store->lock);
	return false;
}

bool sql_end(struct store *store, bool fine, struct errors *errors)
{
	fine = fine && sql_run(store, errors, NULL, NULL, "COMMIT", "");
	if (!fine && !sqlite3_get_autocommit(store->db))
		sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
	pthread_mutex_unlock(&store->lock);
	return fine;
}

const char *sql_text(sqlite3_stmt *row, int column)
{
	const char *text = (const char *)sqlite3_column_text(row, column);

	return text ? text : "";
}

void sql_take_number(void *user, sqlite3_stmt *row)
{
	*(int64_t *)user = sqlite3_column_int64(row, 0);
}

void sql_take_name(void *user, sqlite3_stmt *row)
{
	json_array_append_new(user, json_string(sql_text(row, 0)));
}

json_t *sql_list(struct store *store, sql_row *each, const char *statement, const char *text, int64_t number,
                 struct errors *errors)
{
	json_t *array = json_array();

	pthread_mutex_lock(&store->lock);
	bool fine = text ? sql_run(store, errors, each, array, statement, "s", text)
	                 : sql_run(store, errors, each, array, statement, "i", number);
	pthread_mutex_unlock(&store->lock);
	if (fine)
		return array;
	json_decref(array);
	return NULL;
}

bool sql_set_op(struct store *store, uint64_t op, const char *state, struct errors *errors)
{
	return sql_run(store, errors, NULL, NULL, "UPDATE op SET state = ?, updated = ? WHERE id = ?", "sii",
	               state, sql_now(), (int64_t)op);
}

int64_t sql_now(void)
{
	return (int64_t)time(NULL);
}

json_t *sql_time(int64_t seconds)
{
	time_t when = (time_t)seconds;
	struct tm parts;
	char text[32];

	gmtime_r(&when, &parts);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
	return json_string(text);
}
