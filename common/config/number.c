/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The lexical rules of libconfig's numbers: decimal with a sign, hexadecimal without, either with L or LL; a decimal
 * point or an exponent makes a float. The longest match wins, and what follows begins a new token, even a name.
 */
#include "config/number.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS "0123456789"

static size_t exponent(const char *p)
{
	if (*p != 'e' && *p != 'E')
		return 0;
	size_t sign = p[1] == '+' || p[1] == '-';
	size_t digits = strspn(p + 1 + sign, DIGITS);
	return digits ? 1 + sign + digits : 0;
}

/* Whether the digits fit the signed range of 64 bits; the value then. */
static bool value_of(const char *p, int base, int64_t *value)
{
	errno = 0;
	*value = strtoll(p, NULL, base);
	return errno != ERANGE;
}

static enum number_fault judge(const char *p, int base, bool wide)
{
	int64_t value;

	if (!value_of(p, base, &value))
		return NUMBER_TOO_LARGE;
	return wide || (value >= INT32_MIN && value <= INT32_MAX) ? NUMBER_FINE : NUMBER_NEEDS_L;
}

static size_t suffix(const char *p)
{
	return p[0] != 'L' ? 0 : p[1] == 'L' ? 2 : 1;
}

static size_t scan_hexadecimal(const char *text, enum number_fault *fault)
{
	size_t digits = strspn(text + 2, DIGITS "abcdefABCDEF");
	size_t wide = suffix(text + 2 + digits);

	*fault = judge(text, 16, wide > 0);
	return 2 + digits + wide;
}

size_t number_scan(const char *text, enum number_fault *fault)
{
	size_t sign = text[0] == '+' || text[0] == '-';
	size_t digits = strspn(text + sign, DIGITS);
	const char *p = text + sign + digits;

	*fault = NUMBER_FINE;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && text[2] &&
	    strchr(DIGITS "abcdefABCDEF", text[2]))
		return scan_hexadecimal(text, fault);
	if (*p == '.') {
		p += 1 + strspn(p + 1, DIGITS);
		return (size_t)(p - text) + exponent(p);
	}
	if (digits == 0)
		return 1;
	if (exponent(p))
		return (size_t)(p - text) + exponent(p);
	size_t wide = suffix(p);
	*fault = judge(text, 10, wide > 0);
	return sign + digits + wide;
}

char *number_write(double value, char *text, size_t size)
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, size, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	size_t length = strlen(text);
	if (!strpbrk(text, ".e"))
		snprintf(text + length, size - length, ".0");
	return text;
}
