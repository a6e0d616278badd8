/* SPDX-License-Identifier: BSD-3-Clause */
/* describe: what a person wants to know of a service, VNF, chain or operation, gathered from several resources; for programs one object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nouns.h"
#include "util/memory.h"

enum { EVENTS = 10, REVISIONS = 5 };

/* What is at a path, a new reference; NULL if it cannot be had, silently: a process that starts has no state yet. */
static json_t *ask(struct cli *cli, const char *format, const char *service, const char *name)
{
	struct cli quiet = *cli;
	char *path;
	json_t *answer = NULL;

	quiet.silent = true;
	path = name ? text_format("/v1/services/%s/%s%s", service, format, name)
	            : text_format("/v1/services/%s/%s", service, format);
	cli_request(&quiet, "GET", path, NULL, &answer);
	free(path);
	return answer;
}

/* Only the last N of a list. */
static json_t *last_of(json_t *list, size_t n)
{
	while (json_array_size(list) > n)
		json_array_remove(list, 0);
	return list;
}

/* The last events about "edge" and what is below it, or "edge/fw"; also about the process in which it runs (NULL: none). */
static json_t *events_about(struct cli *cli, const char *about, const char *process)
{
	json_t *all = NULL, *found = json_array(), *event;
	struct cli quiet = *cli;
	size_t i;

	quiet.silent = true;
	cli_list_events(&quiet, NULL, &all);
	json_array_foreach(all, i, event)
	{
		const char *subject = json_string_value(json_object_get(event, "subject"));

		if (cli_concerns(event, about) || (subject && process && strcmp(subject, process) == 0))
			json_array_append_new(found, json_pack("{s:O,s:O,s:O,s:O}", "time",
			                                       json_object_get(event, "time"), "kind",
			                                       json_object_get(event, "kind"), "subject",
			                                       json_object_get(event, "subject"), "message",
			                                       json_object_get(event, "message")));
	}
	json_decref(all);
	return last_of(found, EVENTS);
}

static void put(json_t *object, const char *name, json_t *value)
{
	if (value)
		json_object_set_new(object, name, value);
}

/* --- of what there is to know --- */

/* What is there of these members. */
static json_t *some_of(const json_t *object, const char *const *members)
{
	json_t *row = json_object();

	for (; *members; members++)
		put(row, *members, json_incref(json_object_get(object, *members)));
	return row;
}

/* The processes of a service: its own and those of VNFs that have one, each once. */
static json_t *processes_of(const json_t *service)
{
	static const char *const members[] = { "state",  "health",  "restarts", "cores", "drift", "pid",
		                               "uptime", "program", "version",  "error", NULL };
	json_t *list = json_array(), *vnf, *row;
	const char *name = cli_text(service, "name");
	size_t i;

	row = json_deep_copy(json_object_get(service, "process"));
	json_object_set_new(row, "name", json_string(name));
	json_array_append_new(list, row);
	json_array_foreach(json_object_get(service, "vnfs"), i, vnf)
	{
		json_t *process = json_object_get(vnf, "process");

		if (process && strcmp(cli_text(vnf, "process"), name) == 0)
			continue;
		row = some_of(vnf, members);
		put(row, "name", json_incref(process ? process : json_object_get(vnf, "name")));
		json_array_append_new(list, row);
	}
	return list;
}

/* Kind and place of each VNF; its process is told with the processes. */
static json_t *brief_vnfs(const json_t *vnfs)
{
	static const char *const members[] = { "name",  "kind",   "placement", "chains", "process",
		                               "state", "health", "error",     NULL };
	json_t *list = json_array(), *vnf;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)vnfs, i, vnf)
	        json_array_append_new(list, some_of(vnf, members));
	return list;
}

/* Why it is not as it should be: the first error of a process, or the operation that is under way. */
static void put_why(struct cli *cli, json_t *out, const json_t *found)
{
	const json_t *error = json_object_get(json_object_get(found, "process"), "error"), *vnf;
	struct cli quiet = *cli;
	char path[64];
	json_t *op = NULL;
	size_t i;

	quiet.silent = true;
	json_array_foreach(json_object_get(found, "vnfs"), i, vnf)
	{
		if (!error)
			error = json_object_get(vnf, "error");
	}
	if (error) {
		put(out, "why", json_incref((json_t *)(uintptr_t)error));
	} else if (json_object_get(found, "operation")) {
		snprintf(path, sizeof(path), "/v1/ops/%" JSON_INTEGER_FORMAT,
		         json_integer_value(json_object_get(found, "operation")));
		cli_request(&quiet, "GET", path, NULL, &op);
		put(out, "why", json_incref(json_object_get(op, "message")));
	}
	json_decref(op);
}

/* Sessions of all workers of the service's own process. */
static json_t *sessions_of(struct cli *cli, const char *service)
{
	static const char *const members[] = { "sessions", "halfOpen", "opened", "expired", "evicted" };
	json_t *workers = ask(cli, "state/workers", service, NULL), *worker, *sums;
	size_t i;

	if (!workers)
		return NULL;
	sums = json_object();
	for (unsigned m = 0; m < sizeof(members) / sizeof(*members); m++) {
		json_int_t sum = 0;

		json_array_foreach(workers, i, worker) sum +=
		        json_integer_value(json_object_get(worker, members[m]));
		json_object_set_new(sums, m ? members[m] : "now", json_integer(sum));
	}
	json_decref(workers);
	return sums;
}

static int describe_service(struct cli *cli, const char *service, json_t *out)
{
	static const char *const members[] = { "name",      "state",     "revision", "unconfirmed",
		                               "placement", "operation", "chains" };
	char path[256];
	json_t *found;
	int status;

	snprintf(path, sizeof(path), "/v1/services/%s", service);
	status = cli_request(cli, "GET", path, NULL, &found);
	if (status == CLI_DONE) {
		for (unsigned m = 0; m < sizeof(members) / sizeof(*members); m++)
			put(out, members[m], json_incref(json_object_get(found, members[m])));
		put_why(cli, out, found);
		put(out, "sessions", sessions_of(cli, service));
		put(out, "processes", processes_of(found));
		put(out, "vnfs", brief_vnfs(json_object_get(found, "vnfs")));
		put(out, "ports", ask(cli, "state/ports", service, NULL));
		put(out, "revisions", last_of(ask(cli, "revisions", service, NULL), REVISIONS));
		put(out, "events", events_about(cli, service, NULL));
	}
	json_decref(found);
	return status;
}

/* Pairs of both directions, and times, in words. */
static void say_pair(json_t *traffic, const char *name)
{
	const json_t *pair = json_object_get(traffic, name);

	if (json_array_size(pair) == 2)
		json_object_set_new(traffic, name,
		                    json_sprintf("%" JSON_INTEGER_FORMAT " forward, %" JSON_INTEGER_FORMAT
		                                 " backward",
		                                 json_integer_value(json_array_get(pair, 0)),
		                                 json_integer_value(json_array_get(pair, 1))));
}

static void say_traffic(json_t *traffic)
{
	const json_t *latency = json_object_get(traffic, "latency");

	say_pair(traffic, "packets");
	say_pair(traffic, "bytes");
	if (json_integer_value(json_object_get(traffic, "sampledPackets")))
		json_object_set_new(traffic, "latency",
		                    json_sprintf("half below %" JSON_INTEGER_FORMAT
		                                 " ns, 99 %% below %" JSON_INTEGER_FORMAT " ns",
		                                 json_integer_value(json_object_get(latency, "p50Ns")),
		                                 json_integer_value(json_object_get(latency, "p99Ns"))));
	else
		json_object_del(traffic, "latency");
}

static int describe_vnf(struct cli *cli, const char *service, const char *vnf, json_t *out)
{
	char path[256], about[200], tail[160];
	const char *process;
	json_t *found, *traffic;
	int status;

	snprintf(path, sizeof(path), "/v1/services/%s/vnfs/%s", service, vnf);
	snprintf(about, sizeof(about), "%s/%s", service, vnf);
	snprintf(tail, sizeof(tail), "%s/state/traffic", vnf);
	status = cli_request(cli, "GET", path, NULL, &found);
	if (status == CLI_DONE) {
		traffic = ask(cli, "vnfs/", service, tail);
		if (!cli_structured(cli))
			say_traffic(traffic);
		json_object_update_missing(found, traffic);
		json_decref(traffic);
		process = json_string_value(json_object_get(found, "process"));
		put(found, "ports", ask(cli, "state/ports?vnf=", service, vnf));
		put(found, "events", events_about(cli, about, process));
	}
	json_object_update(out, found);
	json_decref(found);
	return status;
}

static int describe_chain(struct cli *cli, const char *service, const char *chain, json_t *out)
{
	char path[256];
	json_t *found, *vnfs, *members = json_array(), *vnf, *name;
	size_t i, k;
	int status;

	snprintf(path, sizeof(path), "/v1/services/%s/chains/%s", service, chain);
	status = cli_request(cli, "GET", path, NULL, &found);
	vnfs = status == CLI_DONE ? ask(cli, "vnfs", service, NULL) : NULL;
	json_array_foreach(json_object_get(found, "path"), i, name)
	{
		json_array_foreach(vnfs, k, vnf)
		{
			if (json_equal(name, json_object_get(vnf, "name")))
				json_array_append(members, vnf);
		}
	}
	if (status == CLI_DONE) {
		put(found, "functions", brief_vnfs(members));
		put(found, "events", events_about(cli, service, NULL));
	}
	json_decref(members);
	json_decref(vnfs);
	json_object_update(out, found);
	json_decref(found);
	return status;
}

static int describe_op(struct cli *cli, const char *id, json_t *out)
{
	char path[256], about[64];
	json_t *found;
	int status;

	snprintf(path, sizeof(path), "/v1/ops/%s", id);
	snprintf(about, sizeof(about), "op/%s", id);
	status = cli_request(cli, "GET", path, NULL, &found);
	if (status == CLI_DONE)
		put(found, "events", events_about(cli, about, NULL));
	json_object_update(out, found);
	json_decref(found);
	return status;
}

/* What is described: the words of the command. */
struct described {
	const char *noun, *word, *service, *rest;
};

static int describe(struct cli *cli, const void *what, json_t **answer)
{
	const struct described *d = what;

	*answer = json_object();
	if (noun_is(d->noun, "service") && !d->rest)
		return describe_service(cli, d->service, *answer);
	if (noun_is(d->noun, "vnf") && d->rest)
		return describe_vnf(cli, d->service, d->rest, *answer);
	if (noun_is(d->noun, "chain") && d->rest)
		return describe_chain(cli, d->service, d->rest, *answer);
	return describe_op(cli, d->word, *answer);
}

static bool is_described(const struct described *d)
{
	return (noun_is(d->noun, "service") && !d->rest) ||
	       ((noun_is(d->noun, "vnf") || noun_is(d->noun, "chain")) && d->rest) || noun_is(d->noun, "op");
}

int command_describe(struct cli *cli)
{
	char service[128] = "";
	struct described d = { .noun = cli->count == 2 ? cli->words[0] : "", .service = service };

	if (cli->count != 2 || !cli_split(cli->words[1], service, sizeof(service), &d.rest))
		return cli_usage("describe service NAME | vnf|chain SERVICE/NAME | op ID | node NAME");
	d.word = cli->words[1];
	if (!is_described(&d))
		return command_get(cli);
	if (cli->output == OUTPUT_NAME)
		cli->output = OUTPUT_TABLE;
	return cli_show(cli, describe, &d);
}
