/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is given new sessions: schedulers against weights, failures, slow start, drains, backups, limits. */
#include "helper_lb.h"

#include <stdio.h>
#include <string.h>

#define VIP "198.51.100.80"
#define SERVICE(more, backends)                                                              \
	"{'services':[{'name':'web','address':'" VIP "','protocol':'udp','ports':'80'," more \
	"'backends':[" backends "]}]}"
#define B(n, more) "{'name':'b" #n "','address':'192.0.2." #n "','port':8080" more "}"
#define THREE      B(1, ",'weight':1") "," B(2, ",'weight':2") "," B(3, ",'weight':5")

enum { SPREAD = 8000 };

static void in_tenth(unsigned count, unsigned expected)
{
	assert_in_range(count, expected - expected / 10, expected + expected / 10);
}

static void hundred(char *text, size_t size, const char *more)
{
	size_t used = (size_t)snprintf(text, size,
	                               "{'services':[{'name':'web','address':'" VIP
	                               "','protocol':'udp','ports':'80',%s'backends':[",
	                               more);

	for (unsigned i = 1; i <= 100; i++)
		used += (size_t)snprintf(text + used, size - used,
		                         "%s{'name':'b%u','address':'192.0.2.%u','port':8080}",
		                         i > 1 ? "," : "", i, i);
	snprintf(text + used, size - used, "]}]}");
}

static void spread_of(const char *config, unsigned *counts, unsigned backends)
{
	struct bench b;

	bench_start(&b, NULL, config);
	bench_spread(&b, VIP, SPREAD, counts, backends);
	assert_int_equal(counts[0], 0);
	bench_close_all(&b);
	bench_stop(&b);
}

static void weights(void **state)
{
	static const char *const weighted[] = {
		SERVICE("'scheduler':'maglev',", THREE),
		SERVICE("'scheduler':'source-hash',", THREE),
		SERVICE("'scheduler':'weighted-round-robin',", THREE),
		SERVICE("'scheduler':'weighted-least-connections',", THREE),
	};
	static const char *const equal[] = {
		SERVICE("'scheduler':'round-robin',", THREE),
		SERVICE("'scheduler':'least-connections',", THREE),
	};
	unsigned counts[4];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		spread_of(weighted[i], counts, 3);
		in_tenth(counts[1], SPREAD / 8);
		in_tenth(counts[2], SPREAD / 4);
		in_tenth(counts[3], SPREAD * 5 / 8);
	}
	for (unsigned i = 0; i < 2; i++) {
		spread_of(equal[i], counts, 3);
		for (unsigned k = 1; k <= 3; k++)
			assert_in_range(counts[k], SPREAD / 3, SPREAD / 3 + 1);
	}
}

/* Whom 4000 flows of a client are given to. */
static void owners_of(struct bench *b, unsigned *owners)
{
	for (unsigned i = 0; i < 4000; i++) {
		struct session *s = bench_open(
		        b, &(struct flow){ IPPROTO_UDP, "10.1.1.1", (uint16_t)(1024 + i), VIP, 80 });

		owners[i] = bench_backend(b, s);
		bench_close(b, s);
	}
}

/* Number 42 of 100 has been taken out of use: its share is spread over the others, and of these no flow has moved. */
static void only_its_own_moved(const unsigned *before, const unsigned *after)
{
	unsigned own = 0, counts[101] = { 0 };

	for (unsigned i = 0; i < 4000; i++) {
		if (before[i] != 42)
			assert_int_equal(after[i], before[i]);
		own += before[i] == 42;
		counts[after[i]] += before[i] == 42;
	}
	assert_true(own > 10);
	assert_int_equal(counts[42], 0);
	for (unsigned i = 1; i <= 100; i++)
		assert_true(counts[i] <= own / 4);
}

static void failure_moves_its_own(void **state)
{
	static unsigned before[SPREAD], after[SPREAD];
	static char config[16384];
	struct bench b;

	(void)state;
	hundred(config, sizeof(config), "");
	bench_start(&b, NULL, config);
	owners_of(&b, before);
	bench_health(&b, "b42", false);
	owners_of(&b, after);
	only_its_own_moved(before, after);
	bench_health(&b, "b42", true);
	owners_of(&b, after);
	assert_memory_equal(before, after, 4000 * sizeof(*before));
	bench_stop(&b);
}

static void drain_moves_its_own(void **state)
{
	static unsigned before[SPREAD], after[SPREAD];
	static char config[16384];
	struct bench b;
	char *at;

	(void)state;
	hundred(config, sizeof(config), "");
	bench_start(&b, NULL, config);
	owners_of(&b, before);
	at = strstr(config, "{'name':'b42'");
	memmove(at + 16, at, strlen(at) + 1); /* room for its state */
	memcpy(at, "{'state':'drain',", 17);
	bench_reload(&b, config);
	owners_of(&b, after);
	only_its_own_moved(before, after);
	bench_stop(&b);
}

/* One of 100 is taken out of the configuration: at most 2 % of the other flows would be given elsewhere. */
static void removal_moves_little(void **state)
{
	static unsigned before[SPREAD];
	static char config[16384];
	unsigned moved = 0, others = 0;
	char *gone;
	struct bench b;

	(void)state;
	hundred(config, sizeof(config), "");
	bench_start(&b, NULL, config);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < 4000; i++) {
			struct session *s = bench_open(
			        &b, &(struct flow){ IPPROTO_UDP, "10.1.1.1", (uint16_t)(1024 + i), VIP, 80 });

			if (round == 0) {
				before[i] = bench_backend(&b, s);
			} else if (before[i] != 42) {
				others++;
				moved += bench_backend(&b, s) != before[i];
			}
			bench_close(&b, s);
		}
		gone = strstr(config, "{'name':'b42'");
		if (round == 0) {
			memset(gone, ' ', (size_t)(strstr(gone, "{'name':'b43'") - gone));
			bench_reload(&b, config);
		}
	}
	assert_true(moved * 100 <= others * 2);
	bench_stop(&b);
}

/* A table that would be the same is taken over from the configuration before, and no other. */
static void tables_of_reloads(void **state)
{
	unsigned counts[4], again[4];
	struct bench b;

	(void)state;
	bench_start(&b, NULL, SERVICE("", THREE));
	bench_spread(&b, VIP, SPREAD, counts, 3);
	bench_close_all(&b);
	bench_reload(&b, SERVICE("'slowStart':1,", THREE));
	bench_spread(&b, VIP, SPREAD, again, 3);
	bench_close_all(&b);
	assert_memory_equal(counts, again, sizeof(counts));
	bench_reload(&b, SERVICE("", B(2, ",'weight':2") "," B(3, ",'weight':5") "," B(1, ",'weight':1")));
	bench_spread(&b, VIP, SPREAD, again, 3);
	bench_close_all(&b);
	assert_memory_equal(counts, again, sizeof(counts));
	bench_reload(&b, SERVICE("", B(2, ",'weight':5") "," B(3, ",'weight':2") "," B(1, ",'weight':1")));
	bench_spread(&b, VIP, SPREAD, counts, 3);
	bench_close_all(&b);
	in_tenth(counts[2], SPREAD * 5 / 8);
	bench_reload(&b, SERVICE("'tableSize':1009,",
	                         B(2, ",'weight':5") "," B(3, ",'weight':2") "," B(1, ",'weight':1")));
	bench_spread(&b, VIP, SPREAD, counts, 3);
	bench_close_all(&b);
	in_tenth(counts[2], SPREAD * 5 / 8);
	bench_stop(&b);
}

static void slow_start(void **state)
{
	static const char *const schedulers[] = { "maglev", "round-robin", "weighted-round-robin",
		                                  "source-hash" };
	unsigned counts[3];
	char config[512];

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		struct bench b;

		snprintf(config, sizeof(config),
		         SERVICE("'slowStart':100,'scheduler':'%s',", B(1, "") "," B(2, "")), schedulers[i]);
		bench_start(&b, NULL, config);
		bench_spread(&b, VIP, SPREAD, counts, 2);
		in_tenth(counts[1], SPREAD / 2);
		bench_close_all(&b);
		bench_health(&b, "b1", false);
		bench_health(&b, "b1", true);
		b.now += 10 * UINT64_C(1000000000);
		bench_spread(&b, VIP, SPREAD, counts, 2);
		assert_in_range(counts[1], SPREAD / 30, SPREAD / 7);
		bench_close_all(&b);
		b.now += 40 * UINT64_C(1000000000);
		bench_spread(&b, VIP, SPREAD, counts, 2);
		assert_in_range(counts[1], SPREAD / 5, SPREAD * 2 / 5);
		bench_close_all(&b);
		b.now += 60 * UINT64_C(1000000000);
		bench_spread(&b, VIP, SPREAD, counts, 2);
		in_tenth(counts[1], SPREAD / 2);
		bench_close_all(&b);
		bench_stop(&b);
	}
}

static void drain_and_backup(void **state)
{
	unsigned counts[4];
	struct session *old;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, SERVICE("", B(1, "") "," B(2, "") "," B(3, ",'backup':true")));
	bench_spread(&b, VIP, 100, counts, 3);
	assert_int_equal(counts[3], 0);
	bench_close_all(&b);
	do
		old = bench_open(&b, &(struct flow){ IPPROTO_UDP, "10.9.9.9", (uint16_t)b.now++, VIP, 80 });
	while (bench_backend(&b, old) != 1);
	bench_reload(&b, SERVICE("", B(1, ",'state':'drain'") "," B(2, "") "," B(3, ",'backup':true")));
	assert_int_equal(bench_review(&b, old), VERDICT_PASS);
	bench_spread(&b, VIP, 100, counts, 3);
	assert_int_equal(counts[2], 100);
	bench_close_all(&b);
	bench_health(&b, "b2", false);
	bench_spread(&b, VIP, 100, counts, 3);
	assert_int_equal(counts[3], 100);
	assert_int_equal(b.counters[LB_BACKUP_USED], 100);
	bench_close_all(&b);
	bench_health(&b, "b3", false);
	bench_spread(&b, VIP, 10, counts, 3);
	assert_int_equal(counts[0], 10);
	assert_int_equal(b.counters[LB_NO_BACKEND], 10);
	bench_reload(&b, SERVICE("", B(1, ",'maxSessions':5") "," B(3, ",'backup':true")));
	bench_health(&b, "b3", true);
	bench_spread(&b, VIP, 10, counts, 3);
	assert_int_equal(counts[1], 5);
	assert_int_equal(counts[3], 0); /* those that are merely full are not helped by a backup */
	assert_int_equal(b.counters[LB_BACKENDS_FULL], 5);
	bench_close_all(&b);
	bench_stop(&b);
}

/* By source hash a client has one backend whatever its ports are; by Maglev its connections are spread. */
static void ports_of_a_client(void **state)
{
	static const char *const schedulers[] = { SERVICE("'scheduler':'source-hash',", THREE),
		                                  SERVICE("", THREE) };

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		unsigned seen = 0;
		struct bench b;

		bench_start(&b, NULL, schedulers[i]);
		for (uint16_t port = 1024; port < 1124; port++) {
			struct session *s =
			        bench_open(&b, &(struct flow){ IPPROTO_UDP, "10.1.1.1", port, VIP, 80 });

			seen |= 1u << bench_backend(&b, s);
		}
		assert_int_equal(__builtin_popcount(seen), i ? 3 : 1);
		bench_close_all(&b);
		bench_stop(&b);
	}
}

static void limits(void **state)
{
	unsigned counts[3];
	struct session *s;
	struct bench b;

	(void)state;
	bench_start(&b, NULL, SERVICE("", B(1, ",'maxSessions':20") "," B(2, ",'maxSessions':30")));
	bench_spread(&b, VIP, 100, counts, 2);
	assert_int_equal(counts[1], 20);
	assert_int_equal(counts[2], 30);
	assert_int_equal(b.counters[LB_BACKENDS_FULL], 50);
	bench_close_all(&b);
	assert_int_equal(bench_sessions(&b, "b1") + bench_sessions(&b, "b2"), 0);
	bench_reload(&b, SERVICE("'maxSessions':7,", B(1, "") "," B(2, "")));
	bench_spread(&b, VIP, 20, counts, 2);
	assert_int_equal(counts[0], 13);
	assert_int_equal(b.counters[LB_SESSION_LIMIT], 13);
	s = bench_open(&b, &(struct flow){ IPPROTO_UDP, "10.0.0.1", 1024, VIP, 80 });
	bench_close(&b, s);
	assert_non_null(bench_open(&b, &(struct flow){ IPPROTO_UDP, "10.7.7.7", 1024, VIP, 80 }));
	bench_close_all(&b);
	bench_reload(&b, SERVICE("'newSessions':100,'newSessionsBurst':5,", B(1, "") "," B(2, "")));
	bench_spread(&b, VIP, 20, counts, 2);
	assert_int_equal(counts[0], 15);
	bench_close_all(&b);
	b.now += 30000000;
	bench_spread(&b, VIP, 20, counts, 2);
	assert_int_equal(counts[0], 17);
	assert_int_equal(b.counters[LB_RATE_LIMIT], 15 + 17);
	bench_close_all(&b);
	bench_reload(&b, SERVICE("'scheduler':'round-robin',",
	                         B(1, ",'newSessions':10,'newSessionsBurst':2") "," B(2, "")));
	bench_spread(&b, VIP, 20, counts, 2);
	assert_int_equal(counts[1], 2);
	assert_int_equal(counts[2], 18);
	bench_close_all(&b);
	bench_stop(&b);
}

/* Whoever asks: one worker alone, all in turn, or each in its time get what the rate says, also when it was another before. */
static void rates_of_all_workers(void **state)
{
	enum { WORKERS = 8, RATE = 1000, BURST = 20, MS = 1000000 };
	struct pool *pool = pool_create(WORKERS, NULL, NULL);
	struct token_bucket limit, slow;
	uint64_t now = 5000 * (uint64_t)MS;

	(void)state;
	assert_non_null(pool);
	token_bucket_init(&limit, RATE, BURST);
	token_bucket_init(&slow, 1, 1000);
	for (unsigned way = 0; way < 3; way++) {
		unsigned taken = 0, asked = 0;

		for (unsigned i = 0; i < 500; i++) /* an hour of the slow one is owed */
			pool_rate_take(pool, i % WORKERS, 3, &slow, now);
		for (unsigned ms = 0; ms < 2000; ms++, now += MS) {
			for (unsigned i = 0; i < 16; i++, asked++) {
				unsigned worker = way == 0   ? 5
				                  : way == 1 ? asked % WORKERS
				                             : ms / 250 % WORKERS;

				if (!pool_rate_has(pool, 3, &limit, now))
					continue;
				pool_rate_take(pool, worker, 3, &limit, now);
				taken++;
			}
		}
		assert_in_range(taken, 2 * RATE + BURST - 2, 2 * RATE + BURST);
		now += 10000 * (uint64_t)MS; /* what was not asked for is not saved up */
	}
	pool_destroy(pool);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(weights),
		cmocka_unit_test(failure_moves_its_own),
		cmocka_unit_test(drain_moves_its_own),
		cmocka_unit_test(ports_of_a_client),
		cmocka_unit_test(removal_moves_little),
		cmocka_unit_test(tables_of_reloads),
		cmocka_unit_test(slow_start),
		cmocka_unit_test(drain_and_backup),
		cmocka_unit_test(limits),
		cmocka_unit_test(rates_of_all_workers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
