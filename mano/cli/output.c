/* SPDX-License-Identifier: BSD-3-Clause */
/* Tables, JSON and names from what sluiced answers. A table's columns are the members of its first objects, scalars and short lists only. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

enum { COLUMNS_MAX = 24, CELL_MAX = 48, CELL_SIZE = 128, LINE_SIZE = 1024, TITLE_MIN = 12 };

const char *cli_text(const json_t *object, const char *member)
{
	const char *text = json_string_value(json_object_get(object, member));

	return text ? text : "";
}

/* Seconds as people say them, two units at most. */
static void duration(json_int_t seconds, char *text, size_t size)
{
	static const struct {
		json_int_t seconds;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	unsigned i = 0;
	int used;

	while (i < 3 && seconds < units[i].seconds)
		i++;
	used = snprintf(text, size, "%" JSON_INTEGER_FORMAT " %s", seconds / units[i].seconds, units[i].name);
	seconds %= units[i].seconds;
	if (i < 3 && seconds / units[i + 1].seconds && used > 0 && (size_t)used < size)
		snprintf(text + used, size - (size_t)used, " %" JSON_INTEGER_FORMAT " %s",
		         seconds / units[i + 1].seconds, units[i + 1].name);
}

/* Whether there is anything in an array at all. */
static bool is_blank(const json_t *array)
{
	json_t *item;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)array, i, item)
	{
		if (!json_is_null(item))
			return false;
	}
	return true;
}

static void cell(const json_t *value, char *text, size_t size)
{
	json_t *item;
	size_t i, used = 0;

	text[0] = '\0';
	if (json_is_array(value) && is_blank(value))
		return;
	if (json_is_string(value)) {
		snprintf(text, size, "%s", json_string_value(value));
	} else if (json_is_array(value)) {
		json_array_foreach((json_t *)(uintptr_t)value, i, item)
		{
			char one[CELL_SIZE];

			if (json_is_null(item))
				snprintf(one, sizeof(one), "-");
			else
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
			         cli_text(value, "destination"),
			         (int)json_integer_value(json_object_get(value, "destinationPort")));
	} else if (value && !json_is_null(value)) {
		char *dump = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(4));

		snprintf(text, size, "%s", dump);
		free(dump);
	}
}

/* What stands in a cell or line by the name of its member. */
static void member_text(const char *name, const json_t *value, char *text, size_t size)
{
	if (strcmp(name, "uptime") == 0 && json_is_integer(value))
		duration(json_integer_value(value), text, size);
	else
		cell(value, text, size);
}

/* For programs, too long for people. */
static bool is_hidden(const char *name)
{
	return strcmp(name, "digest") == 0 || strcmp(name, "descriptor") == 0;
}

static bool is_column(const json_t *value)
{
	if (json_is_object(value))
		return json_object_get(value, "source") != NULL;
	return !json_is_array(value) || !json_is_object(json_array_get(value, 0));
}

/* Columns in the order of the first object; what later ones have more is left to json. */
static unsigned own_columns(const json_t *first, unsigned most, const char **columns)
{
	unsigned n = 0;
	const char *name;
	json_t *value;

	if (json_object_get(first, "name"))
		columns[n++] = "name";
	json_object_foreach((json_t *)(uintptr_t)first, name, value)
	{
		if (n < most && strcmp(name, "name") != 0 && is_column(value) && !is_hidden(name))
			columns[n++] = name;
	}
	return n;
}

static bool any_has(const json_t *list, const char *name)
{
	json_t *object;
	size_t i;

	json_array_foreach((json_t *)(uintptr_t)list, i, object)
	{
		if (json_object_get(object, name))
			return true;
	}
	return false;
}

/* Those of the wanted ones that any object has. */
static unsigned wanted_columns(const json_t *list, const char *const *wanted, const char **columns)
{
	unsigned n = 0;

	for (; *wanted && n < COLUMNS_MAX; wanted++)
		if (any_has(list, *wanted))
			columns[n++] = *wanted;
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
		member_text(columns[c], json_object_get(object, columns[c]), text, sizeof(text));
		print_cell(text, c + 1 < n ? widths[c] : 0, colours);
		printf("%s", c + 1 < n ? "  " : "\n");
	}
}

static int width_of(const json_t *list, const char *column)
{
	size_t width = strlen(column), i;
	char text[CELL_SIZE];
	json_t *object;

	json_array_foreach((json_t *)(uintptr_t)list, i, object)
	{
		member_text(column, json_object_get(object, column), text, sizeof(text));
		if (strlen(text) > width)
			width = strlen(text);
	}
	return (int)(width > CELL_MAX ? CELL_MAX : width);
}

void cli_print_table(const json_t *list, const char *const *wanted)
{
	const char *columns[COLUMNS_MAX];
	int widths[COLUMNS_MAX];
	unsigned n = wanted ? wanted_columns(list, wanted, columns)
	                    : own_columns(json_array_get(list, 0), COLUMNS_MAX, columns);
	bool colours = cli_colours();
	json_t *object;
	size_t i;

	for (unsigned c = 0; c < n; c++)
		widths[c] = width_of(list, columns[c]);
	print_titles(columns, n, widths);
	json_array_foreach((json_t *)(uintptr_t)list, i, object)
	        print_row(object, columns, n, widths, colours);
}

void cli_print_json(const json_t *data)
{
	json_dumpf(data, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
	printf("\n");
}

static void print_name(const json_t *object)
{
	const json_t *name = json_object_get(object, "name");
	char text[CELL_SIZE];

	cell(name ? name : json_object_get(object, "id"), text, sizeof(text));
	printf("%s\n", text);
}

/* Adds [title, text] of each member that is no list of objects; members of groups by their path. */
static void add_lines(json_t *lines, const char *prefix, const json_t *object)
{
	char title[CELL_SIZE], text[LINE_SIZE];
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (is_hidden(name) || (json_is_array(value) && !is_column(value)))
			continue;
		snprintf(title, sizeof(title), "%s%s%s", prefix, *prefix ? "." : "", name);
		if (json_is_object(value) && !is_column(value)) {
			add_lines(lines, title, value);
			continue;
		}
		member_text(name, value, text, sizeof(text));
		if (!text[0]) /* of nothing there is nothing to tell */
			continue;
		json_array_append_new(lines, json_pack("[s,s]", title, text));
	}
}

static void print_lines(const json_t *object)
{
	json_t *lines = json_array(), *line;
	int width = TITLE_MIN;
	size_t i;

	add_lines(lines, "", object);
	json_array_foreach(lines, i, line)
	{
		int length = (int)json_string_length(json_array_get(line, 0));

		width = length > width ? length : width;
	}
	json_array_foreach(lines, i, line)
	{
		printf("%-*s  ", width, json_string_value(json_array_get(line, 0)));
		print_cell(json_string_value(json_array_get(line, 1)), 0, cli_colours());
		printf("\n");
	}
	json_decref(lines);
}

/* Scalars first, then a table for each list of objects. */
static void print_object(const json_t *object)
{
	const char *name;
	json_t *value;

	print_lines(object);
	json_object_foreach((json_t *)(uintptr_t)object, name, value)
	{
		if (!json_is_array(value) || is_column(value))
			continue;
		printf("\n%s:\n", name);
		cli_print_table(value, NULL);
	}
}

void cli_print(const struct cli *cli, const json_t *data)
{
	json_t *object;
	size_t i;

	if (cli->output == OUTPUT_JSON) {
		cli_print_json(data);
	} else if (cli->output == OUTPUT_YAML) {
		yaml_print(data);
	} else if (json_is_object(data)) {
		if (cli->output == OUTPUT_NAME)
			print_name(data);
		else
			print_object(data);
	} else if (cli->output == OUTPUT_NAME) {
		json_array_foreach((json_t *)(uintptr_t)data, i, object) print_name(object);
	} else if (json_array_size(data) && json_is_object(json_array_get(data, 0))) {
		cli_print_table(data, cli->output == OUTPUT_WIDE ? NULL : cli->columns);
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
		const char *kind = cli_text(change, "kind");
		const char *before = json_string_value(json_object_get(change, "before")),
		           *after = json_string_value(json_object_get(change, "after"));

		printf("%s %s%s%s%s%s\n", kind, cli_text(change, "path"), before ? ": " : "",
		       before ? before : "",
		       before && after ? " -> "
		       : after         ? ": "
		                       : "",
		       after ? after : "");
	}
}
