/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whether a request is framed as RFC 9112 wants it, in so far as the HTTP library does not look: where two servers may
 * understand one request differently, it is refused. HTTP thread; the exchange's data.
 */
#include "manage/rest_private.h"

#include <string.h>
#include <strings.h>

#include "manage/problem.h"

struct fields {
	unsigned hosts, lengths, codings;
	const char *coding;   /* the last Transfer-Encoding */
	const char *not_name; /* a field name that is no token */
};

/* RFC 9110, 5.6.2. */
static bool is_token(const char *name)
{
	static const char letters[] =
	        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";
	return *name && !name[strspn(name, letters)];
}

static enum MHD_Result count(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct fields *fields = user;
	(void)kind;
	fields->hosts += !strcasecmp(name, "Host");
	fields->lengths += !strcasecmp(name, "Content-Length");
	if (!strcasecmp(name, "Transfer-Encoding")) {
		fields->codings++;
		fields->coding = value ? value : "";
	}
	if (!is_token(name))
		fields->not_name = name;
	return MHD_YES;
}

/* The body's end is not known, or not beyond doubt: nothing more is read from this connection. */
static bool refuse(struct rest_exchange *exchange, unsigned status, const char *why)
{
	rest_problem(&exchange->reply, status, "%s", why);
	rest_reply_header(&exchange->reply, "Connection", "close");
	exchange->unframed = true;
	return false;
}

bool framing_sound(struct rest_exchange *exchange, const char *version)
{
	struct fields fields = { 0 };
	MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, count, &fields);
	if (fields.not_name)
		return refuse(exchange, 400, "the name of a header field has a letter that no name has");
	if (fields.hosts > 1)
		return refuse(exchange, 400, "more than one Host");
	if (!fields.hosts && strcmp(version, "HTTP/1.0") != 0)
		return refuse(exchange, 400, "no Host, which HTTP/1.1 demands");
	if (fields.lengths > 1 || (fields.lengths && fields.codings))
		return refuse(exchange, 400, "more than one word on how long the body is");
	if (fields.codings > 1 || (fields.coding && strcasecmp(fields.coding, "chunked") != 0))
		return refuse(exchange, 501, "no transfer coding but chunked is known here");
	return true;
}
