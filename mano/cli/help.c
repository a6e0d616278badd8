/* SPDX-License-Identifier: BSD-3-Clause */
/* Help, made of the tables in verbs.c as the manual page is (docs/man), so that they cannot disagree. */
#include <string.h>

#include "cli/verbs.h"

const struct cli_text cli_statuses[] = {
	{ "0", "done" },
	{ "1", "failed: the operation was rolled back, or the doctor found something" },
	{ "2", "usage" },
	{ "3", "not found: no such service, function, operation or context" },
	{ "4", "conflict: busy with another operation, or the host lacks something" },
	{ "5", "timed out; the operation goes on" },
	{ "6", "unreachable: sluiced does not answer" },
	{ "7", "invalid: the file or value, every error is told" },
	{ "8", "differences were found" },
	{ "130", "interrupted while waiting; the operation goes on" },
	{ NULL, NULL },
};

const struct cli_text cli_variables[] = {
	{ "SLUICE_SERVER", "where sluiced is, as --server" },
	{ "SLUICE_CACERT", "as --cacert" },
	{ "SLUICE_CERT", "as --cert" },
	{ "SLUICE_KEY", "as --key" },
	{ "SLUICE_TOKEN", "as --token" },
	{ "SLUICE_CONTEXT", "the context to take, as --context" },
	{ "SLUICE_CONFIG", "the file of contexts (~/.config/sluice/contexts.cfg, or below XDG_CONFIG_HOME)" },
	{ "SLUICE_OUTPUT", "form of the output, as -o" },
	{ "NO_COLOR", "no colours, if it is set and not empty" },
	{ NULL, NULL },
};

static void print_option(const struct cli_option *option, FILE *to)
{
	char text[64], letter[8] = "";
	size_t used;

	if (option->has_short)
		snprintf(letter, sizeof(letter), "-%c, ", option->letter);
	snprintf(text, sizeof(text), "%s--%s", letter, option->name);
	used = strlen(text);
	if (option_wants_word(option))
		snprintf(text + used, sizeof(text) - used, " %s", option->argument);
	else if (option->argument)
		snprintf(text + used, sizeof(text) - used, "[=%s", option->argument + 1);
	fprintf(to, "  %-26s %s\n", text, option->help);
}

static void print_texts(const char *title, const struct cli_text *texts, FILE *to)
{
	fprintf(to, "\n%s:\n", title);
	for (; texts->name; texts++)
		fprintf(to, "  %-16s %s\n", texts->name, texts->help);
}

static void print_examples(const char *text, FILE *to)
{
	fprintf(to, "\nexamples:\n");
	while (*text) {
		int command = (int)strcspn(text, "\t\n"), whole = (int)strcspn(text, "\n");

		if (whole > command)
			fprintf(to, "  # %.*s\n", whole - command - 1, text + command + 1);
		fprintf(to, "  %.*s\n", command, text);
		text += whole + 1;
	}
}

static void print_verb(const struct cli_verb *verb, FILE *to)
{
	fprintf(to, "usage: sluice %s [options]\n\n  %s\n\noptions:\n", verb->usage, verb->help);
	for (const struct cli_option *option = cli_options; option->name; option++)
		if (verb_takes(verb, option))
			print_option(option, to);
	print_examples(verb->examples, to);
}

void help_print(const struct cli_verb *verb, FILE *to)
{
	if (verb) {
		print_verb(verb, to);
		return;
	}
	fprintf(to, "usage: sluice VERB ... [options]\n\n");
	for (verb = cli_verbs; verb->name; verb++)
		fprintf(to, "  %-15s %s\n", verb->name, verb->help);
	fprintf(to,
	        "\nsluice help VERB tells its words and options, with examples.\n\noptions of every verb:\n");
	for (const struct cli_option *option = cli_options; option->name; option++)
		if (option->common)
			print_option(option, to);
	print_texts("environment", cli_variables, to);
	print_texts("exit", cli_statuses, to);
}

int command_help(struct cli *cli)
{
	const struct cli_verb *verb = cli->count ? verb_find(cli->words[0]) : NULL;

	if (cli->count && !verb) {
		suggest_print("verb", cli->words[0], verb_name);
		return CLI_USAGE;
	}
	help_print(verb, stdout);
	return CLI_DONE;
}
