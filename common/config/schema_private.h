/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the files of the schema share among themselves. Pure functions; any thread.
 */
#ifndef SLUICE_CONFIG_SCHEMA_PRIVATE_H
#define SLUICE_CONFIG_SCHEMA_PRIVATE_H

#include "config/schema.h"

#define SCHEMA_KEY_TEXT 24

/* The key of a list's item as text: its own string, or an integer written to `number`; NULL if it has none. */
const char *schema_key(const struct conf *item, const char *key, char number[SCHEMA_KEY_TEXT]);

/* What a type is called in reference pages: "integer", "list". */
const char *schema_type_word(enum schema_type type);

/* Whether a word is so near to another that it may be a slip of the hand. */
bool schema_alike(const char *right, const char *wrong);

/* JSON of one value without its secrets; `schema` may be NULL (nothing is known of it); new reference. */
json_t *schema_value_to_json(const struct schema *schema, const struct conf *c);

#endif
