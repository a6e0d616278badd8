/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user and virtio-user: the default link between a service process and its hops. The service is the vhost side and a client, which
 * connects again by itself; the function is the virtio side and the server, which takes a new peer because its link state is
 * looked at. So either may die and come back. Control side.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "runtime/port.h"

static bool socket_path(const struct port_options *options, const char *rest, char *path, size_t size,
                        struct errors *errors)
{
	struct sockaddr_un address;

	port_path(rest, path, size);
	if (path[0] == '/' && strlen(path) < sizeof(address.sun_path))
		return true;
	port_error(errors, options, "bad-path",
	           "the socket's path must be absolute and shorter than %zu bytes", sizeof(address.sun_path));
	return false;
}

/* Whether somebody holds a socket bound at that path. Asked with a socket of the wrong type, which the kernel refuses
 * (EPROTOTYPE) before the owner hears of it: a server that waits for its one peer must not take us for it. */
static bool somebody_there(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool there;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	there = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 || errno == EPROTOTYPE;
	close(fd);
	return there;
}

/* The place for a socket to be bound at: free, or left by a dead process, whose file is removed. */
static bool clear_place(const struct port_options *options, const char *path, struct errors *errors)
{
	struct stat file;

	if (lstat(path, &file) < 0)
		return true;
	if (!S_ISSOCK(file.st_mode)) {
		port_error(errors, options, "not-a-socket",
		           "a file that is no socket lies there: remove it, or use another path");
		return false;
	}
	if (somebody_there(path)) {
		port_error(errors, options, "socket-taken",
		           "another process listens there: stop it, or use another path");
		return false;
	}
	unlink(path);
	return true;
}

bool port_open_vhost(struct port *port, const struct port_options *options, const char *rest,
                     struct errors *errors)
{
	unsigned queues = port_option(rest, "queues", options->queues);
	char path[128], device[PORT_NAME_MAX], arguments[256];

	if (!socket_path(options, rest, path, sizeof(path), errors))
		return false;
	snprintf(device, sizeof(device), "net_vhost%u", options->number);
	snprintf(arguments, sizeof(arguments), "iface=%s,queues=%u,client=1,tso=0", path, queues);
	return port_ethdev(port, options, device, arguments, (uint16_t)queues, errors);
}

bool port_open_virtio(struct port *port, const struct port_options *options, const char *rest,
                      struct errors *errors)
{
	unsigned queues = port_option(rest, "queues", options->queues);
	char path[128], device[PORT_NAME_MAX], arguments[256];

	if (!socket_path(options, rest, path, sizeof(path), errors))
		return false;
	if (!clear_place(options, path, errors))
		return false;
	snprintf(device, sizeof(device), "net_virtio_user%u", options->number);
	snprintf(arguments, sizeof(arguments), "path=%s,server=1,queues=%u,queue_size=1024", path, queues);
	return port_ethdev(port, options, device, arguments, (uint16_t)queues, errors);
}
