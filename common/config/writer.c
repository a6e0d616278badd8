/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The writer of libconfig's notation. Ours and not libconfig's, because that one prints floats with six digits and
 * needs a second tree. Text grows in a memory stream; one thread, nothing kept.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/conf.h"
#include "config/number.h"

static void write_value(FILE *out, const struct conf *c, unsigned depth, bool wide);

static void indent(FILE *out, unsigned depth)
{
	while (depth-- > 0)
		fputc('\t', out);
}

static void write_string(FILE *out, const char *text)
{
	fputc('"', out);
	for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(out, "\\%c", *p);
		else if (*p == '\n')
			fputs("\\n", out);
		else if (*p < 0x20 || *p == 0x7f)
			fprintf(out, "\\x%02x", *p);
		else
			fputc(*p, out);
	}
	fputc('"', out);
}

static bool is_wide(const struct conf *c)
{
	return c->type == CONF_INT && (c->integer < INT32_MIN || c->integer > INT32_MAX);
}

static void write_members(FILE *out, const struct conf *group, unsigned depth)
{
	for (size_t i = 0; i < group->count; i++) {
		const struct conf *member = group->children[i];
		indent(out, depth);
		fprintf(out, "%s = ", member->name);
		write_value(out, member, depth, is_wide(member));
		fputs(";\n", out);
	}
}

static void write_group(FILE *out, const struct conf *group, unsigned depth)
{
	fputs("{\n", out);
	write_members(out, group, depth + 1);
	indent(out, depth);
	fputc('}', out);
}

static void write_list(FILE *out, const struct conf *list, unsigned depth)
{
	fputs("(\n", out);
	for (size_t i = 0; i < list->count; i++) {
		indent(out, depth + 1);
		write_value(out, list->children[i], depth + 1, false);
		fputs(i + 1 < list->count ? ",\n" : "\n", out);
	}
	indent(out, depth);
	fputc(')', out);
}

/* libconfig counts 32-bit and 64-bit integers as two types, and an array has one: one wide element makes all wide. */
static void write_array(FILE *out, const struct conf *array)
{
	bool wide = false;

	for (size_t i = 0; i < array->count; i++)
		wide = wide || is_wide(array->children[i]);
	fputs("[", out);
	for (size_t i = 0; i < array->count; i++) {
		fputs(i ? ", " : " ", out);
		write_value(out, array->children[i], 0, wide);
	}
	fputs(" ]", out);
}

static void write_value(FILE *out, const struct conf *c, unsigned depth, bool wide)
{
	char number[64];

	switch (c->type) {
	case CONF_BOOL:
		fputs(c->boolean ? "true" : "false", out);
		break;
	case CONF_INT:
		fprintf(out, "%" PRId64 "%s", c->integer, wide ? "L" : "");
		break;
	case CONF_FLOAT:
		fputs(number_write(c->real, number, sizeof(number)), out);
		break;
	case CONF_STRING:
		write_string(out, c->string);
		break;
	case CONF_GROUP:
		write_group(out, c, depth);
		break;
	case CONF_LIST:
		write_list(out, c, depth);
		break;
	case CONF_ARRAY:
		write_array(out, c);
		break;
	}
}

char *conf_to_libconfig(const struct conf *c)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	if (!out)
		abort();
	if (c->type == CONF_GROUP)
		write_members(out, c, 0);
	else
		write_value(out, c, 0, is_wide(c));
	if (fclose(out))
		abort();
	return text;
}
