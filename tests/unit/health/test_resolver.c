/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of backends, asked of a server on the loopback. */
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
#include "lb/health/resolver.h"

enum { DEADLINE = 30 }; /* s */

struct told {
	pthread_mutex_t lock;
	pthread_cond_t news;
	unsigned times, count;
	struct ip_addr addresses[RESOLVER_ADDRESSES_MAX];
};

static struct told told = { .lock = PTHREAD_MUTEX_INITIALIZER, .news = PTHREAD_COND_INITIALIZER };

static void changed(void *context, uint32_t id, const struct ip_addr *addresses, unsigned n)
{
	struct told *t = context;

	pthread_mutex_lock(&t->lock);
	assert_int_equal(id, 9);
	t->times++;
	t->count = n;
	memcpy(t->addresses, addresses, n * sizeof(*addresses));
	pthread_cond_broadcast(&t->news);
	pthread_mutex_unlock(&t->lock);
}

static struct timespec deadline(void)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += DEADLINE;
	return until;
}

/* The n-th time, these addresses. */
static void expect_told(unsigned times, unsigned n, const char *const *texts)
{
	struct timespec until = deadline();
	char text[NET_TEXT];

	pthread_mutex_lock(&told.lock);
	while (told.times < times)
		assert_int_equal(pthread_cond_timedwait(&told.news, &told.lock, &until), 0);
	assert_int_equal(told.times, times);
	assert_int_equal(told.count, n);
	for (unsigned i = 0; i < n; i++) {
		ip_addr_format(&told.addresses[i], text, sizeof(text));
		assert_string_equal(text, texts[i]);
	}
	pthread_mutex_unlock(&told.lock);
}

static void until_asked(struct dns_zone *zone, uint32_t times)
{
	struct timespec until = deadline(), now;

	do {
		clock_gettime(CLOCK_REALTIME, &now);
		assert_true(now.tv_sec < until.tv_sec);
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
	} while (zone->asked < times);
}

static void until_failed(struct resolver *r, uint64_t times, struct resolver_view *view)
{
	struct timespec until = deadline(), now;

	do {
		clock_gettime(CLOCK_REALTIME, &now);
		assert_true(now.tv_sec < until.tv_sec);
		nanosleep(&(struct timespec){ 0, 10000000 }, NULL);
		assert_true(resolver_show(r, 9, view));
	} while (view->failures < times);
}

static struct resolver *start(const struct server *s, uint32_t ttl_min, uint32_t ttl_max)
{
	char servers[64];
	struct resolver_options options = { servers, ttl_min, ttl_max };
	struct errors errors = ERRORS_NONE;
	struct resolver *r;

	told.times = told.count = 0;
	snprintf(servers, sizeof(servers), "127.0.0.1:%u", s->port);
	r = resolver_start(&options, changed, &told, &errors);
	assert_non_null(r);
	return r;
}

static void ask_for(struct resolver *r, const char *name, enum resolver_family family)
{
	struct resolver_name n = { 9, name, (uint8_t)family };
	struct errors errors = ERRORS_NONE;

	assert_int_equal(resolver_set(r, &n, 1, &errors), 0);
}

/* Addresses of both families; told again only when they change; kept when look-ups fail. */
static void changes_and_failures(void **state)
{
	static const char *const first[] = { "192.0.2.5", "192.0.2.6", "2001:db8::5" };
	static const char *const second[] = { "192.0.2.5", "2001:db8::5" };
	struct dns_zone zone = { .ttl = 1, .count4 = 2, .count6 = 1, .first = 5 };
	struct server s = { 0 };
	struct resolver *r;
	struct resolver_view view;

	(void)state;
	server_start(&s, SOCK_DGRAM, dns_answer, &zone);
	r = start(&s, 1, 60);
	ask_for(r, "pool.example.net", RESOLVER_ANY);
	expect_told(1, 3, first);
	until_asked(&zone, zone.asked + 2);
	zone.count4 = 1;
	expect_told(2, 2, second);
	zone.rcode = 3; /* the name is gone, says the server: a failure like others */
	until_failed(r, 1, &view);
	assert_int_equal(view.count, 2);
	assert_string_equal(view.why, "Domain name not found");
	server_stop(&s);
	until_failed(r, view.failures + 1, &view);
	assert_int_equal(view.count, 2);
	expect_told(2, 2, second);
	zone.rcode = 0;
	zone.count4 = 0; /* no IPv4 any more, beside IPv6 that is answered: that is believed */
	server_start(&s, SOCK_DGRAM, dns_answer, &zone);
	expect_told(3, 1, second + 1);
	resolver_stop(r);
	server_stop(&s);
}

static void ttl_is_bounded(void **state)
{
	static const char *const only[] = { "192.0.2.1" };
	struct dns_zone zone = { .ttl = 86400, .count4 = 1, .first = 1 };
	struct resolver_view view;
	struct server s = { 0 };
	struct resolver *r;

	(void)state;
	server_start(&s, SOCK_DGRAM, dns_answer, &zone);
	r = start(&s, 1, 60);
	ask_for(r, "pool.example.net", RESOLVER_V4);
	expect_told(1, 1, only);
	assert_true(resolver_show(r, 9, &view));
	assert_int_equal(view.ttl, 60);
	assert_int_equal(view.lookups, 1);
	assert_int_equal(zone.asked, 1); /* IPv4 alone */
	resolver_stop(r);
	zone.ttl = 0;
	r = start(&s, 5, 60);
	ask_for(r, "pool.example.net", RESOLVER_V4);
	expect_told(1, 1, only);
	assert_true(resolver_show(r, 9, &view));
	assert_int_equal(view.ttl, 5);
	resolver_stop(r);
	server_stop(&s);
}

/* A name that stays is not asked for again; one that goes while it is being asked for is no trouble. */
static void names_come_and_go(void **state)
{
	static const char *const only[] = { "192.0.2.1" };
	struct dns_zone zone = { .ttl = 3600, .count4 = 1, .first = 1 };
	struct errors errors = ERRORS_NONE;
	struct resolver_view view;
	struct server s = { 0 };
	struct resolver *r;

	(void)state;
	server_start(&s, SOCK_DGRAM, dns_answer, &zone);
	r = start(&s, 1, 3600);
	ask_for(r, "pool.example.net", RESOLVER_V4);
	expect_told(1, 1, only);
	ask_for(r, "pool.example.net", RESOLVER_V4);
	assert_true(resolver_show(r, 9, &view));
	assert_int_equal(view.lookups, 1);
	ask_for(r, "other.example.net", RESOLVER_V4);
	expect_told(2, 1, only);
	assert_int_equal(zone.asked, 2);
	for (unsigned i = 0; i < 20; i++) {
		ask_for(r, i % 2 ? "a.example.net" : "b.example.net", RESOLVER_V4);
		assert_int_equal(resolver_set(r, NULL, 0, &errors), 0);
	}
	assert_false(resolver_show(r, 9, &view));
	resolver_stop(r);
	server_stop(&s);
}

/* Of more addresses than are taken the same ones each time, in whatever order they are told; none of the family that was not asked for. */
static void many_and_others(void **state)
{
	struct dns_zone zone = { .ttl = 1, .count4 = 80, .first = 1, .other = true };
	struct resolver_view view;
	struct server s = { 0 }, stream = { 0 };
	struct resolver *r;

	(void)state;
	server_start(&s, SOCK_DGRAM, dns_truncated, NULL);
	stream.port = s.port;
	server_start(&stream, SOCK_STREAM, dns_by_stream, &zone);
	r = start(&s, 1, 1);
	ask_for(r, "pool.example.net", RESOLVER_V4);
	until_asked(&zone, 4);
	assert_int_equal(told.times, 1);
	assert_true(resolver_show(r, 9, &view));
	assert_int_equal(view.failures, 0);
	assert_int_equal(view.count, RESOLVER_ADDRESSES_MAX);
	for (unsigned i = 0; i < view.count; i++) {
		assert_int_equal(view.addresses[i].family, 4);
		assert_int_equal(view.addresses[i].bytes[3], i + 1);
	}
	zone.count4 = 0; /* an answer of nothing but that is none */
	until_failed(r, 1, &view);
	assert_int_equal(view.count, RESOLVER_ADDRESSES_MAX);
	resolver_stop(r);
	server_stop(&stream);
	server_stop(&s);
}

static void servers_must_be_addresses(void **state)
{
	struct resolver_options options = { .servers = "nowhere:x" };
	struct errors errors = ERRORS_NONE;

	(void)state;
	assert_null(resolver_start(&options, changed, &told, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.list[0].code, "no-resolver");
	errors_free(&errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_and_failures),      cmocka_unit_test(ttl_is_bounded),
		cmocka_unit_test(names_come_and_go),         cmocka_unit_test(many_and_others),
		cmocka_unit_test(servers_must_be_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
