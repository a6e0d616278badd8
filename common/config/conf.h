/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A configuration document as a tree, whether it came from a libconfig file or from JSON. Every node
 * remembers its parent (so that its path can be told) and, when it came from a file, the file and line (so
 * that the last compiler still names the operator's line). A tree is owned by whoever made it, freed whole by
 * conf_free() of its root, and read-only by convention once validated: then any thread may read it.
 */
#ifndef SLUICE_CONFIG_CONF_H
#define SLUICE_CONFIG_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "util/errors.h"

enum conf_type {
	CONF_BOOL,
	CONF_INT,
	CONF_FLOAT,
	CONF_STRING,
	CONF_GROUP, /* members by name: { } */
	CONF_LIST,  /* of groups: ( ) */
	CONF_ARRAY, /* of one scalar type: [ ] */
};

struct conf {
	enum conf_type type;
	unsigned line;    /* 0: not from a file */
	size_t index;     /* among the parent's children */
	char *name;       /* member name; NULL in lists and arrays and at the root */
	const char *file; /* owned by the root; NULL: not from a file */
	struct conf *parent;
	union {
		bool boolean;
		int64_t integer;
		double real;
		char *string;
	};
	struct conf **children; /* of group, list, array, in document order */
	size_t count;
};

/* Member of a group by name, or NULL; c may be NULL. */
const struct conf *conf_get(const struct conf *c, const char *name);

/* Element of a list by the value of its key member ("name"), or NULL. */
const struct conf *conf_item(const struct conf *list, const char *key, const char *value);

/* Scalar members of a group; `otherwise` where the member is absent. Type is what the schema has checked. */
int64_t conf_int(const struct conf *c, const char *name, int64_t otherwise);
bool conf_bool(const struct conf *c, const char *name, bool otherwise);
double conf_float(const struct conf *c, const char *name, double otherwise);
const char *conf_string(const struct conf *c, const char *name, const char *otherwise);

/* Number of children (0 for NULL) and the i-th child: `for (size_t i = 0; i < conf_count(c); i++) conf_at(c,
 * i)`. */
size_t conf_count(const struct conf *c);
const struct conf *conf_at(const struct conf *c, size_t i);

/* Writes the path of a node (`vnfs[0].config.rules[12].destination`) into text; returns as snprintf. */
int conf_path(const struct conf *c, char *text, size_t size);

/* Adds an error at this node, with its path, file and line. */
void conf_error(struct errors *errors, const struct conf *c, const char *code, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/*
 * The same rules hold for both notations: nothing is null, names are [A-Za-z*][A-Za-z0-9*_-]* and not true or
 * false, strings are UTF-8 without NUL, a list holds groups, an array scalars of one type, and nesting is at
 * most CONF_DEPTH deep. An empty array of JSON is an empty CONF_ARRAY, which the schema takes for an empty
 * list too.
 */
#define CONF_DEPTH 64

/* Readers. Return a new tree, or NULL with errors added. conf_read_file follows @include relative to the
 * including file's folder and refuses integers outside int32 that lack the L suffix (libconfig 1.5 corrupts
 * them without a word). conf_read_text opens no file: an @include in it is refused, because its text may come
 * from far away. */
struct conf *conf_read_file(const char *file, struct errors *errors);
struct conf *conf_read_text(const char *text, const char *file_name, struct errors *errors);
struct conf *conf_from_json(const json_t *json, struct errors *errors);

/* Writers. conf_to_json returns a new reference; conf_to_libconfig a malloc'd string that conf_read_text
 * reads back equal. */
json_t *conf_to_json(const struct conf *c);
char *conf_to_libconfig(const struct conf *c);

struct conf *conf_clone(const struct conf *c);
void conf_free(struct conf *root);

/* Whether two nodes hold the same: member order and int against float of the same value do not count. */
bool conf_equal(const struct conf *a, const struct conf *b);

/* Building a tree by hand: each returns the new child, owned by parent (a NULL parent makes a root). */
struct conf *conf_new(struct conf *parent, enum conf_type type, const char *name);
struct conf *conf_set_string(struct conf *group, const char *name, const char *value);
struct conf *conf_set_int(struct conf *group, const char *name, int64_t value);
struct conf *conf_set_bool(struct conf *group, const char *name, bool value);
struct conf *conf_set_float(struct conf *group, const char *name, double value);
/* Says where a node came from; the name is kept by the root. */
void conf_set_place(struct conf *c, const char *file, unsigned line);
/* Deep-copies `from` (with its places) below a group or list under `name` (NULL in a list); replaces a member
 * of that name. */
struct conf *conf_put(struct conf *parent, const char *name, const struct conf *from);
/* Removes and frees a member; no-op if absent. */
void conf_remove(struct conf *group, const char *name);

#endif
