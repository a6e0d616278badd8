/* SPDX-License-Identifier: BSD-3-Clause */
/* What top shows of two looks. Pure: JSON in, JSON out. */
#ifndef SLUICE_MANO_CLI_TOP_ROWS_H
#define SLUICE_MANO_CLI_TOP_ROWS_H

#include <jansson.h>

/* Of two looks (functions, paths, workers, ports: {name: state}; at: seconds) the lists functions, chains, workers and ports, rates by the
 * second of what lies between. What is new counts from nothing; what began anew (a count that fell), too. New reference. */
json_t *top_rows(const json_t *before, const json_t *now);

#endif
