/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The ground of a port: an interface of the kernel, in a network namespace, either of which may be deleted and made anew under a port that is open. The
 * port is then closed for its workers, says so, and is opened again when both are there; it keeps its number, its name and its MAC, and no other port is
 * touched. A layer between the engine and the ports of kernel.c: it has the gates that workers pass.
 *
 * The namespace is known by the inode of /run/netns/NAME, the interface by what the kind's `tend` says of it. As long as the port is open its sockets
 * keep a namespace that lost its name alive: hence it is let go of, too. Made and freed with the port; workers read `there` and mark gates, all else
 * is the control side's, under `lock`.
 */
#ifndef SLUICE_PORT_GROUND_H
#define SLUICE_PORT_GROUND_H

#include "port/port.h"

/* Opens the port in the namespace of the options: sets port->ops, port->private, queues and MAC. False with errors, and nothing kept. */
typedef bool ground_open_fn(struct port *port, const struct port_options *options, const char *rest,
                            struct errors *errors);

/* Opens a port by `open`, now and whenever its ground is there again. `rest` is what follows the colon. False with errors; with options->wait the port
 * is made without its ground instead, and has none until it comes. */
bool ground_open(struct port *port, const struct port_options *options, const char *rest,
                 ground_open_fn *open, struct errors *errors);

#endif
