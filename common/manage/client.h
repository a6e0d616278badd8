/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * An HTTP client over a unix socket or a URL. A handle keeps its connections open between requests; it
 * belongs to one thread at a time. Life cycle: http_client_new, requests, http_client_free.
 */
#ifndef SLUICE_MANAGE_CLIENT_H
#define SLUICE_MANAGE_CLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include <jansson.h>

struct http_client;

struct http_request {
	const char *target;         /* "/run/sluice/edge.sock" or "unix:/run/..." (a unix socket), or
	                               "http://host:port", "https://..." */
	const char *method;         /* NULL: "GET" */
	const char *path;           /* "/v1/config?dryRun=1", escaped already */
	const char *const *headers; /* "If-Match: \"7\"", NULL-terminated; may be NULL */
	const char *body;           /* may be NULL */
	size_t body_length;
	const char *content_type; /* of the body; NULL: application/json */
	long timeout_ms;          /* of the whole exchange; 0: 10 s; of a stream: the time to connect */
	size_t limit;             /* of the reply's body; 0: 64 MiB */
	/* Asked at least each second: true ends the exchange, which has failed then; NULL: nobody. */
	bool (*give_up)(void *user);
	void *user;
};

/* What came back. status 0: nothing did, `error` says why ("cannot reach /run/x.sock: ..."). Free with
 * http_reply_free. */
struct http_reply {
	unsigned status;
	char *body; /* NUL after its last byte; never NULL when status > 0 */
	size_t length;
	char *content_type, *etag, *location, *allow, *link,
	        *retry_after; /* NULL where absent; etag as sent, with its quotes */
	bool timed_out;
	char error[256];
};

/* How a client shows itself and whom it believes; files are PEM. All may be NULL. */
struct http_identity {
	const char *cacert;     /* of the authorities that servers must be of; NULL: the system's */
	const char *cert, *key; /* ours */
	const char *token;      /* sent as Authorization: Bearer */
};

struct http_client *http_client_new(void);
/* For all requests from here on; copied. */
void http_client_identify(struct http_client *client, const struct http_identity *identity);
void http_client_free(struct http_client *client);

/* One exchange. True if a reply came, whatever its status. `reply` is overwritten, not freed first. */
bool http_request(struct http_client *client, const struct http_request *request, struct http_reply *reply);

/* As http_request with a JSON body (borrowed, may be NULL) and the parsed answer in *answer (new reference;
 * NULL if it is not JSON). */
bool http_request_json(struct http_client *client, const struct http_request *request, const json_t *body,
                       struct http_reply *reply, json_t **answer);

void http_reply_free(struct http_reply *reply);

/* One server-sent event. Strings live during the call. */
struct http_event {
	const char *id;    /* NULL: none */
	const char *event; /* "message" if not named */
	const char *data;
};

/* Called for events, and with NULL for comments and at least each second; false ends the stream. */
typedef bool http_event_handler(void *user, const struct http_event *event);

/* Follows a stream of server-sent events until the handler or the server ends it. True if the server answered
 * 200. */
bool http_events(struct http_client *client, const struct http_request *request, http_event_handler *handler,
                 void *user, struct http_reply *reply);

/* Receives a reply's body as it comes, `status` and `content_type` known; false ends it. data is NULL at
 * least each second. */
typedef bool http_data_handler(void *user, const struct http_reply *head, const char *data, size_t length);

/* Any streaming body (a proxy). True if a reply came. */
bool http_stream(struct http_client *client, const struct http_request *request, http_data_handler *handler,
                 void *user, struct http_reply *reply);

#endif
