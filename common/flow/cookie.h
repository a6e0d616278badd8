/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * SYN cookies: the first sequence number of an answer that its sender keeps no memory of (RFC 4987, 3.6). Five bits of time, three that say which
 * segment size the client can take, and 24 of a keyed hash (SipHash-2-4) over addresses, ports, the client's number and the eight others. Pure.
 */
#ifndef SLUICE_FLOW_COOKIE_H
#define SLUICE_FLOW_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "packet/tuple.h"

struct cookie_key {
	uint64_t word[2]; /* random, secret, the process's */
};

enum {
	COOKIE_TICK_SHIFT = 16,
	COOKIE_LIFE_MS = 2 << COOKIE_TICK_SHIFT
}; /* one is believed for 65 to 131 s */

/* The number for an answer to the SYN with number `isn` of this tuple (as the client sends). mss: the client's, 0: it named none. */
uint32_t cookie_make(const struct cookie_key *key, const struct tuple *tuple, uint32_t isn, uint16_t mss,
                     uint32_t now_ms);
/* Whether a client acknowledges a number that cookie_make() gave it not too long ago; *size: what it may be sent, for cookie_mss(): no more than it had
 * said. */
bool cookie_check(const struct cookie_key *key, const struct tuple *tuple, uint32_t isn, uint32_t cookie,
                  uint32_t now_ms, uint8_t *size);
uint16_t cookie_mss(unsigned size);

#endif
