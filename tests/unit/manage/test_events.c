/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The event log, alone and followed over a socket: order, resume, gaps, selection, many writers.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "helper_server.h"
#include "manage/events.h"

static struct fixture f;
static struct events *events;

static int serve(uint64_t first)
{
	static struct rest_route table[2];
	events = events_new(100, first);
	table[0] = events_route(events, "/v1/events");
	fixture_start(&f, &(struct rest_options){ .streams = 3 }, table);
	return 0;
}

static int setup(void **state)
{
	(void)state;
	return serve(0);
}

static int setup_of_a_later_life(void **state)
{
	(void)state;
	return serve(5000);
}

static int teardown(void **state)
{
	(void)state;
	fixture_stop(&f);
	events_free(events);
	return 0;
}

static void add(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		events_add(events, i % 2 ? "odd" : "even", i % 2 ? "a" : "b", json_pack("{s:i}", "i", (int)i),
		           "number %u", i);
}

static json_t *list(const char *path)
{
	const char *accept[] = { "Accept: application/json", NULL };
	assert_int_equal(ask(&f, "GET", path, accept, NULL), 200);
	return reply_json(&f);
}

static void events_are_listed_with_all_they_hold(void **state)
{
	(void)state;
	add(3);
	json_t *array = list("/v1/events"), *second = json_array_get(array, 1);
	assert_int_equal(json_array_size(array), 3);
	assert_int_equal(json_integer_value(json_object_get(second, "id")), 2);
	assert_string_equal(json_string_value(json_object_get(second, "kind")), "odd");
	assert_string_equal(json_string_value(json_object_get(second, "subject")), "a");
	assert_string_equal(json_string_value(json_object_get(second, "message")), "number 1");
	assert_int_equal(json_integer_value(json_object_get(json_object_get(second, "details"), "i")), 1);
	const char *time = json_string_value(json_object_get(second, "time"));
	assert_int_equal(strlen(time), strlen("2026-01-02T03:04:05.678901Z"));
	json_decref(array);
	array = list("/v1/events?kind=even&last=1");
	assert_int_equal(json_array_size(array), 1);
	json_decref(array);
}

static void the_ring_keeps_the_latest(void **state)
{
	(void)state;
	add(250);
	json_t *array = list("/v1/events?limit=4096");
	assert_int_equal(json_array_size(array), 100);
	assert_int_equal(json_integer_value(json_object_get(json_array_get(array, 0), "id")), 151);
	json_decref(array);
	assert_int_equal(ask(&f, "GET", "/v1/events?last=x", NULL, NULL), 400);
}

struct followed {
	unsigned count, gaps, uncounted, beats, stop_at;
	unsigned long first, last, lost;
	bool ordered;
};

static bool take(void *user, const struct http_event *event)
{
	struct followed *followed = user;
	if (!event) {
		followed->beats++;
		return followed->count < followed->stop_at;
	}
	unsigned long id = strtoul(event->id, NULL, 10);
	if (!strcmp(event->event, "gap")) {
		followed->gaps++;
		json_t *data = json_loads(event->data, 0, NULL);
		followed->uncounted += !json_object_get(data, "lost");
		followed->lost = (unsigned long)json_integer_value(json_object_get(data, "lost"));
		json_decref(data);
		return true;
	}
	if (!followed->count++) {
		followed->first = id;
		followed->ordered = true;
	}
	followed->ordered &= id > followed->last;
	followed->last = id;
	return followed->count < followed->stop_at;
}

static struct followed follow(const char *path, const char *header, unsigned count)
{
	const char *headers[] = { header, NULL };
	struct followed followed = { .stop_at = count };
	struct http_reply reply;
	struct http_client *client = http_client_new();
	const struct http_request request = { .target = f.socket, .path = path, .headers = headers };
	assert_true(http_events(client, &request, take, &followed, &reply));
	assert_string_equal(reply.content_type, "text/event-stream");
	http_reply_free(&reply);
	http_client_free(client);
	return followed;
}

static void a_stream_resumes_after_the_last_id(void **state)
{
	(void)state;
	add(10);
	struct followed followed = follow("/v1/events", "Last-Event-ID: 4", 6);
	assert_int_equal(followed.first, 5);
	assert_int_equal(followed.last, 10);
	assert_int_equal(followed.gaps, 0);
	followed = follow("/v1/events?last=7", NULL, 3);
	assert_int_equal(followed.first, 8);
	followed = follow("/v1/events?last=0&kind=odd", NULL, 5);
	assert_int_equal(followed.first, 2);
	assert_int_equal(followed.last, 10);
}

static void a_lost_id_makes_a_gap(void **state)
{
	(void)state;
	add(250);
	struct followed followed = follow("/v1/events", "Last-Event-ID: 20", 100);
	assert_int_equal(followed.gaps, 1);
	assert_int_equal(followed.lost, 130);
	assert_int_equal(followed.first, 151);
	assert_true(followed.ordered);
}

static void of_ids_of_another_log_nobody_knows_how_many_are_lost(void **state)
{
	(void)state;
	add(2);
	struct followed followed = follow("/v1/events", "Last-Event-ID: 20", 2);
	assert_int_equal(followed.gaps, 1);
	assert_int_equal(followed.uncounted, 1);
	assert_int_equal(followed.first, 5000);
	followed = follow("/v1/events?last=0", NULL, 2);
	assert_int_equal(followed.gaps, 0);
	add(250);
	followed = follow("/v1/events", "Last-Event-ID: 5000", 100);
	assert_int_equal(followed.lost, 151);
	assert_int_equal(followed.uncounted, 0);
}

static void an_id_of_an_earlier_life_begins_anew(void **state)
{
	(void)state;
	add(5);
	struct followed followed = follow("/v1/events", "Last-Event-ID: 9000", 5);
	assert_int_equal(followed.first, 1);
}

static void *add_slowly(void *argument)
{
	(void)argument;
	for (int i = 0; i < 60; i++) {
		usleep(2000);
		add(1);
	}
	return NULL;
}

static void live_events_arrive_in_order_from_many_writers(void **state)
{
	pthread_t writers[3];
	(void)state;
	add(1);
	for (int i = 0; i < 3; i++)
		pthread_create(&writers[i], NULL, add_slowly, NULL);
	struct followed followed = follow("/v1/events?last=1", NULL, 180);
	for (int i = 0; i < 3; i++)
		pthread_join(writers[i], NULL);
	assert_true(followed.ordered);
	assert_int_equal(followed.last - followed.first + 1, followed.count);
}

static void *follow_until_stopped(void *argument)
{
	struct followed followed = { .stop_at = 1000 };
	struct http_reply reply;
	struct http_client *client = http_client_new();
	(void)argument;
	http_events(client, &(struct http_request){ .target = f.socket, .path = "/v1/events" }, take,
	            &followed, &reply);
	http_reply_free(&reply);
	http_client_free(client);
	return NULL;
}

static bool take_first_bytes(void *user, const struct http_reply *head, const char *data, size_t length)
{
	(void)user, (void)length;
	return !data || head->status != 200;
}

/* Opens and leaves one stream after the other, until the status is this one; 5 s at most. */
static unsigned until_status(unsigned wanted)
{
	const struct http_request request = { .target = f.socket, .path = "/v1/events" };
	unsigned status = 0;
	for (int i = 0; i < 250 && status != wanted; i++) {
		struct http_reply reply;
		usleep(i ? 20000 : 0);
		http_stream(f.client, &request, take_first_bytes, NULL, &reply);
		status = reply.status;
		http_reply_free(&reply);
	}
	return status;
}

/* A stream that is open: its first bytes have come. */
static int open_stream(void)
{
	static const char request[] = "GET /v1/events HTTP/1.1\r\nHost: x\r\n\r\n";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char answer[1024];
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", f.socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	assert_true(recv(fd, answer, sizeof answer, 0) > 0);
	assert_int_equal(strncmp(answer, "HTTP/1.1 200", 12), 0);
	return fd;
}

static void streams_of_clients_that_left_are_given_back(void **state)
{
	int fds[3];
	(void)state;
	for (int i = 0; i < 3; i++)
		fds[i] = open_stream();
	assert_int_equal(until_status(503), 503);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	assert_int_equal(until_status(200), 200);
}

static void too_many_streams_are_503_and_a_stop_ends_all(void **state)
{
	pthread_t followers[3];
	(void)state;
	for (int i = 0; i < 3; i++)
		pthread_create(&followers[i], NULL, follow_until_stopped, NULL);
	assert_int_equal(until_status(503), 503);
	rest_stop(f.rest);
	f.rest = NULL;
	for (int i = 0; i < 3; i++)
		pthread_join(followers[i], NULL);
}

static int64_t milliseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A successor waits for our end: who follows and does not read does not hold it up. */
static void a_reader_that_stands_still_holds_up_no_end(void **state)
{
	char large[20000];
	int fd = open_stream();
	(void)state;
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = 0;
	for (int i = 0; i < 100; i++)
		events_add(events, "large", NULL, NULL, "%s", large);
	int64_t begin = milliseconds();
	rest_hurry(f.rest);
	rest_stop(f.rest);
	f.rest = NULL;
	assert_true(milliseconds() - begin < 1500);
	close(fd);
}

static void ids_go_on(void **state)
{
	struct events *other = events_new(4, 42);
	(void)state;
	assert_int_equal(events_last(other), 41);
	assert_int_equal(events_add(other, "k", NULL, NULL, "m"), 42);
	assert_int_equal(events_last(other), 42);
	events_free(other);
}

/* The file outlives each log; one that is damaged, or cannot be, is no reason to have no log. */
static void ids_are_kept_for_the_next_life(void **state)
{
	char folder[] = "/tmp/test-events-XXXXXX", path[64];
	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/next", folder);
	for (uint64_t life = 0; life < 3; life++) {
		struct events *log = events_new(4, 0);
		assert_true(events_keep(log, path));
		assert_int_equal(events_last(log), 10 * life);
		for (unsigned i = 0; i < 10; i++)
			events_add(log, "k", NULL, NULL, "m");
		events_free(log);
	}
	FILE *file = fopen(path, "r+");
	fputs("nonsense", file);
	fclose(file);
	struct events *log = events_new(4, 0);
	assert_true(events_keep(log, path));
	assert_int_equal(events_add(log, "k", NULL, NULL, "m"), 1);
	events_free(log);
	unlink(path);
	rmdir(folder);
	log = events_new(4, 0);
	assert_false(events_keep(log, path));
	assert_int_equal(events_add(log, "k", NULL, NULL, "m"), 1);
	events_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(events_are_listed_with_all_they_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(the_ring_keeps_the_latest, setup, teardown),
		cmocka_unit_test_setup_teardown(a_stream_resumes_after_the_last_id, setup, teardown),
		cmocka_unit_test_setup_teardown(a_lost_id_makes_a_gap, setup, teardown),
		cmocka_unit_test_setup_teardown(of_ids_of_another_log_nobody_knows_how_many_are_lost,
		                                setup_of_a_later_life, teardown),
		cmocka_unit_test_setup_teardown(an_id_of_an_earlier_life_begins_anew, setup, teardown),
		cmocka_unit_test_setup_teardown(live_events_arrive_in_order_from_many_writers, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(streams_of_clients_that_left_are_given_back, setup, teardown),
		cmocka_unit_test_setup_teardown(too_many_streams_are_503_and_a_stop_ends_all, setup,
		                                teardown),
		cmocka_unit_test_setup_teardown(a_reader_that_stands_still_holds_up_no_end, setup, teardown),
		cmocka_unit_test(ids_go_on),
		cmocka_unit_test(ids_are_kept_for_the_next_life),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
