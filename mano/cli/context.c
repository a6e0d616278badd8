/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Contexts: names for sluiceds, in a libconfig file of the user's: current = "lab"; contexts = ( { name = "lab"; server = "unix:..."; } );
 * Written whole or not at all; comments in it are lost when it is written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "config/schema.h"
#include "util/atomic_file.h"
#include "util/memory.h"

static const char usual_server[] = "unix:/run/sluice/sluiced.sock";

static const struct schema context_members[] = {
	{ .name = "name", .type = SCHEMA_NAME, .flags = SCHEMA_REQUIRED, .help = "Its name." },
	{ .name = "server", .type = SCHEMA_STRING, .flags = SCHEMA_REQUIRED, .help = "unix:PATH or a URL." },
	{ .name = "cacert", .type = SCHEMA_STRING, .help = "File with the authority of the server." },
	{ .name = "cert", .type = SCHEMA_STRING, .help = "File with the certificate to show." },
	{ .name = "key", .type = SCHEMA_STRING, .help = "File with its key." },
	{ .name = "token",
	  .type = SCHEMA_STRING,
	  .help = "The token to show, or @ and the file that holds it." },
	{ .name = NULL },
};

static const struct schema file_members[] = {
	{ .name = "current", .type = SCHEMA_NAME, .help = "The context that is taken if none is named." },
	{ .name = "contexts",
	  .type = SCHEMA_LIST,
	  .key = "name",
	  .members = context_members,
	  .help = "All of them." },
	{ .name = NULL },
};

/* The file of contexts; malloc'd, NULL: there is no home to have it in. */
static char *file_name(void)
{
	const char *named = getenv("SLUICE_CONFIG"), *folder = getenv("XDG_CONFIG_HOME"),
	           *home = getenv("HOME");

	if (named && *named)
		return text_copy(named);
	if (folder && *folder)
		return text_format("%s/sluice/contexts.cfg", folder);
	return home && *home ? text_format("%s/.config/sluice/contexts.cfg", home) : NULL;
}

/* The file's document, an empty one if there is no file; NULL: it is broken, which was said. */
static struct conf *read_contexts(const char *file)
{
	struct errors errors = ERRORS_NONE;
	struct conf *document;
	char line[1024];

	if (!file || access(file, F_OK) != 0)
		return conf_new(NULL, CONF_GROUP, NULL);
	document = conf_read_file(file, &errors);
	if (document)
		schema_check(file_members, document, &errors);
	for (size_t i = 0; i < errors.count; i++) {
		error_format(&errors.list[i], line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
	if (errors_any(&errors)) {
		conf_free(document);
		document = NULL;
	}
	errors_free(&errors);
	return document;
}

static int no_context(const struct conf *contexts, const char *name, const char *file)
{
	fprintf(stderr, "sluice: no context \"%s\" in %s; there %s", name, file ? file : "(no home)",
	        conf_count(contexts) ? "are:"
	                             : "are none: sluice context set NAME --server unix:PATH makes one");
	for (size_t i = 0; i < conf_count(contexts); i++)
		fprintf(stderr, " %s", conf_string(conf_at(contexts, i), "name", ""));
	fprintf(stderr, "\n");
	return CLI_NOT_FOUND;
}

/* Takes the server of a context, or of the current one (name NULL). */
static int take_context(struct cli *cli, const char *name)
{
	char *file = file_name();
	struct conf *document = read_contexts(file);
	const struct conf *contexts = conf_get(document, "contexts"), *found;
	int status = document ? CLI_DONE : CLI_INVALID;

	if (!name)
		name = document ? conf_string(document, "current", NULL) : NULL;
	if (name && document) {
		found = conf_item(contexts, "name", name);
		if (found)
			cli->server = cli->server_found = text_copy(conf_string(found, "server", ""));
		status = found ? identity_resolve(cli, found) : no_context(contexts, name, file);
	}
	conf_free(document);
	free(file);
	return status;
}

/* Said before anything is tried: a misspelt place would else be an unreachable one. */
static int check_server(const char *server)
{
	static const char *const forms[] = { "unix:", "http://", "https://" };

	for (unsigned i = 0; i < sizeof(forms) / sizeof(*forms); i++)
		if (strncmp(server, forms[i], strlen(forms[i])) == 0 && server[strlen(forms[i])])
			return CLI_DONE;
	fprintf(stderr,
	        "sluice: where sluiced is must be unix:/PATH, http://HOST:PORT or https://HOST:PORT, not "
	        "\"%s\"\n",
	        server);
	return CLI_USAGE;
}

int context_resolve(struct cli *cli)
{
	const char *server = getenv("SLUICE_SERVER"), *name = getenv("SLUICE_CONTEXT");
	int status = identity_resolve(cli, NULL);

	if (status != CLI_DONE)
		return status;
	cli->server = usual_server;
	if (cli->server_asked)
		cli->server = cli->server_asked;
	else if (cli->context)
		status = take_context(cli, cli->context);
	else if (server && *server)
		cli->server = server;
	else
		status = take_context(cli, name && *name ? name : NULL);
	return status == CLI_DONE ? check_server(cli->server) : status;
}

/* --- changing the file --- */

static void make_folder(const char *file)
{
	char *path = text_copy(file);

	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	free(path);
}

static int write_contexts(const char *file, const struct conf *document)
{
	char *text = conf_to_libconfig(document);
	int error;

	make_folder(file);
	error = atomic_file_write(file, text, strlen(text), 0600);
	free(text);
	if (!error)
		return CLI_DONE;
	fprintf(stderr, "sluice: cannot write %s: %s\n", file, strerror(error));
	return CLI_FAILED;
}

static struct conf *with_contexts(struct conf *document)
{
	struct conf *list = (struct conf *)(uintptr_t)conf_get(document, "contexts");

	return list ? list : conf_new(document, CONF_LIST, "contexts");
}

/* All contexts but one, as a new list in place of the old one. */
static void drop(struct conf *document, const char *name)
{
	struct conf *rest = conf_new(NULL, CONF_GROUP, NULL), *list = conf_new(rest, CONF_LIST, "contexts");
	const struct conf *old = conf_get(document, "contexts");

	for (size_t i = 0; i < conf_count(old); i++)
		if (strcmp(conf_string(conf_at(old, i), "name", ""), name) != 0)
			conf_put(list, NULL, conf_at(old, i));
	conf_put(document, "contexts", list);
	conf_free(rest);
}

static int set_context(const struct cli *cli, struct conf *document, const char *name)
{
	struct errors errors = ERRORS_NONE;
	struct conf *item;
	char line[512];
	int status = CLI_DONE;

	if (!cli->server_asked)
		return cli_usage("context set NAME --server unix:PATH|URL [--cacert FILE] [--cert FILE --key "
		                 "FILE] [--token TOKEN|@FILE]");
	if (check_server(cli->server_asked) != CLI_DONE)
		return CLI_USAGE;
	drop(document, name);
	item = conf_new(with_contexts(document), CONF_GROUP, NULL);
	conf_set_string(item, "name", name);
	conf_set_string(item, "server", cli->server_asked);
	identity_store(cli, item);
	if (!schema_check(file_members, document, &errors)) {
		error_format(&errors.list[0], line, sizeof(line));
		fprintf(stderr, "sluice: %s\n", line);
		status = CLI_INVALID;
	}
	errors_free(&errors);
	return status;
}

static int edit(const struct cli *cli, struct conf *document, const char *file)
{
	const char *verb = cli->words[0], *name = cli->words[1];

	if (strcmp(verb, "set") == 0)
		return set_context(cli, document, name);
	if (!conf_item(conf_get(document, "contexts"), "name", name))
		return no_context(conf_get(document, "contexts"), name, file);
	if (strcmp(verb, "use") == 0) {
		conf_set_string(document, "current", name);
		return CLI_DONE;
	}
	drop(document, name);
	if (strcmp(conf_string(document, "current", ""), name) == 0)
		conf_remove(document, "current");
	return CLI_DONE;
}

static int list_contexts(const struct cli *cli, const struct conf *document)
{
	const struct conf *contexts = conf_get(document, "contexts");
	const char *current = conf_string(document, "current", "");
	json_t *list = json_array();

	for (size_t i = 0; i < conf_count(contexts); i++) {
		const char *name = conf_string(conf_at(contexts, i), "name", "");

		json_array_append_new(list, json_pack("{s:s,s:s,s:b}", "name", name, "server",
		                                      conf_string(conf_at(contexts, i), "server", ""),
		                                      "current", strcmp(name, current) == 0));
	}
	cli_print(cli, list);
	json_decref(list);
	return CLI_DONE;
}

static bool understood(const struct cli *cli)
{
	static const char *const verbs[] = { "set", "use", "delete" };

	for (unsigned i = 0; i < sizeof(verbs) / sizeof(*verbs); i++)
		if (cli->count == 2 && strcmp(cli->words[0], verbs[i]) == 0)
			return true;
	return false;
}

int command_context(struct cli *cli)
{
	bool list = !cli->count || (cli->count == 1 && strcmp(cli->words[0], "list") == 0);
	struct conf *document;
	char *file;
	int status;

	if (!list && !understood(cli))
		return cli_usage("context list | set NAME --server unix:PATH|URL | use NAME | delete NAME");
	file = file_name();
	if (!file) {
		fprintf(stderr, "sluice: where are contexts kept? Set SLUICE_CONFIG or HOME\n");
		return CLI_FAILED;
	}
	document = read_contexts(file);
	if (!document)
		status = CLI_INVALID;
	else if (list)
		status = list_contexts(cli, document);
	else
		status = edit(cli, document, file);
	if (status == CLI_DONE && !list && !cli->dry_run)
		status = write_contexts(file, document);
	conf_free(document);
	free(file);
	return status;
}
