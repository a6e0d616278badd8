/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables of the store, and how a store of an earlier version becomes one of this. The version is the database's
 * user_version; each step is one transaction with the new version in it, so that a kill leaves the one or the other.
 */
#include "store/schema.h"

#include <stdlib.h>

static const char version_1[] =
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

/* revision.origin: whose document it brings back; 0: its own. undone: its operation was rolled back. */
static const char version_2[] =
        "ALTER TABLE revision ADD COLUMN op INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE revision ADD COLUMN kind TEXT NOT NULL DEFAULT 'apply';"
        "ALTER TABLE revision ADD COLUMN origin INTEGER NOT NULL DEFAULT 0;"
        "ALTER TABLE revision ADD COLUMN digest TEXT NOT NULL DEFAULT '';"
        "ALTER TABLE revision ADD COLUMN undone INTEGER NOT NULL DEFAULT 0;"
        "UPDATE revision SET op = CAST(substr(comment, 11) AS INTEGER), comment = ''"
        " WHERE comment LIKE 'operation %';"
        "ALTER TABLE op ADD COLUMN details TEXT NOT NULL DEFAULT '{}';"
        /* until, wall: milliseconds of the clock since boot, and of the calendar; 0: its operation is under way */
        "CREATE TABLE confirm (op INTEGER PRIMARY KEY, seconds INTEGER NOT NULL, boot TEXT NOT NULL,"
        " until INTEGER NOT NULL, wall INTEGER NOT NULL);"
        /* program: where a process's executable is, if not where all are; in op_build '' is that place */
        "CREATE TABLE build (service TEXT NOT NULL, vnf TEXT NOT NULL, program TEXT NOT NULL,"
        " PRIMARY KEY (service, vnf)) WITHOUT ROWID;"
        "CREATE TABLE op_build (op INTEGER NOT NULL, service TEXT NOT NULL, vnf TEXT NOT NULL,"
        " before TEXT NOT NULL, after TEXT NOT NULL, PRIMARY KEY (op, service, vnf)) WITHOUT ROWID;";

static const char *const steps[SCHEMA_VERSION] = { version_1, version_2 };

static bool run(sqlite3 *db, const char *statements)
{
	return sqlite3_exec(db, statements, NULL, NULL, NULL) == SQLITE_OK;
}

static bool step(sqlite3 *db, int version)
{
	char mark[40];

	snprintf(mark, sizeof(mark), "PRAGMA user_version = %d", version + 1);
	if (run(db, "BEGIN IMMEDIATE") && run(db, steps[version]) && run(db, mark) && run(db, "COMMIT"))
		return true;
	return false;
}

static int take_version(void *user, int columns, char **values, char **names)
{
	(void)columns;
	(void)names;
	*(int *)user = atoi(values[0]);
	return 0;
}

int schema_version(sqlite3 *db)
{
	int version = -1;

	if (sqlite3_exec(db, "PRAGMA user_version", take_version, &version, NULL) != SQLITE_OK)
		return -1;
	return version;
}

bool schema_upgrade(sqlite3 *db)
{
	for (int version = schema_version(db); version < SCHEMA_VERSION; version++)
		if (version < 0 || !step(db, version))
			return false;
	return true;
}
