/* SPDX-License-Identifier: BSD-3-Clause */
/* upgrade: processes of a service from another build. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"

/* sluiced works elsewhere: it is told whole paths. malloc'd; NULL: there is no such file here, and that was said. */
static char *whole(const char *path)
{
	char *real = realpath(path, NULL);

	if (!real)
		fprintf(stderr, "sluice: there is no %s\n", path);
	return real;
}

static int body_of(const struct cli *cli, json_t *body)
{
	const char *given = cli->build ? cli->build : cli->libexec;
	char *path;

	if (!given)
		return CLI_DONE;
	path = whole(given);
	if (!path)
		return CLI_NOT_FOUND;
	json_object_set_new(body, cli->build ? "program" : "libexec", json_string(path));
	free(path);
	return CLI_DONE;
}

int command_upgrade(struct cli *cli)
{
	char service[128], path[512];
	const char *vnf;
	json_t *body;
	int status;

	if (cli->count != 1 || (cli->build && cli->libexec) ||
	    !cli_split(cli->words[0], service, sizeof(service), &vnf))
		return cli_usage("upgrade SERVICE[/VNF] [--build PATH | --libexec DIR]");
	snprintf(path, sizeof(path), "/v1/services/%s%s%s:upgrade", service, vnf ? "/vnfs/" : "",
	         vnf ? vnf : "");
	body = json_object();
	status = body_of(cli, body);
	if (status == CLI_DONE)
		status = cli_change(cli, "POST", path, body);
	json_decref(body);
	return status;
}
