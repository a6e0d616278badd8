/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reference page of a table: one row a member, nested members by their path (`rules[].action`). Holds no data; any
 * thread.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/schema_private.h"
#include "util/memory.h"

/* A cell of a table: bars would end it. */
static void write_cell(FILE *out, const char *text)
{
	for (; text && *text; text++)
		fprintf(out, *text == '|' ? "\\%c" : "%c", *text);
}

static void write_values(FILE *out, const struct schema *s)
{
	for (size_t i = 0; s->values && s->values[i]; i++)
		fprintf(out, "%s`%s`", i ? ", " : " ", s->values[i]);
}

static void write_type(FILE *out, const struct schema *s)
{
	enum schema_type type = s->type == SCHEMA_ARRAY ? s->element : s->type;

	if (s->type == SCHEMA_ARRAY)
		fprintf(out, "%s ", schema_type_word(SCHEMA_ARRAY));
	fputs(schema_type_word(type), out);
	if (type == SCHEMA_ENUM)
		write_values(out, s);
	if (s->type == SCHEMA_LIST && s->key)
		fprintf(out, " by `%s`", s->key);
	if (s->flags & SCHEMA_REQUIRED)
		fputs(", required", out);
	if (s->flags & SCHEMA_SECRET)
		fputs(", secret", out);
}

static void write_range(FILE *out, const struct schema *s)
{
	bool bounded = s->min != 0 || s->max != 0;

	if (bounded && s->max < s->min)
		fprintf(out, "from %" PRId64, s->min);
	else if (bounded)
		fprintf(out, "%" PRId64 " to %" PRId64, s->min, s->max);
	if (s->unit)
		fprintf(out, "%s%s", bounded ? " " : "", s->unit);
}

static void write_row(FILE *out, const char *path, const struct schema *s)
{
	fprintf(out, "| `%s%s` | ", path, s->name);
	write_type(out, s);
	fputs(" | ", out);
	write_range(out, s);
	fputs(" | ", out);
	if (s->otherwise)
		fprintf(out, "`%s`", s->otherwise);
	fputs(" | ", out);
	write_cell(out, s->help);
	fputs(" |\n", out);
}

static void write_rows(FILE *out, const char *path, const struct schema *members)
{
	for (const struct schema *s = members; s->name; s++) {
		write_row(out, path, s);
		if (!s->members)
			continue;
		char *below = text_format("%s%s%s.", path, s->name, s->type == SCHEMA_LIST ? "[]" : "");
		write_rows(out, below, s->members);
		free(below);
	}
}

char *schema_to_markdown(const struct schema *members, const char *title)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	fprintf(out, "## %s\n\n| member | type | range | default | meaning |\n|---|---|---|---|---|\n",
	        title);
	write_rows(out, "", members);
	if (fclose(out))
		abort();
	return text;
}
