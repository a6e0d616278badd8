/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The one description of a configuration: a table of members, nested. From it come validation, defaults, the
 * keyed diff, the OpenAPI document, CLI completion and the reference pages. Tables are static const data; any
 * thread.
 */
#ifndef SLUICE_CONFIG_SCHEMA_H
#define SLUICE_CONFIG_SCHEMA_H

#include "config/conf.h"

enum schema_type {
	SCHEMA_BOOL,
	SCHEMA_INT,
	SCHEMA_FLOAT,
	SCHEMA_STRING,
	SCHEMA_ENUM,    /* string, one of `values` */
	SCHEMA_NAME,    /* string: [A-Za-z0-9][A-Za-z0-9._-]{0,62} */
	SCHEMA_ADDRESS, /* string: IPv4 or IPv6 address */
	SCHEMA_PREFIX,  /* string: address/length, or an address alone (= host); host bits must be 0 */
	SCHEMA_INTERFACE_ADDRESS, /* string: address/length with host bits (an address on a port) */
	SCHEMA_PORTS,             /* string: "80" or "1000-2000"; an integer is accepted */
	SCHEMA_MAC,               /* string: "02:00:00:00:00:01" */
	SCHEMA_GROUP,             /* members in `members` */
	SCHEMA_LIST,              /* of groups described by `members`, keyed by `key` (NULL: by position) */
	SCHEMA_ARRAY,             /* of scalars of type `element` */
	SCHEMA_ANY,               /* whatever: validated by somebody else (the `config` of a VNF) */
};

enum schema_flag {
	SCHEMA_REQUIRED = 1,
	SCHEMA_SECRET = 2, /* never shown in clear */
};

struct schema {
	const char *name; /* member name; a table ends with name == NULL */
	enum schema_type type;
	enum schema_type element; /* of SCHEMA_ARRAY */
	unsigned flags;
	const char *unit; /* "s", "ms", "packets/s"; NULL: none */
	/* Of SCHEMA_INT and SCHEMA_FLOAT, or of the number of elements; both 0: unbounded; max < min: no upper bound. */
	int64_t min, max;
	/* Default as text ("60", "true", "drop", of arrays in JSON: "[80, 443]"); NULL: none. */
	const char *otherwise;
	const char *const *values; /* of SCHEMA_ENUM, NULL-terminated */
	const char *key;           /* of SCHEMA_LIST */
	const struct schema *members;
	const char *help; /* one sentence */
};

/* Checks a group against a table: unknown members, types, ranges, formats, required ones, duplicate keys.
 * Adds every error. */
bool schema_check(const struct schema *members, const struct conf *group, struct errors *errors);

/* Adds the defaults of absent members (also in nested groups that are present, and in list items). */
void schema_defaults(const struct schema *members, struct conf *group);

/* As conf_to_json, with every SCHEMA_SECRET replaced by SCHEMA_HIDDEN; for whatever leaves the process. */
json_t *schema_to_json(const struct schema *members, const struct conf *group);
#define SCHEMA_HIDDEN "********"

/*
 * Puts the secrets of `before` where `group` has SCHEMA_HIDDEN in their place, list items matched by key: so that what
 * was read can be written back. A hidden secret without a predecessor stays as it is, for schema_check to refuse.
 */
void schema_restore_secrets(const struct schema *members, struct conf *group, const struct conf *before);

/* Checks a table itself (for tests): defaults that fit, keys that exist, a help text for each. Adds every error. */
bool schema_lint(const struct schema *members, struct errors *errors);

/* The row of a member, or NULL. */
const struct schema *schema_find(const struct schema *members, const char *name);

/* One difference between two documents of a schema; lists are compared by key, so an insertion is one
 * difference. */
struct conf_change {
	char *path;           /* rules[web].action */
	char kind;            /* '+', '-', '~' ('>' : moved within its list) */
	char *before, *after; /* JSON text without secrets, positions if moved; NULL where absent */
};
struct conf_diff {
	struct conf_change *list;
	size_t count;
};
/* Compares; before or after may be NULL. Linear in the documents' size (keys are hashed). */
struct conf_diff schema_diff(const struct schema *members, const struct conf *before,
                             const struct conf *after);
void conf_diff_free(struct conf_diff *diff);

/* JSON Schema (OpenAPI 3.1) of a table; new reference. */
json_t *schema_to_openapi(const struct schema *members);
/* Markdown reference of a table; malloc'd. */
char *schema_to_markdown(const struct schema *members, const char *title);

#endif
