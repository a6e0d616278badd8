/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sluice trace: begins a trace in the service process, and in the process of each VNF that stands behind a hop one that follows its numbers;
 * waits until enough packets were seen; puts the steps of all processes together by number and time, and tells them.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/look.h"
#include "cli/trace_tell.h"

enum { PATH_SIZE = 512, PACKETS = 50, SECONDS = 30, LOOKS_PER_SECOND = 5, SETTLE_US = 300000 };

struct tracing {
	struct cli *cli;
	const char *service;
	json_t *vnfs; /* names of those behind hops */
	unsigned packets, seconds;
	int token;
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

/* One request to the process of a VNF (NULL: the service process). */
static int ask(struct tracing *t, const char *method, const char *vnf, const json_t *body, json_t **answer)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/services/%s/trace%s%s", t->service, vnf ? "?vnf=" : "",
	         vnf ? vnf : "");
	return cli_request(t->cli, method, path, body, answer);
}

/* VNFs that have a process of their own. */
static int find_vnfs(struct tracing *t)
{
	char path[PATH_SIZE];
	json_t *list, *vnf;
	size_t i;
	int status;

	snprintf(path, sizeof(path), "/v1/services/%s/vnfs", t->service);
	status = cli_request(t->cli, "GET", path, NULL, &list);
	t->vnfs = json_array();
	json_array_foreach(list, i, vnf)
	{
		const char *placement = json_string_value(json_object_get(vnf, "placement"));

		if (placement && strcmp(placement, "fused") != 0)
			json_array_append(t->vnfs, json_object_get(vnf, "name"));
	}
	json_decref(list);
	return status;
}

static void stop_all(struct tracing *t)
{
	const json_t *vnf;
	size_t i;

	json_array_foreach(t->vnfs, i, vnf) ask(t, "DELETE", json_string_value(vnf), NULL, NULL);
	ask(t, "DELETE", NULL, NULL, NULL);
}

/* Those behind hops first, so that no number comes to a process that does not know of it. */
static int begin_all(struct tracing *t, json_t *filter)
{
	json_t *follow = json_pack("{s:b,s:i,s:i,s:i}", "follow", 1, "token", t->token, "packets",
	                           (int)t->packets, "seconds", (int)t->seconds + 1);
	json_t *body = json_pack("{s:O,s:i,s:i,s:i}", "filter", filter, "token", t->token, "packets",
	                         (int)t->packets, "seconds", (int)t->seconds);
	int status = CLI_DONE;
	const json_t *vnf;
	size_t i;

	json_array_foreach(t->vnfs, i, vnf)
	{
		if (status == CLI_DONE)
			status = ask(t, "POST", json_string_value(vnf), follow, NULL);
	}
	if (status == CLI_DONE)
		status = ask(t, "POST", NULL, body, NULL);
	json_decref(follow);
	json_decref(body);
	return status;
}

/* Waits until enough packets are marked, or the time is over, or somebody interrupts. */
static int await(struct tracing *t)
{
	bool running = true;
	json_t *answer;
	int status = CLI_DONE;

	while (running && !interrupted && status == CLI_DONE) {
		usleep(1000000 / LOOKS_PER_SECOND);
		status = ask(t, "GET", NULL, NULL, &answer);
		running = json_is_true(json_object_get(answer, "running")) &&
		          json_integer_value(json_object_get(answer, "marked")) < (json_int_t)t->packets;
		json_decref(answer);
	}
	usleep(SETTLE_US); /* for those under way */
	return status;
}

/* Adds the steps of one process, each with where it was seen. */
static int gather(struct tracing *t, const char *vnf, json_t *all)
{
	json_t *answer, *step;
	size_t i;
	int status = ask(t, "GET", vnf, NULL, &answer);

	json_array_foreach(json_object_get(answer, "steps"), i, step)
	{
		json_object_set_new(step, "process", json_string(vnf ? vnf : t->service));
		json_array_append(all, step);
	}
	if (json_integer_value(json_object_get(answer, "lostSteps")))
		fprintf(stderr, "sluice: %s had no room for all steps\n", vnf ? vnf : t->service);
	json_decref(answer);
	return status;
}

static int later(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	json_int_t p = json_integer_value(json_object_get(x, "packet")),
	           q = json_integer_value(json_object_get(y, "packet"));
	json_int_t s = json_integer_value(json_object_get(x, "time")),
	           u = json_integer_value(json_object_get(y, "time"));

	if (p != q)
		return p < q ? -1 : 1;
	return s < u ? -1 : s > u;
}

/* Which walk began later. */
static int began_later(const void *a, const void *b)
{
	const json_t *x = json_array_get(json_object_get(*(json_t *const *)a, "steps"), 0),
	             *y = json_array_get(json_object_get(*(json_t *const *)b, "steps"), 0);
	json_int_t s = json_integer_value(json_object_get(x, "time")),
	           u = json_integer_value(json_object_get(y, "time"));

	return s < u ? -1 : s > u;
}

/* New reference. */
static json_t *sorted(const json_t *steps, int (*compare)(const void *a, const void *b), size_t limit)
{
	size_t n = json_array_size(steps);
	json_t **list = calloc(n ? n : 1, sizeof(json_t *)), *out = json_array();

	for (size_t i = 0; list && i < n; i++)
		list[i] = json_array_get(steps, i);
	if (list)
		qsort(list, n, sizeof(json_t *), compare);
	for (size_t i = 0; list && i < n && i < limit; i++)
		json_array_append(out, list[i]);
	free(list);
	return out;
}

/* Whether a walk is on a path; NULL: any. */
static bool on_chain(const json_t *steps, const char *chain)
{
	const json_t *step;
	size_t i;

	if (!chain)
		return true;
	json_array_foreach(steps, i, step)
	{
		const char *kind = cli_text(step, "step"),
		           *name = json_string_value(json_object_get(step, "name"));

		if (name && strcmp(name, chain) == 0 &&
		    (strcmp(kind, "path") == 0 || strcmp(kind, "session-found") == 0 ||
		     strcmp(kind, "opened") == 0))
			return true;
	}
	return false;
}

static void end_walk(json_t *walk, const char *chain, json_t *out)
{
	json_int_t number = json_integer_value(json_object_get(json_array_get(walk, 0), "packet"));

	if (!json_array_size(walk) || !on_chain(walk, chain))
		return;
	json_array_append_new(out, json_pack("{s:I,s:O}", "packet", number, "steps", walk));
}

/* Steps in order become a list of walks. New reference. */
static json_t *walks_of(const json_t *steps, const char *chain)
{
	json_t *out = json_array(), *walk = json_array(), *step;
	json_int_t present = -1;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)steps, i, step)
	{
		json_int_t number = json_integer_value(json_object_get(step, "packet"));

		if (number != present) {
			end_walk(walk, chain, out);
			json_decref(walk);
			walk = json_array();
			present = number;
		}
		json_array_append(walk, step);
	}
	end_walk(walk, chain, out);
	json_decref(walk);
	return out;
}

static void tell_all(const struct cli *cli, const json_t *walks)
{
	const json_t *walk;
	size_t i;

	if (cli_structured(cli)) {
		cli_print(cli, walks);
		return;
	}
	json_array_foreach(walks, i, walk) trace_tell((int)i + 1, json_object_get(walk, "steps"));
	if (!json_array_size(walks))
		fprintf(stderr, "sluice: no packet came by that the filter takes\n");
}

static int report(struct tracing *t, const char *chain)
{
	json_t *all = json_array(), *ordered, *walks, *first;
	const json_t *vnf;
	size_t i;
	int status = gather(t, NULL, all);

	json_array_foreach(t->vnfs, i, vnf)
	{
		if (status == CLI_DONE)
			status = gather(t, json_string_value(vnf), all);
	}
	ordered = sorted(all, later, SIZE_MAX);
	walks = walks_of(ordered, chain);
	first = sorted(walks, began_later, t->packets);
	if (status == CLI_DONE)
		tell_all(t->cli, first);
	json_decref(first);
	json_decref(walks);
	json_decref(ordered);
	json_decref(all);
	return status;
}

/* Whether the service has such a chain; NULL: none is asked for. */
static int find_chain(struct tracing *t, const char *chain)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/v1/services/%s/chains/%s", t->service, chain ? chain : "");
	return chain ? cli_request(t->cli, "GET", path, NULL, NULL) : CLI_DONE;
}

static int run(struct tracing *t, json_t *filter, const char *chain)
{
	int status = find_vnfs(t);

	if (status == CLI_DONE)
		status = find_chain(t, chain);
	if (status == CLI_DONE && (status = begin_all(t, filter)) == CLI_DONE) {
		fprintf(stderr, "tracing up to %u packets for %u s\n", t->packets, t->seconds);
		status = await(t);
		if (status == CLI_DONE)
			status = report(t, chain);
		stop_all(t);
	}
	json_decref(t->vnfs);
	return status;
}

int command_trace(struct cli *cli)
{
	struct tracing t = { .cli = cli,
		             .packets = cli->count_asked ? cli->count_asked : PACKETS,
		             .seconds = cli->seconds ? cli->seconds : SECONDS,
		             .token = 1 + getpid() % 255 };
	char service[128];
	const char *chain;
	json_t *filter;
	int status;

	if (!cli->count || !cli_split(cli->words[0], service, sizeof(service), &chain))
		return cli_usage("trace SERVICE[/CHAIN] [FILTER] [--packets N] [--seconds N]");
	filter = look_filter(cli, 1);
	if (!filter)
		return CLI_USAGE;
	t.service = service;
	signal(SIGINT, on_interrupt);
	status = run(&t, filter, chain);
	json_decref(filter);
	return status;
}
