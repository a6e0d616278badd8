/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A REST server: a table of routes, handlers, and all the strictness that HTTP asks for (RFC 9110) done once.
 *
 * Threads: one thread of the HTTP library reads and writes; handlers run on a small bounded pool of threads,
 * so that a handler which takes seconds holds up nobody else; see rest_flag REST_SLOW. A handler must
 * therefore be thread safe. Life cycle: rest_new, rest_add (tables), rest_listen_unix, ... rest_stop (waits
 * for running handlers), which frees all.
 *
 * What the library answers by itself: 400 (escape, JSON with line and column), 401 with WWW-Authenticate, 403
 * (peer, role), 404, 405 with Allow, 412/304 by the helpers below, 413, 415, 429 and 503 with Retry-After
 * (rate; queue full, too many connections or streams), 431, OPTIONS with Allow, HEAD from GET.
 *
 * Who asks: over a unix socket its peer, who is an admin; over TCP, which is always TLS 1.3, whom a bearer
 * token or a client certificate says (manage/access.h). A token that was sent decides, also over a unix
 * socket.
 */
#ifndef SLUICE_MANAGE_REST_H
#define SLUICE_MANAGE_REST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "config/schema.h"
#include "manage/role.h"
#include "util/errors.h"

enum { REST_BODY_LIMIT = 16 << 20, REST_JSON_DEPTH = 64, REST_LEAVE_S = 10 };

/* What a method accepts as a body; 0 means REST_JSON. A body of no bytes needs no type. */
enum rest_type {
	REST_JSON = 1,        /* application/json: parsed into request->json */
	REST_MERGE_PATCH = 2, /* application/merge-patch+json: parsed likewise (RFC 7396) */
	REST_NDJSON = 4,      /* application/x-ndjson: left in request->body, see rest_ndjson */
	REST_BINARY = 16,     /* application/octet-stream: left in request->body */
	REST_ANY = 8,         /* any type, not parsed (a proxy) */
};

enum rest_flag {
	/* May take long (compiles, waits for somebody else). Slow handlers never take the last free thread of
	   the pool. */
	REST_SLOW = 1,
	/* Answered to anybody: liveness for probes that have no credentials. */
	REST_PUBLIC = 2,
	/* Another server answers, and judges the query: see query.c. */
	REST_PASSED_ON = 4,
};

struct rest_request;
struct rest_reply;
struct rest_stream;

typedef void rest_handler(const struct rest_request *request, struct rest_reply *reply);

struct rest_method {
	rest_handler *handle; /* NULL: the method is not allowed here */
	const char *summary;  /* of this method, for the OpenAPI document */
	const char *body;     /* component name of what is sent; NULL: none */
	const char *answer;   /* component name of what comes back ("Op", of a list "Op[]"); NULL: anything */
	const char *query; /* names of its query parameters, parted by blanks; NULL: none. Numbers among them
	                         are checked before the handler is called; see query.c */
	const char *statuses; /* "200 404 409": what the handler answers, for the document; NULL: the usual */
	const char *types;    /* of what comes back, parted by blanks; NULL: application/json */
	unsigned accepts;     /* enum rest_type */
	enum role role;       /* the least that may; ROLE_NONE: viewer for GET, operator for all else */
};

/*
 * One path. A segment is a literal ("config", "config:diff"), a parameter ("{vnf}"), a parameter with an
 * action ("{vnf}:restart"), or at the end a tail ("{rest*}": one or more segments). Literals win over
 * parameters, parameters with an action over those without, and all over a tail. A table ends with pattern
 * == NULL and must outlive the server.
 *
 *	{ "/v1/services/{service}", "A service", .get = { .handle = show, .summary = "Its state" } },
 */
struct rest_route {
	const char *pattern;
	const char *summary; /* what lives at this path */
	struct rest_method get, put, patch, post, del;
	unsigned flags;    /* enum rest_flag */
	size_t body_limit; /* bytes; 0: REST_BODY_LIMIT */
	void *user;        /* NULL: the user pointer of the server */
};

struct rest_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/* Valid while the handler runs. Strings are NUL-terminated UTF-8, decoded. */
struct rest_request {
	const char *method; /* "GET" (also for HEAD), "PUT", ... */
	const char *path;   /* as sent, without the query */
	const char *query;  /* as sent, without "?"; NULL: none */
	const struct rest_route *route;
	const json_t *json; /* parsed body, borrowed; NULL: no body, or a type that is not parsed */
	const char *body;   /* raw body, NUL after its last byte; NULL: none */
	size_t body_length;
	const char *content_type; /* as sent; NULL: none */
	struct rest_peer peer;    /* of a unix socket */
	struct caller caller;
	void *user;                     /* of the route, or else of the server */
	struct rest_exchange *exchange; /* private */
};

/* Parameter of the path by name, decoded; a tail as sent (still escaped, so that a proxy can pass it on).
 * NULL: no such. */
const char *rest_param(const struct rest_request *request, const char *name);
/* Query parameter by name, decoded ("+" is a space); "" if given without a value; NULL if absent. */
const char *rest_query(const struct rest_request *request, const char *name);
/* The same as a number; `otherwise` if absent. False if it is no number in [min, max]: then the reply is a
 * 400. */
bool rest_query_number(const struct rest_request *request, struct rest_reply *reply, const char *name,
                       int64_t min, int64_t max, int64_t otherwise, int64_t *value);
/* True if the query parameter is there and not "0" or "false" ("?dryRun", "?dryRun=1"). */
bool rest_query_flag(const struct rest_request *request, const char *name);
/* Request header by name (any case); NULL: none. */
const char *rest_header(const struct rest_request *request, const char *name);
/* Calls each for every line of an NDJSON body (blank lines skipped), `item` borrowed, `line` from 1. Stops
 * and returns false when each does, or at a bad line: then the reply is a 400 that names the line. */
bool rest_ndjson(const struct rest_request *request, struct rest_reply *reply,
                 bool (*each)(void *state, json_t *item, unsigned line), void *state);

/* --- Replies. A handler that sets nothing answers 204. The last call wins. --- */

/* Takes over json (may be NULL: no body). */
void rest_reply_json(struct rest_reply *reply, unsigned status, json_t *json);
/* Takes over text, which is malloc'd; type is copied. */
void rest_reply_text(struct rest_reply *reply, unsigned status, const char *type, char *text, size_t length);
/* A status without a body. */
void rest_reply_status(struct rest_reply *reply, unsigned status);
/* A response header (at most 16; a name set before is replaced). A value with control characters is left out
 * (RFC 9110 5.5). */
void rest_reply_header(struct rest_reply *reply, const char *name, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* ETag, given without its quotes. A GET whose If-None-Match names it becomes 304. */
void rest_reply_etag(struct rest_reply *reply, const char *format, ...) __attribute__((format(printf, 2, 3)));
void rest_reply_location(struct rest_reply *reply, const char *format, ...)
        __attribute__((format(printf, 2, 3)));
unsigned rest_reply_get_status(const struct rest_reply *reply);
/* A header set before; NULL: none. */
const char *rest_reply_get_header(const struct rest_reply *reply, const char *name);
/* What was changed, for the audit log: taken over, never sent. */
void rest_reply_note(struct rest_reply *reply, json_t *note);
const json_t *rest_reply_get_note(const struct rest_reply *reply);
/* How sluiced tells a VNF whose wish it passes on: believed of admins over a unix socket. */
#define REST_ON_BEHALF "Sluice-On-Behalf-Of"

/*
 * If-Match and If-None-Match of a changing request (RFC 9110 13.1) against the current ETag (without quotes;
 * NULL: the resource does not exist). False: the reply is a 412. Call it under the lock that guards the
 * change.
 */
bool rest_match(const struct rest_request *request, struct rest_reply *reply, const char *current);

/* A handler: who the caller is here, {subject, role, how, address}. */
void rest_whoami(const struct rest_request *request, struct rest_reply *reply);

/* --- Streams: replies that go on (server-sent events, a proxy of them). --- */

struct rest_stream_class {
	/* Copies up to size bytes into text: count; 0 nothing now (called again after a wake); -1 end. HTTP
	 * thread: never block. `idle` is true when `beat_s` seconds have passed since the last byte: send a
	 * heartbeat. */
	ssize_t (*read)(void *state, char *text, size_t size, bool idle);
	/* The stream is over; frees state. HTTP thread, or the thread in rest_stop. No wake may come after
	 * it. */
	void (*close)(void *state);
	unsigned beat_s; /* 0: no heartbeat */
};

/* Makes the reply a stream of this type; `state` is passed on to the class, which owns it from here on. The
 * stream is passed to rest_stream_wake and lives until close is called. NULL (the reply is a 503, state
 * closed) if there are too many. */
struct rest_stream *rest_reply_stream(struct rest_reply *reply, unsigned status, const char *type,
                                      const struct rest_stream_class *class, void *state);
/* Something to read. Any thread; cheap. */
void rest_stream_wake(struct rest_stream *stream);

/* --- The server --- */

struct access;

struct rest_options {
	void *user;            /* for routes that have none of their own */
	struct access *access; /* who may come by TCP, and tokens; NULL: nobody, none */
	unsigned threads;      /* of the pool; 0: 8 */
	unsigned queue;        /* requests that may wait for a thread; 0: 64 */
	unsigned streams;      /* 0: 64 */
	/* Limits; 0 is the default. A client is an IPv4 address or the /64 of an IPv6 address, or for `rate` a
	 * subject. What is beyond is answered 503, 429 or 431, or cut off where there is nothing to answer. */
	unsigned connections; /* 256; in all */
	unsigned per_client;  /* 64; TCP connections */
	unsigned handshakes;  /* 64; TCP connections that have sent no request yet: beyond, they are closed */
	unsigned rate, burst; /* 100 requests a second, 200 at once; TCP */
	size_t body;          /* 16 MiB; of a request, where its route says nothing */
	unsigned header;      /* 16384 bytes of request line and headers together; at most 32768 */
	unsigned idle_s;      /* 60; a silent connection is closed after this */
	unsigned header_s;    /* 10; from the connection to the end of the headers, with the handshake */
	unsigned body_s; /* 30; for the body, and a second more for each 16 KiB of it; the same for a reply */
	/* Before the handler, on its thread: common headers, refusals of the server's own. False: the reply
	 * stands. */
	bool (*admit)(const struct rest_request *request, struct rest_reply *reply, void *user);
	/* After the handler, on its thread: access log, audit, metrics. Not called for what the library
	 * refused. */
	void (*done)(const struct rest_request *request, const struct rest_reply *reply,
	             uint64_t microseconds, void *user);
	/* A request that the library refused (request->route is NULL if it has none). HTTP thread: must not
	 * block. */
	void (*refused)(const struct rest_request *request, const struct rest_reply *reply, void *user);
};

/* `manage` of documents and descriptors: where REST is served over TCP, and its limits. */
extern const struct schema rest_schema[];

/*
 * Sets one limit by its name, for command lines and configurations: connections, perClient, handshakes,
 * rate, burst, body, header, streams, idle, headerTime, bodyTime. False: no such name, or not a number in
 * its range; *why (size bytes) says so.
 */
bool rest_limit(struct rest_options *options, const char *name, int64_t value, char *why, size_t size);
/* The same from "NAME=NUMBER". */
bool rest_limit_text(struct rest_options *options, const char *text, char *why, size_t size);

struct rest_unix {
	const char *path; /* at most 107 bytes */
	bool has_group;   /* members of `group` may connect too, besides root and the server's own user */
	gid_t group;
};

struct rest_tcp {
	const char *
	        address; /* "192.0.2.1:8443", "[2001:db8::1]:8443", "*:8443" (all, IPv4 and IPv6); port 0: any */
};

/* A server without routes or listeners; options may be NULL. NULL if memory or threads are short. SIGPIPE is
 * ignored from here on. */
struct rest *rest_new(const struct rest_options *options);
/* Adds a table of routes; before the first rest_listen. False, with errors, for a bad pattern or one that is
 * there already. */
bool rest_add(struct rest *rest, const struct rest_route *routes, struct errors *errors);
/* Listens on a unix socket, mode 0660. A path where somebody answers is refused ("socket-taken"); a stale one
 * is replaced. */
bool rest_listen_unix(struct rest *rest, const struct rest_unix *where, struct errors *errors);
/* Listens on TCP with TLS 1.3, for those whom options.access lets in; certificates must be there. Writes the
 * address with its port to `bound` (64 bytes; may be NULL). */
bool rest_listen_tcp(struct rest *rest, const struct rest_tcp *where, char *bound, struct errors *errors);
/* Listens there instead of where it last listened on TCP; NULL: nowhere. The new listener comes first, where that can be; the old one takes no more
 * connections, and those that it has may end what they are about: see rest_tend. At the same address it gets the limits of now. False: as
 * rest_listen_tcp; the old one stays unless it was in the way. One thread, which also calls rest_tend and rest_stop. */
bool rest_move_tcp(struct rest *rest, const struct rest_tcp *where, char *bound, struct errors *errors);
/* Ends listeners that were left once their last connection has gone, which is cut off after REST_LEAVE_S; to be called each second after a move. */
void rest_tend(struct rest *rest);
/* Takes the limits of `limits` (see rest_limit) from the next request on, and no other option. That thread. */
void rest_set_limits(struct rest *rest, const struct rest_options *limits);
/* Who may come by TCP, where nobody might until now; for the rest of the server's life. That thread. */
void rest_set_access(struct rest *rest, struct access *access);
/* Takes ADDRESS:PORT apart: a check for configurations. False: what is wrong in *why (static). */
bool rest_tcp_check(const char *address, const char **why);
/* Whether it listens at that very address ("192.0.2.1/24"; *: at none in particular). */
bool rest_tcp_is_at(const char *address, const char *interface);
/* The i-th route of all tables; NULL past the end. */
const struct rest_route *rest_route_at(const struct rest *rest, size_t i);
/* Stops listening, lets running handlers finish, ends the streams, removes the socket, frees. NULL is fine.
 */
void rest_stop(struct rest *rest);
/* Before that: something waits for our end, so who has come and not been heard yet is not waited for. NULL: nothing. */
void rest_hurry(struct rest *rest);

#endif
