/* SPDX-License-Identifier: BSD-3-Clause */
/* What the two parts of a memif's conversation share. The port's thread. */
#ifndef SLUICE_PORT_MEMIF_PRIVATE_H
#define SLUICE_PORT_MEMIF_PRIVATE_H

#include "port/memif_talk.h"

/* Says why the peer is given up; false. */
bool memif_fail(struct memif_peer *p, const char *reason);
/* Sends a message, with a descriptor or none (-1). */
bool memif_tell(struct memif_peer *p, struct memif_message *message, int fd);
/* The next message and its descriptor (-1: none), which becomes the caller's. */
bool memif_listen(struct memif_peer *p, struct memif_message *message, int *fd);
/* From now on the conversation takes no longer than MEMIF_TALK_MS. */
void memif_begin(struct memif_peer *p);

/* Maps so many bytes of a file as the next region, which has a descriptor of its own. */
bool memif_map(struct memif_peer *p, uint64_t size, int fd);
/* The next queue that was told of, with a descriptor of its own for its event; NULL: it is not to be believed. */
struct memif_queue *memif_add_queue(struct memif_peer *p, const struct memif_add_ring *ring, int event);
/* Client: how many bytes a ring has; and where the buffers of the queue begin that is the number-th of `all`, those that we write first. */
uint32_t memif_ring_bytes(unsigned log2_size);
uint64_t memif_buffers_at(const struct memif_queue *q, unsigned number, unsigned all);

#endif
