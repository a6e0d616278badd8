/* SPDX-License-Identifier: BSD-3-Clause */
/* What the verbs that look at packets share: a filter in words. */
#ifndef SLUICE_MANO_CLI_LOOK_H
#define SLUICE_MANO_CLI_LOOK_H

#include <jansson.h>

#include "cli/cli.h"

/* Reads "tcp from 192.0.2.0/24 to 203.0.113.1 port 443 in lan oneway" from a word on into the filter of a trace or capture (new reference);
 * NULL: not understood, which was said. */
json_t *look_filter(const struct cli *cli, int from);

#endif
