/* SPDX-License-Identifier: BSD-3-Clause */
/* Requests to sluiced, and what their statuses mean for the exit status. Problems are told on standard error with file and line where they are known. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "manage/client.h"
#include "manage/problem.h"
#include "util/memory.h"

enum { SILENT_MS = 2000, LAST_MS = 1000, COMPILE_MS = 60000, WAIT_GRACE_MS = 10000 };

static int status_exit(unsigned status)
{
	if (status < 300)
		return CLI_DONE;
	switch (status) {
	case 404:
		return CLI_NOT_FOUND;
	case 409:
	case 412:
		return CLI_CONFLICT;
	case 400:
	case 422:
		return CLI_INVALID;
	case 504:
		return CLI_TIMED_OUT;
	default:
		return CLI_FAILED;
	}
}

/* The item of a list by its number, or by its name, as operations call services. */
static const struct conf *locate_item(const struct conf *list, const char *text, size_t length)
{
	char word[256], *end;
	unsigned long number;

	snprintf(word, sizeof(word), "%.*s", (int)length, text);
	number = strtoul(word, &end, 10);
	return *word && !*end && number < conf_count(list) ? conf_at(list, number)
	                                                   : conf_item(list, "name", word);
}

/* The node at a path such as services[0].vnfs[1].config.rules[2].action, as deep as the document has it. */
static const struct conf *locate(const struct conf *at, const char *path)
{
	while (at && *path) {
		size_t length = strcspn(path, ".[");
		const struct conf *next;
		char name[256];

		if (*path == '[') {
			length = strcspn(path, "]");
			next = locate_item(at, path + 1, length - 1);
			path += length;
			path += *path == ']';
		} else {
			snprintf(name, sizeof(name), "%.*s", (int)length, path);
			next = conf_get(at, name);
			path += length;
		}
		path += *path == '.';
		if (!next)
			return at;
		at = next;
	}
	return at;
}

static void print_error(const struct cli *cli, struct error *error)
{
	const struct conf *where = cli->document && error->path ? locate(cli->document, error->path) : NULL;
	char line[2048];

	if (where && where->line && !error->file) {
		error->file = strdup(where->file);
		error->line = where->line;
	}
	error_format(error, line, sizeof(line));
	fprintf(stderr, "%s\n", line);
}

/* Whether the detail of the whole says all that there is to say of an error. */
static bool is_told(const struct error *error, const char *detail)
{
	bool placed = (error->path && *error->path) || error->file;

	return detail && !placed && strstr(detail, error->detail);
}

static void print_problem(const struct cli *cli, const json_t *answer, unsigned status)
{
	struct errors errors = ERRORS_NONE;
	const char *detail = json_string_value(json_object_get(answer, "detail"));

	if (cli->silent)
		return;
	problem_read(answer, &errors);
	for (size_t i = 0; i < errors.count; i++)
		if (!is_told(&errors.list[i], detail))
			print_error(cli, &errors.list[i]);
	if (detail || !errors.count)
		fprintf(stderr, "sluice: %s\n", detail ? detail : problem_phrase(status));
	errors_free(&errors);
}

void cli_problem(const struct cli *cli, const json_t *answer)
{
	print_problem(cli, answer, 422);
}

void cli_print_quoted(const char *word)
{
	fputc('\'', stderr);
	for (; *word; word++) {
		if (*word == '\'')
			fputs("'\\''", stderr);
		else
			fputc(*word, stderr);
	}
	fputc('\'', stderr);
}

/* Whether it is a change of what was read, and of nothing newer. */
static bool is_conditional(const struct cli *cli, const char *method)
{
	return cli->if_match && cli->etag[0] && strcmp(method, "GET") != 0;
}

static void print_curl(const struct cli *cli, const char *method, const char *path, const json_t *body)
{
	char *text = body ? json_dumps(body, JSON_COMPACT) : NULL, *full;
	bool local = strncmp(cli->server, "unix:", 5) == 0;

	fprintf(stderr, "+ curl -X %s ", method);
	if (local) {
		fprintf(stderr, "--unix-socket ");
		cli_print_quoted(cli->server + 5);
		fputc(' ', stderr);
	}
	identity_print_curl(cli);
	full = text_format("%s%s", local ? "http://sluiced" : cli->server, path);
	cli_print_quoted(full);
	if (is_conditional(cli, method))
		fprintf(stderr, " -H 'If-Match: %s'", cli->etag);
	if (text) {
		fprintf(stderr, " -H 'Content-Type: application/json' -d ");
		cli_print_quoted(text);
	}
	fprintf(stderr, "\n");
	free(full);
	free(text);
}

/* Whether the socket may not be connected to by who we are. */
static bool is_forbidden(const char *server)
{
	return strncmp(server, "unix:", 5) == 0 && access(server + 5, R_OK | W_OK) < 0 && errno == EACCES;
}

int cli_unreachable(const struct cli *cli, const struct http_reply *reply)
{
	const char *advice =
	        reply->timed_out ? "; --timeout SECONDS waits longer, sluice doctor tells how the host is"
	        : is_forbidden(cli->server)
	                ? ": permission denied; be root, or in the group that sluiced has its --group from"
	                : " (is sluiced running? --server, --context or SLUICE_SERVER says where)";

	if (!cli->silent)
		fprintf(stderr, "sluice: %s%s\n", reply->error, advice);
	return reply->timed_out ? CLI_TIMED_OUT : CLI_UNREACHABLE;
}

/* The path in `<PATH>; rel="next"`; malloc'd or NULL. */
static char *next_of(const char *link)
{
	const char *end = link ? strchr(link, '>') : NULL;

	return end && *link == '<' && strstr(end, "rel=\"next\"")
	               ? text_copy_n(link + 1, (size_t)(end - link) - 1)
	               : NULL;
}

/* What is left until the deadline, and a moment for an answer that is on its way. */
static long time_left(const struct cli *cli)
{
	uint64_t now = cli_now_ms();
	long left = now < cli->deadline_ms ? (long)(cli->deadline_ms - now) : 0;

	return left > LAST_MS ? left : LAST_MS;
}

/*
 * How long to wait for an answer, in ms. A read answers at once, or when the time is over that it says itself; a change may have a big
 * configuration compiled first, unless it was said how long it may take.
 */
static long patience(const struct cli *cli, const char *method, const char *path)
{
	const char *wait = strstr(path, "wait=");
	long most = cli->silent ? SILENT_MS : LONG_MAX;

	if (cli->deadline_ms && time_left(cli) < most)
		return time_left(cli);
	if (cli->silent)
		return most;
	return 1000L * cli->timeout_s + (wait ? 1000L * atoi(wait + 5) + WAIT_GRACE_MS : 0) +
	       (strcmp(method, "GET") == 0 || cli->timeout_asked ? 0 : COMPILE_MS);
}

struct http_request cli_http(const struct cli *cli, const char *method, const char *path)
{
	if (cli->verbose)
		print_curl(cli, method, path, NULL);
	return (struct http_request){ .target = cli->server, .method = method, .path = path };
}

static int exchange(struct cli *cli, const char *method, const char *path, const json_t *body,
                    json_t **answer, char **next)
{
	char match[80];
	const char *headers[] = { "Accept: application/json", NULL, NULL }; /* of events not the stream */
	struct http_request request = { .target = cli->server,
		                        .method = method,
		                        .path = path,
		                        .headers = headers,
		                        .timeout_ms = patience(cli, method, path) };
	struct http_client *client = cli_client(cli);
	struct http_reply reply = { 0 };
	json_t *got = NULL;
	int status = CLI_UNREACHABLE;

	snprintf(match, sizeof(match), "If-Match: %s", cli->etag);
	if (is_conditional(cli, method))
		headers[1] = match;
	if (cli->verbose)
		print_curl(cli, method, path, body);
	if (http_request_json(client, &request, body, &reply, &got)) {
		status = status_exit(reply.status);
		if (reply.status == 412 && !cli->silent)
			fprintf(stderr,
			        "sluice: somebody else has changed it meanwhile: look at it and try again\n");
		else if (status != CLI_DONE)
			print_problem(cli, got, reply.status);
	} else {
		status = cli_unreachable(cli, &reply);
	}
	if (answer)
		*answer = status == CLI_DONE ? json_incref(got) : NULL;
	if (next)
		*next = next_of(reply.link);
	if (strcmp(method, "GET") == 0)
		snprintf(cli->etag, sizeof(cli->etag), "%s", reply.etag ? reply.etag : "");
	json_decref(got);
	http_reply_free(&reply);
	http_client_free(client);
	return status;
}

int cli_request_text(struct cli *cli, const char *path, char **text)
{
	struct http_request request = cli_http(cli, "GET", path);
	struct http_client *client = cli_client(cli);
	struct http_reply reply = { 0 };
	json_t *problem;
	int status;

	*text = NULL;
	request.timeout_ms = patience(cli, "GET", path);
	if (!http_request(client, &request, &reply)) {
		status = cli_unreachable(cli, &reply);
	} else if ((status = status_exit(reply.status)) == CLI_DONE) {
		*text = text_copy(reply.body ? reply.body : "");
	} else {
		problem = reply.body ? json_loads(reply.body, 0, NULL) : NULL;
		print_problem(cli, problem, reply.status);
		json_decref(problem);
	}
	http_reply_free(&reply);
	http_client_free(client);
	return status;
}

int cli_request_page(struct cli *cli, const char *path, json_t **answer, char **next)
{
	return exchange(cli, "GET", path, NULL, answer, next);
}

int cli_request(struct cli *cli, const char *method, const char *path, const json_t *body, json_t **answer)
{
	return exchange(cli, method, path, body, answer, NULL);
}

int cli_usage(const char *usage)
{
	fprintf(stderr, "usage: sluice %s\n", usage);
	return CLI_USAGE;
}

/* What a name is made of: it becomes a part of a path. */
static bool is_name(const char *text)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

	return *text && *text != '.' && !text[strspn(text, letters)];
}

bool cli_split(const char *word, char *service, size_t size, const char **rest)
{
	const char *slash = strchr(word, '/');

	snprintf(service, size, "%.*s", (int)(slash ? slash - word : (long)strlen(word)), word);
	*rest = slash ? slash + 1 : NULL;
	if (is_name(service) && (!slash || is_name(slash + 1)))
		return true;
	fprintf(stderr, "sluice: \"%s\" is no name: letters, digits, - and _, SERVICE or SERVICE/NAME\n",
	        word);
	return false;
}
