/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a port stands on, from process to process, and messages that are no bequest: whatever comes, no descriptor is lost or closed twice, and
 * nothing is taken that was not said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "port/bequest.h"
#include "port/port.h"

enum { TOO_MANY = BEQUEST_FDS + 8 };

static struct port_bequests got;
static int ends[2];
static unsigned open_before;

static unsigned open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	unsigned count = 0;

	while (readdir(folder))
		count++;
	closedir(folder);
	return count;
}

static int begin(void **state)
{
	(void)state;
	open_before = open_descriptors();
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);
}

static int end(void **state)
{
	(void)state;
	bequests_free(&got);
	close(ends[0]);
	close(ends[1]);
	return open_descriptors() == open_before ? 0 : -1;
}

/* --- a port's own --- */

static unsigned gives;
static bool sent;

static bool bequeath(struct port *port, struct port_bequest *b)
{
	for (; b->count < gives; b->count++)
		b->fds[b->count] = *(int *)port->private;
	b->value[0] = 42;
	return true;
}

static bool bequeath_nothing(struct port *port, struct port_bequest *b)
{
	(void)port;
	(void)b;
	return false;
}

static void hand_over(const char *url, unsigned count, bool (*how)(struct port *, struct port_bequest *))
{
	int fd = dup(ends[0]);
	struct port port = { .bequeath = how, .private = &fd };

	snprintf(port.url, sizeof(port.url), "%s", url);
	gives = count;
	sent = bequest_send(ends[1], &port);
	close(fd);
}

static bool take(const char *url, struct port_bequest *b)
{
	struct port_options options = { .url = url, .inherited = &got };

	return bequest_take(&options, b);
}

static void is_taken_once(void **state)
{
	struct port_bequest b;

	(void)state;
	hand_over("tap:a", 2, bequeath);
	hand_over("vhost:/b", 0, bequeath); /* says something, has no descriptor */
	hand_over("tap:c", BEQUEST_FDS, bequeath);
	shutdown(ends[1], SHUT_WR);
	while (bequest_receive(ends[0], &got))
		;
	assert_int_equal(got.count, 3);
	assert_false(take("tap:b", &b));
	assert_int_equal(b.count, 0);
	assert_true(take("tap:a", &b));
	assert_int_equal(b.count, 2);
	assert_int_equal(b.value[0], 42);
	assert_false(take("tap:a", &(struct port_bequest){ 0 }));
	bequest_refuse(&b);
	assert_true(take("vhost:/b", &b));
	assert_int_equal(b.count, 0);
	assert_int_equal(b.value[0], 42);
	assert_false(take("vhost:/b", &b));
}

static void is_of_one_namespace(void **state)
{
	struct port_options elsewhere = { .url = "tap:a", .netns = "other", .inherited = &got };

	(void)state;
	hand_over("tap:a", 1, bequeath);
	assert_true(bequest_receive(ends[0], &got));
	assert_false(bequest_waits(&elsewhere));
	elsewhere.netns = NULL;
	assert_true(bequest_waits(&elsewhere));
	elsewhere.inherited = NULL;
	assert_false(bequest_waits(&elsewhere));
}

static void who_has_nothing_says_nothing(void **state)
{
	(void)state;
	hand_over("tap:a", 1, bequeath_nothing);
	hand_over("tap:a", 1, NULL);
	hand_over("tap:a", BEQUEST_FDS + 1, bequeath_nothing);
	shutdown(ends[1], SHUT_WR);
	assert_false(bequest_receive(ends[0], &got));
	assert_int_equal(got.count, 0);
}

/* --- what a stranger might say --- */

static struct port_bequest right(void)
{
	return (struct port_bequest){ .version = BEQUEST_VERSION, .count = 1, .url = "tap:a" };
}

/* So many bytes of a message, with so many descriptors beside it. */
static void say(const void *bytes, size_t length, unsigned fds)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(TOO_MANY * sizeof(int))];
	} control = { 0 };
	struct iovec part = { (void *)(uintptr_t)bytes, length };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

	if (fds) {
		message.msg_control = &control;
		message.msg_controllen = CMSG_SPACE(fds * sizeof(int));
		control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET,
			                           .cmsg_type = SCM_RIGHTS,
			                           .cmsg_len = CMSG_LEN(fds * sizeof(int)) };
		for (unsigned i = 0; i < fds; i++)
			memcpy(CMSG_DATA(&control.header) + i * sizeof(int), &ends[0], sizeof(int));
	}
	assert_int_equal(sendmsg(ends[1], &message, MSG_NOSIGNAL), length);
}

static const size_t whole = offsetof(struct port_bequest, fds);

static void torn_and_foreign_ones_are_left_out(void **state)
{
	struct port_bequest b = right(), other = right();
	char longer[sizeof(b) + 64] = { 0 };

	(void)state;
	memcpy(longer, &b, sizeof(b));
	other.version++;
	say(&b, whole - 1, 1);
	say(&b, 1, 1);
	say(&other, whole, 2);
	say(longer, sizeof(longer), 1);
	say(&b, whole, TOO_MANY); /* those that there is no room for never come; nor is the rest believed */
	shutdown(ends[1], SHUT_WR);
	while (bequest_receive(ends[0], &got))
		;
	assert_int_equal(got.count, 0);
}

/* What is counted is what came, and names end where their room does. */
static void counts_and_names_are_not_believed(void **state)
{
	struct port_bequest b = right(), taken;
	char url[sizeof(b.url)];

	(void)state;
	b.count = 1000000;
	memset(b.url, 'x', sizeof(b.url));
	memset(b.netns, 'y', sizeof(b.netns));
	say(&b, whole, 2);
	assert_true(bequest_receive(ends[0], &got));
	assert_int_equal(got.list[0].count, 2);
	assert_int_equal(strlen(got.list[0].netns), sizeof(b.netns) - 1);
	memset(url, 'x', sizeof(url) - 1);
	url[sizeof(url) - 1] = '\0';
	assert_string_equal(got.list[0].url, url);
	assert_false(take(url, &taken));
}

static void there_is_an_end(void **state)
{
	struct port_bequest b = right();

	(void)state;
	for (unsigned i = 0; i < BEQUESTS_MAX + 20; i++) {
		say(&b, whole, 1);
		assert_true(bequest_receive(ends[0], &got));
	}
	assert_int_equal(got.count, BEQUESTS_MAX);
}

/* The heir is gone: that is logged, and nothing else happens. */
static void nobody_listens(void **state)
{
	(void)state;
	close(ends[0]);
	ends[0] = dup(ends[1]);
	hand_over("tap:a", 1, bequeath);
	assert_false(sent);
}

/* The heir stands still: we wait no longer than the socket says. */
static void nobody_reads(void **state)
{
	const struct timeval patience = { .tv_usec = 50000 };
	unsigned count = 0;

	(void)state;
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)), 0);
	for (sent = true; sent; count++) {
		assert_true(count < 10000);
		hand_over("tap:a", 1, bequeath);
	}
	assert_true(count > 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(is_taken_once, begin, end),
		cmocka_unit_test_setup_teardown(is_of_one_namespace, begin, end),
		cmocka_unit_test_setup_teardown(who_has_nothing_says_nothing, begin, end),
		cmocka_unit_test_setup_teardown(torn_and_foreign_ones_are_left_out, begin, end),
		cmocka_unit_test_setup_teardown(counts_and_names_are_not_believed, begin, end),
		cmocka_unit_test_setup_teardown(there_is_an_end, begin, end),
		cmocka_unit_test_setup_teardown(nobody_listens, begin, end),
		cmocka_unit_test_setup_teardown(nobody_reads, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
