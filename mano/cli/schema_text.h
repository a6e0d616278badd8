/* SPDX-License-Identifier: BSD-3-Clause */
/* A JSON Schema of ours (/v1/schemas) in words: for explain and the manual pages. Pure functions. */
#ifndef SLUICE_MANO_CLI_SCHEMA_TEXT_H
#define SLUICE_MANO_CLI_SCHEMA_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

/* The members of a group, or of the items of a list; NULL: it has none. Borrowed. */
json_t *schema_members(const json_t *schema);
/* One member of it by name, borrowed; NULL. */
json_t *schema_member(const json_t *schema, const char *name);
bool schema_requires(const json_t *schema, const char *name);

/* "one of accept, drop", "list by name", "array of name". */
void schema_type_text(const json_t *schema, char *text, size_t size);
/* "1 to 65535 s", "2 to 34 elements", "ms"; empty: unbounded and without a unit. */
void schema_range_text(const json_t *schema, char *text, size_t size);
/* The default as it would be written; empty: none. */
void schema_default_text(const json_t *schema, char *text, size_t size);
/* What it is for; never NULL. */
const char *schema_help(const json_t *schema);

#endif
