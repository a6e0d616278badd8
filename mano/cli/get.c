/* SPDX-License-Identifier: BSD-3-Clause */
/* get: lists page by page, of one service or all, filtered, watched. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/condition.h"
#include "cli/nouns.h"
#include "util/memory.h"

enum { AWAIT_US = 200000 };

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

/* How many items are wanted at most. */
static size_t most(const struct cli *cli)
{
	return cli->limit ? strtoul(cli->limit, NULL, 10) : SIZE_MAX;
}

/* A list without what is beyond the limit: pages may hold more than was asked for. */
static void cut(const struct cli *cli, json_t *list)
{
	while (json_array_size(list) > most(cli))
		json_array_remove(list, json_array_size(list) - 1);
}

/* All pages of a list, or as many as the limit takes; what is no list comes as it is. */
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
	} while (status == CLI_DONE && path && json_array_size(*whole) < most(cli));
	free(path);
	cut(cli, *whole);
	return status;
}

/* Prints it anew whenever it differs, each second, until the reader or the user has had enough. */
static int watch(struct cli *cli, cli_read *read, const void *what)
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

/* Whether waiting may help: not where the question is wrong. */
static bool may_come(int status)
{
	return status == CLI_DONE || status == CLI_NOT_FOUND || status == CLI_UNREACHABLE ||
	       status == CLI_TIMED_OUT;
}

/* Reads until there is something (a list with an item that the filter takes, an object that exists), or until all of it is as it is wanted. */
static int await(struct cli *cli, cli_read *read, const void *what, json_t **answer)
{
	const char *condition = cli->condition;
	struct cli quiet = *cli;

	quiet.silent = true;
	cli_set_deadline(&quiet);
	do {
		int status = read(&quiet, what, answer);

		if (condition_holds(condition, status, *answer))
			return CLI_DONE;
		json_decref(*answer);
		*answer = NULL;
		if (!may_come(status))
			return read(cli, what, answer); /* which says what is wrong */
		usleep(AWAIT_US);
	} while (!cli_is_late(&quiet));
	fprintf(stderr, "sluice: timed out: there is nothing%s%s yet; --timeout SECONDS waits longer\n",
	        condition ? " that is " : "", condition ? condition : "");
	return CLI_TIMED_OUT;
}

int cli_show(struct cli *cli, cli_read *read, const void *what)
{
	json_t *answer = NULL;
	int status;

	if (cli->watch)
		return watch(cli, read, what);
	status = cli->wait ? await(cli, read, what, &answer) : read(cli, what, &answer);
	if (status == CLI_DONE && answer)
		cli_print(cli, answer);
	json_decref(answer);
	return status;
}

static int read_list(struct cli *cli, const void *path, json_t **answer)
{
	return read_pages(cli, path, answer);
}

int cli_list(struct cli *cli, const char *path)
{
	return cli_show(cli, read_list, path);
}

/* The lists of all services as one, each item with the name of its service. */
static int read_everywhere(struct cli *cli, const char *pattern, json_t **whole)
{
	json_t *services, *service, *part, *item;
	char path[NOUN_PATH];
	size_t i, k;
	int status = cli_request(cli, "GET", "/v1/services", NULL, &services);

	*whole = json_array();
	json_array_foreach(services, i, service)
	{
		noun_fill(pattern, cli_text(service, "name"), path);
		if (status == CLI_DONE)
			status = read_pages(cli, path, &part);
		else
			break;
		json_array_foreach(part, k, item)
		        json_object_set(item, "service", json_object_get(service, "name"));
		json_array_extend(*whole, part);
		json_decref(part);
	}
	json_decref(services);
	cut(cli, *whole);
	return status;
}

static int read_target(struct cli *cli, const void *what, json_t **answer)
{
	const struct noun_target *target = what;

	return target->pattern ? read_everywhere(cli, target->pattern, answer)
	                       : read_pages(cli, target->path, answer);
}

int command_get(struct cli *cli)
{
	struct noun_target target;

	if (!cli->count)
		return cli_usage("get NOUN [SERVICE[/NAME]] [-o table|wide|json|yaml|name]");
	if (!noun_target(cli, &target))
		return CLI_USAGE;
	return cli_show(cli, read_target, &target);
}
