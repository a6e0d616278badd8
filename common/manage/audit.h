/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who changed what: a line of JSON for each request that changes something, and for each that was refused
 * for want of rights, appended to FOLDER/audit.log, which becomes audit.log.1 and so on when it is full.
 * Secrets are hidden: members whose name speaks of a key, password, token or secret, and bodies too large to
 * be looked through are a digest.
 *
 * A thread of its own writes and syncs. A request waits for its line, but not longer than AUDIT_WAIT_MS;
 * lines that find no room in the queue, or no room on the disk, are counted, and the next line says how many
 * were `lost`. Any thread. Life cycle: audit_open, audit_request from rest_options' done and refused,
 * rest_stop, audit_close.
 */
#ifndef SLUICE_MANAGE_AUDIT_H
#define SLUICE_MANAGE_AUDIT_H

#include <stdbool.h>
#include <stdint.h>

#include "manage/rest.h"

enum { AUDIT_WAIT_MS = 200, AUDIT_BYTES = 8 << 20, AUDIT_FILES = 8 };

struct audit;

struct audit_options {
	const char *folder; /* made if absent */
	size_t bytes;       /* of a file; 0: AUDIT_BYTES */
	unsigned files;     /* that are kept; 0: AUDIT_FILES */
};

/* NULL with an error if there is no thread; a folder that cannot be written to is told in the log, and tried
 * again. */
struct audit *audit_open(const struct audit_options *options, struct errors *errors);
/* Writes what is queued, frees. NULL is fine. */
void audit_close(struct audit *audit);

/* Notes a request with its outcome, if it is one to be noted. `wait`: not on the HTTP thread, may wait. */
void audit_request(struct audit *audit, const struct rest_request *request, const struct rest_reply *reply,
                   bool wait);

/* Newest first: lines with an id below `before` (0: all) that the filter lets through; new reference. */
struct filter;
json_t *audit_list(struct audit *audit, uint64_t before, unsigned limit, const struct filter *filter);

/* GET of the lines, for admins. */
struct rest_route audit_route(struct audit *audit, const char *pattern);

/* A copy with secrets hidden (SCHEMA_HIDDEN); for tests, too. */
json_t *audit_redact(const json_t *json);

#endif
