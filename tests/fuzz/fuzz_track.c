/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any sequence of TCP segments or SCTP packets of one session: whatever is refused changes nothing but what it may, the class fits the protocol, and the
 * table's counts stay true. First byte: bit 0 SCTP, bit 1 picked up midstream, bit 2 one way. Then packets: a byte (bit 0 the direction,
 * bit 1 a right checksum, bit 2 a fragment), a length, and the transport header with what follows it.
 */
#include <stdlib.h>

#include "flow/table.h"
#include "flow/touch.h"
#include "support/packets.h"
#include "util/errors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void check(const struct flow_table *table, const struct session *s, uint8_t proto)
{
	struct flow_stats stats;

	flow_stats(table, &stats);
	require(stats.live == 1 && stats.per_class[s->klass] == 1);
	require(stats.half_open == (s->klass == CLASS_TCP_OPENING || s->klass == CLASS_SCTP_OPENING));
	if (proto == IPPROTO_TCP)
		require(s->klass <= CLASS_TCP_CLOSING);
	else
		require(s->klass >= CLASS_SCTP_OPENING && s->klass <= CLASS_SCTP_CLOSING);
}

static void one(struct flow_table *table, struct session *s, uint8_t proto, uint8_t how, const uint8_t *bytes,
                uint8_t length)
{
	struct packet_spec spec = { .proto = 253, .payload = bytes, .length = length, .more = how & 4 };
	struct session before = *s;
	struct rte_mbuf *m;

	spec.length = how & 4 ? length & ~7 : length;
	m = packet_build(&spec);
	((uint8_t *)rte_pktmbuf_mtod(m, uint8_t *))[14 + 9] = proto;
	if (pkt_parse(m, 0) == PKT_OK && !(pkt_of(m)->flags & PKT_LATER)) {
		enum flow_invalid verdict;

		if (how & 2)
			pkt_checksums(m);
		pkt_of(m)->dir = s->flags & SESSION_ONEWAY ? 0 : how & 1;
		verdict = flow_touch(table, s, m, 5);
		require(verdict < FLOW_INVALIDS);
		require(verdict == FLOW_VALID || memcmp(&before, s, sizeof(before)) == 0);
		require(verdict != FLOW_VALID ||
		        s->packets[pkt_of(m)->dir] == before.packets[pkt_of(m)->dir] + 1);
	}
	packet_free(m);
}

static struct flow_table *new_table(uint8_t proto, struct session **s)
{
	const struct flow_options options = {
		.sessions_v4 = 8, .sessions_v6 = 8, .slot_bytes = 64, .hash_seed = 1
	};
	struct tuple t = { .src = ip_v4(1),
		           .dst = ip_v4(2),
		           .sport = 1,
		           .dport = 2,
		           .proto = proto,
		           .family = FAMILY_V4 },
	             back = tuple_reverse(&t);
	struct errors errors = ERRORS_NONE;
	struct flow_table *table = flow_table_new(&options, &errors);

	require(table && flow_reserve(table, &t, 1, s) == FLOW_OK &&
	        flow_commit(table, *s, &back) == FLOW_OK);
	return table;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t proto = size && data[0] & 1 ? IPPROTO_SCTP : IPPROTO_TCP;
	struct flow_table *table;
	struct session *s;

	if (!size)
		return 0;
	table = new_table(proto, &s);
	s->flags |= (data[0] & 2 ? SESSION_MIDSTREAM : 0) | (data[0] & 4 ? SESSION_ONEWAY : 0);
	for (size_t at = 1; at + 2 <= size;) {
		uint8_t length = (uint8_t)RTE_MIN(data[at + 1], size - at - 2);

		one(table, s, proto, data[at], data + at + 2, length);
		check(table, s, proto);
		at += 2 + (size_t)length;
	}
	flow_table_free(table);
	return 0;
}
