/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What the parts of the REST server share: server, listener, exchange (one request and its reply), pool,
 * stream. An exchange belongs to the HTTP thread while its body arrives and while its reply leaves, and to
 * one thread of the pool in between; suspending and resuming its connection hands it over, so it needs no
 * lock.
 */
#ifndef SLUICE_MANAGE_REST_PRIVATE_H
#define SLUICE_MANAGE_REST_PRIVATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>

#include "manage/rest.h"

enum {
	REST_SEGMENTS = 32,
	REST_PARAMS = 32,
	REST_QUERY = 32,
	REST_HEADERS = 16,
	REST_STACK = 256 << 10,
	REST_DISCARD = 64 << 20, /* bytes of a refused body that are read before the connection is cut */
	REST_DISCARD_NOBODY = 1 << 20, /* the same of somebody unknown */
	REST_HEADER_MAX = 32 << 10,
	REST_POOL = 64 << 10,    /* memory of a connection for what it sends ahead of its body */
	REST_BYTES_S = 16 << 10, /* the slowest that a body or a reply may move, bytes a second */
};

enum segment_kind { SEGMENT_TAIL, SEGMENT_PARAM, SEGMENT_ACTION, SEGMENT_LITERAL }; /* ascending: what wins */

struct segment {
	enum segment_kind kind;
	char *text;   /* the literal, or the name of the parameter */
	char *action; /* ":restart" of SEGMENT_ACTION */
};

struct pattern {
	const struct rest_route *route;
	struct segment segments[REST_SEGMENTS];
	unsigned count;
};

struct param {
	const char *name;
	char *value; /* malloc'd; for a tail still escaped */
};

struct rest_reply {
	struct rest *rest;
	struct MHD_Connection *connection;
	unsigned status;
	char *type, *text, *etag;
	size_t length;
	struct {
		char *name, *value;
	} headers[REST_HEADERS];
	unsigned header_count;
	const struct caller *caller; /* of the request */
	struct rest_stream *stream;
	json_t *note;
};

struct pool_job {
	struct pool_job *next;
	bool slow;
};

enum phase { PHASE_BEGIN, PHASE_BODY, PHASE_RUNNING, PHASE_DONE };

struct rest_exchange {
	struct pool_job job;
	struct rest *rest;
	struct connection *from;
	struct MHD_Connection *connection;
	struct rest_request request;
	struct rest_reply reply;
	const struct rest_method *method;
	enum phase phase;
	bool refused;  /* the reply is known already, the body is only drained */
	bool unframed; /* and it is not known where the body ends */
	size_t discarded;
	char *path, *query_text; /* as sent */
	char *decoded;           /* segments, each ended by NUL */
	char *segments[REST_SEGMENTS];
	const char *raw[REST_SEGMENTS]; /* where each begins in path */
	unsigned segment_count;
	struct param params[REST_PARAMS];
	unsigned param_count;
	struct param query[REST_QUERY]; /* names malloc'd too */
	unsigned query_count;
	char *body;
	size_t body_length, body_room;
	json_t *json;
};

struct pool;
struct listener;
struct rates;

/* When a client certificate was looked at last, and what was believed then: it is looked at again when either is over. */
struct judgement {
	time_t looked;       /* 0: not yet */
	struct trust *trust; /* held; NULL: no certificate was believed */
};

/*
 * A connection, from its acceptance to its end, known to the HTTP library as the socket's context. The HTTP
 * thread of its listener owns it; the list, its links and the counts are guarded by connection_lock, and the
 * ticker reads the deadline.
 */
struct connection {
	struct connection *next, **link;
	struct listener *listener;
	int fd;
	bool tls, allowed;       /* allowed: the peer of a unix socket is one who may */
	bool surplus;            /* beyond a limit: its first request is answered 503 */
	_Atomic bool fresh;      /* no request yet */
	struct judgement judged; /* of its certificate */
	const char *refusal;     /* why that is not believed; NULL: it is, or there is none */
	struct rest_peer peer;
	struct caller caller;         /* whom the connection itself speaks for */
	char client[CALLER_ADDRESS];  /* what limits count: the address, or its /64 */
	_Atomic uint64_t deadline_us; /* to be cut then; 0: never */
	_Atomic bool heard;           /* what it has sent by then is no reason to cut it */
	_Atomic bool warned;          /* found late once */
};

/* Limits that may change while requests are served: whoever reads one sees the former or the new. */
struct limits {
	_Atomic unsigned connections, per_client, handshakes, streams, header, idle_s, header_s, body_s;
	_Atomic size_t body;
};

struct rest {
	struct rest_options options; /* but for what follows */
	struct limits limits;
	struct access *_Atomic access;
	struct pattern *patterns;
	size_t pattern_count;
	struct listener *listeners;
	struct pool *pool;
	struct rates *rates;
	pthread_mutex_t connection_lock;
	struct connection *connections;
	unsigned connection_count;
	atomic_uint exchanges;
	atomic_bool stopping;
	bool hurried; /* nobody is waited for at the end but who is being answered */
	/* Streams: the list, its ticker thread; guarded by stream_lock. */
	pthread_mutex_t stream_lock;
	pthread_cond_t stream_change;
	pthread_t ticker;
	struct rest_stream *streams;
	unsigned stream_count;
};

/* route.c */
bool pattern_parse(struct pattern *pattern, const struct rest_route *route, struct errors *errors);
void pattern_free(struct pattern *pattern);
/* Finds the best route for the exchange's segments and fills its parameters; NULL: none. */
const struct rest_route *route_find(struct rest_exchange *exchange);
const struct rest_method *route_method(const struct rest_route *route, const char *method);
/* "GET, HEAD, OPTIONS" into text. */
void route_allow(const struct rest_route *route, char *text, size_t size);
/* Decodes %xx in place (and + if plus); false: a bad escape or a NUL. */
bool url_decode(char *text, bool plus);
/* Splits and decodes path and query; false: what is wrong in why. */
bool url_split(struct rest_exchange *exchange, const char **why);

/* pool.c */
struct pool *pool_new(unsigned threads, unsigned queue, void (*run)(struct pool_job *));
bool pool_submit(struct pool *pool, struct pool_job *job); /* false: full, or stopping */
void pool_drain(struct pool *pool); /* runs what is queued, ends the threads, takes no more */
void pool_free(struct pool *pool);  /* drains, then frees */
/* A thread with a small stack and all signals blocked. */
bool thread_start(pthread_t *thread, void *(*run)(void *), void *argument);

/* exchange.c: the callbacks of the HTTP library */
void *exchange_new(void *rest, const char *uri, struct MHD_Connection *connection);
enum MHD_Result exchange_step(void *listener, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data, size_t *size,
                              void **context);
void exchange_over(void *rest, struct MHD_Connection *connection, void **context,
                   enum MHD_RequestTerminationCode code);
void exchange_run(struct pool_job *job);

/* body.c */
unsigned body_type(const char *content_type);
/* Whether JSON is nested deeper than REST_JSON_DEPTH: the parser would need more stack than our threads have. */
bool body_too_deep(const char *text, size_t length);
bool body_parse(struct rest_exchange *exchange);

/* reply.c */
enum MHD_Result reply_send(struct rest_reply *reply);
void reply_clear(struct rest_reply *reply);
void reply_not_modified(struct rest_exchange *exchange);

/* framing.c: whether headers say without doubt where the request ends; false: the reply says why not. */
bool framing_sound(struct rest_exchange *exchange, const char *version);

/* admit.c: what is asked before a request is looked at. False: the reply says why. HTTP thread. */
bool admit_client(struct rest_exchange *exchange);
/* Whether the caller is known at all, or the route is for anybody; and whether its role suffices. */
bool admit_known(struct rest_exchange *exchange);
bool admit_role(struct rest_exchange *exchange);
/* Whether a certificate is to be looked at again: authorities or their lists have changed, or a minute is over. *trust: by what; to be released. Any thread. */
bool judgement_due(struct judgement *judged, struct access *access, time_t now, struct trust **trust);

/* query.c: parameters that mean the same on every route; of numbers the range (max 0: it is none). */
struct query_parameter {
	const char *name, *type, *help;
	int64_t min, max;
};
/* Takes the next of a row's names ("limit", "limit<=4096") off the list; `name` holds its text. False: there
 * is none. */
bool query_next(const char **names, struct query_parameter *parameter, char *name, size_t size);
/* Whether the numbers among the documented ones are numbers in their range; false: the reply is a 400. */
bool query_fits(struct rest_exchange *exchange);

/* rates.c: requests a second of each client; some clients share when there are very many. */
struct rates *rates_new(unsigned rate, unsigned burst);
void rates_free(struct rates *rates);
void rates_set(struct rates *rates, unsigned rate, unsigned burst);
/* 0: go on; else the seconds until it may. Any thread. */
unsigned rates_take(struct rates *rates, const char *client, uint64_t now_us);

/* connection.c */
void connection_open(struct listener *listener, struct MHD_Connection *handle, void **context);
void connection_close(struct listener *listener, void **context);
struct connection *connection_of(struct MHD_Connection *handle);
/* Gives it so many seconds from now to say something, or to take what we say; 0: as long as it takes. */
void connection_await(struct connection *connection, unsigned seconds);
void connection_deadline(struct connection *connection, unsigned seconds);
/* Seconds for a body or reply of so many bytes. */
unsigned connection_patience(const struct rest *rest, size_t bytes);
bool connections_any(struct rest *rest);
/* Whether any has sent what was not read yet; fresh: or came and has sent nothing yet. */
bool connections_speak(struct rest *rest, bool fresh);
/* Whether any is a listener's; cut: they are cut off, too. */
bool connections_of(struct rest *rest, const struct listener *listener, bool cut);
/* Cuts those whose time is over. */
void connections_sweep(struct rest *rest, uint64_t now_us);

/* listen.c: what all listeners share. A kind begins with a struct listener. */
struct listener {
	struct listener *next;
	struct rest *rest;
	struct MHD_Daemon *daemon;
	bool tls;
	char address[64]; /* TCP: as it was asked for */
	uint64_t left_us; /* when it was told to take no more connections; 0: it was not */
	void (*arrive)(struct listener *listener, struct connection *connection); /* who is it? */
	void (*close)(struct listener *listener); /* nobody finds it any more */
	void (*free)(struct listener *listener);
};
/* Starts the HTTP library on a listening socket, which it takes over if it succeeds, and adds the listener. */
bool listener_begin(struct listener *listener, int fd);
/* It takes no more connections; answers its socket, which is the caller's now, or -1. */
int listener_leave(struct listener *listener);
void listeners_close(struct rest *rest);
/* Whether anybody waits to be let in. */
bool listeners_wanted(const struct rest *rest);
void listeners_free(struct rest *rest);

/* tls.c: the side of GnuTLS */
int tls_certificate(gnutls_session_t session, const struct gnutls_cert_retr_st *info, gnutls_pcert_st **chain,
                    unsigned *length, gnutls_ocsp_data_st **ocsp, unsigned *ocsp_length,
                    gnutls_privkey_t *key, unsigned *flags);
/* Asks the client for a certificate. */
void tls_begin(struct MHD_Connection *handle);
/* The client's certificate in DER, borrowed; NULL: it sent none. */
const unsigned char *tls_peer(struct MHD_Connection *handle, size_t *length);

/* stream.c */
void *stream_ticker(void *rest);
void streams_end(struct rest *rest);
/* How many there are: of those that were told to end, whose clients have not taken that yet. */
unsigned streams_open(struct rest *rest);
struct MHD_Response *stream_response(struct rest_stream *stream);
void stream_discard(struct rest_stream *stream);

uint64_t monotonic_us(void);

#endif
