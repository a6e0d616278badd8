/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames for the tests of the parser, in buffers of exactly their size, so that a sanitizer sees a read beyond them. Each is parsed alone and as a
 * burst of one, which must agree.
 */
#ifndef SLUICE_TESTS_UNIT_PACKET_HELPER_PARSE_H
#define SLUICE_TESTS_UNIT_PACKET_HELPER_PARSE_H

#include "support/packets.h"

/* One byte of a frame that is changed. */
struct patch {
	uint16_t at;
	uint8_t value;
};

/* The bytes of a packet, cut to `keep` (0: all), parsed; `verify`: PARSE_VERIFY_IP_CHECKSUM or 0. */
enum pkt_malformed parse_bytes(const struct rte_mbuf *from, uint32_t keep, unsigned verify,
                               struct pkt *found);
/* A frame with `n` bytes changed and cut; with one changed; unchanged. What the parser says of it. */
enum pkt_malformed parse_patched(const struct packet_spec *spec, const struct patch *patches, unsigned n,
                                 uint32_t keep);
enum pkt_malformed patched(const struct packet_spec *spec, uint16_t at, uint8_t value);
enum pkt_malformed kind_of(const struct packet_spec *spec);
/* What it finds in a frame that must be good. */
struct pkt parsed(const struct packet_spec *spec);

/* The ICMP error about `inner`, quoting `quote` bytes of it (0: all). The caller frees it. */
struct rte_mbuf *error_about(const struct packet_spec *inner, uint8_t type, uint16_t quote);

#endif
