/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whoever was let in and has asked is answered: also when the server stood still meanwhile, when a handler takes longer than a connection
 * may be silent, when very many come at once, and when the server is about to end.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "helper_server.h"

enum { ANSWER_S = 30 };

static void quick(const struct rest_request *request, struct rest_reply *reply)
{
	(void)request;
	rest_reply_json(reply, 200, json_object());
}

static void slow(const struct rest_request *request, struct rest_reply *reply)
{
	usleep(2200000);
	quick(request, reply);
}

static const struct rest_route routes[] = {
	{ "/slow", "slow", .get = { .handle = slow }, .flags = REST_SLOW },
	{ "/quick", "quick", .get = { .handle = quick } },
	{ 0 },
};

/* A connection; -1: nobody listens. */
static int join(const struct fixture *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = ANSWER_S };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", f->socket);
	if (connect(fd, (struct sockaddr *)&address, sizeof address)) {
		close(fd);
		return -1;
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	return fd;
}

static bool send_get(int fd, const char *path)
{
	char text[128];
	int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path);

	return send(fd, text, (size_t)length, MSG_NOSIGNAL) == length;
}

/* The status of the next answer; 0: the connection was closed without one. */
static unsigned answer(int fd)
{
	char text[4096] = "";
	ssize_t got = recv(fd, text, sizeof text - 1, 0);
	unsigned status = 0;

	if (got > 0)
		sscanf(text, "HTTP/1.1 %u", &status);
	return status;
}

static void handlers_may_take_longer_than_a_connection_may_be_silent(void **state)
{
	struct fixture f;

	(void)state;
	fixture_start(&f, &(struct rest_options){ .idle_s = 1, .header_s = 1, .body_s = 1 }, routes);
	int fd = join(&f);
	assert_true(send_get(fd, "/slow"));
	assert_int_equal(answer(fd), 200);
	assert_true(send_get(fd, "/quick"));
	assert_int_equal(answer(fd), 200);
	close(fd);
	fixture_stop(&f);
}

/* Serves in a process of its own, until it is killed. */
static pid_t serve_apart(struct fixture *f, const struct rest_options *options)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	strcpy(f->folder, "/tmp/sluice-answers-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	snprintf(f->socket, sizeof f->socket, "%s/s", f->folder);
	pid_t pid = fork();
	if (pid == 0) {
		struct errors errors = ERRORS_NONE;
		struct rest *rest = rest_new(options);

		if (!rest || !rest_add(rest, routes, &errors) ||
		    !rest_listen_unix(rest, &(struct rest_unix){ .path = f->socket }, &errors))
			_exit(1);
		ssize_t told = write(ready[1], "r", 1);
		for (;;)
			usleep((useconds_t)(told * 1000000));
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

/* One that has just come, one that has asked before. */
static void a_server_that_stood_still_answers(void **state)
{
	enum { CLIENTS = 16 };
	struct fixture f;
	pid_t server = serve_apart(&f, &(struct rest_options){ .idle_s = 1, .header_s = 1 });
	int fds[CLIENTS];

	(void)state;
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = join(&f);
		if (i % 2) {
			assert_true(send_get(fds[i], "/quick"));
			assert_int_equal(answer(fds[i]), 200);
		}
	}
	assert_int_equal(kill(server, SIGSTOP), 0);
	for (int i = 0; i < CLIENTS; i++)
		assert_true(send_get(fds[i], "/quick"));
	usleep(2200000);
	assert_int_equal(kill(server, SIGCONT), 0);
	unsigned answered = 0;
	for (int i = 0; i < CLIENTS; i++) {
		answered += answer(fds[i]) == 200;
		close(fds[i]);
	}
	kill(server, SIGKILL);
	waitpid(server, NULL, 0);
	unlink(f.socket);
	rmdir(f.folder);
	assert_int_equal(answered, CLIENTS);
}

static void more_than_may_come_are_told(void **state)
{
	enum { CLIENTS = 120 };
	struct fixture f;
	int fds[CLIENTS];
	unsigned served = 0, refused = 0;

	(void)state;
	fixture_start(&f, &(struct rest_options){ .connections = 4 }, routes);
	for (int i = 0; i < CLIENTS; i++) {
		fds[i] = join(&f);
		assert_true(fds[i] >= 0);
		assert_true(send_get(fds[i], "/quick"));
	}
	for (int i = 0; i < CLIENTS; i++) {
		unsigned status = answer(fds[i]);

		served += status == 200;
		refused += status == 503;
		close(fds[i]);
	}
	assert_int_equal(served + refused, CLIENTS);
	assert_true(served >= 4);
	fixture_stop(&f);
}

struct visitor {
	const struct fixture *f;
	atomic_bool *over;
	unsigned answered, cut;
	pthread_t thread;
};

static void *call(void *argument)
{
	struct visitor *visitor = argument;

	while (!atomic_load(visitor->over)) {
		int fd = join(visitor->f);

		if (fd < 0)
			break;
		if (send_get(fd, "/quick")) { /* else it is gone before it was asked */
			unsigned status = answer(fd);

			visitor->answered += status == 200;
			visitor->cut += status == 0;
		}
		close(fd);
	}
	return NULL;
}

static void whoever_comes_before_the_end_is_answered(void **state)
{
	enum { CALLERS = 16, ROUNDS = 20 };
	unsigned cut = 0, answered = 0;

	(void)state;
	for (int round = 0; round < ROUNDS; round++) {
		struct visitor visitors[CALLERS];
		struct fixture f;
		atomic_bool over = false;

		fixture_start(&f, NULL, routes);
		for (int i = 0; i < CALLERS; i++) {
			visitors[i] = (struct visitor){ .f = &f, .over = &over };
			assert_int_equal(pthread_create(&visitors[i].thread, NULL, call, &visitors[i]), 0);
		}
		usleep(20000 + round * 1000);
		fixture_stop(&f);
		atomic_store(&over, true);
		for (int i = 0; i < CALLERS; i++) {
			pthread_join(visitors[i].thread, NULL);
			cut += visitors[i].cut;
			answered += visitors[i].answered;
		}
	}
	assert_int_equal(cut, 0);
	assert_true(answered > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handlers_may_take_longer_than_a_connection_may_be_silent),
		cmocka_unit_test(a_server_that_stood_still_answers),
		cmocka_unit_test(more_than_may_come_are_told),
		cmocka_unit_test(whoever_comes_before_the_end_is_answered),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
