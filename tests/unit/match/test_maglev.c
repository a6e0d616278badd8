/* SPDX-License-Identifier: BSD-3-Clause */
/* Maglev's table: shares by weight, order without meaning, and how little a change moves. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "match/maglev.h"

enum { MEMBERS = 100, SMALL = 2039 };

static struct maglev_member members[MEMBERS + 1];
static uint16_t before[MAGLEV_SIZE], after[MAGLEV_SIZE];

static void equal_members(void)
{
	for (unsigned i = 0; i <= MEMBERS; i++)
		members[i] = (struct maglev_member){ maglev_mix(i + 1000), 10 };
}

static void counts_of(const uint16_t *table, unsigned *counts)
{
	memset(counts, 0, (MEMBERS + 1) * sizeof(*counts));
	for (unsigned i = 0; i < MAGLEV_SIZE; i++) {
		assert_true(table[i] <= MEMBERS);
		counts[table[i]]++;
	}
}

static void shares(void **state)
{
	unsigned counts[MEMBERS + 1];

	(void)state;
	equal_members();
	assert_true(maglev_fill(before, MAGLEV_SIZE, members, MEMBERS));
	counts_of(before, counts);
	for (unsigned i = 0; i < MEMBERS; i++)
		assert_in_range(counts[i], MAGLEV_SIZE / MEMBERS, MAGLEV_SIZE / MEMBERS + 1);
	members[3].weight = 40;
	members[4].weight = 5;
	members[5].weight = 0;
	assert_true(maglev_fill(before, MAGLEV_SIZE, members, MEMBERS));
	counts_of(before, counts);
	assert_in_range(counts[3] * 100 / counts[6], 395, 405);
	assert_in_range(counts[4] * 100 / counts[6], 48, 52);
	assert_int_equal(counts[5], 0);
}

/* A member's entries follow from its id: the list may be in any order. */
static void no_order(void **state)
{
	struct maglev_member turned[MEMBERS];

	(void)state;
	equal_members();
	for (unsigned i = 0; i < MEMBERS; i++)
		turned[i] = members[MEMBERS - 1 - i];
	assert_true(maglev_fill(before, MAGLEV_SIZE, members, MEMBERS));
	assert_true(maglev_fill(after, MAGLEV_SIZE, turned, MEMBERS));
	for (unsigned i = 0; i < MAGLEV_SIZE; i++)
		assert_int_equal(before[i], MEMBERS - 1 - after[i]);
}

/* Entries that belong to another member after a change, of those whose member neither came nor went, in thousandths. */
static unsigned moved(uint16_t gone)
{
	unsigned others = 0, moves = 0;

	for (unsigned i = 0; i < MAGLEV_SIZE; i++) {
		if (before[i] == gone || after[i] == gone)
			continue;
		others++;
		moves += before[i] != after[i];
	}
	return moves * 1000 / others;
}

/* At most 2 % of the others' entries, whichever of 100 members goes, or comes. */
static void disruption(void **state)
{
	(void)state;
	equal_members();
	assert_true(maglev_fill(before, MAGLEV_SIZE, members, MEMBERS));
	for (unsigned i = 0; i < MEMBERS; i += 9) {
		members[i].weight = 0;
		assert_true(maglev_fill(after, MAGLEV_SIZE, members, MEMBERS));
		assert_in_range(moved((uint16_t)i), 0, 20);
		members[i].weight = 10;
	}
	assert_true(maglev_fill(after, MAGLEV_SIZE, members, MEMBERS + 1));
	assert_in_range(moved(MEMBERS), 0, 20);
}

static void edges(void **state)
{
	struct maglev_member one = { 7, 3 };

	(void)state;
	assert_true(maglev_fill(before, SMALL, &one, 1));
	for (unsigned i = 0; i < SMALL; i++)
		assert_int_equal(before[i], 0);
	one.weight = 0;
	assert_false(maglev_fill(before, SMALL, &one, 1));
	assert_false(maglev_fill(before, SMALL, &one, 0));
	assert_true(maglev_size_right(2) && maglev_size_right(3) && maglev_size_right(MAGLEV_SIZE));
	assert_false(maglev_size_right(0) || maglev_size_right(1) || maglev_size_right(9) ||
	             maglev_size_right(65536));
	assert_int_equal(maglev_at(before, SMALL, UINT32_MAX), before[SMALL - 1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shares),
		cmocka_unit_test(no_order),
		cmocka_unit_test(disruption),
		cmocka_unit_test(edges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
