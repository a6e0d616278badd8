/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Who asks, whether that is too often, and whether they may: what a request must pass before it is looked
 * at. HTTP thread; the exchange's data.
 */
#include "manage/rest_private.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "manage/access.h"
#include "manage/problem.h"
#include "manage/trust.h"

/* A connection that stays is asked again whether its certificate is still within its time. */
enum { CERTIFICATE_AGAIN_S = 60 };

static const char *header(const struct rest_exchange *exchange, const char *name)
{
	return MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, name);
}

/* --- credentials --- */

static bool unauthorized(struct rest_exchange *exchange, const char *error, const char *why)
{
	rest_problem(&exchange->reply, 401, "%s", why);
	rest_reply_header(&exchange->reply, "WWW-Authenticate", "Bearer realm=\"sluice\"%s%s%s",
	                  error ? ", error=\"" : "", error ? error : "", error ? "\"" : "");
	return false;
}

bool judgement_due(struct judgement *judged, struct access *access, time_t now, struct trust **trust)
{
	*trust = access_trust(access, now);
	/* Also where the clock was put back. */
	bool recent = judged->looked && now >= judged->looked && now - judged->looked <= CERTIFICATE_AGAIN_S;
	if (recent && judged->trust == *trust)
		return false;
	trust_release(judged->trust);
	judged->trust = trust_hold(*trust);
	judged->looked = now;
	return true;
}

static void look_at_certificate(struct connection *from, struct MHD_Connection *handle, struct trust *trust,
                                time_t now)
{
	size_t length;
	const unsigned char *der = tls_peer(handle, &length);
	from->caller.role = ROLE_NONE;
	if (!der)
		return;
	from->refusal = "no client certificate is believed here";
	if (trust)
		trust_check(trust, der, length, now, &from->caller, &from->refusal);
}

static bool peer_allowed(struct rest_exchange *exchange)
{
	const struct connection *from = exchange->from;
	if (from->allowed)
		return true;
	rest_problem(&exchange->reply, 403,
	             "user %d is neither root, nor the user of this process, nor in its group",
	             (int)from->peer.uid);
	return false;
}

static bool certificate_believed(struct rest_exchange *exchange)
{
	struct connection *from = exchange->from;
	time_t now = time(NULL);
	struct trust *trust;
	if (judgement_due(&from->judged, exchange->rest->access, now, &trust))
		look_at_certificate(from, exchange->connection, trust, now);
	trust_release(trust);
	return !from->refusal || unauthorized(exchange, NULL, from->refusal);
}

static bool token_known(struct rest_exchange *exchange, const char *token)
{
	struct access *access = exchange->rest->access;
	return tokens_check(access_tokens(access), token, time(NULL), &exchange->request.caller) ||
	       unauthorized(exchange, "invalid_token", "the token is not known here, or its time is over");
}

static void take_behalf(struct rest_exchange *exchange)
{
	struct caller *caller = &exchange->request.caller;
	const char *behalf = exchange->from->tls ? NULL : header(exchange, REST_ON_BEHALF);
	if (behalf)
		snprintf(caller->on_behalf, sizeof caller->on_behalf, "%s", behalf);
}

/* Fills request.caller; nobody is fine, somebody with bad credentials is not. */
static bool identify(struct rest_exchange *exchange)
{
	const char *authorization = header(exchange, "Authorization"),
	           *token = authorization ? access_bearer(authorization) : header(exchange, "X-Auth-Token");
	if (exchange->from->tls ? !certificate_believed(exchange) : !peer_allowed(exchange))
		return false;
	exchange->request.peer = exchange->from->peer;
	exchange->request.caller = exchange->from->caller;
	take_behalf(exchange);
	if (!exchange->rest->access || (!authorization && !token))
		return true;
	if (!token)
		return unauthorized(exchange, "invalid_request", "Authorization: expected Bearer TOKEN");
	return token_known(exchange, token);
}

/* --- limits --- */

static bool busy(struct rest_exchange *exchange, unsigned status, unsigned wait_s, const char *why)
{
	rest_problem(&exchange->reply, status, "%s", why);
	rest_reply_header(&exchange->reply, "Retry-After", "%u", wait_s);
	return false;
}

static bool connection_wanted(struct rest_exchange *exchange)
{
	if (!exchange->from->surplus)
		return true;
	busy(exchange, 503, 5, "too many connections, in all or of this client");
	rest_reply_header(&exchange->reply, "Connection", "close");
	return false;
}

static enum MHD_Result add_size(void *total, enum MHD_ValueKind kind, const char *name, const char *value)
{
	(void)kind;
	*(size_t *)total += strlen(name) + (value ? strlen(value) : 0) + 4;
	return MHD_YES;
}

static bool header_fits(struct rest_exchange *exchange)
{
	size_t total = strlen(exchange->path) + (exchange->query_text ? strlen(exchange->query_text) : 0);
	MHD_get_connection_values(exchange->connection, MHD_HEADER_KIND, add_size, &total);
	if (total <= exchange->rest->limits.header)
		return true;
	rest_problem(&exchange->reply, 431, "request line and headers are %zu bytes, at most %u are taken",
	             total, exchange->rest->limits.header);
	rest_reply_header(&exchange->reply, "Connection", "close");
	return false;
}

/* Known callers are counted by name, so that those behind one address do not starve each other. */
static bool rate_kept(struct rest_exchange *exchange)
{
	const struct caller *caller = &exchange->request.caller;
	char client[CALLER_SUBJECT + 8];
	if (!exchange->from->tls)
		return true;
	if (caller->role)
		snprintf(client, sizeof client, "%.1s:%s", caller->how, caller->subject);
	else
		snprintf(client, sizeof client, "a:%s", exchange->from->client);
	unsigned wait = rates_take(exchange->rest->rates, client, monotonic_us());
	return !wait || busy(exchange, 429, wait, "too many requests a second of this client");
}

bool admit_client(struct rest_exchange *exchange)
{
	bool known = connection_wanted(exchange) && header_fits(exchange) && identify(exchange);
	/* Failed attempts count, too, as the address's. */
	return (rate_kept(exchange) || !known) && known;
}

/* --- rights --- */

bool admit_known(struct rest_exchange *exchange)
{
	const struct rest_route *route = exchange->request.route;
	if (exchange->request.caller.role || (route && route->flags & REST_PUBLIC))
		return true;
	if (!strcmp(exchange->request.caller.how, "none"))
		return unauthorized(exchange, NULL,
		                    "expected a client certificate, or Authorization: Bearer TOKEN");
	rest_problem(&exchange->reply, 403, "the certificate of \"%s\" carries no role (OU)",
	             exchange->request.caller.subject);
	return false;
}

bool admit_role(struct rest_exchange *exchange)
{
	const struct rest_request *request = &exchange->request;
	bool reads = exchange->method == &request->route->get;
	enum role least = exchange->method->role;
	if (!least)
		least = reads ? ROLE_VIEWER : ROLE_OPERATOR;
	if (request->caller.role >= least || (reads && request->route->flags & REST_PUBLIC))
		return true;
	rest_problem(&exchange->reply, 403, "%s %s needs the role %s; \"%s\" is %s", request->method,
	             request->path, role_name(least), request->caller.subject,
	             role_name(request->caller.role));
	return false;
}
