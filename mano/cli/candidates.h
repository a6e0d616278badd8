/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Candidates of completion. The usage of a verb is its grammar: "chain insert|remove SERVICE/CHAIN NAME..." says that words come first, then chains
 * that there are at this moment, then members of that chain's service. Each prints on standard output, a line a candidate; what cannot be had is
 * left out in silence.
 */
#ifndef SLUICE_MANO_CLI_CANDIDATES_H
#define SLUICE_MANO_CLI_CANDIDATES_H

#include "cli/verbs.h"

enum { TOKEN_SIZE = 48 };

/* A place in a usage, without brackets: words parted by |, or a name in capitals. */
struct token {
	char text[TOKEN_SIZE];
	bool optional, repeats;
};

/* The places of a usage, without its verb and its options; how many, at most `most`. */
unsigned candidates_parse(const char *usage, struct token *tokens, unsigned most);
/* Whether we know what may stand in a place. */
bool candidates_known(const struct token *token);

/* What may stand behind plain[0..n-1] (the verb and its words, no options); `last` is what stands of it already. */
void candidates_tell(struct cli *cli, char **plain, int n, const char *last);
/* What may be the argument of an option. */
void candidates_value(struct cli *cli, const struct cli_option *option, char **plain, int n,
                      const char *last);
/* Words parted by blanks or bars. */
void candidates_words(const char *words);
void candidates_contexts(struct cli *cli);

#endif
