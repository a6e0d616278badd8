/* SPDX-License-Identifier: BSD-3-Clause */
/* The checker against servers on the loopback. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "helper_server.h"
#include "lb/health/health.h"

enum { DEADLINE = 30 }; /* s */

/* What the checker has told, by id. */
struct told {
	pthread_mutex_t lock;
	pthread_cond_t news;
	struct {
		unsigned times;
		bool up;
		char why[HEALTH_WHY];
	} of[16];
};

static struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER };
static struct health *health;

static void changed(void *context, uint32_t id, bool up, const char *why)
{
	struct told *t = context;

	pthread_mutex_lock(&t->lock);
	t->of[id].times++;
	t->of[id].up = up;
	snprintf(t->of[id].why, sizeof(t->of[id].why), "%s", why);
	pthread_cond_broadcast(&t->news);
	pthread_mutex_unlock(&t->lock);
}

static void expect_told(uint32_t id, bool up, const char *why)
{
	char said[HEALTH_WHY];
	struct timespec until;
	bool right;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE;
	pthread_mutex_lock(&told.lock);
	while (!told.of[id].times || told.of[id].up != up)
		if (pthread_cond_timedwait(&told.news, &told.lock, &until) != 0)
			break;
	right = told.of[id].times && told.of[id].up == up;
	memcpy(said, told.of[id].why, sizeof(said));
	pthread_mutex_unlock(&told.lock);
	if (!right)
		fail_msg("%u is not told to be %s, but \"%s\"", id, up ? "up" : "down", said);
	assert_string_equal(said, why);
}

static int start(void **state)
{
	struct health_options options = { .name = "test", .seed = 1 };
	struct errors errors = ERRORS_NONE;

	(void)state;
	memset(told.of, 0, sizeof(told.of));
	health = health_start(&options, changed, &told, &errors);
	return health ? 0 : -1;
}

static int stop(void **state)
{
	(void)state;
	health_stop(health);
	return 0;
}

static struct health_check quick(enum health_kind kind)
{
	struct health_check check;

	memset(&check, 0, sizeof(check));
	check.kind = (uint8_t)kind;
	check.interval = 50;
	check.timeout = 500;
	check.rise = 1;
	check.fall = 2;
	strcpy(check.path, "/");
	check.status[check.status_count++] = (struct health_range){ 200, 299 };
	return check;
}

static struct health_target local(uint32_t id, uint16_t port, const struct health_check *check)
{
	return (struct health_target){
		.id = id, .address = { 4, { 127, 0, 0, 1 } }, .port = port, .check = check
	};
}

static void set(const struct health_target *targets, unsigned n)
{
	struct errors errors = ERRORS_NONE;

	assert_int_equal(health_set(health, targets, n, &errors), 0);
}

static size_t echo(void *context, const uint8_t *asked, size_t length, uint8_t *answer, size_t size)
{
	_Atomic bool *silent = context;

	(void)size;
	memcpy(answer, asked, length);
	return *silent ? 0 : length;
}

/* --- TCP --- */

static void tcp(void **state)
{
	struct health_check check = quick(HEALTH_TCP);
	struct server s = { 0 }, other = { 0 };
	struct health_target targets[2];
	struct health_view view;

	(void)state;
	server_start(&s, SOCK_STREAM, NULL, NULL);
	server_start(&other, SOCK_STREAM, NULL, NULL);
	targets[0] = local(1, s.port, &check);
	targets[1] = local(2, other.port, &check);
	set(targets, 2);
	expect_told(1, true, "connected");
	expect_told(2, true, "connected");
	server_stop(&s);
	expect_told(1, false, "Connection refused");
	assert_true(health_show(health, 1, &view));
	assert_int_equal(view.state, HEALTH_DOWN);
	assert_true(view.failures >= 2 && view.checks > view.failures && view.changes == 2);
	assert_true(view.rtt_us > 0 && view.checked_ns > 0 && view.changed_ns > 0);
	server_start(&s, SOCK_STREAM, NULL, NULL); /* at the same port */
	expect_told(1, true, "connected");
	assert_int_equal(told.of[2].times, 1);
	server_stop(&s);
	server_stop(&other);
}

/* --- what health_set() keeps --- */

static uint64_t checks_of(uint32_t id)
{
	struct health_view view;

	assert_true(health_show(health, id, &view));
	return view.checks;
}

static void unchanged_targets_are_kept(void **state)
{
	struct health_check check = quick(HEALTH_TCP), other = check;
	struct health_target targets[2];
	struct server s = { 0 };
	uint64_t before;
	struct health_view view;

	(void)state;
	server_start(&s, SOCK_STREAM, NULL, NULL);
	targets[0] = local(5, s.port, &check);
	targets[1] = local(3, s.port, &check);
	set(targets, 1);
	expect_told(5, true, "connected");
	before = checks_of(5);
	set(targets, 2);
	assert_true(checks_of(5) >= before);
	expect_told(3, true, "connected");
	assert_int_equal(told.of[5].times, 1);
	other.fall = 5;
	targets[0].check = &other; /* another check: it begins anew */
	set(targets, 2);
	assert_true(health_show(health, 5, &view));
	assert_int_equal(told.of[3].times, 1);
	set(targets + 1, 1);
	assert_false(health_show(health, 5, &view));
	assert_true(health_show(health, 3, &view));
	set(NULL, 0);
	assert_false(health_show(health, 3, &view));
	server_stop(&s);
}

/* --- UDP --- */

static void udp(void **state)
{
	struct health_check check = quick(HEALTH_UDP), blind = check;
	_Atomic bool silent = false;
	struct health_target targets[3];
	struct server s = { 0 };

	(void)state;
	memcpy(check.send, "ping", 4);
	memcpy(check.expect, "pi", 2);
	check.send_length = 4;
	check.expect_length = 2;
	check.timeout = 100;
	blind.timeout = 100;
	server_start(&s, SOCK_DGRAM, echo, &silent);
	targets[0] = local(1, s.port, &check);
	targets[1] = local(2, s.port, &blind);
	targets[2] = local(3, s.port, &check);
	set(targets, 2);
	expect_told(1, true, "answered");
	expect_told(2, true, "not unreachable"); /* nothing is echoed */
	silent = true;
	expect_told(1, false, "no answer within 100 ms");
	silent = false;
	memcpy(check.expect, "po", 2);
	set(targets, 3);
	expect_told(3, false, "the answer does not begin as expected");
	server_stop(&s);
	expect_told(2, false, "Connection refused");
}

/* Nobody answers, but nobody says that nobody is there. */
static void udp_silence_is_well_where_no_answer_is_expected(void **state)
{
	struct health_check check = quick(HEALTH_UDP);
	_Atomic bool silent = true;
	struct health_target target;
	struct server s = { 0 };

	(void)state;
	check.timeout = 100;
	server_start(&s, SOCK_DGRAM, echo, &silent);
	target = local(1, s.port, &check);
	set(&target, 1);
	expect_told(1, true, "not unreachable");
	server_stop(&s);
}

/* --- DNS --- */

static void dns(void **state)
{
	struct health_check check = quick(HEALTH_DNS), exact = check, none = check;
	struct dns_zone zone = { .count4 = 2, .first = 7 };
	struct health_target targets[3];
	struct server s = { 0 };

	(void)state;
	strcpy(check.name, "www.example.net");
	check.type = 1;
	exact = none = check;
	exact.answer = (struct ip_addr){ 4, { 192, 0, 2, 8 } };
	none.rcode = 3;
	server_start(&s, SOCK_DGRAM, dns_answer, &zone);
	targets[0] = local(1, s.port, &check);
	targets[1] = local(2, s.port, &exact);
	targets[2] = local(3, s.port, &none);
	set(targets, 3);
	expect_told(1, true, "NOERROR");
	expect_told(2, true, "NOERROR");
	expect_told(3, false, "NOERROR, NXDOMAIN expected");
	zone.count4 = 1;
	expect_told(2, false, "NOERROR, but 192.0.2.8 is not in the answer");
	zone.rcode = 2;
	expect_told(1, false, "SERVFAIL, NOERROR expected");
	zone.rcode = 3;
	expect_told(3, true, "NXDOMAIN");
	server_stop(&s);
}

/* --- HTTP --- */

struct site {
	_Atomic int status;
	_Atomic bool big;
	const char *_Atomic body;
	char seen[512]; /* the last request */
};

static size_t page(void *context, const uint8_t *asked, size_t length, uint8_t *answer, size_t size)
{
	struct site *site = context;
	int head;

	snprintf(site->seen, sizeof(site->seen), "%.*s", (int)length, (const char *)asked);
	if (site->big) { /* more than is looked at */
		head = snprintf((char *)answer, size, "HTTP/1.1 200 x\r\nConnection: close\r\n\r\n");
		memset(answer + head, 'x', size - (size_t)head);
		return size;
	}
	return (size_t)snprintf((char *)answer, size,
	                        "HTTP/1.1 %d x\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
	                        site->status, strlen(site->body), site->body);
}

static void http(void **state)
{
	struct health_check check = quick(HEALTH_HTTP), body;
	struct site site = { .status = 200, .body = "all is well" };
	struct health_target targets[2];
	struct server s = { 0 };

	(void)state;
	strcpy(check.path, "/alive?deep=1");
	strcpy(check.host, "www.example.net");
	body = check;
	strcpy(body.body, "is well");
	server_start(&s, SOCK_STREAM, page, &site);
	targets[0] = local(1, s.port, &check);
	targets[1] = local(2, s.port, &body);
	set(targets, 2);
	expect_told(1, true, "HTTP 200");
	expect_told(2, true, "HTTP 200");
	assert_non_null(strstr(site.seen, "GET /alive?deep=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(site.seen, "Host: www.example.net:"));
	site.body = "all is lost";
	expect_told(2, false, "HTTP 200, but the page lacks \"is well\"");
	site.status = 503;
	expect_told(1, false, "HTTP 503, 200-299 expected");
	site.status = 204;
	expect_told(1, true, "HTTP 204");
	server_stop(&s);
}

static void http_large_pages_and_none(void **state)
{
	struct health_check check = quick(HEALTH_HTTP), late = check;
	struct site site = { .big = true };
	_Atomic bool silent = true;
	struct server s = { 0 }, mute = { 0 };
	struct health_target targets[2];

	(void)state;
	late.timeout = 200;
	server_start(&s, SOCK_STREAM, page, &site);
	server_start(&mute, SOCK_DGRAM, echo, &silent);
	targets[0] = local(1, s.port, &check);
	targets[1] = local(2, mute.port, &late); /* no TCP there */
	set(targets, 2);
	expect_told(1, true, "HTTP 200");
	expect_told(2, false, "Connection refused");
	server_stop(&s);
	server_stop(&mute);
}

/* A checker that is stopped in the middle of checks gives up what they hold (as the sanitizer sees). */
static void stopped_midway(void **state)
{
	struct health_check check = quick(HEALTH_HTTP), udp_check = quick(HEALTH_UDP);
	_Atomic bool silent = true;
	struct server s = { 0 };
	struct health_target targets[2];
	struct health_view view;

	(void)state;
	check.timeout = udp_check.timeout = 60000;
	udp_check.expect_length = 1;
	server_start(&s, SOCK_DGRAM, echo, &silent);
	targets[0] = local(1, s.port, &udp_check);
	targets[1] = local(2, s.port, &check);
	set(targets, 2);
	expect_told(2, false, "Connection refused");
	assert_true(health_show(health, 1, &view));
	assert_int_equal(view.state, HEALTH_UNKNOWN);
	server_stop(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tcp, start, stop),
		cmocka_unit_test_setup_teardown(unchanged_targets_are_kept, start, stop),
		cmocka_unit_test_setup_teardown(udp, start, stop),
		cmocka_unit_test_setup_teardown(udp_silence_is_well_where_no_answer_is_expected, start, stop),
		cmocka_unit_test_setup_teardown(dns, start, stop),
		cmocka_unit_test_setup_teardown(http, start, stop),
		cmocka_unit_test_setup_teardown(http_large_pages_and_none, start, stop),
		cmocka_unit_test_setup_teardown(stopped_midway, start, stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
