/* SPDX-License-Identifier: BSD-3-Clause */
/* The walk of a packet in words. */
#ifndef SLUICE_MANO_CLI_TRACE_TELL_H
#define SLUICE_MANO_CLI_TRACE_TELL_H

#include <jansson.h>

/* Prints one packet's steps on standard output, sorted by time; each carries "process", where it was seen. */
void trace_tell(int number, const json_t *steps);

#endif
