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

/* One that has not got an answer asks with the same again, at once or late. */
static void names_what_was_not_heard_again(void **state)
{
	struct ports *pool = pool_new();
	uint32_t from = 0, again, other = 0, first, second;
	struct ports_stats stats;

	(void)state;
	assert_true(ports_keep(pool, 5, BLOCKS - 1)); /* all that can be drawn are below */
	assert_int_equal(ports_deal(pool, 5, &from), BLOCKS - 1);
	again = from;
	first = ports_deal(pool, 5, &from);
	for (unsigned i = 0, heard = again; i < 40; i++, heard = again)
		assert_int_equal(ports_deal(pool, 5, &heard), first);
	second = ports_deal(pool, 5, &from);
	assert_in_range(second, DEALT, BLOCKS - 2);
	assert_int_not_equal(second, first);
	assert_int_equal(ports_deal(pool, 5, &again), second);
	assert_int_not_equal(ports_deal(pool, 6, &other), second);
	ports_stats(pool, 5, &stats);
	assert_int_equal(stats.undealt - stats.reserve, 4);
	assert_true(ports_keep(pool, 7, second)); /* another's after all */
	again = 0;
	assert_int_equal(ports_deal(pool, 5, &again), first);
	assert_int_equal(ports_deal(pool, 5, &again), BLOCKS - 1);
	assert_int_not_equal(ports_deal(pool, 5, &again), second);
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

enum { SESSIONS = 20000, STEPS = 80000, BUSY = 12 /* buckets: more of each than it has by configuration */ };
enum { REPEATS = 5 /* of a question, at most */, LATE = 8 /* answers that are under way */ };

struct answer {
	bool given;
	uint32_t block, from;
};

struct world {
	struct ports *end[2];
	uint8_t at[PORTS_BUCKETS];           /* the end at which the bucket is */
	uint32_t from[PORTS_BUCKETS];        /* what the end that serves has heard of */
	struct answer answer[PORTS_BUCKETS]; /* the newest that has come there */
	struct answer late[PORTS_BUCKETS][LATE];
	uint16_t port[SESSIONS]; /* host order; 0: none */
	uint8_t bucket[SESSIONS];
	bool taken[65536];    /* ports */
	int16_t user[BLOCKS]; /* bucket that ever had the block; -1: none */
	unsigned opened_from_reserve;
	uint64_t seed;
};

/* An answer comes to the end that serves. */
static void hear(struct world *w, unsigned bucket, struct answer *answer)
{
	if (!answer->given)
		return;
	if (answer->block != PORTS_NO_BLOCK)
		ports_keep(w->end[SERVES], bucket, answer->block);
	w->answer[bucket] = *answer;
	answer->given = false;
}

/* Asks, once or several times; each answer comes now, late or never. */
static void ask(struct world *w, unsigned bucket)
{
	for (unsigned n = (unsigned)(next(&w->seed) % REPEATS) + 1; n; n--) {
		struct answer answer = { .given = true, .from = w->from[bucket] };
		unsigned fate = (unsigned)(next(&w->seed) % 4);

		answer.block = ports_deal(w->end[DEALER], bucket, &answer.from);
		if (fate == 0)
			continue;
		if (fate == 1)
			w->late[bucket][next(&w->seed) % LATE] = answer;
		else
			hear(w, bucket, &answer);
	}
}

static bool hand_over(struct world *w, unsigned bucket)
{
	struct answer answer = w->answer[bucket];

	if (!answer.given)
		return false;
	w->answer[bucket].given = false;
	w->from[bucket] = answer.from;
	return ports_mail(w->end[SERVES], bucket, answer.block);
}

/* A bucket that runs low is provided for as it is where it is. */
static void provide(struct world *w, unsigned bucket)
{
	struct ports *here = w->end[w->at[bucket]];

	hear(w, bucket, &w->late[bucket][next(&w->seed) % LATE]);
	if (!ports_wants(here, bucket) || ports_granted(here, bucket))
		return;
	if (w->at[bucket] == DEALER) {
		ports_grant(here, bucket);
		return;
	}
	if (!hand_over(w, bucket))
		ask(w, bucket);
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

/* What is said ahead of a session that moves. */
static void say_ahead(struct ports *to, unsigned bucket, uint16_t port)
{
	uint32_t block = ports_reserve_block(to, htonl(BASE), htons(port));

	if (block != PORTS_NO_BLOCK)
		assert_true(ports_keep(to, bucket, block));
}

/* Its sessions take their ports at the other end, and give them back here. */
static void move(struct world *w, unsigned bucket)
{
	struct ports *from = w->end[w->at[bucket]], *to = w->end[!w->at[bucket]];

	for (unsigned i = 0; i < SESSIONS; i++) {
		if (!w->port[i] || w->bucket[i] != bucket)
			continue;
		say_ahead(to, bucket, w->port[i]);
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
	for (unsigned i = 0; i < PORTS_BUCKETS; i++)
		w->from[i] = ports_deal_anew(w->end[DEALER], w->from[i]);
	memset(w->answer, 0, sizeof(w->answer));
	memset(w->late, 0, sizeof(w->late));
}

static void mark_used(struct ports *pool, bool *used)
{
	uint32_t from = 0, block;
	uint8_t bucket;

	while ((block = ports_next_given(pool, &from, &bucket)) != PORTS_NO_BLOCK)
		used[block] = true;
}

/* Whatever is lost, late or repeated: of what was dealt all is in use at one of the ends, but one block of each bucket that it has not got yet. */
static void assert_no_leak(const struct world *w)
{
	bool used[BLOCKS] = { false };
	unsigned unused[PORTS_BUCKETS] = { 0 };
	uint8_t bucket;

	mark_used(w->end[DEALER], used);
	mark_used(w->end[SERVES], used);
	for (uint32_t block = DEALT; block < BLOCKS; block++)
		if (ports_block_bucket(w->end[DEALER], block, &bucket) && !used[block])
			assert_in_range(++unused[bucket], 1, 1);
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
		if (step % 100 == 99)
			assert_no_leak(w);
	}
	assert_in_range(w->opened_from_reserve, STEPS / 8, STEPS);
	ports_free(w->end[DEALER]);
	ports_free(w->end[SERVES]);
	free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kept_is_nobody_elses),      cmocka_unit_test(kept_is_granted_first),
		cmocka_unit_test(deals_what_is_known_first), cmocka_unit_test(names_what_was_not_heard_again),
		cmocka_unit_test(tells_what_is_in_use),      cmocka_unit_test(at_two_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
