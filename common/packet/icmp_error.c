/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * See icmp_error.h.
 */
#include <netinet/in.h>

#include "packet/copy.h"
#include "packet/icmp_error.h"
#include "packet/icmp_types.h"
#include "packet/originate.h"

enum {
	QUOTE_MAX4 = 576,  /* RFC 1812 4.3.2.3 */
	QUOTE_MAX6 = 1280, /* RFC 4443 2.4 (c) */
	TOS_CONTROL = 0xc0 /* precedence of errors, RFC 1812 4.3.2.5 */
};

/* Where a reason's value goes: nowhere, the whole word (IPv6), its low half (the MTU), its first byte (the
 * pointer). */
enum value_place { NO_VALUE, IN_WORD, IN_LOW_HALF, IN_FIRST_BYTE };

struct message {
	uint8_t type, code;
	uint8_t place;
};

static const struct message messages4[ICMP_REASONS] = {
	[ICMP_TTL_EXCEEDED] = { ICMP4_TIME_EXCEEDED, 0, NO_VALUE },
	[ICMP_REASSEMBLY_TIMEOUT] = { ICMP4_TIME_EXCEEDED, 1, NO_VALUE },
	[ICMP_NO_ROUTE] = { ICMP4_UNREACHABLE, 0, NO_VALUE },
	[ICMP_HOST_UNREACHABLE] = { ICMP4_UNREACHABLE, 1, NO_VALUE },
	[ICMP_PROTOCOL_UNREACHABLE] = { ICMP4_UNREACHABLE, 2, NO_VALUE },
	[ICMP_PORT_UNREACHABLE] = { ICMP4_UNREACHABLE, 3, NO_VALUE },
	[ICMP_ADMIN_PROHIBITED] = { ICMP4_UNREACHABLE, 13, NO_VALUE },
	[ICMP_TOO_BIG] = { ICMP4_UNREACHABLE, 4, IN_LOW_HALF },
	[ICMP_PARAMETER_PROBLEM] = { ICMP4_PARAMETER_PROBLEM, 0, IN_FIRST_BYTE },
};

static const struct message messages6[ICMP_REASONS] = {
	[ICMP_TTL_EXCEEDED] = { ICMP6_TIME_EXCEEDED, 0, NO_VALUE },
	[ICMP_REASSEMBLY_TIMEOUT] = { ICMP6_TIME_EXCEEDED, 1, NO_VALUE },
	[ICMP_NO_ROUTE] = { ICMP6_UNREACHABLE, 0, NO_VALUE },
	[ICMP_HOST_UNREACHABLE] = { ICMP6_UNREACHABLE, 3, NO_VALUE },
	[ICMP_PROTOCOL_UNREACHABLE] = { ICMP6_PARAMETER_PROBLEM, 1, IN_WORD },
	[ICMP_PORT_UNREACHABLE] = { ICMP6_UNREACHABLE, 4, NO_VALUE },
	[ICMP_ADMIN_PROHIBITED] = { ICMP6_UNREACHABLE, 1, NO_VALUE },
	[ICMP_TOO_BIG] = { ICMP6_TOO_BIG, 0, IN_WORD },
	[ICMP_PARAMETER_PROBLEM] = { ICMP6_PARAMETER_PROBLEM, 0, IN_WORD },
};

bool icmp_error_due(struct rte_mbuf *offending)
{
	const struct pkt *p = pkt_of(offending);
	/* Also of types that the parser does not look into: every ICMPv6 type below 128 is an error. */
	bool error6 = p->flags & PKT_V6 && p->proto == IPPROTO_ICMPV6 &&
	              (p->icmp_type < 128 || p->icmp_type == ICMP6_REDIRECT);

	return !(p->flags & PKT_ICMP_ERROR) && !error6 && originate_answerable(offending);
}

static void put_word(uint8_t *at, enum value_place place, uint32_t value)
{
	uint32_t word = 0;

	if (place == IN_WORD)
		word = value;
	else if (place == IN_LOW_HALF)
		word = RTE_MIN(value, (uint32_t)UINT16_MAX);
	else if (place == IN_FIRST_BYTE)
		word = value << 24;
	word = rte_cpu_to_be_32(word);
	memcpy(at, &word, sizeof(word));
}

/* The message: its header, then the quotation. */
static void put_message(uint8_t *at, const struct message *message, uint32_t value,
                        struct rte_mbuf *offending, uint16_t quote)
{
	at[0] = message->type;
	at[1] = message->code;
	at[2] = at[3] = 0;
	put_word(at + 4, message->place, value);
	packet_copy(at + ICMP_HEADER, offending, pkt_of(offending)->l3, quote);
}

static bool build4(struct rte_mbuf *error, struct rte_mbuf *offending, const struct message *message,
                   uint32_t value, uint32_t source)
{
	const struct pkt *p = pkt_of(offending);
	const uint16_t ahead = sizeof(struct rte_ipv4_hdr) + ICMP_HEADER;
	uint16_t quote = RTE_MIN(p->end - p->l3, QUOTE_MAX4 - ahead);
	uint8_t *at = originate_begin(error, offending, ahead + quote);

	if (!at)
		return false;
	at = originate_ip4(at, ahead + quote, IPPROTO_ICMP, TOS_CONTROL, source,
	                   pkt_ip4(offending)->src_addr);
	put_message(at, message, value, offending, quote);
	return originate_end(error, offending);
}

static bool build6(struct rte_mbuf *error, struct rte_mbuf *offending, const struct message *message,
                   uint32_t value, const uint8_t source[16])
{
	const struct pkt *p = pkt_of(offending);
	const uint16_t ahead = sizeof(struct rte_ipv6_hdr) + ICMP_HEADER;
	uint16_t quote = RTE_MIN(p->end - p->l3, QUOTE_MAX6 - ahead);
	uint8_t *at = originate_begin(error, offending, ahead + quote);

	if (!at)
		return false;
	at = originate_ip6(at, ahead + quote, IPPROTO_ICMPV6, source, pkt_ip6(offending)->src_addr);
	put_message(at, message, value, offending, quote);
	return originate_end(error, offending);
}

bool icmp_error_build(struct rte_mbuf *error, struct rte_mbuf *offending, enum icmp_reason reason,
                      uint32_t value, const union ipaddr *source)
{
	if (!icmp_error_due(offending))
		return false;
	if (pkt_of(offending)->flags & PKT_V4)
		return build4(error, offending, &messages4[reason], value, source->v4);
	return build6(error, offending, &messages6[reason], value, source->bytes);
}
