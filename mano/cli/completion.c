/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completion. The shells' scripts are a few lines that ask `sluice __complete WORD...`, which prints candidates for the last word: verbs, options,
 * nouns, and the names of what sluiced has at that moment. When it is away there is nothing, and not a word about it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/verbs.h"

enum { PATH_SIZE = 256 };

static const char bash_script[] =
        "_sluice() {\n"
        "\tlocal current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n"
        "\tif [[ $before == -f || $before == --file ]]; then\n"
        "\t\tCOMPREPLY=($(compgen -f -- \"$current\"))\n"
        "\t\treturn\n"
        "\tfi\n"
        "\tCOMPREPLY=($(compgen -W \"$(\"${COMP_WORDS[0]}\" __complete \"${COMP_WORDS[@]:1:COMP_CWORD}\" "
        "2>/dev/null | cut -f1)\" -- "
        "\"$current\"))\n"
        "}\n"
        "complete -F _sluice sluice\n";

static const char zsh_script[] =
        "#compdef sluice\n"
        "_sluice() {\n"
        "\tif [[ ${words[CURRENT-1]} == (-f|--file) ]]; then\n"
        "\t\t_files\n"
        "\t\treturn\n"
        "\tfi\n"
        "\tlocal -a found\n"
        "\tfound=(${(f)\"$(${words[1]} __complete \"${(@)words[2,CURRENT]}\" 2>/dev/null | cut -f1)\"})\n"
        "\tcompadd -a found\n"
        "}\n"
        "if [ \"$funcstack[1]\" = _sluice ]; then _sluice \"$@\"; else compdef _sluice sluice; fi\n";

static const char fish_script[] = "function __sluice_complete\n"
                                  "\tset -l words (commandline -opc) (commandline -ct)\n"
                                  "\t$words[1] __complete $words[2..-1] 2>/dev/null\n"
                                  "end\n"
                                  "complete -c sluice -f -a '(__sluice_complete)'\n"
                                  "complete -c sluice -s f -l file -r -F\n";

int command_completion(struct cli *cli)
{
	const char *shell = cli->count == 1 ? cli->words[0] : "";
	const char *script = strcmp(shell, "bash") == 0   ? bash_script
	                     : strcmp(shell, "zsh") == 0  ? zsh_script
	                     : strcmp(shell, "fish") == 0 ? fish_script
	                                                  : NULL;

	if (!script)
		return cli_usage("completion bash|zsh|fish");
	fputs(script, stdout);
	return CLI_DONE;
}

/* --- candidates --- */

static void tell(const char *name, const char *help)
{
	printf("%s\t%s\n", name, help);
}

static void tell_verbs(void)
{
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		tell(verb->name, verb->help);
}

static void tell_options(const struct cli_verb *verb)
{
	for (const struct cli_option *option = cli_options; option->name; option++) {
		char text[64];

		snprintf(text, sizeof(text), "--%s", option->name);
		if (verb ? verb_takes(verb, option) : option->common)
			tell(text, option->help);
	}
}

/* Words parted by blanks. */
static void tell_words(const char *words)
{
	while (*words) {
		int length = (int)strcspn(words, " ");

		printf("%.*s\n", length, words);
		words += length + (words[length] == ' ');
	}
}

/* Names of the list at a path, with PREFIX before each. */
static void tell_names(struct cli *cli, const char *path, const char *prefix)
{
	json_t *list, *item, *name;
	size_t i;

	if (cli_request(cli, "GET", path, NULL, &list) != CLI_DONE)
		return;
	json_array_foreach(list, i, item)
	{
		name = json_object_get(item, "name");
		if (name)
			printf("%s%s\n", prefix, json_string_value(name));
		else if (json_object_get(item, "id"))
			printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(json_object_get(item, "id")));
	}
	json_decref(list);
}

/* SERVICE/NAME of all services, names of what is at /v1/services/S/KIND. */
static void tell_members(struct cli *cli, const char *kind)
{
	char path[PATH_SIZE], prefix[160];
	json_t *list, *item;
	size_t i;

	if (cli_request(cli, "GET", "/v1/services", NULL, &list) != CLI_DONE)
		return;
	json_array_foreach(list, i, item)
	{
		const char *service = json_string_value(json_object_get(item, "name"));

		snprintf(path, sizeof(path), "/v1/services/%s/%s", service, kind);
		snprintf(prefix, sizeof(prefix), "%s/", service);
		tell_names(cli, path, prefix);
	}
	json_decref(list);
}

static void tell_contexts(struct cli *cli)
{
	cli->output = OUTPUT_NAME;
	cli->words = (char *[]){ (char *)(uintptr_t) "list" };
	cli->count = 1;
	command_context(cli);
}

/* What may be the first word behind a verb; NULL: names of services. */
static const char *first_words(const char *verb)
{
	static const struct {
		const char *verb, *words;
	} all[] = { { "chain", "insert remove reorder set" },
		    { "config", "get set diff" },
		    { "op", "list show wait retry fail rollback" },
		    { "context", "list set use delete" },
		    { "completion", "bash zsh fish" },
		    { "describe", "service vnf chain op" },
		    { "delete", "service" } };

	for (unsigned i = 0; i < sizeof(all) / sizeof(*all); i++)
		if (strcmp(all[i].verb, verb) == 0)
			return all[i].words;
	return NULL;
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static void tell_first(struct cli *cli, const char *verb, const char *last)
{
	static const char *const services[] = { "heal",    "restart",  "trace", "capture",
		                                "history", "rollback", "diff",  NULL };
	const char *words = first_words(verb);

	if (words) {
		tell_words(words);
	} else if (strcmp(verb, "get") == 0) {
		for (unsigned i = 0; cli_noun(i); i++)
			printf("%s\n", cli_noun(i));
	} else if (strcmp(verb, "help") == 0) {
		tell_verbs();
	} else if (strcmp(verb, "explain") == 0) {
		explain_complete(cli, last);
	} else if (strcmp(verb, "confirm") == 0) {
		tell_names(cli, "/v1/services", "");
	} else if (is_one_of(verb, services)) {
		tell_names(cli, "/v1/services", "");
		tell_members(cli, strcmp(verb, "trace") == 0 ? "chains" : "vnfs");
	}
}

static bool is_noun(const char *word, const char *noun)
{
	return strncmp(word, noun, strlen(noun)) == 0 && strlen(word) <= strlen(noun) + 1;
}

/* The name of something: what it is depends on the verb and the noun behind it. */
static void tell_second(struct cli *cli, const char *verb, const char *noun)
{
	static const char *const plain[] = { "get", "describe", "delete", NULL };

	if (strcmp(verb, "chain") == 0)
		tell_members(cli, "chains");
	else if (strcmp(verb, "config") == 0)
		tell_members(cli, "vnfs");
	else if (strcmp(verb, "op") == 0 || (is_one_of(verb, plain) && is_noun(noun, "op")))
		tell_names(cli, "/v1/ops", "");
	else if (strcmp(verb, "context") == 0)
		tell_contexts(cli);
	else if (is_one_of(verb, plain) && is_noun(noun, "node"))
		tell_names(cli, "/v1/nodes", "");
	else if (is_one_of(verb, plain)) {
		tell_names(cli, "/v1/services", "");
		if (!is_noun(noun, "service"))
			tell_members(cli, is_noun(noun, "chain") ? "chains" : "vnfs");
	}
}

/* chain insert edge/all HERE: functions of the service. */
static void tell_third(struct cli *cli, const char *verb, const char *name)
{
	char path[PATH_SIZE];

	if (strcmp(verb, "chain") != 0)
		return;
	snprintf(path, sizeof(path), "/v1/services/%.*s/vnfs", (int)strcspn(name, "/"), name);
	tell_names(cli, path, "");
}

/* Values of the option that stands before the last word; false: there is none. */
static bool tell_value(struct cli *cli, const char *before)
{
	if (strcmp(before, "-o") == 0 || strcmp(before, "--output") == 0)
		tell_words("table wide json yaml name");
	else if (strcmp(before, "--context") == 0)
		tell_contexts(cli);
	else
		return false;
	return true;
}

static const struct cli_option *option_of(const char *word)
{
	for (const struct cli_option *option = cli_options; option->name; option++)
		if ((strncmp(word, "--", 2) == 0 && strcmp(word + 2, option->name) == 0) ||
		    (option->has_short && word[0] == '-' && word[1] == option->letter && !word[2]))
			return option;
	return NULL;
}

/* The words before the last that are no options and no values of options; notes where sluiced is. */
static int plain_words(struct cli *cli, char **words, int count, char **plain, int most)
{
	int n = 0;

	for (int i = 0; i < count; i++) {
		const struct cli_option *option = option_of(words[i]);

		if (!option && words[i][0] != '-' && n < most)
			plain[n++] = words[i];
		if (!option || !option->argument || i + 1 >= count)
			continue;
		i++;
		if (strcmp(option->name, "server") == 0)
			cli->server_asked = words[i];
		else if (strcmp(option->name, "context") == 0)
			cli->context = words[i];
	}
	return n;
}

static void tell_word(struct cli *cli, char **plain, int n, const char *last)
{
	if (n == 0)
		tell_verbs();
	else if (n == 1)
		tell_first(cli, plain[0], last);
	else if (n == 2)
		tell_second(cli, plain[0], plain[1]);
	else
		tell_third(cli, plain[0], plain[2]);
}

int command_complete(struct cli *cli)
{
	const char *last = cli->count ? cli->words[cli->count - 1] : "";
	int before = cli->count ? cli->count - 1 : 0;
	char *plain[8], **words = cli->words;
	int n = plain_words(cli, words, before, plain, 8);

	cli->silent = cli->quiet = true;
	if (before && tell_value(cli, words[before - 1]))
		return CLI_DONE;
	if (*last == '-')
		tell_options(n ? verb_find(plain[0]) : NULL);
	else if (context_resolve(cli) == CLI_DONE)
		tell_word(cli, plain, n, last);
	return CLI_DONE;
}
