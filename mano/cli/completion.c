/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Completion. The shells' scripts are a few lines that ask `sluice __complete WORD...`, which prints candidates for the last word: verbs, options,
 * nouns, and the names of what sluiced has at that moment. When it is away there is nothing, and not a word about it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/candidates.h"
#include "cli/condition.h"

/* Words are taken from the line itself: bash parts them at colons, too, and unix:/run/... is one. */
static const char bash_script[] = "_sluice() {\n"
                                  "\tlocal line=${COMP_LINE:0:COMP_POINT}\n"
                                  "\tlocal -a words\n"
                                  "\tread -ra words <<<\"$line\"\n"
                                  "\t[[ $line == *[[:space:]] ]] && words+=(\"\")\n"
                                  "\tCOMPREPLY=($(compgen -W \"$(\"${words[0]}\" __complete "
                                  "\"${words[@]:1}\" 2>/dev/null | cut -f1)\" -- "
                                  "\"${words[-1]}\"))\n"
                                  "\t[[ ${COMPREPLY[0]} == */ ]] && compopt -o nospace 2>/dev/null\n"
                                  "\treturn 0\n"
                                  "}\n"
                                  "complete -F _sluice sluice\n";

static const char zsh_script[] =
        "#compdef sluice\n"
        "_sluice() {\n"
        "\tif [[ ${words[CURRENT-1]} == (-f|--file|-w|--write|--cacert|--cert|--key|--build|--libexec) ]]; "
        "then\n"
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

static void tell_options(const struct cli_verb *verb)
{
	for (const struct cli_option *option = cli_options; option->name; option++)
		if (verb ? verb_takes(verb, option) : option->common)
			printf("--%s\t%s\n", option->name, option->help);
}

static void tell_conditions(void)
{
	for (unsigned i = 0; condition_name(i); i++)
		printf("--wait=%s\n", condition_name(i));
}

/* Values of the option that stands before the last word; false: there is none. */
static bool tell_value(struct cli *cli, const char *before, char **plain, int n, const char *last)
{
	const struct cli_option *option = option_find(before);

	if (!option || !option_wants_word(option))
		return false;
	if (strcmp(option->name, "output") == 0)
		candidates_words("table wide json yaml name");
	else if (strcmp(option->name, "role") == 0)
		candidates_words("viewer operator admin");
	else if (strcmp(option->name, "context") == 0)
		candidates_contexts(cli);
	else
		candidates_value(cli, option, plain, n, last);
	return true;
}

/* The words before the last that are no options and no values of options; notes where sluiced is. */
static int plain_words(struct cli *cli, char **words, int count, char **plain, int most)
{
	int n = 0;

	for (int i = 0; i < count; i++) {
		const struct cli_option *option = option_find(words[i]);

		if (!option && words[i][0] != '-' && n < most)
			plain[n++] = words[i];
		if (!option || !option_wants_word(option) || i + 1 >= count)
			continue;
		i++;
		if (strcmp(option->name, "server") == 0)
			cli->server_asked = words[i];
		else if (strcmp(option->name, "role") == 0)
			candidates_words("viewer operator admin");
		else if (strcmp(option->name, "context") == 0)
			cli->context = words[i];
	}
	return n;
}

int command_complete(struct cli *cli)
{
	const char *last = cli->count ? cli->words[cli->count - 1] : "";
	int before = cli->count ? cli->count - 1 : 0;
	char *plain[8], **words = cli->words;
	int n = plain_words(cli, words, before, plain, 8);

	cli->silent = cli->quiet = true;
	if (before && tell_value(cli, words[before - 1], plain, n, last))
		return CLI_DONE;
	if (strncmp(last, "--wait=", 7) == 0)
		tell_conditions();
	else if (*last == '-')
		tell_options(n ? verb_find(plain[0]) : NULL);
	else if (context_resolve(cli) == CLI_DONE)
		candidates_tell(cli, plain, n, last);
	return CLI_DONE;
}
