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

#include "store/backup.h"
#include "store/schema.h"
#include "store/sql.h"
#include "util/memory.h"

enum { BUSY_MS = 5000 };

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

static bool store_failed(struct store *store, const char *folder, struct errors *errors)
{
	int code = sqlite3_errcode(store->db);
	bool damaged = code == SQLITE_CORRUPT || code == SQLITE_NOTADB;

	errors_add(errors, NULL, damaged ? "store-damaged" : "store-failed", NULL, 0,
	           "cannot use %s/sluiced.db: %s%s", folder, sqlite3_errmsg(store->db),
	           damaged ? STORE_MEND : "");
	return false;
}

static bool upgrade_tables(struct store *store, const char *folder, struct errors *errors)
{
	int version = schema_version(store->db);

	if (version > SCHEMA_VERSION) {
		errors_add(errors, NULL, "store-too-new", NULL, 0,
		           "%s/sluiced.db is of version %d, and this program knows versions up to %d: use a "
		           "later "
		           "one, or restore a backup of its own",
		           folder, version, SCHEMA_VERSION);
		return false;
	}
	return (version >= 0 && schema_upgrade(store->db)) || store_failed(store, folder, errors);
}

static bool open_database(struct store *store, const char *folder, struct errors *errors)
{
	char *file = text_format("%s/sluiced.db", folder);
	mode_t before = umask(077);
	int result = sqlite3_open(file, &store->db);
	bool fine;

	umask(before);
	sqlite3_busy_timeout(store->db, BUSY_MS);
	fine = result == SQLITE_OK &&
	       sqlite3_exec(store->db, "PRAGMA journal_mode=WAL", NULL, NULL, NULL) == SQLITE_OK &&
	       /* What was answered as done is done also after a power cut: each commit is on the disk. */
	       sqlite3_exec(store->db, "PRAGMA synchronous=FULL; PRAGMA cache_size=-1024", NULL, NULL,
	                    NULL) == SQLITE_OK;
	if (!fine)
		store_failed(store, folder, errors);
	fine = fine && store_sound(file, false, errors) && upgrade_tables(store, folder, errors);
	free(file);
	return fine;
}

struct store *store_open(const char *folder, struct errors *errors)
{
	struct store *store = memory_new(1, sizeof(*store));

	pthread_mutex_init(&store->lock, NULL);
	store->guard = -1;
	store->revisions = STORE_REVISIONS;
	if (mkdir(folder, 0700) < 0 && errno != EEXIST)
		errors_add(errors, NULL, "store-failed", NULL, 0, "cannot make the folder %s: %s", folder,
		           strerror(errno));
	else if (take_guard(store, folder, errors) && store_take_restored(folder, errors) &&
	         open_database(store, folder, errors))
		return store;
	store_close(store);
	return NULL;
}

void store_keep(struct store *store, unsigned revisions)
{
	store->revisions = revisions;
}

void store_freeze(struct store *store)
{
	pthread_mutex_lock(&store->lock);
	store->frozen = true;
	pthread_mutex_unlock(&store->lock);
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
