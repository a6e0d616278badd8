/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The sockets behind an af_packet port (af_packet.c), each a queue with both rings: made, or taken over from a predecessor's port
 * (af_packet_queues.c). A queue's rings belong to the worker that polls it and to the one that sends by it; all else to the control side.
 */
#ifndef SLUICE_PORT_AF_PACKET_PRIVATE_H
#define SLUICE_PORT_AF_PACKET_PRIVATE_H

#include <linux/if_packet.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "port/bequest.h"
#include "port/whole.h"

struct ring {
	uint8_t *frames;
	unsigned next, count, size; /* slots, and of each */
};

/*
 * A successor with another number of workers or other slots deals what is received anew, and a flow may change its socket. What had come
 * before is read first, at all queues: HOLD_DUE until it is read here, HOLD_OTHERS until everywhere.
 */
enum hold { HOLD_NOT, HOLD_DUE, HOLD_OTHERS };

struct queue {
	int fd;
	void *map;
	size_t mapped;
	struct ring rx, tx;
	_Atomic bool unsent;     /* frames are in the ring that the socket has not taken */
	_Atomic uint64_t missed; /* what the kernel's count held before it was asked last; asking clears it */
	enum hold hold;
	unsigned due; /* slots that were filled before the shares were dealt anew */
	struct whole whole;
} __rte_cache_aligned;

struct af_packet {
	int interface; /* its index */
	unsigned count;
	unsigned
	        kept; /* sockets: those beyond count were a predecessor's with more workers or other slots, and get nothing more */
	_Atomic unsigned behind; /* queues in HOLD_DUE */
	struct queue queues[];
};

static inline struct tpacket2_hdr *frame_at(const struct ring *ring)
{
	return (struct tpacket2_hdr *)(ring->frames + (size_t)ring->next * ring->size);
}

static inline void advance(struct ring *ring)
{
	ring->next = (ring->next + 1) % ring->count;
}

/* Room for the queues of so many workers, and for so many sockets of a predecessor; NULL: there is no memory. */
struct af_packet *af_packet_new(unsigned count, unsigned inherited);
/*
 * Opens them on the interface; with the sockets of a predecessor, where it left any (count 0: it did not): be they as many or not,
 * what waits in them is kept, in order. `large`: packets may be larger than a buffer. False with errno; af_packet_free() then.
 */
bool af_packet_open(struct af_packet *a, const struct port_bequest *left, bool large);
void af_packet_free(struct af_packet *a);

#endif
