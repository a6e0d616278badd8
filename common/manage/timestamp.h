/* SPDX-License-Identifier: BSD-3-Clause */
/* Times as text: RFC 3339, UTC. Pure functions; any thread. */
#ifndef SLUICE_MANAGE_TIMESTAMP_H
#define SLUICE_MANAGE_TIMESTAMP_H

#include <stdbool.h>
#include <time.h>

enum { TIMESTAMP_SIZE = 64 };

/* "2026-01-31T12:00:00Z" into text of TIMESTAMP_SIZE bytes; returns text. */
const char *timestamp_write(time_t when, char *text);

/* Now, with microseconds; returns text. */
const char *timestamp_now(char *text);

/* When something ends: a span from now ("90d", "12h", "30m", "45s") or a time ("2026-01-31T12:00:00Z").
 * False: neither, or not after now. */
bool timestamp_read_end(const char *text, time_t now, time_t *end);

#endif
