/* SPDX-License-Identifier: BSD-3-Clause */
/* Byte order marks, and JSON documents in files. See text_file.h. */
#include "config/text_file.h"

#include <stdlib.h>
#include <string.h>

#include "config/source.h"
#include "util/atomic_file.h"

const char *text_behind_mark(const char *text)
{
	return strncmp(text, "\xef\xbb\xbf", 3) == 0 ? text + 3 : text;
}

bool text_is_utf16(const char *text)
{
	return strncmp(text, "\xff\xfe", 2) == 0 || strncmp(text, "\xfe\xff", 2) == 0;
}

static json_t *parse(const char *text, size_t length, const char *file, struct errors *errors)
{
	json_error_t where;
	const char *begin = text_behind_mark(text);
	json_t *json = NULL;

	if (text_is_utf16(text))
		errors_add(errors, NULL, "not-utf-8", file, 1, "the file is UTF-16: save it as UTF-8");
	else if (!(json = json_loadb(begin, length - (size_t)(begin - text), JSON_REJECT_DUPLICATES, &where)))
		errors_add(errors, NULL, "bad-json", file, where.line > 0 ? (unsigned)where.line : 0, "%s",
		           where.text);
	return json;
}

struct conf *conf_parse_json(const char *text, size_t length, const char *file, struct errors *errors)
{
	json_t *json = parse(text, length, file, errors);
	struct conf *document = json ? conf_from_json(json, errors) : NULL;

	json_decref(json);
	return document;
}

struct conf *conf_read_json(const char *file, struct errors *errors)
{
	char *text = NULL;
	size_t length = 0;
	int error = atomic_file_read(file, SOURCE_BYTES, &text, &length);

	if (error) {
		errors_add(errors, NULL, "cannot-read", file, 0, "cannot read %s: %s", file, strerror(error));
		return NULL;
	}
	struct conf *document = conf_parse_json(text, length, file, errors);

	free(text);
	return document;
}
