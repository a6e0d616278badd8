/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A text that grows. Owned by one thread; zero-initialised is empty; freed by strbuf_free or handed on by
 * strbuf_take. When memory runs out it stops growing and strbuf_take returns NULL, so that one check at the
 * end is enough.
 */
#ifndef SLUICE_MANAGE_STRBUF_H
#define SLUICE_MANAGE_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

struct strbuf {
	char *text; /* NUL after its last byte; NULL while nothing was added */
	size_t length, room;
	bool failed;
};

void strbuf_add(struct strbuf *buf, const char *bytes, size_t length);
void strbuf_puts(struct strbuf *buf, const char *text);
void strbuf_putc(struct strbuf *buf, char c);
void strbuf_printf(struct strbuf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vprintf(struct strbuf *buf, const char *format, va_list args);
/* The text, malloc'd ("" if nothing was added), NULL if memory ran out; the buffer is empty afterwards. */
char *strbuf_take(struct strbuf *buf, size_t *length);
void strbuf_free(struct strbuf *buf);

#endif
