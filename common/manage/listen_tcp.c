/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP, always with TLS 1.3. Addresses are numbers: a name could mean another host tomorrow. "*" is one
 * socket for IPv6 and IPv4 alike.
 */
#include "manage/rest_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "manage/access.h"

enum { BACKLOG = 128, BOUND_TEXT = 64 };

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* --- texts of addresses --- */

static bool read_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long number = *text >= '0' && *text <= '9' ? strtoul(text, &end, 10) : 65536;
	*port = (uint16_t)number;
	return number < 65536 && !*end;
}

static bool read_host(const char *host, uint16_t port, union address *to)
{
	memset(to, 0, sizeof *to);
	if (!*host || !strcmp(host, "*")) {
		to->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
		return true;
	}
	if (inet_pton(AF_INET, host, &to->v4.sin_addr) == 1) {
		to->v4.sin_family = AF_INET;
		to->v4.sin_port = htons(port);
		return true;
	}
	to->v6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	return inet_pton(AF_INET6, host, &to->v6.sin6_addr) == 1;
}

/* "192.0.2.1:443", "[2001:db8::1]:443", "*:443"; both = "*". */
static bool read_address(const char *text, union address *to, bool *both)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;
	char host[INET6_ADDRSTRLEN + 2];
	uint16_t port;
	if (!colon || length >= sizeof host || !read_port(colon + 1, &port))
		return false;
	memcpy(host, text, length);
	host[length] = 0;
	bool bracketed = host[0] == '[' && host[length - 1] == ']';
	if (bracketed) {
		memmove(host, host + 1, length - 2);
		host[length - 2] = 0;
	}
	*both = !*host || !strcmp(host, "*");
	return read_host(host, port, to) && bracketed == (to->any.sa_family == AF_INET6 && !*both);
}

bool rest_tcp_check(const char *address, const char **why)
{
	union address parsed;
	bool both;
	*why = "expected ADDRESS:PORT, [IPV6-ADDRESS]:PORT or *:PORT";
	return read_address(address, &parsed, &both);
}

bool rest_tcp_is_at(const char *address, const char *interface)
{
	union address here, there;
	char host[INET6_ADDRSTRLEN];
	bool both;
	snprintf(host, sizeof host, "%.*s", (int)strcspn(interface, "/"), interface);
	if (!read_address(address, &here, &both) || both || !read_host(host, 0, &there) ||
	    here.any.sa_family != there.any.sa_family)
		return false;
	if (here.any.sa_family == AF_INET)
		return here.v4.sin_addr.s_addr == there.v4.sin_addr.s_addr;
	return !memcmp(&here.v6.sin6_addr, &there.v6.sin6_addr, sizeof here.v6.sin6_addr);
}

/* Without its port; IPv4 in IPv6 as IPv4. `group`: of IPv6 the first 64 bits. */
static void write_host(const union address *from, bool group, char *text, size_t size)
{
	struct in6_addr six = from->v6.sin6_addr;
	if (from->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &from->v4.sin_addr, text, (socklen_t)size);
	} else if (IN6_IS_ADDR_V4MAPPED(&six)) {
		inet_ntop(AF_INET, &six.s6_addr[12], text, (socklen_t)size);
	} else {
		if (group)
			memset(&six.s6_addr[8], 0, 8);
		inet_ntop(AF_INET6, &six, text, (socklen_t)size);
	}
}

static void tell_bound(int fd, char *text)
{
	union address address = { .v6 = { 0 } };
	socklen_t size = sizeof address;
	char host[INET6_ADDRSTRLEN];
	if (!text || getsockname(fd, &address.any, &size))
		return;
	bool six = address.any.sa_family == AF_INET6;
	write_host(&address, false, host, sizeof host);
	snprintf(text, BOUND_TEXT, "%s%s%s:%u", six ? "[" : "", host, six ? "]" : "",
	         ntohs(six ? address.v6.sin6_port : address.v4.sin_port));
}

/* --- the listener --- */

static void arrive(struct listener *listener, struct connection *connection)
{
	union address address = { .v6 = { 0 } };
	socklen_t size = sizeof address;
	(void)listener;
	if (getpeername(connection->fd, &address.any, &size))
		return;
	write_host(&address, false, connection->caller.address, sizeof connection->caller.address);
	write_host(&address, true, connection->client, sizeof connection->client);
}

static void listener_free(struct listener *listener)
{
	free(listener);
}

static bool fail(struct errors *errors, const char *address, const char *code, const char *what)
{
	errors_add(errors, NULL, code, NULL, 0, "listen %s: %s", address, what);
	return false;
}

/* -1 with errno. */
static int bind_to(const union address *address, bool both)
{
	bool six = address->any.sa_family == AF_INET6;
	int one = 1, six_only = !both;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) &&
	    !setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) &&
	    (!six || !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &six_only, sizeof six_only)) &&
	    !bind(fd, &address->any, six ? sizeof address->v6 : sizeof address->v4) && !listen(fd, BACKLOG))
		return fd;
	int error = errno;
	if (fd >= 0)
		close(fd);
	errno = error;
	return -1;
}

/* -1 with errno; EINVAL: it is no address. */
static int listen_at(const char *text)
{
	union address address;
	bool both;
	if (!read_address(text, &address, &both)) {
		errno = EINVAL;
		return -1;
	}
	int fd = bind_to(&address, both);
	if (fd < 0 && both && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL)) { /* a host without IPv6 */
		union address four = { .v4 = { .sin_family = AF_INET, .sin_port = address.v6.sin6_port } };
		fd = bind_to(&four, false);
	}
	return fd;
}

static int open_socket(const char *text, struct errors *errors)
{
	const char *why;
	if (!rest_tcp_check(text, &why)) {
		fail(errors, text, "bad-address", why);
		return -1;
	}
	int fd = listen_at(text);
	if (fd < 0)
		fail(errors, text, errno == EADDRINUSE ? "address-taken" : "listen-failed", strerror(errno));
	return fd;
}

static bool certificate_there(struct access *access)
{
	char *certificate, *key;
	bool there = access && access_server(access, time(NULL), &certificate, &key);
	if (there) {
		free(certificate);
		gnutls_memset(key, 0, strlen(key));
		free(key);
	}
	return there;
}

/* On a socket that listens, which is taken over or closed. */
static bool begin(struct rest *rest, int fd, const char *address, char *bound, struct errors *errors)
{
	struct listener *listener = calloc(1, sizeof *listener);
	if (listener) {
		*listener = (struct listener){
			.rest = rest, .tls = true, .arrive = arrive, .free = listener_free
		};
		snprintf(listener->address, sizeof listener->address, "%s", address);
		if (listener_begin(listener, fd)) {
			tell_bound(fd, bound);
			return true;
		}
	}
	free(listener);
	close(fd);
	return fail(errors, address, "listen-failed", "the HTTP server does not start");
}

static bool may_begin(const struct rest *rest, const char *address, struct errors *errors)
{
	return certificate_there(rest->access) ||
	       fail(errors, address, "no-certificate",
	            "server.crt and server.key are not there, or do not fit together");
}

bool rest_listen_tcp(struct rest *rest, const struct rest_tcp *where, char *bound, struct errors *errors)
{
	int fd = may_begin(rest, where->address, errors) ? open_socket(where->address, errors) : -1;
	return fd >= 0 && begin(rest, fd, where->address, bound, errors);
}

/* The one that was begun last and is not told to leave; NULL: none. */
static struct listener *present(struct rest *rest)
{
	struct listener *listener = rest->listeners;
	while (listener && (!listener->tls || listener->left_us))
		listener = listener->next;
	return listener;
}

static void leave(struct listener *listener)
{
	int fd = listener ? listener_leave(listener) : -1;
	if (fd >= 0)
		close(fd);
}

/* By somebody who listens there, or at all addresses, or at one of them where all are wanted. */
static bool is_taken(const char *address)
{
	int fd = listen_at(address);
	if (fd < 0)
		return errno == EADDRINUSE;
	close(fd);
	return false;
}

static bool same_port(const char *a, const char *b)
{
	const char *x = strrchr(a, ':'), *y = strrchr(b, ':');
	return x && y && !strcmp(x, y);
}

bool rest_move_tcp(struct rest *rest, const struct rest_tcp *where, char *bound, struct errors *errors)
{
	struct listener *old = present(rest);
	if (!where) {
		leave(old);
		return true;
	}
	if (!may_begin(rest, where->address, errors))
		return false;
	if (old &&
	    !strcmp(old->address, where->address)) { /* whoever connects meanwhile waits in its queue */
		int fd = listener_leave(old);
		return fd >= 0 && begin(rest, fd, where->address, bound, errors);
	}
	if (old && same_port(old->address, where->address) && is_taken(where->address)) { /* perhaps by it */
		leave(old);
		old = NULL;
	}
	int fd = open_socket(where->address, errors);
	if (fd < 0 || !begin(rest, fd, where->address, bound, errors))
		return false;
	leave(old);
	return true;
}
