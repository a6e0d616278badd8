/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a vhost-user front end (the driver's side) tells its back end over their socket, by the Vhost-user Protocol of
 * QEMU's documentation: features, the memory that packets lie in, and where the queues are. Blocking with a limit on
 * each message; no state but the socket. Control side.
 */
#ifndef SLUICE_RUNTIME_VHOST_FRONT_H
#define SLUICE_RUNTIME_VHOST_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include "port/virtq.h"

/* A back end that does not answer within this time is given up. */
enum { VHOST_ANSWER_MS = 1000 };

struct vhost_front {
	int fd;
	uint64_t features;  /* of the back end */
	uint64_t protocol;  /* protocol features in use */
	const char *reason; /* why the last call failed */
};

/* Introduces a new back end, on the socket `fd`, to so many queue pairs (rx[i] is virtqueue 2i, tx[i] 2i + 1), which
 * are freshly reset, or as the one before left them: it goes on from there. The caller holds EAL's memory lock for reading. Answers how many pairs it takes; 0: failed, see
 * `reason`. */
unsigned vhost_front_start(struct vhost_front *front, int fd, struct virtq *rx, struct virtq *tx,
                           unsigned pairs);

/* Closes the queues of so many pairs that the back end fills, not those that it empties: we are about to leave, and it is to keep what it has for us. It
 * fills none any more when this returns true. */
bool vhost_front_pause(struct vhost_front *front, unsigned pairs);

/* Stops the queues of so many pairs: the back end touches neither them nor the packets in them any more when this returns true. */
bool vhost_front_stop(struct vhost_front *front, unsigned pairs);

/* Tells which memory there is, again; the back end has taken note when this returns true. The caller holds EAL's memory lock. */
bool vhost_front_memory(struct vhost_front *front);

#endif
