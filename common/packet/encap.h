/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tunnels without state: a parsed packet is put into IPIP (RFC 2003, 2473, 4213), GRE (RFC 2784, 7676) or GUE (the header of
 * draft-ietf-intarea-gue, version 0, as Linux's fou and katran know it), in any pair of families. In place, in the headroom of the mbuf, on the thread
 * that holds it; struct pkt becomes that of the outer packet.
 */
#ifndef SLUICE_PACKET_ENCAP_H
#define SLUICE_PACKET_ENCAP_H

#include "packet/pkt.h"

enum encap_kind { ENCAP_IPIP, ENCAP_GRE, ENCAP_GUE };

enum {
	ENCAP_TTL = 64,
	ENCAP_GUE_PORT = 6080, /* IANA: gue */
};

/* A tunnel; plain values in network order, which whoever configures it owns. */
struct encap {
	union ipaddr source, destination;
	uint8_t family;    /* of the two: FAMILY_V4, FAMILY_V6 */
	uint8_t kind;      /* enum encap_kind */
	uint16_t port;     /* GUE: destination port */
	bool may_fragment; /* IPv4: the outer packet may be fragmented on its way whatever the inner one says; else its DF is the inner one's,
	                      and set for IPv6 (RFC 2003, 3.1; 4213, 3.2) */
};

/* Bytes of IP that a tunnel adds to a packet. */
uint16_t encap_overhead(const struct encap *tunnel);

/* Puts a packet into a tunnel. The inner hop count is decremented once (left alone where it is 1: whoever forwards has answered those), the outer one
 * begins at 64; DSCP and ECN are copied (RFC 6040, normal mode); the source port of GUE, 49152 to 65535, and the IPv6 flow label are made of
 * `hash`, which all packets of a flow share. The frame's link header stays in front, with its ethertype made true. Of struct
 * pkt flags, offsets, protocol, ports and what is known of ICMP become the outer packet's (PKT_TRACE, PKT_VLAN, PKT_ORIGINATED and all that the engine
 * set stay). An inner fragment is a packet like another. False: there is no room in front of the packet, or the outer one would exceed 65535 bytes; nothing is
 * changed. */
bool encap_push(struct rte_mbuf *m, const struct encap *tunnel, uint32_t hash);

#endif
