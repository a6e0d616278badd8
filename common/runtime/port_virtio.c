/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-user, the function's side of a hop: a server that takes a new peer when the old one is gone, because its
 * device tells changes of the link by interrupt. Opening waits for the first peer, and DPDK probes one device at a
 * time. Control side.
 */
#include <stdio.h>

#include "runtime/port.h"
#include "runtime/port_socket.h"

bool port_open_virtio(struct port *port, const struct port_options *options, const char *rest,
                      struct errors *errors)
{
	unsigned queues = port_option(rest, "queues", 1);
	char path[SOCKET_PATH_MAX], device[PORT_NAME_MAX], arguments[256];

	if (!socket_path(options, rest, path, errors))
		return false;
	if (!socket_clear(options, path, errors))
		return false;
	snprintf(device, sizeof(device), "net_virtio_user%u", options->number);
	snprintf(arguments, sizeof(arguments), "path=%s,server=1,queues=%u,queue_size=1024", path, queues);
	return port_ethdev(port, options, device, arguments, (uint16_t)queues, errors);
}
