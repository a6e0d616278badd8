/* SPDX-License-Identifier: BSD-3-Clause */
/* Rise, fall and damping, with a set clock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lb/health/track.h"

#define SECOND UINT64_C(1000000000)

static const struct health_check plain = { .rise = 2, .fall = 3, .half_life = 30000 };
static const struct health_check damped = { .rise = 1, .fall = 1, .half_life = 30000, .damped = true };

/* Results as text, '+' and '-': the states after each, 'U' and 'D', one second apart. */
static void expect_states(const struct health_check *check, const char *results, const char *states)
{
	struct track t = { 0 };
	uint8_t before = HEALTH_UNKNOWN;

	for (unsigned i = 0; results[i]; i++) {
		bool turned = track_result(&t, check, results[i] == '+', (i + 1) * SECOND);

		assert_int_equal(t.state, states[i] == 'U' ? HEALTH_UP : HEALTH_DOWN);
		assert_int_equal(turned, t.state != before);
		before = t.state;
	}
}

static void first_result_decides(void **state)
{
	(void)state;
	expect_states(&plain, "+", "U");
	expect_states(&plain, "-", "D");
}

/* A process that begins does not take a backend away for one failure. */
static void assumed_until_it_falls(void **state)
{
	struct track t = { .assumed = true }, well = { .assumed = true };

	(void)state;
	assert_false(track_result(&t, &plain, false, SECOND));
	assert_false(track_result(&t, &plain, false, 2 * SECOND));
	assert_int_equal(t.state, HEALTH_UNKNOWN);
	assert_true(track_result(&t, &plain, false, 3 * SECOND));
	assert_int_equal(t.state, HEALTH_DOWN);
	assert_false(track_result(&well, &plain, false, SECOND));
	assert_true(track_result(&well, &plain, true, 2 * SECOND));
	assert_int_equal(well.state, HEALTH_UP);
}

static void rise_and_fall(void **state)
{
	(void)state;
	expect_states(&plain, "+--+---", "UUUUUUD");
	expect_states(&plain, "-+-++", "DDDDU");
	expect_states(&plain, "+---++--+---", "UUUDDUUUUUUD");
}

/* The first failure is no fall: it costs nothing. */
static void penalty_halves(void **state)
{
	struct track t = { 0 };

	(void)state;
	track_result(&t, &damped, false, SECOND);
	assert_int_equal(track_penalty(&t, &damped, SECOND), 0);
	track_result(&t, &damped, true, 2 * SECOND);
	track_result(&t, &damped, false, 3 * SECOND);
	assert_int_equal(track_penalty(&t, &damped, 3 * SECOND), 1000);
	assert_int_equal(track_penalty(&t, &damped, 33 * SECOND), 500);
	assert_int_equal(track_penalty(&t, &damped, 63 * SECOND), 250);
}

/* Falls at 10, 11, 12 ... s: within a second of each other they hold the target down from the fourth on; it is let go at 1500. */
static void flapping_is_held_down(void **state)
{
	struct track t = { 0 };
	uint64_t now = 10 * SECOND;
	unsigned turns = 0;

	(void)state;
	for (unsigned i = 0; i < 40; i++, now += SECOND / 2)
		turns += track_result(&t, &damped, i % 2 == 0, now);
	assert_int_equal(turns, 8); /* up and down four times, then no more */
	assert_int_equal(t.state, HEALTH_DOWN);
	track_result(&t, &damped, true, now);
	assert_true(track_held(&t));
	assert_in_range(track_penalty(&t, &damped, now), 10000, 12000);
	assert_in_range(track_held_for(&t, &damped, now), 80000, 90000);
	while (!track_result(&t, &damped, true, now += SECOND))
		assert_true(track_penalty(&t, &damped, now) >= TRACK_FREE);
	assert_int_equal(t.state, HEALTH_UP);
	assert_false(track_held(&t));
	assert_in_range(now / SECOND, 110, 120);
}

/* A fall every ten minutes is none of damping's business. */
static void rare_falls_are_not_damped(void **state)
{
	struct track t = { 0 };
	uint64_t now = SECOND;

	(void)state;
	for (unsigned i = 0; i < 20; i++, now += 600 * SECOND) {
		track_result(&t, &damped, true, now);
		assert_int_equal(t.state, HEALTH_UP);
		track_result(&t, &damped, false, now + SECOND);
	}
	assert_in_range(track_penalty(&t, &damped, now - 599 * SECOND), 1000, 1001);
}

static void damping_may_be_off(void **state)
{
	struct health_check check = damped;

	(void)state;
	check.damped = false;
	expect_states(&check, "+-+-+-+-+-+-+-+", "UDUDUDUDUDUDUDU");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_result_decides),  cmocka_unit_test(assumed_until_it_falls),
		cmocka_unit_test(rise_and_fall),         cmocka_unit_test(penalty_halves),
		cmocka_unit_test(flapping_is_held_down), cmocka_unit_test(rare_falls_are_not_damped),
		cmocka_unit_test(damping_may_be_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
