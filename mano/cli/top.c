/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * top: what moves, second by second (--once: a single time): functions, chains, workers and ports of all services, as rates of what their
 * processes count between two looks. Reads only; a process that does not answer is left out.
 */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/top_rows.h"

enum { PATH_SIZE = 384 };

static void add_named(json_t *section, const char *process, const char *name, const json_t *state)
{
	char full[2 * PATH_SIZE];

	snprintf(full, sizeof(full), "%s%s%s", process, *name ? "/" : "", name);
	json_object_set(section, full, (json_t *)(uintptr_t)state);
}

/* A worker has a number, everything else a name. */
static void add_state(json_t *section, const char *process, const json_t *state)
{
	const json_t *worker = json_object_get(state, "worker");
	char number[16] = "";

	if (worker)
		snprintf(number, sizeof(number), "%d", (int)json_integer_value(worker));
	add_named(section, process, worker ? number : cli_text(state, "name"), state);
}

/* Ports, paths and workers of one process; of a VNF's own process if vnf is not NULL. */
static void look_at_process(struct cli *cli, json_t *look, const char *service, const char *vnf)
{
	static const char *const topics[] = { "paths", "workers", "ports" };
	char path[PATH_SIZE], process[PATH_SIZE];

	snprintf(process, sizeof(process), "%s%s%s", service, vnf ? "/" : "", vnf ? vnf : "");
	for (unsigned i = 0; i < sizeof(topics) / sizeof(*topics); i++) {
		json_t *list = NULL, *state;
		size_t k;

		snprintf(path, sizeof(path), "/v1/services/%s/state/%s?limit=1000%s%s", service, topics[i],
		         vnf ? "&vnf=" : "", vnf ? vnf : "");
		if (cli_request(cli, "GET", path, NULL, &list) == CLI_DONE)
			json_array_foreach(list, k, state)
			        add_state(json_object_get(look, topics[i]), process, state);
		json_decref(list);
	}
}

static void look_at_function(struct cli *cli, json_t *look, const char *service, const char *vnf)
{
	char path[PATH_SIZE];
	json_t *state = NULL;

	snprintf(path, sizeof(path), "/v1/services/%s/vnfs/%s/state/traffic", service, vnf);
	if (cli_request(cli, "GET", path, NULL, &state) == CLI_DONE)
		add_named(json_object_get(look, "functions"), service, vnf, state);
	json_decref(state);
}

static void look_at_service(struct cli *cli, json_t *look, const json_t *service)
{
	const char *name = cli_text(service, "name");
	json_t *vnf;
	size_t i;

	look_at_process(cli, look, name, NULL);
	json_array_foreach(json_object_get(service, "vnfs"), i, vnf)
	{
		const char *its = cli_text(vnf, "name");
		const char *process = json_string_value(json_object_get(vnf, "process"));

		if (process && strcmp(process, name) != 0)
			look_at_process(cli, look, name, its);
		look_at_function(cli, look, name, its);
	}
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* One look: {functions, paths, workers, ports: {name: state}, at: seconds}; *status: whether sluiced answered. */
static json_t *look(struct cli *cli, int *status)
{
	json_t *out = json_pack("{s:{},s:{},s:{},s:{},s:f}", "functions", "paths", "workers", "ports", "at",
	                        seconds_now());
	struct cli quiet = *cli; /* that a process does not answer is no news each second */
	json_t *services = NULL, *service;
	size_t i;

	quiet.silent = true;
	*status = cli_request(cli, "GET", "/v1/services", NULL, &services);
	json_array_foreach(services, i, service) look_at_service(&quiet, out, service);
	json_decref(services);
	return out;
}

/* --- on the screen --- */

static const char *const sections[] = { "functions", "chains", "workers", "ports" };

/* Lines of the terminal; 0: there is none, or it does not say. */
static size_t screen_lines(void)
{
	struct winsize size;

	return isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

/* Takes away what a terminal of so many lines has no place for, the last first; how many rows that were. */
static size_t fit(json_t *rows, size_t lines)
{
	size_t all = 0, cut = 0;

	for (unsigned i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		size_t count = json_array_size(json_object_get(rows, sections[i]));

		all += count ? count + 2 : 0; /* with its head, and what is between */
	}
	for (size_t i = sizeof(sections) / sizeof(*sections); i-- > 0 && all > lines;) {
		json_t *list = json_object_get(rows, sections[i]);

		for (size_t k = json_array_size(list); k-- > 0 && all > lines; cut++) {
			json_array_remove(list, k);
			all -= k ? 1 : 3;
		}
	}
	return cut;
}

static void print(const struct cli *cli, const json_t *rows)
{
	const char *between = "";

	if (cli->output != OUTPUT_TABLE && cli->output != OUTPUT_WIDE) {
		cli_print(cli, cli->output == OUTPUT_NAME ? json_object_get(rows, "functions") : rows);
		return;
	}
	for (unsigned i = 0; i < sizeof(sections) / sizeof(*sections); i++) {
		const json_t *list = json_object_get(rows, sections[i]);

		if (!json_array_size(list))
			continue;
		printf("%s", between);
		cli_print_table(list, NULL);
		between = "\n";
	}
}

/* A page of its own, no longer and no wider than the terminal: lines are cut at its edge. */
static void print_page(const struct cli *cli, json_t *rows)
{
	bool table = cli->output == OUTPUT_TABLE || cli->output == OUTPUT_WIDE;
	size_t lines = table ? screen_lines() : 0, cut = lines ? fit(rows, lines) : 0;

	printf("\033[H\033[2J\033[?7l");
	print(cli, rows);
	if (cut)
		printf("and %zu more; --once prints all", cut);
	printf("\033[?7h");
}

int command_top(struct cli *cli)
{
	int status;
	json_t *before = look(cli, &status), *now, *rows;

	while (status == CLI_DONE) {
		sleep(1);
		now = look(cli, &status);
		rows = top_rows(before, now);
		if (!cli->once && isatty(STDOUT_FILENO))
			print_page(cli, rows);
		else
			print(cli, rows);
		fflush(stdout);
		json_decref(rows);
		json_decref(before);
		before = now;
		if (cli->once)
			break;
	}
	json_decref(before);
	return status;
}
