/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The identity of a packet: five-tuple and zone. Values only; addresses and ports in network order.
 */
#ifndef SLUICE_PACKET_TUPLE_H
#define SLUICE_PACKET_TUPLE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { FAMILY_V4 = 4, FAMILY_V6 = 6 };

/* An address of either family; IPv4 lies in v4, the other 12 bytes are zero. Network order. */
union ipaddr {
	uint32_t v4;
	uint8_t bytes[16];
	uint32_t words[4];
	uint64_t halves[2];
};

/* ICMP queries carry their identifier in both ports; protocols without ports, and fragments that never saw
 * their first one, have 0 in both. */
struct tuple {
	union ipaddr src, dst;
	uint16_t sport, dport;
	/* Address realm of the key: VRF, tunnel, the far side of a NAT, the segment behind a hop. */
	uint8_t zone;
	uint8_t proto; /* IANA number of the transport protocol */
	/* The outer VLAN where a process keeps VLANs apart (transparent services), else 0. */
	uint16_t vlan : 12, family : 4;
};
static_assert(sizeof(struct tuple) == 40, "no padding: tuples are compared as bytes");

/* Where the part behind the addresses begins: one word, in struct pkt and in a session's key as well. It is copied as such, for a word whose parts
 * have just been written one by one is waited for when it is read. */
#define TUPLE_REST 32
static_assert(offsetof(struct tuple, sport) == TUPLE_REST &&
                      offsetof(struct tuple, dport) == TUPLE_REST + 2 &&
                      offsetof(struct tuple, zone) == TUPLE_REST + 4 &&
                      offsetof(struct tuple, proto) == TUPLE_REST + 5 &&
                      __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
              "the rest is one word, the family its highest bits");

static inline uint64_t tuple_rest(const struct tuple *t)
{
	uint64_t rest;

	memcpy(&rest, (const uint8_t *)t + TUPLE_REST, sizeof(rest));
	return rest;
}

static inline struct tuple tuple_reverse(const struct tuple *t)
{
	struct tuple r = *t;

	r.src = t->dst;
	r.dst = t->src;
	r.sport = t->dport;
	r.dport = t->sport;
	return r;
}

/* One of 256 buckets, the same for both directions of a flow, and for its ICMP errors and fragments: addresses only, in no order. All words of both addresses together, as
 * numbers, by a factor that spreads neighbours. Filters of sockets compute it as well (port/share.c). */
#define PAIR_FACTOR UINT32_C(2654435761)
#define PAIR_SHIFT  24

static inline unsigned tuple_pair_bucket(const struct tuple *t)
{
	uint64_t halves = t->src.halves[0] ^ t->src.halves[1] ^ t->dst.halves[0] ^ t->dst.halves[1];

	return __builtin_bswap32((uint32_t)halves ^ (uint32_t)(halves >> 32)) * PAIR_FACTOR >> PAIR_SHIFT;
}

static inline bool tuple_equal(const struct tuple *a, const struct tuple *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

static inline union ipaddr ip_v4(uint32_t address)
{
	union ipaddr ip = { .words = { address, 0, 0, 0 } };

	return ip;
}

#endif
