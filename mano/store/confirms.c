/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations that are undone unless they are confirmed. Their deadlines stand on two clocks: the one since boot, which
 * nobody sets and which goes on while the machine sleeps, decides as long as it is the same boot; the calendar only bridges a boot.
 * See store.h.
 */
#include "store/sql.h"

bool store_complete(struct store *store, uint64_t op, const char *message, const struct store_moment *now,
                    struct errors *errors)
{
	if (!sql_begin(store, errors))
		return false;
	bool fine =
	        sql_run(store, errors, NULL, NULL,
	                "UPDATE op SET state = 'COMPLETED', progress = 100, message = ?, updated = ?"
	                " WHERE id = ?",
	                "sii", message, sql_now(), (int64_t)op) &&
	        sql_run(store, errors, NULL, NULL,
	                "UPDATE confirm SET boot = ?, until = ? + 1000 * seconds, wall = ? + 1000 * seconds"
	                " WHERE op = ?",
	                "siii", now->boot, now->boottime, now->wall, (int64_t)op);
	return sql_end(store, fine, errors);
}

static struct store_confirm confirm_of(sqlite3_stmt *row)
{
	return (struct store_confirm){ .op = (uint64_t)sqlite3_column_int64(row, 0),
		                       .seconds = (unsigned)sqlite3_column_int64(row, 1),
		                       .until = sqlite3_column_int64(row, 2) };
}

struct confirms_walk {
	store_confirm_fn *each;
	void *user;
};

static void confirm_row(void *user, sqlite3_stmt *row)
{
	struct confirms_walk *walk = user;
	struct store_confirm confirm = confirm_of(row);

	walk->each(walk->user, &confirm);
}

bool store_confirms(struct store *store, store_confirm_fn *each, void *user, struct errors *errors)
{
	struct confirms_walk walk = { each, user };

	pthread_mutex_lock(&store->lock);
	bool fine = sql_run(store, errors, confirm_row, &walk,
	                    "SELECT op, seconds, until FROM confirm ORDER BY op", "");
	pthread_mutex_unlock(&store->lock);
	return fine;
}

static void take_confirm(void *user, sqlite3_stmt *row)
{
	*(struct store_confirm *)user = confirm_of(row);
}

struct store_confirm store_confirm_of(struct store *store, const char *service, struct errors *errors)
{
	struct store_confirm found = { 0 };

	pthread_mutex_lock(&store->lock);
	sql_run(store, errors, take_confirm, &found,
	        "SELECT confirm.op, seconds, until FROM confirm JOIN op_service ON op_service.op = confirm.op"
	        " WHERE service = ?",
	        "s", service);
	pthread_mutex_unlock(&store->lock);
	return found;
}

bool store_confirm(struct store *store, uint64_t op, struct errors *errors)
{
	pthread_mutex_lock(&store->lock);
	bool fine = sql_run(store, errors, NULL, NULL, "DELETE FROM confirm WHERE op = ?", "i", (int64_t)op);
	pthread_mutex_unlock(&store->lock);
	return fine;
}

bool store_confirms_recall(struct store *store, const struct store_moment *now, struct errors *errors)
{
	pthread_mutex_lock(&store->lock);
	bool fine =
	        sql_run(store, errors, NULL, NULL,
	                "UPDATE confirm SET boot = ?1, until = ?2 + MAX(0, MIN(1000 * seconds, wall - ?3))"
	                " WHERE until > 0 AND boot <> ?1",
	                "sii", now->boot, now->boottime, now->wall);
	pthread_mutex_unlock(&store->lock);
	return fine;
}
