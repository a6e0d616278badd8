/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP at a stated rate, every datagram numbered within its flow, so that what is lost or overtaken on the way is known
 * exactly.
 *
 *   load receive ADDRESS PORT                     counts until SIGTERM, then prints one JSON object; at SIGUSR1 one of what was
 *                                                 since the last: flows not heard, longest silence of one
 *   load send ADDRESS PORT FLOWS RATE SECONDS     RATE datagrams a second over all flows; prints how many were sent
 *   load fill ADDRESS PORT FROM HOSTS COUNT RATE  one datagram each from COUNT ends: ports of HOSTS IPv4 addresses from FROM on, which the host has
 *   load echo ADDRESS PORT                        sends back what it hears, until SIGTERM
 *
 * One thread; nothing is allocated while packets flow.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { FLOWS_MAX = 4096, BATCH = 64, SIZE = 64, TICK_NS = 1000000, BUFFER = 64 << 20, PORT_FIRST = 10000 };

struct datagram {
	uint32_t magic, flow;
	uint64_t number;
	uint8_t rest[SIZE - 16];
};

static const uint32_t magic = 0x5151ce;
static volatile sig_atomic_t stop_asked, report_asked;

static void on_stop(int number)
{
	(void)number;
	stop_asked = 1;
}

static void on_report(int number)
{
	(void)number;
	report_asked = 1;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct addrinfo *address_of(const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV },
	                *found;

	if (getaddrinfo(host, port, &hints, &found) != 0) {
		fprintf(stderr, "load: not an address and a port: %s %s\n", host, port);
		exit(2);
	}
	return found;
}

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

/* What the receiver knows. */
struct tally {
	uint64_t next[FLOWS_MAX]; /* number that follows the highest seen */
	uint64_t received, missing, reordered, foreign;
	int64_t last, longest_gap;              /* ns between two datagrams of any flow */
	int64_t flow_last[FLOWS_MAX], flow_gap; /* and of one and the same, since the last report */
	int64_t reported;
};

static void keep_longest(int64_t *longest, int64_t from, int64_t to)
{
	if (from && to - from > *longest)
		*longest = to - from;
}

static void count(struct tally *t, const struct datagram *d, size_t size, int64_t now)
{
	if (size != sizeof(*d) || d->magic != magic || d->flow >= FLOWS_MAX) {
		t->foreign++;
		return;
	}
	keep_longest(&t->longest_gap, t->last, now);
	keep_longest(&t->flow_gap, t->flow_last[d->flow], now);
	t->last = t->flow_last[d->flow] = now;
	t->received++;
	if (d->number >= t->next[d->flow]) {
		t->missing += d->number - t->next[d->flow];
		t->next[d->flow] = d->number + 1;
	} else { /* it was taken for missing, or comes twice */
		t->reordered++;
		t->missing--;
	}
}

/* A flow that is silent now counts from its last datagram on, in this report and in the next. */
static void report(struct tally *t, int64_t now)
{
	unsigned silent = 0;

	for (unsigned i = 0; i < FLOWS_MAX; i++) {
		keep_longest(&t->flow_gap, t->flow_last[i], now);
		silent += t->flow_last[i] && t->flow_last[i] < t->reported;
	}
	printf("{\"received\": %" PRIu64 ", \"silentFlows\": %u, \"flowGapMs\": %.1f}\n", t->received, silent,
	       (double)t->flow_gap / 1e6);
	fflush(stdout);
	t->flow_gap = 0;
	t->reported = now;
}

static int receive(const char *host, const char *port)
{
	static struct tally tally;
	struct addrinfo *at = address_of(host, port);
	int fd = socket(at->ai_family, SOCK_DGRAM, 0), size = BUFFER;
	struct timeval wait = { 0, 100000 };
	struct datagram data[BATCH];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH];

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (fd < 0 || bind(fd, at->ai_addr, at->ai_addrlen) < 0)
		die("bind");
	freeaddrinfo(at);
	memset(messages, 0, sizeof(messages));
	for (unsigned i = 0; i < BATCH; i++) {
		parts[i] = (struct iovec){ &data[i], sizeof(data[i]) };
		messages[i].msg_hdr.msg_iov = &parts[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	puts("listening");
	fflush(stdout);
	while (!stop_asked) {
		int n = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
		int64_t now = now_ns();

		for (int i = 0; i < n; i++)
			count(&tally, &data[i], messages[i].msg_len, now);
		if (report_asked) {
			report_asked = 0;
			report(&tally, now);
		}
	}
	printf("{\"received\": %" PRIu64 ", \"missing\": %" PRIu64 ", \"reordered\": %" PRIu64
	       ", \"foreign\": %" PRIu64 ", \"longestGapMs\": %.1f}\n",
	       tally.received, tally.missing, tally.reordered, tally.foreign,
	       (double)tally.longest_gap / 1e6);
	return 0;
}

static void send_one(int fd, struct datagram *d)
{
	while (send(fd, d, sizeof(*d), 0) < 0 && !stop_asked)
		if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED && errno != EINTR)
			die("send");
	d->number++;
}

static int send_all(const char *host, const char *port, unsigned flows, double rate, double seconds)
{
	static struct datagram flow[FLOWS_MAX];
	static int fd[FLOWS_MAX];
	struct addrinfo *at = address_of(host, port);
	int64_t begin;
	uint64_t sent = 0, due = 0;

	for (unsigned i = 0; i < flows; i++) {
		fd[i] = socket(at->ai_family, SOCK_DGRAM, 0);
		if (fd[i] < 0 || connect(fd[i], at->ai_addr, at->ai_addrlen) < 0)
			die("connect");
		flow[i] = (struct datagram){ .magic = magic, .flow = i };
	}
	freeaddrinfo(at);
	begin = now_ns();
	for (int64_t at_ns = begin; !stop_asked && at_ns < begin + (int64_t)(seconds * 1e9);
	     at_ns = now_ns()) {
		struct timespec pause = { 0, TICK_NS };

		for (due = (uint64_t)(rate * (double)(at_ns - begin) / 1e9); sent < due; sent++)
			send_one(fd[sent % flows], &flow[sent % flows]);
		nanosleep(&pause, NULL);
	}
	printf("{\"sent\": %" PRIu64 "}\n", sent);
	return 0;
}

/* The n-th end of so many hosts' from an address on. */
static struct sockaddr_in end_of(struct in_addr first, unsigned hosts, unsigned n)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		                     .sin_port = htons((uint16_t)(PORT_FIRST + n / hosts)),
		                     .sin_addr.s_addr = htonl(ntohl(first.s_addr) + n % hosts) };
}

/* A socket stays for a while, so that the answer finds it. */
static int fill(const char *host, const char *port, const char *from, unsigned hosts, unsigned count,
                double rate)
{
	static int fd[FLOWS_MAX];
	struct addrinfo *at = address_of(host, port);
	struct datagram d = { .magic = 0 };
	struct in_addr first;
	int64_t begin = now_ns();

	if (inet_pton(AF_INET, from, &first) != 1)
		die(from);
	for (unsigned i = 0; i < count && !stop_asked; i++) {
		struct sockaddr_in end = end_of(first, hosts, i);
		struct timespec pause = { 0, TICK_NS };

		if (i >= FLOWS_MAX)
			close(fd[i % FLOWS_MAX]);
		fd[i % FLOWS_MAX] = socket(AF_INET, SOCK_DGRAM, 0);
		if (bind(fd[i % FLOWS_MAX], (struct sockaddr *)&end, sizeof(end)) < 0 ||
		    sendto(fd[i % FLOWS_MAX], &d, sizeof(d), 0, at->ai_addr, at->ai_addrlen) < 0)
			die("fill");
		while (!stop_asked && (double)(now_ns() - begin) * rate < 1e9 * i)
			nanosleep(&pause, NULL);
	}
	freeaddrinfo(at);
	return 0;
}

static int echo(const char *host, const char *port)
{
	struct addrinfo *at = address_of(host, port);
	int fd = socket(at->ai_family, SOCK_DGRAM, 0), size = BUFFER;
	struct timeval wait = { 0, 100000 };

	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (fd < 0 || bind(fd, at->ai_addr, at->ai_addrlen) < 0)
		die("bind");
	freeaddrinfo(at);
	printf("listening\n");
	fflush(stdout);
	while (!stop_asked) {
		struct sockaddr_storage from;
		socklen_t length = sizeof(from);
		struct datagram d;
		ssize_t n = recvfrom(fd, &d, sizeof(d), 0, (struct sockaddr *)&from, &length);

		if (n > 0)
			sendto(fd, &d, (size_t)n, 0, (struct sockaddr *)&from, length);
	}
	return 0;
}

int main(int count, char **words)
{
	struct sigaction action = { .sa_handler = on_stop }, reporting = { .sa_handler = on_report };

	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGUSR1, &reporting, NULL);
	if (count == 4 && strcmp(words[1], "receive") == 0)
		return receive(words[2], words[3]);
	if (count == 7 && strcmp(words[1], "send") == 0 && atoi(words[4]) > 0 && atoi(words[4]) <= FLOWS_MAX)
		return send_all(words[2], words[3], (unsigned)atoi(words[4]), atof(words[5]), atof(words[6]));
	if (count == 8 && strcmp(words[1], "fill") == 0)
		return fill(words[2], words[3], words[4], (unsigned)atoi(words[5]), (unsigned)atoi(words[6]),
		            atof(words[7]));
	if (count == 4 && strcmp(words[1], "echo") == 0)
		return echo(words[2], words[3]);
	fprintf(stderr,
	        "usage: load receive ADDRESS PORT\n       load send ADDRESS PORT FLOWS RATE SECONDS\n"
	        "       load fill ADDRESS PORT FROM HOSTS COUNT RATE\n       load echo ADDRESS PORT\n");
	return 2;
}
