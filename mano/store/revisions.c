/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Revisions of services: each has a number that is never given again as long as the service is there, the time, who, why,
 * the operation that made it, and a digest of its document. See store.h.
 */
#include "store/revisions.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "store/sql.h"

enum { DIGEST_BYTES = (REVISION_DIGEST - 1) / 2 };

void revision_digest(const char *document, char text[static REVISION_DIGEST])
{
	json_t *json = json_loads(document, 0, NULL);
	char *canonical = json ? json_dumps(json, JSON_COMPACT | JSON_SORT_KEYS) : NULL;
	const char *over = canonical ? canonical : document;
	unsigned char bytes[EVP_MAX_MD_SIZE];

	EVP_Digest(over, strlen(over), bytes, NULL, EVP_sha256(), NULL);
	for (size_t i = 0; i < DIGEST_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	free(canonical);
	json_decref(json);
}

bool revision_add(struct store *store, uint64_t op, const struct store_change *change,
                  const struct store_reason *reason, int64_t *number, struct errors *errors)
{
	char digest[REVISION_DIGEST];

	revision_digest(change->document, digest);
	return sql_run(store, errors, sql_take_number, number,
	               "SELECT COALESCE(MAX(number), 0) + 1 FROM revision WHERE service = ?", "s",
	               change->service) &&
	       sql_run(store, errors, NULL, NULL,
	               "INSERT INTO revision (service, number, time, author, comment, document, op, kind,"
	               " origin, digest) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, (SELECT kind FROM op WHERE id = "
	               "?7),"
	               " ?8, ?9)",
	               "siisssiis", change->service, *number, sql_now(), reason->author,
	               reason->comment ? reason->comment : "", change->document, (int64_t)op,
	               (int64_t)reason->origin, digest) &&
	       sql_run(store, errors, NULL, NULL, "INSERT OR REPLACE INTO service VALUES (?, ?, 0)", "si",
	               change->service, *number);
}

bool revision_trim(struct store *store, const char *service, int64_t newest, int64_t before,
                   struct errors *errors)
{
	return sql_run(store, errors, NULL, NULL,
	               "DELETE FROM revision WHERE service = ? AND number <= ? AND number <> ?", "sii",
	               service, newest - (int64_t)store->revisions, before);
}

/* --- reading --- */

#define SHOWN                                                                                                \
	"SELECT number, revision.time, author, comment, number = current, op, kind, origin, digest, undone," \
	" EXISTS (SELECT 1 FROM confirm JOIN op_service s ON s.op = confirm.op WHERE s.service = name"       \
	" AND s.after = number), document FROM revision JOIN service ON name = service WHERE service = "

static const char *state_of(sqlite3_stmt *row)
{
	bool current = sqlite3_column_int(row, 4);

	if (sqlite3_column_int(row, 9))
		return "undone";
	if (!current)
		return "past";
	return sqlite3_column_int(row, 10) ? "unconfirmed" : "current";
}

static json_t *shown(sqlite3_stmt *row)
{
	char digest[REVISION_DIGEST];

	snprintf(digest, sizeof(digest), "%s", sql_text(row, 8));
	if (!digest[0]) /* written by a version that made none */
		revision_digest(sql_text(row, 11), digest);
	json_t *json = json_pack(
	        "{s:I,s:o,s:s,s:s,s:I,s:s,s:s,s:b}", "revision", (json_int_t)sqlite3_column_int64(row, 0),
	        "time", sql_time(sqlite3_column_int64(row, 1)), "author", sql_text(row, 2), "kind",
	        sql_text(row, 6), "operation", (json_int_t)sqlite3_column_int64(row, 5), "digest", digest,
	        "state", state_of(row), "current", sqlite3_column_int(row, 4));

	if (*sql_text(row, 3))
		json_object_set_new(json, "comment", json_string(sql_text(row, 3)));
	if (sqlite3_column_int64(row, 7))
		json_object_set_new(json, "origin", json_integer(sqlite3_column_int64(row, 7)));
	return json;
}

static void revision_row(void *user, sqlite3_stmt *row)
{
	json_array_append_new(user, shown(row));
}

json_t *store_revisions(struct store *store, const char *service, struct errors *errors)
{
	return sql_list(store, revision_row, SHOWN "? ORDER BY number", service, 0, errors);
}

static void full_row(void *user, sqlite3_stmt *row)
{
	json_t *json = shown(row);

	json_object_set_new(json, "descriptor", json_loads(sql_text(row, 11), 0, NULL));
	*(json_t **)user = json;
}

json_t *store_revision_shown(struct store *store, const char *service, uint64_t revision,
                             struct errors *errors)
{
	json_t *json = NULL;

	pthread_mutex_lock(&store->lock);
	sql_run(store, errors, full_row, &json, SHOWN "? AND number = ?", "si", service, (int64_t)revision);
	pthread_mutex_unlock(&store->lock);
	return json;
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

uint64_t store_revision_before(struct store *store, const char *service, struct errors *errors)
{
	int64_t number = 0;

	pthread_mutex_lock(&store->lock);
	sql_run(store, errors, sql_take_number, &number,
	        "SELECT COALESCE(MAX(number), 0) FROM revision JOIN service ON name = service"
	        " WHERE service = ?1 AND number < current AND NOT undone AND (digest = '' OR digest <>"
	        " (SELECT now.digest FROM revision now WHERE now.service = ?1 AND now.number = current))",
	        "s", service);
	pthread_mutex_unlock(&store->lock);
	return (uint64_t)number;
}
