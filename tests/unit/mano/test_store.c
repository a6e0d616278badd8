/* SPDX-License-Identifier: BSD-3-Clause */
/* The store: transactions, rolling back, and what is there after it was opened again. */
#include "helper_mano.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/store.h"

struct fixture {
	char *folder;
	struct store *store;
	char seen[512]; /* of services: "name=revision:document " */
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct errors errors = ERRORS_NONE;

	f->folder = new_folder();
	f->store = store_open(f->folder, &errors);
	*state = f;
	return f->store ? 0 : -1;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	store_close(f->store);
	remove_folder(f->folder);
	free(f);
	return 0;
}

static void reopen(struct fixture *f)
{
	struct errors errors = ERRORS_NONE;

	store_close(f->store);
	f->store = store_open(f->folder, &errors);
	assert_non_null(f->store);
}

static void see(void *user, const char *name, uint64_t revision, const char *text)
{
	struct fixture *f = user;
	size_t length = strlen(f->seen);

	snprintf(f->seen + length, sizeof(f->seen) - length, "%s=%llu:%s ", name,
	         (unsigned long long)revision, text ? text : "-");
}

static const char *services(struct fixture *f)
{
	struct errors errors = ERRORS_NONE;

	f->seen[0] = '\0';
	assert_true(store_services(f->store, see, f, &errors));
	return f->seen;
}

static uint64_t commit(struct fixture *f, const char *service, const char *text)
{
	struct store_change change = { service, text };
	struct store_reason reason = { .author = "me" };
	struct errors errors = ERRORS_NONE;
	uint64_t op = store_op_new(f->store, "apply", service, "me", &errors);

	assert_true(op > 0);
	assert_true(store_commit(f->store, op, &change, 1, &reason, &errors));
	return op;
}

static void revisions_go_forward_and_back(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	uint64_t op;
	json_t *list;

	commit(f, "b", "{\"v\":1}");
	commit(f, "a", "{}");
	assert_string_equal(services(f), "a=1:{} b=1:{\"v\":1} ");
	op = commit(f, "b", "{\"v\":2}");
	assert_string_equal(services(f), "a=1:{} b=2:{\"v\":2} ");
	reopen(f);
	assert_true(store_roll_back(f->store, op, &errors));
	assert_string_equal(services(f), "a=1:{} b=1:{\"v\":1} ");
	commit(f, "b", "{\"v\":3}");
	assert_string_equal(services(f), "a=1:{} b=3:{\"v\":3} ");
	list = store_revisions(f->store, "b", &errors);
	assert_int_equal(json_array_size(list), 3);
	json_decref(list);
	list = store_revision(f->store, "b", 2, &errors);
	assert_int_equal(json_integer_value(json_object_get(list, "v")), 2);
	json_decref(list);
	assert_null(store_revision(f->store, "b", 9, &errors));
	assert_false(errors_any(&errors));
}

static void new_service_rolls_back_to_nothing(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	uint64_t op = commit(f, "a", "{}");

	assert_true(store_roll_back(f->store, op, &errors));
	assert_string_equal(services(f), "a=1:- ");
	assert_true(store_forget(f->store, "a", &errors));
	assert_string_equal(services(f), "");
}

static void deleting_and_wanting_again(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	uint64_t op;

	commit(f, "a", "{}");
	op = commit(f, "a", NULL);
	assert_string_equal(services(f), "a=1:- ");
	assert_true(store_roll_back(f->store, op, &errors));
	assert_string_equal(services(f), "a=1:{} ");
	assert_true(store_forget(f->store, "a", &errors));
	assert_string_equal(services(f), "a=1:{} ");
}

static void old_revisions_are_dropped(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	json_t *list;

	for (int i = 0; i < STORE_REVISIONS + 5; i++)
		commit(f, "a", "{}");
	list = store_revisions(f->store, "a", &errors);
	assert_int_equal(json_array_size(list), STORE_REVISIONS);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(list, 0), "revision")), 6);
	json_decref(list);
}

/* However many fail behind it, the revision that runs is there to go back to. */
static void what_runs_is_kept(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;

	store_keep(f->store, 2);
	commit(f, "a", "{\"v\":1}");
	for (int i = 0; i < 6; i++) {
		uint64_t op = commit(f, "a", "{\"v\":2}");

		assert_true(store_roll_back(f->store, op, &errors));
		assert_string_equal(services(f), "a=1:{\"v\":1} ");
	}
	assert_int_equal(store_revision_before(f->store, "a", &errors), 0);
	commit(f, "a", "{\"v\":3}");
	assert_int_equal(store_revision_before(f->store, "a", &errors), 1);
}

static const char *state_of(struct fixture *f, size_t index)
{
	struct errors errors = ERRORS_NONE;
	json_t *list = store_revisions(f->store, "a", &errors);

	snprintf(f->seen, sizeof(f->seen), "%s",
	         json_string_value(json_object_get(json_array_get(list, index), "state")));
	json_decref(list);
	return f->seen;
}

static void revisions_have_states(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	uint64_t op;

	commit(f, "a", "{\"x\":1,\"y\":2}");
	op = commit(f, "a", "{\"y\":2,\"x\":1}");
	json_t *list = store_revisions(f->store, "a", &errors);
	assert_true(json_equal(json_object_get(json_array_get(list, 0), "digest"),
	                       json_object_get(json_array_get(list, 1), "digest")));
	json_decref(list);
	assert_string_equal(state_of(f, 0), "past");
	assert_string_equal(state_of(f, 1), "current");
	assert_true(store_roll_back(f->store, op, &errors));
	assert_string_equal(state_of(f, 0), "current");
	assert_string_equal(state_of(f, 1), "undone");
}

/* --- confirmations --- */

static uint64_t commit_unconfirmed(struct fixture *f, unsigned seconds)
{
	struct store_change change = { "a", "{}" };
	struct store_reason reason = { .author = "me", .confirm_seconds = seconds };
	struct errors errors = ERRORS_NONE;
	uint64_t op = store_op_new(f->store, "apply", "a", "me", &errors);

	assert_true(store_commit(f->store, op, &change, 1, &reason, &errors));
	return op;
}

static int64_t until(struct fixture *f)
{
	struct errors errors = ERRORS_NONE;

	return store_confirm_of(f->store, "a", &errors).until;
}

static void confirmations_count_from_the_end(void **state)
{
	const struct store_moment done = { "this", 5000, 900000 };
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	uint64_t op;

	commit(f, "a", "{}");
	op = commit_unconfirmed(f, 60);
	assert_int_equal(until(f), 0);
	assert_string_equal(state_of(f, 1), "unconfirmed");
	assert_true(store_complete(f->store, op, "done", &done, &errors));
	assert_int_equal(until(f), 65000);
	assert_true(store_confirm(f->store, op, &errors));
	assert_int_equal(store_confirm_of(f->store, "a", &errors).op, 0);
	assert_string_equal(state_of(f, 1), "current");
}

static void recall(struct fixture *f, const char *boot, int64_t boottime, int64_t wall, int64_t expected)
{
	const struct store_moment now = { boot, boottime, wall };
	struct errors errors = ERRORS_NONE;

	reopen(f);
	assert_true(store_confirms_recall(f->store, &now, &errors));
	assert_int_equal(until(f), expected);
}

/* The clock since boot counts in one boot; the calendar between boots, but not beyond what was asked for. */
static void confirmations_outlive_boots(void **state)
{
	const struct store_moment done = { "first", 5000, 900000 };
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	uint64_t op = commit_unconfirmed(f, 60);

	assert_true(store_complete(f->store, op, "done", &done, &errors));
	recall(f, "first", 7000, 1, 65000);
	recall(f, "second", 100, 910000, 50100);
	recall(f, "third", 100, 1, 60100);
	recall(f, "fourth", 100, 99900000, 100);
}

static void nothing_is_awaited_of_what_was_rolled_back(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	uint64_t op = commit_unconfirmed(f, 60);

	assert_true(store_roll_back(f->store, op, &errors));
	assert_int_equal(store_confirm_of(f->store, "a", &errors).op, 0);
}

/* What was not confirmed is not gone back to, nor what is as the present one; an undo that fails brings it back. */
static void what_was_not_confirmed_is_undone(void **state)
{
	struct fixture *f = *state;
	struct store_change change = { "a", "{\"x\":1}" };
	struct store_reason reason = { .author = "me" };
	struct errors errors = ERRORS_NONE;

	commit(f, "a", "{\"x\":0}");
	commit(f, "a", "{\"x\":1}");
	reason.ends = commit_unconfirmed(f, 60);
	uint64_t op = store_op_new(f->store, "undo", "a", "me", &errors);
	assert_true(store_commit(f->store, op, &change, 1, &reason, &errors));
	assert_string_equal(state_of(f, 2), "undone");
	assert_string_equal(state_of(f, 3), "current");
	assert_int_equal(store_revision_before(f->store, "a", &errors), 1);
	assert_true(store_roll_back(f->store, op, &errors));
	assert_string_equal(state_of(f, 2), "current");
	assert_string_equal(state_of(f, 3), "undone");
}

/* --- executables --- */

static void see_build(void *user, const struct store_build *build)
{
	struct fixture *f = user;
	size_t length = strlen(f->seen);

	snprintf(f->seen + length, sizeof(f->seen) - length, "%s/%s=%s ", build->service, build->vnf,
	         build->program);
}

static const char *builds(struct fixture *f)
{
	struct errors errors = ERRORS_NONE;

	f->seen[0] = '\0';
	assert_true(store_builds(f->store, see_build, f, &errors));
	return f->seen;
}

static uint64_t commit_build(struct fixture *f, const char *program)
{
	struct store_build build = { "a", "fw", program };
	struct errors errors = ERRORS_NONE;
	uint64_t op = store_op_new(f->store, "upgrade", "a", "me", &errors);

	assert_true(store_commit_builds(f->store, op, &build, 1, &errors));
	return op;
}

static void builds_go_forward_and_back(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	uint64_t op;

	commit(f, "a", "{}");
	op = commit_build(f, "/one");
	assert_string_equal(builds(f), "a/fw=/one ");
	assert_true(store_roll_back(f->store, op, &errors));
	assert_string_equal(builds(f), "");
	commit_build(f, "/one");
	op = commit_build(f, "/two");
	reopen(f);
	assert_string_equal(builds(f), "a/fw=/two ");
	assert_true(store_roll_back(f->store, op, &errors));
	assert_string_equal(builds(f), "a/fw=/one ");
	op = commit_build(f, "");
	assert_string_equal(builds(f), "");
	assert_true(store_roll_back(f->store, op, &errors));
	assert_string_equal(builds(f), "a/fw=/one ");
	commit(f, "a", NULL);
	assert_true(store_forget(f->store, "a", &errors));
	assert_string_equal(builds(f), "");
}

static void frozen_store_begins_nothing(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;

	store_freeze(f->store);
	assert_int_equal(store_op_new(f->store, "apply", "a", "me", &errors), 0);
	assert_true(has_error(&errors, "", "restoring"));
	errors_free(&errors);
}

static void operations_are_kept(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	uint64_t op = commit(f, "a", "{}");
	json_t *found = json_pack("[{s:s}]", "code", "x"), *shown;

	shown = store_op(f->store, op, &errors);
	assert_string_equal(json_string_value(json_object_get(shown, "state")), "PROCESSING");
	json_decref(shown);
	assert_true(store_op_set(f->store, op, "ROLLED_BACK", 100, "why", found, &errors));
	assert_true(store_op_set(f->store, op, "ROLLED_BACK", 100, "why not", NULL, &errors));
	reopen(f);
	shown = store_op(f->store, op, &errors);
	assert_true(json_equal(json_object_get(shown, "errors"), found));
	assert_string_equal(json_string_value(json_object_get(shown, "message")), "why not");
	json_decref(shown);
	json_decref(found);
	shown = store_ops(f->store, "PROCESSING", &errors);
	assert_int_equal(json_array_size(shown), 0);
	json_decref(shown);
	shown = store_op_services(f->store, op, &errors);
	assert_string_equal(json_string_value(json_array_get(shown, 0)), "a");
	json_decref(shown);
	assert_null(store_op(f->store, 999, &errors));
}

static void see_process(void *user, const struct store_process *p)
{
	struct fixture *f = user;
	size_t length = strlen(f->seen);

	snprintf(f->seen + length, sizeof(f->seen) - length, "%s/%s %d %llu %s %s %s %llu ", p->service,
	         p->vnf, (int)p->pid, (unsigned long long)p->start_time, p->boot, p->digest, p->cores,
	         (unsigned long long)p->restarts);
}

static void processes_are_kept(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;
	struct store_process p = { "a", "", 12, 34, "boot", "d-1", "2,3", 5, 99 };

	assert_true(store_process_put(f->store, &p, &errors));
	p.restarts = 6;
	assert_true(store_process_put(f->store, &p, &errors));
	p.vnf = "x";
	assert_true(store_process_put(f->store, &p, &errors));
	assert_true(store_process_drop(f->store, "a", "x", &errors));
	reopen(f);
	f->seen[0] = '\0';
	assert_true(store_processes(f->store, see_process, f, &errors));
	assert_string_equal(f->seen, "a/ 12 34 boot d-1 2,3 6 ");
}

static void numbers_are_never_given_twice(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;

	assert_int_equal(store_reserve(f->store, "event", 100, &errors), 1);
	reopen(f);
	assert_int_equal(store_reserve(f->store, "event", 100, &errors), 101);
	assert_int_equal(store_reserve(f->store, "other", 100, &errors), 1);
}

static void second_owner_is_refused(void **state)
{
	struct fixture *f = *state;
	struct errors errors = ERRORS_NONE;

	assert_null(store_open(f->folder, &errors));
	assert_true(has_error(&errors, "", "store-taken"));
	errors_free(&errors);
}

static void damage_is_told(void **state)
{
	struct errors errors = ERRORS_NONE;
	char *folder = new_folder(), path[256];
	FILE *file;

	(void)state;
	snprintf(path, sizeof(path), "%s/sluiced.db", folder);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs("this is no database, and never was one; it is long enough to be looked at, though", file);
	fclose(file);
	assert_null(store_open(folder, &errors));
	assert_true(has_error(&errors, "", "store-damaged"));
	errors_free(&errors);
	remove_folder(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(revisions_go_forward_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(new_service_rolls_back_to_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(deleting_and_wanting_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(old_revisions_are_dropped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_runs_is_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(revisions_have_states, set_up, tear_down),
		cmocka_unit_test_setup_teardown(confirmations_count_from_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(confirmations_outlive_boots, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_confirmed_is_undone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_is_awaited_of_what_was_rolled_back, set_up,
		                                tear_down),
		cmocka_unit_test_setup_teardown(builds_go_forward_and_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(frozen_store_begins_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(operations_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(processes_are_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(numbers_are_never_given_twice, set_up, tear_down),
		cmocka_unit_test_setup_teardown(second_owner_is_refused, set_up, tear_down),
		cmocka_unit_test(damage_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
