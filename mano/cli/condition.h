/* SPDX-License-Identifier: BSD-3-Clause */
/* What --wait[=CONDITION] waits for, and how long. */
#ifndef SLUICE_MANO_CLI_CONDITION_H
#define SLUICE_MANO_CLI_CONDITION_H

#include "cli/cli.h"

/* The words in order, NULL at the end. */
const char *condition_name(unsigned i);
/* Takes --wait, or --wait=WORD; false: there is no such condition, which was said. */
bool condition_take(struct cli *cli, const char *word);
/* Whether the answer of a read, with its exit status, is what is waited for. NULL: anything that is there. */
bool condition_holds(const char *condition, int status, const json_t *answer);
/* Waits until the services of an operation ("edge", "edge/fw", "a,b") fulfil cli->condition; an exit status, failures were told. */
int condition_await(struct cli *cli, const char *subject);

#endif
