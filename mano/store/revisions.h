/* SPDX-License-Identifier: BSD-3-Clause */
/* Parts of a commit that are about revisions. Within a transaction of services.c. See revisions.c. */
#ifndef SLUICE_STORE_REVISIONS_H
#define SLUICE_STORE_REVISIONS_H

#include "store/store.h"

enum { REVISION_DIGEST = 33 };

/* The first half of SHA-256 over a document with its members in order, so that equal documents have equal digests. */
void revision_digest(const char *document, char text[static REVISION_DIGEST]);

/* Writes the next revision of a service and makes it the present one; *number is its. */
bool revision_add(struct store *store, uint64_t op, const struct store_change *change,
                  const struct store_reason *reason, int64_t *number, struct errors *errors);

/* Drops the oldest ones, but neither the newest nor the one that a rollback of it needs. */
bool revision_trim(struct store *store, const char *service, int64_t newest, int64_t before,
                   struct errors *errors);

#endif
