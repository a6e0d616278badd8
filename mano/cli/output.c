/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables, JSON and names from what sluiced answers. A table's columns are the members of its first objects, scalars and short lists only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

enum { COLUMNS_MAX = 24, NARROW_COLUMNS = 9, CELL_MAX = 40, CELL_SIZE = 128 };

static void cell(const json_t *value, char *text, size_t size)
{
	json_t *item;
	size_t i, used = 0;

	text[0] = '\0';
	if (json_is_string(value)) {
		snprintf(text, size, "%s", json_string_value(value));
	} else if (json_is_array(value)) {
		json_array_foreach((json_t *)(uintptr_t)value, i, item)
		{
			char one[CELL_SIZE];

			cell(item, one, sizeof(one));
			used += (size_t)snprintf(text + used, size - used, "%s%s", i ? "," : "", one);
			if (used >= size)
				return;
		}
	} else if (json_is_object(value)) {
		const char *source = json_string_value(json_object_get(value, "source"));

		if (source)
			snprintf(text, size, "%s:%d>%s:%d", source,
			         (int)json_integer_value(json_object_get(value, "sourcePort")),
			         json_string_value(json_object_get(value, "destination")),
			         (int)json_integer_value(json_object_get(value, "destinationPort")));
	} else if (value && !json_is_null(value)) {
		char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));

		snprintf(text, size, "%s", dump);
		free(dump);
	}
}

static bool is_column(const json_t *value)
{
	if (json_is_object(value))
		return json_object_get(value, "source") != NULL;
	return !json_is_array(value) || !json_is_object(json_array_get(value, 0));
}

/* Columns in the order of the first object; what later ones have more is left to json. */
static unsigned choose_columns(const json_t *first, unsigned most, const char **columns)
{
	unsigned n = 0;
	const char *name;
	json_t *value;

	if (json_object_get(first, "name"))
		columns[n++] = "name";
	json_object_foreach((json_t *)(uintptr_t)first, name, value)
	{
		if (n < most && strcmp(name, "name") != 0 && is_column(value) && strcmp(name, "digest") != 0)
			columns[n++] = name;
	}
	return n;
}

bool cli_colours(void)
{
	const char *off = getenv("NO_COLOR"), *terminal = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(off && *off) && terminal && strcmp(terminal, "dumb") != 0;
}

bool cli_structured(const struct cli *cli)
{
	return cli->output == OUTPUT_JSON || cli->output == OUTPUT_YAML;
}

/* The colour of a word that tells how something is; NULL: none. */
static const char *colour_of(const char *text)
{
	static const struct {
		const char *word, *colour;
	} words[] = { { "ready", "32" },      { "healthy", "32" },     { "up", "32" },
		      { "COMPLETED", "32" },  { "degraded", "33" },    { "starting", "33" },
		      { "PROCESSING", "33" }, { "backing-off", "31" }, { "down", "31" },
		      { "stopped", "31" },    { "FAILED", "31" },      { "FAILED_TEMP", "31" },
		      { "ROLLED_BACK", "31" } };

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strcmp(words[i].word, text) == 0)
			return words[i].colour;
	return NULL;
}

static void print_cell(const char *text, int width, bool colours)
{
	const char *colour = colours ? colour_of(text) : NULL;

	if (colour)
		printf("\033[%sm%-*s\033[0m", colour, width, text);
	else
		printf("%-*s", width, text);
}

static void print_titles(const char *const *columns, unsigned n, const int *widths)
{
	char text[CELL_SIZE];

	for (unsigned c = 0; c < n; c++) {
		snprintf(text, sizeof(text), "%s", columns[c]);
		for (char *p = text; *p; p++)
			if (*p >= 'a' && *p <= 'z')
				*p = (char)(*p - 'a' + 'A');
		printf("%-*s%s", c + 1 < n ? widths[c] : 0, text, c + 1 < n ? "  " : "\n");
	}
}

static void print_row(const json_t *object, const char *const *columns, unsigned n, const int *widths,
                      bool colours)
{
	char text[CELL_SIZE];

	for (unsigned c = 0; c < n; c++) {
		cell(json_object_get(object, columns[c]), text, sizeof(text));
		print_cell(text, c + 1 < n ? widths[c] : 0, colours);
		printf("%s", c + 1 < n ? "  " : "\n");
	}
}

void cli_print_table(const json_t *list, unsigned most)
{
	const char *columns[COLUMNS_MAX];
	int widths[COLUMNS_MAX];
	unsigned n =
	        choose_columns(json_array_get(list, 0), most < COLUMNS_MAX ? most : COLUMNS_MAX, columns);
	bool colours = cli_colours();
	json_t *object;
	size_t i;

	for (unsigned c = 0; c < n; c++) {
		widths[c] = (int)strlen(columns[c]);
		json_array_foreach((json_t *)(uintptr_t)list, i, object)
		{
			char text[CELL_SIZE];

			cell(json_object_get(object, columns[c]), text, sizeof(text));
			if ((int)strlen(text) > widths[c])
				widths[c] = strlen(text) > CELL_MAX ? CELL_MAX : (int)strlen(text);
		}
	}
	print_titles(columns, n, widths);
	json_array_foreach((json_t *)(uintptr_t)list, i, object)
	        print_row(object, columns, n, widths, colours);
}

static void print_json(const json_t *data)
{
	json_dumpf(data, stdout, JSON_INDENT(2));
	printf("\n");
}

static void print_name(const json_t *object)
{
	const json_t *name = json_object_get(object, "name");
	char text[CELL_SIZE];

	cell(name ? name : json_object_get(object, "id"), text, sizeof(text));
	printf("%s\n", text);
}

static void print_members(const json_t *object)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		char text[CELL_SIZE];

		cell(value, text, sizeof(text));
		if (text[0] || !json_is_object(value))
			printf("%-14s %s\n", name, text);
	}
}

void cli_print(const struct cli *cli, const json_t *data)
{
	json_t *object;
	size_t i;

	if (cli->output == OUTPUT_JSON) {
		print_json(data);
	} else if (cli->output == OUTPUT_YAML) {
		yaml_print(data);
	} else if (json_is_object(data)) {
		if (cli->output == OUTPUT_NAME)
			print_name(data);
		else
			print_members(data);
	} else if (cli->output == OUTPUT_NAME) {
		json_array_foreach((json_t *)(uintptr_t)data, i, object) print_name(object);
	} else if (json_array_size(data) && json_is_object(json_array_get(data, 0))) {
		cli_print_table(data, cli->output == OUTPUT_WIDE ? COLUMNS_MAX : NARROW_COLUMNS);
	} else if (!json_array_size(data)) {
		cli_say(cli, "none\n");
	}
}

void cli_print_changes(const struct cli *cli, const json_t *answer)
{
	json_t *change;
	size_t i;

	if (cli_structured(cli)) {
		cli_print(cli, answer);
		return;
	}
	json_array_foreach(json_object_get(answer, "changes"), i, change)
	{
		const char *kind = json_string_value(json_object_get(change, "kind"));
		const char *before = json_string_value(json_object_get(change, "before")),
		           *after = json_string_value(json_object_get(change, "after"));

		printf("%s %s%s%s%s%s\n", kind, json_string_value(json_object_get(change, "path")),
		       before ? ": " : "", before ? before : "",
		       before && after ? " -> "
		       : after         ? ": "
		                       : "",
		       after ? after : "");
	}
}
