/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What libconfig and JSON must both be able to say: the rules by which a document can pass from one to the other and
 * back unchanged. Used by the readers. Pure functions; any thread.
 */
#ifndef SLUICE_CONFIG_NOTATION_H
#define SLUICE_CONFIG_NOTATION_H

#include <stdbool.h>
#include <stddef.h>

#include "config/conf.h"

/* A member name that libconfig can write: [A-Za-z*][A-Za-z0-9*_-]*, and not a boolean. */
bool notation_name(const char *name);
/* UTF-8 (RFC 3629: no surrogates, nothing overlong, at most U+10FFFF) without NUL. */
bool notation_utf8(const char *text, size_t length);
/* "a group", "a list", "a number" ... for sentences of errors. */
const char *notation_kind(enum conf_type type);

#endif
