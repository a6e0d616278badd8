/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Keys and certificates of management: an authority of our own, what it issues, and when that is due to be
 * issued anew. Keys are ECDSA P-256 (RFC 8446 asks for it), certificates X.509 v3 with a purpose (server or
 * client) and nothing else. Files are PEM, written whole or not at all, keys with mode 0600. Holds no data;
 * any thread, as long as two do not write one folder.
 *
 * The folder of an authority: ca.crt ca.key server.crt server.key admin.crt admin.key.
 */
#ifndef SLUICE_MANAGE_PKI_H
#define SLUICE_MANAGE_PKI_H

#include <stdbool.h>
#include <time.h>

#include "util/errors.h"

enum { PKI_CA_DAYS = 3650, PKI_DAYS = 365 };

enum pki_purpose { PKI_SERVER, PKI_CLIENT };

/* What is to be issued, and where: FOLDER/NAME.crt and FOLDER/NAME.key. */
struct pki_order {
	enum pki_purpose purpose;
	const char *folder, *name;
	const char *common_name;
	const char *unit;         /* OU: the role of a client; NULL: none */
	const char *const *hosts; /* DNS names and addresses (SAN), NULL-terminated; NULL: none */
	unsigned days;            /* 0: PKI_DAYS */
};

/* Whether the authority's key was taken away (its certificate is there): then nothing is issued, and the operator's own is served. */
bool pki_keyless(const char *folder);

/* Makes FOLDER/ca.crt and ca.key if neither is there. False with an error. */
bool pki_authority(const char *folder, time_t now, struct errors *errors);

/* Days until the authority in a folder ends, at least 0; PKI_CA_DAYS: there is none to be read. What it has issued ends with it, and it is never replaced by itself. */
unsigned pki_days_left(const char *folder, time_t now);

/* Issues in the name of the authority in `authority`, over what was there. False with an error. */
bool pki_issue(const char *authority, const struct pki_order *order, time_t now, struct errors *errors);

/*
 * Whether an order must be carried out: certificate or key is absent or unreadable, two thirds of the
 * certificate's time are over, it is not of this authority, or it lacks one of the hosts.
 */
bool pki_due(const char *authority, const struct pki_order *order, time_t now);

/* Issues it if it is due, or, without ca.key, looks whether it is there; *issued (may be NULL) says whether it was. False with an error. */
bool pki_renew(const char *authority, const struct pki_order *order, time_t now, bool *issued,
               struct errors *errors);

#endif
