/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TCP reset that answers a segment as a host without that connection would (RFC 9293 3.10.7.1), made in an
 * mbuf of the caller's, on the thread that holds the offending packet.
 */
#ifndef SLUICE_PACKET_RESET_H
#define SLUICE_PACKET_RESET_H

#include "packet/pkt.h"

/* Builds the reset in `reset` (empty) from the offending packet, whose destination it speaks for: frame,
 * addresses and ports swapped, VLAN tags kept. struct pkt is filled by parsing, with PKT_ORIGINATED, in_port
 * and zone of the offending packet, the rest zero. False: none is due (not TCP, a reset itself, a fragment,
 * multicast or broadcast), or the mbuf has too little room; then `reset` is still empty. Neither mbuf changes
 * its owner. */
bool reset_build(struct rte_mbuf *reset, struct rte_mbuf *offending);

#endif
