/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The rules that both notations share. Holds no data; any thread.
 */
#include "config/notation.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

bool notation_name(const char *name)
{
	static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789*_-";

	if (!strcasecmp(name, "true") || !strcasecmp(name, "false"))
		return false;
	if (!isalpha((unsigned char)name[0]) && name[0] != '*')
		return false;
	return name[strspn(name, rest)] == '\0';
}

/* Length of the UTF-8 sequence that begins at p, 0 if none does. */
static size_t sequence(const unsigned char *p, size_t left)
{
	static const uint32_t least[] = { 0, 0x01, 0x80, 0x800, 0x10000 };
	size_t length = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc0 ? 2 : 0;
	uint32_t code = length == 1 ? p[0] : p[0] & (0x7fu >> length);

	if (length == 0 || length > left || p[0] > 0xf4)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (p[i] & 0x3f);
	}
	bool surrogate = code >= 0xd800 && code <= 0xdfff;
	return code >= least[length] && code <= 0x10ffff && !surrogate ? length : 0;
}

bool notation_utf8(const char *text, size_t length)
{
	for (size_t i = 0, step; i < length; i += step) {
		step = sequence((const unsigned char *)text + i, length - i);
		if (step == 0)
			return false;
	}
	return true;
}

const char *notation_kind(enum conf_type type)
{
	static const char *const kinds[] = {
		[CONF_BOOL] = "true or false",     [CONF_INT] = "an integer",
		[CONF_FLOAT] = "a decimal number", [CONF_STRING] = "a string",
		[CONF_GROUP] = "a group { }",      [CONF_LIST] = "a list ( )",
		[CONF_ARRAY] = "an array [ ]",
	};

	return kinds[type];
}
