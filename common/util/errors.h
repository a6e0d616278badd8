/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A list of errors found in one pass over some input, so that an operator sees all of them and not the first.
 * Owned by whoever calls errors_init(); not thread safe.
 */
#ifndef SLUICE_UTIL_ERRORS_H
#define SLUICE_UTIL_ERRORS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* One finding. Strings are owned by the list; file is NULL and line 0 where the place is not known. */
struct error {
	char *path;   /* where in the document: services.edge.vnfs.fw.config.rules[12].destination */
	char *code;   /* a stable word for programs: "not-a-prefix", "unknown-member", "out-of-range" */
	char *detail; /* a sentence for people: not a prefix: "10.0.0" */
	char *file;
	unsigned line;
};

struct errors {
	struct error *list;
	size_t count;
	size_t room;
};

#define ERRORS_NONE        \
	{                  \
		NULL, 0, 0 \
	}

/* Adds one error; path, file may be NULL. Copies all strings; control characters that path and detail quote become escapes. */
void errors_add(struct errors *errors, const char *path, const char *code, const char *file, unsigned line,
                const char *format, ...) __attribute__((format(printf, 6, 7)));

/* As errors_add, with the arguments in a va_list. */
void errors_vadd(struct errors *errors, const char *path, const char *code, const char *file, unsigned line,
                 const char *format, va_list args);

static inline bool errors_any(const struct errors *errors)
{
	return errors->count > 0;
}

/* Writes one error as `FILE:LINE: PATH: DETAIL` (parts that are not known are left out) into text; returns as
 * snprintf. */
int error_format(const struct error *error, char *text, size_t size);

/* Moves all errors of `from` to the end of `to`, putting `prefix` (may be NULL) before each path; empties
 * `from`. */
void errors_move(struct errors *to, struct errors *from, const char *prefix);

/* Frees what the list owns and leaves it empty. */
void errors_free(struct errors *errors);

#endif
