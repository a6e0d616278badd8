/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's clock beside one that is right: it follows it, never goes back, and changes its rate for all readers at one moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "runtime/clock.h"

enum { DAY_S = 24 * 3600, NEAR_NS = 50 * NS_PER_MS };

#define SECOND UINT64_C(1000000000)
#define SAID   UINT64_C(2490000000)

/* The TSC in truth; in front of it what it was when the clock was set. */
static uint64_t tsc_at(uint64_t ns, uint64_t hz)
{
	return UINT64_MAX - SAID + (uint64_t)((unsigned __int128)ns * hz / SECOND);
}

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* Seconds of a clock that is kept, beside one whose TSC has `hz` in truth; answers by how many ns it is wrong at the end. */
static uint64_t run(struct engine_clock *clock, uint64_t hz, uint64_t seconds)
{
	uint64_t last = 0, now = 0;

	for (uint64_t s = 1; s <= seconds; s++) {
		for (unsigned part = 0; part < 10; part++) {
			now = clock_at(clock, tsc_at(s * SECOND + part * SECOND / 10, hz));
			assert_true(now > last);
			last = now;
		}
		clock_adjust(clock, tsc_at(s * SECOND, hz), s * SECOND);
	}
	return distance(clock_at(clock, tsc_at(seconds * SECOND, hz)), seconds * SECOND);
}

static void a_rate_that_is_known_badly_is_made_good(void **state)
{
	const uint64_t rates[] = { SAID, SAID + SAID / 400, SAID - SAID / 400, SAID + 1 };
	struct engine_clock clock;

	(void)state;
	for (unsigned i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		clock_set(&clock, tsc_at(0, SAID), 0, SAID);
		assert_true(run(&clock, rates[i], 3 * DAY_S) < NEAR_NS);
	}
	/* Without it it is minutes a day. */
	clock_set(&clock, tsc_at(0, SAID), 0, SAID);
	assert_true(distance(clock_at(&clock, tsc_at(DAY_S * SECOND, rates[1])), DAY_S * SECOND) >
	            200 * SECOND);
}

static void a_leap_is_caught_up_with_gently(void **state)
{
	struct engine_clock clock;
	uint64_t before, after;

	(void)state;
	clock_set(&clock, tsc_at(0, SAID), 3600 * SECOND, SAID);
	for (uint64_t s = 1; s <= 100; s++) {
		before = clock_at(&clock, tsc_at(s * SECOND, SAID));
		clock_adjust(&clock, tsc_at(s * SECOND, SAID), s * SECOND);
		after = clock_at(&clock, tsc_at((s + 1) * SECOND, SAID));
		assert_true(after - before > SECOND / 100 * 98 && after - before <= SECOND);
	}
}

static void readers_change_over_at_one_moment(void **state)
{
	struct engine_clock clock;
	uint64_t tsc = tsc_at(SECOND, SAID), from, late;

	(void)state;
	clock_set(&clock, tsc_at(0, SAID), 0, SAID);
	late = clock_at(&clock, tsc + SAID / 20);
	clock_adjust(&clock, tsc, 2 * SECOND);
	/* Until then the former rate holds, for whoever looks before and for whoever looks after the change. */
	assert_int_equal(clock_at(&clock, tsc + SAID / 20), late);
	from = clock.rates[clock.last % CLOCK_RATES].base_tsc;
	assert_true(from > tsc + SAID / 20);
	assert_true(clock_at(&clock, from) - clock_at(&clock, from - 1) <= 1);
	/* It is not changed once more before that. */
	clock_adjust(&clock, from - 1, 3 * SECOND);
	assert_int_equal(clock.last, 1);
	clock_adjust(&clock, from, 3 * SECOND);
	assert_int_equal(clock.last, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_that_is_known_badly_is_made_good),
		cmocka_unit_test(a_leap_is_caught_up_with_gently),
		cmocka_unit_test(readers_change_over_at_one_moment),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
