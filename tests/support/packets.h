/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets for tests, without EAL: mbufs from the heap (private area PKT_PRIVATE_SIZE, headroom 128, data room
 * 2048 or what the packet needs), frames built from a description, checksums checked by plain code that
 * shares nothing with what is tested. One thread. Such an mbuf has no pool: free it with packet_free() and
 * never with rte_pktmbuf_free().
 */
#ifndef SLUICE_TESTS_PACKETS_H
#define SLUICE_TESTS_PACKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "packet/pkt.h"

/* A frame by its fields, all in host order; what is left 0 gets the value in brackets. */
struct packet_spec {
	const char *src, *dst;      /* text [10.0.0.1 to 10.0.0.2]; a colon in src makes it IPv6 */
	const uint8_t *smac, *dmac; /* [02:00:00:00:00:01 to 02:00:00:00:00:02] */
	uint16_t vlan[2];           /* tags, outer first [none] */
	uint8_t proto;              /* [UDP] */
	uint8_t ttl, tos;           /* [64], 0 */
	uint16_t sport, dport;      /* [1000 to 2000] */
	uint8_t tcp_flags;          /* [ACK] */
	uint32_t seq, ack;          /* TCP */
	uint16_t window;            /* [65535] */
	uint8_t icmp_type, icmp_code;
	uint16_t icmp_id, icmp_seq; /* the second word of ICMP and ICMPv6 messages, whatever their type */
	bool no_checksum;           /* UDP: send 0 */
	bool df, more;              /* more: fragment with others behind it */
	bool atomic;                /* IPv6: a fragment header although it is no fragment */
	uint16_t offset;            /* of a later fragment, bytes: no transport header, the payload alone */
	uint32_t id;                /* identification */
	const uint8_t *options;  /* IPv4 options (a multiple of 4 bytes), or raw IPv6 extension headers, whose
	                            last one */
	uint16_t options_length; /* names the protocol (or 44, if a fragment header is to follow) itself */
	uint8_t options_first;   /* type of the first of these extension headers */
	const void *payload;     /* [bytes counting up] */
	uint16_t length;         /* of the payload */
	uint16_t pad;            /* Ethernet padding behind the IP packet */
};

/* An empty mbuf with a cleared struct pkt. */
struct rte_mbuf *packet_new(void);
struct rte_mbuf *packet_new_room(uint16_t room);
void packet_free(struct rte_mbuf *m);
/* Mbufs (segments) that were made and not freed: 0 at the end of a test that leaks none. */
unsigned packet_live(void);

/* A frame with right checksums (of a fragment, the transport checksum covers what is in it). Not parsed yet.
 */
struct rte_mbuf *packet_build(const struct packet_spec *spec);
/* The same, parsed; fails the program if the parser refuses it. */
struct rte_mbuf *packet_parsed(const struct packet_spec *spec);
/* A frame from bytes, in a buffer of exactly that size, so that a sanitizer sees every step beyond it. */
struct rte_mbuf *packet_tight(const void *bytes, size_t length);
/* A copy in one segment, struct pkt included. */
struct rte_mbuf *packet_clone(const struct rte_mbuf *m);
/* Cuts the last segment of a frame in two, at an offset into it. */
void packet_split(struct rte_mbuf *m, uint16_t at);

/* Plain one's-complement sum over bytes, folded, in host order. */
uint16_t packet_sum(const uint8_t *bytes, size_t length, uint32_t start);
/* True if IPv4 header and transport checksum (of whole packets, ICMP included) of a frame are right;
 * otherwise says on stderr which is not. One segment. */
bool packet_checksums_right(const struct rte_mbuf *m);
/* True if two frames are the same bytes; otherwise prints both as hex. */
bool packet_same(const struct rte_mbuf *a, const struct rte_mbuf *b);
void packet_dump(const char *title, const struct rte_mbuf *m);

#endif
