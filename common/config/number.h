/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Numbers of libconfig's notation, read as libconfig 1.5 reads them, to find those that it would corrupt: an integer
 * without L becomes its lowest 32 bits, one with L saturates, both without a word. Pure functions; any thread.
 */
#ifndef SLUICE_CONFIG_NUMBER_H
#define SLUICE_CONFIG_NUMBER_H

#include <stddef.h>

enum number_fault {
	NUMBER_FINE,
	NUMBER_NEEDS_L,   /* fits 64 bits, not 32, and has no L */
	NUMBER_TOO_LARGE, /* does not fit 64 bits */
};

/* Length of the number that begins at text (at least 1: a lone sign counts as one character), and what is wrong. */
size_t number_scan(const char *text, enum number_fault *fault);

/* Writes a decimal number so that it reads back equal, in as few digits as that takes, and never as an integer. */
char *number_write(double value, char *text, size_t size);

#endif
