/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A text that grows by doubling. Data belongs to the calling thread.
 */
#include "manage/strbuf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool reserve(struct strbuf *buf, size_t more)
{
	if (buf->failed)
		return false;
	if (buf->room - buf->length > more)
		return true;
	size_t room = buf->room ? buf->room : 128;
	while (room - buf->length <= more)
		room *= 2;
	char *text = realloc(buf->text, room);
	if (!text) {
		buf->failed = true;
		return false;
	}
	buf->text = text;
	buf->room = room;
	return true;
}

void strbuf_add(struct strbuf *buf, const char *bytes, size_t length)
{
	if (!reserve(buf, length))
		return;
	if (length)
		memcpy(buf->text + buf->length, bytes, length);
	buf->length += length;
	buf->text[buf->length] = 0;
}

void strbuf_puts(struct strbuf *buf, const char *text)
{
	strbuf_add(buf, text, strlen(text));
}

void strbuf_putc(struct strbuf *buf, char c)
{
	strbuf_add(buf, &c, 1);
}

void strbuf_vprintf(struct strbuf *buf, const char *format, va_list args)
{
	va_list again;
	va_copy(again, args);
	int need = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (need < 0 || !reserve(buf, (size_t)need))
		return;
	vsnprintf(buf->text + buf->length, (size_t)need + 1, format, args);
	buf->length += (size_t)need;
}

void strbuf_printf(struct strbuf *buf, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	strbuf_vprintf(buf, format, args);
	va_end(args);
}

char *strbuf_take(struct strbuf *buf, size_t *length)
{
	char *text = buf->failed ? NULL : buf->text;
	if (!text && !buf->failed)
		text = strdup("");
	if (length)
		*length = text ? buf->length : 0;
	if (buf->failed)
		free(buf->text);
	memset(buf, 0, sizeof *buf);
	return text;
}

void strbuf_free(struct strbuf *buf)
{
	free(buf->text);
	memset(buf, 0, sizeof *buf);
}
