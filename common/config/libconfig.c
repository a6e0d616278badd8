/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The reader of libconfig's notation. source.c has made one checked text of all files; libconfig parses it; this file
 * makes our tree of libconfig's, each node with its file and line. One thread, nothing kept; but libconfig 1.5 leaks the
 * string that it has just read when a syntax error follows it.
 */
#include <libconfig.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "config/conf.h"
#include "config/notation.h"
#include "config/source.h"
#include "util/memory.h"

struct reading {
	struct source *source;
	struct errors *errors;
};

static void fill(const struct reading *r, struct conf *c, config_setting_t *setting);

static enum conf_type type_of(const config_setting_t *setting)
{
	switch (config_setting_type(setting)) {
	case CONFIG_TYPE_BOOL:
		return CONF_BOOL;
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return CONF_INT;
	case CONFIG_TYPE_FLOAT:
		return CONF_FLOAT;
	case CONFIG_TYPE_STRING:
		return CONF_STRING;
	case CONFIG_TYPE_LIST:
		return CONF_LIST;
	case CONFIG_TYPE_ARRAY:
		return CONF_ARRAY;
	default:
		return CONF_GROUP;
	}
}

static void fill_children(const struct reading *r, struct conf *c, config_setting_t *setting)
{
	int count = config_setting_length(setting);

	for (int i = 0; i < count; i++) {
		config_setting_t *element = config_setting_get_elem(setting, (unsigned)i);
		struct conf *child = conf_new(c, type_of(element), config_setting_name(element));
		fill(r, child, element);
		if (c->type == CONF_LIST && child->type != CONF_GROUP)
			conf_error(
			        r->errors, child, "not-a-group",
			        "expected a group { } in a list ( ), found %s; values go into an array [ ]",
			        notation_kind(child->type));
	}
}

static void fill_string(const struct reading *r, struct conf *c, config_setting_t *setting)
{
	const char *text = config_setting_get_string(setting);

	c->string = text_copy(text ? text : "");
	if (!notation_utf8(c->string, strlen(c->string)))
		conf_error(r->errors, c, "not-utf8", "the string is not UTF-8");
}

static void fill(const struct reading *r, struct conf *c, config_setting_t *setting)
{
	const char *file;
	unsigned line;

	source_place(r->source, config_setting_source_line(setting), &file, &line);
	conf_set_place(c, file, line);
	switch (c->type) {
	case CONF_BOOL:
		c->boolean = config_setting_get_bool(setting);
		break;
	case CONF_INT:
		c->integer = config_setting_get_int64(setting);
		break;
	case CONF_FLOAT:
		c->real = config_setting_get_float(setting);
		if (!isfinite(c->real))
			conf_error(r->errors, c, "out-of-range", "the number is too large");
		break;
	case CONF_STRING:
		fill_string(r, c, setting);
		break;
	default:
		fill_children(r, c, setting);
	}
}

static void report(const struct reading *r, const config_t *config)
{
	unsigned whole = config_error_line(config) > 0 ? (unsigned)config_error_line(config) : 1;
	const char *file;
	unsigned line;
	char *text = source_line(r->source, whole);

	source_place(r->source, whole, &file, &line);
	errors_add(r->errors, NULL, "syntax", file, line, "%s at or before: %s", config_error_text(config),
	           text[0] ? text : "the end");
	free(text);
}

static struct conf *parse(const struct reading *r)
{
	config_t config;
	struct conf *root = NULL;

	source_end_line(r->source);
	config_init(&config);
	if (config_read_string(&config, r->source->text)) {
		root = conf_new(NULL, CONF_GROUP, NULL);
		fill(r, root, config_root_setting(&config));
	} else {
		report(r, &config);
	}
	config_destroy(&config);
	return root;
}

/* Reads what the source holds, if it may be read; a tree only if nothing was found wrong. */
static struct conf *finish(struct source *source, bool readable, struct errors *errors, size_t errors_before)
{
	struct reading r = { .source = source, .errors = errors };
	struct conf *root = readable ? parse(&r) : NULL;

	if (root && errors->count > errors_before) {
		conf_free(root);
		root = NULL;
	}
	source_free(source);
	return root;
}

struct conf *conf_read_file(const char *file, struct errors *errors)
{
	struct source source;
	size_t before = errors->count;
	bool readable = source_read_file(&source, file, errors);

	return finish(&source, readable, errors, before);
}

struct conf *conf_read_text(const char *text, const char *file_name, struct errors *errors)
{
	struct source source;
	size_t before = errors->count;
	bool readable = source_read_text(&source, text, file_name, errors);

	return finish(&source, readable, errors, before);
}
