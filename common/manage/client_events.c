/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Server-sent events at the client (the WHATWG HTML standard, 9.2): lines into fields, fields into events.
 * Data belongs to the call of http_events.
 */
#include "manage/client.h"

#include <string.h>

#include "manage/strbuf.h"

struct reader {
	http_event_handler *handler;
	void *user;
	struct strbuf line, id, event, data;
	struct strbuf refusal; /* the body of an answer that is no stream */
	bool stopped;
};

static void set(struct strbuf *field, const char *value)
{
	field->length = 0;
	strbuf_puts(field, value);
}

static const char *text_or(const struct strbuf *field, const char *otherwise)
{
	return field->length ? field->text : otherwise;
}

static bool dispatch(struct reader *reader)
{
	struct http_event event = { text_or(&reader->id, NULL), text_or(&reader->event, "message"),
		                    reader->data.text };
	bool go_on = true;
	if (reader->data.length) {
		reader->data.text[--reader->data.length] = 0;
		go_on = reader->handler(reader->user, &event);
	}
	reader->data.length = reader->event.length = 0;
	return go_on;
}

static bool take_line(struct reader *reader, char *line)
{
	if (!*line)
		return dispatch(reader);
	if (*line == ':')
		return reader->handler(reader->user, NULL);
	char *value = line + strcspn(line, ":");
	if (*value)
		*value++ = 0;
	value += *value == ' ';
	if (!strcmp(line, "id"))
		set(&reader->id, value);
	else if (!strcmp(line, "event"))
		set(&reader->event, value);
	else if (!strcmp(line, "data"))
		strbuf_printf(&reader->data, "%s\n", value);
	return true;
}

static bool end_line(struct reader *reader)
{
	strbuf_puts(&reader->line, "");
	char *text = reader->line.text;
	if (!text || reader->line.failed)
		return false;
	if (reader->line.length && text[reader->line.length - 1] == '\r')
		text[reader->line.length - 1] = 0;
	reader->line.length = 0;
	return take_line(reader, text);
}

static bool take_data(void *user, const struct http_reply *head, const char *data, size_t length)
{
	struct reader *reader = user;
	if (!data)
		reader->stopped = !reader->handler(reader->user, NULL);
	else if (head->status != 200)
		strbuf_add(&reader->refusal, data, length);
	for (const char *end; data && head->status == 200 && length && !reader->stopped; data = end) {
		const char *newline = memchr(data, '\n', length);
		size_t size = newline ? (size_t)(newline - data) : length;
		strbuf_add(&reader->line, data, size);
		if (newline)
			reader->stopped = !end_line(reader);
		end = data + size + !!newline;
		length -= size + !!newline;
	}
	return !reader->stopped;
}

bool http_events(struct http_client *client, const struct http_request *request, http_event_handler *handler,
                 void *user, struct http_reply *reply)
{
	struct reader reader = { .handler = handler, .user = user };
	bool came = http_stream(client, request, take_data, &reader, reply);
	if (came && reader.refusal.length) {
		strbuf_free(&(struct strbuf){ .text = reply->body });
		reply->body = strbuf_take(&reader.refusal, &reply->length);
	}
	strbuf_free(&reader.line);
	strbuf_free(&reader.id);
	strbuf_free(&reader.event);
	strbuf_free(&reader.data);
	strbuf_free(&reader.refusal);
	return came && reply->status == 200;
}
