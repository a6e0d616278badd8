/* SPDX-License-Identifier: BSD-3-Clause */
/* get: the nouns and where sluiced has them; lists page by page, filtered, watched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/verbs.h"
#include "util/memory.h"

enum { PATH_SIZE = 512 };

enum { COLUMNS = 10 };

/* What can be asked for: the path without and with a name (S: service, V: the rest of the name), and the columns of its table. */
static const struct noun {
	const char *name, *all, *one;
	const char *columns[COLUMNS]; /* none: all that the first has */
} nouns[] = {
	{ "service",
	  "/v1/services",
	  "/v1/services/S",
	  { "name", "state", "placement", "revision", "operation" } },
	{ "vnf",
	  "/v1/services/S/vnfs",
	  "/v1/services/S/vnfs/V",
	  { "name", "kind", "state", "health", "placement", "process", "chains", "restarts", "error" } },
	{ "chain",
	  "/v1/services/S/chains",
	  "/v1/services/S/chains/V",
	  { "name", "path", "onFailure", "symmetric", "priority" } },
	{ "op",
	  "/v1/ops",
	  "/v1/ops/S",
	  { "id", "kind", "subject", "state", "progress", "message", "author", "created" } },
	{ "event", "/v1/events?last=0", NULL, { "time", "kind", "subject", "message" } },
	{ "node", "/v1/nodes", "/v1/nodes/S", { NULL } },
	{ "revision", "/v1/services/S/revisions", "/v1/services/S/revisions/V", { NULL } },
	{ "session", "/v1/services/S/state/sessions", "/v1/services/S/state/sessions?vnf=V", { NULL } },
	{ "port",
	  "/v1/services/S/state/ports",
	  "/v1/services/S/state/ports?vnf=V",
	  { "name", "device", "up", "mac", "receivedPackets", "sentPackets", "sendDrops", "missed" } },
	{ "neighbour", "/v1/services/S/state/neighbours", NULL, { NULL } },
	{ "route", "/v1/services/S/state/routes", NULL, { NULL } },
	{ "worker", "/v1/services/S/state/workers", "/v1/services/S/state/workers?vnf=V", { NULL } },
	{ "path", "/v1/services/S/state/paths", "/v1/services/S/state/paths?vnf=V", { NULL } },
	{ "hop", "/v1/services/S/state/hops", NULL, { NULL } },
	{ "memory", "/v1/services/S/state/memory", "/v1/services/S/state/memory?vnf=V", { NULL } },
	{ "counter", "/v1/services/S/state/counters", "/v1/services/S/state/counters?vnf=V", { NULL } },
	{ "rule", NULL, "/v1/services/S/vnfs/V/state/rules", { NULL } },
	{ "zone", NULL, "/v1/services/S/vnfs/V/state/zones", { NULL } },
	{ "mapping", NULL, "/v1/services/S/vnfs/V/state/mappings", { NULL } },
	{ "pool", NULL, "/v1/services/S/vnfs/V/state/pools", { NULL } },
	{ "forward", NULL, "/v1/services/S/vnfs/V/state/forwards", { NULL } },
};

static const struct noun *find_noun(const char *word)
{
	for (unsigned i = 0; i < sizeof(nouns) / sizeof(*nouns); i++)
		if (strncmp(nouns[i].name, word, strlen(nouns[i].name)) == 0 &&
		    strlen(word) <= strlen(nouns[i].name) + 1)
			return &nouns[i];
	suggest_print("noun", word, cli_noun);
	fprintf(stderr, "sluice: there are:");
	for (unsigned i = 0; i < sizeof(nouns) / sizeof(*nouns); i++)
		fprintf(stderr, " %s", nouns[i].name);
	fprintf(stderr, "\n");
	return NULL;
}

/* Puts service and name into a pattern. */
static void fill(const char *pattern, const char *service, const char *name, char *path, size_t size)
{
	size_t used = 0;

	for (const char *p = pattern; *p && used < size - 1; p++) {
		const char *word = *p == 'S' ? service : *p == 'V' ? name : NULL;

		if (word)
			used += (size_t)snprintf(path + used, size - used, "%s", word);
		else
			path[used++] = *p;
	}
	path[used < size ? used : size - 1] = '\0';
}

bool cli_noun_path(struct cli *cli, char *path, size_t size)
{
	const struct noun *noun = cli->count ? find_noun(cli->words[0]) : NULL;
	const char *word = cli->count > 1 ? cli->words[1] : NULL, *rest = NULL, *pattern;
	char service[128] = "";

	if (!noun || (word && !cli_split(word, service, sizeof(service), &rest)))
		return false;
	pattern = rest || (word && noun->one && !strchr(noun->one, 'V')) ? noun->one : noun->all;
	if (!pattern || (strchr(pattern, 'S') && !word) || (strchr(pattern, 'V') && !rest)) {
		fprintf(stderr, "sluice: which one? sluice get %s %s\n", noun->name,
		        noun->one && strchr(noun->one, 'V') && !noun->all ? "SERVICE/VNF" : "SERVICE[/NAME]");
		return false;
	}
	fill(pattern, service, rest, path, size);
	cli->columns = noun->columns[0] ? noun->columns : NULL;
	return true;
}

const char *cli_noun(unsigned i)
{
	return i < sizeof(nouns) / sizeof(*nouns) ? nouns[i].name : NULL;
}

char *cli_with_query(char *path, const char *name, const char *value)
{
	static const char hex[] = "0123456789ABCDEF";
	char *escaped = memory_new(3 * strlen(value) + 1, 1), *to = escaped, *full;

	for (const char *p = value; *p; p++) {
		if ((*p >= '0' && *p <= '9') || (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    strchr("-._~(),;/", *p)) {
			*to++ = *p;
		} else {
			*to++ = '%';
			*to++ = hex[(unsigned char)*p >> 4];
			*to++ = hex[*p & 15];
		}
	}
	*to = '\0';
	full = text_format("%s%c%s=%s", path, strchr(path, '?') ? '&' : '?', name, escaped);
	free(escaped);
	free(path);
	return full;
}

/* All pages of a list, or the first if a limit was given; what is no list comes as it is. */
static int read_pages(struct cli *cli, const char *from, json_t **whole)
{
	char *path = text_copy(from), *next = NULL;
	json_t *page;
	int status;

	*whole = NULL;
	if (cli->filter)
		path = cli_with_query(path, "filter", cli->filter);
	if (cli->limit)
		path = cli_with_query(path, "limit", cli->limit);
	do {
		status = cli_request_page(cli, path, &page, &next);
		if (status == CLI_DONE && *whole && json_is_array(page))
			json_array_extend(*whole, page);
		else if (status == CLI_DONE && !*whole)
			*whole = json_incref(page);
		json_decref(page);
		free(path);
		path = next;
		next = NULL;
	} while (status == CLI_DONE && path && !cli->limit);
	free(path);
	return status;
}

int cli_watch(struct cli *cli, int (*read)(struct cli *cli, const void *what, json_t **answer),
              const void *what)
{
	bool terminal = isatty(STDOUT_FILENO);
	json_t *before = NULL, *now;
	int status;

	while ((status = read(cli, what, &now)) == CLI_DONE) {
		if (!before || !json_equal(before, now)) {
			if (terminal)
				printf("\033[H\033[2J");
			else if (before && cli->output == OUTPUT_YAML)
				puts("---");
			cli_print(cli, now);
		}
		json_decref(before);
		before = now;
		now = NULL;
		if (fflush(stdout) != 0)
			break;
		sleep(1);
	}
	json_decref(now);
	json_decref(before);
	return status;
}

static int read_list(struct cli *cli, const void *path, json_t **answer)
{
	return read_pages(cli, path, answer);
}

int cli_list(struct cli *cli, const char *path)
{
	json_t *answer;
	int status;

	if (cli->watch)
		return cli_watch(cli, read_list, path);
	status = read_pages(cli, path, &answer);
	if (status == CLI_DONE)
		cli_print(cli, answer);
	json_decref(answer);
	return status;
}

int command_get(struct cli *cli)
{
	char path[PATH_SIZE];

	if (!cli->count)
		return cli_usage("get NOUN [SERVICE[/NAME]] [-o table|wide|json|yaml|name]");
	if (!cli_noun_path(cli, path, sizeof(path)))
		return CLI_USAGE;
	return cli_list(cli, path);
}
