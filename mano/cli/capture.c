/* SPDX-License-Identifier: BSD-3-Clause */
/* sluice capture: begins a capture in a process, and writes what comes of it, pcapng, to a file or standard output. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/look.h"
#include "manage/client.h"

enum { PATH_SIZE = 512 };

struct capturing {
	struct cli *cli;
	FILE *to;
	char path[PATH_SIZE], packets[PATH_SIZE];
	int error; /* errno of writing; 0: none */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
	(void)number;
	interrupted = 1;
}

static bool write_out(void *user, const struct http_reply *head, const char *data, size_t length)
{
	struct capturing *c = user;

	if (head->status != 200 || !data)
		return !interrupted;
	if (fwrite(data, 1, length, c->to) != length || fflush(c->to) != 0)
		c->error = errno;
	return !interrupted && !c->error;
}

/* Follows the stream to its end; a status. */
static int follow(struct capturing *c)
{
	struct http_request request = cli_http(c->cli, "GET", c->packets);
	struct http_client *client = cli_client(c->cli);
	struct http_reply reply = { 0 };
	int status = CLI_DONE;

	if (!http_stream(client, &request, write_out, c, &reply)) {
		status = cli_unreachable(c->cli, &reply);
	} else if (reply.status != 200) {
		fprintf(stderr, "sluice: the packets cannot be had: status %u\n", reply.status);
		status = CLI_FAILED;
	} else if (c->error) {
		fprintf(stderr, "sluice: cannot write: %s\n", strerror(c->error));
		status = CLI_FAILED;
	}
	http_reply_free(&reply);
	http_client_free(client);
	return status;
}

static void sum_up(struct capturing *c)
{
	json_t *answer;

	if (cli_request(c->cli, "GET", c->path, NULL, &answer) == CLI_DONE)
		fprintf(stderr, "%lld packets, %lld lost for want of room\n",
		        (long long)json_integer_value(json_object_get(answer, "streamed")),
		        (long long)json_integer_value(json_object_get(answer, "lost")));
	json_decref(answer);
	cli_request(c->cli, "DELETE", c->path, NULL, NULL);
}

static FILE *open_output(const char *file)
{
	FILE *to = strcmp(file, "-") == 0 ? stdout : fopen(file, "wb");

	if (!to)
		fprintf(stderr, "sluice: cannot write %s: %s\n", file, strerror(errno));
	return to;
}

/* The file is opened once the capture has begun: one that is refused leaves what was captured before. */
static int run(struct capturing *c, const json_t *body)
{
	int status = cli_request(c->cli, "POST", c->path, body, NULL);

	if (status != CLI_DONE)
		return status;
	c->to = open_output(c->cli->file);
	if (!c->to) {
		cli_request(c->cli, "DELETE", c->path, NULL, NULL);
		return CLI_FAILED;
	}
	fprintf(stderr, "capturing\n");
	status = follow(c);
	sum_up(c);
	if (c->to != stdout && fclose(c->to) != 0 && status == CLI_DONE) {
		fprintf(stderr, "sluice: cannot write: %s\n", strerror(errno));
		status = CLI_FAILED;
	}
	return status;
}

/* `at NAME` comes first, where it is said; else the VNF itself, or all ports. */
static json_t *gates_of(const struct cli *cli, const char *vnf, int *next)
{
	*next = 1;
	if (cli->count > 2 && strcmp(cli->words[1], "at") == 0) {
		*next = 3;
		return json_pack("[s]", cli->words[2]);
	}
	return vnf ? json_pack("[s]", vnf) : NULL;
}

static json_t *body_of(const struct cli *cli, const char *vnf)
{
	int next;
	json_t *gates = gates_of(cli, vnf, &next), *filter = look_filter(cli, next), *body;

	if (!filter) {
		json_decref(gates);
		return NULL;
	}
	body = json_pack("{s:o}", "filter", filter);
	if (gates)
		json_object_set_new(body, "at", gates);
	if (cli->count_asked)
		json_object_set_new(body, "packets", json_integer(cli->count_asked));
	if (cli->seconds)
		json_object_set_new(body, "seconds", json_integer(cli->seconds));
	return body;
}

int command_capture(struct cli *cli)
{
	struct capturing c = { .cli = cli };
	struct sigaction action = { .sa_handler = on_interrupt };
	char service[128];
	const char *vnf;
	json_t *body;
	int status;

	if (!cli->count || !cli->file || !cli_split(cli->words[0], service, sizeof(service), &vnf))
		return cli_usage(
		        "capture SERVICE[/VNF] [at NAME] [FILTER] -w FILE|- [--packets N] [--seconds N]");
	body = body_of(cli, vnf);
	if (!body)
		return CLI_USAGE;
	snprintf(c.path, sizeof(c.path), "/v1/services/%s/capture%s%s", service, vnf ? "?vnf=" : "",
	         vnf ? vnf : "");
	snprintf(c.packets, sizeof(c.packets), "/v1/services/%s/capture/packets%s%s", service,
	         vnf ? "?vnf=" : "", vnf ? vnf : "");
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	status = run(&c, body);
	json_decref(body);
	return status;
}
