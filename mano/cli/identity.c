/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who the user is to a sluiced behind TCP: a token, or a certificate with its key, and the authority that
 * the server must be of. Options come first, then the environment, then the context that named the server. A
 * token written @FILE is read from there, so that it need not stand in a command line or a file of contexts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "manage/client.h"
#include "util/atomic_file.h"
#include "util/memory.h"

enum { TOKEN_BYTES = 4096 };

static const char *const names[CLI_IDENTITY] = { "cacert", "cert", "key", "token" },
                         *const variables[CLI_IDENTITY] = { "SLUICE_CACERT", "SLUICE_CERT", "SLUICE_KEY",
	                                                    "SLUICE_TOKEN" };

/* The token in a file, without white space at its end; malloc'd, NULL: it was said why not. */
static char *read_token(const char *file)
{
	char *text = NULL;
	size_t length = 0;
	int error = atomic_file_read(file, TOKEN_BYTES, &text, &length);

	if (error) {
		fprintf(stderr, "sluice: cannot read the token in %s: %s\n", file, strerror(error));
		return NULL;
	}
	while (length && strchr(" \t\r\n", text[length - 1]))
		text[--length] = '\0';
	return text;
}

int identity_resolve(struct cli *cli, const struct conf *context)
{
	for (unsigned i = 0; i < CLI_IDENTITY; i++) {
		const char *given = cli->identity_asked[i], *set = getenv(variables[i]);

		if (!given && set && *set)
			given = set;
		if (!given && context)
			given = conf_string(context, names[i], NULL);
		free(cli->identity[i]);
		cli->identity[i] =
		        i == CLI_TOKEN && given && given[0] == '@' ? read_token(given + 1) : text_copy(given);
		if (given && !cli->identity[i])
			return CLI_FAILED;
	}
	return CLI_DONE;
}

void identity_store(const struct cli *cli, struct conf *context)
{
	for (unsigned i = 0; i < CLI_IDENTITY; i++) {
		const char *given = cli->identity_asked[i];
		bool token = i == CLI_TOKEN;
		char *whole = given && (!token || given[0] == '@') ? realpath(given + token, NULL) : NULL,
		     *text;

		if (!given)
			continue;
		/* A file is found again from anywhere. */
		text = whole ? text_format("%s%s", token ? "@" : "", whole) : text_copy(given);
		conf_set_string(context, names[i], text);
		free(text);
		free(whole);
	}
}

void identity_free(struct cli *cli)
{
	for (unsigned i = 0; i < CLI_IDENTITY; i++)
		free(cli->identity[i]);
}

struct http_client *cli_client(const struct cli *cli)
{
	struct http_client *client = http_client_new();
	struct http_identity identity = { cli->identity[CLI_CACERT], cli->identity[CLI_CERT],
		                          cli->identity[CLI_KEY], cli->identity[CLI_TOKEN] };

	if (client)
		http_client_identify(client, &identity);
	return client;
}

void identity_print_curl(const struct cli *cli)
{
	for (unsigned i = 0; i < CLI_TOKEN; i++)
		if (cli->identity[i]) {
			fprintf(stderr, "--%s ", names[i]);
			cli_print_quoted(cli->identity[i]);
			fputc(' ', stderr);
		}
	if (cli->identity[CLI_TOKEN]) /* never shown */
		fprintf(stderr, "-H \"Authorization: Bearer $SLUICE_TOKEN\" ");
}
