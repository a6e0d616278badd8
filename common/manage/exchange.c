/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One request from its first byte to its last: begun on the HTTP thread, run on the pool while its connection
 * is suspended, answered on the HTTP thread again.
 */
#include "manage/rest_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "manage/problem.h"

void *exchange_new(void *cls, const char *uri, struct MHD_Connection *connection)
{
	struct rest *rest = cls;
	struct rest_exchange *exchange = calloc(1, sizeof *exchange);
	if (!exchange)
		return NULL;
	size_t path = strcspn(uri, "?");
	exchange->rest = exchange->reply.rest = rest;
	exchange->connection = exchange->reply.connection = connection;
	exchange->from = connection_of(connection);
	exchange->request.caller.how = "none";
	exchange->reply.caller = &exchange->request.caller;
	exchange->path = strndup(uri, path);
	exchange->query_text = uri[path] ? strdup(uri + path + 1) : NULL;
	atomic_fetch_add(&rest->exchanges, 1);
	return exchange;
}

void exchange_over(void *cls, struct MHD_Connection *connection, void **context,
                   enum MHD_RequestTerminationCode code)
{
	struct rest_exchange *exchange = *context;
	(void)connection, (void)code;
	if (!exchange)
		return;
	if (exchange->from)
		connection_await(exchange->from, exchange->rest->limits.idle_s);
	for (unsigned i = 0; i < exchange->param_count; i++)
		free(exchange->params[i].value);
	for (unsigned i = 0; i < exchange->query_count; i++) {
		free((char *)exchange->query[i].name);
		free(exchange->query[i].value);
	}
	json_decref(exchange->json);
	reply_clear(&exchange->reply);
	free(exchange->body);
	free(exchange->decoded);
	free(exchange->path);
	free(exchange->query_text);
	free(exchange);
	*context = NULL;
	atomic_fetch_sub(&((struct rest *)cls)->exchanges, 1);
}

static const char *header(const struct rest_exchange *exchange, const char *name)
{
	return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

static bool find_method(struct rest_exchange *exchange)
{
	const struct rest_request *request = &exchange->request;
	char allow[64];
	exchange->method = route_method(request->route, request->method);
	if (exchange->method)
		return true;
	route_allow(request->route, allow, sizeof allow);
	if (!strcmp(request->method, "OPTIONS"))
		rest_reply_status(&exchange->reply, 204);
	else
		rest_problem(&exchange->reply, 405, "%s is not allowed on %s; allowed: %s", request->method,
		             request->path, allow);
	rest_reply_header(&exchange->reply, "Allow", "%s", allow);
	return false;
}

static bool type_accepted(struct rest_exchange *exchange)
{
	unsigned accepts = exchange->method->accepts ? exchange->method->accepts : REST_JSON;
	const char *type = exchange->request.content_type;
	if (accepts & (REST_ANY | body_type(type)))
		return true;
	rest_problem(&exchange->reply, 415, "the body is %s; expected:%s%s%s",
	             type ? type : "of no Content-Type", accepts & REST_JSON ? " application/json" : "",
	             accepts & REST_MERGE_PATCH ? " application/merge-patch+json" : "",
	             accepts & REST_NDJSON ? " application/x-ndjson" : "");
	return false;
}

static size_t body_limit(const struct rest_exchange *exchange)
{
	size_t limit = exchange->request.route->body_limit;
	return limit ? limit : exchange->rest->limits.body;
}

static bool too_large(struct rest_exchange *exchange)
{
	rest_problem(&exchange->reply, 413, "the body exceeds %zu bytes", body_limit(exchange));
	return false;
}

static size_t announced(const struct rest_exchange *exchange)
{
	const char *length = header(exchange, "Content-Length");
	return length ? (size_t)strtoull(length, NULL, 10) : 0;
}

/* How many of them will be read: as many as are allowed here. */
static size_t expected(const struct rest_exchange *exchange)
{
	size_t bytes = announced(exchange),
	       most = exchange->request.route ? body_limit(exchange) : exchange->rest->limits.body;
	return bytes < most ? bytes : most;
}

static bool announced_body_fits(struct rest_exchange *exchange)
{
	size_t bytes = announced(exchange);
	if (!bytes)
		return true;
	if (!type_accepted(exchange))
		return false;
	return bytes <= body_limit(exchange) || too_large(exchange);
}

static bool target_known(struct rest_exchange *exchange)
{
	struct rest_request *request = &exchange->request;
	const char *why = NULL;
	if (!url_split(exchange, &why)) {
		rest_problem(&exchange->reply, 400, "%s: %s", why, exchange->path);
		return false;
	}
	request->route = route_find(exchange);
	if (!admit_known(exchange))
		return false;
	if (!request->route) {
		rest_problem(&exchange->reply, 404, "no such path: %s", exchange->path);
		return false;
	}
	request->user = request->route->user ? request->route->user : exchange->rest->options.user;
	return true;
}

/* Streams take as long as they take; who reads slowly what is whole is given as much time as who writes
 * slowly. */
static enum MHD_Result answer(struct rest_exchange *exchange)
{
	struct rest_reply *reply = &exchange->reply;
	const struct rest_options *options = &exchange->rest->options;
	if (exchange->refused && options->refused)
		options->refused(&exchange->request, reply, options->user);
	connection_deadline(exchange->from,
	                    reply->stream ? 0 : connection_patience(exchange->rest, reply->length));
	return reply_send(reply);
}

static enum MHD_Result begin(struct rest_exchange *exchange, const char *method, const char *version)
{
	struct rest_request *request = &exchange->request;
	if (!exchange->path || !exchange->from)
		return MHD_NO;
	exchange->from->fresh = false;
	request->exchange = exchange;
	request->method = method;
	request->path = exchange->path;
	request->query = exchange->query_text;
	request->content_type = header(exchange, "Content-Type");
	exchange->phase = PHASE_BODY;
	exchange->refused = !framing_sound(exchange, version) || !admit_client(exchange) ||
	                    !target_known(exchange) || !find_method(exchange) || !admit_role(exchange) ||
	                    !query_fits(exchange) || !announced_body_fits(exchange);
	connection_await(exchange->from, connection_patience(exchange->rest, expected(exchange)));
	/* A client that waits for our word learns of the refusal before it sends; for others the body is
	 * drained first, because closing on unread bytes would cost them the reply. */
	return exchange->unframed || (exchange->refused && header(exchange, "Expect")) ? answer(exchange)
	                                                                               : MHD_YES;
}

static bool grow_body(struct rest_exchange *exchange, size_t more)
{
	size_t room = exchange->body_room ? exchange->body_room : 4096;
	while (room <= exchange->body_length + more)
		room *= 2;
	char *body = room == exchange->body_room ? exchange->body : realloc(exchange->body, room);
	if (!body) {
		rest_problem(&exchange->reply, 503, "no memory for the body");
		return false;
	}
	exchange->body = body;
	exchange->body_room = room;
	return true;
}

static bool take_body(struct rest_exchange *exchange, const char *data, size_t size)
{
	if (!exchange->body_length && !type_accepted(exchange))
		return false;
	if (exchange->body_length + size > body_limit(exchange))
		return too_large(exchange);
	if (!grow_body(exchange, size))
		return false;
	memcpy(exchange->body + exchange->body_length, data, size);
	exchange->body_length += size;
	exchange->body[exchange->body_length] = 0;
	return true;
}

static enum MHD_Result upload(struct rest_exchange *exchange, const char *data, size_t *size)
{
	if (!exchange->refused && !take_body(exchange, data, *size)) {
		exchange->refused = true;
		free(exchange->body);
		exchange->body = NULL;
	}
	if (exchange->refused)
		exchange->discarded += *size;
	*size = 0;
	size_t most = exchange->request.caller.role ? REST_DISCARD : REST_DISCARD_NOBODY;
	return exchange->discarded > most ? MHD_NO : MHD_YES;
}

static void turn_away(struct rest_exchange *exchange)
{
	bool ends = atomic_load(&exchange->rest->stopping);
	rest_problem(&exchange->reply, 503,
	             ends ? "the server is about to end" : "too many requests are waiting");
	rest_reply_header(&exchange->reply, "Retry-After", "1");
	if (ends)
		rest_reply_header(&exchange->reply, "Connection", "close");
}

/* Hands the exchange to the pool. The connection is suspended first: the job may be over before the submit
 * returns. */
static enum MHD_Result run(struct rest_exchange *exchange)
{
	exchange->phase = PHASE_RUNNING;
	connection_deadline(exchange->from, 0);
	exchange->job.slow = exchange->request.route->flags & REST_SLOW;
	MHD_suspend_connection(exchange->connection);
	if (!pool_submit(exchange->rest->pool, &exchange->job)) {
		turn_away(exchange);
		exchange->phase = PHASE_DONE;
		MHD_resume_connection(exchange->connection);
	}
	return MHD_YES;
}

enum MHD_Result exchange_step(void *listener, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *data, size_t *size,
                              void **context)
{
	struct rest_exchange *exchange = *context;
	(void)listener, (void)connection, (void)url;
	if (!exchange)
		return MHD_NO;
	if (exchange->phase == PHASE_BEGIN)
		return begin(exchange, method, version);
	if (exchange->phase == PHASE_BODY && *size)
		return upload(exchange, data, size);
	if (exchange->phase == PHASE_BODY && !exchange->refused)
		return run(exchange);
	return answer(exchange);
}

static void handle(struct rest_exchange *exchange)
{
	struct rest_request *request = &exchange->request;
	const struct rest_options *options = &exchange->rest->options;
	if (!strcmp(request->method, "HEAD"))
		request->method = "GET";
	if (options->admit && !options->admit(request, &exchange->reply, options->user))
		return;
	exchange->method->handle(request, &exchange->reply);
	reply_not_modified(exchange);
}

/* On a thread of the pool. After the resume the exchange may be gone already. */
void exchange_run(struct pool_job *job)
{
	struct rest_exchange *exchange = (struct rest_exchange *)job;
	const struct rest_options *options = &exchange->rest->options;
	uint64_t before = monotonic_us();
	exchange->request.body = exchange->body;
	exchange->request.body_length = exchange->body_length;
	if (body_parse(exchange))
		handle(exchange);
	if (options->done)
		options->done(&exchange->request, &exchange->reply, monotonic_us() - before, options->user);
	exchange->phase = PHASE_DONE;
	MHD_resume_connection(exchange->connection);
}
