/* SPDX-License-Identifier: BSD-3-Clause */
/* sluice: options, the table of verbs, help and completion, which come from the table. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"

enum { TIMEOUT_S = 30 };

static const struct verb {
	const char *name, *usage, *help;
	int (*run)(struct cli *cli);
} verbs[] = {
	{ "get", "get NOUN [SERVICE[/NAME]]",
	  "services, vnfs, chains, ops, nodes, sessions, rules, mappings, ...", command_get },
	{ "describe", "describe NOUN NAME", "one of them, whole", command_describe },
	{ "apply", "apply -f FILE [--dry-run]", "make it so: all of the file, or nothing", command_apply },
	{ "diff", "diff -f FILE", "what apply would change; exit 8 if anything", command_diff },
	{ "validate", "validate -f FILE", "check a file; every error with its line", command_validate },
	{ "delete", "delete service NAME | -f FILE", "take a service down", command_delete },
	{ "chain", "chain insert|remove|reorder|set SERVICE/CHAIN ...",
	  "change the functions that a chain crosses", command_chain },
	{ "config", "config get|set|diff SERVICE/VNF [PATH VALUE | -f FILE]", "one function's configuration",
	  command_config },
	{ "heal", "heal SERVICE[/VNF]", "kill and start anew", command_heal },
	{ "restart", "restart SERVICE[/VNF]", "stop gently and start", command_restart },
	{ "op", "op list | show|wait|retry|fail|rollback ID", "operations", command_op },
	{ "events", "events [--last N]", "what happens, as it happens", command_events },
	{ "top", "top [--once]", "packets, bits, drops and sessions of each function, live", command_top },
	{ "trace", "trace SERVICE[/CHAIN] [WORDS] [--packets N] [--seconds N]",
	  "the walk of packets: tcp, from PREFIX, to PREFIX, port N, in PORT", command_trace },
	{ "capture", "capture SERVICE[/VNF] [at NAME] [WORDS] -w FILE|-",
	  "pcapng of packets at ports, or around a VNF", command_capture },
	{ "doctor", "doctor", "what this host lacks, and how to mend it", command_doctor },
	{ "completion", "completion bash|zsh|fish", "completion for a shell", command_completion },
	{ "version", "version", "versions of both ends", command_version },
};
enum { VERBS = sizeof(verbs) / sizeof(*verbs) };

static void help(FILE *to)
{
	fprintf(to, "usage: sluice VERB ... [options]\n\n");
	for (unsigned i = 0; i < VERBS; i++)
		fprintf(to, "  %-56s %s\n", verbs[i].usage, verbs[i].help);
	fprintf(to, "\noptions:\n"
	            "  --server unix:PATH|URL   where sluiced is (SLUICE_SERVER; default "
	            "unix:/run/sluice/sluiced.sock)\n"
	            "  -o table|wide|json|name  form of the output\n"
	            "  -f FILE                  libconfig, or JSON if it ends in .json\n"
	            "  --dry-run                say what would change, change nothing\n"
	            "  --timeout SECONDS        how long to wait (default 30); --no-wait: not at all\n"
	            "  -v                       print each request as curl\n"
	            "exit: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 timed out, 6 unreachable, 7 "
	            "invalid, 8 differences\n");
}

int command_completion(struct cli *cli)
{
	const char *shell = cli->count ? cli->words[0] : "bash";

	if (strcmp(shell, "fish") == 0) {
		for (unsigned i = 0; i < VERBS; i++)
			printf("complete -c sluice -n __fish_use_subcommand -a %s -d '%s'\n", verbs[i].name,
			       verbs[i].help);
		return CLI_DONE;
	}
	if (strcmp(shell, "zsh") == 0)
		printf("autoload -U bashcompinit && bashcompinit\n");
	else if (strcmp(shell, "bash") != 0)
		return cli_usage("completion bash|zsh|fish");
	printf("_sluice() {\n\tlocal words=");
	for (unsigned i = 0; i < VERBS; i++)
		printf("%s%s", i ? " " : "'", verbs[i].name);
	printf("'\n\t[ \"$COMP_CWORD\" = 1 ] && COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[1]}\")) "
	       "|| COMPREPLY=($(compgen -f -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
	       "complete -F _sluice sluice\n");
	return CLI_DONE;
}

static bool set_output(struct cli *cli, const char *word)
{
	static const char *const words[] = { [OUTPUT_TABLE] = "table",
		                             [OUTPUT_WIDE] = "wide",
		                             [OUTPUT_JSON] = "json",
		                             [OUTPUT_NAME] = "name" };

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(words[i], word) == 0) {
			cli->output = (enum cli_output)i;
			return true;
		}
	}
	return false;
}

static bool take_option(struct cli *cli, int option)
{
	switch (option) {
	case 's':
		cli->server = optarg;
		return true;
	case 'o':
		return set_output(cli, optarg);
	case 'f':
		cli->file = optarg;
		return true;
	case 'd':
		cli->dry_run = true;
		return true;
	case 't':
		cli->timeout_s = (unsigned)strtoul(optarg, NULL, 10);
		return cli->timeout_s > 0;
	case 'n':
		cli->no_wait = true;
		return true;
	case 'w': /* --wait is what is done anyway; -w FILE */
		cli->file = optarg ? optarg : cli->file;
		return true;
	case 'v':
		cli->verbose = true;
		return true;
	case 'l':
		cli->last = (unsigned)strtoul(optarg, NULL, 10);
		return cli->last > 0;
	case 'c':
		cli->count_asked = (unsigned)strtoul(optarg, NULL, 10);
		return cli->count_asked > 0;
	case 'S':
		cli->seconds = (unsigned)strtoul(optarg, NULL, 10);
		return cli->seconds > 0;
	case '1':
		cli->once = true;
		return true;
	case 'b':
		cli->before = optarg;
		return true;
	case 'a':
		cli->after = optarg;
		return true;
	default:
		return false;
	}
}

static int run_verb(struct cli *cli, const char *name)
{
	for (unsigned i = 0; i < VERBS; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return verbs[i].run(cli);
	fprintf(stderr, "sluice: no verb \"%s\"; sluice --help lists them\n", name);
	return CLI_USAGE;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "server", 1, NULL, 's' },  { "output", 1, NULL, 'o' },  { "file", 1, NULL, 'f' },
		{ "dry-run", 0, NULL, 'd' }, { "timeout", 1, NULL, 't' }, { "no-wait", 0, NULL, 'n' },
		{ "wait", 0, NULL, 'w' },    { "last", 1, NULL, 'l' },    { "once", 0, NULL, '1' },
		{ "before", 1, NULL, 'b' },  { "after", 1, NULL, 'a' },   { "help", 0, NULL, 'h' },
		{ "packets", 1, NULL, 'c' }, { "seconds", 1, NULL, 'S' }, { NULL, 0, NULL, 0 },
	};
	struct cli cli = { .server = getenv("SLUICE_SERVER"), .timeout_s = TIMEOUT_S };
	int option, status;

	if (!cli.server)
		cli.server = "unix:/run/sluice/sluiced.sock";
	while ((option = getopt_long(argc, argv, "o:f:w:vh", options, NULL)) != -1) {
		if (option == 'h') {
			help(stdout);
			return CLI_DONE;
		}
		if (!take_option(&cli, option)) {
			help(stderr);
			return CLI_USAGE;
		}
	}
	if (optind == argc) {
		help(stderr);
		return CLI_USAGE;
	}
	cli.words = argv + optind + 1;
	cli.count = argc - optind - 1;
	status = run_verb(&cli, argv[optind]);
	conf_free(cli.document);
	return status;
}
