/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replies: filled on the handler's thread, sent on the HTTP thread. JSON is written out on the handler's
 * thread, so that a large document does not hold up other connections.
 */
#include "manage/rest_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "manage/problem.h"

static void drop_body(struct rest_reply *reply)
{
	free(reply->text);
	free(reply->type);
	reply->text = reply->type = NULL;
	reply->length = 0;
	if (reply->stream)
		stream_discard(reply->stream);
	reply->stream = NULL;
}

void reply_clear(struct rest_reply *reply)
{
	drop_body(reply);
	free(reply->etag);
	reply->etag = NULL;
	for (unsigned i = 0; i < reply->header_count; i++) {
		free(reply->headers[i].name);
		free(reply->headers[i].value);
	}
	reply->header_count = 0;
	json_decref(reply->note);
	reply->note = NULL;
}

void rest_reply_status(struct rest_reply *reply, unsigned status)
{
	drop_body(reply);
	reply->status = status;
}

void rest_reply_text(struct rest_reply *reply, unsigned status, const char *type, char *text, size_t length)
{
	rest_reply_status(reply, text ? status : 500);
	reply->text = text;
	reply->length = text ? length : 0;
	reply->type = text ? strdup(type) : NULL;
}

void rest_reply_json(struct rest_reply *reply, unsigned status, json_t *json)
{
	if (!json) {
		rest_reply_status(reply, status);
		return;
	}
	char *text = json_dumps(json, JSON_COMPACT | JSON_ENCODE_ANY);
	json_decref(json);
	rest_reply_text(reply, status, "application/json", text, text ? strlen(text) : 0);
}

unsigned rest_reply_get_status(const struct rest_reply *reply)
{
	return reply->status ? reply->status : 204;
}

const char *rest_reply_get_header(const struct rest_reply *reply, const char *name)
{
	for (unsigned i = 0; i < reply->header_count; i++)
		if (!strcasecmp(reply->headers[i].name, name))
			return reply->headers[i].value;
	return NULL;
}

void rest_reply_note(struct rest_reply *reply, json_t *note)
{
	json_decref(reply->note);
	reply->note = note;
}

const json_t *rest_reply_get_note(const struct rest_reply *reply)
{
	return reply->note;
}

/* True if the text may stand in a header: no control character that would begin another one. */
static bool header_safe(const char *text)
{
	for (; *text; text++)
		if (((unsigned char)*text < 0x20 && *text != '\t') || *text == 0x7f)
			return false;
	return true;
}

static void set_header(struct rest_reply *reply, const char *name, char *value)
{
	unsigned i = 0;
	while (i < reply->header_count && strcasecmp(reply->headers[i].name, name))
		i++;
	if (!value || !header_safe(value) || i == REST_HEADERS) {
		free(value);
		return;
	}
	if (i < reply->header_count) {
		free(reply->headers[i].value);
	} else {
		char *copy = strdup(name);
		if (!copy) {
			free(value);
			return;
		}
		reply->headers[reply->header_count++].name = copy;
	}
	reply->headers[i].value = value;
}

static char *format_text(const char *format, va_list args)
{
	char *text = NULL;
	return vasprintf(&text, format, args) < 0 ? NULL : text;
}

void rest_reply_header(struct rest_reply *reply, const char *name, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_header(reply, name, format_text(format, args));
	va_end(args);
}

void rest_reply_location(struct rest_reply *reply, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	set_header(reply, "Location", format_text(format, args));
	va_end(args);
}

void rest_reply_etag(struct rest_reply *reply, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	free(reply->etag);
	reply->etag = format_text(format, args);
	va_end(args);
	if (reply->etag)
		rest_reply_header(reply, "ETag", "\"%s\"", reply->etag);
}

static struct MHD_Response *make_response(struct rest_reply *reply)
{
	if (reply->stream) {
		struct MHD_Response *response = stream_response(reply->stream);
		reply->stream = response ? NULL : reply->stream;
		return response;
	}
	struct MHD_Response *response =
	        MHD_create_response_from_buffer(reply->length, reply->text, MHD_RESPMEM_MUST_FREE);
	reply->text = response ? NULL : reply->text;
	return response;
}

enum MHD_Result reply_send(struct rest_reply *reply)
{
	struct MHD_Response *response = make_response(reply);
	if (!response)
		return MHD_NO;
	if (reply->type)
		MHD_add_response_header(response, "Content-Type", reply->type);
	for (unsigned i = 0; i < reply->header_count; i++)
		MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
	enum MHD_Result result =
	        MHD_queue_response(reply->connection, rest_reply_get_status(reply), response);
	MHD_destroy_response(response);
	return result;
}
