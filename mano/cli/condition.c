/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may be waited for: that something is there, has a state, or is there no longer; and until when. Constant tables; the deadline is in
 * struct cli.
 */
#include "cli/condition.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_US = 200000, NAME = 128 };

/* States of services, VNFs and operations (docs/SLUICED.md), and the one of what is gone. */
static const char *const conditions[] = { "deleted",     "ready",   "degraded",   "starting",    "stopping",
	                                  "stopped",     "standby", "processing", "backing-off", "completed",
	                                  "rolled_back", "failed",  "failed_temp" };
enum { CONDITIONS = sizeof(conditions) / sizeof(*conditions) };

const char *condition_name(unsigned i)
{
	return i < CONDITIONS ? conditions[i] : NULL;
}

bool condition_take(struct cli *cli, const char *word)
{
	cli->wait = true;
	cli->condition = word;
	if (!word)
		return true;
	for (unsigned i = 0; i < CONDITIONS; i++)
		if (strcasecmp(conditions[i], word) == 0)
			return true;
	fprintf(stderr, "sluice: --wait: nothing can become \"%s\"; there are:", word);
	for (unsigned i = 0; i < CONDITIONS; i++)
		fprintf(stderr, " %s", conditions[i]);
	fputc('\n', stderr);
	return false;
}

static bool has_state(const char *condition, const json_t *item)
{
	return strcasecmp(cli_text(item, "state"), condition) == 0;
}

bool condition_holds(const char *condition, int status, const json_t *answer)
{
	bool is_list = json_is_array(answer), empty = is_list && json_array_size(answer) == 0;

	if (condition && strcmp(condition, "deleted") == 0)
		return status == CLI_NOT_FOUND || (status == CLI_DONE && empty);
	if (status != CLI_DONE || !answer || empty)
		return false;
	if (!condition)
		return true;
	for (size_t i = 0; is_list && i < json_array_size(answer); i++)
		if (!has_state(condition, json_array_get(answer, i)))
			return false;
	return is_list || has_state(condition, answer);
}

/* --- time --- */

uint64_t cli_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void cli_set_deadline(struct cli *cli)
{
	if (!cli->deadline_ms)
		cli->deadline_ms = cli_now_ms() + 1000 * (uint64_t)cli->timeout_s;
}

bool cli_is_late(const struct cli *cli)
{
	return cli->deadline_ms && cli_now_ms() >= cli->deadline_ms;
}

/* --- services --- */

static int await_service(struct cli *cli, const char *name)
{
	struct cli quiet = *cli;
	char path[NAME + 16];
	json_t *answer;
	bool holds;

	quiet.silent = true;
	snprintf(path, sizeof(path), "/v1/services/%s", name);
	for (;;) {
		int status = cli_request(&quiet, "GET", path, NULL, &answer);

		holds = condition_holds(cli->condition, status, answer);
		json_decref(answer);
		if (holds || cli_is_late(cli))
			break;
		usleep(LOOK_US);
	}
	if (!holds)
		fprintf(stderr, "sluice: timed out: %s is not %s yet; --timeout SECONDS waits longer\n", name,
		        cli->condition);
	return holds ? CLI_DONE : CLI_TIMED_OUT;
}

int condition_await(struct cli *cli, const char *subject)
{
	int status = CLI_DONE;
	char name[NAME];

	while (status == CLI_DONE && *subject) {
		size_t length = strcspn(subject, ",");

		snprintf(name, sizeof(name), "%.*s", (int)strcspn(subject, ",/"), subject);
		status = await_service(cli, name);
		subject += length + (subject[length] == ',');
	}
	return status;
}
