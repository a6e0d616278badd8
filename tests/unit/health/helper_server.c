/* SPDX-License-Identifier: BSD-3-Clause */
#include "helper_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 128 * 1024 };

static void answer_datagram(struct server *s)
{
	uint8_t asked[2048], answer[2048];
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	ssize_t got = recvfrom(s->fd, asked, sizeof(asked), 0, (struct sockaddr *)&from, &size);
	size_t n = got < 0 ? 0 : s->answer(s->context, asked, (size_t)got, answer, sizeof(answer));

	if (n)
		sendto(s->fd, answer, n, 0, (struct sockaddr *)&from, size);
}

static void answer_connection(struct server *s)
{
	static uint8_t answer[SIZE];
	uint8_t asked[4096];
	int fd = accept(s->fd, NULL, NULL);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	ssize_t got = poll(&p, 1, 1000) > 0 ? recv(fd, asked, sizeof(asked), 0) : 0;
	size_t n =
	        got > 0 && s->answer ? s->answer(s->context, asked, (size_t)got, answer, sizeof(answer)) : 0;

	if (n)
		send(fd, answer, n, MSG_NOSIGNAL);
	close(fd);
}

static void *serve(void *argument)
{
	struct server *s = argument;
	struct pollfd p[] = { { .fd = s->fd, .events = POLLIN }, { .fd = s->stop, .events = POLLIN } };

	while (poll(p, 2, -1) >= 0 && !p[1].revents) {
		if (p[0].revents && s->type == SOCK_DGRAM)
			answer_datagram(s);
		else if (p[0].revents)
			answer_connection(s);
	}
	return NULL;
}

static void bind_to(struct server *s)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(s->port) };
	socklen_t size = sizeof(in);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	s->fd = socket(AF_INET, s->type | SOCK_CLOEXEC, 0);
	assert_return_code(s->fd, 0);
	assert_return_code(setsockopt(s->fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
	assert_return_code(bind(s->fd, (struct sockaddr *)&in, size), 0);
	assert_return_code(getsockname(s->fd, (struct sockaddr *)&in, &size), 0);
	s->port = ntohs(in.sin_port);
}

void server_start(struct server *s, int type, answer_fn *answer, void *context)
{
	s->type = type;
	s->answer = answer;
	s->context = context;
	bind_to(s);
	if (type == SOCK_STREAM)
		assert_return_code(listen(s->fd, 64), 0);
	s->stop = eventfd(0, EFD_CLOEXEC);
	assert_int_equal(pthread_create(&s->thread, NULL, serve, s), 0);
}

void server_stop(struct server *s)
{
	uint64_t one = 1;

	assert_int_equal(write(s->stop, &one, sizeof(one)), sizeof(one));
	pthread_join(s->thread, NULL);
	close(s->fd);
	close(s->stop);
}

/* One record, its name a pointer to the question's. */
static size_t put_record(uint8_t *at, uint16_t type, uint32_t ttl, uint8_t last)
{
	uint8_t record[28] = { 0xc0, 12, 0, (uint8_t)type, 0, 1 };
	uint8_t length = type == 1 ? 4 : 16;

	ttl = htonl(ttl);
	memcpy(record + 6, &ttl, 4);
	record[11] = length;
	memcpy(record + 12, type == 1 ? "\xc0\x00\x02" : "\x20\x01\x0d\xb8", type == 1 ? 3 : 4);
	record[11 + length] = last;
	memcpy(at, record, 12u + length);
	return 12u + length;
}

size_t dns_answer(void *context, const uint8_t *asked, size_t length, uint8_t *answer, size_t size)
{
	struct dns_zone *zone = context;
	size_t question = 12, n;
	uint16_t type, count = 0;
	unsigned all;

	assert_true(length > 16 && length < size);
	while (asked[question])
		question += asked[question] + 1u;
	type = asked[question + 2];
	question += 5;
	memcpy(answer, asked, question);
	answer[2] |= 0x80;
	answer[3] = 0x80 | zone->rcode;
	memset(answer + 6, 0, 6);
	n = question;
	all = type == 1 ? zone->count4 : zone->count6;
	if (!zone->rcode && (type == 1 || type == 28))
		for (; count < all; count++)
			n += put_record(answer + n, type, zone->ttl,
			                (uint8_t)(zone->first + (count + zone->asked) % all));
	if (!zone->rcode && zone->other) {
		n += put_record(answer + n, type == 1 ? 28 : 1, zone->ttl, 99);
		count++;
	}
	answer[7] = (uint8_t)count;
	zone->asked++;
	return n;
}

size_t dns_by_stream(void *context, const uint8_t *asked, size_t length, uint8_t *answer, size_t size)
{
	size_t n = dns_answer(context, asked + 2, length - 2, answer + 2, size - 2);

	answer[0] = (uint8_t)(n >> 8);
	answer[1] = (uint8_t)n;
	return n + 2;
}

size_t dns_truncated(void *context, const uint8_t *asked, size_t length, uint8_t *answer, size_t size)
{
	struct dns_zone none = { .ttl = 1 };
	size_t n = dns_answer(&none, asked, length, answer, size);

	(void)context;
	answer[2] |= 2;
	return n;
}
