/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The network namespace of health checks: one TUN device, and everything is routed into it. The thread that opens it is in it for the rest of
 * its life; the namespace ends with the thread and the descriptors. Addresses may be set by any thread.
 */
#ifndef SLUICE_VNF_LB_SPACE_H
#define SLUICE_VNF_LB_SPACE_H

#include "util/errors.h"
#include "util/net.h"

struct space {
	int tun;            /* reads and writes IP packets; does not block */
	int control[2];     /* sockets for its ioctls: IPv4, IPv6 */
	unsigned interface; /* index */
};

/* Takes the calling thread into a new namespace. False with an error added that says what it takes. */
bool space_open(struct space *s, struct errors *errors);
/* The address of a family (family 0: none) instead of `old`; errno is told as an error. */
bool space_address(const struct space *s, const struct ip_addr *old, const struct ip_addr *address,
                   struct errors *errors);
void space_close(struct space *s);

#endif
