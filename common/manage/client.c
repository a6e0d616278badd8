/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The HTTP client: one libcurl handle, which keeps its connections. One thread at a time uses it.
 */
#include "manage/client.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "manage/strbuf.h"

enum { DEFAULT_TIMEOUT_MS = 10000, DEFAULT_LIMIT = 64 << 20 };

struct http_client {
	CURL *curl;
	char *cacert, *cert, *key, *authorization; /* NULL: none */
};

/* One exchange under way. A body goes to `handler` if there is one, else into `body`. */
struct exchange {
	struct http_client *client;
	const struct http_request *request;
	struct http_reply *reply;
	struct strbuf body;
	size_t limit;
	http_data_handler *handler;
	void *user;
	bool stopped, too_long, given_up;
	char why[CURL_ERROR_SIZE]; /* what the library says of a failure */
};

static void init_library(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

struct http_client *http_client_new(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, init_library);
	struct http_client *client = calloc(1, sizeof *client);
	if (client && !(client->curl = curl_easy_init())) {
		free(client);
		return NULL;
	}
	return client;
}

void http_client_free(struct http_client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	http_client_identify(client, &(struct http_identity){ 0 });
	free(client);
}

static void replace(char **text, const char *by)
{
	free(*text);
	*text = by ? strdup(by) : NULL;
}

void http_client_identify(struct http_client *client, const struct http_identity *identity)
{
	char *header = NULL;
	if (identity->token && asprintf(&header, "Authorization: Bearer %s", identity->token) < 0)
		header = NULL;
	replace(&client->cacert, identity->cacert);
	replace(&client->cert, identity->cert);
	replace(&client->key, identity->key);
	replace(&client->authorization, header);
	free(header);
}

void http_reply_free(struct http_reply *reply)
{
	free(reply->body);
	free(reply->content_type);
	free(reply->etag);
	free(reply->location);
	free(reply->allow);
	free(reply->link);
	free(reply->retry_after);
	memset(reply, 0, sizeof *reply);
}

static void keep_header(char **place, const char *value, size_t length)
{
	while (length && strchr(" \t", *value))
		value++, length--;
	while (length && strchr(" \t\r\n", value[length - 1]))
		length--;
	free(*place);
	*place = strndup(value, length);
}

/* The status is known from the first line of a reply on; a 100 is forgotten when the next reply begins. */
static size_t take_header(char *line, size_t one, size_t length, void *argument)
{
	struct exchange *exchange = argument;
	struct http_reply *reply = exchange->reply;
	const struct {
		const char *name;
		char **place;
	} kept[] = {
		{ "Content-Type:", &reply->content_type },
		{ "ETag:", &reply->etag },
		{ "Location:", &reply->location },
		{ "Allow:", &reply->allow },
		{ "Link:", &reply->link },
		{ "Retry-After:", &reply->retry_after },
	};
	(void)one;
	long status = 0;
	curl_easy_getinfo(exchange->client->curl, CURLINFO_RESPONSE_CODE, &status);
	reply->status = (unsigned)status;
	for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
		size_t name = strlen(kept[i].name);
		if (length > name && !strncasecmp(line, kept[i].name, name))
			keep_header(kept[i].place, line + name, length - name);
	}
	return length;
}

static size_t take_body(char *data, size_t one, size_t length, void *argument)
{
	struct exchange *exchange = argument;
	(void)one;
	if (exchange->handler) {
		exchange->stopped = !exchange->handler(exchange->user, exchange->reply, data, length);
		return exchange->stopped ? CURL_WRITEFUNC_ERROR : length;
	}
	exchange->too_long = exchange->body.length + length > exchange->limit;
	if (exchange->too_long)
		return CURL_WRITEFUNC_ERROR;
	strbuf_add(&exchange->body, data, length);
	return exchange->body.failed ? CURL_WRITEFUNC_ERROR : length;
}

static int tick(void *argument, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct exchange *exchange = argument;
	(void)a, (void)b, (void)c, (void)d;
	/* The library ticks once more after the end: a handler that has stopped is not called again. */
	if (exchange->handler && !exchange->stopped)
		exchange->stopped = !exchange->handler(exchange->user, exchange->reply, NULL, 0);
	if (exchange->request->give_up && !exchange->given_up)
		exchange->given_up = exchange->request->give_up(exchange->request->user);
	return exchange->stopped || exchange->given_up;
}

/* Children that this process starts must not inherit its connections. */
static int close_on_exec(void *argument, curl_socket_t fd, curlsocktype purpose)
{
	(void)argument, (void)purpose;
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return CURL_SOCKOPT_OK;
}

static const char *socket_path(const char *target)
{
	if (!strncmp(target, "unix:", 5))
		return target + 5;
	return strstr(target, "://") ? NULL : target;
}

static bool set_url(CURL *curl, const struct http_request *request)
{
	char *url = NULL;
	const char *path = socket_path(request->target);
	if (asprintf(&url, "%s%s", path ? "http://localhost" : request->target, request->path) < 0)
		return false;
	if (path)
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
	bool set = curl_easy_setopt(curl, CURLOPT_URL, url) == CURLE_OK;
	free(url);
	return set;
}

static struct curl_slist *make_headers(const struct http_client *client, const struct http_request *request)
{
	char type[128];
	struct curl_slist *list = NULL;
	snprintf(type, sizeof type, "Content-Type: %s",
	         request->content_type ? request->content_type : "application/json");
	if (request->body)
		list = curl_slist_append(list, type);
	for (const char *const *header = request->headers; header && *header; header++)
		list = curl_slist_append(list, *header);
	if (client->authorization)
		list = curl_slist_append(list, client->authorization);
	return list;
}

static void set_identity(const struct http_client *client)
{
	CURL *curl = client->curl;
	curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_3);
	if (client->cacert)
		curl_easy_setopt(curl, CURLOPT_CAINFO, client->cacert);
	if (client->cert)
		curl_easy_setopt(curl, CURLOPT_SSLCERT, client->cert);
	if (client->key)
		curl_easy_setopt(curl, CURLOPT_SSLKEY, client->key);
}

static void set_method(CURL *curl, const struct http_request *request)
{
	const char *method = request->method ? request->method : "GET";
	if (request->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_length);
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
	}
	if (!strcmp(method, "HEAD"))
		curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
	else
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static void set_limits(CURL *curl, const struct exchange *exchange)
{
	long timeout = exchange->request->timeout_ms ? exchange->request->timeout_ms : DEFAULT_TIMEOUT_MS;
	curl_easy_setopt(curl, exchange->handler ? CURLOPT_CONNECTTIMEOUT_MS : CURLOPT_TIMEOUT_MS, timeout);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
}

static void set_callbacks(CURL *curl, struct exchange *exchange)
{
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_SOCKOPTFUNCTION, close_on_exec);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, tick);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, exchange);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, exchange->why);
	bool ticks = exchange->handler || exchange->request->give_up;
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, ticks ? 0L : 1L);
}

static bool failed(struct exchange *exchange, CURLcode code)
{
	struct http_reply *reply = exchange->reply;
	const char *target = exchange->request->target;
	const char *why = exchange->why[0] ? exchange->why : curl_easy_strerror(code);
	reply->timed_out = code == CURLE_OPERATION_TIMEDOUT;
	if (exchange->too_long)
		snprintf(reply->error, sizeof reply->error, "%s: the reply exceeds %zu bytes", target,
		         exchange->limit);
	else if (exchange->given_up)
		snprintf(reply->error, sizeof reply->error, "%s: given up", target);
	else if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST)
		snprintf(reply->error, sizeof reply->error, "cannot reach %s: %s", target,
		         curl_easy_strerror(code));
	else
		snprintf(reply->error, sizeof reply->error, "%s %s at %s: %.160s",
		         exchange->request->method ? exchange->request->method : "GET",
		         exchange->request->path, target, why);
	reply->status = 0;
	return false;
}

static bool perform(struct exchange *exchange)
{
	CURL *curl = exchange->client->curl;
	struct http_reply *reply = exchange->reply;
	memset(reply, 0, sizeof *reply);
	curl_easy_reset(curl);
	struct curl_slist *headers = make_headers(exchange->client, exchange->request);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	exchange->limit = exchange->request->limit ? exchange->request->limit : DEFAULT_LIMIT;
	set_method(curl, exchange->request);
	set_limits(curl, exchange);
	set_identity(exchange->client);
	set_callbacks(curl, exchange);
	CURLcode code = set_url(curl, exchange->request) ? curl_easy_perform(curl) : CURLE_OUT_OF_MEMORY;
	curl_slist_free_all(headers);
	reply->body = strbuf_take(&exchange->body, &reply->length);
	if ((code != CURLE_OK && !exchange->stopped) || !reply->body)
		return failed(exchange, code);
	return reply->status > 0;
}

bool http_request(struct http_client *client, const struct http_request *request, struct http_reply *reply)
{
	struct exchange exchange = { .client = client, .request = request, .reply = reply };
	return perform(&exchange);
}

bool http_request_json(struct http_client *client, const struct http_request *request, const json_t *body,
                       struct http_reply *reply, json_t **answer)
{
	struct http_request with_body = *request;
	char *text = body ? json_dumps(body, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
	with_body.body = text;
	with_body.body_length = text ? strlen(text) : 0;
	bool came = http_request(client, &with_body, reply);
	*answer = came ? json_loadb(reply->body, reply->length, JSON_DECODE_ANY, NULL) : NULL;
	free(text);
	return came;
}

bool http_stream(struct http_client *client, const struct http_request *request, http_data_handler *handler,
                 void *user, struct http_reply *reply)
{
	struct exchange exchange = {
		.client = client, .request = request, .reply = reply, .handler = handler, .user = user
	};
	return perform(&exchange);
}
