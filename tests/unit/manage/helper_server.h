/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A server in a folder of its own below /tmp, and short ways to talk to it. One test owns it.
 */
#ifndef SLUICE_TESTS_HELPER_SERVER_H
#define SLUICE_TESTS_HELPER_SERVER_H

#include "manage/client.h"
#include "manage/rest.h"

struct fixture {
	char folder[64], socket[96];
	struct rest *rest;
	struct http_client *client;
	struct http_reply reply; /* of the last request */
};

/* Starts a server with these routes; options may be NULL. */
void fixture_start(struct fixture *f, const struct rest_options *options, const struct rest_route *routes);
/* Stops it and removes its folder, which must be empty but for the socket. */
void fixture_stop(struct fixture *f);
/* One request; headers may be NULL. Returns the status. */
unsigned ask(struct fixture *f, const char *method, const char *path, const char *const *headers,
             const char *body);
/* The same with a content type. */
unsigned ask_typed(struct fixture *f, const char *method, const char *path, const char *type,
                   const char *body);
/* The last reply as JSON, checked to be an object or array; new reference. */
json_t *reply_json(struct fixture *f);
/* Sends bytes as they are on a new connection, and reads until the server closes it or 2 s have passed. 0: it
 * could not connect, or nothing came. */
size_t raw_exchange(const struct fixture *f, const char *bytes, size_t length, char *answer, size_t size);

#endif
