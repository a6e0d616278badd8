/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TAP: an interface whose other end is the kernel of a network namespace, as a host on the link. Our own, because
 * DPDK's driver gives both ends one address. The kernel finishes checksums and segments before it hands frames over
 * (no offload is ever asked for). The interface is made, or taken up again where it is persistent; one that was made here and outlives its process bears as its alias
 * whose it is. Each queue is a
 * descriptor; a read costs a system call even when there is nothing, so an empty queue is left alone for LOOK_US.
 * Opened and closed by the control side; a queue belongs to one worker.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "manage/log.h"
#include "port/bequest.h"
#include "port/port.h"
#include "util/link.h"

enum { LOOK_US = 20, SEGMENTS_MAX = 64 };

struct tap_queue {
	int fd;
	uint64_t look_at;       /* TSC: not before */
	struct rte_mbuf *spare; /* for the next frame */
} __rte_cache_aligned;

struct tap {
	uint64_t pause; /* LOOK_US in TSC cycles */
	struct tap_queue queues[PORT_QUEUES_MAX];
};

/* One frame into the spare mbuf; its length, 0: none there, -1: one that is too long (left out). */
static ssize_t read_frame(struct tap_queue *q)
{
	size_t room = rte_pktmbuf_tailroom(q->spare);
	ssize_t got = read(q->fd, rte_pktmbuf_mtod(q->spare, void *), room);

	if (got <= 0)
		return 0;
	/* What fills the buffer to its end may have been longer. */
	return (size_t)got < room ? got : -1;
}

static uint16_t tap_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct tap *tap = port->private;
	struct tap_queue *q = &tap->queues[queue];
	uint16_t taken = 0;

	if (rte_rdtsc() < q->look_at)
		return 0;
	while (taken < n && (q->spare || (q->spare = rte_pktmbuf_alloc(port->pool)) != NULL)) {
		ssize_t length = read_frame(q);

		if (!length) {
			q->look_at = rte_rdtsc() + tap->pause;
			break;
		}
		if (length < 0) {
			port_count_oversize(port);
			continue;
		}
		q->spare->data_len = (uint16_t)length;
		q->spare->pkt_len = (uint32_t)length;
		m[taken++] = q->spare;
		q->spare = NULL;
	}
	return taken;
}

/* False: the kernel has no room now. A frame that it refuses for good is passed over like one lost on a wire, one of too many
 * segments is counted. */
static bool write_frame(struct port *port, int fd, const struct rte_mbuf *m)
{
	struct iovec parts[SEGMENTS_MAX];
	int count = 0;

	for (const struct rte_mbuf *s = m; s; s = s->next) {
		if (count == SEGMENTS_MAX) {
			port_count_oversize(port);
			return true;
		}
		parts[count++] = (struct iovec){ rte_pktmbuf_mtod(s, void *), s->data_len };
	}
	return writev(fd, parts, count) >= 0 || (errno != EAGAIN && errno != EIO);
}

static uint16_t tap_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct tap *tap = port->private;
	uint16_t sent = 0;

	while (sent < n && write_frame(port, tap->queues[queue].fd, m[sent]))
		sent++;
	rte_pktmbuf_free_bulk(m, sent);
	return sent;
}

/* Up as long as the interface is; its name may have changed, its descriptor has not. */
static bool tap_up(struct port *port)
{
	struct tap *tap = port->private;
	struct ifreq request = { 0 };

	/* A descriptor whose interface was deleted answers EBADFD. */
	return ioctl(tap->queues[0].fd, TUNGETIFF, &request) == 0;
}

/* One that was deleted is made again. */
static enum port_ground tap_tend(struct port *port)
{
	return tap_up(port) ? PORT_STANDS : PORT_WAITS;
}

static bool tap_show_link(struct port *port, bool up)
{
	struct tap *tap = port->private;
	int carrier = up;

	return ioctl(tap->queues[0].fd, TUNSETCARRIER, &carrier) == 0;
}

static void tap_close(struct port *port)
{
	struct tap *tap = port->private;

	for (unsigned i = 0; i < port->rx_queues; i++) {
		close(tap->queues[i].fd);
		rte_pktmbuf_free(tap->queues[i].spare);
	}
	free(tap);
}

static const struct port_ops tap_ops = { tap_rx, tap_tx, tap_up, tap_close, NULL, tap_tend, tap_show_link };

static bool tap_bequeath(struct port *port, struct port_bequest *bequest)
{
	const struct tap *tap = port->private;

	for (unsigned i = 0; i < port->rx_queues && i < BEQUEST_FDS; i++)
		bequest->fds[bequest->count++] = tap->queues[i].fd;
	return true;
}

static bool is_queue_of(int fd, const char *name)
{
	struct ifreq request = { 0 };

	return ioctl(fd, TUNGETIFF, &request) == 0 && strcmp(request.ifr_name, name) == 0;
}

/* A predecessor's queues, if they are as many as wanted, and of the interface of that name. */
static bool inherit(struct tap *tap, const struct port_options *options, const char *name, uint16_t queues)
{
	struct port_bequest b;
	bool well;

	if (!bequest_take(options, &b))
		return false;
	well = b.count == queues && port_socket_is_here(b.fds[0]);
	for (unsigned i = 0; well && i < queues; i++)
		well = is_queue_of(b.fds[i], name);
	if (well) {
		for (unsigned i = 0; i < queues; i++)
			tap->queues[i].fd = b.fds[i];
		return true;
	}
	bequest_refuse(&b);
	return false;
}

/* A persistent interface has one queue or many, as it was made, and must be asked for likewise. */
static int attach_queue(const char *name, uint16_t queues)
{
	short flags = IFF_TAP | IFF_NO_PI, many = queues > 1 ? IFF_MULTI_QUEUE : 0;
	struct ifreq request = { .ifr_flags = (short)(flags | many) };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return -1;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	if (ioctl(fd, TUNSETIFF, &request) == 0)
		return fd;
	if (errno == EINVAL && queues == 1) {
		request.ifr_flags = (short)(flags | IFF_MULTI_QUEUE);
		if (ioctl(fd, TUNSETIFF, &request) == 0)
			return fd;
	}
	close(fd);
	return -1;
}

/* One that stays and that was made here, or by a former life or for another service of ours, is known by its alias. */
static void mark(const struct port_options *options, const char *name, bool made)
{
	char folder[PATH_MAX], alias[sizeof(LINK_OURS) + PATH_MAX];
	struct link link;

	if (!options->owner || !realpath(options->owner, folder) || !link_find(name, &link))
		return;
	snprintf(alias, sizeof(alias), LINK_OURS "%s", folder);
	if ((!made && strncmp(link.alias, LINK_OURS, strlen(LINK_OURS)) != 0) ||
	    strcmp(link.alias, alias) == 0)
		return;
	if (strlen(alias) >= LINK_ALIAS_MAX || !link_set_alias(link.index, alias))
		log_warn("tap-not-marked", "port=%s device=%s consequence=nobody will know whose it was",
		         options->name, options->url);
}

static void explain(const struct port_options *options, const char *name, struct errors *errors)
{
	const char *fix = "";

	if (errno == EBUSY)
		fix = ": another process has it open";
	else if (errno == EPERM)
		fix = ": it takes CAP_NET_ADMIN";
	else if (errno == ENOENT)
		fix = ": /dev/net/tun is missing, `modprobe tun` or give the container that device";
	else if (errno == EINVAL)
		fix = ": an interface of that name exists that is no TAP, or it was made for one queue "
		      "(queues=1)";
	port_error(errors, options, "no-interface", "the TAP \"%s\" cannot be opened: %s%s", name,
	           strerror(errno), fix);
}

bool port_tap(struct port *port, const struct port_options *options, const char *name, uint16_t queues,
              bool persistent, struct errors *errors)
{
	struct tap *tap = aligned_alloc(RTE_CACHE_LINE_SIZE, sizeof(*tap));
	bool made = if_nametoindex(name) == 0;

	if (!tap) {
		port_error(errors, options, "no-memory", "not enough memory");
		return false;
	}
	memset(tap, 0, sizeof(*tap));
	tap->pause = rte_get_tsc_hz() / 1000000 * LOOK_US;
	port->private = tap;
	if (inherit(tap, options, name, queues))
		port->rx_queues = queues;
	else
		tap->queues[0].fd = attach_queue(name, queues);
	if (tap->queues[0].fd < 0 && errno == EINVAL && queues > 1) {
		queues = 1; /* somebody made it with one queue: then one worker serves it */
		tap->queues[0].fd = attach_queue(name, queues);
	}
	if (tap->queues[0].fd < 0) {
		explain(options, name, errors);
		free(tap);
		return false;
	}
	for (port->rx_queues = RTE_MAX(port->rx_queues, 1); port->rx_queues < queues; port->rx_queues++) {
		tap->queues[port->rx_queues].fd = attach_queue(name, queues);
		if (tap->queues[port->rx_queues].fd < 0) {
			explain(options, name, errors);
			tap_close(port);
			return false;
		}
	}
	ioctl(tap->queues[0].fd, TUNSETOFFLOAD, 0);
	if (persistent) {
		/* In this order: a process that is killed in between leaves nothing that nobody knows. */
		mark(options, name, made);
		ioctl(tap->queues[0].fd, TUNSETPERSIST, 1);
	}
	port->tx_queues = queues;
	port->ops = &tap_ops;
	port->bequeath = tap_bequeath;
	port_make_mac(port);
	return true;
}
