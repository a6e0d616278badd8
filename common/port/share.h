/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets of one interface that share what it receives: the kernel gives each frame to the one whose worker owns its address pair (tuple_pair_bucket()).
 * Where functions name other owners, packets are still spread and one flow comes by one socket. Control side.
 */
#ifndef SLUICE_PORT_SHARE_H
#define SLUICE_PORT_SHARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* From now on the socket takes the share of queue `queue` of `queues`: IPv4 and IPv6 by their addresses; anything else, and what is too short, queue 0. False with errno. */
bool share_take(int socket, unsigned queue, unsigned queues);
/* The same of what was that queue's when there were `former` queues, too. */
bool share_take_both(int socket, unsigned queue, unsigned queues, unsigned former);
/* The bucket of a frame, of which queue `bucket % queues` takes it. */
unsigned share_bucket(const uint8_t *frame, size_t length);

#endif
