/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A pool that is known at two ends, of which one deals the blocks of both: no block is ever two buckets', wherever buckets are, whoever begins anew.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "flow/ports.h"
#include "util/errors.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BASE 0xc6336400u

enum { FIRST = 1024, DEALT = 504, BLOCKS = 1008, DEALER = 0, SERVES = 1 };

static struct ports *pool_new(void)
{
	struct ports_range range = { htonl(BASE), htonl(BASE) };
	struct errors errors = ERRORS_NONE;
	struct ports *pool = ports_new(&(struct ports_options){ &range, 1, 0, 0 }, &errors);

	assert_non_null(pool);
	return pool;
}

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

/* --- one after the other --- */

static void kept_is_nobody_elses(void **state)
{
	struct ports *pool = pool_new();
	uint16_t port = htons(FIRST + 600 * 64);
	uint8_t bucket = 0;

	(void)state;
	assert_true(ports_undealt(pool, htonl(BASE), port));
	assert_false(ports_block_bucket(pool, 600, &bucket));
	assert_int_equal(ports_reserve_block(pool, htonl(BASE), port), 600);
	assert_int_equal(ports_reserve_block(pool, htonl(BASE), htons(FIRST)), PORTS_NO_BLOCK);
	assert_true(ports_keep(pool, 9, 600));
	assert_false(ports_undealt(pool, htonl(BASE), port));
	assert_true(ports_block_bucket(pool, 600, &bucket));
	assert_int_equal(bucket, 9);
	assert_int_equal(ports_owner(pool, htonl(BASE), port), 9);
	for (unsigned i = 0; i < BLOCKS - DEALT - 1; i++) {
		assert_true(ports_grant(pool, 7));
		ports_adopt(pool, 7);
	}
	assert_false(ports_grant(pool, 7));
	assert_int_equal(ports_owner(pool, htonl(BASE), port), 9);
	assert_false(ports_claim(pool, 7, PORTS_TCP, htonl(BASE), port));
	assert_true(ports_claim(pool, 9, PORTS_TCP, htonl(BASE), port));
	assert_false(ports_keep(pool, 7, 600)); /* in use */
	assert_true(ports_keep(pool, 9, 600));
	assert_false(ports_keep(pool, 9, 3));
	assert_false(ports_keep(pool, 9, BLOCKS));
	assert_false(ports_keep(pool, 9, PORTS_NO_BLOCK));
	ports_free(pool);
}

/* What is kept for a bucket is what it gets first; a grant that waits is no obstacle to a claim. */
static void kept_is_granted_first(void **state)
{
	struct ports *pool = pool_new();

	(void)state;
	assert_true(ports_keep(pool, 5, 700));
	assert_true(ports_keep(pool, 6, 701));
	assert_true(ports_grant(pool, 5));
	assert_true(ports_claim(pool, 5, PORTS_UDP, htonl(BASE), htons(FIRST + 700 * 64 + 1)));
	assert_false(ports_mail(pool, 5, 701));
	assert_true(ports_mail(pool, 6, 701));
	assert_false(ports_mail(pool, 6, 701));
	assert_true(ports_claim(pool, 6, PORTS_UDP, htonl(BASE), htons(FIRST + 701 * 64)));
	ports_free(pool);
}

static void deals_what_is_known_first(void **state)
{
	struct ports *pool = pool_new();
	uint32_t from = 0;

	(void)state;
	assert_true(ports_keep(pool, 5, 700));
	assert_true(ports_claim(pool, 5, PORTS_UDP, htonl(BASE), htons(FIRST + 800 * 64)));
	assert_int_equal(ports_deal(pool, 5, &from), 700);
	assert_int_equal(ports_deal(pool, 5, &from), 800);
	for (unsigned i = 2; i < BLOCKS - DEALT; i++)
		assert_in_range(ports_deal(pool, 5, &from), DEALT, BLOCKS - 1);
	assert_int_equal(ports_deal(pool, 5, &from), PORTS_NO_BLOCK);
	assert_int_equal(from, PORTS_NO_BLOCK);
	ports_free(pool);
}

static void tells_what_is_in_use(void **state)
{
	struct ports *pool = pool_new();
	uint32_t from = 0;
	uint8_t bucket = 0;

	(void)state;
	assert_true(ports_keep(pool, 5, 700));
	assert_true(ports_claim(pool, 6, PORTS_UDP, htonl(BASE), htons(FIRST + 800 * 64)));
	assert_int_equal(ports_next_given(pool, &from, &bucket), 800);
	assert_int_equal(bucket, 6);
	assert_int_equal(ports_next_given(pool, &from, &bucket), PORTS_NO_BLOCK);
	assert_int_equal(from, PORTS_NO_BLOCK);
	ports_free(pool);
}

/* --- at two ends --- */

enum { SESSIONS = 5000, STEPS = 40000, BUSY = 12 /* buckets: more of each than it has by configuration */ };

struct world {
	struct ports *end[2];
	uint8_t at[PORTS_BUCKETS];    /* the end at which the bucket is */
	uint32_t from[PORTS_BUCKETS]; /* what the end that serves has heard of */
	uint16_t port[SESSIONS];      /* host order; 0: none */
	uint8_t bucket[SESSIONS];
	bool taken[65536];    /* ports */
	int16_t user[BLOCKS]; /* bucket that ever had the block; -1: none */
	unsigned opened_from_reserve;
	uint64_t seed;
};

/* A bucket that runs low is provided for as it is where it is. */
static void provide(struct world *w, unsigned bucket)
{
	struct ports *here = w->end[w->at[bucket]];
	uint32_t block, from = w->from[bucket];

	if (!ports_wants(here, bucket) || ports_granted(here, bucket))
		return;
	if (w->at[bucket] == DEALER) {
		ports_grant(here, bucket);
		return;
	}
	block = ports_deal(w->end[DEALER], bucket, &from);
	if (next(&w->seed) % 8 == 0)
		return; /* the answer is lost */
	w->from[bucket] = from;
	if (block != PORTS_NO_BLOCK && ports_keep(here, bucket, block))
		ports_mail(here, bucket, block);
}

static void open_one(struct world *w, unsigned i)
{
	unsigned bucket = (unsigned)(next(&w->seed) % BUSY);
	struct ports_request request = { .space = PORTS_TCP, .seed = (uint32_t)next(&w->seed) };
	uint32_t address, block;
	uint16_t port;

	provide(w, bucket);
	if (!ports_allocate(w->end[w->at[bucket]], bucket, &request, &address, &port))
		return;
	assert_false(w->taken[ntohs(port)]);
	w->taken[ntohs(port)] = true;
	block = (ntohs(port) - FIRST) / 64u;
	if (w->user[block] < 0)
		w->user[block] = (int16_t)bucket;
	assert_int_equal(w->user[block], bucket);
	assert_int_equal(ports_owner(w->end[DEALER], address, port), bucket);
	w->opened_from_reserve += block >= DEALT;
	w->port[i] = ntohs(port);
	w->bucket[i] = (uint8_t)bucket;
}

static void close_one(struct world *w, unsigned i)
{
	assert_true(ports_release(w->end[w->at[w->bucket[i]]], w->bucket[i], PORTS_TCP, htonl(BASE),
	                          htons(w->port[i])));
	w->taken[w->port[i]] = false;
	w->port[i] = 0;
}

/* Its sessions take their ports at the other end, and give them back here. */
static void move(struct world *w, unsigned bucket)
{
	struct ports *from = w->end[w->at[bucket]], *to = w->end[!w->at[bucket]];

	for (unsigned i = 0; i < SESSIONS; i++) {
		if (!w->port[i] || w->bucket[i] != bucket)
			continue;
		assert_true(ports_claim(to, bucket, PORTS_TCP, htonl(BASE), htons(w->port[i])));
		assert_true(ports_release(from, bucket, PORTS_TCP, htonl(BASE), htons(w->port[i])));
	}
	w->at[bucket] = !w->at[bucket];
}

/* One end is a new process: it is told by the other what that uses, and finds the sessions of its own. */
static void begin_anew(struct world *w, unsigned end)
{
	uint32_t from = 0, block;
	uint8_t bucket;

	ports_free(w->end[end]);
	w->end[end] = pool_new();
	for (unsigned i = 0; i < SESSIONS; i++)
		if (w->port[i] && w->at[w->bucket[i]] == end)
			assert_true(ports_claim(w->end[end], w->bucket[i], PORTS_TCP, htonl(BASE),
			                        htons(w->port[i])));
	while (end == DEALER && (block = ports_next_given(w->end[SERVES], &from, &bucket)) != PORTS_NO_BLOCK)
		ports_keep(w->end[DEALER], bucket, block);
	for (unsigned i = 0; i < BLOCKS; i++) /* what none has any more may be given to others */
		w->user[i] = -1;
	for (unsigned i = 0; i < SESSIONS; i++)
		if (w->port[i])
			w->user[(w->port[i] - FIRST) / 64u] = w->bucket[i];
	memset(w->from, 0, sizeof(w->from));
}

static void at_two_ends(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	(void)state;
	assert_non_null(w);
	w->end[DEALER] = pool_new();
	w->end[SERVES] = pool_new();
	w->seed = 7;
	memset(w->user, 0xff, sizeof(w->user));
	for (unsigned step = 0; step < STEPS; step++) {
		unsigned i = (unsigned)(next(&w->seed) % SESSIONS), what = (unsigned)(next(&w->seed) % 4000);

		if (w->port[i])
			close_one(w, i);
		else
			open_one(w, i);
		if (what < BUSY)
			move(w, what);
		if (what == 3999)
			begin_anew(w, DEALER);
	}
	assert_in_range(w->opened_from_reserve, STEPS / 8, STEPS);
	ports_free(w->end[DEALER]);
	ports_free(w->end[SERVES]);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_is_nobody_elses),
		cmocka_unit_test(kept_is_granted_first),
		cmocka_unit_test(deals_what_is_known_first),
		cmocka_unit_test(tells_what_is_in_use),
		cmocka_unit_test(at_two_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
