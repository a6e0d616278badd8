/* SPDX-License-Identifier: BSD-3-Clause */
/* See cookie.h. */
#include "flow/cookie.h"

#include <string.h>

enum { TICK_BITS = 5, MSS_BITS = 3, HASH_BITS = 24, WORDS_MAX = 6 };

/* The largest that a client's is not below is taken; 536 is the default of who says nothing (RFC 9293, 3.7.1). */
static const uint16_t sizes[1 << MSS_BITS] = { 64, 536, 1220, 1300, 1400, 1440, 1460, 8940 };
enum { DEFAULT_MSS = 536 };

static uint64_t rotate(uint64_t x, unsigned by)
{
	return x << by | x >> (64 - by);
}

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[0] = rotate(v[0], 32);
	v[2] += v[3];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[2] = rotate(v[2], 32);
}

/* SipHash-2-4 (Aumasson, Bernstein 2012) of whole words. */
static uint64_t siphash(const struct cookie_key *key, const uint64_t *words, unsigned n)
{
	uint64_t v[4] = { key->word[0] ^ 0x736f6d6570736575, key->word[1] ^ 0x646f72616e646f6d,
		          key->word[0] ^ 0x6c7967656e657261, key->word[1] ^ 0x7465646279746573 };

	for (unsigned i = 0; i <= n; i++) {
		uint64_t word = i < n ? words[i] : (uint64_t)(8 * n) << 56;

		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
	}
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static uint32_t bits(uint32_t value, unsigned count)
{
	return value & ((1U << count) - 1);
}

static uint32_t make(const struct cookie_key *key, const struct tuple *t, uint32_t isn, unsigned size,
                     uint32_t tick)
{
	uint64_t words[WORDS_MAX] = {
		t->src.halves[0],
		t->src.halves[1],
		t->dst.halves[0],
		t->dst.halves[1],
		(uint64_t)isn << 32 | (uint32_t)t->sport << 16 | t->dport,
		(uint64_t)tick << 32 | size,
	};
	uint32_t hash = (uint32_t)siphash(key, words, WORDS_MAX);

	return bits(tick, TICK_BITS) << (MSS_BITS + HASH_BITS) | size << HASH_BITS | bits(hash, HASH_BITS);
}

uint32_t cookie_make(const struct cookie_key *key, const struct tuple *tuple, uint32_t isn, uint16_t mss,
                     uint32_t now_ms)
{
	unsigned size = (1 << MSS_BITS) - 1;

	if (!mss)
		mss = DEFAULT_MSS;
	while (size > 0 && sizes[size] > mss)
		size--;
	return make(key, tuple, isn, size, now_ms >> COOKIE_TICK_SHIFT);
}

bool cookie_check(const struct cookie_key *key, const struct tuple *tuple, uint32_t isn, uint32_t cookie,
                  uint32_t now_ms, uint8_t *size)
{
	uint32_t now = now_ms >> COOKIE_TICK_SHIFT;
	uint32_t age = bits(now - (cookie >> (MSS_BITS + HASH_BITS)), TICK_BITS);

	*size = (uint8_t)bits(cookie >> HASH_BITS, MSS_BITS);
	return age <= 1 &&
	       make(key, tuple, isn, *size, (now - age) & (UINT32_MAX >> COOKIE_TICK_SHIFT)) == cookie;
}

uint16_t cookie_mss(unsigned size)
{
	return sizes[size];
}
