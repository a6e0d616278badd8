/* SPDX-License-Identifier: BSD-3-Clause */
/* Files: apply, diff, validate, delete -f. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

static json_t *body_of(const struct cli *cli, bool dry_run)
{
	return json_pack("{s:o,s:b}", "resources", conf_to_json(cli->document), "dryRun", dry_run);
}

/* Asks what would happen; the number of differences in *changes. */
static int dry_run(struct cli *cli, bool show, size_t *changes)
{
	json_t *body, *answer;
	int status = cli_read_file(cli);

	if (status != CLI_DONE)
		return status;
	body = body_of(cli, true);
	status = cli_request(cli, "POST", "/v1/apply", body, &answer);
	json_decref(body);
	if (status == CLI_DONE && !json_is_true(json_object_get(answer, "valid"))) {
		cli_problem(cli, answer);
		status = CLI_INVALID;
	} else if (status == CLI_DONE) {
		if (show)
			cli_print_changes(cli, answer);
		*changes = json_array_size(json_object_get(answer, "changes"));
	}
	json_decref(answer);
	return status;
}

int command_diff(struct cli *cli)
{
	size_t changes = 0;
	int status;

	if (cli->revision || (!cli->file && cli->count))
		return command_diff_revisions(cli);
	status = dry_run(cli, true, &changes);
	return status == CLI_DONE && changes ? CLI_DIFFERS : status;
}

int command_validate(struct cli *cli)
{
	size_t changes;
	int status = dry_run(cli, false, &changes);

	if (status == CLI_DONE)
		cli_say(cli, "%s: valid\n", cli->file);
	return status;
}

int command_apply(struct cli *cli)
{
	size_t changes;
	json_t *body;
	int status;

	if (cli->dry_run)
		return dry_run(cli, true, &changes);
	status = cli_read_file(cli);
	if (status != CLI_DONE)
		return status;
	body = body_of(cli, false);
	status = cli_change(cli, "POST", "/v1/apply", body);
	json_decref(body);
	return status;
}

static int delete_service(struct cli *cli, const char *name)
{
	char path[256], service[128];
	const char *rest;

	if (!cli_split(name, service, sizeof(service), &rest) || rest)
		return cli_usage("delete service NAME | delete -f FILE");
	snprintf(path, sizeof(path), "/v1/services/%s", service);
	return cli_change(cli, "DELETE", path, NULL);
}

static int delete_file(struct cli *cli)
{
	const struct conf *services;
	int status = cli_read_file(cli);

	if (status != CLI_DONE)
		return status;
	services = conf_get(cli->document, "services");
	for (size_t i = 0; i < conf_count(services) && status == CLI_DONE; i++)
		status = delete_service(cli, conf_string(conf_at(services, i), "name", ""));
	return status;
}

int command_delete(struct cli *cli)
{
	if (cli->file)
		return delete_file(cli);
	if (cli->count == 2 && strcmp(cli->words[0], "service") == 0)
		return delete_service(cli, cli->words[1]);
	return cli_usage("delete service NAME | delete -f FILE");
}
