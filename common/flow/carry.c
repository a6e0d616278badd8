/* SPDX-License-Identifier: BSD-3-Clause */
/* Sessions on their way from table to table. Owned by the worker whose table it is. */
#include "flow/carry.h"

#include "flow/sctp.h"
#include "flow/table_private.h"
#include "flow/tcp.h"

#include <netinet/in.h>

void flow_carry_out(const struct session *s, uint32_t now, struct flow_carry *carry)
{
	memset(carry, 0, sizeof(*carry));
	memcpy(carry->bytes, s->bytes, sizeof(carry->bytes));
	memcpy(carry->packets, s->packets, sizeof(carry->packets));
	memcpy(carry->tcp, s->tcp, sizeof(carry->tcp));
	memcpy(carry->tcp_state, s->tcp_state, sizeof(carry->tcp_state));
	memcpy(carry->tcp_scale, s->tcp_scale, sizeof(carry->tcp_scale));
	carry->idle = time_after32(now, s->last_seen) > 0 ? now - s->last_seen : 0;
	carry->klass = s->klass;
	carry->flags = s->flags & FLOW_CARRY_FLAGS;
}

static_assert(CLASS_TCP_OPENING == 0, "the first one");

/* The classes that a protocol's sessions pass through are neighbours in their enumeration. */
static bool class_of(uint8_t proto, unsigned klass)
{
	switch (proto) {
	case IPPROTO_TCP:
		return klass <= CLASS_TCP_CLOSING;
	case IPPROTO_UDP:
		return klass == CLASS_UDP || klass == CLASS_UDP_OPENING;
	case IPPROTO_SCTP:
		return klass >= CLASS_SCTP_OPENING && klass <= CLASS_SCTP_CLOSING;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return klass == CLASS_ICMP || klass == CLASS_ICMP_OPENING;
	default:
		return klass == CLASS_OTHER;
	}
}

static bool states_valid(const struct flow_carry *carry, uint8_t proto)
{
	if (proto == IPPROTO_SCTP)
		return carry->tcp_state[0] < SCTP_STATES;
	return proto != IPPROTO_TCP ||
	       (carry->tcp_state[0] <= TCP_RESET && carry->tcp_state[1] <= TCP_RESET &&
	        (carry->tcp_scale[0] & TCP_SCALE_MASK) <= TCP_MAX_SCALE &&
	        (carry->tcp_scale[1] & TCP_SCALE_MASK) <= TCP_MAX_SCALE);
}

bool flow_carry_valid(const struct flow_carry *carry, uint8_t proto)
{
	return class_of(proto, carry->klass) && !(carry->flags & ~FLOW_CARRY_FLAGS) &&
	       carry->idle <= INT32_MAX && states_valid(carry, proto);
}

void flow_carry_track(struct session *s, const struct flow_carry *carry)
{
	memcpy(s->tcp, carry->tcp, sizeof(s->tcp));
	memcpy(s->tcp_state, carry->tcp_state, sizeof(s->tcp_state));
	memcpy(s->tcp_scale, carry->tcp_scale, sizeof(s->tcp_scale));
}

enum flow_result flow_carry_in(struct flow_table *table, const struct tuple *forward,
                               const struct flow_carry *carry, uint32_t now, struct session **session)
{
	enum flow_result result =
	        table_reserve(table, forward, (enum session_class)carry->klass, now, session);
	struct session *s = *session;

	if (result != FLOW_OK)
		return result;
	memcpy(s->bytes, carry->bytes, sizeof(s->bytes));
	memcpy(s->packets, carry->packets, sizeof(s->packets));
	flow_carry_track(s, carry);
	s->last_seen = now - carry->idle;
	s->flags |= carry->flags;
	return FLOW_OK;
}
