/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory and text of the control plane. Everything here is for configuration, state and text, never for
 * packets: sizes are bounded by the callers before anything is built, and running out of memory all the same
 * ends the process, which its supervisor restarts; half-built configurations are worse. Any thread; results
 * belong to the caller, free() them.
 */
#ifndef SLUICE_UTIL_MEMORY_H
#define SLUICE_UTIL_MEMORY_H

#include <stdarg.h>
#include <stddef.h>

/* Zeroed memory for `count` elements of `size` bytes; never NULL. */
void *memory_new(size_t count, size_t size) __attribute__((malloc));

/*
 * Makes room for one more element in an array that holds `count` of `size` bytes and grew by this function
 * alone. The room is the next power of two, so that no separate word has to remember it. Returns the array,
 * maybe moved.
 */
void *memory_grow(void *list, size_t count, size_t size);

/* Copies of a string (NULL gives NULL), of its first `length` bytes, and of a formatted text. */
char *text_copy(const char *text);
char *text_copy_n(const char *text, size_t length);
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The text with control characters as escapes (\n, \x1b), so that it is one line whatever it quotes; `text` is freed. */
char *text_one_line(char *text);
char *text_vformat(const char *format, va_list args) __attribute__((format(printf, 1, 0)));

#endif
