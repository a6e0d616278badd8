/* SPDX-License-Identifier: BSD-3-Clause */
/* Whether a database file is what SQLite wrote, and holds what we wrote. See store.h. */
#include <stdio.h>
#include <string.h>

#include <sqlite3.h>

#include "store/store.h"

/* The first thing that is wrong; empty: nothing. */
struct finding {
	char text[160];
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

static void look(sqlite3 *db, struct finding *finding)
{
	if (sqlite3_exec(db, "PRAGMA quick_check(1)", take_finding, finding, NULL) != SQLITE_OK &&
	    !finding->text[0])
		snprintf(finding->text, sizeof(finding->text), "%s", sqlite3_errmsg(db));
}

bool store_sound(const char *file, struct errors *errors)
{
	struct finding finding = { "" };
	sqlite3 *db = NULL;

	if (sqlite3_open_v2(file, &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK) {
		sqlite3_busy_timeout(db, 5000);
		look(db, &finding);
	} else {
		snprintf(finding.text, sizeof(finding.text), "%s", sqlite3_errmsg(db));
	}
	sqlite3_close(db);
	if (finding.text[0])
		errors_add(errors, NULL, "store-damaged", NULL, 0, "%s cannot be used (%s)" STORE_MEND, file,
		           finding.text);
	return !finding.text[0];
}
