/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Problem documents (RFC 9457). Pure functions.
 */
#include "manage/problem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>

const char *problem_phrase(unsigned status)
{
	return MHD_get_reason_phrase_for(status);
}

/* A string that JSON can hold: what is no UTF-8 (an escape in a path, a byte of a file) becomes "?". */
static json_t *clean_string(const char *text)
{
	json_t *string = json_string(text);
	if (string)
		return string;
	char *copy = strdup(text);
	for (char *c = copy; c && *c; c++)
		*c = *c & 0x80 ? '?' : *c;
	string = copy ? json_string(copy) : NULL;
	free(copy);
	return string;
}

static void set_text(json_t *object, const char *name, const char *text)
{
	if (text)
		json_object_set_new(object, name, clean_string(text));
}

json_t *problem_errors(const struct errors *errors)
{
	json_t *array = json_array();
	for (size_t i = 0; errors && i < errors->count; i++) {
		const struct error *error = &errors->list[i];
		json_t *item = json_object();
		set_text(item, "path", error->path);
		set_text(item, "code", error->code);
		set_text(item, "detail", error->detail);
		set_text(item, "file", error->file);
		if (error->line)
			json_object_set_new(item, "line", json_integer(error->line));
		json_array_append_new(array, item);
	}
	return array;
}

json_t *problem_json(unsigned status, const char *title, const char *detail, const struct errors *errors)
{
	json_t *problem = json_object();
	set_text(problem, "type", "about:blank");
	set_text(problem, "title", title ? title : problem_phrase(status));
	json_object_set_new(problem, "status", json_integer(status));
	set_text(problem, "detail", detail);
	if (errors && errors_any(errors))
		json_object_set_new(problem, "errors", problem_errors(errors));
	return problem;
}

size_t problem_read(const json_t *problem, struct errors *errors)
{
	const json_t *list = json_object_get(problem, "errors");
	size_t i;
	json_t *item;
	json_array_foreach(list, i, item)
	{
		const char *detail = json_string_value(json_object_get(item, "detail"));
		const char *code = json_string_value(json_object_get(item, "code"));
		json_int_t line = json_integer_value(json_object_get(item, "line"));
		errors_add(errors, json_string_value(json_object_get(item, "path")), code ? code : "error",
		           json_string_value(json_object_get(item, "file")), line > 0 ? (unsigned)line : 0,
		           "%s", detail ? detail : "");
	}
	return json_array_size(list);
}

static void reply_problem(struct rest_reply *reply, unsigned status, const struct errors *errors,
                          const char *format, va_list args)
{
	char *detail = NULL;
	if (vasprintf(&detail, format, args) < 0)
		detail = NULL;
	json_t *problem = problem_json(status, NULL, detail, errors);
	char *text = json_dumps(problem, JSON_COMPACT);
	rest_reply_text(reply, status, PROBLEM_TYPE, text, text ? strlen(text) : 0);
	json_decref(problem);
	free(detail);
}

void rest_problem(struct rest_reply *reply, unsigned status, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	reply_problem(reply, status, NULL, format, args);
	va_end(args);
}

void rest_problem_errors(struct rest_reply *reply, unsigned status, const struct errors *errors,
                         const char *format, ...)
{
	va_list args;
	va_start(args, format);
	reply_problem(reply, status, errors, format, args);
	va_end(args);
}
