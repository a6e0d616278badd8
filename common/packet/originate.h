/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the builders of answers (ICMP errors, resets) share: room, link header and IP header turned round, and
 * the final parse. Private to common/packet; on the thread that holds the packets.
 */
#ifndef SLUICE_PACKET_ORIGINATE_H
#define SLUICE_PACKET_ORIGINATE_H

#include "packet/pkt.h"

/* Hop count that packets of our own begin with. */
enum { ORIGINATE_TTL = 64 };

/* Makes room in the empty `answer` for a frame whose IP packet has `ip_length` bytes, and copies the
 * offending frame's link header with the MAC addresses swapped. Returns where the IP header goes, NULL: no
 * room; answer is unchanged. */
uint8_t *originate_begin(struct rte_mbuf *answer, struct rte_mbuf *offending, uint16_t ip_length);

/* IP headers from `src` to `dst` for `ip_length` bytes in all, TTL 64, DF for IPv4 (so that its
 * identification has no meaning, RFC 6864); checksums come with originate_end(). Return what follows the
 * header. */
uint8_t *originate_ip4(uint8_t *at, uint16_t ip_length, uint8_t proto, uint8_t tos, uint32_t src,
                       uint32_t dst);
uint8_t *originate_ip6(uint8_t *at, uint16_t ip_length, uint8_t proto, const uint8_t src[16],
                       const uint8_t dst[16]);

/* Parses the finished frame into struct pkt, computes the checksums, marks it. False: the parser refuses it;
 * answer is empty again. */
bool originate_end(struct rte_mbuf *answer, struct rte_mbuf *offending);

/* Neither of the frame nor of the IP packet are the destinations groups, and the source names one host. */
bool originate_answerable(struct rte_mbuf *offending);

#endif
