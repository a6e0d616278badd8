/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backups of the store, and their way back. A backup is a database of its own, made beside whatever goes on (SQLite's online backup), without
 * the processes of this host. What is restored is laid beside the store first, checked, and takes its place when the store is opened next: each step
 * of that may be the last before a kill, and is done again. See store.h.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include "store/backup.h"
#include "store/schema.h"
#include "util/atomic_file.h"
#include "util/memory.h"

enum { BUSY_MS = 5000 };

static bool fail(struct errors *errors, const char *what, const char *file, const char *why)
{
	errors_add(errors, NULL, "store-failed", NULL, 0, "cannot %s %s: %s", what, file, why);
	return false;
}

static bool run(sqlite3 *db, const char *statements)
{
	return sqlite3_exec(db, statements, NULL, NULL, NULL) == SQLITE_OK;
}

/* --- making one --- */

static bool copy(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");

	if (!backup)
		return false;
	sqlite3_backup_step(backup, -1);
	return sqlite3_backup_finish(backup) == SQLITE_OK;
}

bool store_backup(const char *folder, const char *file, struct errors *errors)
{
	char *source = text_format("%s/sluiced.db", folder);
	sqlite3 *from = NULL, *to = NULL;
	bool fine = sqlite3_open_v2(source, &from, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	            sqlite3_open(file, &to) == SQLITE_OK;

	if (fine)
		sqlite3_busy_timeout(from, BUSY_MS);
	fine = fine && copy(from, to) && run(to, "PRAGMA journal_mode = DELETE; DELETE FROM process; VACUUM");
	if (!fine)
		fail(errors, "back up to", file, sqlite3_errmsg(to ? to : from));
	sqlite3_close(from);
	sqlite3_close(to);
	free(source);
	return fine;
}

/* --- checking one, and laying it down --- */

static int take_name(void *user, int columns, char **values, char **names)
{
	(void)columns;
	(void)names;
	json_array_append_new(user, json_string(values[0]));
	return 0;
}

/* The services in a backup; NULL with an error if it is none. */
static json_t *read_services(const char *file, struct errors *errors)
{
	json_t *services = json_array();
	sqlite3 *db = NULL;
	int version =
	        sqlite3_open_v2(file, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK ? schema_version(db) : -1;

	if (version > SCHEMA_VERSION)
		errors_add(errors, NULL, "store-too-new", NULL, 0,
		           "the backup is of version %d, and this program knows versions up to %d", version,
		           SCHEMA_VERSION);
	else if (version < 1 || sqlite3_exec(db, "SELECT name FROM service WHERE going = 0 ORDER BY name",
	                                     take_name, services, NULL) != SQLITE_OK)
		errors_add(errors, NULL, "not-a-backup", NULL, 0, "this is no backup of sluiced's store");
	sqlite3_close(db);
	if (!errors_any(errors))
		return services;
	json_decref(services);
	return NULL;
}

/* SQLite's own words name the file that we have made of it, which nobody knows. */
static bool is_sound(const char *file, struct errors *errors)
{
	struct errors found = ERRORS_NONE;
	bool sound = store_sound(file, true, &found);

	if (!sound)
		errors_add(errors, NULL, "not-a-backup", NULL, 0, "this is no backup, or a damaged one");
	errors_free(&found);
	return sound;
}

json_t *store_restore(const char *folder, const void *data, size_t length, bool dry_run,
                      struct errors *errors)
{
	char *laid = text_format("%s/" STORE_INCOMING, folder),
	     *taken = text_format("%s/" STORE_RESTORE, folder);
	int error = atomic_file_write(laid, data, length, 0600);
	json_t *services = NULL;

	if (error)
		fail(errors, "write", laid, strerror(error));
	else if (is_sound(laid, errors))
		services = read_services(laid, errors);
	if (services && !dry_run && rename(laid, taken) < 0) {
		fail(errors, "write", taken, strerror(errno));
		json_decref(services);
		services = NULL;
	}
	unlink(laid);
	free(laid);
	free(taken);
	return services;
}

/* --- taking it --- */

/*
 * Processes of this host are known on in the restored store, so that they are adopted or ended, and numbers go on. A store that cannot be read any more has
 * none to give.
 */
static bool carry_over(const char *former, const char *restored)
{
	sqlite3 *db = NULL;
	char *attach = sqlite3_mprintf("ATTACH %Q AS former", former);
	bool fine = sqlite3_open_v2(restored, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
	            schema_upgrade(db);

	if (fine && access(former, F_OK) == 0 && run(db, attach)) {
		bool kept = run(
		        db, "BEGIN; DELETE FROM process; INSERT INTO process SELECT * FROM former.process;"
		            "INSERT OR REPLACE INTO number SELECT name, MAX(next) FROM (SELECT * FROM number"
		            " UNION ALL SELECT * FROM former.number) GROUP BY name; COMMIT");

		if (!kept && !sqlite3_get_autocommit(db))
			run(db, "ROLLBACK");
	}
	sqlite3_close(db);
	sqlite3_free(attach);
	return fine;
}

/* The former store is kept as sluiced.db.before. Its write-ahead log must be away before another database has its name. */
static bool swap(const char *folder, const char *restored, struct errors *errors)
{
	static const char *const parts[] = { "", "-wal", "-shm" };
	bool fine = true;

	for (size_t i = 0; i < sizeof(parts) / sizeof(*parts) && fine; i++) {
		char *from = text_format("%s/sluiced.db%s", folder, parts[i]),
		     *to = text_format("%s/" STORE_BEFORE "%s", folder, parts[i]);

		if (rename(from, to) < 0 && errno != ENOENT)
			fine = fail(errors, "rename", from, strerror(errno));
		free(from);
		free(to);
	}
	char *place = text_format("%s/sluiced.db", folder);
	if (fine && rename(restored, place) < 0)
		fine = fail(errors, "rename", restored, strerror(errno));
	free(place);
	return fine;
}

/* What a life that was killed in it has left: backups on their way out, and what was not checked yet. */
static void clean(const char *folder)
{
	DIR *all = opendir(folder);
	struct dirent *entry;

	while (all && (entry = readdir(all)))
		if (strncmp(entry->d_name, STORE_OUTGOING, strlen(STORE_OUTGOING)) == 0 ||
		    strncmp(entry->d_name, STORE_INCOMING, strlen(STORE_INCOMING)) == 0)
			unlinkat(dirfd(all), entry->d_name, 0);
	if (all)
		closedir(all);
}

bool store_take_restored(const char *folder, struct errors *errors)
{
	char *restored = text_format("%s/" STORE_RESTORE, folder),
	     *former = text_format("%s/sluiced.db", folder);
	bool fine = true;

	clean(folder);
	if (access(restored, F_OK) == 0)
		fine = (carry_over(former, restored) || fail(errors, "use", restored, "it is damaged")) &&
		       swap(folder, restored, errors);
	free(restored);
	free(former);
	return fine;
}
