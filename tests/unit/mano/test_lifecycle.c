/* SPDX-License-Identifier: BSD-3-Clause */
/* The pure parts of the life cycle: states of operations, cores, heartbeats, wishes, merge patches. */
#include "helper_mano.h"

#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "config/merge_patch.h"
#include "lifecycle/backoff.h"
#include "lifecycle/listener.h"
#include "lifecycle/operation.h"
#include "lifecycle/watchdog.h"
#include "util/memory.h"

static void moves_of_operations(void **state)
{
	static const enum op_state legal[][2] = {
		{ OP_STARTING, OP_PROCESSING },      { OP_STARTING, OP_ROLLED_BACK },
		{ OP_PROCESSING, OP_COMPLETED },     { OP_PROCESSING, OP_FAILED_TEMP },
		{ OP_PROCESSING, OP_ROLLING_BACK },  { OP_FAILED_TEMP, OP_PROCESSING },
		{ OP_FAILED_TEMP, OP_ROLLING_BACK }, { OP_FAILED_TEMP, OP_FAILED },
		{ OP_ROLLING_BACK, OP_ROLLED_BACK }, { OP_ROLLING_BACK, OP_FAILED_TEMP },
	};
	unsigned count = 0;
	enum op_state parsed;

	(void)state;
	for (int from = 0; from < OP_STATES; from++) {
		bool moves = false;

		for (int to = 0; to < OP_STATES; to++) {
			bool expected = false;

			for (size_t i = 0; i < sizeof(legal) / sizeof(legal[0]); i++)
				expected |= legal[i][0] == (enum op_state)from &&
				            legal[i][1] == (enum op_state)to;
			assert_int_equal(op_may((enum op_state)from, (enum op_state)to), expected);
			moves |= expected;
			count += expected;
		}
		assert_int_equal(op_rests((enum op_state)from), !moves || from == OP_FAILED_TEMP);
		assert_true(op_state_parse(op_state_name((enum op_state)from), &parsed));
		assert_int_equal(parsed, from);
	}
	assert_int_equal(count, 10);
	assert_false(op_state_parse("NONSENSE", &parsed));
}

/* A host with cores 0 to 3, the first of them for control threads. */
static struct host four_cores(void)
{
	struct host host = { .count = 4, .control_list = "0" };

	CPU_SET(0, &host.control);
	for (int i = 1; i < 4; i++)
		CPU_SET(i, &host.workers);
	return host;
}

static void cores_are_given_out(void **state)
{
	struct host host = four_cores();
	struct core_use use = { { 0 } };
	unsigned lacking;
	char list[32];
	bool shared;

	(void)state;
	assert_true(cores_assign(&host, &use, 2, false, list, sizeof(list), &shared, &lacking));
	assert_string_equal(list, "1,2");
	assert_false(shared);
	assert_int_equal(cores_free(&host, &use), 1);
	assert_false(cores_assign(&host, &use, 3, false, list, sizeof(list), &shared, &lacking));
	assert_int_equal(lacking, 2);
	assert_int_equal(cores_free(&host, &use), 1);
	assert_true(cores_assign(&host, &use, 2, true, list, sizeof(list), &shared, &lacking));
	assert_string_equal(list, "3,1");
	assert_true(shared);
	cores_count(&use, "3,1", -1);
	cores_count(&use, "1,2", -1);
	assert_int_equal(cores_free(&host, &use), 3);
}

static void standing_heartbeat_is_a_hang(void **state)
{
	struct heartbeat *beats = calloc(1, sizeof(*beats));
	struct heartbeat_watch watch = { .beats = beats, .moved = { 1000, 1000 } };
	uint64_t now = 1000;

	(void)state;
	beats->workers = 2;
	for (; now < 5000; now += 100) {
		heartbeat_turn(&beats->line[0]);
		heartbeat_turn(&beats->line[1]);
		assert_int_equal(heartbeat_look(&watch, now, false), -1);
	}
	for (now = 5000; now < 5700; now += 100) {
		heartbeat_turn(&beats->line[0]);
		assert_int_equal(heartbeat_look(&watch, now, false), -1);
	}
	assert_int_equal(heartbeat_look(&watch, 5700, false), 1);
	/* the machine stood still: nobody is blamed, and the time begins anew */
	assert_int_equal(heartbeat_look(&watch, 9000, true), -1);
	assert_int_equal(heartbeat_look(&watch, 9700, false), -1);
	assert_true(heartbeat_look(&watch, 9800, false) >= 0);
	free(beats);
}

static struct thread_look told;

static bool look_told(pid_t pid, pid_t thread, struct thread_look *look)
{
	assert_int_equal(pid, 77);
	assert_int_equal(thread, 78);
	*look = told;
	return true;
}

/* Standing still from 1000 on, looked at every 100 ms; when it was found hanging. */
static uint64_t found_hanging(uint64_t cpu_ms_a_look, bool runnable)
{
	struct heartbeat *beats = calloc(1, sizeof(*beats));
	struct heartbeat_watch watch = { .beats = beats, .pid = 77, .moved = { 1000 }, .look = look_told };
	uint64_t now = 1000;

	beats->workers = 1;
	beats->line[0].thread = 78;
	told = (struct thread_look){ .runnable = runnable };
	for (; now < 20000 && heartbeat_look(&watch, now, false) < 0; now += 100)
		told.cpu_ms += cpu_ms_a_look;
	free(beats);
	return now;
}

static void starved_worker_does_not_hang(void **state)
{
	(void)state;
	assert_int_equal(found_hanging(100, true), 1000 + WATCHDOG_HANG_MS); /* spins */
	assert_int_equal(found_hanging(0, false),
	                 1000 + WATCHDOG_HANG_MS); /* waits for ever, or was stopped */
	assert_int_equal(found_hanging(20, true),
	                 1000 + WATCHDOG_SUSPECT_MS + 1000); /* spins, a fifth of a core */
	assert_int_equal(found_hanging(0, true), 20000);     /* as long as we looked */
}

static struct wish make_wish(const char *cores, const char *text)
{
	struct wish wish = { .program = text_copy("p"),
		             .cores = text_copy(cores),
		             .hugepages = text_copy("auto"),
		             .memory_mb = 64,
		             .document = text_copy(text) };

	wish_seal(&wish);
	return wish;
}

static void digests_tell_shape_from_document(void **state)
{
	struct wish a = make_wish("1", "{}"), b = make_wish("1", "{ }"), c = make_wish("2", "{}"),
	            d = wish_copy(&a);

	(void)state;
	assert_string_equal(a.digest, d.digest);
	assert_string_not_equal(a.digest, b.digest);
	assert_false(wish_reshapes(a.digest, b.digest));
	assert_true(wish_reshapes(a.digest, c.digest));
	wish_clear(&a);
	wish_clear(&b);
	wish_clear(&c);
	wish_clear(&d);
}

/* The examples of RFC 7396, appendix A. */
static void merge_patches(void **state)
{
	static const char *const cases[][3] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		json_t *target = json_loads(cases[i][0], 0, NULL), *patch = json_loads(cases[i][1], 0, NULL),
		       *expected = json_loads(cases[i][2], 0, NULL), *merged = merge_patch(target, patch);

		assert_true(json_equal(merged, expected));
		json_decref(target);
		json_decref(patch);
		json_decref(expected);
		json_decref(merged);
	}
}

/* A burst at once, then as many as time brings, and never more than a burst. */
static void events_of_a_process_are_rationed(void **state)
{
	struct listener_budget budget = { 0 };
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < 2 * LISTENER_BURST; i++)
		taken += listener_may(&budget, 1000);
	assert_int_equal(taken, LISTENER_BURST);
	for (unsigned i = 0; i < LISTENER_BURST; i++)
		taken += listener_may(&budget, 2000);
	assert_int_equal(taken, LISTENER_BURST + LISTENER_RATE);
	for (unsigned i = 0; i < 2 * LISTENER_BURST; i++)
		taken += listener_may(&budget, 1000000);
	assert_int_equal(taken, 2 * LISTENER_BURST + LISTENER_RATE);
}

static void who_served_is_started_at_once(void **state)
{
	static const uint64_t waits[] = { 0, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000 };
	struct backoff backoff = { 0 };

	(void)state;
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(backoff_end(&backoff, BACKOFF_SERVED_MS), 0);
	backoff_forget(&backoff);
	for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++)
		assert_int_equal(backoff_end(&backoff, i % 2 ? BACKOFF_SERVED_MS - 1 : 0), waits[i]);
	assert_int_equal(backoff_end(&backoff, BACKOFF_SERVED_MS), 0);
	assert_int_equal(backoff_end(&backoff, 0), 500);
	backoff_forget(&backoff);
	assert_int_equal(backoff_end(&backoff, 0), 0);
}

static void ends_again_and_again_are_told(void **state)
{
	struct backoff backoff = { 0 };
	unsigned said = 0;

	(void)state;
	for (uint64_t now = 20000; now < 1000000; now += 20000)
		assert_false(backoff_flaps(&backoff, now));
	for (uint64_t now = 1000000; now < 1120000; now += 2000)
		said += backoff_flaps(&backoff, now);
	assert_int_equal(said, 2); /* one in a minute */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(moves_of_operations),
		cmocka_unit_test(cores_are_given_out),
		cmocka_unit_test(standing_heartbeat_is_a_hang),
		cmocka_unit_test(starved_worker_does_not_hang),
		cmocka_unit_test(digests_tell_shape_from_document),
		cmocka_unit_test(merge_patches),
		cmocka_unit_test(events_of_a_process_are_rationed),
		cmocka_unit_test(who_served_is_started_at_once),
		cmocka_unit_test(ends_again_and_again_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
