/* SPDX-License-Identifier: BSD-3-Clause */
/* Services, what operations make of them, and the executables of their processes. See store.h. */
#include <stdlib.h>
#include <string.h>

#include "store/revisions.h"
#include "store/sql.h"

static bool commit_one(struct store *store, uint64_t op, const struct store_change *change,
                       const struct store_reason *reason, struct errors *errors)
{
	int64_t before = 0, after = 0;
	bool fine = sql_run(store, errors, sql_take_number, &before,
	                    "SELECT current FROM service WHERE name = ? AND going = 0", "s", change->service);

	if (fine && change->document)
		fine = revision_add(store, op, change, reason, &after, errors) &&
		       revision_trim(store, change->service, after, before, errors);
	else if (fine)
		fine = sql_run(store, errors, NULL, NULL, "UPDATE service SET going = 1 WHERE name = ?", "s",
		               change->service);
	return fine &&
	       sql_run(store, errors, NULL, NULL, "INSERT OR REPLACE INTO op_service VALUES (?, ?, ?, ?)",
	               "isii", (int64_t)op, change->service, before, after);
}

static bool commit_confirm(struct store *store, uint64_t op, const struct store_reason *reason,
                           struct errors *errors)
{
	static const char *const ends[] = {
		"DELETE FROM confirm WHERE op = ?",
		"UPDATE revision SET undone = 1 WHERE op = ?1 AND EXISTS (SELECT 1 FROM op_service s"
		" WHERE s.op = ?1 AND s.service = revision.service AND s.after = number)",
	};

	for (size_t i = 0; reason->ends && i < sizeof(ends) / sizeof(*ends); i++)
		if (!sql_run(store, errors, NULL, NULL, ends[i], "i", (int64_t)reason->ends))
			return false;
	return !reason->confirm_seconds ||
	       sql_run(store, errors, NULL, NULL, "INSERT INTO confirm VALUES (?, ?, '', 0, 0)", "ii",
	               (int64_t)op, (int64_t)reason->confirm_seconds);
}

bool store_commit(struct store *store, uint64_t op, const struct store_change *changes, size_t count,
                  const struct store_reason *reason, struct errors *errors)
{
	bool fine = sql_begin(store, errors);

	if (!fine)
		return false;
	for (size_t i = 0; i < count && fine; i++)
		fine = commit_one(store, op, &changes[i], reason, errors);
	fine = fine && commit_confirm(store, op, reason, errors) &&
	       sql_set_op(store, op, "PROCESSING", errors);
	return sql_end(store, fine, errors);
}

bool store_roll_back(struct store *store, uint64_t op, struct errors *errors)
{
	static const char *const statements[] = {
		"UPDATE service SET going = 1 WHERE name IN"
		" (SELECT service FROM op_service WHERE op = ? AND before = 0)",
		"UPDATE service SET going = 0, current = (SELECT before FROM op_service WHERE op = ?1"
		" AND service = name) WHERE name IN"
		" (SELECT service FROM op_service WHERE op = ?1 AND before > 0)",
		"UPDATE revision SET undone = 1 WHERE op = ?1 AND EXISTS (SELECT 1 FROM op_service s"
		" WHERE s.op = ?1 AND s.service = revision.service AND s.after = number)",
		/* an undo that is rolled back brings back what it had undone */
		"UPDATE revision SET undone = 0 WHERE EXISTS (SELECT 1 FROM op_service s"
		" WHERE s.op = ? AND s.service = revision.service AND s.before = number)",
		"INSERT OR REPLACE INTO build SELECT service, vnf, before FROM op_build WHERE op = ?",
		"DELETE FROM build WHERE program = '' AND 0 < ?",
		"DELETE FROM confirm WHERE op = ?",
	};
	bool fine = sql_begin(store, errors);

	if (!fine)
		return false;
	for (size_t i = 0; fine && i < sizeof(statements) / sizeof(*statements); i++)
		fine = sql_run(store, errors, NULL, NULL, statements[i], "i", (int64_t)op);
	return sql_end(store, fine && sql_set_op(store, op, "ROLLING_BACK", errors), errors);
}

bool store_forget(struct store *store, const char *service, struct errors *errors)
{
	static const char *const statements[] = {
		"DELETE FROM revision WHERE service = ? AND service IN (SELECT name FROM service WHERE going "
		"= 1)",
		"DELETE FROM build WHERE service = ? AND service IN (SELECT name FROM service WHERE going = "
		"1)",
		"DELETE FROM service WHERE name = ? AND going = 1",
	};
	bool fine = sql_begin(store, errors);

	if (!fine)
		return false;
	for (size_t i = 0; fine && i < sizeof(statements) / sizeof(*statements); i++)
		fine = sql_run(store, errors, NULL, NULL, statements[i], "s", service);
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

json_t *store_op_services(struct store *store, uint64_t op, struct errors *errors)
{
	return sql_list(store, sql_take_name,
	                "SELECT service FROM op_service WHERE op = ?1 UNION SELECT service FROM op_build"
	                " WHERE op = ?1 ORDER BY service",
	                NULL, (int64_t)op, errors);
}

static void change_row(void *user, sqlite3_stmt *row)
{
	json_array_append_new(user, json_pack("{s:s,s:I,s:I}", "service", sql_text(row, 0), "before",
	                                      (json_int_t)sqlite3_column_int64(row, 1), "after",
	                                      (json_int_t)sqlite3_column_int64(row, 2)));
}

json_t *store_op_changes(struct store *store, uint64_t op, struct errors *errors)
{
	return sql_list(store, change_row,
	                "SELECT service, before, after FROM op_service WHERE op = ? ORDER BY service", NULL,
	                (int64_t)op, errors);
}

/* --- executables --- */

static bool commit_build(struct store *store, uint64_t op, const struct store_build *build,
                         struct errors *errors)
{
	if (!sql_run(store, errors, NULL, NULL,
	             "INSERT OR REPLACE INTO op_build VALUES (?1, ?2, ?3,"
	             " COALESCE((SELECT program FROM build WHERE service = ?2 AND vnf = ?3), ''), ?4)",
	             "isss", (int64_t)op, build->service, build->vnf, build->program))
		return false;
	if (!build->program[0])
		return sql_run(store, errors, NULL, NULL, "DELETE FROM build WHERE service = ? AND vnf = ?",
		               "ss", build->service, build->vnf);
	return sql_run(store, errors, NULL, NULL, "INSERT OR REPLACE INTO build VALUES (?, ?, ?)", "sss",
	               build->service, build->vnf, build->program);
}

bool store_commit_builds(struct store *store, uint64_t op, const struct store_build *builds, size_t count,
                         struct errors *errors)
{
	bool fine = sql_begin(store, errors);

	if (!fine)
		return false;
	for (size_t i = 0; i < count && fine; i++)
		fine = commit_build(store, op, &builds[i], errors);
	return sql_end(store, fine && sql_set_op(store, op, "PROCESSING", errors), errors);
}

struct builds_walk {
	store_build_fn *each;
	void *user;
};

static void build_row(void *user, sqlite3_stmt *row)
{
	struct builds_walk *walk = user;
	struct store_build build = { sql_text(row, 0), sql_text(row, 1), sql_text(row, 2) };

	walk->each(walk->user, &build);
}

bool store_builds(struct store *store, store_build_fn *each, void *user, struct errors *errors)
{
	struct builds_walk walk = { each, user };

	pthread_mutex_lock(&store->lock);
	bool fine = sql_run(store, errors, build_row, &walk, "SELECT service, vnf, program FROM build", "");
	pthread_mutex_unlock(&store->lock);
	return fine;
}
