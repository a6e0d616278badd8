/* SPDX-License-Identifier: BSD-3-Clause */
/* The line of a request: who, what, outcome; secrets hidden. Pure. */
#include "manage/audit_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/sha.h>

#include "config/schema.h"
#include "manage/rest_private.h"

/* A body is looked through up to so many bytes; of a larger one the digest is kept. */
enum { BODY_BYTES = 64 << 10 };

static bool names_secret(const char *name)
{
	static const char *const words[] = { "secret", "passw", "psk", "token", "key", "credential" };
	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strcasestr(name, words[i]))
			return true;
	return false;
}

/* A change {path, before, after}: its values are texts, in which a secret may stand. */
static void hide_change(json_t *change)
{
	static const char *const values[] = { "before", "after" };
	const char *path = json_string_value(json_object_get(change, "path"));
	for (unsigned i = 0; path && i < 2; i++) {
		const char *text = json_string_value(json_object_get(change, values[i]));
		if (text && (names_secret(path) || names_secret(text)))
			json_object_set_new(change, values[i], json_string(SCHEMA_HIDDEN));
	}
}

json_t *audit_redact(const json_t *json)
{
	const char *name;
	json_t *value, *copy;
	size_t i;
	if (json_is_array(json)) {
		copy = json_array();
		json_array_foreach(json, i, value) json_array_append_new(copy, audit_redact(value));
		return copy;
	}
	if (!json_is_object(json))
		return json_incref((json_t *)(uintptr_t)json);
	copy = json_object();
	json_object_foreach((json_t *)(uintptr_t)json, name, value) json_object_set_new(
	        copy, name, names_secret(name) ? json_string(SCHEMA_HIDDEN) : audit_redact(value));
	hide_change(copy);
	return copy;
}

static json_t *digest(const struct rest_request *request)
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	char text[2 * sizeof hash + 1];
	SHA256((const unsigned char *)request->body, request->body_length, hash);
	for (size_t i = 0; i < sizeof hash; i++)
		sprintf(text + 2 * i, "%02x", hash[i]);
	return json_pack("{s:I, s:s}", "bytes", (json_int_t)request->body_length, "sha256", text);
}

static json_t *body(const struct rest_request *request)
{
	if (!request->body_length)
		return NULL;
	if (request->body_length > BODY_BYTES)
		return digest(request);
	json_t *json = request->json ? json_incref((json_t *)(uintptr_t)request->json) : NULL;
	if (!json && !body_too_deep(request->body, request->body_length))
		json = json_loadb(request->body, request->body_length, 0, NULL);
	json_t *shown = json ? audit_redact(json) : digest(request);
	json_decref(json);
	return shown;
}

static bool is_noted(const struct rest_request *request, unsigned status)
{
	bool reads = !strcmp(request->method, "GET") || !strcmp(request->method, "HEAD") ||
	             !strcmp(request->method, "OPTIONS");
	return !reads || status == 401 || status == 403;
}

static void set(json_t *line, const char *name, json_t *value)
{
	if (value)
		json_object_set_new(line, name, value);
}

static json_t *text_or_null(const char *text)
{
	return text && *text ? json_string(text) : NULL;
}

json_t *audit_line(const struct rest_request *request, const struct rest_reply *reply)
{
	const struct caller *caller = &request->caller;
	unsigned status = rest_reply_get_status(reply);
	if (!is_noted(request, status))
		return NULL;
	json_t *line = json_pack("{s:s, s:s, s:s, s:i}", "role", role_name(caller->role), "how", caller->how,
	                         "method", request->method, "status", (int)status);
	set(line, "who", text_or_null(caller->subject));
	set(line, "for", text_or_null(caller->on_behalf));
	set(line, "address", text_or_null(caller->address));
	set(line, "path", text_or_null(request->path));
	set(line, "query", text_or_null(request->query));
	set(line, "body", body(request));
	set(line, "etag", text_or_null(rest_reply_get_header(reply, "ETag")));
	set(line, "location", text_or_null(rest_reply_get_header(reply, "Location")));
	set(line, "change", json_incref((json_t *)(uintptr_t)rest_reply_get_note(reply)));
	return line;
}
