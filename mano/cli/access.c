/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may do what, and who did: tokens, whoami, the audit log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "util/memory.h"

#define NAME_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static const char token_usage[] =
        "token list | create NAME --role viewer|operator|admin [--expires 90d] | show|revoke NAME";

static int create(struct cli *cli, const char *name)
{
	json_t *order = json_pack("{s:s,s:s}", "name", name, "role", cli->role ? cli->role : ""),
	       *answer = NULL;
	int status;

	if (cli->expires)
		json_object_set_new(order, "expires", json_string(cli->expires));
	status = cli_request(cli, "POST", "/v1/tokens", order, &answer);
	if (status == CLI_DONE && cli_structured(cli))
		cli_print(cli, answer);
	else if (status == CLI_DONE)
		printf("%s\n", cli_text(answer, "token"));
	if (status == CLI_DONE)
		cli_say(cli, "this is the only time that it is shown\n");
	json_decref(answer);
	json_decref(order);
	return status;
}

/* A name that could be none of a token's is not sent: it might be another path. */
static int of_one(struct cli *cli, const char *method, const char *name)
{
	char *path = text_format("/v1/tokens/%s", name);
	json_t *answer = NULL;
	int status = CLI_NOT_FOUND;

	if (strspn(name, NAME_LETTERS) == strlen(name))
		status = cli_request(cli, method, path, NULL, &answer);
	else
		fprintf(stderr, "sluice: there is no token \"%s\"\n", name);
	if (status == CLI_DONE && strcmp(method, "GET") == 0)
		cli_print(cli, answer);
	json_decref(answer);
	free(path);
	return status;
}

int command_token(struct cli *cli)
{
	const char *verb = cli->count ? cli->words[0] : "list",
	           *name = cli->count == 2 ? cli->words[1] : NULL;

	if (strcmp(verb, "list") == 0 && cli->count <= 1)
		return cli_list(cli, "/v1/tokens");
	if (strcmp(verb, "create") == 0 && name && cli->role)
		return create(cli, name);
	if (strcmp(verb, "show") == 0 && name)
		return of_one(cli, "GET", name);
	if (strcmp(verb, "revoke") == 0 && name)
		return of_one(cli, "DELETE", name);
	return cli_usage(token_usage);
}

int command_audit(struct cli *cli)
{
	static const char *const columns[] = { "time", "who", "role", "method", "path", "status", NULL };
	char limit[16];

	if (cli->count)
		return cli_usage("audit [--last N] [--filter EXPRESSION]");
	snprintf(limit, sizeof(limit), "%u", cli->last ? cli->last : 100);
	if (!cli->limit)
		cli->limit = limit;
	cli->columns = columns;
	return cli_list(cli, "/v1/audit");
}

int command_whoami(struct cli *cli)
{
	json_t *answer = NULL;
	int status = cli_request(cli, "GET", "/v1/whoami", NULL, &answer);

	if (status == CLI_DONE)
		cli_print(cli, answer);
	json_decref(answer);
	return status;
}
