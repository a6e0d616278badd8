/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who may speak to a server over TCP: the folder with its certificate, the authority whose client
 * certificates are believed, and the file of tokens. All are read again when they have changed, looked at at
 * most once a second, so that renewal and revocation need no restart. A new pair that does not fit together
 * is not taken, the old one stays.
 *
 * FOLDER: server.crt server.key, clients-ca.crt (PEM: authorities, and lists of what they revoked; absent:
 * ca.crt), tokens.json. Any thread. Life cycle: access_open, rest_listen_tcp with it, rest_stop,
 * access_close.
 */
#ifndef SLUICE_MANAGE_ACCESS_H
#define SLUICE_MANAGE_ACCESS_H

#include <stdbool.h>
#include <time.h>

#include "manage/role.h"
#include "manage/tokens.h"
#include "util/errors.h"

struct access;
struct trust;

/* tokens_file: NULL: FOLDER/tokens.json. NULL with errors. Certificates need not be there before a listener
 * is. */
struct access *access_open(const char *folder, const char *tokens_file, struct errors *errors);
void access_close(struct access *access);

struct tokens *access_tokens(struct access *access);

/* The server's chain and key as PEM, malloc'd; false: there are none. */
bool access_server(struct access *access, time_t now, char **certificate, char **key);
/* A reference to the trust, to be released; NULL: no client certificate is believed. */
struct trust *access_trust(struct access *access, time_t now);

/* The token in a value of Authorization ("Bearer TOKEN", RFC 6750 2.1), borrowed from it; NULL: it is none. */
const char *access_bearer(const char *authorization);

#endif
