/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Roles, and who asks. A viewer reads; an operator changes services; an admin also says who may do what.
 * Each role has all rights of those before it. Pure functions; any thread.
 */
#ifndef SLUICE_MANAGE_ROLE_H
#define SLUICE_MANAGE_ROLE_H

#include <stdbool.h>

/* ROLE_NONE: nobody known; in a table of routes: the usual one (GET: viewer, else operator). */
enum role { ROLE_NONE, ROLE_VIEWER, ROLE_OPERATOR, ROLE_ADMIN };

enum { CALLER_SUBJECT = 128, CALLER_ADDRESS = 64 };

struct caller {
	enum role role;
	const char *how;                /* "unix", "certificate", "token"; "none": not authenticated */
	char subject[CALLER_SUBJECT];   /* "uid 0", the CN of a certificate, the name of a token; "" */
	char on_behalf[CALLER_SUBJECT]; /* whose wish an admin of a unix socket passes on ("token ci"); "" */
	char address[CALLER_ADDRESS];   /* "pid 77", or the address of the client without its port */
};

/* "viewer", "operator", "admin", "none". */
const char *role_name(enum role role);
/* ROLE_NONE: no such role. */
enum role role_parse(const char *text);

#endif
