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

char *text_format(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = text_vformat(format, args);
	va_end(args);
	return text;
}
