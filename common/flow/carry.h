/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the engine itself knows of a session (class, tracking, account), in a form that goes with it from one table to another, of
 * this process or of another one. The functions' slots and the keys are whoever carries it's. Plain values; any thread that owns the
 * table.
 */
#ifndef SLUICE_FLOW_CARRY_H
#define SLUICE_FLOW_CARRY_H

#include "flow/table.h"

struct flow_carry {
	uint64_t bytes[2];
	uint32_t packets[2];
	uint32_t idle; /* milliseconds since its last packet */
	union {
		struct tcp_side tcp[2];
		struct sctp_side sctp[2];
	};
	uint8_t tcp_state[2];
	uint8_t tcp_scale[2];
	uint8_t klass; /* enum session_class */
	uint8_t flags; /* of enum session_flag: those in FLOW_CARRY_FLAGS */
	uint8_t spare[6];
};
static_assert(sizeof(struct flow_carry) == 64, "no padding: it is sent as bytes");

enum { FLOW_CARRY_FLAGS = SESSION_REPLIED | SESSION_ONEWAY | SESSION_MIDSTREAM | SESSION_SHIFTED };

/* Takes down what is known of a session; `now` in milliseconds. */
void flow_carry_out(const struct session *s, uint32_t now, struct flow_carry *carry);

/* Whether bytes from elsewhere can be that of a session of this protocol. */
bool flow_carry_valid(const struct flow_carry *carry, uint8_t proto);

/* A session goes on with the tracking of another of its flow. */
void flow_carry_track(struct session *s, const struct flow_carry *carry);

/* Reserves a session as flow_reserve() does, with what was known of it elsewhere; established ones need no room among the half-open.
 * Follow with flow_commit() or flow_abandon(). The carry is a valid one. */
enum flow_result flow_carry_in(struct flow_table *table, const struct tuple *forward,
                               const struct flow_carry *carry, uint32_t now, struct session **s);

#endif
