/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first start of a server, without a default password: an authority of its own, a certificate for
 * itself, and a certificate, a token and a context of `sluice` for an admin; later what is due of them. All
 * in the folder that manage/access.h reads. Holds no data; one thread at a time for a folder.
 */
#ifndef SLUICE_MANAGE_ACCESS_SETUP_H
#define SLUICE_MANAGE_ACCESS_SETUP_H

#include "manage/access.h"

enum { ACCESS_HOSTS_MAX = 64 };

/* What a certificate is to be good for. */
struct access_hosts {
	char text[ACCESS_HOSTS_MAX][256];
	const char *list[ACCESS_HOSTS_MAX + 1]; /* NULL-terminated */
	size_t count;
};

/* This host's usual names; then whatever else. */
void access_hosts_usual(struct access_hosts *hosts);
void access_hosts_add(struct access_hosts *hosts, const char *host);
/* Of ADDRESS:PORT the address; of *:PORT all addresses that this host has now. */
void access_hosts_listener(struct access_hosts *hosts, const char *address);

/* Issues what is absent or due of the authority, server.* (CN `name`) and admin.*. False with errors. */
bool access_renew(const char *folder, const char *name, const struct access_hosts *hosts,
                  struct errors *errors);

/* Makes the admin's token (admin.token) if there are no tokens and there never was one. False with errors. */
bool access_first_token(const char *folder, struct access *access, struct errors *errors);

/* Writes contexts.cfg, with which `sluice` speaks to the server at ADDRESS:PORT as the admin. False with
 * errors. */
bool access_context(const char *folder, const char *address, struct errors *errors);

#endif
