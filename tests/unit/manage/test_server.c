/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of a REST server: sockets that are taken or stale, slow handlers beside quick ones, overload,
 * stopping, streams, and bytes that are no HTTP.
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
#include <grp.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

#include "helper_server.h"

/* Slow handlers wait here until the test lets them go. */
static sem_t gate, arrived;
static atomic_int finished;

static void slow(const struct rest_request *request, struct rest_reply *reply)
{
	(void)request;
	sem_post(&arrived);
	sem_wait(&gate);
	atomic_fetch_add(&finished, 1);
	rest_reply_json(reply, 200, json_pack("{s:b}", "slow", 1));
}

static void quick(const struct rest_request *request, struct rest_reply *reply)
{
	(void)request;
	rest_reply_json(reply, 200, json_object());
}

static void counted(const struct rest_request *request, struct rest_reply *reply)
{
	(void)request, (void)reply;
	atomic_fetch_add(&finished, 1);
}

static const struct rest_route routes[] = {
	{ "/counted", "counted", .del = { .handle = counted, .query = "wait limit<=4096 own" } },
	{ "/slow", "slow", .get = { .handle = slow }, .flags = REST_SLOW },
	{ "/quick", "quick", .get = { .handle = quick }, .put = { .handle = quick } },
	{ 0 },
};

static int prepare(void **state)
{
	(void)state;
	sem_init(&gate, 0, 0);
	sem_init(&arrived, 0, 0);
	atomic_store(&finished, 0);
	return 0;
}

struct waiting {
	pthread_t thread;
	const char *socket;
	unsigned status;
};

static void *call_slow(void *argument)
{
	struct waiting *caller = argument;
	struct http_client *client = http_client_new();
	struct http_reply reply;
	http_request(client, &(struct http_request){ .target = caller->socket, .path = "/slow" }, &reply);
	caller->status = reply.status;
	http_reply_free(&reply);
	http_client_free(client);
	return NULL;
}

static void start_callers(struct waiting *callers, int count, const struct fixture *f)
{
	for (int i = 0; i < count; i++) {
		callers[i].socket = f->socket;
		assert_int_equal(pthread_create(&callers[i].thread, NULL, call_slow, &callers[i]), 0);
	}
}

static unsigned join_callers(struct waiting *callers, int count, unsigned status)
{
	unsigned same = 0;
	for (int i = 0; i < count; i++) {
		pthread_join(callers[i].thread, NULL);
		same += callers[i].status == status;
	}
	return same;
}

static void slow_handlers_do_not_block_quick_ones(void **state)
{
	struct fixture f;
	struct waiting callers[6];
	(void)state;
	fixture_start(&f, &(struct rest_options){ .threads = 4 }, routes);
	start_callers(callers, 6, &f);
	for (int i = 0; i < 3; i++)
		sem_wait(&arrived);
	for (int i = 0; i < 20; i++)
		assert_int_equal(ask(&f, "GET", "/quick", NULL, NULL), 200);
	assert_int_equal(sem_trywait(&arrived), -1);
	assert_int_equal(atomic_load(&finished), 0);
	for (int i = 0; i < 6; i++)
		sem_post(&gate);
	assert_int_equal(join_callers(callers, 6, 200), 6);
	fixture_stop(&f);
}

static void what_is_wrong_in_a_query_has_no_effect(void **state)
{
	static const char *const bad[] = { "wait=x",        "wait=",   "wait=-1",
		                           "wait=3601",     "limit=0", "limit=4097",
		                           "own=1&wait=1x", "other=x", "own=1&dryrun=1" },
	                         *const good[] = { "wait=0", "wait=3600", "limit=4096",
		                                   "own=x",  "dryRun=0",  "" };
	struct fixture f;
	char path[64];
	(void)state;
	fixture_start(&f, NULL, routes);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		snprintf(path, sizeof path, "/counted?%s", bad[i]);
		assert_int_equal(ask(&f, "DELETE", path, NULL, NULL), 400);
	}
	assert_int_equal(ask(&f, "DELETE", "/counted?dryRun=1", NULL, NULL), 422);
	assert_int_equal(atomic_load(&finished), 0);
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		snprintf(path, sizeof path, "/counted?%s", good[i]);
		assert_int_equal(ask(&f, "DELETE", path, NULL, NULL), 204);
	}
	assert_int_equal(atomic_load(&finished), sizeof good / sizeof *good);
	fixture_stop(&f);
}

static void limits_are_set_by_name(void **state)
{
	static const char *const bad[] = { "",        "rate",    "rate=",    "rate=x",      "rate=0",
		                           "rate=1x", "speed=1", "header=1", "header=99999" };
	struct rest_options options = { 0 };
	char why[256];
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		why[0] = 0;
		assert_false(rest_limit_text(&options, bad[i], why, sizeof why));
		assert_true(why[0]);
	}
	assert_true(rest_limit_text(&options, "rate=7", why, sizeof why));
	assert_true(rest_limit_text(&options, "body=1048576", why, sizeof why));
	assert_true(rest_limit(&options, "headerTime", 3, why, sizeof why));
	assert_int_equal(options.rate, 7);
	assert_int_equal(options.body, 1048576);
	assert_int_equal(options.header_s, 3);
}

static void a_full_queue_is_503(void **state)
{
	struct fixture f;
	struct waiting callers[2];
	(void)state;
	fixture_start(&f, &(struct rest_options){ .threads = 2, .queue = 1 }, routes);
	start_callers(callers, 1, &f);
	sem_wait(&arrived);
	start_callers(callers + 1, 1, &f);
	unsigned status = 0;
	for (int i = 0; i < 100 && status != 503; i++) {
		http_reply_free(&f.reply);
		http_request(f.client,
		             &(struct http_request){ .target = f.socket, .path = "/slow", .timeout_ms = 20 },
		             &f.reply);
		status = f.reply.status;
	}
	assert_int_equal(status, 503);
	assert_string_equal(f.reply.retry_after, "1");
	assert_int_equal(ask(&f, "GET", "/quick", NULL, NULL), 200);
	for (int i = 0; i < 200; i++)
		sem_post(&gate);
	assert_true(join_callers(callers, 2, 200) >= 1);
	fixture_stop(&f);
}

static void *open_gate_later(void *argument)
{
	(void)argument;
	usleep(100000);
	sem_post(&gate);
	return NULL;
}

static void a_stop_waits_for_running_handlers(void **state)
{
	struct fixture f;
	struct waiting caller[1];
	pthread_t opener;
	(void)state;
	fixture_start(&f, NULL, routes);
	start_callers(caller, 1, &f);
	sem_wait(&arrived);
	pthread_create(&opener, NULL, open_gate_later, NULL);
	fixture_stop(&f);
	assert_int_equal(atomic_load(&finished), 1);
	assert_int_equal(join_callers(caller, 1, 200), 1);
	pthread_join(opener, NULL);
}

static void a_taken_socket_is_refused(void **state)
{
	struct fixture f;
	struct errors errors = ERRORS_NONE;
	(void)state;
	fixture_start(&f, NULL, routes);
	struct rest *second = rest_new(NULL);
	assert_false(rest_listen_unix(second, &(struct rest_unix){ .path = f.socket }, &errors));
	assert_string_equal(errors.list[0].code, "socket-taken");
	assert_non_null(strstr(errors.list[0].detail, f.socket));
	assert_non_null(strstr(errors.list[0].detail, "another process answers"));
	rest_stop(second);
	errors_free(&errors);
	assert_int_equal(ask(&f, "GET", "/quick", NULL, NULL), 200);
	fixture_stop(&f);
}

static void make_stale(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(listen(fd, 1), 0);
	close(fd);
}

static void a_stale_socket_is_replaced_with_mode_0660(void **state)
{
	struct errors errors = ERRORS_NONE;
	char folder[] = "/tmp/sluice-test-XXXXXX", path[64];
	struct stat status;
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/rest.sock", folder);
	make_stale(path);
	struct rest *rest = rest_new(NULL);
	assert_true(rest_listen_unix(rest, &(struct rest_unix){ .path = path }, &errors));
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0660);
	rest_stop(rest);
	assert_int_equal(rmdir(folder), 0);
}

static void assert_refused(const char *path, const char *code)
{
	struct errors errors = ERRORS_NONE;
	struct rest *rest = rest_new(NULL);
	assert_false(rest_listen_unix(rest, &(struct rest_unix){ .path = path }, &errors));
	assert_string_equal(errors.list[0].code, code);
	errors_free(&errors);
	rest_stop(rest);
}

static void bad_socket_paths_are_refused(void **state)
{
	char folder[] = "/tmp/sluice-test-XXXXXX", path[64], longer[200];
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/file", folder);
	FILE *file = fopen(path, "w");
	fclose(file);
	assert_refused(path, "socket-taken");
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	memset(longer, 'a', sizeof longer);
	longer[0] = '/';
	longer[sizeof longer - 1] = 0;
	assert_refused(longer, "socket-path-too-long");
	snprintf(path, sizeof path, "%s/none/rest.sock", folder);
	assert_refused(path, "socket-failed");
	assert_int_equal(rmdir(folder), 0);
}

static void bad_and_double_routes_are_refused(void **state)
{
	const char *const bad[] = { "v1", "/v1/{x", "/v1/{}", "/v1/{x}y", "/v1/{x*}/y", "/v1/{x*}:y" };
	struct errors errors = ERRORS_NONE;
	struct rest *rest = rest_new(NULL);
	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		const struct rest_route table[] = { { .pattern = bad[i] }, { 0 } };
		assert_false(rest_add(rest, table, &errors));
	}
	const struct rest_route twice[] = { { .pattern = "/a/{x}" }, { .pattern = "/a/{y}" }, { 0 } };
	assert_false(rest_add(rest, twice, &errors));
	assert_int_equal(errors.count, 7);
	assert_non_null(strstr(errors.list[6].detail, "/a/{y} is there already"));
	errors_free(&errors);
	rest_stop(rest);
}

/* In a child: as another user, with or without a group. Returns the status of a request, or 1 if it did not
 * get through. */
static int ask_as(const struct fixture *f, uid_t uid, gid_t gid, gid_t extra)
{
	pid_t child = fork();
	if (!child) {
		char answer[512] = "";
		const char request[] = "GET /quick HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
		if (setgroups(extra ? 1 : 0, &extra) || setgid(gid) || setuid(uid))
			_exit(2);
		raw_exchange(f, request, strlen(request), answer, sizeof answer);
		_exit(!strncmp(answer, "HTTP/1.1 200", 12)   ? 20
		      : !strncmp(answer, "HTTP/1.1 403", 12) ? 43
		                                             : 1);
	}
	int status;
	waitpid(child, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void peers_are_checked(void **state)
{
	struct fixture f;
	struct errors errors = ERRORS_NONE;
	char path[sizeof f.socket + 8];
	(void)state;
	fixture_start(&f, NULL, routes);
	assert_int_equal(ask(&f, "GET", "/quick", NULL, NULL), 200);
	if (geteuid() == 0) {
		snprintf(path, sizeof path, "%s/group", f.folder);
		assert_true(rest_listen_unix(f.rest, &(struct rest_unix){ path, true, 4242 }, &errors));
		assert_int_equal(chmod(f.folder, 0755), 0);
		assert_int_equal(chmod(f.socket, 0666), 0);
		assert_int_equal(ask_as(&f, 1234, 1234, 0), 43);
		snprintf(f.socket, sizeof f.socket, "%s/group", f.folder);
		assert_int_equal(ask_as(&f, 1234, 1234, 0), 1);
		assert_int_equal(chmod(f.socket, 0666), 0);
		assert_int_equal(ask_as(&f, 1234, 1234, 0), 43);
		assert_int_equal(ask_as(&f, 1234, 4242, 0), 20);
		assert_int_equal(ask_as(&f, 1234, 1234, 4242), 20);
	}
	fixture_stop(&f);
}

static bool admit_none(const struct rest_request *request, struct rest_reply *reply, void *user)
{
	(void)user;
	rest_reply_header(reply, "Version", "2.0.0");
	if (!strcmp(request->method, "GET"))
		return true;
	rest_reply_status(reply, 429);
	return false;
}

static void note_done(const struct rest_request *request, const struct rest_reply *reply,
                      uint64_t microseconds, void *user)
{
	(void)request, (void)microseconds;
	atomic_store((atomic_uint *)user, rest_reply_get_status(reply));
}

static void hooks_see_requests_and_replies(void **state)
{
	struct fixture f;
	atomic_uint last = 0;
	(void)state;
	fixture_start(&f, &(struct rest_options){ .admit = admit_none, .done = note_done, .user = &last },
	              routes);
	assert_int_equal(ask(&f, "GET", "/quick", NULL, NULL), 200);
	assert_int_equal(atomic_load(&last), 200);
	assert_int_equal(ask(&f, "PUT", "/quick", NULL, "{}"), 429);
	assert_int_equal(atomic_load(&last), 429);
	fixture_stop(&f);
}

/* Sends bytes and half-closes. The server must answer or close: a body that never ends is cut after the idle
 * time. */
static void send_rubbish(const struct fixture *f, const char *bytes, size_t length)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct timeval limit = { .tv_sec = 10 };
	char answer[4096];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", f->socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
	(void)!send(fd, bytes, length, MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
	ssize_t got = recv(fd, answer, sizeof answer, 0);
	assert_true(got >= 0 || errno == ECONNRESET);
	close(fd);
}

static void bytes_that_are_no_http_do_no_harm(void **state)
{
	static const char *const starts[] = {
		"",
		"GET ",
		"PUT /quick HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n",
		"PUT /quick HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
		"GET /quick?",
	};
	struct fixture f;
	char bytes[2048];
	(void)state;
	fixture_start(&f, &(struct rest_options){ .idle_s = 1 }, routes);
	srand(1);
	for (int round = 0; round < 300; round++) {
		size_t length = (size_t)snprintf(bytes, sizeof bytes, "%s", starts[round % 5]);
		size_t end = length + (size_t)(rand() % 200);
		while (length < end)
			bytes[length++] = (char)rand();
		memcpy(bytes + length, "\r\n\r\n\r\n\r\n", 8);
		send_rubbish(&f, bytes, length + 8);
	}
	assert_int_equal(ask(&f, "GET", "/quick", NULL, NULL), 200);
	fixture_stop(&f);
}

static void a_server_that_is_gone_is_told(void **state)
{
	struct http_client *client = http_client_new();
	struct http_reply reply;
	(void)state;
	assert_false(http_request(
	        client, &(struct http_request){ .target = "/tmp/no/such.sock", .path = "/" }, &reply));
	assert_int_equal(reply.status, 0);
	assert_non_null(strstr(reply.error, "cannot reach /tmp/no/such.sock"));
	http_reply_free(&reply);
	http_client_free(client);
}

static void a_late_reply_is_told(void **state)
{
	struct fixture f;
	(void)state;
	fixture_start(&f, NULL, routes);
	const struct http_request request = { .target = f.socket, .path = "/slow", .timeout_ms = 50 };
	assert_false(http_request(f.client, &request, &f.reply));
	assert_true(f.reply.timed_out);
	sem_post(&gate);
	fixture_stop(&f);
}

static void the_client_outlives_a_restart_of_the_server(void **state)
{
	struct fixture f;
	struct errors errors = ERRORS_NONE;
	(void)state;
	fixture_start(&f, NULL, routes);
	assert_int_equal(ask(&f, "GET", "/quick", NULL, NULL), 200);
	rest_stop(f.rest);
	f.rest = rest_new(NULL);
	assert_true(rest_add(f.rest, routes, &errors));
	assert_true(rest_listen_unix(f.rest, &(struct rest_unix){ .path = f.socket }, &errors));
	assert_int_equal(ask(&f, "GET", "/quick", NULL, NULL), 200);
	fixture_stop(&f);
}

static void many_requests_at_once_are_all_answered(void **state)
{
	struct fixture f;
	struct waiting callers[40];
	(void)state;
	fixture_start(&f, NULL, routes);
	for (int i = 0; i < 40; i++)
		sem_post(&gate);
	start_callers(callers, 40, &f);
	assert_int_equal(join_callers(callers, 40, 200), 40);
	fixture_stop(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(slow_handlers_do_not_block_quick_ones, prepare),
		cmocka_unit_test_setup(a_full_queue_is_503, prepare),
		cmocka_unit_test_setup(what_is_wrong_in_a_query_has_no_effect, prepare),
		cmocka_unit_test(limits_are_set_by_name),
		cmocka_unit_test_setup(a_stop_waits_for_running_handlers, prepare),
		cmocka_unit_test(a_taken_socket_is_refused),
		cmocka_unit_test(a_stale_socket_is_replaced_with_mode_0660),
		cmocka_unit_test(bad_socket_paths_are_refused),
		cmocka_unit_test(bad_and_double_routes_are_refused),
		cmocka_unit_test(peers_are_checked),
		cmocka_unit_test(hooks_see_requests_and_replies),
		cmocka_unit_test(bytes_that_are_no_http_do_no_harm),
		cmocka_unit_test(a_server_that_is_gone_is_told),
		cmocka_unit_test_setup(a_late_reply_is_told, prepare),
		cmocka_unit_test(the_client_outlives_a_restart_of_the_server),
		cmocka_unit_test_setup(many_requests_at_once_are_all_answered, prepare),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
