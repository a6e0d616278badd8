/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A split virtqueue, the driver's side (Virtual I/O Device 1.1, section 2.6): buffers are mbufs, one descriptor each,
 * with the 12 bytes of header that VIRTIO_F_VERSION_1 has in the mbuf's headroom. No offload is negotiated, so the header is zero.
 *
 * One thread at a time uses a queue. The peer is another process, which may be wrong or die at any moment: what it
 * writes is checked, and a queue that it broke does nothing more until it is reset.
 */
#ifndef SLUICE_RUNTIME_VIRTQ_H
#define SLUICE_RUNTIME_VIRTQ_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_ring.h>
#include <rte_mbuf.h>

#include "util/errors.h"

enum { VIRTQ_HEADER = 12, VIRTQ_ALIGN = 4096 };

struct virtq {
	struct vring_desc *desc; /* what the peer sees; in memory that it is given */
	struct vring_avail *avail;
	struct vring_used *used;
	uint16_t size;      /* a power of two */
	uint16_t available; /* avail->idx to come */
	uint16_t seen;      /* used->idx as taken */
	uint16_t free_count;
	bool broken;            /* the peer wrote what it must not */
	int kick;               /* event of the peer's; -1: none */
	uint16_t *free;         /* descriptors that are nowhere, a stack */
	struct rte_mbuf **mbuf; /* by descriptor; NULL: free */
};

/* Gets memory for a queue of so many descriptors; false: there is none. Control side. */
bool virtq_make(struct virtq *q, uint16_t size);
/* Frees it and the mbufs in it. The peer must not have it any more. */
void virtq_free(struct virtq *q);
/* Takes all mbufs back and starts from nothing; for a new peer. */
void virtq_reset(struct virtq *q);
/* The running number of the buffer that a peer begins with: that of the last one, as far as it came. */
static inline uint16_t virtq_base(const struct virtq *q)
{
	return __atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE);
}
/* Whether the peer has given back all that was given to it. Any thread. */
bool virtq_all_used(const struct virtq *q);
/* Whether all that it has given back was taken. Any thread. */
bool virtq_all_taken(const struct virtq *q);
/* Gives empty mbufs of the pool to the peer, as many as fit; what the pool has not is given by a later call. */
void virtq_fill(struct virtq *q, struct rte_mempool *pool);
/* Takes at most n packets that the peer has written, and fills up. */
uint16_t virtq_receive(struct virtq *q, struct rte_mempool *pool, struct rte_mbuf **m, uint16_t n);
/* Gives at most n packets to the peer and frees those that it has read; answers how many were taken, the others are
 * the caller's: there is no room, or one has several segments or no headroom for the header. */
uint16_t virtq_send(struct virtq *q, struct rte_mbuf **m, uint16_t n);

#endif
