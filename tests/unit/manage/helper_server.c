/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The server of the tests; see helper_server.h.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_server.h"

void fixture_start(struct fixture *f, const struct rest_options *options, const struct rest_route *routes)
{
	struct errors errors = ERRORS_NONE;
	memset(f, 0, sizeof *f);
	strcpy(f->folder, "/tmp/sluice-test-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->socket, sizeof f->socket, "%s/rest.sock", f->folder);
	f->rest = rest_new(options);
	assert_non_null(f->rest);
	assert_true(rest_add(f->rest, routes, &errors));
	assert_true(rest_listen_unix(f->rest, &(struct rest_unix){ .path = f->socket }, &errors));
	f->client = http_client_new();
	assert_non_null(f->client);
}

void fixture_stop(struct fixture *f)
{
	http_reply_free(&f->reply);
	http_client_free(f->client);
	rest_stop(f->rest);
	assert_int_equal(access(f->socket, F_OK), -1);
	assert_int_equal(rmdir(f->folder), 0);
}

static unsigned send_request(struct fixture *f, const struct http_request *request)
{
	http_reply_free(&f->reply);
	if (!http_request(f->client, request, &f->reply))
		print_message("%s\n", f->reply.error);
	return f->reply.status;
}

unsigned ask(struct fixture *f, const char *method, const char *path, const char *const *headers,
             const char *body)
{
	return send_request(f, &(struct http_request){ .target = f->socket,
	                                               .method = method,
	                                               .path = path,
	                                               .headers = headers,
	                                               .body = body,
	                                               .body_length = body ? strlen(body) : 0 });
}

unsigned ask_typed(struct fixture *f, const char *method, const char *path, const char *type,
                   const char *body)
{
	return send_request(f, &(struct http_request){ .target = f->socket,
	                                               .method = method,
	                                               .path = path,
	                                               .content_type = type,
	                                               .body = body,
	                                               .body_length = strlen(body) });
}

json_t *reply_json(struct fixture *f)
{
	json_t *json = json_loadb(f->reply.body, f->reply.length, 0, NULL);
	assert_non_null(json);
	return json;
}

size_t raw_exchange(const struct fixture *f, const char *bytes, size_t length, char *answer, size_t size)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 2 };
	size_t got = 0;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", f->socket);
	answer[0] = 0;
	if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
		close(fd);
		return 0;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
	if (send(fd, bytes, length, MSG_NOSIGNAL) > 0) {
		ssize_t count;
		while (got + 1 < size && (count = recv(fd, answer + got, size - 1 - got, 0)) > 0)
			got += (size_t)count;
	}
	answer[got] = 0;
	close(fd);
	return got;
}
