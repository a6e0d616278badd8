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

/* The places in a bequest: the size of slots; a pair for each socket; how many of these have shares, 0: all. */
enum { BEQUEST_SLOT = 0, BEQUEST_PLACES = 1, BEQUEST_SHARES = BEQUEST_VALUES - 1 };

struct ring {
	uint8_t *frames;
	unsigned next, count, size; /* slots, and of each */
};

/*
 * A successor with another number of workers or other slots deals what is received anew, and a flow may change its socket. What had come
 * before is read first, at all queues: HOLD_DUE until it is read here, HOLD_OTHERS until everywhere. While it is dealt, frames that change their socket come to
 * both: up to a moment the former one's counts, and from there on the other's.
 */
enum { HOLD_NOT, HOLD_DUE, HOLD_OTHERS };

struct queue {
	int fd;
	void *map;
	size_t mapped;
	struct ring rx, tx;
	_Atomic bool unsent;     /* frames are in the ring that the socket has not taken */
	_Atomic uint64_t missed; /* what the kernel's count held before it was asked last; asking clears it */
	_Atomic int hold;        /* written by its worker */
	unsigned due; /* slots that were filled before the new shares counted, and are not read yet */
	unsigned
	        mixed; /* those that may hold what another socket has, too; of these, so many have been read: */
	unsigned read;
	unsigned former; /* as many of them are this socket's by the former shares */
	unsigned from;   /* and from there on by the others */
	struct whole whole;
} __rte_cache_aligned;

struct af_packet {
	int interface; /* its index */
	unsigned count;
	unsigned
	        kept; /* sockets: those beyond count were a predecessor's with more workers or other slots, and get nothing more; until they are read */
	bool bequeathed;            /* a successor waits */
	unsigned former_at, former; /* where a predecessor's sockets stand, and how many shares there were */
	_Atomic unsigned behind;    /* queues in HOLD_DUE */
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

/* Whether packets of a pool may be larger than a slot of the usual size. */
bool af_packet_large(struct rte_mempool *pool);
/*
 * Sockets that get nothing yet, for a port that is to be opened in a moment: the kernel takes some 50 ms to make the rings of one, and as long to close it.
 * False with errno: none.
 */
bool af_packet_prepare(unsigned count, const char *interface, bool large, struct port_bequest *prepared);
/* Closes sockets, and waits for none of them. */
void af_packet_put_away(const int *fds, unsigned count);
/* Room for the queues of so many workers, and for so many sockets of a predecessor; NULL: there is no memory. */
struct af_packet *af_packet_new(unsigned count, unsigned inherited);
/*
 * Opens them on the interface; with the sockets of a predecessor, where it left any (count 0: it did not): be they as many or not,
 * what waits in them is kept, in order. `prepared`: sockets for those that are lacking, ours from here on. `large`: packets may be larger than a
 * buffer. False with errno; af_packet_free() then.
 */
bool af_packet_open(struct af_packet *a, const struct port_bequest *left, struct port_bequest *prepared,
                    bool large);
/* The frames that are in the ring go out, as far as the socket takes them. False: the interface is down or away, and the ring is empty:
 * what was left in it would come out when it is up again, however late that is. The worker that polls it; of a queue that none polls any more, the one that tends the port. */
bool af_packet_kick(struct queue *q);
/* How many frames its socket has missed. Not a worker's. */
uint64_t af_packet_missed_by(struct queue *q);
/* Closes the sockets that get nothing more, if they were read to their end and the kernel has taken what was to be sent by them; what they missed is the first queue's. The one that tends the port. */
void af_packet_retire(struct af_packet *a);
void af_packet_free(struct af_packet *a);

#endif
