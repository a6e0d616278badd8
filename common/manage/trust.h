/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which client certificates are believed, and what role they carry. A certificate is believed if an
 * authority of the trust signed it, now is within its time, and its purpose is TLS client authentication.
 * Its role is its OU (exactly one of viewer, operator, admin), its subject the CN. A trust never changes;
 * several threads may use it.
 */
#ifndef SLUICE_MANAGE_TRUST_H
#define SLUICE_MANAGE_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "manage/role.h"

struct trust;

/* From PEM certificates of authorities and, if there are any, their lists of revoked certificates: then each
 * authority must have one that is not too old. NULL: there is no authority in it. One reference. */
struct trust *trust_new(const char *pem, size_t length);
struct trust *trust_hold(struct trust *trust);
void trust_release(struct trust *trust);

/* A certificate in DER, signed by an authority itself; fills role, how and subject. False: why it is
 * not believed, static. A believed one without a role leaves ROLE_NONE. */
bool trust_check(struct trust *trust, const unsigned char *der, size_t length, time_t now,
                 struct caller *caller, const char **why);

#endif
