/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * virtio-user, the function's side of a hop: a vhost-user front end that listens, and takes a new back end whenever the
 * old one is gone. Our own and not DPDK's net_virtio_user, because that one waits in opening for its first peer, loses a
 * peer that comes while the loss of the one before is still being worked off, and counts against the limit of 32 devices.
 *
 * The queues are ours, and outlive a peer: for KEEP_MS workers go on filling and emptying them without one, and the next
 * goes on where the last one was; after that they begin anew. A process that is about to leave has its peer stop filling
 * them (it keeps packets meanwhile, vhost.c), empties them, and hands over the socket that it listens on. Its successor keeps what it is to
 * send before its peer has come, for the peer of the hop's other link may have been earlier.
 *
 * Threads: workers receive and send, each its own queues, behind a gate; each port has a thread of its own that takes
 * peers and sees them go. `conversation` guards the socket: memory that EAL gets later is made known by the thread that
 * asked for it, under EAL's memory lock, which therefore is always taken first.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <rte_eal_memconfig.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include "manage/log.h"
#include "port/bequest.h"
#include "port/port.h"
#include "port/gate.h"
#include "port/hold.h"
#include "port/socket.h"
#include "port/vhost_front.h"
#include "port/virtq.h"

enum { RING_SIZE = 1024, KEEP_MS = 2000 };

struct virtio {
	struct port *port;
	char path[SOCKET_PATH_MAX];
	char callback[PORT_NAME_MAX]; /* name of the memory callback */
	_Atomic int there;            /* 0: a peer has the queues, or had them a moment ago; -1: none */
	atomic_bool up;               /* a peer has them */
	uint64_t keep_until;          /* ms: without a peer; of the port's thread */
	bool bequeathed;              /* the listener is another's by now */
	unsigned queues;              /* pairs of them */
	int listener, wake;
	pthread_t thread;
	atomic_bool stopping;
	atomic_bool polled; /* a worker looks for packets: a peer may come */
	pthread_mutex_t conversation;
	struct vhost_front peer; /* fd -1: none */
	bool paused;             /* it fills no queue any more */
	struct hold
	        hold; /* a successor's, until its peer is there: the other link of its hop may be earlier */
	struct gate rx_gate[PORT_QUEUES_MAX], tx_gate[PORT_QUEUES_MAX];
	struct virtq rx[PORT_QUEUES_MAX], tx[PORT_QUEUES_MAX];
};

static void wake(struct virtio *v)
{
	uint64_t one = 1;

	(void)!write(v->wake, &one, sizeof(one));
}

/* A peer that comes before anybody would take its packets would only fill the rings. */
static void say_polled(struct virtio *v)
{
	atomic_store(&v->polled, true);
	wake(v);
}

static uint16_t send_frames(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	return virtq_send(&((struct virtio *)port->private)->tx[queue], m, n);
}

static uint16_t send_to_peer(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct virtio *v = port->private;
	struct virtq *q = &v->tx[queue];
	uint16_t sent = 0;

	if (gate_enter(&v->tx_gate[queue], &v->there) < 0)
		return 0;
	if (likely(!q->broken)) {
		sent = port_send_fit(port, queue, m, n, VIRTQ_HEADER, send_frames);
		if (unlikely(q->broken))
			wake(v);
	}
	gate_leave(&v->tx_gate[queue]);
	return sent;
}

static uint16_t virtio_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct virtio *v = port->private;
	struct virtq *q = &v->rx[queue];
	uint16_t got = 0;

	if (unlikely(hold_keeps(&v->hold, queue)))
		hold_let_go(&v->hold, port, queue, send_to_peer);
	if (gate_enter(&v->rx_gate[queue], &v->there) < 0) {
		if (unlikely(!atomic_load_explicit(&v->polled, memory_order_relaxed)))
			say_polled(v);
		return 0;
	}
	if (likely(!q->broken)) {
		got = virtq_receive(q, port->pool, m, n);
		if (unlikely(q->broken))
			wake(v);
	}
	gate_leave(&v->rx_gate[queue]);
	return got;
}

static uint16_t virtio_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct hold *hold = &((struct virtio *)port->private)->hold;

	if (likely(!hold_concerns(hold, queue)))
		return send_to_peer(port, queue, m, n);
	return hold_send(hold, port, queue, m, n, send_to_peer);
}

static bool virtio_up(struct port *port)
{
	struct virtio *v = port->private;

	return atomic_load_explicit(&v->up, memory_order_relaxed);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static bool broken(const struct virtio *v)
{
	bool any = false;

	for (unsigned i = 0; i < v->queues; i++)
		any |= v->rx[i].broken || v->tx[i].broken;
	return any;
}

/* No worker uses the queues any more; the next peer gets new ones. */
static void give_up_queues(struct virtio *v)
{
	gates_close(&v->there, v->rx_gate, v->tx_gate, v->queues);
	v->keep_until = 0;
}

/* The queues wait for the next peer, unless this one did what it must not. */
static void take_away(struct virtio *v, const char *why)
{
	atomic_store(&v->up, false);
	if (broken(v))
		give_up_queues(v);
	else
		v->keep_until = now_ms() + KEEP_MS;
	pthread_mutex_lock(&v->conversation);
	close(v->peer.fd);
	v->peer.fd = -1;
	pthread_mutex_unlock(&v->conversation);
	log_info("peer-left", "port=%s reason=%s", v->port->name, why);
}

/* What the last peer had is taken back. */
static void renew_queues(struct virtio *v)
{
	for (unsigned i = 0; i < v->queues; i++) {
		virtq_reset(&v->rx[i]);
		virtq_reset(&v->tx[i]);
		virtq_fill(&v->rx[i], v->port->pool);
	}
}

static bool introduce(struct virtio *v, int fd)
{
	unsigned pairs;

	if (broken(v))
		give_up_queues(v);
	if (atomic_load(&v->there) < 0)
		renew_queues(v);
	rte_mcfg_mem_read_lock();
	pthread_mutex_lock(&v->conversation);
	pairs = vhost_front_start(&v->peer, fd, v->rx, v->tx, v->queues);
	v->paused = false;
	if (pairs && pairs < v->queues)
		v->peer.reason = "it has fewer queues: give this port queues=1";
	if (pairs < v->queues)
		v->peer.fd = -1;
	pthread_mutex_unlock(&v->conversation);
	rte_mcfg_mem_read_unlock();
	return pairs == v->queues;
}

static void take_peer(struct virtio *v)
{
	int fd = accept4(v->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (introduce(v, fd)) {
		log_info("peer-came", "port=%s queues=%u", v->port->name, v->queues);
		v->keep_until = 0;
		atomic_store(&v->up, true);
		atomic_store_explicit(&v->there, 0, memory_order_release);
		hold_settle(&v->hold);
		return;
	}
	give_up_queues(v);
	log_warn("peer-refused", "port=%s reason=%s", v->port->name, v->peer.reason);
	close(fd);
}

/* A peer says nothing unasked: what comes is its end, unless it was an answer, which whoever asked has read by the time that the
 * conversation is over. */
static bool gone(struct virtio *v)
{
	uint8_t byte;
	ssize_t got;

	pthread_mutex_lock(&v->conversation);
	got = recv(v->peer.fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT);
	pthread_mutex_unlock(&v->conversation);
	return got >= 0 || (errno != EAGAIN && errno != EINTR);
}

/* How long to wait for something to happen, in ms; -1: for ever. */
static int patience(const struct virtio *v)
{
	uint64_t now = now_ms();

	if (!v->keep_until)
		return -1;
	return now < v->keep_until ? (int)(v->keep_until - now) : 0;
}

static void serve(struct virtio *v, short woken, short spoke)
{
	uint64_t count;

	if (!patience(v))
		give_up_queues(v);

	if (woken)
		(void)!read(v->wake, &count, sizeof(count));
	if (spoke && gone(v))
		take_away(v, "it closed the connection");
	else if (v->peer.fd >= 0 && broken(v))
		take_away(v, "it broke a queue");
}

/* A peer that waits is taken when the one before is gone: then its connection has been closed, too. */
static void *server(void *virtio)
{
	struct virtio *v = virtio;

	while (!atomic_load(&v->stopping)) {
		bool welcome = v->peer.fd < 0 && atomic_load(&v->polled);
		struct pollfd fds[] = { { .fd = v->wake, .events = POLLIN },
			                { .fd = v->peer.fd, .events = POLLIN | POLLRDHUP },
			                { .fd = welcome ? v->listener : -1, .events = POLLIN } };

		if (poll(fds, 3, patience(v)) < 0)
			continue;
		serve(v, fds[0].revents, fds[1].revents);
		if (fds[2].revents)
			take_peer(v);
	}
	return NULL;
}

/* EAL's memory grew, and its lock is held; packets may lie in the new memory as soon as this returns. */
static void memory_changed(enum rte_mem_event event, const void *address, size_t length, void *virtio)
{
	struct virtio *v = virtio;

	(void)address;
	(void)length;
	if (event != RTE_MEM_EVENT_ALLOC)
		return;
	pthread_mutex_lock(&v->conversation);
	if (v->peer.fd >= 0 && !vhost_front_memory(&v->peer))
		shutdown(v->peer.fd, SHUT_RDWR);
	pthread_mutex_unlock(&v->conversation);
}

static void free_virtio(struct virtio *v)
{
	for (unsigned i = 0; i < v->queues; i++) {
		if (v->rx[i].kick >= 0)
			close(v->rx[i].kick);
		if (v->tx[i].kick >= 0)
			close(v->tx[i].kick);
		virtq_free(&v->rx[i]);
		virtq_free(&v->tx[i]);
	}
	hold_free(&v->hold, v->port);
	if (v->listener >= 0)
		close(v->listener);
	if (v->wake >= 0)
		close(v->wake);
	if (v->peer.fd >= 0)
		close(v->peer.fd);
	pthread_mutex_destroy(&v->conversation);
	free(v);
}

static void virtio_close(struct port *port)
{
	struct virtio *v = port->private;

	rte_mem_event_callback_unregister(v->callback, v);
	atomic_store(&v->stopping, true);
	wake(v);
	pthread_join(v->thread, NULL);
	if (v->peer.fd >= 0 && !vhost_front_stop(&v->peer, v->queues))
		log_info("peer-not-stopped", "port=%s reason=%s", port->name, v->peer.reason);
	if (!v->bequeathed)
		unlink(v->path);
	free_virtio(v);
}

/* A peer that comes while we part is told, too. */
static void pause_peer(struct virtio *v)
{
	pthread_mutex_lock(&v->conversation);
	if (v->peer.fd >= 0 && !v->paused && !vhost_front_pause(&v->peer, v->queues))
		log_warn("peer-not-paused", "port=%s reason=%s", v->port->name,
		         v->peer.reason ? v->peer.reason : "it cannot be");
	v->paused = true;
	pthread_mutex_unlock(&v->conversation);
}

/* Once the peer fills no queue any more, nothing is on its way when all of it was taken, and what we gave was used. What was taken is on its way
 * through the workers, which is for the caller to see. */
static bool virtio_part(struct port *port)
{
	struct virtio *v = port->private;
	bool idle = !hold_any(&v->hold);

	pause_peer(v);
	for (unsigned i = 0; i < v->queues; i++)
		idle = idle && virtq_all_taken(&v->rx[i]) && virtq_all_used(&v->tx[i]);
	return idle || atomic_load(&v->there) < 0;
}

/* A peer may connect before the successor answers. */
static bool virtio_bequeath(struct port *port, struct port_bequest *bequest)
{
	struct virtio *v = port->private;

	bequest->fds[bequest->count++] = v->listener;
	v->bequeathed = true;
	return true;
}

static const struct port_ops virtio_ops = { virtio_rx, virtio_tx, virtio_up, virtio_close, NULL, NULL, NULL };

static struct virtio *new_virtio(struct port *port, const char *path, unsigned queues)
{
	struct virtio *v = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*v));
	bool well = v != NULL;

	if (!well)
		return NULL;
	memset(v, 0, sizeof(*v));
	well = hold_make(&v->hold, queues);
	snprintf(v->path, sizeof(v->path), "%s", path);
	snprintf(v->callback, sizeof(v->callback), "virtio-%u", port->number);
	v->port = port;
	v->queues = queues;
	v->peer.fd = v->listener = -1;
	v->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_init(&v->there, -1);
	pthread_mutex_init(&v->conversation, NULL);
	for (unsigned i = 0; i < queues; i++) {
		bool made = virtq_make(&v->rx[i], RING_SIZE) && virtq_make(&v->tx[i], RING_SIZE);

		well = well && made;
		v->rx[i].kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		v->tx[i].kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		well = well && v->rx[i].kick >= 0 && v->tx[i].kick >= 0;
	}
	if (well && v->wake >= 0)
		return v;
	free_virtio(v);
	return NULL;
}

/* A predecessor's socket, if it listens at that path. */
static bool inherit(struct virtio *v, const struct port_options *options)
{
	struct port_bequest b;

	if (!bequest_take(options, &b))
		return false;
	if (b.count == 1 && socket_listens_at(b.fds[0], v->path)) {
		v->listener = b.fds[0];
		hold_begin(&v->hold);
		return true;
	}
	bequest_refuse(&b);
	return false;
}

/* One connection waits at most: a back end that nobody answers soon is one too many. */
static bool listen_at(struct virtio *v, const struct port_options *options, struct errors *errors)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	if (inherit(v, options))
		return true;
	if (!socket_clear(options, v->path, errors))
		return false;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", v->path);
	v->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->listener >= 0 && bind(v->listener, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    listen(v->listener, 1) == 0)
		return true;
	port_error(errors, options, "no-socket", "the socket could not be made: %s: does its folder exist?",
	           strerror(errno));
	return false;
}

static bool start(struct virtio *v, const struct port_options *options, struct errors *errors)
{
	if (rte_mem_event_callback_register(v->callback, memory_changed, v) != 0 && rte_errno != ENOTSUP) {
		port_error(errors, options, "no-memory", "changes of memory cannot be followed: %s",
		           rte_strerror(rte_errno));
		return false;
	}
	if (pthread_create(&v->thread, NULL, server, v) == 0)
		return true;
	rte_mem_event_callback_unregister(v->callback, v);
	port_error(errors, options, "no-thread", "no thread could be made");
	return false;
}

bool port_open_virtio(struct port *port, const struct port_options *options, const char *rest,
                      struct errors *errors)
{
	unsigned queues = port_option(rest, "queues", RTE_MIN(options->queues, PORT_QUEUES_MAX));
	char path[SOCKET_PATH_MAX];
	struct virtio *v;

	if (!socket_path(options, rest, path, errors) || !port_queues_check(options, queues, errors))
		return false;
	v = new_virtio(port, path, queues);
	if (!v) {
		port_error(errors, options, "no-memory", "not enough memory for %u queues", queues);
		return false;
	}
	port->private = v;
	port->ops = &virtio_ops;
	port->part = virtio_part;
	port->bequeath = virtio_bequeath;
	port->rx_queues = port->tx_queues = (uint16_t)queues;
	port_make_mac(port);
	if (listen_at(v, options, errors) && start(v, options, errors))
		return true;
	if (v->listener >= 0)
		unlink(path);
	free_virtio(v);
	return false;
}
