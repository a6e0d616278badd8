/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making frames whole: what a local sender leaves undone because it believes in offloads. The kernel says beside
 * a frame (struct virtio_net_hdr) that its transport checksum is still to be computed, and into what size of
 * segments it is still to be cut. Belongs to a port's receive queue, and so to one worker.
 */
#ifndef SLUICE_RUNTIME_PORT_WHOLE_H
#define SLUICE_RUNTIME_PORT_WHOLE_H

#include <stdbool.h>
#include <stdint.h>

#include <linux/virtio_net.h>
#include <rte_mbuf.h>

enum { WHOLE_MAX = 65536 + 32, WHOLE_VLAN_ROOM = 4 };

/* A frame that is being cut into segments, one call a segment, so that a burst may end in the middle of it. */
struct whole {
	uint32_t length;                 /* of the frame; 0: nothing is being cut */
	uint32_t at;                     /* offset of the first payload byte that was not given out */
	uint16_t l3, l4;                 /* offsets of the last two headers */
	uint16_t payload;                /* offset of the first payload byte */
	uint16_t size;                   /* payload bytes a segment */
	uint16_t number;                 /* segments given out */
	uint8_t kind;                    /* VIRTIO_NET_HDR_GSO_* */
	uint8_t before[WHOLE_VLAN_ROOM]; /* room for a tag */
	uint8_t frame[WHOLE_MAX];
};

/* Computes the transport checksum of a frame where the header says that it is not there yet. The checksum field
 * holds the sum of the pseudo header (as the kernel leaves it). False: the header points outside the frame. */
bool whole_checksum(uint8_t *frame, uint32_t length, const struct virtio_net_hdr *header);

/* The same where nothing is said of the frame: a TCP or UDP checksum field that holds the sum of the pseudo header, and is no right
 * checksum, is one that the sender left to its device. Anything else stays as it is. */
void whole_partial(uint8_t *frame, uint32_t length);

/* Begins to cut the frame that lies in w->frame (w->length bytes of it), where csum_start points into it. False,
 * and nothing begun: segmentation that is not of TCP or UDP over IPv4 or IPv6, or headers that do not add up. */
bool whole_begin(struct whole *w, const struct virtio_net_hdr *header);

static inline bool whole_busy(const struct whole *w)
{
	return w->length != 0;
}

/* The next segment, complete with all checksums, in an empty mbuf; the last one ends it. False: it does not fit
 * into the mbuf, and the whole frame is given up. */
bool whole_next(struct whole *w, struct rte_mbuf *m);

#endif
