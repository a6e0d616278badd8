/* SPDX-License-Identifier: BSD-3-Clause */
/* backup, restore: sluiced's store as one file, and back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/cli.h"
#include "manage/client.h"
#include "util/atomic_file.h"

enum { BACKUP_LIMIT = 1 << 30, PAUSE_MS = 100 };

/* --- raw exchanges --- */

static int status_of(unsigned status)
{
	if (status < 300)
		return CLI_DONE;
	return status == 409 ? CLI_CONFLICT : status == 422 || status == 400 ? CLI_INVALID : CLI_FAILED;
}

/* One request whose bodies are no JSON; problems are told. */
static int exchange(struct cli *cli, const struct http_request *request, struct http_reply *reply)
{
	struct http_client *client = cli_client(cli);
	int status;

	if (!http_request(client, request, reply)) {
		status = cli_unreachable(cli, reply);
	} else {
		status = status_of(reply->status);
		if (status != CLI_DONE) {
			json_t *problem = json_loads(reply->body, 0, NULL);

			cli_problem(cli, problem);
			json_decref(problem);
		}
	}
	http_client_free(client);
	return status;
}

/* --- backup --- */

static int keep(const struct cli *cli, const struct http_reply *reply)
{
	int error;

	if (strcmp(cli->file, "-") == 0)
		return fwrite(reply->body, 1, reply->length, stdout) == reply->length ? CLI_DONE : CLI_FAILED;
	error = atomic_file_write(cli->file, reply->body, reply->length, 0600);
	if (error)
		fprintf(stderr, "sluice: cannot write %s: %s\n", cli->file, strerror(error));
	else
		cli_say(cli, "%s: %zu bytes\n", cli->file, reply->length);
	return error ? CLI_FAILED : CLI_DONE;
}

int command_backup(struct cli *cli)
{
	struct http_request request = cli_http(cli, "GET", "/v1/backup");
	struct http_reply reply = { 0 };
	int status;

	if (cli->count || !cli->file)
		return cli_usage("backup -w FILE|-");
	request.timeout_ms = 1000L * cli->timeout_s;
	request.limit = BACKUP_LIMIT;
	status = exchange(cli, &request, &reply);
	if (status == CLI_DONE)
		status = keep(cli, &reply);
	http_reply_free(&reply);
	return status;
}

/* --- restore --- */

static time_t seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Which life of sluiced answers; 0: none does. */
static json_int_t life(struct cli *cli)
{
	json_int_t number = 0;
	json_t *answer = NULL;
	bool silent = cli->silent;

	cli->silent = true;
	if (cli_request(cli, "GET", "/v1/version", NULL, &answer) == CLI_DONE)
		number = json_integer_value(json_object_get(answer, "life"));
	cli->silent = silent;
	json_decref(answer);
	return number;
}

static int await_life(struct cli *cli, json_int_t before)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	time_t end = seconds_now() + (time_t)cli->timeout_s;

	while (life(cli) <= before) {
		if (seconds_now() >= end) {
			fprintf(stderr,
			        "sluice: the backup was taken, and sluiced has not come back in time\n");
			return CLI_TIMED_OUT;
		}
		nanosleep(&pause, NULL);
	}
	return CLI_DONE;
}

static int send_backup(struct cli *cli, const char *data, size_t length)
{
	char path[64];

	snprintf(path, sizeof(path), "/v1/restore?force=%d&dryRun=%d", cli->force, cli->dry_run);
	struct http_request request = cli_http(cli, "POST", path);
	struct http_reply reply = { 0 };
	int status;

	request.body = data;
	request.body_length = length;
	request.content_type = "application/octet-stream";
	request.timeout_ms = 1000L * cli->timeout_s;
	status = exchange(cli, &request, &reply);
	json_t *answer = status == CLI_DONE ? json_loads(reply.body, 0, NULL) : NULL;
	if (status == CLI_DONE) {
		cli_say(cli, "%zu services in the backup%s\n",
		        json_array_size(json_object_get(answer, "services")),
		        cli->dry_run ? "; dry run: nothing has changed" : "");
		if (!cli->dry_run)
			status = await_life(cli, json_integer_value(json_object_get(answer, "life")));
	}
	json_decref(answer);
	http_reply_free(&reply);
	return status;
}

int command_restore(struct cli *cli)
{
	size_t length = 0;
	char *data = NULL;
	int error, status;

	if (cli->count != 1)
		return cli_usage("restore FILE [--force] [--dry-run]");
	error = atomic_file_read(cli->words[0], BACKUP_LIMIT, &data, &length);
	if (error) {
		fprintf(stderr, "sluice: cannot read %s: %s\n", cli->words[0], strerror(error));
		return CLI_NOT_FOUND;
	}
	status = send_backup(cli, data, length);
	free(data);
	return status;
}
