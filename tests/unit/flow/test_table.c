/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The session table against a naive model, full, with clashes, colliding digests and signatures; bulk lookup.
 */
#include "helper_flow.h"

#include <stdlib.h>

#include "flow/table_private.h"

/* The model: an array of what should be there, indexed by a small number that a tuple is made of. */
enum { MODEL = 4096 };

static struct tuple model_tuple(uint32_t n, bool v6)
{
	struct tuple t = v6 ? test_tuple6(17, n, 1000, 77, 53)
	                    : test_tuple4(6, 0x0a000000 + (n >> 4), 1000 + (n & 15), 0xc0000201, 80);

	t.zone = n & 1;
	return t;
}

static void check_pair(struct flow_table *table, const struct tuple *t, struct session *expected)
{
	struct tuple back = tuple_reverse(t);
	int direction = -1;

	assert_ptr_equal(flow_find(table, t, &direction), expected);
	assert_true(!expected || direction == 0);
	assert_ptr_equal(flow_find(table, &back, &direction), expected);
	assert_true(!expected || direction == 1);
}

static void model_step(struct flow_table *table, struct session **model, uint64_t *seed, uint32_t *live)
{
	uint32_t n = test_random(seed) % (2 * MODEL);
	struct tuple t = model_tuple(n, n >= MODEL);
	struct session *s = NULL;

	if (test_random(seed) % 100 < 45 && model[n]) {
		flow_remove(table, model[n]);
		model[n] = NULL;
		(*live)--;
	} else if (model[n]) {
		assert_int_equal(test_open(table, &t, 0, &s), FLOW_CLASH);
	} else {
		assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
		model[n] = s;
		(*live)++;
	}
	check_pair(table, &t, model[n]);
}

static void count_visit(void *context, struct session *s)
{
	(void)s;
	++*(uint32_t *)context;
}

static uint32_t walk_all(struct flow_table *table, unsigned slice)
{
	uint64_t cursor = 0;
	uint32_t seen = 0;

	do
		flow_walk(table, &cursor, slice, count_visit, &seen);
	while (cursor);
	return seen;
}

static void against_model(void **state)
{
	/* The half-open share is opened up: this is about keys. */
	struct flow_options options = {
		.sessions_v4 = MODEL, .sessions_v6 = MODEL, .hash_seed = 9, .max_half_open_percent = 100
	};
	struct errors errors = ERRORS_NONE;
	struct flow_table *table = flow_table_new(&options, &errors);
	struct session **model = calloc(2 * MODEL, sizeof(*model));
	struct flow_stats stats;
	uint64_t seed = 1;
	uint32_t live = 0;

	(void)state;
	for (int i = 0; i < 200000; i++)
		model_step(table, model, &seed, &live);
	for (uint32_t n = 0; n < 2 * MODEL; n++) {
		struct tuple t = model_tuple(n, n >= MODEL);

		check_pair(table, &t, model[n]);
	}
	flow_stats(table, &stats);
	assert_int_equal(stats.live, live);
	assert_int_equal(stats.used_v4 + stats.used_v6, live);
	assert_int_equal(stats.half_open, live);
	assert_int_equal(stats.opened - stats.closed, live);
	assert_int_equal(walk_all(table, 37), live);
	assert_true(stats.clashes > 1000);
	free(model);
	flow_table_free(table);
}

/* Fills a table to its last record; other protocols are not half-open. */
static void fill(uint32_t capacity)
{
	struct flow_table *table = test_table(NULL, capacity, 0);
	uint64_t seed = capacity;
	struct session *s;
	struct flow_stats stats;

	for (uint32_t i = 0; i < capacity; i++) {
		struct tuple t = test_tuple4(47, test_random(&seed), 0, i, 0);

		assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	}
	for (uint32_t i = 0; i < 3; i++) {
		struct tuple t = test_tuple4(47, 1, 0, capacity + i, 0);

		assert_int_equal(test_open(table, &t, 5000, &s), FLOW_FULL);
	}
	flow_stats(table, &stats);
	assert_int_equal(stats.live, capacity);
	assert_int_equal(stats.full, 3);
	flow_table_free(table);
}

static void fills_up(void **state)
{
	(void)state;
	for (uint32_t capacity = 1; capacity < 200; capacity += 7)
		fill(capacity);
	fill(65536);
	fill(300000);
}

/* Nothing may be left over after everything has gone: overflow buckets come back, and the second round is
 * like the first. */
static void empties_again(void **state)
{
	enum { N = 20000 };
	struct flow_table *table = test_table(NULL, N, 0);
	struct session **all = calloc(N, sizeof(*all));

	(void)state;
	for (int round = 0; round < 5; round++) {
		for (uint32_t i = 0; i < N; i++) {
			struct tuple t = test_tuple4(47, i, 0, 0x80000000 + (uint32_t)round, 0);

			assert_int_equal(test_open(table, &t, 0, &all[i]), FLOW_OK);
		}
		for (uint32_t i = 0; i < N; i++)
			flow_remove(table, all[(i * 7919) % N]);
		for (uint32_t b = 0; b < table->bucket_count; b++) {
			assert_int_equal(bucket_match(&table->buckets[b], 0), 0xff);
			assert_int_equal(table->buckets[b].overflow, 0);
		}
	}
	assert_int_equal(walk_all(table, 1000), 0);
	free(all);
	flow_table_free(table);
}

static void clashes(void **state)
{
	struct flow_table *table = test_table(NULL, 64, 64);
	struct tuple a = test_tuple4(6, 1, 10, 2, 20), b = test_tuple4(6, 3, 30, 2, 20),
	             loop = test_tuple4(17, 5, 7, 5, 7);
	struct tuple back = tuple_reverse(&a);
	struct session *s, *other;
	struct flow_stats stats;

	(void)state;
	assert_int_equal(test_open(table, &a, 0, &s), FLOW_OK);
	/* A free forward key whose answers would come in as those of another session. */
	assert_int_equal(flow_reserve(table, &b, 0, &other), FLOW_OK);
	assert_int_equal(flow_commit(table, other, &back), FLOW_CLASH);
	assert_null(flow_find(table, &b, &(int){ 0 }));
	/* Still reserved: another port will do, as NAT does it. */
	back.dport = 77;
	assert_int_equal(flow_commit(table, other, &back), FLOW_OK);
	assert_ptr_equal(flow_find(table, &b, &(int){ 0 }), other);
	assert_ptr_equal(flow_find(table, &back, &(int){ 0 }), other);
	/* Both keys the same: it would clash with itself. */
	assert_int_equal(test_open(table, &loop, 0, &s), FLOW_CLASH);
	assert_null(flow_find(table, &loop, &(int){ 0 }));
	flow_stats(table, &stats);
	assert_int_equal(stats.clashes, 2);
	assert_int_equal(stats.used_v4, 2);
	assert_int_equal(stats.half_open, 2);
	flow_table_free(table);
}

static void oneway_has_one_key(void **state)
{
	struct flow_table *table = test_table(NULL, 16, 0);
	struct tuple t = test_tuple4(6, 1, 10, 2, 20), back = tuple_reverse(&t);
	struct session *s;

	(void)state;
	assert_int_equal(flow_reserve(table, &t, 0, &s), FLOW_OK);
	assert_int_equal(flow_commit(table, s, NULL), FLOW_OK);
	assert_true(s->flags & SESSION_ONEWAY);
	assert_ptr_equal(flow_find(table, &t, &(int){ 0 }), s);
	assert_null(flow_find(table, &back, &(int){ 0 }));
	flow_remove(table, s);
	assert_null(flow_find(table, &t, &(int){ 0 }));
	flow_table_free(table);
}

struct digest {
	uint32_t digest, number;
};

static int by_digest(const void *a, const void *b)
{
	const struct digest *x = a, *y = b;

	return (x->digest > y->digest) - (x->digest < y->digest);
}

/* Two addresses of one digest, by trying: 2^18 of them have some. */
static void collide(struct flow_table *table, uint64_t *one, uint64_t *two)
{
	enum { TRIES = 1 << 18 };
	struct digest *all = calloc(TRIES, sizeof(*all));
	uint32_t i = 0;

	for (uint32_t n = 0; n < TRIES; n++) {
		struct tuple t = test_tuple6(17, n, 0, 0, 0);

		all[n] = (struct digest){ flow_digest6(table, t.src.bytes), n };
	}
	qsort(all, TRIES, sizeof(*all), by_digest);
	while (i + 1 < TRIES && all[i].digest != all[i + 1].digest)
		i++;
	assert_true(i + 1 < TRIES);
	*one = all[i].number;
	*two = all[i + 1].number;
	free(all);
}

static void digests_collide(void **state)
{
	struct flow_table *table = test_table(NULL, 0, 64);
	struct session *s, *other;
	struct tuple a, b;
	struct rte_mbuf *m[2];
	uint64_t one, two;

	(void)state;
	collide(table, &one, &two);
	a = test_tuple6(17, one, 1, 99, 2);
	b = test_tuple6(17, two, 1, 99, 2);
	assert_int_equal(flow_hash(table, &a), flow_hash(table, &b));
	assert_int_equal(test_open(table, &a, 0, &s), FLOW_OK);
	check_pair(table, &b, NULL);
	assert_int_equal(test_open(table, &b, 0, &other), FLOW_OK);
	check_pair(table, &a, s);
	check_pair(table, &b, other);
	m[0] = test_packet(0, &a);
	m[1] = test_packet(1, &b);
	assert_int_equal(flow_lookup(table, m, 2, 3), 3);
	assert_ptr_equal(pkt_of(m[0])->session, s);
	assert_ptr_equal(pkt_of(m[1])->session, other);
	flow_remove(table, s);
	check_pair(table, &a, NULL);
	check_pair(table, &b, other);
	assert_int_equal(flow_lookup(table, m, 2, 3), 2);
	flow_table_free(table);
}

/* The packet becomes an ICMP error about one that went the other way; its own addresses say nothing. */
static void make_error(struct rte_mbuf *m, const struct tuple *t)
{
	struct pkt *p = pkt_of(m);

	p->flags |= PKT_ICMP_ERROR;
	p->inner_l3 = (uint16_t)(p->l4 + 8);
	if (p->flags & PKT_V6) {
		memset(pkt_ip6(m)->src_addr, 7, 16);
		memcpy(pkt_at(m, p->inner_l3 + 8), &t->dst, 16);
		memcpy(pkt_at(m, p->inner_l3 + 24), &t->src, 16);
	} else {
		pkt_ip4(m)->src_addr = 7;
		memcpy(pkt_at(m, p->inner_l3 + 12), &t->dst, 4);
		memcpy(pkt_at(m, p->inner_l3 + 16), &t->src, 4);
	}
}

static void bulk_agrees_with_single(void **state)
{
	enum { N = 3000 };
	struct flow_options options = {
		.sessions_v4 = N, .sessions_v6 = N, .hash_seed = 3, .max_half_open_percent = 100
	};
	struct errors errors = ERRORS_NONE;
	struct flow_table *table = flow_table_new(&options, &errors);
	struct rte_mbuf *m[TEST_PACKETS];
	struct tuple t[TEST_PACKETS];
	struct session *s;
	uint64_t seed = 5;

	(void)state;
	for (uint32_t i = 0; i < 2 * N; i += 2) {
		struct tuple opened = model_tuple(i, i & 2);

		assert_int_equal(test_open(table, &opened, 0, &s), FLOW_OK);
	}
	for (int round = 0; round < 2000; round++) {
		unsigned n = 1 + test_random(&seed) % TEST_PACKETS;
		uint64_t which = round & 1 ? UINT64_MAX
		                           : (uint64_t)test_random(&seed) << 32 | test_random(&seed),
		         hits;

		for (unsigned i = 0; i < n; i++) {
			uint32_t number = test_random(&seed) % (2 * N);

			t[i] = model_tuple(number, number & 2);
			if (test_random(&seed) & 1)
				t[i] = tuple_reverse(&t[i]);
			m[i] = test_packet(i, &t[i]);
			if (test_random(&seed) % 4 == 0)
				make_error(m[i], &t[i]);
			pkt_of(m[i])->session = (struct session *)m;
		}
		hits = flow_lookup(table, m, n, which);
		for (unsigned i = 0; i < n; i++) {
			int direction = 0;

			s = flow_find(table, &t[i], &direction);
			if (!(which >> i & 1)) {
				assert_ptr_equal(pkt_of(m[i])->session, m);
				assert_false(hits >> i & 1);
				continue;
			}
			assert_ptr_equal(pkt_of(m[i])->session, s);
			assert_int_equal(hits >> i & 1, s != NULL);
			assert_int_equal(pkt_of(m[i])->hash, flow_hash(table, &t[i]));
			assert_int_equal(pkt_of(m[i])->dir, direction);
		}
		assert_true(n == 64 || hits >> n == 0);
	}
	flow_table_free(table);
}

/* Buckets must be evenly used whatever part of the key differs. */
static void check_spread(struct flow_table *table, struct tuple (*make)(uint32_t))
{
	enum { N = 100000, BINS = 1024 };
	static uint32_t bins[BINS], low[BINS];
	double expected = (double)N / BINS, chi = 0, chi_low = 0;

	memset(bins, 0, sizeof(bins));
	memset(low, 0, sizeof(low));
	for (uint32_t i = 0; i < N; i++) {
		struct tuple t = make(i);
		uint32_t hash = flow_hash(table, &t);

		bins[hash >> 22]++;
		low[hash & (BINS - 1)]++;
	}
	for (int i = 0; i < BINS; i++) {
		chi += (bins[i] - expected) * (bins[i] - expected) / expected;
		chi_low += (low[i] - expected) * (low[i] - expected) / expected;
	}
	/* 1023 degrees of freedom: mean 1023, standard deviation 45. */
	assert_true(chi < 1023 + 8 * 45);
	assert_true(chi_low < 1023 + 8 * 45);
}

static struct tuple by_port(uint32_t i)
{
	return test_tuple4(6, 0x0a000001, (uint16_t)i, 0xc0000201, (uint16_t)(80 + (i >> 16)));
}

static struct tuple by_address(uint32_t i)
{
	return test_tuple4(6, 0x0a000000 + i, 1024, 0xc0000201, 80);
}

static struct tuple by_both(uint32_t i)
{
	return test_tuple4(6, 0x0a000000 + (i & 255), (uint16_t)(i >> 8), 0xc0000200 + (i & 255),
	                   (uint16_t)(i >> 8));
}

static struct tuple by_address6(uint32_t i)
{
	return test_tuple6(6, (uint64_t)i << 40, 1024, 1, 80);
}

static void hash_spreads(void **state)
{
	struct flow_table *table = test_table(NULL, 16, 16);
	struct tuple t = by_port(1), back = tuple_reverse(&t);

	(void)state;
	check_spread(table, by_port);
	check_spread(table, by_address);
	check_spread(table, by_both);
	check_spread(table, by_address6);
	assert_int_not_equal(flow_hash(table, &t), flow_hash(table, &back));
	flow_table_free(table);
}

static void half_open_limit(void **state)
{
	struct flow_table *table = test_table(NULL, 100, 0);
	struct session *s, *first = NULL;
	struct flow_stats stats;
	struct tuple t;

	(void)state;
	for (uint32_t i = 0; i < 25; i++) {
		t = test_tuple4(6, 1, 1, 2, (uint16_t)i);
		assert_int_equal(test_open(table, &t, 10 * i, &s), FLOW_OK);
		first = first ? first : s;
		assert_int_equal(flow_half_open_above(table, &t, 40), i + 1 >= 10);
		assert_int_equal(flow_half_open_above(table, &t, 100), i + 1 == 25);
	}
	t = test_tuple4(6, 9, 9, 8, 8);
	assert_int_equal(test_open(table, &t, 999, &s), FLOW_HALF_OPEN);
	/* Others do not count as half-open. */
	t.proto = 47;
	assert_int_equal(test_open(table, &t, 999, &s), FLOW_OK);
	/* A second after the oldest one's last packet it makes room; the next is not old enough yet. */
	t.proto = 17;
	assert_int_equal(test_open(table, &t, 1000, &s), FLOW_OK);
	assert_ptr_equal(s, first);
	t.sport++;
	assert_int_equal(test_open(table, &t, 1005, &s), FLOW_HALF_OPEN);
	assert_int_equal(test_open(table, &t, 1010, &s), FLOW_OK);
	flow_stats(table, &stats);
	assert_int_equal(stats.half_open, 25);
	assert_int_equal(stats.evicted, 2);
	assert_int_equal(stats.half_open_refused, 2);
	flow_table_free(table);
}

static bool refuse_first(void *context, struct session *s)
{
	return s != context;
}

static void full_evicts_half_open_only(void **state)
{
	struct flow_table *table = test_table(NULL, 8, 4);
	struct session *s, *half[2], *six;
	struct tuple t;

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		t = test_tuple4(47, 100, 0, i, 0);
		assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	}
	/* An older one of the other family, which is no room for IPv4. */
	t = test_tuple6(6, 1, 1, 2, 2);
	assert_int_equal(test_open(table, &t, 0, &six), FLOW_OK);
	for (uint16_t i = 0; i < 2; i++) {
		t = test_tuple4(6, 1, 1, 2, i);
		assert_int_equal(test_open(table, &t, 100, &half[i]), FLOW_OK);
	}
	t = test_tuple4(47, 200, 0, 0, 0);
	assert_int_equal(test_open(table, &t, 1099, &s), FLOW_FULL);
	/* The callback, and held packets, protect a session; the next oldest goes. */
	flow_on_evict(table, refuse_first, half[0]);
	assert_int_equal(test_open(table, &t, 1100, &s), FLOW_OK);
	assert_ptr_equal(s, half[1]);
	half[0]->flags |= SESSION_HELD;
	flow_on_evict(table, NULL, NULL);
	t.dst.v4++;
	assert_int_equal(test_open(table, &t, 9000, &s), FLOW_FULL);
	half[0]->flags &= (uint8_t)~SESSION_HELD;
	assert_int_equal(test_open(table, &t, 99000, &s), FLOW_OK);
	t.dst.v4++;
	assert_int_equal(test_open(table, &t, 990000, &s), FLOW_FULL);
	t = test_tuple6(6, 1, 1, 2, 2);
	assert_ptr_equal(flow_find(table, &t, &(int){ 0 }), six);
	flow_table_free(table);
}

/* A server that resets whatever comes must not let whoever knocks fill the table with sessions that are over. */
static void full_evicts_what_is_over(void **state)
{
	struct flow_table *table = test_table(NULL, 8, 4);
	const struct test_segment steps[] = {
		{ .dir = 0, .flags = RTE_TCP_SYN_FLAG, .seq = 99, .window = 1000, .scale = -1 },
		{ .dir = 1, .flags = RTE_TCP_RST_FLAG | RTE_TCP_ACK_FLAG, .ack = 100, .scale = -1 },
	};
	struct session *s, *live[4];
	struct flow_stats stats;
	struct tuple t;

	(void)state;
	for (uint16_t i = 0; i < 8; i++) {
		t = test_tuple4(6, 1, 1, 2, i);
		assert_int_equal(test_open(table, &t, 10 * i, &s), FLOW_OK);
		for (unsigned k = 0; k < 2; k++)
			assert_int_equal(flow_touch(table, s, test_segment(s, &steps[k]), 10 * i),
			                 FLOW_VALID);
		assert_int_equal(s->klass, CLASS_TCP_CLOSING);
		if (i >= 4)
			continue;
		live[i] = s; /* the elder half has only been closed by one side */
		s->tcp_state[0] = TCP_FIN_ACKED;
		s->tcp_state[1] = TCP_ESTABLISHED;
	}
	t = test_tuple4(47, 200, 0, 0, 0);
	assert_int_equal(test_open(table, &t, 1039, &s), FLOW_FULL);
	for (unsigned i = 0; i < 4; i++, t.dst.v4++)
		assert_int_equal(test_open(table, &t, 1070, &s), FLOW_OK);
	assert_int_equal(test_open(table, &t, 99999, &s), FLOW_FULL);
	for (uint16_t i = 0; i < 4; i++) {
		t = test_tuple4(6, 1, 1, 2, i);
		assert_ptr_equal(flow_find(table, &t, &(int){ 0 }), live[i]);
	}
	flow_stats(table, &stats);
	assert_int_equal(stats.evicted, 4);
	flow_table_free(table);
}

static void ids(void **state)
{
	struct flow_table *table = test_table(NULL, 4, 4);
	struct tuple t = test_tuple4(6, 1, 1, 2, 2), t6 = test_tuple6(6, 1, 1, 2, 2);
	struct session *s, *six;
	uint64_t id;

	(void)state;
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	assert_int_equal(test_open(table, &t6, 0, &six), FLOW_OK);
	id = flow_id(table, s);
	assert_ptr_equal(flow_by_id(table, id), s);
	assert_ptr_equal(flow_by_id(table, flow_id(table, six)), six);
	assert_int_not_equal(id, flow_id(table, six));
	session_write_begin(s);
	assert_int_equal(flow_id(table, s), id);
	session_write_end(s);
	flow_remove(table, s);
	assert_null(flow_by_id(table, id));
	assert_int_equal(test_open(table, &t, 0, &s), FLOW_OK);
	assert_null(flow_by_id(table, id));
	assert_null(flow_by_id(table, UINT64_MAX));
	flow_table_free(table);
}

static void bad_options(void **state)
{
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_null(flow_table_new(&(struct flow_options){ 0 }, &errors));
	assert_null(flow_table_new(&(struct flow_options){ .sessions_v4 = UINT32_MAX }, &errors));
	assert_null(flow_table_new(&(struct flow_options){ .sessions_v4 = 1, .slot_bytes = 5000 }, &errors));
	assert_null(flow_table_new(&(struct flow_options){ .sessions_v4 = 1, .max_half_open_percent = 101 },
	                           &errors));
	assert_null(
	        flow_table_new(&(struct flow_options){ .sessions_v4 = 1, .file = "/nowhere/file" }, &errors));
	assert_null(flow_table_new(&(struct flow_options){ .sessions_v4 = 1, .file = "/dev/null" }, &errors));
	assert_int_equal(errors.count, 6);
	errors_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_model),
		cmocka_unit_test(fills_up),
		cmocka_unit_test(empties_again),
		cmocka_unit_test(clashes),
		cmocka_unit_test(oneway_has_one_key),
		cmocka_unit_test(digests_collide),
		cmocka_unit_test(bulk_agrees_with_single),
		cmocka_unit_test(hash_spreads),
		cmocka_unit_test(half_open_limit),
		cmocka_unit_test(full_evicts_half_open_only),
		cmocka_unit_test(full_evicts_what_is_over),
		cmocka_unit_test(ids),
		cmocka_unit_test(bad_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
