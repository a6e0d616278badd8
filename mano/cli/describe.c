/* SPDX-License-Identifier: BSD-3-Clause */
/* describe: what a person wants to know of a service, VNF, chain or operation, gathered from several resources; for programs one object. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "util/memory.h"

enum { EVENTS = 10, REVISIONS = 5, COLUMNS = 12 };

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

static bool concerns(const char *subject, const char *about)
{
	size_t length = strlen(about);

	return subject && strncmp(subject, about, length) == 0 &&
	       (!subject[length] || subject[length] == '/');
}

/* The last events about "edge" (and what is below it) or "edge/fw". */
static json_t *events_about(struct cli *cli, const char *about)
{
	json_t *all = NULL, *found = json_array(), *event;
	struct cli quiet = *cli;
	size_t i;

	quiet.silent = true;
	cli_list_events(&quiet, &all);
	json_array_foreach(all, i, event)
	{
		if (concerns(json_string_value(json_object_get(event, "subject")), about))
			json_array_append_new(found, json_pack("{s:O,s:O,s:O,s:O}", "time",
			                                       json_object_get(event, "time"), "kind",
			                                       json_object_get(event, "kind"), "subject",
			                                       json_object_get(event, "subject"), "message",
			                                       json_object_get(event, "message")));
	}
	json_decref(all);
	return last_of(found, EVENTS);
}

/* --- telling --- */

static void tell_member(const char *title, const json_t *value)
{
	char *text;

	if (!value || json_is_null(value))
		return;
	text = json_is_string(value) ? text_copy(json_string_value(value))
	                             : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	printf("%-14s %s\n", title, text);
	free(text);
}

static void tell_list(const char *title, const json_t *list)
{
	if (!json_array_size(list))
		return;
	printf("\n%s:\n", title);
	cli_print_table(list, COLUMNS);
}

/* Scalars first, then a table for each list of objects. */
static void tell(const json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (!json_is_array(value) || !json_is_object(json_array_get(value, 0)))
			tell_member(name, json_is_array(value) && !json_array_size(value) ? NULL : value);
	}
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (json_is_array(value) && json_is_object(json_array_get(value, 0)))
			tell_list(name, value);
	}
}

static int finish(struct cli *cli, int status, json_t *object)
{
	if (status == CLI_DONE && cli_structured(cli))
		cli_print(cli, object);
	else if (status == CLI_DONE)
		tell(object);
	json_decref(object);
	return status;
}

static void put(json_t *object, const char *name, json_t *value)
{
	if (value)
		json_object_set_new(object, name, value);
}

/* --- of what there is to know --- */

/* The processes of a service: its own and those of VNFs that have one, each once. */
static json_t *processes_of(const json_t *service)
{
	json_t *list = json_array(), *vnf, *row;
	const char *name = json_string_value(json_object_get(service, "name"));
	size_t i;

	row = json_deep_copy(json_object_get(service, "process"));
	json_object_set_new(row, "name", json_string(name));
	json_array_append_new(list, row);
	json_array_foreach(json_object_get(service, "vnfs"), i, vnf)
	{
		json_t *process = json_object_get(vnf, "process");

		if (process && strcmp(json_string_value(process), name) == 0)
			continue;
		row = json_pack("{s:O?,s:O?,s:O?,s:O?,s:O?,s:O?,s:O?,s:O?}", "name",
		                process ? process : json_object_get(vnf, "name"), "state",
		                json_object_get(vnf, "state"), "health", json_object_get(vnf, "health"),
		                "restarts", json_object_get(vnf, "restarts"), "cores",
		                json_object_get(vnf, "cores"), "pid", json_object_get(vnf, "pid"), "uptime",
		                json_object_get(vnf, "uptime"), "error", json_object_get(vnf, "error"));
		json_array_append_new(list, row);
	}
	return list;
}

/* Kind and place of each VNF; its process is told with the processes. */
static json_t *brief_vnfs(const json_t *vnfs)
{
	static const char *const members[] = { "name",    "kind",  "placement", "chains",
		                               "process", "state", "health",    "error" };
	json_t *list = json_array(), *vnf;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)vnfs, i, vnf)
	{
		json_t *row = json_object();

		for (unsigned m = 0; m < sizeof(members) / sizeof(*members); m++)
			put(row, members[m], json_incref(json_object_get(vnf, members[m])));
		json_array_append_new(list, row);
	}
	return list;
}

static int describe_service(struct cli *cli, const char *service)
{
	char path[256];
	json_t *found, *out = json_object();
	int status;

	snprintf(path, sizeof(path), "/v1/services/%s", service);
	status = cli_request(cli, "GET", path, NULL, &found);
	if (status == CLI_DONE) {
		static const char *const members[] = { "name",      "state",     "revision",
			                               "placement", "operation", "chains" };

		for (unsigned m = 0; m < sizeof(members) / sizeof(*members); m++)
			put(out, members[m], json_incref(json_object_get(found, members[m])));
		put(out, "processes", processes_of(found));
		put(out, "vnfs", brief_vnfs(json_object_get(found, "vnfs")));
		put(out, "ports", ask(cli, "state/ports", service, NULL));
		put(out, "revisions", last_of(ask(cli, "revisions", service, NULL), REVISIONS));
		put(out, "events", events_about(cli, service));
	}
	json_decref(found);
	return finish(cli, status, out);
}

static int describe_vnf(struct cli *cli, const char *service, const char *vnf)
{
	char path[256], about[200];
	json_t *found, *traffic;
	int status;

	snprintf(path, sizeof(path), "/v1/services/%s/vnfs/%s", service, vnf);
	snprintf(about, sizeof(about), "%s/%s", service, vnf);
	status = cli_request(cli, "GET", path, NULL, &found);
	if (status == CLI_DONE) {
		char *tail = text_format("%s/state/traffic", vnf);

		traffic = ask(cli, "vnfs/", service, tail);
		free(tail);
		if (traffic)
			json_object_del(traffic, "name");
		json_object_update_missing(found, traffic);
		json_decref(traffic);
		put(found, "ports", ask(cli, "state/ports?vnf=", service, vnf));
		put(found, "events", events_about(cli, about));
	}
	return finish(cli, status, found);
}

static int describe_chain(struct cli *cli, const char *service, const char *chain)
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
		put(found, "events", events_about(cli, service));
	}
	json_decref(members);
	json_decref(vnfs);
	return finish(cli, status, found);
}

static int describe_op(struct cli *cli, const char *id)
{
	char path[256], about[64];
	json_t *found;
	int status;

	snprintf(path, sizeof(path), "/v1/ops/%s", id);
	snprintf(about, sizeof(about), "op/%s", id);
	status = cli_request(cli, "GET", path, NULL, &found);
	if (status == CLI_DONE)
		put(found, "events", events_about(cli, about));
	return finish(cli, status, found);
}

/* Whether a word is a noun, or its plural. */
static bool is(const char *word, const char *noun)
{
	size_t length = strlen(noun);

	return strncmp(word, noun, length) == 0 && (!word[length] || strcmp(word + length, "s") == 0);
}

int command_describe(struct cli *cli)
{
	char service[128] = "";
	const char *rest = NULL, *noun = cli->count == 2 ? cli->words[0] : "";

	if (cli->count != 2 || !cli_split(cli->words[1], service, sizeof(service), &rest))
		return cli_usage("describe service NAME | vnf|chain SERVICE/NAME | op ID | node NAME");
	if (is(noun, "service") && !rest)
		return describe_service(cli, service);
	if (is(noun, "vnf") && rest)
		return describe_vnf(cli, service, rest);
	if (is(noun, "chain") && rest)
		return describe_chain(cli, service, rest);
	if (is(noun, "op"))
		return describe_op(cli, cli->words[1]);
	if (!cli_structured(cli))
		cli->output = OUTPUT_JSON;
	return command_get(cli);
}
