/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Unix sockets, and who may talk over them: whoever may is an admin. A socket path is probed, bound and
 * listened on under a lock of its folder, so that of two processes that start at the same time one is
 * refused.
 */
#include "manage/rest_private.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

struct unix_listener {
	struct listener base;
	struct rest_unix where;
	char *path;
	dev_t device; /* of the socket file that is ours */
	ino_t inode;
};

static bool fail(struct errors *errors, const char *path, const char *code, const char *what)
{
	errors_add(errors, NULL, code, NULL, 0, "socket %s: %s", path, what);
	return false;
}

static bool fail_errno(struct errors *errors, const char *path, const char *doing)
{
	errors_add(errors, NULL, "socket-failed", NULL, 0, "socket %s: %s: %s", path, doing, strerror(errno));
	return false;
}

static int connect_to(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errno;
	int failed = connect(fd, (const struct sockaddr *)address, sizeof *address) ? errno : 0;
	close(fd);
	return failed;
}

/* Makes the path free: removes a socket that nobody answers on, refuses all else. */
static bool make_free(const struct sockaddr_un *address, struct errors *errors)
{
	const char *path = address->sun_path;
	struct stat status;
	if (lstat(path, &status))
		return errno == ENOENT || fail_errno(errors, path, "cannot look at it");
	if (!S_ISSOCK(status.st_mode))
		return fail(errors, path, "socket-taken",
		            "the path exists and is not a socket; move it away");
	int failed = connect_to(address);
	if (!failed || failed == EAGAIN)
		return fail(errors, path, "socket-taken",
		            "another process answers there; stop it or choose another path");
	if (failed != ECONNREFUSED) {
		errno = failed;
		return fail_errno(errors, path, "cannot tell whether it is in use");
	}
	return !unlink(path) || fail_errno(errors, path, "cannot remove the stale socket");
}

static bool bind_and_listen(struct unix_listener *listener, int fd, const struct sockaddr_un *address,
                            struct errors *errors)
{
	const char *path = address->sun_path;
	struct stat status;
	if (bind(fd, (const struct sockaddr *)address, sizeof *address))
		return fail_errno(errors, path, "cannot bind");
	if ((listener->where.has_group && chown(path, (uid_t)-1, listener->where.group)) ||
	    chmod(path, 0660) || lstat(path, &status) || listen(fd, 64)) {
		fail_errno(errors, path, "cannot set it up");
		unlink(path);
		return false;
	}
	listener->device = status.st_dev;
	listener->inode = status.st_ino;
	return true;
}

/* Opens the folder of a path and locks it, for as long as the descriptor is open. */
static int lock_folder(const char *path)
{
	char copy[sizeof((struct sockaddr_un *)0)->sun_path];
	snprintf(copy, sizeof copy, "%s", path);
	int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0 && flock(fd, LOCK_EX)) {
		close(fd);
		return -1;
	}
	return fd;
}

static int open_socket(struct unix_listener *listener, struct errors *errors)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	if (strlen(listener->path) >= sizeof address.sun_path) {
		fail(errors, listener->path, "socket-path-too-long", "a socket's path has at most 107 bytes");
		return -1;
	}
	snprintf(address.sun_path, sizeof address.sun_path, "%s", listener->path);
	int folder = lock_folder(listener->path);
	if (folder < 0) {
		fail_errno(errors, listener->path, "cannot open its folder");
		return -1;
	}
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (!make_free(&address, errors) || !bind_and_listen(listener, fd, &address, errors)) {
		close(fd);
		fd = -1;
	}
	close(folder);
	return fd;
}

static bool in_group(int fd, const struct rest_peer *peer, gid_t group)
{
	gid_t groups[256];
	socklen_t size = sizeof groups;
	if (peer->gid == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size))
		return false;
	for (size_t i = 0; i < size / sizeof *groups; i++)
		if (groups[i] == group)
			return true;
	return false;
}

static void check_peer(struct listener *base, struct connection *connection)
{
	const struct unix_listener *listener = (const struct unix_listener *)base;
	struct ucred credentials;
	socklen_t size = sizeof credentials;
	if (getsockopt(connection->fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size))
		return;
	connection->peer = (struct rest_peer){ credentials.uid, credentials.gid, credentials.pid };
	connection->allowed = credentials.uid == 0 || credentials.uid == geteuid() ||
	                      (listener->where.has_group &&
	                       in_group(connection->fd, &connection->peer, listener->where.group));
	connection->caller.how = "unix";
	connection->caller.role = connection->allowed ? ROLE_ADMIN : ROLE_NONE;
	snprintf(connection->caller.subject, CALLER_SUBJECT, "uid %u", (unsigned)credentials.uid);
	snprintf(connection->caller.address, CALLER_ADDRESS, "pid %d", (int)credentials.pid);
}

static void listener_free(struct listener *base)
{
	free(((struct unix_listener *)base)->path);
	free(base);
}

/* Removes the socket file, if it is still the one that we made. */
static void remove_file(struct listener *base)
{
	const struct unix_listener *listener = (const struct unix_listener *)base;
	struct stat status;
	if (!lstat(listener->path, &status) && status.st_dev == listener->device &&
	    status.st_ino == listener->inode)
		unlink(listener->path);
}

bool rest_listen_unix(struct rest *rest, const struct rest_unix *where, struct errors *errors)
{
	struct unix_listener *listener = calloc(1, sizeof *listener);
	if (listener)
		*listener = (struct unix_listener){ .base = { .rest = rest,
			                                      .arrive = check_peer,
			                                      .close = remove_file,
			                                      .free = listener_free },
			                            .where = *where,
			                            .path = strdup(where->path) };
	if (!listener || !listener->path) {
		free(listener);
		return fail(errors, where->path, "out-of-memory", "out of memory");
	}
	int fd = open_socket(listener, errors);
	if (fd >= 0 && listener_begin(&listener->base, fd))
		return true;
	if (fd >= 0) {
		fail(errors, where->path, "socket-failed", "the HTTP server does not start");
		remove_file(&listener->base);
		close(fd);
	}
	listener_free(&listener->base);
	return false;
}
