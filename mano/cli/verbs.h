/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of verbs and options, of which help, the manual page and completion are made. Constant. */
#ifndef SLUICE_MANO_CLI_VERBS_H
#define SLUICE_MANO_CLI_VERBS_H

#include <stdbool.h>
#include <stdio.h>

#include "cli/cli.h"

struct cli_option {
	const char *name; /* without -- */
	int letter;       /* what getopt answers; a letter of its own on the command line if `has_short` */
	const char *argument; /* NULL: none; "[WORD]": may be left out, else --option=WORD */
	bool has_short, common;
	const char *help;
};

struct cli_verb {
	const char *name, *usage, *help;
	const char *options;  /* names of those that only some verbs take, parted by blanks */
	const char *examples; /* a line each: command, tab, what it does */
	int (*run)(struct cli *cli);
	bool local; /* asks no sluiced: needs no context */
};

struct cli_text {
	const char *name, *help;
};

extern const struct cli_text cli_statuses[],
        cli_variables[];                      /* of the exit and the environment, up to name NULL */
extern const struct cli_option cli_options[]; /* up to name NULL */
extern const struct cli_verb cli_verbs[];

const struct cli_verb *verb_find(const char *name);
/* An option as it is written: --file or -f; NULL: none. */
const struct cli_option *option_find(const char *word);
/* Names of all verbs and options, in order; NULL at the end. */
const char *verb_name(unsigned i);
const char *option_name(unsigned i);
/* suggest.c: the word that was probably meant, or NULL; word(i) gives all that there are, then NULL. */
const char *suggest(const char *wrong, const char *(*word)(unsigned i));
/* Says that there is no such WHAT, and which one may have been meant. */
void suggest_print(const char *what, const char *wrong, const char *(*word)(unsigned i));
/* Whether the next word on the command line is its argument. */
bool option_wants_word(const struct cli_option *option);
bool verb_takes(const struct cli_verb *verb, const struct cli_option *option);
/* Help of one verb; NULL: of all. */
void help_print(const struct cli_verb *verb, FILE *to);

#endif
