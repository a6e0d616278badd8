/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Log lines. The format is walked by hand, conversion by conversion, because only so is it known where a
 * value begins and ends, whatever it contains.
 */
#include "manage/log_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { RESERVE = 8 }; /* for the end of a line */

void log_line_begin(struct log_line *line, bool json)
{
	line->json = json;
	line->length = 0;
	if (json)
		line->text[line->length++] = '{';
}

static bool room(const struct log_line *line, size_t more)
{
	return line->length + more + RESERVE <= LOG_LINE;
}

static void put(struct log_line *line, const char *text, size_t length)
{
	memcpy(line->text + line->length, text, length);
	line->length += length;
}

/* The escape of one byte; 0: it stands for itself. */
static size_t escape(unsigned char c, char text[8])
{
	const char *plain = "\"\\\n\t\r", *letters = "\"\\ntr", *at = c ? strchr(plain, c) : NULL;
	if (at)
		return (size_t)snprintf(text, 8, "\\%c", letters[at - plain]);
	if (c < 0x20 || c == 0x7f)
		return (size_t)snprintf(text, 8, "\\u%04x", c);
	return 0;
}

/* Length of the UTF-8 sequence at text; 0: none begins here (RFC 3629: no overlong forms, surrogates, or
 * above U+10FFFF). */
static size_t utf8_length(const unsigned char *text)
{
	static const unsigned smallest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length = *text < 0x80   ? 1
	                : *text < 0xc0 ? 0
	                : *text < 0xe0 ? 2
	                : *text < 0xf0 ? 3
	                : *text < 0xf8 ? 4
	                               : 0;
	if (length < 2)
		return length;
	unsigned code = *text & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (text[i] & 0x3f);
	}
	return code < smallest[length] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000) ? 0 : length;
}

/* Writes one character, escaped if it needs to be; returns how many bytes of value it was, 0 if there is no
 * room for it. */
static size_t put_character(struct log_line *line, const char *value)
{
	char escaped[8];
	size_t bytes = utf8_length((const unsigned char *)value);
	size_t length = bytes ? escape((unsigned char)*value, escaped) : 0;
	if (!room(line, (length ? length : bytes) + 1))
		return 0;
	if (!bytes)
		put(line, "?", 1);
	else
		put(line, length ? escaped : value, length ? length : bytes);
	return bytes ? bytes : 1;
}

static void put_quoted(struct log_line *line, const char *value)
{
	size_t bytes;
	put(line, "\"", 1);
	while (*value && (bytes = put_character(line, value)))
		value += bytes;
	put(line, "\"", 1);
}

static bool needs_quotes(const char *value)
{
	if (!*value)
		return true;
	for (; *value; value++)
		if ((unsigned char)*value <= ' ' || *value == '"' || *value == '\\' || *value == '=' ||
		    *value == 0x7f)
			return true;
	return false;
}

static bool put_key(struct log_line *line, const char *key, size_t length)
{
	bool first = line->length == (line->json ? 1 : 0);
	if (!room(line, length + 8))
		return false;
	if (!first)
		put(line, line->json ? "," : " ", 1);
	if (line->json)
		put(line, "\"", 1);
	put(line, key, length);
	put(line, line->json ? "\":" : "=", line->json ? 2 : 1);
	return true;
}

/* bare: a number, which JSON takes without quotes. */
static void put_value(struct log_line *line, const char *value, bool bare)
{
	if ((bare || (!line->json && !needs_quotes(value))) && room(line, strlen(value)))
		put(line, value, strlen(value));
	else
		put_quoted(line, value);
}

void log_line_text(struct log_line *line, const char *key, const char *value)
{
	if (put_key(line, key, strlen(key)))
		put_value(line, value, false);
}

void log_line_number(struct log_line *line, const char *key, uint64_t value)
{
	char text[32];
	snprintf(text, sizeof text, "%" PRIu64, value);
	if (put_key(line, key, strlen(key)))
		put_value(line, text, true);
}

/* One conversion of printf: its text, and what type it takes. */
struct conversion {
	char text[32];
	char length[3]; /* "", "l", "ll", "z", ... */
	char kind;      /* d u x s f p c %; 0: broken */
	int stars, star[2];
};

static const char *parse_conversion(const char *at, struct conversion *c)
{
	const char *begin = at++;
	memset(c, 0, sizeof *c);
	for (at += strspn(at, "-+ #0"); *at && strchr("0123456789.*", *at); at++)
		c->stars += *at == '*';
	size_t length = strspn(at, "hlzjt");
	memcpy(c->length, at, length < 2 ? length : 2);
	at += length;
	c->kind = *at;
	if (*at)
		at++;
	if ((size_t)(at - begin) < sizeof c->text && c->stars <= 2)
		memcpy(c->text, begin, (size_t)(at - begin));
	else
		c->kind = 0;
	return at;
}

static intmax_t signed_argument(const char *length, va_list *args)
{
	if (!strcmp(length, "l"))
		return va_arg(*args, long);
	if (!strcmp(length, "ll"))
		return va_arg(*args, long long);
	if (*length == 'z' || *length == 't')
		return va_arg(*args, ptrdiff_t);
	return *length == 'j' ? va_arg(*args, intmax_t) : va_arg(*args, int);
}

static uintmax_t unsigned_argument(const char *length, va_list *args)
{
	if (!strcmp(length, "l"))
		return va_arg(*args, unsigned long);
	if (!strcmp(length, "ll"))
		return va_arg(*args, unsigned long long);
	if (*length == 'z' || *length == 't')
		return va_arg(*args, size_t);
	return *length == 'j' ? va_arg(*args, uintmax_t) : va_arg(*args, unsigned);
}

/* The conversion with "j" for its length, so that one call prints any integer. */
static void widen(struct conversion *c)
{
	size_t at = strlen(c->text) - 1 - strlen(c->length);
	c->text[at] = 'j';
	c->text[at + 1] = c->kind;
	c->text[at + 2] = 0;
}

#define PRINT(value)                                                      \
	(c->stars == 0   ? snprintf(to, size, c->text, value)             \
	 : c->stars == 1 ? snprintf(to, size, c->text, c->star[0], value) \
	                 : snprintf(to, size, c->text, c->star[0], c->star[1], value))

static int print_conversion(char *to, size_t size, struct conversion *c, va_list *args)
{
	for (int i = 0; i < c->stars; i++)
		c->star[i] = va_arg(*args, int);
	switch (c->kind) {
	case 'd':
	case 'i': {
		intmax_t value = signed_argument(c->length, args);
		widen(c);
		return PRINT(value);
	}
	case 'u':
	case 'x':
	case 'X':
	case 'o': {
		uintmax_t value = unsigned_argument(c->length, args);
		widen(c);
		return PRINT(value);
	}
	case 'f':
	case 'g':
	case 'e':
		return PRINT(va_arg(*args, double));
	case 'c':
		return PRINT(va_arg(*args, int));
	case 'p':
		return PRINT(va_arg(*args, void *));
	case 's': {
		const char *text = va_arg(*args, const char *);
		return PRINT(text ? text : "(null)");
	}
	case '%':
		return snprintf(to, size, "%%");
	default:
		return -1;
	}
}

/* Formats one value, up to a space of the format. *number: it is a single plain integer or decimal. NULL: the
 * format is broken. */
static const char *format_value(const char *at, char *value, va_list *args, bool *number)
{
	size_t length = 0;
	*number = *at == '%';
	while (*at && *at != ' ') {
		if (*at != '%') {
			*number = false;
			if (length + 1 < LOG_VALUE)
				value[length++] = *at;
			at++;
			continue;
		}
		struct conversion conversion;
		at = parse_conversion(at, &conversion);
		*number &= length == 0 && conversion.kind && strchr("diuf", conversion.kind);
		int wrote = print_conversion(value + length, LOG_VALUE - length, &conversion, args);
		if (wrote < 0)
			return NULL;
		length += (size_t)wrote < LOG_VALUE - length ? (size_t)wrote : LOG_VALUE - length - 1;
	}
	value[length] = 0;
	*number &= length && strspn(value, "-0123456789.") == length &&
	           (value[0] != '0' || !value[1] || value[1] == '.');
	return at;
}

void log_line_format(struct log_line *line, const char *format, va_list args)
{
	va_list mine;
	va_copy(mine, args);
	while (format && *(format += strspn(format, " "))) {
		char value[LOG_VALUE];
		bool number;
		size_t key = strcspn(format, "= %");
		bool named = format[key] == '=';
		const char *at = format_value(format + (named ? key + 1 : 0), value, &mine, &number);
		if (at && put_key(line, named ? format : "text", named ? key : 4))
			put_value(line, value, number);
		format = at;
	}
	va_end(mine);
}

void log_line_end(struct log_line *line)
{
	if (line->json)
		put(line, "}", 1);
	put(line, "\n", 1);
}
