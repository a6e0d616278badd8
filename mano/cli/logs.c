/* SPDX-License-Identifier: BSD-3-Clause */
/* logs: what a service's processes, or sluiced itself, have logged; with --watch also what is added. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "util/memory.h"

enum { BYTES = 1 << 20, TAIL = 2048 };

/* The last N lines of a text; 0: all. */
static const char *last_lines(const char *text, unsigned n)
{
	const char *at = text + strlen(text);

	if (!n)
		return text;
	while (at > text && n) {
		at--;
		while (at > text && at[-1] != '\n')
			at--;
		n--;
	}
	return at;
}

/* What stands behind the end of what was seen; all of it, if that is not in it any more. */
static const char *added(const char *text, const char *before)
{
	size_t length = strlen(before), tail = length < TAIL ? length : TAIL;
	const char *found = tail ? strstr(text, before + length - tail) : NULL;

	return found ? found + tail : text;
}

static int follow(struct cli *cli, const char *path, char *before)
{
	int status = CLI_DONE;
	char *text;

	while (status == CLI_DONE && fflush(stdout) == 0) {
		sleep(1);
		status = cli_request_text(cli, path, &text);
		if (status != CLI_DONE)
			break;
		fputs(added(text, before), stdout);
		free(before);
		before = text;
	}
	free(before);
	return status;
}

int command_logs(struct cli *cli)
{
	const char *vnf = NULL;
	char service[128] = "", *path, *text;
	int status;

	if (cli->count > 1 || (cli->count && !cli_split(cli->words[0], service, sizeof(service), &vnf)))
		return cli_usage("logs [SERVICE[/VNF]] [--last N] [--watch]");
	path = *service ? text_format("/v1/services/%s/logs?bytes=%d%s%s", service, BYTES, vnf ? "&vnf=" : "",
	                              vnf ? vnf : "")
	                : text_format("/v1/logs?bytes=%d", BYTES);
	status = cli_request_text(cli, path, &text);
	if (status == CLI_DONE) {
		fputs(last_lines(text, cli->last), stdout);
		if (cli->watch)
			status = follow(cli, path, text);
		else
			free(text);
	}
	free(path);
	return status;
}
