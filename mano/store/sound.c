/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a database file is what SQLite wrote, and its documents are what we wrote. See store.h. */
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "store/revisions.h"
#include "store/schema.h"
#include "store/store.h"

enum { BUSY_MS = 5000, DIGESTS_SINCE = 2 };

/* The first thing that is wrong; empty: nothing. */
struct finding {
	char text[200];
};

static int take_finding(void *user, int columns, char **values, char **names)
{
	struct finding *finding = user;

	(void)columns;
	(void)names;
	if (!finding->text[0] && strcmp(values[0], "ok") != 0)
		snprintf(finding->text, sizeof(finding->text), "%s", values[0]);
	return 0;
}

/* Columns: service, number, digest, document. */
static int check_digest(void *user, int columns, char **values, char **names)
{
	struct finding *finding = user;
	char digest[REVISION_DIGEST];

	(void)columns;
	(void)names;
	revision_digest(values[3], digest);
	if (!finding->text[0] && strcmp(digest, values[2]) != 0)
		snprintf(finding->text, sizeof(finding->text),
		         "revision %s of service \"%s\" is not what was written", values[1], values[0]);
	return 0;
}

#define DIGESTS "SELECT service, number, digest, document FROM revision WHERE digest <> ''"
#define CURRENT " AND EXISTS (SELECT 1 FROM service WHERE name = service AND current = number)"

static void look(sqlite3 *db, bool all, struct finding *finding)
{
	bool read = sqlite3_exec(db, "PRAGMA quick_check(1)", take_finding, finding, NULL) == SQLITE_OK;

	if (read && !finding->text[0] && schema_version(db) >= DIGESTS_SINCE)
		read = sqlite3_exec(db, all ? DIGESTS : DIGESTS CURRENT, check_digest, finding, NULL) ==
		       SQLITE_OK;
	if (!read && !finding->text[0])
		snprintf(finding->text, sizeof(finding->text), "%s", sqlite3_errmsg(db));
}

bool store_sound(const char *file, bool all, struct errors *errors)
{
	struct finding finding = { "" };
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(db, BUSY_MS);
		look(db, all, &finding);
	} else {
		snprintf(finding.text, sizeof(finding.text), "%s", sqlite3_errmsg(db));
	}
	sqlite3_close(db);
	if (finding.text[0])
		errors_add(errors, NULL, "store-damaged", NULL, 0, "%s cannot be used (%s)" STORE_MEND, file,
		           finding.text);
	return !finding.text[0];
}
