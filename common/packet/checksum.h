/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Arithmetic of the Internet checksum (RFC 1071, 1624). Values are 16-bit words as they stand on the wire;
 * one's-complement sums do not care for byte order. Pure.
 */
#ifndef SLUICE_PACKET_CHECKSUM_H
#define SLUICE_PACKET_CHECKSUM_H

#include <stdint.h>
#include <string.h>

/* Folds a sum of 16-bit or 32-bit words to 16 bits. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum >> 32) + (uint32_t)sum;
	sum = (sum >> 16) + (sum & 0xffff);
	sum = (sum >> 16) + (sum & 0xffff);
	return (uint16_t)((sum >> 16) + sum);
}

/* What a change from one value to another adds to the sum, to be given to checksum_update(). */
static inline uint16_t checksum_delta16(uint16_t from, uint16_t to)
{
	return checksum_fold((uint64_t)(uint16_t)~from + to);
}

static inline uint16_t checksum_delta32(uint32_t from, uint32_t to)
{
	return checksum_fold((uint64_t)(uint32_t)~from + to);
}

static inline uint16_t checksum_delta128(const uint8_t from[16], const uint8_t to[16])
{
	uint32_t a[4], b[4];
	uint64_t sum = 0;

	memcpy(a, from, sizeof(a));
	memcpy(b, to, sizeof(b));
	for (unsigned i = 0; i < 4; i++)
		sum += (uint64_t)(uint32_t)~a[i] + b[i];
	return checksum_fold(sum);
}

/* Sum of two changes. */
static inline uint16_t checksum_join(uint16_t a, uint16_t b)
{
	return checksum_fold((uint64_t)a + b);
}

/* RFC 1624, equation 3. Of a checksum that a sender computed, gives the very value that computing anew would.
 */
static inline uint16_t checksum_update(uint16_t checksum, uint16_t delta)
{
	uint32_t sum = (uint32_t)(uint16_t)~checksum + delta;

	return (uint16_t) ~((sum >> 16) + sum);
}

/* The same for UDP, where 0 says that there is none and a computed 0 is sent as 0xffff (RFC 768). */
static inline uint16_t checksum_update_udp(uint16_t checksum, uint16_t delta)
{
	uint16_t updated = checksum_update(checksum, delta);

	if (checksum == 0)
		return 0;
	return updated ? updated : 0xffff;
}

#endif
