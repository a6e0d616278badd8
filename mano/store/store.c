/* SPDX-License-Identifier: BSD-3-Clause */
/* Opening and closing the store, its tables, and numbers that outlive the process. See store.h. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sql.h"
#include "util/memory.h"

enum { STORE_VERSION = 1, BUSY_MS = 5000 };

static const char tables[] =
        "CREATE TABLE IF NOT EXISTS number (name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS service (name TEXT PRIMARY KEY, current INTEGER NOT NULL, going INTEGER "
        "NOT NULL)"
        " WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS revision (service TEXT NOT NULL, number INTEGER NOT NULL, time INTEGER "
        "NOT NULL,"
        " author TEXT NOT NULL, comment TEXT NOT NULL, document TEXT NOT NULL, PRIMARY KEY (service, number))"
        " WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS process (service TEXT NOT NULL, vnf TEXT NOT NULL, pid INTEGER NOT NULL,"
        " start_time INTEGER NOT NULL, boot TEXT NOT NULL, digest TEXT NOT NULL, cores TEXT NOT NULL,"
        " restarts INTEGER NOT NULL, since INTEGER NOT NULL, PRIMARY KEY (service, vnf)) WITHOUT ROWID;"
        "CREATE TABLE IF NOT EXISTS op (id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, subject "
        "TEXT NOT NULL,"
        " state TEXT NOT NULL, progress INTEGER NOT NULL, message TEXT NOT NULL, errors TEXT NOT NULL,"
        " author TEXT NOT NULL, created INTEGER NOT NULL, updated INTEGER NOT NULL);"
        /* before, after: revisions; 0: the service was not there, or is to go */
        "CREATE TABLE IF NOT EXISTS op_service (op INTEGER NOT NULL, service TEXT NOT NULL, before INTEGER "
        "NOT NULL,"
        " after INTEGER NOT NULL, PRIMARY KEY (op, service)) WITHOUT ROWID;";

enum { GUARD_TRIES = 40, GUARD_PAUSE_US = 50000 };

/* Whoever was killed while it started a child is survived by it for a moment, descriptors and all. */
static bool lock_guard(int guard)
{
	for (unsigned i = 0; i < GUARD_TRIES; i++) {
		if (flock(guard, LOCK_EX | LOCK_NB) == 0)
			return true;
		usleep(GUARD_PAUSE_US);
	}
	return false;
}

/* A lock of the kernel's, so that it is gone when its holder is, however that ended. */
static bool take_guard(struct store *store, const char *folder, struct errors *errors)
{
	char *file = text_format("%s/sluiced.lock", folder);

	store->guard = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	bool opened = store->guard >= 0, taken = opened && lock_guard(store->guard);
	if (!opened)
		errors_add(errors, NULL, "store-failed", NULL, 0, "cannot write %s: %s", file,
		           strerror(errno));
	else if (!taken)
		errors_add(errors, NULL, "store-taken", NULL, 0,
		           "another orchestrator uses %s: stop it, or choose another --state-dir", folder);
	free(file);
	return taken;
}

static bool open_database(struct store *store, const char *folder, struct errors *errors)
{
	char *file = text_format("%s/sluiced.db", folder);
	mode_t before = umask(077);
	int result = sqlite3_open(file, &store->db);
	int64_t version = 0;

	umask(before);
	free(file);
	sqlite3_busy_timeout(store->db, BUSY_MS);
	if (result != SQLITE_OK ||
	    sqlite3_exec(store->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(store->db, "PRAGMA synchronous=NORMAL; PRAGMA cache_size=-1024", NULL, NULL, NULL) !=
	            SQLITE_OK ||
	    sqlite3_exec(store->db, tables, NULL, NULL, NULL) != SQLITE_OK) {
		errors_add(errors, NULL, "store-failed", NULL, 0, "cannot use %s/sluiced.db: %s", folder,
		           sqlite3_errmsg(store->db));
		return false;
	}
	if (!sql_run(store, errors, sql_take_number, &version, "PRAGMA user_version", ""))
		return false;
	if (version > STORE_VERSION) {
		errors_add(errors, NULL, "store-too-new", NULL, 0,
		           "%s/sluiced.db is of version %d, later than this program's", folder, (int)version);
		return false;
	}
	return sqlite3_exec(store->db, "PRAGMA user_version=1", NULL, NULL, NULL) == SQLITE_OK;
}

struct store *store_open(const char *folder, struct errors *errors)
{
	struct store *store = memory_new(1, sizeof(*store));

	pthread_mutex_init(&store->lock, NULL);
	store->guard = -1;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		errors_add(errors, NULL, "store-failed", NULL, 0, "cannot make the folder %s: %s", folder,
		           strerror(errno));
	else if (take_guard(store, folder, errors) && open_database(store, folder, errors))
		return store;
	store_close(store);
	return NULL;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	sqlite3_close(store->db);
	if (store->guard >= 0)
		close(store->guard);
	pthread_mutex_destroy(&store->lock);
	free(store);
}

uint64_t store_reserve(struct store *store, const char *name, uint64_t count, struct errors *errors)
{
	int64_t first = 1;
	bool fine;

	if (!sql_begin(store, errors))
		return 0;
	fine = sql_run(store, errors, sql_take_number, &first, "SELECT next FROM number WHERE name = ?", "s",
	               name) &&
	       sql_run(store, errors, NULL, NULL, "INSERT OR REPLACE INTO number VALUES (?, ?)", "si", name,
	               first + (int64_t)count);
	return sql_end(store, fine, errors) ? (uint64_t)first : 0;
}
