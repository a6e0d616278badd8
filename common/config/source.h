/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The text of a configuration before libconfig sees it: files with every @include put in place, a map back from the
 * lines of the whole to file and line, and the checks that libconfig 1.5 lacks (integers that do not fit, depth, size,
 * groups too large for its linear search). Lives while one document is read; one thread.
 */
#ifndef SLUICE_CONFIG_SOURCE_H
#define SLUICE_CONFIG_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "config/conf.h"

/* Bounds of one document: bytes with all it includes, members of one group, files within files. */
#define SOURCE_BYTES    ((size_t)256 << 20)
#define SOURCE_MEMBERS  4096
#define SOURCE_INCLUDES 10

/* A run of lines of the whole text that are consecutive lines of one file. */
struct stretch {
	unsigned whole, line; /* its first line in the whole text, and in the file; both from 1 */
	const char *file;
};

struct source {
	char *text; /* of length bytes and a NUL */
	size_t length;
	struct stretch *stretches;
	size_t stretches_count;
	char **files; /* names that stretches point to */
	size_t files_count;
	unsigned lines;                   /* complete lines in text */
	unsigned depth;                   /* of open brackets at the end of text */
	unsigned members[CONF_DEPTH + 1]; /* of the open group at each depth */
};

/* Both return whether libconfig may be asked; errors are added either way. The caller frees the source in any case. */
bool source_read_file(struct source *source, const char *file, struct errors *errors);
/* A text that comes from no file: an @include in it is an error, because nobody far away shall open files here. */
bool source_read_text(struct source *source, const char *text, const char *name, struct errors *errors);

/* Ends the last line if it lacks its newline: libconfig takes no // comment without one. */
void source_end_line(struct source *source);

/* File and line of a line of the whole text. */
void source_place(const struct source *source, unsigned whole, const char **file, unsigned *line);
/* The text of a line, for error messages; malloc'd, at most 60 bytes, without white space around it. */
char *source_line(const struct source *source, unsigned whole);

void source_free(struct source *source);

#endif
