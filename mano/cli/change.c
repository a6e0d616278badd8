/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes: begun by one request, then their operation is awaited in short ones, so that progress can be told and Ctrl-C ends the waiting at
 * once, not the operation.
 */
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/condition.h"
#include "util/memory.h"

enum { WAIT_S = 1, NEAR_MS = 50 };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

void cli_say(const struct cli *cli, const char *format, ...)
{
	va_list args;

	if (cli->quiet)
		return;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
}

/* --- progress: one line that changes, on a terminal only --- */

static void show_progress(const struct cli *cli, const json_t *op)
{
	const char *message = json_string_value(json_object_get(op, "message"));

	if (!cli->quiet && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[Koperation %" JSON_INTEGER_FORMAT ": %3d %% %.60s",
		        json_integer_value(json_object_get(op, "id")),
		        (int)json_integer_value(json_object_get(op, "progress")), message ? message : "");
}

static void clear_progress(const struct cli *cli)
{
	if (!cli->quiet && isatty(STDERR_FILENO))
		fprintf(stderr, "\r\033[K");
}

/* --- how it ends --- */

static bool under_way(const json_t *op)
{
	static const char *const states[] = { "STARTING", "PROCESSING", "ROLLING_BACK" };
	const char *state = cli_text(op, "state");

	for (unsigned i = 0; state && i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(states[i], state) == 0)
			return true;
	return false;
}

static int ended(const struct cli *cli, const json_t *op)
{
	const char *state = cli_text(op, "state");
	json_int_t id = json_integer_value(json_object_get(op, "id"));

	if (!*state) /* not an operation: the change itself has answered */
		return CLI_DONE;
	if (cli_structured(cli) || cli->output == OUTPUT_NAME)
		cli_print(cli, op);
	if (strcmp(state, "COMPLETED") == 0) {
		const char *message = cli_text(op, "message");
		bool more = *message && strcmp(message, "done") != 0;

		cli_say(cli, "operation %" JSON_INTEGER_FORMAT ": completed%s%s\n", id, more ? ", " : "",
		        more ? message : "");
		return CLI_DONE;
	}
	fprintf(stderr, "operation %" JSON_INTEGER_FORMAT ": %s\n", id, state);
	cli_problem(cli, op);
	if (strcmp(state, "FAILED_TEMP") == 0)
		fprintf(stderr,
		        "sluice: it can be tried again or given up: sluice op retry|fail|rollback "
		        "%" JSON_INTEGER_FORMAT "\n",
		        id);
	return CLI_FAILED;
}

static int goes_on(const struct cli *cli, json_int_t id, const char *why, int status)
{
	clear_progress(cli);
	fprintf(stderr,
	        "sluice: %s; operation %" JSON_INTEGER_FORMAT " goes on: sluice op wait %" JSON_INTEGER_FORMAT
	        "\n",
	        why, id, id);
	return status;
}

/* Asks again and again until the deadline; *op is what was answered last. */
static int poll_operation(struct cli *cli, json_int_t id, json_t **op)
{
	char path[64];
	int status = CLI_DONE;

	cli_set_deadline(cli);
	while (status == CLI_DONE) {
		bool near = cli->deadline_ms < cli_now_ms() + 1000 * WAIT_S;

		if (interrupted)
			return goes_on(cli, id, "interrupted", CLI_INTERRUPTED);
		json_decref(*op);
		snprintf(path, sizeof(path), "/v1/ops/%" JSON_INTEGER_FORMAT "?wait=%d", id,
		         near ? 0 : WAIT_S);
		if (near)
			poll(NULL, 0, NEAR_MS);
		status = cli_request(cli, "GET", path, NULL, op);
		if (status == CLI_TIMED_OUT)
			return goes_on(cli, id, "no answer", CLI_TIMED_OUT);
		if (status != CLI_DONE || !under_way(*op))
			break;
		show_progress(cli, *op);
		if (cli_is_late(cli))
			return goes_on(cli, id, "timed out", CLI_TIMED_OUT);
	}
	clear_progress(cli);
	return status;
}

/* From here on Ctrl-C ends the waiting; a second one ends us at once. */
static void catch_interrupts(struct sigaction *before)
{
	struct sigaction on = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };

	interrupted = 0;
	sigaction(SIGINT, &on, before);
}

/* With interrupts caught. */
static int await(struct cli *cli, json_int_t id)
{
	json_t *op = NULL;
	int status = poll_operation(cli, id, &op);

	if (status == CLI_DONE)
		status = ended(cli, op);
	json_decref(op);
	return status;
}

int cli_await(struct cli *cli, json_int_t id)
{
	struct sigaction before;
	int status;

	catch_interrupts(&before);
	status = await(cli, id);
	sigaction(SIGINT, &before, NULL);
	return status;
}

/* What a dry run found: changes on standard output. */
static int tell_dry_run(const struct cli *cli, const json_t *answer)
{
	if (!json_is_true(json_object_get(answer, "valid"))) {
		cli_problem(cli, answer);
		return CLI_INVALID;
	}
	cli_print_changes(cli, answer);
	cli_say(cli, "dry run: nothing has changed\n");
	return CLI_DONE;
}

/* The path of a change, with all that the options say of it; malloc'd. */
static char *change_path(const struct cli *cli, const char *path)
{
	char *full =
	        cli_with_query(text_copy(path), cli->dry_run ? "dryRun" : "wait", cli->dry_run ? "1" : "0");
	char seconds[16];

	snprintf(seconds, sizeof(seconds), "%u", cli->confirm_s);
	if (cli->confirm_s)
		full = cli_with_query(full, "confirm", seconds);
	return cli->comment ? cli_with_query(full, "comment", cli->comment) : full;
}

static int follow(struct cli *cli, const json_t *op)
{
	json_int_t id = json_integer_value(json_object_get(op, "id"));
	int status = CLI_DONE;

	if (!id || !under_way(op)) {
		status = ended(cli, op);
	} else if (cli->no_wait) {
		cli_say(cli, "operation %" JSON_INTEGER_FORMAT ": begun\n", id);
		if (cli_structured(cli) || cli->output == OUTPUT_NAME)
			cli_print(cli, op);
	} else {
		status = await(cli, id);
	}
	if (status == CLI_DONE && cli->condition && !cli->no_wait) {
		cli_set_deadline(cli);
		status = condition_await(cli, cli_text(op, "subject"));
	}
	if (status == CLI_DONE && cli->confirm_s)
		cli_say(cli, "undone %u s from then on, unless confirmed: sluice confirm SERVICE\n",
		        cli->confirm_s);
	return status;
}

int cli_change(struct cli *cli, const char *method, const char *path, const json_t *body)
{
	char *full = change_path(cli, path);
	struct sigaction before;
	json_t *answer;
	int status;

	if (cli->timeout_asked)
		cli_set_deadline(cli);
	catch_interrupts(&before);
	status = cli_request(cli, method, full, body, &answer);
	if (status == CLI_TIMED_OUT && !cli->dry_run)
		fprintf(stderr, "sluice: whether the change has begun is not known: sluice op list\n");
	if (status == CLI_DONE)
		status = cli->dry_run ? tell_dry_run(cli, answer) : follow(cli, answer);
	sigaction(SIGINT, &before, NULL);
	json_decref(answer);
	free(full);
	return status;
}

int cli_diff(struct cli *cli, const char *method, const char *path, const json_t *body)
{
	char *full = cli_with_query(text_copy(path), "dryRun", "1");
	json_t *answer;
	int status = cli_request(cli, method, full, body, &answer);

	if (status == CLI_DONE && !json_is_true(json_object_get(answer, "valid"))) {
		cli_problem(cli, answer);
		status = CLI_INVALID;
	} else if (status == CLI_DONE) {
		cli_print_changes(cli, answer);
		status = json_array_size(json_object_get(answer, "changes")) ? CLI_DIFFERS : CLI_DONE;
	}
	json_decref(answer);
	free(full);
	return status;
}
