/* SPDX-License-Identifier: BSD-3-Clause */
/* UNIX sockets of links: their names, and who is there. Control side; no state. */
#ifndef SLUICE_RUNTIME_PORT_SOCKET_H
#define SLUICE_RUNTIME_PORT_SOCKET_H

#include <stdbool.h>

#include "port/port.h"

enum { SOCKET_PATH_MAX = 108 };

/* The path of `PATH?options`; false with an error if no socket can have it. */
bool socket_path(const struct port_options *options, const char *rest, char path[SOCKET_PATH_MAX],
                 struct errors *errors);

/* Whether a living process holds a socket bound at that path. Does not connect to it: a server that waits for its one
 * peer would take us for that. */
bool socket_bound(const char *path);

/* Whether a socket listens at that path still: one that was handed to us by a predecessor (bequest.h). */
bool socket_listens_at(int fd, const char *path);

/* Makes a place for a socket to be bound at: removes one that a dead process left; false with an error if somebody
 * holds it, or if something else lies there. */
bool socket_clear(const struct port_options *options, const char *path, struct errors *errors);

#endif
