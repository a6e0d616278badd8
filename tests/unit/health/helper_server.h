/* SPDX-License-Identifier: BSD-3-Clause */
/* A server on the loopback for checks to talk to: a thread that answers what it is told to. */
#ifndef SLUICE_TEST_HEALTH_SERVER_H
#define SLUICE_TEST_HEALTH_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Makes the answer to a datagram; 0: silence. */
typedef size_t answer_fn(void *context, const uint8_t *asked, size_t length, uint8_t *answer, size_t size);

struct server {
	int type; /* SOCK_STREAM: answers whatever comes first on a connection, and closes it; SOCK_DGRAM */
	uint16_t port;
	answer_fn *answer;
	void *context;
	int fd, stop;
	pthread_t thread;
};

/* On 127.0.0.1; port 0: any. */
void server_start(struct server *s, int type, answer_fn *answer, void *context);
/* The port is closed from now on. */
void server_stop(struct server *s);

/* A DNS answer to a query: `rcode`, and these IPv4 or IPv6 addresses (network order, by the type that was asked for; beginning with another one each
 * time) with a TTL. */
struct dns_zone {
	_Atomic uint8_t rcode;
	_Atomic uint32_t ttl, asked;
	_Atomic unsigned count4, count6;
	_Atomic bool other; /* and one of the type that was not asked for */
	uint8_t first;      /* 192.0.2.FIRST and on; 2001:db8::FIRST and on */
};
/* dns_by_stream: the same on a connection; dns_truncated: that one should be made. */
answer_fn dns_answer, dns_by_stream, dns_truncated;

#endif
