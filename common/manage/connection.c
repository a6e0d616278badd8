/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Connections: who is there, how many, and how long each may take. Clients that are slow on purpose are cut
 * by the server's ticker: the HTTP library knows silence only, a byte a minute is not silent, and it takes our own standing still for
 * the client's.
 */
#include "manage/rest_private.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "manage/trust.h"

struct connection *connection_of(struct MHD_Connection *handle)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	return info ? info->socket_context : NULL;
}

unsigned connection_patience(const struct rest *rest, size_t bytes)
{
	return rest->limits.body_s + (unsigned)(bytes / REST_BYTES_S);
}

void connection_deadline(struct connection *connection, unsigned seconds)
{
	atomic_store(&connection->heard, false);
	atomic_store(&connection->warned, false);
	atomic_store(&connection->deadline_us, seconds ? monotonic_us() + seconds * UINT64_C(1000000) : 0);
}

void connection_await(struct connection *connection, unsigned seconds)
{
	connection_deadline(connection, seconds);
	atomic_store(&connection->heard, true);
}

/* Whether it has sent what was not read yet; its end does not count. */
static bool speaks(const struct connection *connection)
{
	char byte;
	return recv(connection->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0;
}

struct census {
	unsigned client, fresh;
};

/* Lock held. */
static struct census count(const struct rest *rest, const struct connection *one)
{
	struct census census = { 0, 0 };
	for (const struct connection *other = rest->connections; other; other = other->next) {
		if (!other->tls)
			continue;
		census.client += !strcmp(other->client, one->client);
		census.fresh += other->fresh;
	}
	return census;
}

/* Adds it to the list; false: it is one that is not even to be heard. */
static bool enlist(struct rest *rest, struct connection *connection)
{
	const struct limits *limits = &rest->limits;
	pthread_mutex_lock(&rest->connection_lock);
	struct census census = connection->tls ? count(rest, connection) : (struct census){ 0, 0 };
	connection->surplus =
	        rest->connection_count >= limits->connections || census.client >= limits->per_client;
	bool first = rest->connection_count++ == 0;
	connection->next = rest->connections;
	connection->link = &rest->connections;
	if (connection->next)
		connection->next->link = &connection->next;
	rest->connections = connection;
	pthread_mutex_unlock(&rest->connection_lock);
	if (first) { /* the ticker sleeps while there is nothing to look after */
		pthread_mutex_lock(&rest->stream_lock);
		pthread_cond_signal(&rest->stream_change);
		pthread_mutex_unlock(&rest->stream_lock);
	}
	return census.fresh < limits->handshakes && census.client < limits->per_client + 8;
}

void connection_open(struct listener *listener, struct MHD_Connection *handle, void **context)
{
	const union MHD_ConnectionInfo *info =
	        MHD_get_connection_info(handle, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct connection *connection = info ? calloc(1, sizeof *connection) : NULL;
	*context = connection;
	if (!connection)
		return;
	connection->listener = listener;
	connection->fd = info->connect_fd;
	connection->tls = listener->tls;
	connection->fresh = true;
	connection->caller.how = "none";
	listener->arrive(listener, connection);
	connection_await(connection, listener->rest->limits.header_s);
	if (listener->tls)
		tls_begin(handle);
	if (!enlist(listener->rest, connection))
		shutdown(connection->fd, SHUT_RDWR);
}

void connection_close(struct listener *listener, void **context)
{
	struct connection *connection = *context;
	struct rest *rest = listener->rest;
	*context = NULL;
	if (!connection)
		return;
	pthread_mutex_lock(&rest->connection_lock);
	*connection->link = connection->next;
	if (connection->next)
		connection->next->link = connection->link;
	rest->connection_count--;
	pthread_mutex_unlock(&rest->connection_lock);
	trust_release(connection->judged.trust);
	free(connection);
}

bool connections_any(struct rest *rest)
{
	pthread_mutex_lock(&rest->connection_lock);
	bool any = rest->connections;
	pthread_mutex_unlock(&rest->connection_lock);
	return any;
}

bool connections_speak(struct rest *rest, bool fresh)
{
	bool any = false;
	pthread_mutex_lock(&rest->connection_lock);
	for (struct connection *connection = rest->connections; connection && !any;
	     connection = connection->next)
		any = (fresh && connection->fresh) || speaks(connection);
	pthread_mutex_unlock(&rest->connection_lock);
	return any;
}

bool connections_of(struct rest *rest, const struct listener *listener, bool cut)
{
	bool any = false;
	pthread_mutex_lock(&rest->connection_lock);
	for (struct connection *connection = rest->connections; connection; connection = connection->next) {
		if (connection->listener != listener)
			continue;
		any = true;
		if (cut)
			shutdown(connection->fd, SHUT_RDWR);
	}
	pthread_mutex_unlock(&rest->connection_lock);
	return any;
}

/*
 * What a client has sent in time is ours to read: when we have not, we stood still or are starved, and it is not cut for that. It may be in
 * our hands just now, which is not seen from here: so it is late when it is found so twice.
 */
static bool is_late(struct connection *connection, uint64_t now_us)
{
	uint64_t deadline = atomic_load(&connection->deadline_us);
	if (!deadline || now_us < deadline || (atomic_load(&connection->heard) && speaks(connection)))
		return false;
	return atomic_exchange(&connection->warned, true);
}

void connections_sweep(struct rest *rest, uint64_t now_us)
{
	pthread_mutex_lock(&rest->connection_lock);
	for (struct connection *connection = rest->connections; connection; connection = connection->next) {
		if (is_late(connection, now_us)) {
			atomic_store(&connection->deadline_us, 0);
			shutdown(connection->fd, SHUT_RDWR);
		}
	}
	pthread_mutex_unlock(&rest->connection_lock);
}
