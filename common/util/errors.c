/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The list of errors: grows by doubling, owns copies of all strings. Belongs to the thread that made it.
 */
#include "util/errors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/memory.h"

static struct error *append(struct errors *errors)
{
	if (errors->count == errors->room) {
		errors->list = memory_grow(errors->list, errors->room, sizeof(*errors->list));
		errors->room = errors->room ? 2 * errors->room : 1;
	}
	struct error *error = &errors->list[errors->count++];
	memset(error, 0, sizeof(*error));
	return error;
}

void errors_vadd(struct errors *errors, const char *path, const char *code, const char *file, unsigned line,
                 const char *format, va_list args)
{
	struct error *error = append(errors);

	error->path = path ? text_one_line(text_copy(path)) : NULL;
	error->code = text_copy(code);
	error->file = text_copy(file);
	error->line = line;
	error->detail = text_one_line(text_vformat(format, args));
}

void errors_add(struct errors *errors, const char *path, const char *code, const char *file, unsigned line,
                const char *format, ...)
{
	va_list args;

	va_start(args, format);
	errors_vadd(errors, path, code, file, line, format, args);
	va_end(args);
}

int error_format(const struct error *error, char *text, size_t size)
{
	bool path = error->path && error->path[0];
	char line[16] = "";

	if (error->line)
		snprintf(line, sizeof(line), "%s%u", error->file ? ":" : "line ", error->line);
	return snprintf(text, size, "%s%s%s%s%s%s", error->file ? error->file : "", line,
	                error->file || error->line ? ": " : "", path ? error->path : "", path ? ": " : "",
	                error->detail);
}

/* Puts a prefix before a path: none doubled, "a" before "[0]" without a dot. */
static void prepend(struct error *error, const char *prefix)
{
	const char *rest = error->path ? error->path : "";
	const char *joint = rest[0] == '\0' || rest[0] == '[' ? "" : ".";
	char *path = text_format("%s%s%s", prefix, joint, rest);

	free(error->path);
	error->path = path;
}

void errors_move(struct errors *to, struct errors *from, const char *prefix)
{
	for (size_t i = 0; i < from->count; i++) {
		struct error *error = append(to);
		*error = from->list[i];
		if (prefix && prefix[0])
			prepend(error, prefix);
	}
	from->count = 0;
	errors_free(from);
}

void errors_free(struct errors *errors)
{
	for (size_t i = 0; i < errors->count; i++) {
		free(errors->list[i].path);
		free(errors->list[i].code);
		free(errors->list[i].detail);
		free(errors->list[i].file);
	}
	free(errors->list);
	*errors = (struct errors)ERRORS_NONE;
}
