/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The walk along an IPv6 extension chain, bounded in headers and bytes (RFC 8200, 7112). Pure.
 */
#include <netinet/in.h>

#include "packet/parse_private.h"

enum { HEADERS_MAX = 8, CHAIN_MAX = 256, ROUTING_TYPE_0 = 0 };

/* A bit for each kind of header, to see repetitions. */
enum seen { SEEN_HOP = 1, SEEN_ROUTING = 2, SEEN_FRAGMENT = 4, SEEN_OPTIONS = 8, SEEN_OPTIONS_AGAIN = 16 };

/* Kind of a header; 0: not an extension header, the chain ends. AH counts as a transport protocol here, as in
 * IPv4. */
static unsigned kind_of(uint8_t next)
{
	switch (next) {
	case IPPROTO_HOPOPTS:
		return SEEN_HOP;
	case IPPROTO_ROUTING:
		return SEEN_ROUTING;
	case IPPROTO_FRAGMENT:
		return SEEN_FRAGMENT;
	case IPPROTO_DSTOPTS:
		return SEEN_OPTIONS;
	default:
		return 0;
	}
}

static bool order_ok(unsigned kind, unsigned *seen)
{
	if (kind == SEEN_HOP && *seen)
		return false;
	if (kind == SEEN_OPTIONS && *seen & SEEN_OPTIONS)
		kind = SEEN_OPTIONS_AGAIN;
	if (*seen & kind)
		return false;
	*seen |= kind;
	return true;
}

/* RFC 5095: refused while it still would be followed. */
static bool source_routed(unsigned kind, const uint8_t *header)
{
	return kind == SEEN_ROUTING && header[2] == ROUTING_TYPE_0 && header[3] != 0;
}

bool ext6_walk(const uint8_t *frame, uint16_t at, uint16_t room, uint8_t next, struct ext6 *x)
{
	uint16_t start = at, length;
	unsigned seen = 0;

	*x = (struct ext6){ 0 };
	for (unsigned kind, headers = 0; !x->later && (kind = kind_of(next)); headers++) {
		const uint8_t *header = frame + at;

		if (headers == HEADERS_MAX || at + 8 > room || !order_ok(kind, &seen) ||
		    source_routed(kind, header))
			return false;
		length = kind == SEEN_FRAGMENT ? 8 : (header[1] + 1) * 8;
		if (at + length > room || at + length - start > CHAIN_MAX)
			return false;
		if (kind == SEEN_FRAGMENT) {
			x->fragment = at;
			x->later = be16_at(header + 2) & 0xfff8;
		}
		next = header[0];
		at += length;
	}
	x->proto = next;
	x->l4 = at;
	return true;
}
