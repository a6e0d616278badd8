/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragmentation of an IPv4 packet that is larger than the MTU of its link (RFC 791, 1812). On the thread that
 * holds it. IPv6 packets are never fragmented on their way.
 */
#ifndef SLUICE_PACKET_FRAGMENT_H
#define SLUICE_PACKET_FRAGMENT_H

#include "packet/pkt.h"

enum fragment_result {
	FRAGMENT_DONE,
	FRAGMENT_TOO_BIG, /* IPv6, or DF is set: answer with ICMP_TOO_BIG */
	FRAGMENT_NO_MBUF, /* the allocator had none; what had been made is in out[], free it */
	FRAGMENT_FAILED, /* an MTU without room for the header and 8 bytes, or more pieces than out[] has room
	                    for; likewise */
};

/* Gives an empty mbuf, or NULL. */
typedef struct rte_mbuf *(*fragment_alloc)(void *context);

/* Cuts a parsed IPv4 packet into pieces of at most `mtu` bytes of IP each (fewer if the mbufs are smaller).
 * They are copies with the frame's link header, in order; struct pkt of each is the packet's with flags, l4
 * and end made true (session, adjacency and so on are kept); later ones have the ports, but no transport
 * header. The packet itself stays the caller's, unchanged. Offload requests of the mbuf are not carried over:
 * checksums must be complete. out[0..*n) are the caller's in every case. */
enum fragment_result fragment_ip4(struct rte_mbuf *m, uint16_t mtu, fragment_alloc alloc, void *context,
                                  struct rte_mbuf **out, unsigned room, unsigned *n);

#endif
