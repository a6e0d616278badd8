/* SPDX-License-Identifier: BSD-3-Clause */
/* Help and the manual page, both made of the tables in verbs.c, so that they cannot disagree. */
#include <string.h>

#include "cli/verbs.h"

static const struct text {
	const char *name, *help;
} statuses[] = {
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
};

static const struct text variables[] = {
	{ "SLUICE_SERVER", "where sluiced is, as --server" },
	{ "SLUICE_CONTEXT", "the context to take, as --context" },
	{ "SLUICE_CONFIG", "the file of contexts (~/.config/sluice/contexts.cfg, or below XDG_CONFIG_HOME)" },
	{ "SLUICE_OUTPUT", "form of the output, as -o" },
	{ "NO_COLOR", "no colours, if it is set and not empty" },
};

enum { STATUSES = sizeof(statuses) / sizeof(*statuses), VARIABLES = sizeof(variables) / sizeof(*variables) };

static void print_option(const struct cli_option *option, FILE *to)
{
	char text[64], letter[8] = "";

	if (option->has_short)
		snprintf(letter, sizeof(letter), "-%c, ", option->letter);
	snprintf(text, sizeof(text), "%s--%s%s%s", letter, option->name, option->argument ? " " : "",
	         option->argument ? option->argument : "");
	fprintf(to, "  %-26s %s\n", text, option->help);
}

static void print_texts(const char *title, const struct text *texts, unsigned n, FILE *to)
{
	fprintf(to, "\n%s:\n", title);
	for (unsigned i = 0; i < n; i++)
		fprintf(to, "  %-16s %s\n", texts[i].name, texts[i].help);
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
		fprintf(to, "  %-56s %s\n", verb->usage, verb->help);
	fprintf(to, "\noptions (sluice help VERB says which a verb takes):\n");
	for (const struct cli_option *option = cli_options; option->name; option++)
		print_option(option, to);
	print_texts("environment", variables, VARIABLES, to);
	print_texts("exit", statuses, STATUSES, to);
}

/* --- the manual page --- */

/* Text of a macro or paragraph: backslashes and leading points would be commands. */
static void escape(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\\')
			printf("\\e");
		else if (text[i] == '-')
			printf("\\-");
		else if (text[i] == '~')
			printf("\\(ti");
		else if (i == 0 && (text[i] == '.' || text[i] == '\''))
			printf("\\&%c", text[i]);
		else
			putchar(text[i]);
	}
}

static void paragraph(const char *text)
{
	escape(text, strlen(text));
	putchar('\n');
}

static void manual_options(const struct cli_verb *verb)
{
	for (const struct cli_option *option = cli_options; option->name; option++) {
		if (verb ? option->common || !verb_takes(verb, option) : !option->common)
			continue;
		printf(".It ");
		if (option->has_short)
			printf("Fl %c , ", option->letter);
		printf("Fl \\-%s%s%s\n", option->name, option->argument ? " Ar " : "",
		       option->argument ? option->argument : "");
		paragraph(option->help);
	}
}

static void manual_verb(const struct cli_verb *verb)
{
	const char *text = verb->examples;

	printf(".Ss ");
	escape(verb->usage, strlen(verb->usage));
	printf("\n");
	paragraph(verb->help);
	if (*verb->options) {
		printf(".Bl -tag -width Ds\n");
		manual_options(verb);
		printf(".El\n");
	}
	printf(".Bd -literal -offset indent\n");
	while (*text) {
		size_t command = strcspn(text, "\t\n");

		escape(text, command);
		printf("\n");
		text += strcspn(text, "\n") + 1;
	}
	printf(".Ed\n");
}

static void manual_texts(const struct text *texts, unsigned n, const char *macro)
{
	printf(".Bl -tag -width Ds\n");
	for (unsigned i = 0; i < n; i++) {
		printf(".It %s%s\n", macro, texts[i].name);
		paragraph(texts[i].help);
	}
	printf(".El\n");
}

void help_manual(void)
{
	printf(".\\\" SPDX-License-Identifier: BSD-3-Clause\n.\\\" Made of the tables of verbs and options\n"
	       ".Dd November 21, 2026\n.Dt SLUICE 1\n.Os Sluice\n.Sh NAME\n.Nm sluice\n.Nd manage network "
	       "services of sluiced\n"
	       ".Sh SYNOPSIS\n.Nm\n.Ar verb\n.Op Ar arguments\n.Op Ar options\n.Sh DESCRIPTION\n.Nm\nspeaks "
	       "to\n.Xr sluiced 8 .\n"
	       "Data is printed on standard output, prose on standard error.\n"
	       "A change waits for the end of its operation and says how it ended.\n"
	       "Errors of a file name its line and the path of the value.\n"
	       ".Pp\nWhere sluiced is: the first of\n.Fl \\-server ,\n.Fl \\-context ,\n.Ev SLUICE_SERVER "
	       ",\n.Ev SLUICE_CONTEXT ,\n"
	       "the current context, and\n.Pa /run/sluice/sluiced.sock .\n.Pp\nOptions of every verb:\n.Bl "
	       "-tag -width Ds\n");
	manual_options(NULL);
	printf(".El\n.Sh VERBS\n");
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		manual_verb(verb);
	printf(".Sh ENVIRONMENT\n");
	manual_texts(variables, VARIABLES, "Ev ");
	printf(".Sh FILES\n.Bl -tag -width Ds\n.It Pa \\(ti/.config/sluice/contexts.cfg\ncontexts\n"
	       ".It Pa /run/sluice/sluiced.sock\nwhere sluiced usually is\n.El\n.Sh EXIT STATUS\n");
	manual_texts(statuses, STATUSES, "");
	printf(".Sh SEE ALSO\n.Xr sluice.cfg 5 ,\n.Xr sluice\\-chain 8 ,\n.Xr sluiced 8\n");
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
