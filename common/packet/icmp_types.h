/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Types of ICMP (RFC 792, 950) and ICMPv6 (RFC 4443, 4861) messages, and what kind each is. Values only.
 */
#ifndef SLUICE_PACKET_ICMP_TYPES_H
#define SLUICE_PACKET_ICMP_TYPES_H

#include <stdbool.h>
#include <stdint.h>

/* Every message has at least this much: type, code, checksum, and four bytes that depend on the type. */
enum { ICMP_HEADER = 8 };

enum icmp4_type {
	ICMP4_ECHO_REPLY = 0,
	ICMP4_UNREACHABLE = 3,
	ICMP4_SOURCE_QUENCH = 4,
	ICMP4_REDIRECT = 5,
	ICMP4_ECHO = 8,
	ICMP4_TIME_EXCEEDED = 11,
	ICMP4_PARAMETER_PROBLEM = 12,
	ICMP4_TIMESTAMP = 13,
	ICMP4_MASK_REPLY = 18,
};

enum icmp6_type {
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_PARAMETER_PROBLEM = 4,
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_ROUTER_SOLICIT = 133,
	ICMP6_ROUTER_ADVERT = 134,
	ICMP6_NEIGHBOUR_SOLICIT = 135,
	ICMP6_NEIGHBOUR_ADVERT = 136,
	ICMP6_REDIRECT = 137,
};

/* Messages that quote the packet they are about. */
static inline bool icmp4_is_error(uint8_t type)
{
	const uint32_t types = 1 << ICMP4_UNREACHABLE | 1 << ICMP4_SOURCE_QUENCH | 1 << ICMP4_REDIRECT |
	                       1 << ICMP4_TIME_EXCEEDED | 1 << ICMP4_PARAMETER_PROBLEM;

	return type < 32 && types >> type & 1;
}

/* Questions and answers with an identifier: echo, timestamp, information, address mask. */
static inline bool icmp4_is_query(uint8_t type)
{
	return type == ICMP4_ECHO_REPLY || type == ICMP4_ECHO ||
	       (type >= ICMP4_TIMESTAMP && type <= ICMP4_MASK_REPLY);
}

static inline bool icmp6_is_error(uint8_t type)
{
	return type >= ICMP6_UNREACHABLE && type <= ICMP6_PARAMETER_PROBLEM;
}

static inline bool icmp6_is_query(uint8_t type)
{
	return type == ICMP6_ECHO || type == ICMP6_ECHO_REPLY;
}

#endif
