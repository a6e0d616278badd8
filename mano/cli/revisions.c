/* SPDX-License-Identifier: BSD-3-Clause */
/* Revisions: history, diff --revision, rollback, confirm. SERVICE, or SERVICE/VNF for one function's configuration alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { PATH_SIZE = 512 };

/* Splits the one word behind the verb; false: usage was printed. */
static bool subject(struct cli *cli, char *service, size_t size, const char **vnf, const char *usage)
{
	if (cli->count >= 1 && cli_split(cli->words[0], service, size, vnf))
		return true;
	cli_usage(usage);
	return false;
}

/* A row with all columns, so that the table's first row has them, too. */
static json_t *row_of(const json_t *revision)
{
	static const char *const columns[] = { "revision", "state",     "time",   "author",
		                               "kind",     "operation", "comment" };
	json_t *row = json_object();

	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++) {
		json_t *value = json_object_get(revision, columns[i]);

		json_object_set_new(row, columns[i], value ? json_incref(value) : json_string(""));
	}
	return row;
}

static void print_history(const struct cli *cli, const json_t *list)
{
	json_t *rows = json_array(), *revision;
	size_t i;

	if (cli_structured(cli)) {
		cli_print(cli, list);
	} else {
		json_array_foreach((json_t *)(uintptr_t)list, i, revision)
		        json_array_append_new(rows, row_of(revision));
		cli_print(cli, rows);
	}
	json_decref(rows);
}

int command_history(struct cli *cli)
{
	char service[128], path[PATH_SIZE];
	const char *vnf;
	json_t *list;
	int status;

	if (!subject(cli, service, sizeof(service), &vnf, "history SERVICE[/VNF]"))
		return CLI_USAGE;
	snprintf(path, sizeof(path), "/v1/services/%s/revisions?limit=1000%s%s", service, vnf ? "&vnf=" : "",
	         vnf ? vnf : "");
	status = cli_request(cli, "GET", path, NULL, &list);
	if (status == CLI_DONE)
		print_history(cli, list);
	json_decref(list);
	return status;
}

static bool is_point(const char *text, bool last)
{
	return (*text && strspn(text, "0123456789") == strlen(text)) || strcmp(text, "current") == 0 ||
	       (last && strcmp(text, "running") == 0);
}

/* A..B, A.. or A into two texts; what is not told is what is wanted now, and without a range it is compared with what runs. */
static bool range_of(const char *text, char *a, char *b, size_t size)
{
	const char *dots = text ? strstr(text, "..") : NULL;

	snprintf(a, size, "%.*s", text ? (int)(dots ? dots - text : (long)strlen(text)) : 0,
	         text ? text : "");
	snprintf(b, size, "%s", dots ? dots + 2 : "");
	if (!*a)
		snprintf(a, size, "current");
	if (!*b)
		snprintf(b, size, text ? "current" : "running");
	return is_point(a, false) && is_point(b, true);
}

int command_diff_revisions(struct cli *cli)
{
	static const char usage[] = "diff SERVICE[/VNF] [--revision A[..B]]";
	char service[128], path[PATH_SIZE], a[24], b[24];
	const char *vnf;
	json_t *answer;
	int status;

	if (!subject(cli, service, sizeof(service), &vnf, usage))
		return CLI_USAGE;
	if (!range_of(cli->revision, a, b, sizeof(a)))
		return cli_usage(usage);
	snprintf(path, sizeof(path), "/v1/services/%s/revisions/%s:diff?to=%s%s%s", service, a, b,
	         vnf ? "&vnf=" : "", vnf ? vnf : "");
	status = cli_request(cli, "GET", path, NULL, &answer);
	if (status == CLI_DONE) {
		cli_print_changes(cli, answer);
		status = json_array_size(json_object_get(answer, "changes")) ? CLI_DIFFERS : CLI_DONE;
	}
	json_decref(answer);
	return status;
}

int command_rollback(struct cli *cli)
{
	char service[128], path[PATH_SIZE], *end = NULL;
	const char *vnf;
	json_t *body = json_object();
	long number = cli->count == 2 ? strtol(cli->words[1], &end, 10) : 0;
	int status;

	if (!subject(cli, service, sizeof(service), &vnf, "rollback SERVICE[/VNF] [REVISION]") ||
	    cli->count > 2 || (end && (*end || number <= 0))) {
		json_decref(body);
		return CLI_USAGE;
	}
	if (number)
		json_object_set_new(body, "revision", json_integer(number));
	if (vnf)
		json_object_set_new(body, "vnf", json_string(vnf));
	snprintf(path, sizeof(path), "/v1/services/%s:rollback", service);
	status = cli_change(cli, "POST", path, body);
	json_decref(body);
	return status;
}

int command_confirm(struct cli *cli)
{
	char service[128], path[PATH_SIZE];
	const char *vnf;
	json_t *answer;
	int status;

	if (!subject(cli, service, sizeof(service), &vnf, "confirm SERVICE"))
		return CLI_USAGE;
	snprintf(path, sizeof(path), "/v1/services/%s:confirm", service);
	status = cli_request(cli, "POST", path, NULL, &answer);
	if (status == CLI_DONE)
		cli_say(cli, "%s: revision %" JSON_INTEGER_FORMAT " is confirmed\n", service,
		        json_integer_value(json_object_get(answer, "revision")));
	json_decref(answer);
	return status;
}
