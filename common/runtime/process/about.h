/* SPDX-License-Identifier: BSD-3-Clause */
/* What a program tells of its classes: for READMEs, manual pages and `sluice explain`. Pure functions. */
#ifndef SLUICE_RUNTIME_ABOUT_H
#define SLUICE_RUNTIME_ABOUT_H

#include <stdbool.h>

#include <jansson.h>

#include "runtime/nf.h"

/* A class as its README has it: configuration and counters, in Markdown, on standard output. False: there is none of that kind. */
bool about_print(const struct nf_class *const *classes, const char *kind);

/* {engine: JSON Schema of the document, functions: [{name, help, schema, counters: [{name, drop, help}]}]}; new reference. */
json_t *about_json(const struct nf_class *const *classes);

#endif
