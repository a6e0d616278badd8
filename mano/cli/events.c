/* SPDX-License-Identifier: BSD-3-Clause */
/* events: what happens, as it happens, or the last of what has; of all, or of one service or VNF. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "manage/client.h"

/* Who gets events as they come. */
struct listener {
	struct cli *cli;
	const char *about; /* NULL: everything */
};

bool cli_concerns(const json_t *event, const char *about)
{
	const char *subject = json_string_value(json_object_get(event, "subject"));
	size_t length = about ? strlen(about) : 0;

	return !about || (subject && strncmp(subject, about, length) == 0 &&
	                  (!subject[length] || subject[length] == '/'));
}

static void print_event(const struct cli *cli, const json_t *event)
{
	char *text;

	if (cli->output == OUTPUT_YAML) {
		puts("---");
		yaml_print(event);
	} else if (cli->output == OUTPUT_JSON) {
		text = json_dumps(event, JSON_COMPACT);
		puts(text);
		free(text);
	} else {
		printf("%s  %-18s %-12s %s\n", cli_text(event, "time"), cli_text(event, "kind"),
		       cli_text(event, "subject"), cli_text(event, "message"));
	}
}

static bool take_event(void *user, const struct http_event *event)
{
	const struct listener *listener = user;
	json_t *json = event && event->data ? json_loads(event->data, 0, NULL) : NULL;

	if (json && cli_concerns(json, listener->about))
		print_event(listener->cli, json);
	json_decref(json);
	return fflush(stdout) == 0; /* else the reader has gone */
}

int cli_list_events(struct cli *cli, const char *about, json_t **list)
{
	json_t *all, *event;
	size_t i;
	int status = cli_request(cli, "GET", "/v1/events?last=0", NULL, &all);

	*list = json_array();
	json_array_foreach(all, i, event)
	{
		if (cli_concerns(event, about))
			json_array_append(*list, event);
	}
	json_decref(all);
	return status;
}

static int last_events(struct cli *cli, const char *about)
{
	json_t *list;
	int status = cli_list_events(cli, about, &list);
	size_t count = json_array_size(list);

	for (size_t i = count > cli->last ? count - cli->last : 0; i < count; i++)
		print_event(cli, json_array_get(list, i));
	json_decref(list);
	return status;
}

static int follow(struct cli *cli, const char *about)
{
	struct http_request request = cli_http(cli, "GET", "/v1/events");
	struct http_client *client = cli_client(cli);
	struct listener listener = { cli, about };
	struct http_reply reply = { 0 };
	int status = CLI_DONE;

	if (!http_events(client, &request, take_event, &listener, &reply))
		status = cli_unreachable(cli, &reply);
	http_reply_free(&reply);
	http_client_free(client);
	return status;
}

int command_events(struct cli *cli)
{
	const char *about = cli->count ? cli->words[0] : NULL, *rest;
	char service[128];

	if (cli->count > 1 || (about && !cli_split(about, service, sizeof(service), &rest)))
		return cli_usage("events [SERVICE[/VNF]] [--last N]");
	return cli->last ? last_events(cli, about) : follow(cli, about);
}
