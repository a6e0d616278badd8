/* SPDX-License-Identifier: BSD-3-Clause */
/* Candidates of completion, by the grammar that usages are. See candidates.h. */
#include "cli/candidates.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "cli/nouns.h"
#include "util/memory.h"

enum { PATH_SIZE = 384, TOKENS = 12 };

/* What is to be completed: the words before it, and what stands of it. */
struct place {
	struct cli *cli;
	char **words; /* [0] is the verb */
	int count;
	const char *last;
};

/* --- the grammar --- */

static int balance(const char *text)
{
	int open = 0;

	for (; *text; text++)
		open += (*text == '[') - (*text == ']');
	return open;
}

/* Takes brackets and points off: "[NAME...]" is NAME, which is optional and may be repeated. */
static void strip(struct token *token)
{
	size_t length;

	if (token->text[0] == '[')
		memmove(token->text, token->text + 1, strlen(token->text));
	length = strlen(token->text);
	while (balance(token->text) < 0 && length && token->text[length - 1] == ']')
		token->text[--length] = '\0';
	if (length > 3 && strcmp(token->text + length - 3, "...") == 0) {
		token->text[length - 3] = '\0';
		token->repeats = true;
	}
}

unsigned candidates_parse(const char *usage, struct token *tokens, unsigned most)
{
	const struct cli_option *option;
	unsigned n = 0;
	int depth = 0;
	bool skip = true; /* the verb, and the argument of an option */

	while (*usage && n < most) {
		size_t length = strcspn(usage, " ");
		struct token *token = &tokens[n];

		*token = (struct token){ .optional = depth > 0 || *usage == '[' };
		snprintf(token->text, sizeof(token->text), "%.*s", (int)length, usage);
		depth += balance(token->text);
		strip(token);
		option = token->text[0] == '-' ? option_find(token->text) : NULL;
		if (!skip && token->text[0] != '-' && strcmp(token->text, "|") != 0)
			n++;
		skip = option && option_wants_word(option);
		usage += length + strspn(usage + length, " ");
	}
	return n;
}

/* --- names --- */

void candidates_words(const char *words)
{
	while (*words) {
		int length = (int)strcspn(words, " |");

		printf("%.*s\n", length, words);
		words += length + (words[length] != '\0');
	}
}

/* Names of the list at a path, with PREFIX before each. */
static void tell_names(struct cli *cli, const char *path, const char *prefix, const char *member)
{
	json_t *list, *item, *name;
	size_t i;

	if (cli_request(cli, "GET", path, NULL, &list) != CLI_DONE)
		return;
	json_array_foreach(list, i, item)
	{
		name = json_object_get(item, member);
		if (json_is_string(name))
			printf("%s%s\n", prefix, json_string_value(name));
		else if (json_is_integer(name))
			printf("%s%" JSON_INTEGER_FORMAT "\n", prefix, json_integer_value(name));
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
		const char *service = cli_text(item, "name");

		snprintf(path, sizeof(path), "/v1/services/%s/%s", service, kind);
		snprintf(prefix, sizeof(prefix), "%s/", service);
		tell_names(cli, path, prefix, "name");
	}
	json_decref(list);
}

void candidates_contexts(struct cli *cli)
{
	struct cli list = *cli;

	list.output = OUTPUT_NAME;
	list.count = 0;
	command_context(&list);
}

static void tell_services(const struct place *place)
{
	tell_names(place->cli, "/v1/services", "", "name");
}

static void tell_vnfs(const struct place *place)
{
	tell_members(place->cli, "vnfs");
}

static void tell_chains(const struct place *place)
{
	tell_members(place->cli, "chains");
}

static void tell_services_and_vnfs(const struct place *place)
{
	tell_services(place);
	tell_vnfs(place);
}

static void tell_services_and_chains(const struct place *place)
{
	tell_services(place);
	tell_chains(place);
}

static void tell_ops(const struct place *place)
{
	tell_names(place->cli, "/v1/ops", "", "id");
}

static void tell_nouns(const struct place *place)
{
	(void)place;
	for (unsigned i = 0; noun_name(i); i++)
		printf("%s\n", noun_name(i));
}

static void tell_verbs(const struct place *place)
{
	(void)place;
	for (const struct cli_verb *verb = cli_verbs; verb->name; verb++)
		printf("%s\t%s\n", verb->name, verb->help);
}

static void tell_explained(const struct place *place)
{
	explain_complete(place->cli, place->last);
}

/* What belongs to the service that a word named: edge, edge/all. */
static void tell_of_service(const struct place *place, const char *what, const char *member)
{
	const char *word = place->count > 1 ? place->words[1] : "";
	char path[PATH_SIZE];

	for (int i = 1; i < place->count; i++)
		if (strchr(place->words[i], '/'))
			word = place->words[i];
	snprintf(path, sizeof(path), "/v1/services/%.*s/%s", (int)strcspn(word, "/"), word, what);
	tell_names(place->cli, path, "", member);
}

static void tell_revisions(const struct place *place)
{
	tell_of_service(place, "revisions", "revision");
}

static void tell_ports(const struct place *place)
{
	tell_of_service(place, "state/ports", "name");
}

/* A name: of a noun before it, of a context, of a member of a chain. */
static void tell_name(const struct place *place)
{
	const char *verb = place->words[0], *noun = place->count > 1 ? place->words[1] : "";

	if (strcmp(verb, "context") == 0) {
		candidates_contexts(place->cli);
	} else if (strcmp(verb, "token") == 0) {
		tell_names(place->cli, "/v1/tokens", "", "name");
	} else if (strcmp(verb, "chain") == 0 || strcmp(verb, "capture") == 0) {
		tell_of_service(place, "vnfs", "name");
		if (strcmp(noun, "insert") != 0 && strcmp(noun, "remove") != 0)
			tell_ports(place);
	} else if (noun_is(noun, "op")) {
		tell_ops(place);
	} else if (noun_is(noun, "node")) {
		tell_names(place->cli, "/v1/nodes", "", "name");
	} else if (noun_is(noun, "service")) {
		tell_services(place);
	} else if (strcmp(verb, "get") == 0) {
		tell_services(place);
		tell_members(place->cli, noun_is(noun, "chain") ? "chains" : "vnfs");
	} else {
		tell_members(place->cli, noun_is(noun, "chain") ? "chains" : "vnfs");
	}
}

/* A path in the configuration of the VNF before it: as explain has them, less the kind. */
static void tell_paths(const struct place *place)
{
	const char *word = place->words[place->count - 1], *slash = strchr(word, '/');
	char path[PATH_SIZE];
	json_t *vnf;

	if (!slash)
		return;
	snprintf(path, sizeof(path), "/v1/services/%.*s/vnfs/%s", (int)(slash - word), word, slash + 1);
	if (cli_request(place->cli, "GET", path, NULL, &vnf) != CLI_DONE)
		return;
	explain_complete_below(place->cli, json_string_value(json_object_get(vnf, "kind")), place->last);
	json_decref(vnf);
}

/* The words of a filter, see look.c; behind `in` and `at` stand names. */
static void tell_filter(const struct place *place)
{
	const char *before = place->words[place->count - 1];

	if (strcmp(before, "in") == 0)
		tell_ports(place);
	else if (strcmp(before, "at") == 0)
		tell_name(place);
	else
		candidates_words("tcp udp icmp icmpv6 sctp esp gre from to host port sport in family oneway");
}

/* Files whose names begin so, folders with a slash behind. */
static void tell_files(const struct place *place)
{
	char *pattern = text_format("%s*", place->last);
	glob_t found;

	if (glob(pattern, GLOB_MARK | GLOB_NOSORT, NULL, &found) == 0) {
		for (size_t i = 0; i < found.gl_pathc; i++)
			puts(found.gl_pathv[i]);
		globfree(&found);
	}
	free(pattern);
}

/* --- places --- */

static const struct {
	const char *name;
	void (*tell)(const struct place *place); /* NULL: whatever */
} places[] = {
	{ "SERVICE", tell_services },
	{ "SERVICE/VNF", tell_vnfs },
	{ "SERVICE[/VNF]", tell_services_and_vnfs },
	{ "SERVICE/CHAIN", tell_chains },
	{ "SERVICE[/CHAIN]", tell_services_and_chains },
	{ "SERVICE[/NAME]", tell_name },
	{ "NAME", tell_name },
	{ "ID", tell_ops },
	{ "NOUN", tell_nouns },
	{ "VERB", tell_verbs },
	{ "KIND[.MEMBER...]", tell_explained },
	{ "REVISION", tell_revisions },
	{ "A[..B]", tell_revisions },
	{ "PATH", tell_paths },
	{ "FILTER", tell_filter },
	{ "FILE", tell_files },
	{ "VALUE", NULL },
};
enum { PLACES = sizeof(places) / sizeof(*places) };

static bool is_words(const char *text)
{
	return text[0] >= 'a' && text[0] <= 'z';
}

bool candidates_known(const struct token *token)
{
	for (unsigned i = 0; i < PLACES; i++)
		if (strcmp(places[i].name, token->text) == 0)
			return true;
	return is_words(token->text);
}

static void tell(const struct place *place, const char *text)
{
	if (is_words(text))
		candidates_words(text);
	for (unsigned i = 0; i < PLACES; i++)
		if (strcmp(places[i].name, text) == 0 && places[i].tell)
			places[i].tell(place);
}

void candidates_tell(struct cli *cli, char **plain, int n, const char *last)
{
	const struct cli_verb *verb = n ? verb_find(plain[0]) : NULL;
	struct place place = { .cli = cli, .words = plain, .count = n, .last = last };
	struct token tokens[TOKENS];
	unsigned count = verb ? candidates_parse(verb->usage, tokens, TOKENS) : 0, at = (unsigned)n - 1;

	if (n == 0)
		tell_verbs(&place);
	if (at >= count && count && tokens[count - 1].repeats)
		at = count - 1;
	if (n == 0 || at >= count)
		return;
	tell(&place, tokens[at].text);
	for (; tokens[at].optional && at + 1 < count && tokens[at + 1].optional; at++)
		tell(&place, tokens[at + 1].text);
}

void candidates_value(struct cli *cli, const struct cli_option *option, char **plain, int n, const char *last)
{
	struct place place = { .cli = cli, .words = plain, .count = n, .last = last };
	const char *argument = option->argument;

	if (strcmp(argument, "FILE") == 0 || strcmp(argument, "DIR") == 0 ||
	    strcmp(option->name, "build") == 0)
		tell_files(&place);
	else if (n > 1 && context_resolve(cli) == CLI_DONE)
		tell(&place, argument);
}
