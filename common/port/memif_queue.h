/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One ring of a memif, from our end of it. Packets are copied: into buffers of the client's on one side, out of them on the
 * other. A queue belongs to one worker while a peer is there, and to the port's thread otherwise.
 *
 * The peer is another process, which may be wrong or die at any moment. Everything in the shared memory that it may
 * write is read once and checked; what it broke does nothing more until there is a new peer.
 */
#ifndef SLUICE_PORT_MEMIF_QUEUE_H
#define SLUICE_PORT_MEMIF_QUEUE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "port/memif_wire.h"
#include "port/port.h"

enum { MEMIF_REGIONS_MAX = 16 };

struct memif_region {
	uint8_t *base; /* as mapped here */
	uint64_t size;
	int fd;
};

struct memif_queue {
	struct memif_ring *ring; /* shared; NULL: none */
	const struct memif_region *regions;
	uint16_t region_count;
	uint16_t size;        /* a power of two */
	uint16_t next;        /* the slot to be read or written next, as a running number */
	uint16_t given;       /* client, reading: what was last written to head */
	bool server;          /* which end we are */
	bool broken;          /* the peer wrote what it must not */
	uint32_t buffers;     /* client: where its buffers begin in region 0 */
	uint32_t buffer_size; /* client */
	int event;            /* wakes whoever reads this ring; -1: none */
	_Atomic bool kick;    /* the reader sleeps: the port's thread has to wake it */
} __rte_cache_aligned;

/* Takes at most n packets, each into one mbuf of the port's pool. */
uint16_t memif_receive(struct memif_queue *q, struct port *port, struct rte_mbuf **m, uint16_t n);

/* Copies at most n packets of any number of segments into the ring; answers how many, their mbufs stay the caller's.
 * One that no ring could hold is counted and passed over. Sets q->kick where the peer wants to be woken. */
uint16_t memif_send(struct memif_queue *q, struct port *port, struct rte_mbuf **m, uint16_t n);

/* Whether the peer has read all that was sent. Control side. */
bool memif_all_taken(const struct memif_queue *q);

/* Client: all buffers of a ring that we read are the server's. */
void memif_offer(struct memif_queue *q);

#endif
