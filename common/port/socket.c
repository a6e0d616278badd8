/* SPDX-License-Identifier: BSD-3-Clause */
/* UNIX sockets of links by their paths. */
#include "port/socket.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

bool socket_path(const struct port_options *options, const char *rest, char path[SOCKET_PATH_MAX],
                 struct errors *errors)
{
	size_t length = strcspn(rest, "?");

	if (rest[0] == '/' && length < SOCKET_PATH_MAX && !memchr(rest, ',', length)) {
		port_path(rest, path, SOCKET_PATH_MAX);
		return true;
	}
	port_error(errors, options, "bad-path",
	           "the socket's path must be absolute, shorter than %d bytes and without a comma",
	           SOCKET_PATH_MAX);
	return false;
}

/* Asked with a socket of the wrong type, which the kernel refuses (EPROTOTYPE) before the owner hears of it. */
bool socket_bound(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool there;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	there = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EPROTOTYPE;
	close(fd);
	return there;
}

bool socket_listens_at(int fd, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNSPEC };
	socklen_t length = sizeof(address), size = sizeof(int);
	int listens = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
	       getsockname(fd, (struct sockaddr *)&address, &length) == 0 && address.sun_family == AF_UNIX &&
	       length > offsetof(struct sockaddr_un, sun_path) &&
	       strncmp(address.sun_path, path, sizeof(address.sun_path)) == 0 && socket_bound(path);
}

bool socket_clear(const struct port_options *options, const char *path, struct errors *errors)
{
	struct stat file;

	if (lstat(path, &file) < 0)
		return true;
	if (!S_ISSOCK(file.st_mode)) {
		port_error(errors, options, "not-a-socket",
		           "a file that is no socket lies there: remove it, or use another path");
		return false;
	}
	if (socket_bound(path)) {
		port_error(errors, options, "socket-taken",
		           "another process listens there: stop it, or use another path");
		return false;
	}
	unlink(path);
	return true;
}
