/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vhost-user, the service's side of a hop: a client of the function's socket that comes back by itself. On DPDK's vhost
 * library and not on its device, because a process may have only 32 devices, because the library's own attempts to
 * connect are a second apart, and because only here checksum and segmentation offloads can be kept out of the
 * negotiation, so that frames arrive whole.
 *
 * Threads: workers receive and send behind gates; the library's thread tells who came and went, and frees the peer when
 * no worker is behind a gate any more; each port has a thread of its own that connects and otherwise sleeps. The
 * library's callbacks carry no argument of ours, so open ports stand in a list by path.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <rte_pause.h>
#include <rte_vhost.h>

#include "manage/log.h"
#include "port/port.h"
#include "port/bequest.h"
#include "port/gate.h"
#include "port/hold.h"
#include "port/socket.h"

enum {
	RETRY_HELD_MS = 1,
	RETRY_MS = 10,
	RETRY_LATER_MS = 100,
	RETRIES_SOON = 1000,
	LIBRARY_BURST = 32,
	RINGFUL = 64
};

struct vhost {
	char name[PORT_NAME_MAX];
	char path[SOCKET_PATH_MAX];
	_Atomic int vid;        /* the peer; -1: none */
	_Atomic unsigned pairs; /* queue pairs that the peer has */
	pthread_t connector;
	pthread_mutex_t lock; /* of the three below */
	pthread_cond_t change;
	bool connected; /* the socket is; the peer is usable a little later */
	bool stopping;
	struct vhost *next; /* in the list of open ports */
	struct hold hold;   /* while the peer is away and has said so */
	struct gate rx[PORT_QUEUES_MAX], tx[PORT_QUEUES_MAX];
};

static struct {
	pthread_mutex_t lock;
	struct vhost *first;
} open_ports = { PTHREAD_MUTEX_INITIALIZER, NULL };

/* How many buffers of the peer's the library has taken from a ring so far, as a running number. */
static uint16_t taken_of(int vid, uint16_t ring)
{
	uint16_t available = 0, used = 0;

	rte_vhost_get_vring_base(vid, ring, &available, &used);
	return available;
}

/* The library leaves out, without a word, what no single mbuf of ours can hold, and ends the burst there: what it took and did not
 * give is counted. */
static uint16_t dequeue(struct port *port, int vid, uint16_t ring, struct rte_mbuf **m, uint16_t n)
{
	uint16_t before = taken_of(vid, ring), got = rte_vhost_dequeue_burst(vid, ring, port->pool, m, n);
	uint16_t lost = (uint16_t)(taken_of(vid, ring) - before - got);

	if (unlikely(lost && lost <= n))
		atomic_fetch_add_explicit(&port->oversize, lost, memory_order_relaxed);
	return got;
}

/* Whether a frame that was not taken is too large for the peer's buffers, which need not be as large as ours: then there is room in its ring. */
static bool unfit(int vid, uint16_t ring, const struct rte_mbuf *m)
{
	return rte_pktmbuf_pkt_len(m) > RTE_MBUF_DEFAULT_DATAROOM &&
	       rte_vhost_avail_entries(vid, ring) > RINGFUL;
}

/* The library takes at most 32 at a time, however much room the ring has; fewer than it was asked to take: the ring is full. */
static uint16_t enqueue(struct port *port, int vid, uint16_t ring, struct rte_mbuf **m, uint16_t n)
{
	uint16_t sent = 0;

	while (sent < n) {
		uint16_t ask = RTE_MIN((uint16_t)(n - sent), (uint16_t)LIBRARY_BURST);
		uint16_t taken = rte_vhost_enqueue_burst(vid, ring, m + sent, ask);

		sent = (uint16_t)(sent + taken);
		if (likely(taken == ask))
			continue;
		if (!unfit(vid, ring, m[sent]))
			break;
		port_count_oversize(port);
		sent++;
	}
	return sent;
}

/* A peer with fewer queues: workers share them, which the library allows. */
static uint16_t send_frames(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct vhost *v = port->private;
	int vid = gate_enter(&v->tx[queue], &v->vid);
	unsigned pairs;
	uint16_t sent = 0;

	if (vid < 0)
		return 0;
	pairs = atomic_load_explicit(&v->pairs, memory_order_relaxed);
	if (pairs)
		sent = enqueue(port, vid, (uint16_t)(2 * (queue % pairs)), m, n);
	gate_leave(&v->tx[queue]);
	rte_pktmbuf_free_bulk(m, sent);
	return sent;
}

/* A peer with more queues than we have workers: each of ours serves several. */
static uint16_t vhost_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct vhost *v = port->private;
	int vid;
	unsigned pairs;
	uint16_t got = 0;

	if (unlikely(hold_keeps(&v->hold, queue)))
		hold_let_go(&v->hold, port, queue, send_frames);
	vid = gate_enter(&v->rx[queue], &v->vid);

	if (vid < 0)
		return 0;
	pairs = atomic_load_explicit(&v->pairs, memory_order_relaxed);
	for (unsigned pair = queue; pair < pairs && got < n; pair += port->rx_queues)
		got = (uint16_t)(got +
		                 dequeue(port, vid, (uint16_t)(2 * pair + 1), m + got, (uint16_t)(n - got)));
	gate_leave(&v->rx[queue]);
	return got;
}

/* The peer may say that it goes while packets are being given to it: what it did not take then is kept. */
static uint16_t vhost_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct hold *hold = &((struct vhost *)port->private)->hold;
	uint16_t sent = 0;

	if (likely(!hold_concerns(hold, queue)))
		sent = send_frames(port, queue, m, n);
	if (unlikely(sent < n && hold_concerns(hold, queue)))
		sent = (uint16_t)(sent +
		                  hold_send(hold, port, queue, m + sent, (uint16_t)(n - sent), send_frames));
	return sent;
}

/* One that will be back in a moment counts as there: packets for it are not lost. */
static bool vhost_up(struct port *port)
{
	struct vhost *v = port->private;

	return atomic_load_explicit(&v->vid, memory_order_relaxed) >= 0 || hold_lasts(&v->hold);
}

/* The port of a peer, locked against being closed until done(); NULL: it is none of ours. */
static struct vhost *port_of(int vid)
{
	char path[SOCKET_PATH_MAX] = "";
	struct vhost *v;

	rte_vhost_get_ifname(vid, path, sizeof(path));
	pthread_mutex_lock(&open_ports.lock);
	for (v = open_ports.first; v && strcmp(v->path, path) != 0;)
		v = v->next;
	if (!v)
		pthread_mutex_unlock(&open_ports.lock);
	return v;
}

static void done(void)
{
	pthread_mutex_unlock(&open_ports.lock);
}

/* We poll: the peer need not wake us. Told in the ring itself, because the library's own call for it takes a lock that
 * the library holds while it tells of a queue. */
static void poll_ring(int vid, uint16_t ring)
{
	struct rte_vhost_vring vring;

	if (rte_vhost_get_vhost_vring(vid, ring, &vring) == 0 && vring.used)
		vring.used->flags = VRING_USED_F_NO_NOTIFY;
}

static void take_queues(struct vhost *v, int vid)
{
	uint16_t rings = rte_vhost_get_vring_num(vid);

	for (uint16_t ring = 0; ring < rings; ring++)
		poll_ring(vid, ring);
	atomic_store_explicit(&v->pairs, rings / 2, memory_order_relaxed);
}

static int peer_came(int vid)
{
	struct vhost *v = port_of(vid);

	if (!v)
		return -1;
	take_queues(v, vid);
	atomic_store_explicit(&v->vid, vid, memory_order_release);
	hold_settle(&v->hold);
	log_info("peer-came", "port=%s queues=%u", v->name,
	         atomic_load_explicit(&v->pairs, memory_order_relaxed));
	done();
	return 0;
}

static void peer_left(int vid)
{
	struct vhost *v = port_of(vid);

	if (!v)
		return;
	gates_close(&v->vid, v->rx, v->tx, PORT_QUEUES_MAX);
	log_info("peer-left", "port=%s", v->name);
	done();
}

/* A peer that closes the rings that we fill, and not those that it fills, is about to make room for a successor (virtio.c): what we have for it is
 * kept. One that closes all of them has no more use for us. The library holds the rings' locks: whoever waits for one sees this afterwards. */
static void ring_closed(struct vhost *v, uint16_t ring)
{
	if (ring % 2 == 0)
		hold_begin(&v->hold);
	else
		hold_end(&v->hold);
}

/* Queues beyond the first pair come after the peer itself. */
static void ring_opened(struct vhost *v, int vid, uint16_t ring)
{
	poll_ring(vid, ring);
	if (atomic_load_explicit(&v->vid, memory_order_relaxed) != vid)
		return;
	take_queues(v, vid);
	hold_settle(&v->hold);
}

static int queue_changed(int vid, uint16_t ring, int enabled)
{
	struct vhost *v = port_of(vid);

	if (!v)
		return 0;
	if (enabled)
		ring_opened(v, vid, ring);
	else if (atomic_load_explicit(&v->vid, memory_order_relaxed) == vid)
		ring_closed(v, ring);
	done();
	return 0;
}

static void set_connected(int vid, bool connected)
{
	struct vhost *v = port_of(vid);

	if (!v)
		return;
	pthread_mutex_lock(&v->lock);
	v->connected = connected;
	pthread_cond_signal(&v->change);
	pthread_mutex_unlock(&v->lock);
	done();
}

static int socket_connected(int vid)
{
	set_connected(vid, true);
	return 0;
}

static void socket_closed(int vid)
{
	set_connected(vid, false);
}

static const struct rte_vhost_device_ops callbacks = {
	.new_device = peer_came,
	.destroy_device = peer_left,
	.vring_state_changed = queue_changed,
	.new_connection = socket_connected,
	.destroy_connection = socket_closed,
};

/* One at a time: the library makes its thread at the first start, and two of them if two start at once. */
static bool start_driver(const char *path)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	bool started;

	pthread_mutex_lock(&one_at_a_time);
	started = rte_vhost_driver_start(path) == 0;
	pthread_mutex_unlock(&one_at_a_time);
	return started;
}

static bool try_connect(struct vhost *v)
{
	static const unsigned refused[] = { VIRTIO_F_RING_PACKED,    VIRTIO_NET_F_CSUM,
		                            VIRTIO_NET_F_GUEST_CSUM, VIRTIO_NET_F_GUEST_TSO4,
		                            VIRTIO_NET_F_GUEST_TSO6, VIRTIO_NET_F_GUEST_ECN,
		                            VIRTIO_NET_F_GUEST_UFO,  VIRTIO_NET_F_HOST_TSO4,
		                            VIRTIO_NET_F_HOST_TSO6,  VIRTIO_NET_F_HOST_ECN,
		                            VIRTIO_NET_F_HOST_UFO };
	uint64_t features = 0;

	for (unsigned i = 0; i < sizeof(refused) / sizeof(*refused); i++)
		features |= UINT64_C(1) << refused[i];
	if (rte_vhost_driver_register(v->path, RTE_VHOST_USER_CLIENT | RTE_VHOST_USER_NO_RECONNECT |
	                                               RTE_VHOST_USER_LINEARBUF_SUPPORT |
	                                               RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS) != 0)
		return false;
	if (rte_vhost_driver_disable_features(v->path, features) == 0 &&
	    rte_vhost_driver_callback_register(v->path, &callbacks) == 0 && start_driver(v->path))
		return true;
	rte_vhost_driver_unregister(v->path);
	return false;
}

/* Under the lock: sleeps until the socket's state changes, or so long. */
static void sleep_for(struct vhost *v, unsigned milliseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += (long)milliseconds * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&v->change, &v->lock, &until);
}

/* Soon at first, for a function that starts or starts again is there within a second; at once where packets wait for it. */
static unsigned pause_after(const struct vhost *v, unsigned attempts)
{
	if (hold_lasts(&v->hold))
		return RETRY_HELD_MS;
	return attempts < RETRIES_SOON ? RETRY_MS : RETRY_LATER_MS;
}

/* Connects again and again. The lock is not held while the library works, which calls back. */
static void *connector(void *port)
{
	struct vhost *v = port;
	unsigned attempts = 0;

	pthread_mutex_lock(&v->lock);
	while (!v->stopping) {
		bool registered;

		pthread_mutex_unlock(&v->lock);
		registered = socket_bound(v->path) && try_connect(v);
		pthread_mutex_lock(&v->lock);
		while (registered && v->connected && !v->stopping) {
			attempts = 0;
			pthread_cond_wait(&v->change, &v->lock);
		}
		pthread_mutex_unlock(&v->lock);
		if (registered)
			rte_vhost_driver_unregister(v->path);
		pthread_mutex_lock(&v->lock);
		if (!v->stopping)
			sleep_for(v, pause_after(v, attempts++));
	}
	pthread_mutex_unlock(&v->lock);
	return NULL;
}

static bool enlist(struct vhost *v)
{
	bool other = false;

	pthread_mutex_lock(&open_ports.lock);
	for (struct vhost *i = open_ports.first; i; i = i->next)
		other |= strcmp(i->path, v->path) == 0;
	if (!other) {
		v->next = open_ports.first;
		open_ports.first = v;
	}
	pthread_mutex_unlock(&open_ports.lock);
	return !other;
}

static void delist(struct vhost *v)
{
	pthread_mutex_lock(&open_ports.lock);
	for (struct vhost **i = &open_ports.first; *i; i = &(*i)->next) {
		if (*i == v) {
			*i = v->next;
			break;
		}
	}
	pthread_mutex_unlock(&open_ports.lock);
}

static void free_vhost(struct vhost *v, struct port *port)
{
	hold_free(&v->hold, port);
	pthread_cond_destroy(&v->change);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static void vhost_close(struct port *port)
{
	struct vhost *v = port->private;

	pthread_mutex_lock(&v->lock);
	v->stopping = true;
	pthread_cond_signal(&v->change);
	pthread_mutex_unlock(&v->lock);
	pthread_join(v->connector, NULL);
	delist(v);
	free_vhost(v, port);
}

/* What waits for the peer goes to it first. */
static bool vhost_part(struct port *port)
{
	const struct hold *hold = &((struct vhost *)port->private)->hold;

	return !hold_any(hold) && !hold_lasts(hold);
}

/* Nothing of the kernel's: our connection ends with us, what lies in the rings is the peer's, who keeps it. Whether there was a peer: then the
 * successor need not lose what comes before it is there again. */
static bool vhost_bequeath(struct port *port, struct port_bequest *bequest)
{
	bequest->value[0] = vhost_up(port);
	return true;
}

static void expect_peer(struct vhost *v, const struct port_options *options)
{
	struct port_bequest b;

	if (bequest_take(options, &b) && b.value[0])
		hold_begin(&v->hold);
	bequest_refuse(&b);
}

static const struct port_ops vhost_ops = { vhost_rx, vhost_tx, vhost_up, vhost_close, NULL, NULL, NULL };

static struct vhost *new_vhost(struct port *port, const char *path, unsigned queues)
{
	struct vhost *v = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*v));
	pthread_condattr_t monotonic;

	if (!v)
		return NULL;
	memset(v, 0, sizeof(*v));
	snprintf(v->name, sizeof(v->name), "%s", port->name);
	snprintf(v->path, sizeof(v->path), "%s", path);
	atomic_init(&v->vid, -1);
	pthread_mutex_init(&v->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&v->change, &monotonic);
	pthread_condattr_destroy(&monotonic);
	if (hold_make(&v->hold, queues))
		return v;
	free_vhost(v, port);
	return NULL;
}

bool port_open_vhost(struct port *port, const struct port_options *options, const char *rest,
                     struct errors *errors)
{
	unsigned queues = port_option(rest, "queues", RTE_MIN(options->queues, PORT_QUEUES_MAX));
	char path[SOCKET_PATH_MAX];
	struct vhost *v;

	if (!socket_path(options, rest, path, errors) || !port_queues_check(options, queues, errors))
		return false;
	v = new_vhost(port, path, queues);
	if (!v || !enlist(v)) {
		port_error(errors, options, v ? "socket-taken" : "no-memory",
		           v ? "another port of this process uses that socket" : "not enough memory");
		if (v)
			free_vhost(v, port);
		return false;
	}
	port->private = v;
	port->ops = &vhost_ops;
	port->part = vhost_part;
	port->bequeath = vhost_bequeath;
	port->rx_queues = port->tx_queues = (uint16_t)queues;
	port_make_mac(port);
	expect_peer(v, options);
	if (pthread_create(&v->connector, NULL, connector, v) == 0)
		return true;
	port_error(errors, options, "no-thread", "no thread could be made");
	delist(v);
	free_vhost(v, port);
	return false;
}
