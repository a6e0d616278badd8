/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Makes a manual page (mdoc) at build time: manual TEMPLATE KIND [FILE...] copies the template; @KIND@ and @HELP@ become those of the function KIND, and a
 * line that begins with @ becomes what programs say of themselves:
 *
 *	@options PROGRAM	its options			@verbs		the verbs of sluice, with options and examples
 *	@members SOURCE PATH	members of a schema		@common		options of all verbs
 *	@counters		of the function KIND		@environment, @statuses
 *	@functions		references to the pages of KIND,KIND...
 *
 * SOURCE is service, engine or the name of a function. FILEs are what the programs print with --schema. One thread, a few milliseconds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/schema_text.h"
#include "cli/verbs.h"
#include "util/memory.h"

enum { FAILED = 1, TEXT = 512, COLUMNS = 76 };

struct page {
	const char *file, *kind;
	json_t *programs; /* by name, as they print themselves */
};

/* --- mdoc --- */

/* Text in a line: backslashes, and points in front, would be commands. */
static void escape(const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (text[i] == '\\')
			printf("\\e");
		else if (text[i] == '-')
			printf("\\-");
		else if (text[i] == '~')
			printf("\\(ti");
		else if (text[i] == '"')
			printf("\\(dq");
		else if (i == 0 && (text[i] == '.' || text[i] == '\''))
			printf("\\&%c", text[i]);
		else
			putchar(text[i]);
	}
}

static size_t new_line(void)
{
	putchar('\n');
	return 0;
}

/* A new line for a new sentence, and before a line is too long: what comes first in one is escaped. */
static void paragraph(const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t length = strcspn(text, " ");
		bool sentence = length > 1 && strchr(".;:", text[length - 1]) != NULL;

		if (column && column + length >= COLUMNS)
			column = new_line();
		if (column++)
			putchar(' ');
		escape(text, length);
		column += length;
		text += length + strspn(text + length, " ");
		if (sentence && *text)
			column = new_line();
	}
	putchar('\n');
}

/* A macro's argument that may have blanks. */
static void argument(const char *text)
{
	printf(" \"");
	escape(text, strlen(text));
	putchar('"');
}

static void option_item(int letter, const char *name, const char *value)
{
	printf(".It ");
	if (letter)
		printf("Fl %c , ", letter);
	printf("Fl \\-");
	escape(name, strlen(name));
	if (value && *value == '[') {
		printf(" Ns Oo Ns = Ns Ar %.*s Oc", (int)strlen(value) - 2, value + 1);
	} else if (value) {
		printf(" Ar");
		argument(value);
	}
	putchar('\n');
}

/* --- of sluice --- */

static void verb_options(const struct cli_verb *verb)
{
	for (const struct cli_option *option = cli_options; option->name; option++) {
		if (verb ? option->common || !verb_takes(verb, option) : !option->common)
			continue;
		option_item(option->has_short ? option->letter : 0, option->name, option->argument);
		paragraph(option->help);
	}
}

static void list_of_options(const struct cli_verb *verb)
{
	printf(".Bl -tag -width Ds\n");
	verb_options(verb);
	printf(".El\n");
}

static void write_verb(const struct cli_verb *verb)
{
	const char *text = verb->examples;

	printf(".Ss");
	argument(verb->usage);
	putchar('\n');
	paragraph(verb->help);
	if (*verb->options)
		list_of_options(verb);
	printf(".Bd -literal -offset indent\n");
	while (*text) {
		size_t command = strcspn(text, "\t\n"), whole = strcspn(text, "\n");

		printf("# ");
		escape(text + command + 1, whole - command - 1);
		putchar('\n');
		escape(text, command);
		putchar('\n');
		text += whole + 1;
	}
	printf(".Ed\n");
}

static void write_texts(const struct cli_text *texts, const char *macro)
{
	printf(".Bl -tag -width Ds\n");
	for (; texts->name; texts++) {
		printf(".It %s%s\n", macro, texts->name);
		paragraph(texts->help);
	}
	printf(".El\n");
}

/* --- of programs --- */

static bool write_options(const json_t *program)
{
	json_t *option;
	size_t i;

	printf(".Bl -tag -width Ds\n");
	json_array_foreach(json_object_get(program, "options"), i, option)
	{
		option_item(0, json_string_value(json_object_get(option, "name")),
		            json_string_value(json_object_get(option, "argument")));
		paragraph(json_string_value(json_object_get(option, "help")));
	}
	printf(".El\n");
	return i > 0;
}

static json_t *function_of(const struct page *page, const char *kind)
{
	json_t *chain = json_object_get(page->programs, "sluice-chain"), *function;
	size_t i;

	json_array_foreach(json_object_get(chain, "functions"), i, function)
	{
		if (strcmp(json_string_value(json_object_get(function, "name")), kind) == 0)
			return function;
	}
	return NULL;
}

static void write_member(const json_t *schema, const char *path, const char *name, const json_t *member)
{
	char type[TEXT], range[TEXT], otherwise[TEXT];

	printf(".It Cm ");
	escape(path, strlen(path));
	escape(name, strlen(name));
	putchar('\n');
	schema_type_text(member, type, sizeof(type));
	schema_range_text(member, range, sizeof(range));
	schema_default_text(member, otherwise, sizeof(otherwise));
	printf(".Pq ");
	escape(type, strlen(type));
	printf("%s%s%s", schema_requires(schema, name) ? ", required" : "", *range ? "; " : "", range);
	if (*otherwise)
		printf("; default ");
	escape(otherwise, strlen(otherwise));
	putchar('\n');
	if (*schema_help(member))
		paragraph(schema_help(member));
}

/* Members, those below behind each: rules[].action. */
static void write_members(const json_t *schema, const char *path)
{
	const char *name;
	json_t *member;

	json_object_foreach(schema_members(schema), name, member)
	{
		char *below =
		        text_format("%s%s%s.", path, name, json_object_get(member, "items") ? "[]" : "");

		write_member(schema, path, name, member);
		write_members(member, below);
		free(below);
	}
}

static bool write_schema(const struct page *page, const char *source, const char *path)
{
	json_t *sluiced = json_object_get(page->programs, "sluiced"),
	       *chain = json_object_get(page->programs, "sluice-chain"), *schema;
	char word[64];

	schema = strcmp(source, "service") == 0  ? json_object_get(sluiced, "service")
	         : strcmp(source, "engine") == 0 ? json_object_get(chain, "engine")
	                                         : json_object_get(function_of(page, source), "schema");
	while (schema && *path) {
		size_t length = strcspn(path, ".");

		snprintf(word, sizeof(word), "%.*s", (int)length, path);
		schema = schema_member(schema, word);
		path += length + (path[length] == '.');
	}
	if (!json_object_size(schema_members(schema)))
		return schema != NULL;
	printf(".Bl -tag -width Ds\n");
	write_members(schema, "");
	printf(".El\n");
	return true;
}

static bool write_counters(const json_t *function)
{
	json_t *counter;
	size_t i;

	printf(".Bl -tag -width Ds\n");
	json_array_foreach(json_object_get(function, "counters"), i, counter)
	{
		printf(".It Cm ");
		paragraph(json_string_value(json_object_get(counter, "name")));
		if (json_is_true(json_object_get(counter, "drop")))
			printf("(a reason for drops)\n");
		paragraph(json_string_value(json_object_get(counter, "help")));
	}
	printf(".El\n");
	return i > 0;
}

/* References to the pages of functions: "firewall,nat". */
static void write_functions(const char *kinds)
{
	while (*kinds) {
		size_t length = strcspn(kinds, ",");

		printf(".Xr sluice-%.*s 8 %c\n", (int)length, kinds, kinds[length] ? ',' : '.');
		kinds += length + (kinds[length] != '\0');
	}
}

/* --- the template --- */

/* What a line of the template stands for; false: nothing is known by that name. */
static bool expand(const struct page *page, char *line)
{
	char *words[3] = { (char *)(uintptr_t) "", (char *)(uintptr_t) "", (char *)(uintptr_t) "" }, *rest;
	unsigned n = 0;

	for (char *word = strtok_r(line + 1, " \n", &rest); word && n < 3;
	     word = strtok_r(NULL, " \n", &rest))
		words[n++] = word;
	if (strcmp(words[0], "options") == 0)
		return write_options(json_object_get(page->programs, words[1]));
	if (strcmp(words[0], "members") == 0)
		return write_schema(page, words[1], words[2]);
	if (strcmp(words[0], "counters") == 0)
		return write_counters(function_of(page, page->kind));
	if (strcmp(words[0], "common") == 0)
		list_of_options(NULL);
	else if (strcmp(words[0], "environment") == 0)
		write_texts(cli_variables, "Ev ");
	else if (strcmp(words[0], "functions") == 0)
		write_functions(page->kind);
	else if (strcmp(words[0], "statuses") == 0)
		write_texts(cli_statuses, "");
	else if (strcmp(words[0], "verbs") != 0)
		return false;
	for (const struct cli_verb *verb = cli_verbs; verb->name && strcmp(words[0], "verbs") == 0; verb++)
		write_verb(verb);
	return true;
}

static char *replaced(char *line, const char *what, const char *with)
{
	char *at = strstr(line, what), *whole;

	if (!at)
		return line;
	whole = text_format("%.*s%s%s", (int)(at - line), line, with, at + strlen(what));
	free(line);
	return replaced(whole, what, with);
}

static bool write_page(const struct page *page)
{
	const char *help = json_string_value(json_object_get(function_of(page, page->kind), "help"));
	FILE *file = fopen(page->file, "r");
	char *line = NULL, *upper = text_copy(page->kind);
	size_t size = 0;
	bool fine = file != NULL;

	for (char *p = upper; *p; p++)
		*p = (char)(*p >= 'a' && *p <= 'z' ? *p - 'a' + 'A' : *p);
	while (fine && getline(&line, &size, file) > 0) {
		line = replaced(replaced(line, "@kind@", page->kind), "@KIND@", upper);
		line = replaced(line, "@HELP@", help ? help : "");
		size = strlen(line) + 1;
		if (line[0] != '@')
			fputs(line, stdout);
		else
			fine = expand(page, line);
	}
	if (!fine)
		fprintf(stderr, "manual: %s: %s\n", page->file, line ? line : "cannot read it");
	free(line);
	free(upper);
	if (file)
		fclose(file);
	return fine && fflush(stdout) == 0;
}

int main(int argc, char **argv)
{
	struct page page = { .programs = json_object() };
	bool fine = argc >= 3;

	for (int i = 3; i < argc && fine; i++) {
		json_t *program = json_load_file(argv[i], 0, NULL);
		const char *name = json_string_value(json_object_get(program, "program"));

		fine = name && json_object_set(page.programs, name, program) == 0;
		json_decref(program);
	}
	if (fine) {
		page.file = argv[1];
		page.kind = argv[2];
		fine = write_page(&page);
	} else {
		fprintf(stderr, "usage: manual TEMPLATE KIND FILE...\n");
	}
	json_decref(page.programs);
	return fine ? 0 : FAILED;
}
