/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Where the server listens, and who may talk to it. One listener is one daemon of the HTTP library with its
 * thread; all share the pool. A socket path is probed, bound and listened on under a lock of its folder, so
 * that of two processes that start at the same time one is refused.
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

#include "manage/log.h"

struct listener {
	struct listener *next;
	struct rest *rest;
	struct MHD_Daemon *daemon;
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

static bool bind_and_listen(struct listener *listener, int fd, const struct sockaddr_un *address,
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

static int open_socket(struct listener *listener, struct errors *errors)
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

static void check_peer(const struct listener *listener, int fd, struct rest_peer_check *check)
{
	struct ucred credentials;
	socklen_t size = sizeof credentials;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size))
		return;
	check->peer = (struct rest_peer){ credentials.uid, credentials.gid, credentials.pid };
	check->allowed = credentials.uid == 0 || credentials.uid == geteuid() ||
	                 (listener->where.has_group && in_group(fd, &check->peer, listener->where.group));
}

static void connection_change(void *cls, struct MHD_Connection *connection, void **context,
                              enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		free(*context);
		*context = NULL;
		return;
	}
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct rest_peer_check *check = calloc(1, sizeof *check);
	if (check && info)
		check_peer(cls, info->connect_fd, check);
	*context = check;
}

static void log_library(void *cls, const char *format, va_list args)
{
	char text[256];
	(void)cls;
	vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\n")] = 0;
	log_limited(LOG_LEVEL_DEBUG, "http-library", "text=%s", text);
}

/* Paths and queries are decoded by url.c; the library must leave them alone. */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls, (void)connection;
	return strlen(text);
}

static struct MHD_Daemon *start_daemon(struct listener *listener, int fd)
{
	struct rest *rest = listener->rest;
	const struct rest_options *options = &rest->options;
	struct MHD_OptionItem items[] = {
		{ MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_library, NULL },
		{ MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_new, rest },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_over, rest },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)connection_change, listener },
		{ MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL },
		{ MHD_OPTION_LISTEN_SOCKET, fd, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, options->connections, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, options->idle_s, NULL },
		{ MHD_OPTION_THREAD_STACK_SIZE, REST_STACK, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
	                        0, NULL, NULL, exchange_step, listener, MHD_OPTION_ARRAY, items,
	                        MHD_OPTION_END);
}

static void listener_free(struct listener *listener)
{
	free(listener->path);
	free(listener);
}

/* Removes the socket file, if it is still the one that we made. */
static void remove_file(const struct listener *listener)
{
	struct stat status;
	if (!lstat(listener->path, &status) && status.st_dev == listener->device &&
	    status.st_ino == listener->inode)
		unlink(listener->path);
}

bool rest_listen_unix(struct rest *rest, const struct rest_unix *where, struct errors *errors)
{
	struct listener *listener = calloc(1, sizeof *listener);
	if (listener)
		*listener = (struct listener){ .rest = rest, .where = *where, .path = strdup(where->path) };
	if (!listener || !listener->path) {
		free(listener);
		return fail(errors, where->path, "out-of-memory", "out of memory");
	}
	int fd = open_socket(listener, errors);
	listener->daemon = fd < 0 ? NULL : start_daemon(listener, fd);
	if (!listener->daemon) {
		if (fd >= 0) {
			fail(errors, where->path, "socket-failed", "the HTTP server does not start");
			remove_file(listener);
			close(fd);
		}
		listener_free(listener);
		return false;
	}
	listener->next = rest->listeners;
	rest->listeners = listener;
	return true;
}

void listeners_close(struct rest *rest)
{
	for (struct listener *listener = rest->listeners; listener; listener = listener->next) {
		remove_file(listener);
		MHD_socket fd = MHD_quiesce_daemon(listener->daemon);
		if (fd != MHD_INVALID_SOCKET)
			close(fd);
	}
}

void listeners_free(struct rest *rest)
{
	while (rest->listeners) {
		struct listener *listener = rest->listeners;
		rest->listeners = listener->next;
		MHD_stop_daemon(listener->daemon);
		listener_free(listener);
	}
}
