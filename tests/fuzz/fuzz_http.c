/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Any bytes on a connection to a REST server whose handlers use all that a handler has: parameters, queries, filters, pages,
 * preconditions, JSON and NDJSON bodies. Whatever comes, also a client that leaves in the middle: an answer is one of HTTP and
 * never "500", and later requests are served. One server for all inputs, stopped at the end.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "manage/access.h"
#include "manage/pages.h"
#include "manage/problem.h"
#include "manage/rest.h"

/* An unfinished request gets no answer: QUIET_MS is how long one is waited for. */
enum { PATIENCE_S = 30, QUIET_MS = 3, CHECK_EVERY = 64, ANSWER = 65536 };

int LLVMFuzzerInitialize(int *count, char ***arguments);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
	struct rest *rest;
	struct access *access; /* so that Authorization is read */
	char folder[64], path[96];
} server;

static void require(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "%s\n", what);
	abort();
}

static void list(const struct rest_request *request, struct rest_reply *reply)
{
	json_t *array = json_array();

	for (int i = 0; i < 30; i++)
		json_array_append_new(array,
		                      json_pack("{s:i, s:{s:s}}", "n", i, "deep", "name", i % 2 ? "a" : "b"));
	page_reply(request, reply, array);
}

static void number(const struct rest_request *request, struct rest_reply *reply)
{
	int64_t value;
	const char *tail = rest_param(request, "rest");

	if (rest_query_number(request, reply, "n", -5, 1000, 7, &value))
		rest_reply_json(reply, 200, json_pack("{s:I, s:s?}", "n", (json_int_t)value, "tail", tail));
}

static void put(const struct rest_request *request, struct rest_reply *reply)
{
	if (!rest_match(request, reply, "1"))
		return;
	rest_reply_etag(reply, "%s", rest_param(request, "name"));
	rest_reply_location(reply, "/v1/things/%s", rest_param(request, "name"));
	rest_reply_json(reply, 201, json_deep_copy(request->json));
}

static void show(const struct rest_request *request, struct rest_reply *reply)
{
	rest_reply_etag(reply, "1");
	rest_reply_json(reply, 200, json_pack("{s:s}", "name", rest_param(request, "name")));
}

static bool one_line(void *state, json_t *item, unsigned line)
{
	*(unsigned *)state += line;
	return item != NULL;
}

static void lines(const struct rest_request *request, struct rest_reply *reply)
{
	unsigned sum = 0;

	if (rest_ndjson(request, reply, one_line, &sum))
		rest_reply_json(reply, 200, json_pack("{s:i}", "sum", (int)sum));
}

static const struct rest_route routes[] = {
	{ "/v1/things", "list", .get = { .handle = list } },
	{ "/v1/things/{name}", "one", .get = { .handle = show }, .put = { .handle = put },
	  .patch = { .handle = put, .accepts = REST_MERGE_PATCH }, .body_limit = 1024 },
	{ "/v1/lines", "lines", .post = { .handle = lines, .accepts = REST_NDJSON } },
	{ "/v1/any", "any", .post = { .handle = number, .accepts = REST_ANY } },
	{ "/v1/number/{rest*}", "number", .get = { .handle = number } },
	{ 0 },
};

static void stop(void)
{
	rest_stop(server.rest);
	access_close(server.access);
	rmdir(server.folder);
}

int LLVMFuzzerInitialize(int *count, char ***arguments)
{
	struct errors errors = ERRORS_NONE;

	(void)count;
	(void)arguments;
	OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CRYPTO_STRINGS,
	                    NULL); /* so that it is cleaned up behind our threads, not before */
	strcpy(server.folder, "/tmp/sluice-fuzz-XXXXXX");
	require(mkdtemp(server.folder) != NULL, "no folder");
	snprintf(server.path, sizeof(server.path), "%s/rest.sock", server.folder);
	server.access = access_open(server.folder, NULL, &errors);
	server.rest = rest_new(&(struct rest_options){ .threads = 2, .access = server.access });
	require(server.rest && rest_add(server.rest, routes, &errors), "no server");
	require(rest_listen_unix(server.rest, &(struct rest_unix){ .path = server.path }, &errors),
	        "no socket");
	atexit(stop);
	return 0;
}

static int reach(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = PATIENCE_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", server.path);
	require(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "not served");
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	return fd;
}

static bool readable(int fd, int milliseconds)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, milliseconds) == 1;
}

/* What comes until the connection ends or the server has nothing to say; it keeps the beginning. */
static size_t listen_to(int fd, char *answer, size_t room)
{
	char rest[4096];
	size_t got = 0;
	ssize_t n = 1;

	while (n > 0 && readable(fd, QUIET_MS)) {
		n = got < room ? recv(fd, answer + got, room - got, 0) : recv(fd, rest, sizeof(rest), 0);
		if (n > 0 && got < room)
			got += (size_t)n;
	}
	return got;
}

/* A socket with a limit of time ends its waits at every signal, and the fuzzer's own clock rings now and then. */
static bool receive(int fd, char *answer, size_t size)
{
	size_t got = 0;
	ssize_t n;

	do {
		n = recv(fd, answer + got, size - got, 0);
		if (n > 0)
			got += (size_t)n;
	} while (got < size && (n > 0 || (n < 0 && errno == EINTR)));
	return got == size;
}

/* Whatever came before, a plain request is answered. */
static void check_served(void)
{
	static const char request[] = "GET /v1/things/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	char answer[13];
	int fd = reach();

	require(send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) == sizeof(request) - 1, "not read");
	require(receive(fd, answer, sizeof(answer)), "not answered");
	require(memcmp(answer, "HTTP/1.1 200 ", sizeof(answer)) == 0, "another answer than 200");
	close(fd);
}

static void exchange(const uint8_t *data, size_t size)
{
	static char answer[ANSWER];
	int fd = reach();
	size_t got;

	send(fd, data, size, MSG_NOSIGNAL);
	got = listen_to(fd, answer, sizeof(answer) - 1);
	close(fd);
	answer[got] = 0;
	require(got == 0 || strncmp(answer, "HTTP/1.", 7) == 0, "no answer of HTTP");
	require(got == 0 || strncmp(answer + 9, "500", 3) != 0, "500");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned inputs;

	exchange(data, size);
	if (inputs++ % CHECK_EVERY == 0)
		check_served();
	return 0;
}
