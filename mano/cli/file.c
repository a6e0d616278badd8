/* SPDX-License-Identifier: BSD-3-Clause */
/* The file that -f names, read here and not by sluiced, so that every error can name its line. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "config/text_file.h"
#include "util/memory.h"

enum { INPUT_MAX = 64 << 20 };

static void print_errors(const struct errors *errors)
{
	char line[2048];

	for (size_t i = 0; i < errors->count; i++) {
		error_format(&errors->list[i], line, sizeof(line));
		fprintf(stderr, "%s\n", line);
	}
}

/* All of standard input; malloc'd, NULL with an error. */
static char *read_input(struct errors *errors)
{
	size_t size = 1 << 16, used = 0, got;
	char *text = malloc(size);

	while (text && used < INPUT_MAX && (got = fread(text + used, 1, size - used - 1, stdin)) > 0) {
		used += got;
		if (used + 1 == size)
			text = realloc(text, size *= 2);
	}
	if (text && used < INPUT_MAX && !ferror(stdin)) {
		text[used] = '\0';
		return text;
	}
	errors_add(errors, NULL, "cannot-read", "-", 0, "cannot read standard input: %s",
	           ferror(stdin) ? strerror(errno) : "it is too long");
	free(text);
	return NULL;
}

/* Standard input: JSON if it begins like an object. */
static struct conf *from_input(struct errors *errors)
{
	char *text = read_input(errors);
	struct conf *document = NULL;
	const char *begin = text ? text_behind_mark(text) : NULL;

	if (text && begin[strspn(begin, " \t\r\n")] == '{')
		document = conf_parse_json(text, strlen(text), "-", errors);
	else if (text)
		document = conf_read_text(text, "-", errors);
	free(text);
	return document;
}

static bool is_json(const char *file)
{
	size_t length = strlen(file);

	return length > 5 && strcmp(file + length - 5, ".json") == 0;
}

int cli_read_file(struct cli *cli)
{
	struct errors errors = ERRORS_NONE;

	if (!cli->file) {
		fprintf(stderr, "sluice: which file? -f FILE, or -f - for standard input\n");
		return CLI_USAGE;
	}
	if (strcmp(cli->file, "-") == 0)
		cli->document = from_input(&errors);
	else if (is_json(cli->file))
		cli->document = conf_read_json(cli->file, &errors);
	else
		cli->document = conf_read_file(cli->file, &errors);
	print_errors(&errors);
	errors_free(&errors);
	return cli->document ? CLI_DONE : CLI_INVALID;
}
