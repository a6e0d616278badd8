/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks with one socket: TCP connect, UDP, ICMP echo, DNS. The checker's thread, under its lock. */
#include "lb/health/checker.h"

#include <errno.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { ANSWER_MAX = 2048 };

static void drop_socket(struct health *h, struct target *t)
{
	(void)h;
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
}

/* What the kernel says of a socket: an ICMP error, a reset; 0: nothing. */
static int socket_error(int fd)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		return errno;
	return error;
}

/* A socket that is connected, or about to be. False: the check has ended. */
static bool connect_to(struct health *h, struct target *t, int type, int protocol)
{
	struct sockaddr_storage address;
	socklen_t size = probe_address(t, &address);

	t->fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
	if (t->fd >= 0 && (connect(t->fd, (struct sockaddr *)&address, size) == 0 || errno == EINPROGRESS))
		return true;
	probe_end(h, t, false, "%s", strerror(errno));
	return false;
}

static void no_answer(struct health *h, struct target *t)
{
	probe_end(h, t, false, "no answer within %u ms", t->check.timeout);
}

/* --- TCP --- */

static void tcp_begin(struct health *h, struct target *t)
{
	if (connect_to(h, t, SOCK_STREAM, 0))
		probe_watch(h, t, EPOLLOUT);
}

static void tcp_ready(struct health *h, struct target *t, uint32_t events)
{
	int error = socket_error(t->fd);

	if (error)
		probe_end(h, t, false, "%s", strerror(error));
	else if (events & EPOLLOUT)
		probe_end(h, t, true, "connected");
}

static void tcp_late(struct health *h, struct target *t)
{
	probe_end(h, t, false, "no connection within %u ms", t->check.timeout);
}

const struct probe_ops probe_tcp = { tcp_begin, tcp_ready, tcp_late, drop_socket };

/* --- datagrams: one goes out, what comes back is judged --- */

static void exchange_begin(struct health *h, struct target *t, int protocol, const void *bytes, size_t length)
{
	if (!connect_to(h, t, SOCK_DGRAM, protocol))
		return;
	if (send(t->fd, bytes, length, 0) < 0)
		probe_end(h, t, false, "%s", strerror(errno));
	else
		probe_watch(h, t, EPOLLIN);
}

/* The next datagram; -1: none, or an error that has ended the check. */
static ssize_t exchange_read(struct health *h, struct target *t, uint8_t answer[ANSWER_MAX])
{
	ssize_t got = recv(t->fd, answer, ANSWER_MAX, 0);

	if (got < 0 && errno != EAGAIN)
		probe_end(h, t, false, "%s", strerror(errno));
	return got;
}

/* --- UDP --- */

static void udp_begin(struct health *h, struct target *t)
{
	exchange_begin(h, t, 0, t->check.send, t->check.send_length);
}

static void udp_ready(struct health *h, struct target *t, uint32_t events)
{
	uint16_t wanted = t->check.expect_length;
	uint8_t answer[ANSWER_MAX];
	ssize_t got = exchange_read(h, t, answer);

	(void)events;
	if (got < 0)
		return;
	if (got >= wanted && memcmp(answer, t->check.expect, wanted) == 0)
		probe_end(h, t, true, "answered");
	else
		probe_end(h, t, false, "the answer does not begin as expected");
}

/* Silence is well where no answer is expected: a closed port would have been told of by ICMP. */
static void udp_late(struct health *h, struct target *t)
{
	if (t->check.expect_length)
		no_answer(h, t);
	else
		probe_end(h, t, true, "not unreachable");
}

const struct probe_ops probe_udp = { udp_begin, udp_ready, udp_late, drop_socket };

/* --- ICMP echo: the kernel owns identifier and checksum --- */

static void icmp_begin(struct health *h, struct target *t)
{
	bool v4 = t->address.family == 4;
	struct icmphdr echo = { .type = v4 ? ICMP_ECHO : ICMP6_ECHO_REQUEST };

	echo.un.echo.sequence = htons(++t->sequence);
	exchange_begin(h, t, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, &echo, sizeof(echo));
}

static void icmp_ready(struct health *h, struct target *t, uint32_t events)
{
	uint8_t answer[ANSWER_MAX];
	ssize_t got = exchange_read(h, t, answer);
	struct icmphdr echo;

	(void)events;
	if (got < (ssize_t)sizeof(echo))
		return;
	memcpy(&echo, answer, sizeof(echo));
	if (echo.un.echo.sequence == htons(t->sequence))
		probe_end(h, t, true, "answered");
}

const struct probe_ops probe_icmp = { icmp_begin, icmp_ready, no_answer, drop_socket };

/* --- DNS --- */

static void dns_begin(struct health *h, struct target *t)
{
	uint8_t query[512];
	unsigned length;

	t->sequence = (uint16_t)checker_random(h, 65536);
	length = dns_query(&t->check, t->sequence, query, sizeof(query));
	if (length)
		exchange_begin(h, t, 0, query, length);
	else
		probe_end(h, t, false, "\"%.100s\" is no name", t->check.name);
}

static void dns_ready(struct health *h, struct target *t, uint32_t events)
{
	uint8_t answer[ANSWER_MAX];
	ssize_t got = exchange_read(h, t, answer);
	char why[HEALTH_WHY];
	bool passed;

	(void)events;
	if (got < 0 || !dns_is_answer(t->sequence, answer, (unsigned)got))
		return;
	passed = dns_judge(&t->check, answer, (unsigned)got, why);
	probe_end(h, t, passed, "%s", why);
}

const struct probe_ops probe_dns = { dns_begin, dns_ready, no_answer, drop_socket };
