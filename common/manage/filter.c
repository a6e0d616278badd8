/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Attribute filters (ETSI GS NFV-SOL 013, 5.2): parsed once, then held against objects. A filter is immutable
 * once parsed.
 */
#include "manage/pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manage/problem.h"
#include "manage/strbuf.h"

enum { FILTER_TERMS = 32, FILTER_VALUES = 256 };

enum op { OP_EQ, OP_NEQ, OP_GT, OP_GTE, OP_LT, OP_LTE, OP_CONT, OP_NCONT, OP_IN, OP_NIN, OP_COUNT };

static const char *const op_names[] = { "eq", "neq", "gt", "gte", "lt", "lte", "cont", "ncont", "in", "nin" };

struct term {
	enum op op;
	char *attribute; /* names separated by NUL in place of "/", ended by an empty one */
	char *spelled;   /* as written */
	char **values;
	size_t count;
};

struct filter {
	struct term terms[FILTER_TERMS];
	size_t count;
};

struct parser {
	const char *text, *at;
	char *why;
	size_t size;
};

static bool fail(struct parser *parser, const char *what)
{
	snprintf(parser->why, parser->size, "filter: %s at character %zu: \"%s\"", what,
	         (size_t)(parser->at - parser->text) + 1, parser->at);
	return false;
}

static bool expect(struct parser *parser, char c, const char *what)
{
	if (*parser->at != c)
		return fail(parser, what);
	parser->at++;
	return true;
}

static bool parse_op(struct parser *parser, struct term *term)
{
	size_t length = strcspn(parser->at, ",()");
	for (unsigned i = 0; i < OP_COUNT; i++) {
		if (strlen(op_names[i]) == length && !memcmp(op_names[i], parser->at, length)) {
			term->op = (enum op)i;
			parser->at += length;
			return expect(parser, ',', "expected , and an attribute after the operator");
		}
	}
	return fail(parser, "expected one of eq neq gt gte lt lte cont ncont in nin");
}

/* a/b/c becomes a NUL b NUL c NUL NUL; "~1" is a slash and "~0" a tilde in a name, as in a JSON pointer (RFC
 * 6901). */
static bool parse_attribute(struct parser *parser, struct term *term)
{
	size_t length = strcspn(parser->at, ",()';");
	term->spelled = strndup(parser->at, length);
	char *to = term->attribute = calloc(1, length + 2);
	if (!to || !term->spelled)
		return fail(parser, "out of memory");
	for (const char *from = parser->at; from < parser->at + length; from++) {
		if (*from == '/' && (from[1] == '/' || from == parser->at))
			return fail(parser, "an attribute has an empty name");
		bool escaped = *from == '~' && (from[1] == '0' || from[1] == '1');
		*to++ = (char)(escaped ? (from[1] == '1' ? '/' : '~') : *from == '/' ? 0 : *from);
		from += escaped;
	}
	if (!length || parser->at[length - 1] == '/')
		return fail(parser, "expected the name of an attribute");
	parser->at += length;
	return true;
}

static bool parse_quoted(struct parser *parser, struct strbuf *value)
{
	for (parser->at++;; parser->at++) {
		if (!*parser->at)
			return fail(parser, "a quoted value has no closing '");
		if (*parser->at == '\'' && *++parser->at != '\'')
			return true;
		strbuf_putc(value, *parser->at);
	}
}

static bool parse_value(struct parser *parser, struct term *term)
{
	struct strbuf value = { 0 };
	bool good = true;
	if (*parser->at == '\'') {
		good = parse_quoted(parser, &value);
	} else {
		size_t length = strcspn(parser->at, ",()'");
		strbuf_add(&value, parser->at, length);
		parser->at += length;
	}
	char **values = good && term->count < FILTER_VALUES
	                        ? realloc(term->values, (term->count + 1) * sizeof *values)
	                        : NULL;
	if (!values) {
		strbuf_free(&value);
		return good ? fail(parser, "too many values") : false;
	}
	term->values = values;
	char *text = strbuf_take(&value, NULL);
	if (!text)
		return fail(parser, "out of memory");
	values[term->count++] = text;
	return true;
}

static bool parse_term(struct parser *parser, struct term *term)
{
	if (!expect(parser, '(', "expected (") || !parse_op(parser, term) || !parse_attribute(parser, term))
		return false;
	if (*parser->at != ',')
		return fail(parser, "expected , and a value");
	while (*parser->at == ',') {
		parser->at++;
		if (!parse_value(parser, term))
			return false;
	}
	bool many = term->op >= OP_CONT;
	if (!many && term->count > 1)
		return fail(parser, "this operator takes one value");
	return expect(parser, ')', "expected )");
}

static bool parse_terms(struct parser *parser, struct filter *filter)
{
	do {
		if (filter->count == FILTER_TERMS)
			return fail(parser, "too many expressions");
		if (!parse_term(parser, &filter->terms[filter->count++]))
			return false;
	} while (*parser->at == ';' && *++parser->at);
	return !*parser->at || fail(parser, "expected ; between expressions");
}

struct filter *filter_parse(const char *text, char *why, size_t size)
{
	struct parser parser = { text, text, why, size };
	struct filter *filter = calloc(1, sizeof *filter);
	if (filter && parse_terms(&parser, filter))
		return filter;
	if (!filter)
		fail(&parser, "out of memory");
	filter_free(filter);
	return NULL;
}

void filter_free(struct filter *filter)
{
	if (!filter)
		return;
	for (size_t i = 0; i < filter->count; i++) {
		struct term *term = &filter->terms[i];
		for (size_t j = 0; j < term->count; j++)
			free(term->values[j]);
		free(term->values);
		free(term->attribute);
		free(term->spelled);
	}
	free(filter);
}

/* A scalar as text; NULL: not a scalar. */
static const char *scalar_text(const json_t *json, char *text, size_t size)
{
	if (json_is_string(json))
		return json_string_value(json);
	if (json_is_boolean(json))
		return json_is_true(json) ? "true" : "false";
	if (json_is_integer(json))
		snprintf(text, size, "%" JSON_INTEGER_FORMAT, json_integer_value(json));
	else if (json_is_real(json))
		snprintf(text, size, "%.17g", json_real_value(json));
	else
		return NULL;
	return text;
}

/* Negative, 0, positive; numbers by value if both are numbers, else by bytes (which orders RFC 3339 times
 * too). */
static int compare(const json_t *json, const char *text, const char *value)
{
	char *end;
	double number = strtod(value, &end);
	if (json_is_number(json) && *value && !*end) {
		double mine = json_number_value(json);
		return mine < number ? -1 : mine > number;
	}
	return strcmp(text, value);
}

static bool any_value(const struct term *term, const json_t *json, const char *text, bool part)
{
	for (size_t i = 0; i < term->count; i++)
		if (part ? strstr(text, term->values[i]) != NULL : !compare(json, text, term->values[i]))
			return true;
	return false;
}

static bool scalar_match(const struct term *term, const json_t *json)
{
	char number[40];
	const char *text = scalar_text(json, number, sizeof number);
	if (!text)
		return false;
	switch (term->op) {
	case OP_EQ:
	case OP_IN:
		return any_value(term, json, text, false);
	case OP_NEQ:
	case OP_NIN:
		return !any_value(term, json, text, false);
	case OP_CONT:
		return any_value(term, json, text, true);
	case OP_NCONT:
		return !any_value(term, json, text, true);
	case OP_GT:
		return compare(json, text, term->values[0]) > 0;
	case OP_GTE:
		return compare(json, text, term->values[0]) >= 0;
	case OP_LT:
		return compare(json, text, term->values[0]) < 0;
	default:
		return compare(json, text, term->values[0]) <= 0;
	}
}

static bool negative(enum op op)
{
	return op == OP_NEQ || op == OP_NIN || op == OP_NCONT;
}

/* Walks the rest of the attribute's names from `json` on; through an array, one element that matches is
 * enough. */
static bool walk(const struct term *term, const json_t *json, const char *name)
{
	size_t i;
	json_t *item;
	if (json_is_array(json)) {
		json_array_foreach(json, i, item)
		{
			if (walk(term, item, name))
				return true;
		}
		return false;
	}
	if (!*name)
		return scalar_match(term, json);
	const json_t *member = json_object_get(json, name);
	return member ? walk(term, member, name + strlen(name) + 1) : negative(term->op);
}

bool filter_match(const struct filter *filter, const json_t *object)
{
	for (size_t i = 0; filter && i < filter->count; i++)
		if (!walk(&filter->terms[i], object, filter->terms[i].attribute))
			return false;
	return true;
}

bool filter_of_request(const struct rest_request *request, struct rest_reply *reply, struct filter **filter)
{
	char why[256];
	const char *text = rest_query(request, "filter");
	*filter = text ? filter_parse(text, why, sizeof why) : NULL;
	if (!text || *filter)
		return true;
	rest_problem(reply, 400, "%s", why);
	return false;
}
