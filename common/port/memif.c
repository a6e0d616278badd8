/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memif: shared memory packets with neighbours that speak it (VPP, DPDK, containers), either end of it. Our own and not
 * DPDK's driver, which unmaps memory that its workers may be reading when the peer dies, and as a client does not
 * come to a server that starts later. Both ends here take any peer at any time.
 *
 * Threads: workers receive and send, each its own queues, behind a gate; each port has a thread of its own that finds a
 * peer, talks to it, sees it go, and wakes it where it sleeps: a peer that turned its event descriptor into a blocking
 * one would keep a worker.
 *
 * A process that takes this one's place gets the socket that is listened on and the conversation with all that came of it: the peer stays, what it sends waits in
 * the rings, and nothing is lost as long as they hold it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "manage/log.h"
#include "port/bequest.h"
#include "port/gate.h"
#include "port/memif_talk.h"
#include "port/port.h"
#include "port/socket.h"

enum {
	RETRY_MS = 10,
	RETRY_LATER_MS = 100,
	RETRIES_SOON = 1000,
	RING_DEFAULT = 1024,
	BUFFER_DEFAULT = 2048,
	BUFFER_LEAST = 128,
	BUFFER_MOST = 65536,
	SETTLE_MS = 20,
};

struct memif {
	struct port *port;
	char path[SOCKET_PATH_MAX];
	_Atomic int there; /* 0: a peer has the queues; -1: none */
	int listener;      /* server */
	bool ended;        /* the thread has */
	bool bequeathed;   /* the listener is another's by now */
	int wake;
	unsigned attempts;   /* client: since the last peer */
	const char *refused; /* why the last peer was; said once */
	pthread_t thread;
	atomic_bool stopping;
	struct memif_peer peer; /* the thread's, but for the queues that workers hold */
	struct gate rx_gate[PORT_QUEUES_MAX], tx_gate[PORT_QUEUES_MAX];
};

/* Rare: a peer that sleeps, or one that broke a queue. */
static void wake(struct memif *f)
{
	uint64_t one = 1;

	(void)!write(f->wake, &one, sizeof(one));
}

/* A peer with more queues than we have workers: each of ours serves several. */
static uint16_t memif_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct memif *f = port->private;
	uint16_t got = 0;

	if (gate_enter(&f->rx_gate[queue], &f->there) < 0)
		return 0;
	for (unsigned ring = queue; ring < f->peer.rx_count && got < n; ring += port->rx_queues) {
		struct memif_queue *q = &f->peer.rx[ring];

		if (unlikely(q->broken))
			continue;
		got = (uint16_t)(got + memif_receive(q, port, m + got, (uint16_t)(n - got)));
		if (unlikely(q->broken))
			wake(f);
	}
	gate_leave(&f->rx_gate[queue]);
	return got;
}

static uint16_t memif_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct memif *f = port->private;
	struct memif_queue *q = &f->peer.tx[queue];
	uint16_t sent = 0;

	if (gate_enter(&f->tx_gate[queue], &f->there) < 0)
		return 0;
	if (likely(!q->broken)) {
		sent = memif_send(q, port, m, n);
		if (unlikely(q->broken || atomic_load_explicit(&q->kick, memory_order_relaxed)))
			wake(f);
	}
	gate_leave(&f->tx_gate[queue]);
	rte_pktmbuf_free_bulk(m, sent);
	return sent;
}

static bool memif_up(struct port *port)
{
	struct memif *f = port->private;

	return atomic_load_explicit(&f->there, memory_order_relaxed) >= 0;
}

static void take_away(struct memif *f, const char *why)
{
	gates_close(&f->there, f->rx_gate, f->tx_gate, PORT_QUEUES_MAX);
	memif_forget(&f->peer);
	log_info("peer-left", "port=%s reason=%s", f->port->name, why);
}

static bool broken(const struct memif *f)
{
	bool any = false;

	for (unsigned i = 0; i < f->peer.rx_count; i++)
		any |= f->peer.rx[i].broken;
	for (unsigned i = 0; i < f->peer.tx_count; i++)
		any |= f->peer.tx[i].broken;
	return any;
}

/* The one place where the thread may be cancelled: a peer could make it wait here for ever. */
static void wake_peer(struct memif *f)
{
	uint64_t one = 1;
	int was;

	for (unsigned i = 0; i < f->peer.tx_count; i++) {
		struct memif_queue *q = &f->peer.tx[i];

		if (q->event < 0 || !atomic_exchange(&q->kick, false))
			continue;
		pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &was);
		(void)!write(q->event, &one, sizeof(one));
		pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &was);
	}
}

/* Workers send by as many queues as the peer has, if they are not more than we want. While nobody has the port, they may become more, and never fewer. */
static void use_queues(struct memif *f)
{
	f->peer.senders = RTE_MIN(f->peer.tx_wanted, f->peer.tx_count);
	__atomic_store_n(&f->port->tx_queues, f->peer.senders, __ATOMIC_RELAXED);
}

static void start_talking(struct memif *f, int fd)
{
	f->peer.fd = fd;
	if (f->peer.server ? memif_serve(&f->peer, f->port->name)
	                   : memif_introduce(&f->peer, f->port->name)) {
		log_info("peer-came", "port=%s queues=%u", f->port->name, f->peer.rx_count);
		f->attempts = 0;
		f->refused = NULL;
		use_queues(f);
		atomic_store_explicit(&f->there, 0, memory_order_release);
		return;
	}
	if (f->peer.reason != f->refused)
		log_warn("peer-refused", "port=%s reason=%s", f->port->name, f->peer.reason);
	f->refused = f->peer.reason;
	memif_farewell(&f->peer);
	memif_forget(&f->peer);
}

static void take_client(struct memif *f)
{
	int fd = accept4(f->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		start_talking(f, fd);
}

/* Whoever listens takes connections at once, or is busy with another: then later. */
static void try_server(struct memif *f)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	f->attempts++;
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	    fcntl(fd, F_SETFL, 0) == 0)
		start_talking(f, fd);
	else if (fd >= 0)
		close(fd);
}

static int patience(const struct memif *f)
{
	if (f->peer.server || f->peer.fd >= 0)
		return -1;
	return f->attempts < RETRIES_SOON && !f->refused ? RETRY_MS : RETRY_LATER_MS;
}

static void serve(struct memif *f, short woken, short spoke)
{
	uint64_t count;

	if (woken)
		(void)!read(f->wake, &count, sizeof(count));
	if (f->peer.fd < 0)
		return;
	if (spoke)
		take_away(f, "it closed the connection");
	else if (broken(f))
		take_away(f, "it broke a queue");
	else
		wake_peer(f);
}

static void *conversation(void *memif)
{
	struct memif *f = memif;
	int was;

	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &was);
	while (!atomic_load(&f->stopping)) {
		bool welcome = f->peer.fd < 0 && f->peer.server;
		struct pollfd fds[] = { { .fd = f->wake, .events = POLLIN },
			                { .fd = f->peer.fd, .events = POLLIN | POLLRDHUP },
			                { .fd = welcome ? f->listener : -1, .events = POLLIN } };

		if (poll(fds, 3, patience(f)) < 0)
			continue;
		serve(f, fds[0].revents, fds[1].revents);
		if (fds[2].revents)
			take_client(f);
		else if (f->peer.fd < 0 && !f->peer.server)
			try_server(f);
	}
	return NULL;
}

static void free_memif(struct memif *f)
{
	memif_forget(&f->peer);
	if (f->listener >= 0) {
		close(f->listener);
		if (!f->bequeathed)
			unlink(f->path);
	}
	if (f->wake >= 0)
		close(f->wake);
	if (f->peer.stop >= 0)
		close(f->peer.stop);
	free(f);
}

static void end_thread(struct memif *f)
{
	uint64_t one = 1;

	if (f->ended)
		return;
	atomic_store(&f->stopping, true);
	(void)!write(f->peer.stop, &one, sizeof(one));
	wake(f);
	pthread_cancel(f->thread);
	pthread_join(f->thread, NULL);
	f->ended = true;
}

static void memif_close(struct port *port)
{
	struct memif *f = port->private;

	end_thread(f);
	free_memif(f);
}

/* --- from process to process --- */

static bool memif_hand_over(struct port *port, struct port_bequest *b)
{
	struct memif *f = port->private;

	end_thread(f);
	if (f->peer.connected && !broken(f))
		memif_bequeath(&f->peer, b);
	if (f->listener >= 0)
		b->fds[b->count++] = f->listener;
	f->bequeathed = true;
	return b->count > 0;
}

/* Where flows go by other queues than before, their packets must not pass those that lie in the former ones. */
static void settle(const struct memif *f)
{
	for (unsigned waited = 0; waited < SETTLE_MS * 10; waited++) {
		bool empty = true;

		for (unsigned i = 0; i < f->peer.tx_count; i++)
			empty = empty && memif_all_taken(&f->peer.tx[i]);
		if (empty)
			return;
		usleep(100);
	}
}

/* What a predecessor had. Queues that it agreed upon with the peer are what there is, until the next peer comes, who may have as many as we want. */
static void inherit(struct memif *f, const struct port_options *options)
{
	struct port_bequest b;
	int last;

	if (!bequest_take(options, &b))
		return;
	last = b.count ? b.fds[b.count - 1] : -1;
	if (f->peer.server && last >= 0 && socket_listens_at(last, f->path)) {
		f->listener = last;
		b.count--;
	}
	if (b.count > 1 && memif_inherit(&f->peer, &b)) {
		log_info("peer-kept", "port=%s queues=%u", options->name, f->peer.rx_count);
		if (RTE_MIN(f->peer.tx_wanted, f->peer.tx_count) != f->peer.senders)
			settle(f);
		use_queues(f);
		atomic_store_explicit(&f->there, 0, memory_order_release);
	} else if (b.count > 1) {
		log_warn("peer-not-kept", "port=%s reason=%s", options->name, f->peer.reason);
	}
	bequest_refuse(&b);
}

static const struct port_ops memif_ops = { memif_rx, memif_tx, memif_up, memif_close, NULL, NULL, NULL };

static bool listen_at(struct memif *f, const struct port_options *options, struct errors *errors)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", f->path);
	if (fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0) {
		f->listener = fd;
		return true;
	}
	port_error(errors, options, "no-socket", "the socket could not be made: %s: does its folder exist?",
	           strerror(errno));
	if (fd >= 0)
		close(fd);
	return false;
}

static bool ring_check(const struct port_options *options, unsigned ring, unsigned buffer, unsigned queues,
                       struct errors *errors)
{
	if (ring < 2 || ring > 1 << MEMIF_LOG2_MAX || (ring & (ring - 1)))
		port_error(errors, options, "bad-option", "ring must be a power of two from 2 to %d",
		           1 << MEMIF_LOG2_MAX);
	else if (buffer < BUFFER_LEAST || buffer > BUFFER_MOST || buffer % 64)
		port_error(errors, options, "bad-option", "buffer must be a multiple of 64 from %d to %d",
		           BUFFER_LEAST, BUFFER_MOST);
	else if (((uint64_t)ring * buffer * 2 * queues) >> 20 >= MEMIF_MEMORY_MAX_MB)
		port_error(errors, options, "bad-option", "the rings must take less than %d MB",
		           MEMIF_MEMORY_MAX_MB);
	else
		return true;
	return false;
}

static struct memif *new_memif(struct port *port, const char *rest, const char *path, unsigned queues)
{
	unsigned ring = port_option(rest, "ring", RING_DEFAULT);
	struct memif *f = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*f));

	if (!f)
		return NULL;
	memset(f, 0, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "%s", path);
	f->port = port;
	f->listener = -1;
	f->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->peer.stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	atomic_init(&f->there, -1);
	f->peer.fd = -1;
	f->peer.server = port_option(rest, "server", 0) != 0;
	f->peer.id = port_option(rest, "id", 0);
	f->peer.rx_wanted = f->peer.tx_wanted = f->peer.senders = (uint16_t)queues;
	port->rx_queues = port->tx_queues = (uint16_t)queues;
	f->peer.log2_wanted = (uint8_t)__builtin_ctz(ring);
	f->peer.buffer_size = port_option(rest, "buffer", BUFFER_DEFAULT);
	return f;
}

static bool start(struct memif *f, const struct port_options *options, struct errors *errors)
{
	inherit(f, options);
	if (f->peer.server && f->listener < 0 &&
	    (!socket_clear(options, f->path, errors) || !listen_at(f, options, errors)))
		return false;
	if (pthread_create(&f->thread, NULL, conversation, f) != 0) {
		port_error(errors, options, "no-thread", "no thread could be made");
		return false;
	}
	/* A reader may sleep whom the predecessor did not come to wake. */
	if (f->peer.connected)
		wake(f);
	return true;
}

bool port_open_memif(struct port *port, const struct port_options *options, const char *rest,
                     struct errors *errors)
{
	unsigned queues = port_option(rest, "queues", RTE_MIN(options->queues, PORT_QUEUES_MAX));
	char path[SOCKET_PATH_MAX];
	struct memif *f;

	if (!socket_path(options, rest, path, errors) || !port_queues_check(options, queues, errors) ||
	    !ring_check(options, port_option(rest, "ring", RING_DEFAULT),
	                port_option(rest, "buffer", BUFFER_DEFAULT), queues, errors))
		return false;
	f = new_memif(port, rest, path, queues);
	if (!f) {
		port_error(errors, options, "no-memory", "not enough memory for %u queues", queues);
		return false;
	}
	port->private = f;
	port->ops = &memif_ops;
	port->bequeath = memif_hand_over;
	port_make_mac(port);
	if (start(f, options, errors))
		return true;
	free_memif(f);
	return false;
}
