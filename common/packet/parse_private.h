/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parser's files share: a cursor over one frame. Lives on the stack of pkt_parse(); private to
 * common/packet.
 */
#ifndef SLUICE_PACKET_PARSE_PRIVATE_H
#define SLUICE_PACKET_PARSE_PRIVATE_H

#include "packet/pkt.h"

struct parse {
	const uint8_t *frame;
	struct pkt *p;
	uint32_t length; /* of the whole frame */
	uint16_t have;   /* bytes of it in the first segment: nothing behind is read */
};

static inline uint16_t be16_at(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* A field as it stands on the wire: network order. */
static inline uint16_t raw16_at(const uint8_t *at)
{
	uint16_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

/* Offset up to which headers may be read: the end of the IP packet or of the first segment. */
static inline uint16_t parse_room(const struct parse *c)
{
	return RTE_MIN(c->have, c->p->end);
}

/* 1 for each TCP flag byte (its low six bits) that no host sends: two of SYN, FIN, RST, or none of SYN, RST,
 * ACK. */
#define TCP_FLAGS_REFUSED UINT64_C(0xe8e8ebebe8e8ebeb)

static inline bool tcp_flags_refused(uint8_t flags)
{
	return TCP_FLAGS_REFUSED >> (flags & 63) & 1;
}

/* Each is called with p->l3 set (and what comes before it done). */
enum pkt_malformed parse_ip4(struct parse *c, unsigned verify);
enum pkt_malformed parse_ip6(struct parse *c);
/* Transport header at p->l4, of a whole packet or a first fragment. */
enum pkt_malformed parse_transport(struct parse *c);
enum pkt_malformed parse_sctp(struct parse *c);
enum pkt_malformed parse_icmp(struct parse *c);
enum pkt_malformed parse_icmp6(struct parse *c);

/* An IPv6 extension chain. */
struct ext6 {
	uint8_t proto; /* what follows it: a transport protocol, or of a later fragment the fragment header's
	                  next header */
	uint16_t l4;   /* offset of that */
	uint16_t fragment; /* offset of the fragment header, 0: none */
	bool later;        /* a later fragment: the walk ended behind the fragment header */
};

/* Walks a chain from offset `at`, where a header of type `next` begins, and reads nothing at or beyond
 * `room`. False: refused, see PKT_BAD_EXTENSION. */
bool ext6_walk(const uint8_t *frame, uint16_t at, uint16_t room, uint8_t next, struct ext6 *x);

#endif
