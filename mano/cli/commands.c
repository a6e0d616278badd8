/* SPDX-License-Identifier: BSD-3-Clause */
/* Changing and asking: chain, heal, restart, op, doctor, version. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "manage/client.h"

enum { PATH_SIZE = 512 };

static int chain_task(struct cli *cli, const char *service, const char *chain, const char *task, json_t *body)
{
	char path[PATH_SIZE];
	int status;

	snprintf(path, sizeof(path), "/v1/services/%s/chains/%s:%s", service, chain, task);
	status = cli_change(cli, "POST", path, body);
	json_decref(body);
	return status;
}

/* chain set: the path of an existing chain, or a new chain. */
static int chain_set(struct cli *cli, const char *service, const char *chain, json_t *members)
{
	char path[PATH_SIZE];
	json_t *body = json_pack("{s:s,s:o}", "name", chain, "path", members);
	int status;

	snprintf(path, sizeof(path), "/v1/services/%s/chains/%s", service, chain);
	status = cli_change(cli, "PUT", path, body);
	json_decref(body);
	return status;
}

static json_t *remaining_words(const struct cli *cli, int from)
{
	json_t *list = json_array();

	for (int i = from; i < cli->count; i++)
		json_array_append_new(list, json_string(cli->words[i]));
	return list;
}

int command_chain(struct cli *cli)
{
	static const char usage[] = "chain insert SERVICE/CHAIN VNF [--before X|--after X] | chain remove "
	                            "SERVICE/CHAIN VNF | chain reorder|set SERVICE/CHAIN PORT VNF... PORT";
	const char *verb = cli->count > 2 ? cli->words[0] : "", *chain;
	char service[128];

	if (cli->count < 3 || !cli_split(cli->words[1], service, sizeof(service), &chain) || !chain)
		return cli_usage(usage);
	if (strcmp(verb, "insert") == 0 && cli->before)
		return chain_task(cli, service, chain, verb,
		                  json_pack("{s:s,s:s}", "vnf", cli->words[2], "before", cli->before));
	if (strcmp(verb, "insert") == 0 && cli->after)
		return chain_task(cli, service, chain, verb,
		                  json_pack("{s:s,s:s}", "vnf", cli->words[2], "after", cli->after));
	if (strcmp(verb, "insert") == 0)
		return chain_task(cli, service, chain, verb,
		                  json_pack("{s:s,s:i}", "vnf", cli->words[2], "position", 0));
	if (strcmp(verb, "remove") == 0)
		return chain_task(cli, service, chain, verb, json_pack("{s:s}", "vnf", cli->words[2]));
	if (strcmp(verb, "reorder") == 0)
		return chain_task(cli, service, chain, verb,
		                  json_pack("{s:o}", "path", remaining_words(cli, 2)));
	if (strcmp(verb, "set") == 0)
		return chain_set(cli, service, chain, remaining_words(cli, 2));
	return cli_usage(usage);
}

/* --- tasks --- */

/* Says what a task would act on: the process of the VNF, or all of the service. */
static int task_dry(struct cli *cli, const char *name, const char *vnf, char *path)
{
	json_t *answer;
	int status;

	*strrchr(path, ':') = '\0';
	status = cli_request(cli, "GET", path, NULL, &answer);
	if (status == CLI_DONE && vnf)
		printf("would %s the process %s\n", name, cli_text(answer, "process"));
	else if (status == CLI_DONE)
		printf("would %s all processes of %s\n", name, cli->words[0]);
	json_decref(answer);
	return status;
}

static int task(struct cli *cli, const char *name)
{
	char service[128], path[PATH_SIZE];
	const char *vnf;

	if (cli->count != 1 || !cli_split(cli->words[0], service, sizeof(service), &vnf))
		return cli_usage("heal|restart SERVICE[/VNF]");
	if (vnf)
		snprintf(path, sizeof(path), "/v1/services/%s/vnfs/%s:%s", service, vnf, name);
	else
		snprintf(path, sizeof(path), "/v1/services/%s:%s", service, name);
	return cli->dry_run ? task_dry(cli, name, vnf, path) : cli_change(cli, "POST", path, NULL);
}

int command_heal(struct cli *cli)
{
	return task(cli, "heal");
}

int command_restart(struct cli *cli)
{
	return task(cli, "restart");
}

static const char op_usage[] = "op list | op show ID | op wait ID | op retry|fail|rollback ID";

/* Waits for an operation that is named. */
static int op_wait(struct cli *cli, const char *text)
{
	char *end;
	unsigned long long id = strtoull(text, &end, 10);

	if (!id || *end)
		return cli_usage(op_usage);
	return cli_await(cli, (json_int_t)id);
}

/* Says what would be tried on which operation, if it can be: only one that waits for a decision. */
static int op_dry(struct cli *cli, const char *verb, char *path)
{
	json_t *op;
	const char *state;
	int status;

	*strrchr(path, ':') = '\0';
	status = cli_request(cli, "GET", path, NULL, &op);
	state = cli_text(op, "state");
	if (status == CLI_DONE && strcmp(state, "FAILED_TEMP") != 0) {
		fprintf(stderr, "sluice: operation %s is %s: only one in FAILED_TEMP can be decided\n",
		        cli->words[1], state);
		status = CLI_CONFLICT;
	} else if (status == CLI_DONE) {
		printf("would %s operation %s: %s of %s\n", verb, cli->words[1], cli_text(op, "kind"),
		       cli_text(op, "subject"));
	}
	json_decref(op);
	return status;
}

int command_op(struct cli *cli)
{
	const char *verb = cli->count ? cli->words[0] : "list";
	char path[PATH_SIZE];
	json_t *answer;
	int status;

	if (strcmp(verb, "list") == 0 && cli->count <= 1)
		return cli_list(cli, "/v1/ops");
	if (cli->count != 2 || cli->words[1][strspn(cli->words[1], "0123456789")])
		return cli_usage(op_usage);
	if (strcmp(verb, "wait") == 0)
		return op_wait(cli, cli->words[1]);
	if (strcmp(verb, "retry") == 0 || strcmp(verb, "fail") == 0 || strcmp(verb, "rollback") == 0) {
		snprintf(path, sizeof(path), "/v1/ops/%s:%s", cli->words[1], verb);
		return cli->dry_run ? op_dry(cli, verb, path) : cli_change(cli, "POST", path, NULL);
	}
	if (strcmp(verb, "show") != 0)
		return cli_usage(op_usage);
	snprintf(path, sizeof(path), "/v1/ops/%s", cli->words[1]);
	status = cli_request(cli, "GET", path, NULL, &answer);
	if (status == CLI_DONE)
		cli_print(cli, answer);
	json_decref(answer);
	return status;
}

/* --- host and versions --- */

/* What was done, or not, in lines. */
static void tell_actions(const struct cli *cli, const json_t *answer)
{
	json_t *actions = json_object_get(answer, "actions"), *action;
	size_t i;

	json_array_foreach(actions, i, action)
	{
		const char *detail = cli_text(action, "detail");

		printf("%s: %s%s%s\n",
		       cli->dry_run ? "would"
		       : *detail    ? "not done"
		                    : "done",
		       cli_text(action, "action"), *detail ? ": " : "", detail);
	}
	if (!json_array_size(actions))
		cli_say(cli, "sluice: there is nothing that can be mended\n");
}

int command_doctor(struct cli *cli)
{
	const char *path = !cli->fix      ? "/v1/doctor"
	                   : cli->dry_run ? "/v1/doctor:fix?dryRun=1"
	                                  : "/v1/doctor:fix";
	json_t *answer;
	int status;

	if (cli->dry_run && !cli->fix)
		return cli_usage("doctor [--fix [--dry-run]]");
	status = cli_request(cli, cli->fix ? "POST" : "GET", path, NULL, &answer);
	if (status == CLI_DONE) {
		if (cli->fix && !cli_structured(cli))
			tell_actions(cli, answer);
		else
			cli_print(cli, cli_structured(cli) ? answer : json_object_get(answer, "checks"));
		status = json_is_true(json_object_get(answer, "ok")) ? CLI_DONE : CLI_FAILED;
	}
	json_decref(answer);
	return status;
}

/* Both versions; a difference is worth a remark, for sluiced is stopped last when both are replaced. */
int command_version(struct cli *cli)
{
	json_t *answer, *both = json_pack("{s:s}", "sluice", SLUICE_VERSION), *theirs;
	int status = cli_request(cli, "GET", "/v1/version", NULL, &answer);

	theirs = json_object_get(answer, "version");
	if (theirs)
		json_object_set(both, "sluiced", theirs);
	if (cli_structured(cli)) {
		cli_print(cli, both);
	} else {
		printf("sluice %s\n", SLUICE_VERSION);
		if (theirs)
			printf("sluiced %s\n", cli_text(answer, "version"));
	}
	if (theirs && strcmp(cli_text(answer, "version"), SLUICE_VERSION) != 0)
		cli_say(cli, "sluice: the versions differ: the older one may not know what the newer asks\n");
	json_decref(both);
	json_decref(answer);
	return status;
}
