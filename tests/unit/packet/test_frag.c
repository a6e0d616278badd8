/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The fragment table: order, duplicates, overlaps, times and bounds; and that every packet that goes in comes
 * out once.
 */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "packet/frag.h"
#include "support/packets.h"

#include "helper_random.h"

static const uint64_t second = UINT64_C(1000000000);

/* One piece of a datagram of UDP: [start, start + length), start a multiple of 8. */
static struct rte_mbuf *piece(bool v6, uint32_t id, uint16_t start, uint16_t length, bool more)
{
	struct packet_spec spec = {
		.src = v6 ? "2001:db8::1" : "10.0.0.1",
		.id = id,
		.more = more,
		.offset = start,
		.length = start ? length : length - 8,
	};

	return packet_parsed(&spec);
}

struct run {
	struct frag_table *table;
	struct rte_mbuf *out[FRAG_OUT];
	unsigned n;
	uint64_t now;
};

static struct run run_new(const struct frag_options *options)
{
	struct run r = { .table = frag_table_new(options), .now = 100 * second };

	assert_non_null(r.table);
	return r;
}

static void free_out(struct run *r)
{
	for (unsigned i = 0; i < r->n; i++)
		packet_free(r->out[i]);
	r->n = 0;
}

static void run_end(struct run *r)
{
	while ((r->n = frag_drain(r->table, r->out)))
		free_out(r);
	assert_int_equal(frag_held(r->table), 0);
	frag_table_free(r->table);
	assert_int_equal(packet_live(), 0);
}

static enum frag_result give(struct run *r, struct rte_mbuf *m)
{
	return frag_input(r->table, m, r->now, r->out, &r->n);
}

/* Gives a piece and frees what comes out; returns the result, and the number in *n if asked. */
static enum frag_result feed(struct run *r, bool v6, uint32_t id, uint16_t start, uint16_t length, bool more,
                             unsigned *n)
{
	enum frag_result result = give(r, piece(v6, id, start, length, more));

	if (n)
		*n = r->n;
	free_out(r);
	return result;
}

static void in_order(void **state)
{
	struct run r = run_new(&(struct frag_options){ 0 });

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (uint16_t i = 0; i < 5; i++) {
			struct rte_mbuf *m = piece(v6, 9, i * 16, 16, i < 4);

			assert_int_equal(give(&r, m), FRAG_PASS);
			assert_int_equal(r.n, 1);
			assert_ptr_equal(r.out[0], m);
			assert_int_equal(pkt_of(m)->sport, htons(1000));
			assert_int_equal(pkt_of(m)->dport, htons(2000));
			free_out(&r);
			assert_int_equal(frag_datagrams(r.table), i < 4);
		}
	}
	run_end(&r);
}

static void first_comes_last(void **state)
{
	struct run r = run_new(&(struct frag_options){ 0 });
	struct rte_mbuf *m[5];

	(void)state;
	for (unsigned v6 = 0; v6 < 2; v6++) {
		for (uint16_t i = 4; i > 0; i--) {
			m[i] = piece(v6, 9, i * 16, 16, i < 4);
			assert_int_equal(give(&r, m[i]), FRAG_HOLD);
			assert_int_equal(r.n, 0);
		}
		assert_int_equal(frag_held(r.table), 4);
		m[0] = piece(v6, 9, 0, 16, true);
		assert_int_equal(give(&r, m[0]), FRAG_PASS);
		assert_int_equal(r.n, 5);
		assert_ptr_equal(r.out[0], m[0]);
		for (unsigned i = 1; i < 5; i++) {
			assert_ptr_equal(r.out[i], m[5 - i]);
			assert_int_equal(pkt_of(r.out[i])->sport, htons(1000));
			assert_int_equal(pkt_of(r.out[i])->dport, htons(2000));
		}
		free_out(&r);
		assert_int_equal(frag_held(r.table) + frag_datagrams(r.table), 0);
	}
	run_end(&r);
}

/* In IPv6 only the first fragment knows the protocol if destination options follow the fragment header. */
static void first_knows_the_protocol(void **state)
{
	static const uint8_t chain[16] = { [0] = 60, [3] = 1, [8] = IPPROTO_UDP };
	struct packet_spec first = { .src = "2001:db8::1", .options = chain, .options_length = 16 };
	struct packet_spec later = { .src = "2001:db8::1", .proto = 60, .offset = 24, .length = 8 };
	struct run r = run_new(&(struct frag_options){ 0 });

	(void)state;
	first.options_first = IPPROTO_FRAGMENT;
	first.length = 8;
	assert_int_equal(give(&r, packet_parsed(&later)), FRAG_HOLD);
	assert_int_equal(give(&r, packet_parsed(&first)), FRAG_PASS);
	assert_int_equal(r.n, 2);
	assert_int_equal(pkt_of(r.out[1])->proto, IPPROTO_UDP);
	assert_int_equal(pkt_of(r.out[1])->sport, htons(1000));
	free_out(&r);
	assert_int_equal(frag_datagrams(r.table), 0);
	run_end(&r);
}

static void echo_request(void **state)
{
	struct packet_spec first = { .proto = 1, .icmp_type = 8, .icmp_id = 7, .length = 8, .more = true };
	struct packet_spec later = { .proto = 1, .offset = 16, .length = 3 };
	struct run r = run_new(&(struct frag_options){ 0 });

	(void)state;
	assert_int_equal(give(&r, packet_parsed(&first)), FRAG_PASS);
	free_out(&r);
	assert_int_equal(give(&r, packet_parsed(&later)), FRAG_PASS);
	assert_true(pkt_of(r.out[0])->flags & PKT_ICMP_QUERY);
	assert_int_equal(pkt_of(r.out[0])->icmp_type, 8);
	assert_int_equal(pkt_of(r.out[0])->sport, htons(7));
	free_out(&r);
	run_end(&r);
}

static void datagrams_are_kept_apart(void **state)
{
	struct run r = run_new(&(struct frag_options){ 0 });
	struct packet_spec other = { .proto = 47, .id = 1, .offset = 16, .length = 8 };
	struct packet_spec zone = { .id = 1, .offset = 16, .length = 8 };
	struct rte_mbuf *m;

	(void)state;
	assert_int_equal(feed(&r, false, 1, 0, 16, true, NULL), FRAG_PASS);
	assert_int_equal(feed(&r, false, 2, 16, 8, false, NULL), FRAG_HOLD);
	assert_int_equal(feed(&r, true, 1, 16, 8, false, NULL), FRAG_HOLD);
	assert_int_equal(give(&r, packet_parsed(&other)), FRAG_HOLD);
	m = packet_parsed(&zone);
	pkt_of(m)->zone = 9;
	assert_int_equal(give(&r, m), FRAG_HOLD);
	assert_int_equal(frag_datagrams(r.table), 5);
	run_end(&r);
}

static void duplicates(void **state)
{
	struct run r = run_new(&(struct frag_options){ 0 });
	unsigned n;

	(void)state;
	assert_int_equal(feed(&r, false, 1, 16, 16, true, NULL), FRAG_HOLD);
	assert_int_equal(feed(&r, false, 1, 16, 16, true, &n), FRAG_DUPLICATE);
	assert_int_equal(n, 1);
	assert_int_equal(frag_held(r.table), 1);
	assert_int_equal(feed(&r, false, 1, 0, 16, true, &n), FRAG_PASS);
	assert_int_equal(n, 2);
	assert_int_equal(feed(&r, false, 1, 0, 16, true, NULL), FRAG_DUPLICATE);
	assert_int_equal(feed(&r, false, 1, 32, 3, false, NULL), FRAG_PASS);
	run_end(&r);
}

static void overlap_loses_the_datagram(void **state)
{
	struct run r = run_new(&(struct frag_options){ 0 });
	unsigned n;

	(void)state;
	assert_int_equal(feed(&r, false, 1, 16, 16, true, NULL), FRAG_HOLD);
	assert_int_equal(feed(&r, false, 1, 40, 16, true, NULL), FRAG_HOLD);
	assert_int_equal(feed(&r, false, 1, 24, 16, true, &n), FRAG_OVERLAP);
	assert_int_equal(n, 3);
	assert_int_equal(frag_held(r.table), 0);
	assert_int_equal(feed(&r, false, 1, 0, 16, true, NULL), FRAG_LOST);
	r.now += 29 * second;
	assert_int_equal(feed(&r, false, 1, 64, 8, false, NULL), FRAG_LOST);
	r.now += second;
	assert_int_equal(frag_expire(r.table, r.now, 10, r.out), 0);
	assert_int_equal(frag_datagrams(r.table), 0);
	assert_int_equal(feed(&r, false, 1, 0, 16, true, NULL), FRAG_PASS);
	assert_int_equal(feed(&r, false, 1, 8, 16, true, NULL), FRAG_OVERLAP);
	run_end(&r);
}

static void contradicting_lengths(void **state)
{
	struct run r = run_new(&(struct frag_options){ 0 });

	(void)state;
	assert_int_equal(feed(&r, false, 1, 32, 8, false, NULL), FRAG_HOLD);
	assert_int_equal(feed(&r, false, 1, 40, 8, true, NULL), FRAG_OVERLAP);
	assert_int_equal(feed(&r, false, 2, 32, 8, false, NULL), FRAG_HOLD);
	assert_int_equal(feed(&r, false, 2, 40, 8, false, NULL), FRAG_OVERLAP);
	assert_int_equal(feed(&r, false, 3, 32, 8, true, NULL), FRAG_HOLD);
	assert_int_equal(feed(&r, false, 3, 16, 8, false, NULL), FRAG_OVERLAP);
	assert_int_equal(feed(&r, false, 4, 32, 8, false, NULL), FRAG_HOLD);
	assert_int_equal(feed(&r, false, 4, 24, 8, true, NULL), FRAG_HOLD);
	run_end(&r);
}

static void the_first_never_comes(void **state)
{
	struct run r = run_new(&(struct frag_options){ 0 });

	(void)state;
	assert_int_equal(feed(&r, true, 1, 16, 16, true, NULL), FRAG_HOLD);
	assert_int_equal(feed(&r, true, 1, 32, 16, true, NULL), FRAG_HOLD);
	r.now += 2 * second - 1;
	assert_int_equal(frag_expire(r.table, r.now, 10, r.out), 0);
	r.now++;
	assert_int_equal(frag_expire(r.table, r.now, 0, r.out), 0);
	r.n = frag_expire(r.table, r.now, 10, r.out);
	assert_int_equal(r.n, 2);
	free_out(&r);
	assert_int_equal(frag_datagrams(r.table), 0);
	run_end(&r);
}

static void times_by_family(void **state)
{
	struct frag_options options = { .timeout4 = 5 * second, .timeout6 = 9 * second, .hold = second };
	struct run r = run_new(&options);

	(void)state;
	assert_int_equal(feed(&r, true, 1, 0, 16, true, NULL), FRAG_PASS);
	assert_int_equal(feed(&r, false, 1, 0, 16, true, NULL), FRAG_PASS);
	assert_int_equal(feed(&r, false, 2, 16, 16, true, NULL), FRAG_HOLD);
	r.n = frag_expire(r.table, r.now + second, 10, r.out);
	assert_int_equal(r.n, 1);
	free_out(&r);
	assert_int_equal(frag_expire(r.table, r.now + 5 * second, 10, r.out), 0);
	assert_int_equal(frag_expire(r.table, r.now + 9 * second, 10, r.out), 0);
	assert_int_equal(frag_datagrams(r.table), 0);
	run_end(&r);
}

static void bound_of_held_packets_and_bytes(void **state)
{
	struct frag_options options = { .held = 3 }, bytes = { .held_bytes = 120 };
	struct run r = run_new(&options);

	(void)state;
	for (uint16_t id = 0; id < 5; id++)
		assert_int_equal(feed(&r, false, id, 16, 16, true, NULL),
		                 id < 3 ? FRAG_HOLD : FRAG_HOLD_FULL);
	assert_int_equal(frag_datagrams(r.table), 3);
	assert_int_equal(feed(&r, false, 0, 0, 16, true, NULL), FRAG_PASS);
	assert_int_equal(feed(&r, false, 7, 16, 16, true, NULL), FRAG_HOLD);
	run_end(&r);
	r = run_new(&bytes);
	for (uint16_t id = 0; id < 3; id++)
		assert_int_equal(feed(&r, false, id, 16, 16, true, NULL),
		                 id < 2 ? FRAG_HOLD : FRAG_HOLD_FULL);
	run_end(&r);
}

static void bound_of_datagrams(void **state)
{
	struct frag_options options = { .held = 2, .datagrams = 8 };
	struct run r = run_new(&options);

	(void)state;
	assert_int_equal(feed(&r, false, 1000, 16, 16, true, NULL), FRAG_HOLD);
	for (uint16_t id = 0; id < 20; id++) {
		r.now++;
		assert_int_equal(feed(&r, id % 2, id, 0, 16, true, NULL), FRAG_PASS);
	}
	assert_int_equal(frag_datagrams(r.table), 8);
	for (uint16_t id = 13; id < 20; id++)
		assert_int_equal(feed(&r, id % 2, id, 16, 16, true, NULL), FRAG_PASS);
	assert_int_equal(feed(&r, false, 1000, 0, 16, true, NULL), FRAG_PASS);
	run_end(&r);
}

static void bound_of_fragments(void **state)
{
	struct run r = run_new(&(struct frag_options){ 0 });
	unsigned n;

	(void)state;
	for (uint16_t i = 1; i <= FRAG_RANGES; i++)
		assert_int_equal(feed(&r, false, 1, i * 16, 16, true, NULL), FRAG_HOLD);
	assert_int_equal(feed(&r, false, 1, 0, 16, true, &n), FRAG_TOO_MANY);
	assert_int_equal(n, FRAG_OUT);
	assert_int_equal(feed(&r, false, 1, 2000, 16, false, NULL), FRAG_LOST);
	run_end(&r);
}

enum { PIECES = 7, DATAGRAMS = 200 };

/* Pieces of many datagrams in any order: all come out, the first of each before its others, and the table is
 * empty. */
static void random_orders(void **state)
{
	struct run r = run_new(&(struct frag_options){ .seed = 5, .held = DATAGRAMS * PIECES });
	uint64_t seed = 11;

	(void)state;
	for (unsigned round = 0; round < 20; round++) {
		uint16_t order[DATAGRAMS * PIECES], passed = 0;
		bool first[DATAGRAMS] = { false };

		for (uint16_t i = 0; i < RTE_DIM(order); i++) {
			uint16_t j = (uint16_t)random_below(&seed, i + 1u);

			order[i] = order[j];
			order[j] = i;
		}
		for (unsigned i = 0; i < RTE_DIM(order); i++) {
			uint16_t id = order[i] / PIECES, part = order[i] % PIECES;
			struct rte_mbuf *m = piece(round % 2, id, part * 16, 16, part < PIECES - 1);
			enum frag_result result;

			pkt_of(m)->mark = order[i];
			result = give(&r, m);
			assert_true(result == FRAG_PASS || result == FRAG_HOLD);
			for (unsigned k = 0; k < r.n; k++) {
				uint32_t mark = pkt_of(r.out[k])->mark;

				first[mark / PIECES] |= mark % PIECES == 0;
				assert_true(first[mark / PIECES]);
				assert_int_equal(pkt_of(r.out[k])->sport, htons(1000));
			}
			passed += r.n;
			free_out(&r);
		}
		assert_int_equal(passed, RTE_DIM(order));
		assert_int_equal(frag_datagrams(r.table) + frag_held(r.table), 0);
	}
	run_end(&r);
}

/* Anything at all, with little room and time going on: each packet comes out once, counts agree. */
static void random_everything(void **state)
{
	struct run r = run_new(&(struct frag_options){ .held = 40, .datagrams = 64 });
	uint64_t seed = 12, in = 0, out = 0, results[FRAG_RESULTS] = { 0 };

	(void)state;
	for (unsigned i = 0; i < 200000; i++) {
		uint16_t start = (uint16_t)(8 * random_below(&seed, 40));
		uint16_t length = (uint16_t)(8 * (1 + start + random_below(&seed, 4)) % 64 + 16);
		bool more = random_below(&seed, 5);

		results[feed(&r, random_below(&seed, 2), random_below(&seed, 60), start, length & ~7,
		             more || start == 0, NULL)]++;
		in++;
		r.now += random_below(&seed, 50) * second / 1000;
		assert_true(frag_held(r.table) <= 40);
		assert_true(frag_datagrams(r.table) <= 64);
		assert_int_equal(packet_live(), frag_held(r.table));
		while ((r.n = frag_expire(r.table, r.now, 4, r.out))) {
			out += r.n;
			free_out(&r);
		}
	}
	for (unsigned i = 0; i < FRAG_RESULTS; i++)
		if (i != FRAG_TOO_MANY)
			assert_true(results[i] > 0);
	assert_true(out > 0 && out < in);
	run_end(&r);
}

static void every_result_has_a_name(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FRAG_RESULTS; i++)
		assert_non_null(frag_result_names[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_order),
		cmocka_unit_test(first_comes_last),
		cmocka_unit_test(first_knows_the_protocol),
		cmocka_unit_test(echo_request),
		cmocka_unit_test(datagrams_are_kept_apart),
		cmocka_unit_test(duplicates),
		cmocka_unit_test(overlap_loses_the_datagram),
		cmocka_unit_test(contradicting_lengths),
		cmocka_unit_test(the_first_never_comes),
		cmocka_unit_test(times_by_family),
		cmocka_unit_test(bound_of_held_packets_and_bytes),
		cmocka_unit_test(bound_of_datagrams),
		cmocka_unit_test(bound_of_fragments),
		cmocka_unit_test(random_orders),
		cmocka_unit_test(random_everything),
		cmocka_unit_test(every_result_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
