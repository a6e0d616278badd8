/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMP and ICMPv6 errors about a packet that could not go on (RFC 792, 1122, 1812, 4443), made in an mbuf of
 * the caller's, on the thread that holds the offending packet. Whether the rate allows one is the caller's
 * question (packet/rate.h).
 */
#ifndef SLUICE_PACKET_ICMP_ERROR_H
#define SLUICE_PACKET_ICMP_ERROR_H

#include "packet/pkt.h"

/* Reasons, each of which has its type and code in both families. `value` goes with some. */
enum icmp_reason {
	ICMP_TTL_EXCEEDED,
	ICMP_REASSEMBLY_TIMEOUT,
	ICMP_NO_ROUTE,
	ICMP_HOST_UNREACHABLE,
	ICMP_PROTOCOL_UNREACHABLE, /* value, for IPv6: offset of the next-header field from the IP header */
	ICMP_PORT_UNREACHABLE,
	ICMP_ADMIN_PROHIBITED,
	ICMP_TOO_BIG,           /* value: MTU of the link, bytes */
	ICMP_PARAMETER_PROBLEM, /* value: offset of the field from the IP header */
	ICMP_REASONS
};

/* True if a parsed packet may be answered with an error: not an error or redirect itself, not a later
 * fragment, not to a multicast or broadcast address of either layer, not from an address that names no single
 * host (RFC 1122 3.2.2, 4443 2.4 (e)). */
bool icmp_error_due(struct rte_mbuf *offending);

/* Builds the error in `error` (empty, with headroom as the pool gives it and room in one segment) as it would
 * be answered to the offending packet's sender from `source` (of the packet's family, one of ours). The frame
 * is addressed back, VLAN tags are kept; it quotes as much as makes at most 576 bytes of IPv4, 1280 of IPv6.
 * struct pkt is that of a parsed error with PKT_ORIGINATED; in_port and zone are the offending packet's, the
 * rest is zero. False: none is due, or the mbuf has too little room; then `error` is still empty. Neither
 * mbuf changes its owner; the offending packet is left as it was. */
bool icmp_error_build(struct rte_mbuf *error, struct rte_mbuf *offending, enum icmp_reason reason,
                      uint32_t value, const union ipaddr *source);

#endif
