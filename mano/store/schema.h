/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables of the store and their versions. On a connection that nobody else uses meanwhile. See schema.c. */
#ifndef SLUICE_STORE_SCHEMA_H
#define SLUICE_STORE_SCHEMA_H

#include <sqlite3.h>

#include "store/store.h"

enum { SCHEMA_VERSION = 2 };

/* The version of a database; 0: an empty one; -1: it cannot be read, sqlite3_errmsg says why. */
int schema_version(sqlite3 *db);

/* Makes the tables, or brings those of an earlier version up to this one. False: sqlite3_errmsg says why. */
bool schema_upgrade(sqlite3 *db);

#endif
