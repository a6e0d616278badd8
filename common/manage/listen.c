/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Listeners of every kind: one is one daemon of the HTTP library with its thread; all share the pool. What is
 * particular to unix sockets and to TCP is in listen_unix.c and listen_tcp.c.
 */
#include "manage/rest_private.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "manage/log.h"

/* The library would stop to accept at its limit; ours is below, so that those beyond it get an answer. */
enum { CONNECTIONS_SPARE = 32 };

static void connection_change(void *cls, struct MHD_Connection *handle, void **context,
                              enum MHD_ConnectionNotificationCode code)
{
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_open(cls, handle, context);
	else
		connection_close(cls, context);
}

static void log_library(void *cls, const char *format, va_list args)
{
	char text[256];
	(void)cls;
	vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\n")] = 0;
	log_limited(LOG_LEVEL_DEBUG, "http-library", "text=%s", text);
}

/* Paths and queries are decoded by url.c; the library must leave them alone. */
static size_t leave_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls, (void)connection;
	return strlen(text);
}

/* TLS 1.3 alone; all of its cipher suites are good. */
static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3";

static struct MHD_Daemon *start_daemon(struct listener *listener, int fd)
{
	struct rest *rest = listener->rest;
	struct MHD_OptionItem items[] = {
		{ MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)log_library, NULL },
		{ MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)exchange_new, rest },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)exchange_over, rest },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)connection_change, listener },
		{ MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)leave_escaped, NULL },
		{ MHD_OPTION_LISTEN_SOCKET, fd, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, rest->limits.connections + CONNECTIONS_SPARE, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, REST_POOL, NULL },
		{ MHD_OPTION_THREAD_STACK_SIZE, REST_STACK, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	if (!listener->tls)
		return MHD_start_daemon(flags, 0, NULL, NULL, exchange_step, listener, MHD_OPTION_ARRAY,
		                        items, MHD_OPTION_END);
	/* The callback is not among the options that the library takes from an array. */
	return MHD_start_daemon(flags | MHD_USE_TLS, 0, NULL, NULL, exchange_step, listener, MHD_OPTION_ARRAY,
	                        items, MHD_OPTION_HTTPS_PRIORITIES, priorities,
	                        MHD_OPTION_HTTPS_CERT_CALLBACK2, tls_certificate, MHD_OPTION_END);
}

bool listener_begin(struct listener *listener, int fd)
{
	listener->daemon = start_daemon(listener, fd);
	if (!listener->daemon)
		return false;
	listener->next = listener->rest->listeners;
	listener->rest->listeners = listener;
	return true;
}

bool listeners_wanted(const struct rest *rest)
{
	for (const struct listener *listener = rest->listeners; listener; listener = listener->next) {
		const union MHD_DaemonInfo *info =
		        MHD_get_daemon_info(listener->daemon, MHD_DAEMON_INFO_LISTEN_FD);
		struct pollfd door = { .fd = info ? info->listen_fd : -1, .events = POLLIN };
		if (!listener->left_us && poll(&door, 1, 0) > 0)
			return true;
	}
	return false;
}

int listener_leave(struct listener *listener)
{
	listener->left_us = monotonic_us();
	return MHD_quiesce_daemon(listener->daemon);
}

void listeners_close(struct rest *rest)
{
	for (struct listener *listener = rest->listeners; listener; listener = listener->next)
		if (!listener->left_us && listener->close)
			listener->close(listener);
}

/* Those that were told to leave, one after the other, as soon as nobody is there. */
void rest_tend(struct rest *rest)
{
	for (struct listener **link = &rest->listeners, *listener; (listener = *link);) {
		bool late = monotonic_us() >= listener->left_us + REST_LEAVE_S * UINT64_C(1000000);
		if (!listener->left_us || connections_of(rest, listener, late)) {
			link = &listener->next;
			continue;
		}
		*link = listener->next;
		MHD_stop_daemon(listener->daemon);
		listener->free(listener);
	}
}

void listeners_free(struct rest *rest)
{
	while (rest->listeners) {
		struct listener *listener = rest->listeners;
		rest->listeners = listener->next;
		MHD_stop_daemon(listener->daemon);
		listener->free(listener);
	}
}
