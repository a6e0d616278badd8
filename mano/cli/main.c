/* SPDX-License-Identifier: BSD-3-Clause */
/* sluice: reads the command line by the tables of verbs.c, runs the verb, and sees to it that all that was to be printed was. */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/condition.h"
#include "cli/verbs.h"

enum { TIMEOUT_S = 30, OPTIONS_MAX = 40 };

static bool set_output(struct cli *cli, const char *word)
{
	static const char *const words[] = { [OUTPUT_TABLE] = "table",
		                             [OUTPUT_WIDE] = "wide",
		                             [OUTPUT_JSON] = "json",
		                             [OUTPUT_YAML] = "yaml",
		                             [OUTPUT_NAME] = "name" };

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i], word) == 0) {
			cli->output = (enum cli_output)i;
			return true;
		}
	}
	fprintf(stderr, "sluice: no form of output \"%s\": table, wide, json, yaml or name\n", word);
	return false;
}

static bool take_number(const char *name, unsigned *number)
{
	char *end;
	unsigned long value = strtoul(optarg, &end, 10);

	*number = (unsigned)value;
	if (*optarg >= '0' && *optarg <= '9' && !*end && value >= 1 && value <= 1000000)
		return true;
	fprintf(stderr, "sluice: --%s: a number from 1 to 1000000, not \"%s\"\n", name, optarg);
	return false;
}

/* 90, 90s, 5m, 1h */
static bool take_time(const char *name, unsigned *seconds)
{
	char *end;
	unsigned long value = strtoul(optarg, &end, 10), unit = 1;

	unit = *end == 'm' ? 60 : *end == 'h' ? 3600 : 1;
	end += *end == 's' || *end == 'm' || *end == 'h';
	*seconds = (unsigned)(value * unit);
	if (*optarg >= '0' && *optarg <= '9' && !*end && value >= 1 && value <= 86400 && *seconds <= 86400)
		return true;
	fprintf(stderr, "sluice: --%s: a time from 1s to 24h, not \"%s\"\n", name, optarg);
	return false;
}

static bool take_numbers(struct cli *cli, int option)
{
	unsigned limit;

	switch (option) {
	case 't':
		cli->timeout_asked = true;
		return take_number("timeout", &cli->timeout_s);
	case 'l':
		return take_number("last", &cli->last);
	case 'c':
		return take_number("packets", &cli->count_asked);
	case 'k':
		return take_time("confirm", &cli->confirm_s);
	case 'S':
		return take_number("seconds", &cli->seconds);
	case 'L':
		cli->limit = optarg;
		return take_number("limit", &limit);
	default:
		return false;
	}
}

static bool take_flag(struct cli *cli, int option)
{
	switch (option) {
	case 'd':
		return cli->dry_run = true;
	case 'O':
		return cli->force = true;
	case 'x':
		return cli->fix = true;
	case 'n':
		return cli->no_wait = true;
	case 'y':
		return condition_take(cli, optarg);
	case 'W':
		return cli->watch = true;
	case 'q':
		return cli->quiet = true;
	case 'v':
		return cli->verbose = true;
	case '1':
		return cli->once = true;
	default:
		return take_numbers(cli, option);
	}
}

static bool take_identity(struct cli *cli, int option)
{
	int member = option - OPTION_IDENTITY;

	if (member >= 0 && member < CLI_IDENTITY)
		cli->identity_asked[member] = optarg;
	return member >= 0 && member < CLI_IDENTITY;
}

static bool take_option(struct cli *cli, int option)
{
	switch (option) {
	case 's':
		cli->server_asked = optarg;
		return true;
	case 'C':
		cli->context = optarg;
		return true;
	case 'o':
		return set_output(cli, optarg);
	case 'f':
		cli->file = optarg;
		return true;
	case 'w':
		cli->file = optarg;
		return true;
	case 'F':
		cli->filter = optarg;
		return true;
	case 'b':
		cli->before = optarg;
		return true;
	case 'a':
		cli->after = optarg;
		return true;
	case 'B':
		cli->build = optarg;
		return true;
	case 'X':
		cli->libexec = optarg;
		return true;
	case 'm':
		cli->comment = optarg;
		return true;
	case OPTION_ROLE:
		cli->role = optarg;
		return true;
	case OPTION_EXPIRES:
		cli->expires = optarg;
		return true;
	case 'r':
		cli->revision = optarg;
		return true;
	default:
		return take_identity(cli, option) || take_flag(cli, option);
	}
}

/* getopt's tables from ours. */
static void make_options(struct option *options, char *letters)
{
	unsigned n = 0;

	*letters++ = ':'; /* a missing argument is told apart */
	for (const struct cli_option *option = cli_options; option->name && n < OPTIONS_MAX - 1; option++) {
		int argument = option_wants_word(option) ? required_argument
		               : option->argument        ? optional_argument
		                                         : no_argument;

		options[n++] = (struct option){ option->name, argument, NULL, option->letter };
		if (option->has_short) {
			*letters++ = (char)option->letter;
			if (option_wants_word(option))
				*letters++ = ':';
		}
	}
	options[n] = (struct option){ NULL, 0, NULL, 0 };
	*letters = '\0';
}

/* The verb on the command line, and only options that it takes. NULL: it was said what is wrong. */
static const struct cli_verb *check_verb(const char *name, const bool *seen)
{
	const struct cli_verb *verb = verb_find(name);

	if (!verb) {
		suggest_print("verb", name, verb_name);
		fprintf(stderr, "sluice: sluice help lists all verbs\n");
		return NULL;
	}
	for (unsigned i = 0; cli_options[i].name; i++) {
		if (seen[i] && !verb_takes(verb, &cli_options[i])) {
			fprintf(stderr, "sluice: %s takes no --%s; sluice help %s lists what it takes\n",
			        name, cli_options[i].name, name);
			return NULL;
		}
	}
	return verb;
}

/* What getopt could not take: an option without its argument, or none of ours. */
static int refuse_option(const char *word, bool known)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	if (known)
		fprintf(stderr, "sluice: %s wants an argument\n", name);
	else if (strncmp(word, "--", 2) == 0)
		suggest_print("option", name + 2, option_name);
	else
		fprintf(stderr, "sluice: no option \"%s\"\n", name);
	fprintf(stderr, "sluice: sluice help lists verbs and options\n");
	return CLI_USAGE;
}

/* Reads all options, notes which were there. -1: go on; else the exit status. */
static int read_options(struct cli *cli, int argc, char **argv, bool *seen, bool *help)
{
	struct option options[OPTIONS_MAX];
	char letters[2 * OPTIONS_MAX + 2];
	int option;

	opterr = 0;
	make_options(options, letters);
	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		for (unsigned i = 0; cli_options[i].name; i++)
			seen[i] = seen[i] || cli_options[i].letter == option;
		if (option == 'h') {
			*help = true;
		} else if (option == 'V') {
			puts("sluice " SLUICE_VERSION);
			return CLI_DONE;
		} else if (option == '?' || option == ':') {
			return refuse_option(argv[optind - 1], option == ':');
		} else if (!take_option(cli, option)) {
			return CLI_USAGE;
		}
	}
	return -1;
}

/* A full disk is an error; a reader that had enough (`| head -1`) is none. */
static int flush(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (errno == EPIPE)
		return status;
	fprintf(stderr, "sluice: cannot write the output: %s\n", strerror(errno));
	return status == CLI_DONE ? CLI_FAILED : status;
}

static int run_verb(struct cli *cli, int argc, char **argv, const bool *seen, bool help)
{
	const struct cli_verb *verb;
	int status;

	verb = check_verb(argv[optind], seen);
	if (!verb)
		return CLI_USAGE;
	if (help) {
		help_print(verb, stdout);
		return CLI_DONE;
	}
	cli->words = argv + optind + 1;
	cli->count = argc - optind - 1;
	status = verb->local ? CLI_DONE : context_resolve(cli);
	return status == CLI_DONE ? verb->run(cli) : status;
}

/* What is not for people: candidates of completion. -1: something else. */
static int run_hidden(struct cli *cli, int argc, char **argv)
{
	if (argc > 1 && strcmp(argv[1], "__complete") == 0) {
		cli->words = argv + 2;
		cli->count = argc - 2;
		return command_complete(cli);
	}
	return -1;
}

int main(int argc, char **argv)
{
	struct cli cli = { .timeout_s = TIMEOUT_S };
	bool seen[OPTIONS_MAX] = { false }, help = false;
	const char *output = getenv("SLUICE_OUTPUT");
	int status;

	signal(SIGPIPE, SIG_IGN);
	status = run_hidden(&cli, argc, argv);
	if (status < 0 && output && *output && !set_output(&cli, output))
		status = CLI_USAGE;
	if (status < 0)
		status = read_options(&cli, argc, argv, seen, &help);
	if (status < 0 && optind == argc) {
		help_print(NULL, help ? stdout : stderr);
		status = help ? CLI_DONE : CLI_USAGE;
	}
	if (status < 0)
		status = run_verb(&cli, argc, argv, seen, help);
	conf_free(cli.document);
	free(cli.server_found);
	identity_free(&cli);
	return flush(status);
}
