/* SPDX-License-Identifier: BSD-3-Clause */
/* The nouns of get, and where sluiced has what they name. */
#ifndef SLUICE_MANO_CLI_NOUNS_H
#define SLUICE_MANO_CLI_NOUNS_H

#include "cli/cli.h"

enum { NOUN_PATH = 512 };

/* What "get NOUN [SERVICE[/NAME]]" asks for. */
struct noun_target {
	char path[NOUN_PATH];
	const char *
	        pattern; /* of all services, one after the other: noun_fill makes the path; NULL: `path` alone */
};

/* Reads the words of the command, sets the columns of its table. False: it was said what is wrong. */
bool noun_target(struct cli *cli, struct noun_target *target);
void noun_fill(const char *pattern, const char *service, char path[NOUN_PATH]);
/* Whether a word is a noun, or its plural. */
bool noun_is(const char *word, const char *noun);
/* The nouns in order, NULL at the end. */
const char *noun_name(unsigned i);

#endif
