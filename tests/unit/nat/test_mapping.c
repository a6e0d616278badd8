/* SPDX-License-Identifier: BSD-3-Clause */
/* Mappings and whom they have sent to, against a linear model. */
#include "helper_nat.h"

#include <string.h>

#include "nat/mapping.h"

enum { ROOM = 64, REMOTES = 6, ROUNDS = 100000 };

struct model {
	struct mapping m[ROOM];
	bool used[ROOM];
	unsigned permits[ROOM][REMOTES];
	unsigned total;
};

static uint32_t next(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(*state >> 33);
}

static void check(const struct nat_mappings *m, const struct model *model, uint32_t i)
{
	const struct mapping *k = &model->m[i];
	struct mapping_end inside = { k->inside, k->inside_port, k->space, k->pool };
	struct mapping_end outside = { k->outside, k->outside_port, k->space, k->pool };

	assert_int_equal(mapping_find_inside(m, inside), model->used[i] ? i : MAPPING_NONE);
	assert_int_equal(mapping_find_outside(m, outside), model->used[i] ? i : MAPPING_NONE);
	inside.pool ^= 1;
	assert_int_equal(mapping_find_inside(m, inside), MAPPING_NONE);
	for (uint32_t r = 0; model->used[i] && r < REMOTES; r++)
		assert_int_equal(permit_known(m, i, r), model->permits[i][r] > 0);
}

static void add(struct nat_mappings *m, struct model *model, uint32_t number)
{
	/* Few addresses and one port, so that chains are long; the number makes each its own. */
	struct mapping fresh = {
		.inside = number, .outside = ~number, .inside_port = 7, .outside_port = 9, .pool = 2
	};
	uint32_t i = mapping_add(m, &fresh);

	if (i == MAPPING_NONE) {
		assert_int_equal(mappings_used(m), ROOM);
		return;
	}
	assert_false(model->used[i]);
	model->m[i] = fresh;
	model->used[i] = true;
}

static void give_or_take(struct nat_mappings *m, struct model *model, uint32_t i, uint32_t remote, bool take)
{
	if (!take && model->permits[i][remote]) {
		permit_give(m, i, remote);
		model->total -= --model->permits[i][remote] == 0;
		return;
	}
	if (!permit_take(m, i, remote)) {
		/* Each mapping has one more in itself. */
		assert_in_range(model->total, ROOM, 2 * ROOM);
		return;
	}
	model->total += model->permits[i][remote]++ == 0;
}

static void drop(struct nat_mappings *m, struct model *model, uint32_t i)
{
	for (unsigned r = 0; r < REMOTES; r++)
		while (model->permits[i][r])
			give_or_take(m, model, i, r, false);
	mapping_remove(m, i);
	model->used[i] = false;
}

static void against_model(void **state)
{
	struct nat_mappings *m = mappings_new(ROOM);
	static struct model model;
	uint64_t seed = 1;

	(void)state;
	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint32_t what = next(&seed) % 8, i = next(&seed) % ROOM, remote = next(&seed) % REMOTES;

		if (what == 0)
			add(m, &model, round);
		else if (!model.used[i])
			continue;
		else if (what == 1)
			drop(m, &model, i);
		else
			give_or_take(m, &model, i, remote, what < 6);
		check(m, &model, i);
	}
	assert_true(model.total > 0);
	mappings_free(m);
}

/* Room for permits is shared, but for one of each mapping: when it is used up the next is refused, and there is some again when one is given back. */
static void permits_run_out(void **state)
{
	struct nat_mappings *m = mappings_new(ROOM);
	struct mapping one = { .inside = 1 };
	uint32_t i = mapping_add(m, &one);

	(void)state;
	for (uint32_t remote = 0; remote <= ROOM; remote++)
		assert_true(permit_take(m, i, remote));
	assert_false(permit_take(m, i, ROOM + 1));
	assert_true(permit_take(m, i, 0));
	permit_give(m, i, 7);
	assert_false(permit_known(m, i, 7));
	assert_true(permit_take(m, i, ROOM + 1));
	mappings_free(m);
}

/* A remote with more sessions than its mapping counts for it. */
static void many_sessions(void **state)
{
	struct nat_mappings *m = mappings_new(ROOM);
	uint32_t i = mapping_add(m, &(struct mapping){ .inside = 1 });

	(void)state;
	for (uint32_t n = 0; n < UINT16_MAX + 10; n++)
		assert_true(permit_take(m, i, 3));
	for (uint32_t n = 0; n < UINT16_MAX + 10; n++) {
		assert_true(permit_known(m, i, 3));
		permit_give(m, i, 3);
	}
	assert_false(permit_known(m, i, 3));
	mapping_remove(m, i);
	assert_int_equal(mappings_used(m), 0);
	mappings_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(against_model),
		cmocka_unit_test(permits_run_out),
		cmocka_unit_test(many_sessions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
