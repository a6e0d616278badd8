/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Interfaces as the kernel tells of them, in a network namespace of the test's own: which there are, what they are, whom they were made for.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/link.h"

enum { MANY = 200 };

static int tap(const char *name, int flags)
{
	struct ifreq request = { .ifr_flags = (short)(IFF_TAP | IFF_NO_PI | flags) };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, TUNSETIFF, &request), 0);
	return fd;
}

static void count(void *user, const struct link *link)
{
	assert_true(link->index > 0 && link->name[0]);
	++*(unsigned *)user;
}

static unsigned links(void)
{
	unsigned all = 0;

	assert_true(links_each(count, &all));
	return all;
}

/* More than one message of the kernel's has room for. */
static void finds_each(void **state)
{
	unsigned before = links();
	struct link link;
	int fds[MANY];
	char name[16];

	(void)state;
	assert_true(link_find("lo", &link));
	assert_string_equal(link.kind, "");
	assert_false(link_find("t7", &link));
	for (unsigned i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "t%u", i);
		fds[i] = tap(name, 0);
	}
	assert_int_equal(links(), before + MANY);
	assert_true(link_find("t7", &link));
	assert_string_equal(link.name, "t7");
	assert_string_equal(link.kind, "tun");
	assert_string_equal(link.alias, "");
	for (unsigned i = 0; i < MANY; i++)
		close(fds[i]);
	assert_int_equal(links(), before);
}

static void knows_whose_it_is(void **state)
{
	char longest[LINK_ALIAS_MAX];
	int fd = tap("mine", 0);
	struct link link;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_true(link_find("mine", &link));
	assert_true(link_set_alias(link.index, longest));
	assert_true(link_find("mine", &link));
	assert_string_equal(link.alias, longest);
	assert_true(link_set_alias(link.index, LINK_OURS "/run/a"));
	assert_true(link_find("mine", &link));
	assert_string_equal(link.alias, LINK_OURS "/run/a");
	close(fd);
	assert_false(link_set_alias(link.index, "late"));
	assert_int_equal(errno, ENODEV);
}

static void knows_who_has_it(void **state)
{
	int one = tap("one", 0), many = tap("many", IFF_MULTI_QUEUE), other = tap("many", IFF_MULTI_QUEUE);
	struct ifreq up = { .ifr_name = "one", .ifr_flags = IFF_UP };
	int control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct link link;

	(void)state;
	assert_int_equal(ioctl(control, SIOCSIFFLAGS, &up), 0);
	close(control);
	assert_true(link_find("one", &link) && link.carrier);
	assert_true(link_find("many", &link));
	assert_int_equal(link.queues, 2);
	assert_int_equal(ioctl(one, TUNSETPERSIST, 1) | ioctl(many, TUNSETPERSIST, 1), 0);
	close(one);
	close(many);
	assert_true(link_find("one", &link) && !link.carrier);
	assert_true(link_find("many", &link));
	assert_int_equal(link.queues, 1);
	close(other);
	assert_true(link_find("many", &link));
	assert_int_equal(link.queues, 0);
}

/* The namespace goes with this process. */
static int begin(void **state)
{
	(void)state;
	return unshare(CLONE_NEWNET);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_each),
		cmocka_unit_test(knows_whose_it_is),
		cmocka_unit_test(knows_who_has_it),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
