/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes secrets out of what is given away. The processes hide those of their configurations themselves; this is for what they do not know to
 * be one: values whose name says so (password, secret, token, psk, private key, ...), bearer tokens, private keys in PEM. Pure.
 */
#ifndef SLUICE_MANO_CLI_REDACT_H
#define SLUICE_MANO_CLI_REDACT_H

#include <jansson.h>

/* Stands for what was taken out. */
#define REDACTED "(left out)"

/* In place: strings, and lists of them, below members with such a name; also within other strings, as redact_text(). */
void redact_json(json_t *value);
/* name=value, name: value, "name": "value", Authorization: Bearer ..., PEM. malloc'd. */
char *redact_text(const char *text);

#endif
