/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames of sessions: what goes in comes out, what is cut or changed is refused. */
#include <stdlib.h>

#include "runtime/change/transfer.h"
#include "support/packets.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct transfer_frame example(uint8_t proto, uint8_t family)
{
	struct transfer_frame frame = { .kind = TRANSFER_SESSION };
	struct transfer *t = &frame.session;

	t->before = (struct tuple){ .proto = proto, .family = family, .sport = 0x1234, .dport = 0x1234 };
	for (unsigned i = 0; i < (family == FAMILY_V6 ? 16u : 4u); i++) {
		t->before.src.bytes[i] = (uint8_t)(0x20 + i);
		t->before.dst.bytes[i] = (uint8_t)(0x40 + i);
	}
	t->behind = t->before;
	t->behind.src.bytes[0] = 0x30;
	t->carry = (struct flow_carry){ .klass = proto == IPPROTO_TCP    ? CLASS_TCP_ESTABLISHED
		                                 : proto == IPPROTO_UDP  ? CLASS_UDP
		                                 : proto == IPPROTO_SCTP ? CLASS_SCTP_ESTABLISHED
		                                 : proto == 47           ? CLASS_OTHER
		                                                         : CLASS_ICMP,
		                        .packets = { 3, 4 },
		                        .bytes = { 5, 6 },
		                        .idle = 77 };
	t->walk = 1;
	t->known = true;
	snprintf(t->kind, sizeof(t->kind), "nat");
	t->size = 24;
	t->version = 7;
	memset(t->slot, 0x5a, 24);
	return frame;
}

static struct rte_mbuf *encoded(const struct transfer_frame *frame)
{
	struct rte_mbuf *m = packet_new();

	transfer_encode(m, frame);
	return m;
}

static void test_round_trip(void **state)
{
	const uint8_t protos[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_SCTP, IPPROTO_ICMP, 47 };

	(void)state;
	for (unsigned i = 0; i < sizeof(protos); i++) {
		struct transfer_frame in = example(protos[i], i & 1 ? FAMILY_V6 : FAMILY_V4), out;
		struct rte_mbuf *m = encoded(&in);

		assert_true(transfer_is(m));
		assert_true(transfer_decode(m, &out));
		assert_int_equal(out.kind, TRANSFER_SESSION);
		assert_memory_equal(&out.session, &in.session, sizeof(in.session));
		packet_free(m);
	}
}

/* Questions about one session, and about none. */
static void test_questions(void **state)
{
	const enum transfer_kind kinds[] = { TRANSFER_ASK, TRANSFER_NONE, TRANSFER_PROBE, TRANSFER_ECHO };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct transfer_frame in = example(IPPROTO_UDP, FAMILY_V6), out;
		struct rte_mbuf *m;

		in.kind = kinds[i];
		in.senders = 3;
		in.round = 0xfffe;
		m = encoded(&in);
		assert_true(transfer_decode(m, &out));
		assert_int_equal(out.kind, kinds[i]);
		assert_int_equal(out.senders, 3);
		assert_int_equal(out.round, 0xfffe);
		if (i < 2)
			assert_true(tuple_equal(&out.session.before, &in.session.before));
		packet_free(m);
	}
}

/* Kinds that there are not, or not any more; a question about something that no packet can have. */
/* Of a message its function and its bytes arrive. */
static void check_message(const struct transfer_frame *frame)
{
	struct rte_mbuf *m = encoded(frame);
	struct transfer_frame out;

	assert_true(transfer_decode(m, &out));
	assert_string_equal(out.session.kind, "nat");
	assert_memory_equal(out.session.slot, frame->session.slot, TRANSFER_SLOT_MAX);
	packet_free(m);
}

static void test_kinds(void **state)
{
	const unsigned known = 1u << TRANSFER_SESSION | 1u << TRANSFER_ASK | 1u << TRANSFER_NONE |
	                       1u << TRANSFER_PROBE | 1u << TRANSFER_ECHO | 1u << TRANSFER_MESSAGE;
	struct transfer_frame frame = example(IPPROTO_UDP, FAMILY_V4), out;

	(void)state;
	for (unsigned kind = 0; kind < 16; kind++) {
		struct rte_mbuf *m;

		frame.kind = kind;
		m = encoded(&frame);
		assert_int_equal(transfer_decode(m, &out), known >> kind & 1);
		packet_free(m);
	}
	frame.kind = TRANSFER_MESSAGE;
	check_message(&frame);
	frame.kind = TRANSFER_ASK;
	frame.session.before.family = 7;
	struct rte_mbuf *m = encoded(&frame);

	assert_false(transfer_decode(m, &out));
	packet_free(m);
}

static void test_cut(void **state)
{
	struct transfer_frame in = example(IPPROTO_TCP, FAMILY_V4), out;
	struct rte_mbuf *m = encoded(&in);

	(void)state;
	while (rte_pktmbuf_data_len(m) > 0) {
		rte_pktmbuf_trim(m, 1);
		assert_false(transfer_decode(m, &out));
	}
	packet_free(m);
}

/* No change of one byte makes a frame that is believed and makes no sense. */
static void test_changed(void **state)
{
	struct transfer_frame in = example(IPPROTO_TCP, FAMILY_V4), out;
	struct rte_mbuf *m = encoded(&in);

	(void)state;
	for (unsigned at = 0; at < rte_pktmbuf_data_len(m); at++) {
		uint8_t *byte = rte_pktmbuf_mtod_offset(m, uint8_t *, at), was = *byte;

		for (unsigned bit = 0; bit < 8; bit++) {
			*byte = was ^ (uint8_t)(1u << bit);
			if (!transfer_decode(m, &out))
				continue;
			assert_true(flow_carry_valid(&out.session.carry, out.session.before.proto) ||
			            out.kind != TRANSFER_SESSION);
			assert_true(out.session.size <= TRANSFER_SLOT_MAX && out.session.walk <= 1);
			assert_non_null(memchr(out.session.kind, 0, sizeof(out.session.kind)));
		}
		*byte = was;
	}
	packet_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_questions),
		cmocka_unit_test(test_kinds),      cmocka_unit_test(test_cut),
		cmocka_unit_test(test_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
