/* SPDX-License-Identifier: BSD-3-Clause */
/* Secrets are taken out by name and by form. See redact.h. */
#include "cli/redact.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "manage/strbuf.h"

static const char *const names[] = { "password", "passphrase", "passwd",     "secret",       "token",
	                             "psk",      "credential", "privatekey", "private-key",  "private_key",
	                             "apikey",   "api-key",    "api_key",    "authorization" };

/* The length of such a name at this place; 0: there is none. */
static size_t name_at(const char *text)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strncasecmp(text, names[i], strlen(names[i])) == 0)
			return strlen(names[i]);
	return 0;
}

static bool is_secret(const char *name)
{
	for (; *name; name++)
		if (name_at(name))
			return true;
	return false;
}

/* --- text --- */

static bool in_name(char c)
{
	return isalnum((unsigned char)c) || c == '-' || c == '_' || c == '.';
}

/* Where the value begins that belongs to a name which ends here; NULL: none does. */
static const char *value_after(const char *at)
{
	while (in_name(*at))
		at++;
	at += *at == '"' || *at == '\'';
	at += strspn(at, " \t");
	if (*at != '=' && *at != ':')
		return NULL;
	at++;
	at += strspn(at, " \t");
	return *at && *at != '\n' ? at : NULL;
}

/* One of the words of a value that consists of two: the scheme of an Authorization header. */
static const char *skip_scheme(const char *value)
{
	static const char *const schemes[] = { "Bearer ", "Basic " };

	for (size_t i = 0; i < 2; i++)
		if (strncasecmp(value, schemes[i], strlen(schemes[i])) == 0)
			return value + strlen(schemes[i]);
	return value;
}

/* Its end: the closing quote, or the first blank, comma, bracket or brace. */
static const char *value_end(const char *value)
{
	char quote = *value;

	if (quote != '"' && quote != '\'')
		return value + strcspn(value, " \t\r\n,;)]}&");
	for (value++; *value && *value != quote && *value != '\n'; value++)
		value += *value == '\\' && value[1];
	return value + (*value == quote);
}

static const char *copy_without(struct strbuf *out, const char *begin, const char *value)
{
	const char *end = value_end(value);

	if (*value == '"' || *value == '\'')
		strbuf_printf(out, "%.*s%c" REDACTED "%c", (int)(value - begin), begin, *value, *value);
	else
		strbuf_printf(out, "%.*s" REDACTED, (int)(value - begin), begin);
	return end;
}

/* A private key in PEM, with its lines; NULL: none begins here. */
static const char *pem_end(const char *text)
{
	const char *line = text + strcspn(text, "\n"), *end;

	if (strncmp(text, "-----BEGIN ", 11) != 0 || !memmem(text, (size_t)(line - text), "PRIVATE KEY", 11))
		return NULL;
	end = strstr(text + 11, "-----END ");
	return end ? end + strcspn(end, "\n") : text + strlen(text);
}

char *redact_text(const char *text)
{
	struct strbuf out = { 0 };

	while (*text) {
		size_t name = name_at(text);
		const char *pem = *text == '-' ? pem_end(text) : NULL;
		const char *value = name                                   ? value_after(text + name)
		                    : strncasecmp(text, "Bearer ", 7) == 0 ? text + 7
		                                                           : NULL;

		if (pem) {
			strbuf_puts(&out, REDACTED);
			text = pem;
		} else if (value) {
			text = copy_without(&out, text, skip_scheme(value));
		} else {
			strbuf_putc(&out, *text++);
		}
	}
	return strbuf_take(&out, NULL);
}

/* --- JSON --- */

static json_t *redacted_string(const json_t *value)
{
	char *text = redact_text(json_string_value(value));
	json_t *string = json_string(text ? text : REDACTED);

	free(text);
	return string;
}

static json_t *replacement(json_t *value, bool secret)
{
	if (json_is_string(value))
		return secret ? json_string(REDACTED) : redacted_string(value);
	if (secret && json_is_array(value)) {
		json_t *list = json_array(), *item;
		size_t i;

		json_array_foreach(value, i, item) json_array_append_new(list, replacement(item, true));
		return list;
	}
	redact_json(value);
	return json_incref(value);
}

void redact_json(json_t *value)
{
	const char *name;
	json_t *item;
	void *next;
	size_t i;

	json_array_foreach(value, i, item) json_array_set_new(value, i, replacement(item, false));
	json_object_foreach_safe(value, next, name, item)
	        json_object_set_new(value, name, replacement(item, is_secret(name)));
}
