/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options of a program's command line as a table, from which come what getopt reads, --help, and the manual page. Tables are static const
 * data; any thread.
 */
#ifndef SLUICE_MANAGE_OPTIONS_H
#define SLUICE_MANAGE_OPTIONS_H

#include <getopt.h>
#include <stdio.h>

#include <jansson.h>

enum { OPTIONS_MAX = 40 };

/* One option; a table ends with name NULL. */
struct option_row {
	const char *name;     /* without -- */
	int letter;           /* what getopt_long answers */
	const char *argument; /* what is to be put there: "FILE"; NULL: none */
	const char *help;     /* with the default, if there is one */
};

/* getopt's own table (at most OPTIONS_MAX - 1 rows are taken). */
void options_getopt(const struct option_row *rows, struct option options[OPTIONS_MAX]);
/* A line an option. */
void options_print(const struct option_row *rows, FILE *to);
/* [{name, argument, help}]; new reference. */
json_t *options_json(const struct option_row *rows);

#endif
