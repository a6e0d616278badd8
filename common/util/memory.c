/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checked allocation and text of the control plane. Holds no data of its own; any thread.
 */
#include "util/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

void *memory_new(size_t count, size_t size)
{
	return checked(calloc(count ? count : 1, size));
}

void *memory_grow(void *list, size_t count, size_t size)
{
	if (count & (count - 1))
		return list;
	return checked(reallocarray(list, count ? 2 * count : 1, size));
}

char *text_copy(const char *text)
{
	return text ? checked(strdup(text)) : NULL;
}

char *text_copy_n(const char *text, size_t length)
{
	return checked(strndup(text, length));
}

char *text_vformat(const char *format, va_list args)
{
	char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		abort();
	return text;
}

/* Bytes of a control character: of ASCII, or of C1 as UTF-8 writes it, which terminals obey as well; 0: it is none. */
static unsigned control_at(const unsigned char *at)
{
	if (at[0] < 0x20 || at[0] == 0x7f)
		return 1;
	return at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0 ? 2 : 0;
}

static size_t escape(char *to, const unsigned char *at)
{
	static const char names[] = "nrt", bytes[] = "\n\r\t";
	const char *known = strchr(bytes, *at);

	return (size_t)(known ? sprintf(to, "\\%c", names[known - bytes]) : sprintf(to, "\\x%02x", *at));
}

char *text_one_line(char *text)
{
	size_t length = strlen(text), used = 0;
	char *line = memory_new(4 * length + 1, 1);

	for (const unsigned char *at = (const unsigned char *)text; *at;) {
		unsigned control = control_at(at);

		for (unsigned i = 0; i < control; i++)
			used += escape(line + used, at++);
		if (!control)
			line[used++] = (char)*at++;
	}
	free(text);
	return line;
}

char *text_format(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = text_vformat(format, args);
	va_end(args);
	return text;
}
