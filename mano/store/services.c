/* SPDX-License-Identifier: BSD-3-Clause */
/* Services and their revisions in the store. See store.h. */
#include <stdlib.h>

#include "store/sql.h"
#include "util/memory.h"

static bool set_op(struct store *store, uint64_t op, const char *state, struct errors *errors)
{
	return sql_run(store, errors, NULL, NULL, "UPDATE op SET state = ?, updated = ? WHERE id = ?", "sii",
	               state, sql_now(), (int64_t)op);
}

static bool add_revision(struct store *store, uint64_t op, const struct store_change *change,
                         const char *author, int64_t *number, struct errors *errors)
{
	char comment[40];

	snprintf(comment, sizeof(comment), "operation %llu", (unsigned long long)op);
	return sql_run(store, errors, sql_take_number, number,
	               "SELECT COALESCE(MAX(number), 0) + 1 FROM revision WHERE service = ?", "s",
	               change->service) &&
	       sql_run(store, errors, NULL, NULL, "INSERT INTO revision VALUES (?, ?, ?, ?, ?, ?)", "siisss",
	               change->service, *number, sql_now(), author, comment, change->document) &&
	       sql_run(store, errors, NULL, NULL, "INSERT OR REPLACE INTO service VALUES (?, ?, 0)", "si",
	               change->service, *number) &&
	       sql_run(store, errors, NULL, NULL, "DELETE FROM revision WHERE service = ? AND number <= ?",
	               "si", change->service, *number - STORE_REVISIONS);
}

static bool commit_one(struct store *store, uint64_t op, const struct store_change *change,
                       const char *author, struct errors *errors)
{
	int64_t before = 0, after = 0;
	bool fine = sql_run(store, errors, sql_take_number, &before,
	                    "SELECT current FROM service WHERE name = ? AND going = 0", "s", change->service);

	if (fine && change->document)
		fine = add_revision(store, op, change, author, &after, errors);
	else if (fine)
		fine = sql_run(store, errors, NULL, NULL, "UPDATE service SET going = 1 WHERE name = ?", "s",
		               change->service);
	return fine &&
	       sql_run(store, errors, NULL, NULL, "INSERT OR REPLACE INTO op_service VALUES (?, ?, ?, ?)",
	               "isii", (int64_t)op, change->service, before, after);
}

bool store_commit(struct store *store, uint64_t op, const struct store_change *changes, size_t count,
                  const char *author, struct errors *errors)
{
	bool fine = sql_begin(store, errors);

	if (!fine)
		return false;
	for (size_t i = 0; i < count && fine; i++)
		fine = commit_one(store, op, &changes[i], author, errors);
	fine = fine && set_op(store, op, "PROCESSING", errors);
	return sql_end(store, fine, errors);
}

bool store_roll_back(struct store *store, uint64_t op, struct errors *errors)
{
	if (!sql_begin(store, errors))
		return false;
	bool fine =
	        sql_run(store, errors, NULL, NULL,
	                "UPDATE service SET going = 1 WHERE name IN"
	                " (SELECT service FROM op_service WHERE op = ? AND before = 0)",
	                "i", (int64_t)op) &&
	        sql_run(store, errors, NULL, NULL,
	                "UPDATE service SET going = 0, current = (SELECT before FROM op_service WHERE op = ?1"
	                " AND service = name) WHERE name IN"
	                " (SELECT service FROM op_service WHERE op = ?1 AND before > 0)",
	                "i", (int64_t)op) &&
	        set_op(store, op, "ROLLING_BACK", errors);
	return sql_end(store, fine, errors);
}

bool store_forget(struct store *store, const char *service, struct errors *errors)
{
	if (!sql_begin(store, errors))
		return false;
	bool fine = sql_run(store, errors, NULL, NULL,
	                    "DELETE FROM revision WHERE service IN (SELECT name FROM service WHERE name = ? "
	                    "AND going = 1)",
	                    "s", service) &&
	            sql_run(store, errors, NULL, NULL, "DELETE FROM service WHERE name = ? AND going = 1",
	                    "s", service);
	return sql_end(store, fine, errors);
}

struct services_walk {
	store_service_fn *each;
	void *user;
};

static void service_row(void *user, sqlite3_stmt *row)
{
	struct services_walk *walk = user;
	bool going = sqlite3_column_int(row, 2) != 0;

	walk->each(walk->user, sql_text(row, 0), (uint64_t)sqlite3_column_int64(row, 1),
	           going ? NULL : sql_text(row, 3));
}

bool store_services(struct store *store, store_service_fn *each, void *user, struct errors *errors)
{
	struct services_walk walk = { each, user };

	pthread_mutex_lock(&store->lock);
	bool fine = sql_run(store, errors, service_row, &walk,
	                    "SELECT name, current, going, document FROM service LEFT JOIN revision"
	                    " ON service = name AND number = current ORDER BY name",
	                    "");
	pthread_mutex_unlock(&store->lock);
	return fine;
}

static void name_row(void *user, sqlite3_stmt *row)
{
	json_array_append_new(user, json_string(sql_text(row, 0)));
}

static json_t *list(struct store *store, sql_row *each, const char *statement, const char *key,
                    int64_t number, struct errors *errors)
{
	json_t *array = json_array();

	pthread_mutex_lock(&store->lock);
	bool fine = key ? sql_run(store, errors, each, array, statement, "s", key)
	                : sql_run(store, errors, each, array, statement, "i", number);
	pthread_mutex_unlock(&store->lock);
	if (fine)
		return array;
	json_decref(array);
	return NULL;
}

json_t *store_op_services(struct store *store, uint64_t op, struct errors *errors)
{
	return list(store, name_row, "SELECT service FROM op_service WHERE op = ? ORDER BY service", NULL,
	            (int64_t)op, errors);
}

static void revision_row(void *user, sqlite3_stmt *row)
{
	json_array_append_new(
	        user, json_pack("{s:I,s:o,s:s,s:s,s:b}", "revision", (json_int_t)sqlite3_column_int64(row, 0),
	                        "time", sql_time(sqlite3_column_int64(row, 1)), "author", sql_text(row, 2),
	                        "comment", sql_text(row, 3), "current", sqlite3_column_int(row, 4)));
}

json_t *store_revisions(struct store *store, const char *service, struct errors *errors)
{
	return list(store, revision_row,
	            "SELECT number, time, author, comment, number = current FROM revision JOIN service ON "
	            "name = service"
	            " WHERE service = ? ORDER BY number",
	            service, 0, errors);
}

static void document_row(void *user, sqlite3_stmt *row)
{
	*(json_t **)user = json_loads(sql_text(row, 0), 0, NULL);
}

json_t *store_revision(struct store *store, const char *service, uint64_t revision, struct errors *errors)
{
	json_t *document = NULL;

	pthread_mutex_lock(&store->lock);
	sql_run(store, errors, document_row, &document,
	        "SELECT document FROM revision WHERE service = ? AND number = ?", "si", service,
	        (int64_t)revision);
	pthread_mutex_unlock(&store->lock);
	return document;
}
