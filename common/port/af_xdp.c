/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel interface by AF_XDP sockets, one a receive queue: frames come and go past the kernel's stack, in copy mode everywhere and without
 * copies of the kernel's where the driver can. Our own and not DPDK's driver, which needs two libraries and loses its interface for good when that goes away.
 *
 * Nothing is said beside a frame of what a local sender left undone. A veth sends partial checksums: they are known by what stands in
 * their place, and finished; segmentation it leaves off while its driver
 * has a program, which is why the kernel's common way is not for it. Opened, tended and closed by the control side;
 * a queue is one worker's.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/bequest.h"
#include "port/port.h"
#include "port/whole.h"
#include "port/xdp.h"

enum { KICKS = 4 };

struct af_xdp {
	unsigned interface;
	int control;  /* a socket of the interface's namespace */
	bool partial; /* its other end may leave checksums to us */
	struct xdp_program program;
	struct xdp_socket sockets[PORT_QUEUES_MAX];
};

/* --- receiving --- */

static bool take(const struct af_xdp *x, const uint8_t *bytes, uint32_t length, struct rte_mbuf *m)
{
	if (length > rte_pktmbuf_tailroom(m))
		return false;
	memcpy(rte_pktmbuf_mtod(m, void *), bytes, length);
	m->data_len = (uint16_t)length;
	m->pkt_len = length;
	if (x->partial)
		whole_partial(rte_pktmbuf_mtod(m, uint8_t *), length);
	return true;
}

static uint32_t index_of(uint32_t number)
{
	return number & (XDP_RING - 1);
}

/* What was read goes back to where the kernel takes its frames from: there is room, for it has no others. */
static void refill(struct xdp_socket *s, uint32_t from, uint32_t to)
{
	struct xdp_desc *came = s->rx.entries;
	uint64_t *fill = s->fill.entries;
	uint32_t at = *s->fill.producer;

	for (uint32_t i = from; i != to; i++)
		fill[index_of(at++)] = came[index_of(i)].addr & ~(uint64_t)(XDP_FRAME - 1);
	__atomic_store_n(s->fill.producer, at, __ATOMIC_RELEASE);
	__atomic_store_n(s->rx.consumer, to, __ATOMIC_RELEASE);
}

/* Has the kernel send what is in the ring. In copy mode it takes 32 frames a call, and less while the device is busy: what is left is sent
 * at a later turn. */
static void kick(struct xdp_socket *s)
{
	for (unsigned calls = 0; calls < KICKS; calls++) {
		if (__atomic_load_n(s->tx.consumer, __ATOMIC_ACQUIRE) ==
		            __atomic_load_n(s->tx.producer, __ATOMIC_RELAXED) ||
		    !(__atomic_load_n(s->tx.flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP))
			return;
		if (sendto(s->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && errno != EAGAIN)
			return;
	}
}

static uint16_t receive(struct port *port, struct xdp_socket *s, struct rte_mbuf **m, uint16_t n)
{
	const struct af_xdp *x = port->private;
	const struct xdp_desc *came = s->rx.entries;
	uint32_t first = *s->rx.consumer, at = first;
	uint32_t end = __atomic_load_n(s->rx.producer, __ATOMIC_ACQUIRE);
	uint16_t got = 0;

	for (; at != end && got < n; at++) {
		const struct xdp_desc *d = &came[index_of(at)];

		m[got] = rte_pktmbuf_alloc(port->pool);
		if (unlikely(!m[got]))
			break;
		if (take(x, s->frames + d->addr, d->len, m[got])) {
			got++;
			continue;
		}
		port_count_oversize(port);
		rte_pktmbuf_free(m[got]);
	}
	if (at != first)
		refill(s, first, at);
	if (unlikely(__atomic_load_n(s->fill.flags, __ATOMIC_RELAXED) & XDP_RING_NEED_WAKEUP))
		recvfrom(s->fd, NULL, 0, MSG_DONTWAIT, NULL, NULL);
	kick(s);
	return got;
}

static uint16_t af_xdp_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct af_xdp *x = port->private;

	return receive(port, &x->sockets[queue], m, n);
}

/* --- sending --- */

static void reclaim(struct xdp_socket *s)
{
	const uint64_t *done = s->completion.entries;
	uint32_t at = *s->completion.consumer,
	         end = __atomic_load_n(s->completion.producer, __ATOMIC_ACQUIRE);

	for (; at != end; at++)
		s->free->frames[s->free->count++] = done[index_of(at)];
	__atomic_store_n(s->completion.consumer, at, __ATOMIC_RELEASE);
}

static void put(struct xdp_socket *s, uint32_t at, const struct rte_mbuf *m)
{
	struct xdp_desc *d = (struct xdp_desc *)s->tx.entries + index_of(at);
	uint64_t address = s->free->frames[--s->free->count];
	uint32_t length = rte_pktmbuf_pkt_len(m);
	const void *bytes = rte_pktmbuf_read(m, 0, length, s->frames + address);

	if (bytes != s->frames + address)
		memcpy(s->frames + address, bytes, length);
	*d = (struct xdp_desc){ .addr = address, .len = length };
}

/* As many frames as there are, so many places has the ring. */
static uint16_t send_frames(struct port *port, struct xdp_socket *s, struct rte_mbuf **m, uint16_t n)
{
	uint32_t first = *s->tx.producer, at = first;
	uint16_t sent = 0;

	reclaim(s);
	for (; sent < n && s->free->count; sent++) {
		if (unlikely(rte_pktmbuf_pkt_len(m[sent]) > XDP_FRAME))
			port_count_oversize(port);
		else
			put(s, at++, m[sent]);
	}
	if (at != first)
		__atomic_store_n(s->tx.producer, at, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	kick(s);
	return sent;
}

static uint16_t af_xdp_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct af_xdp *x = port->private;
	uint16_t sent = send_frames(port, &x->sockets[queue], m, n);

	rte_pktmbuf_free_bulk(m, sent);
	return sent;
}

/* --- the interface --- */

static bool ask_driver(int control, const char *interface, void *question)
{
	struct ifreq request = { .ifr_data = question };

	memcpy(request.ifr_name, interface, strnlen(interface, IF_NAMESIZE - 1));
	return ioctl(control, SIOCETHTOOL, &request) == 0;
}

static unsigned channels(int control, const char *interface)
{
	struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };

	if (!ask_driver(control, interface, &c))
		return 1;
	return c.combined_count + c.rx_count ? c.combined_count + c.rx_count : 1;
}

static bool is_veth(int control, const char *interface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };

	return ask_driver(control, interface, &info) && strcmp(info.driver, "veth") == 0;
}

static uint64_t lost_by(const struct xdp_socket *s)
{
	struct xdp_statistics stats = { 0 };
	socklen_t length = sizeof(stats);

	if (s->fd < 0 || getsockopt(s->fd, SOL_XDP, XDP_STATISTICS, &stats, &length) < 0)
		return 0;
	return stats.rx_dropped + stats.rx_ring_full;
}

static void let_go(struct port *port)
{
	struct af_xdp *x = port->private;

	xdp_program_close(&x->program);
	for (unsigned i = 0; i < port->rx_queues; i++)
		xdp_socket_close(&x->sockets[i]);
}

/* Makes the sockets, then the program that gives them frames. Called in the interface's namespace. */
static bool take_up(struct port *port, const char **asked)
{
	struct af_xdp *x = port->private;
	bool well = true;
	int why;

	for (unsigned i = 0; well && i < port->rx_queues; i++)
		well = xdp_socket_open(&x->sockets[i], x->interface, i, asked);
	well = well && xdp_program_attach(&x->program, x->interface, port->rx_queues, !x->partial, asked);
	for (unsigned i = 0; well && i < port->rx_queues; i++)
		well = xdp_program_add(&x->program, i, x->sockets[i].fd);
	if (well)
		return true;
	why = errno;
	let_go(port);
	errno = why;
	return false;
}

/* --- from process to process --- */

/* Of what shape everything is, and of which interface; program, then sockets with their memory. */
static bool af_xdp_bequeath(struct port *port, struct port_bequest *bequest)
{
	const struct af_xdp *x = port->private;

	if (2 + 2 * port->rx_queues > BEQUEST_FDS)
		return false;
	bequest->value[0] = XDP_RING;
	bequest->value[1] = XDP_FRAME;
	bequest->value[2] = x->interface;
	bequest->fds[bequest->count++] = x->program.map;
	bequest->fds[bequest->count++] = x->program.link;
	for (unsigned i = 0; i < port->rx_queues; i++) {
		bequest->fds[bequest->count++] = x->sockets[i].fd;
		bequest->fds[bequest->count++] = x->sockets[i].memory;
	}
	return true;
}

/* A predecessor's sockets, if they are of this interface and as many. */
static bool inherit(struct port *port, const struct port_options *options)
{
	struct af_xdp *x = port->private;
	struct port_bequest b;
	unsigned had = 0;

	if (!bequest_take(options, &b))
		return false;
	if (b.count == 2u + 2u * port->rx_queues && b.value[0] == XDP_RING && b.value[1] == XDP_FRAME &&
	    b.value[2] == x->interface && port_socket_is_here(b.fds[2]))
		while (had < port->rx_queues &&
		       xdp_socket_inherit(&x->sockets[had], b.fds[2 + 2 * had], b.fds[3 + 2 * had]))
			had++;
	if (had && had == port->rx_queues) {
		x->program = (struct xdp_program){ .map = b.fds[0], .link = b.fds[1] };
		return true;
	}
	for (unsigned i = 0; i < b.count; i++)
		if (i < 2 || i >= 2 + 2 * had)
			close(b.fds[i]);
	let_go(port);
	return false;
}

static bool af_xdp_up(struct port *port)
{
	const struct af_xdp *x = port->private;

	return port_interface_up(x->control, (int)x->interface);
}

static bool af_xdp_show_link(struct port *port, bool up)
{
	const struct af_xdp *x = port->private;

	return port_interface_show(x->control, (int)x->interface, up);
}

static uint64_t af_xdp_missed(struct port *port)
{
	struct af_xdp *x = port->private;
	uint64_t sum = 0;

	for (unsigned i = 0; i < port->rx_queues; i++)
		sum += lost_by(&x->sockets[i]);
	return sum;
}

static enum port_ground af_xdp_tend(struct port *port)
{
	const struct af_xdp *x = port->private;
	struct ifreq request = { .ifr_ifindex = (int)x->interface };

	return ioctl(x->control, SIOCGIFNAME, &request) == 0 ? PORT_STANDS : PORT_WAITS;
}

static void af_xdp_close(struct port *port)
{
	struct af_xdp *x = port->private;

	let_go(port);
	close(x->control);
	free(x);
}

static const struct port_ops af_xdp_ops = { af_xdp_rx,     af_xdp_tx,   af_xdp_up,       af_xdp_close,
	                                    af_xdp_missed, af_xdp_tend, af_xdp_show_link };

static void explain(const struct port_options *options, const char *asked, struct errors *errors)
{
	const char *fix = "";

	if (errno == EPERM)
		fix = ": it takes CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF";
	else if (errno == EBUSY)
		fix = ": another program or socket has it; `ip link set dev NAME xdp off` takes a program "
		      "away";
	else if (errno == ERANGE || errno == EOPNOTSUPP)
		fix = ": its MTU is too large for this, or its driver cannot: use af_packet:";
	else if (errno == EAFNOSUPPORT || errno == EINVAL || errno == ENOSYS)
		fix = ": this kernel has no AF_XDP (CONFIG_XDP_SOCKETS, CONFIG_BPF_SYSCALL; 5.9 or later): "
		      "use "
		      "af_packet:";
	port_error(errors, options, "no-af-xdp", "%s could not be had: %s%s", asked, strerror(errno), fix);
}

static struct af_xdp *new_af_xdp(const char *interface)
{
	struct af_xdp *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	x->interface = if_nametoindex(interface);
	x->partial = is_veth(x->control, interface);
	x->program.map = x->program.link = -1;
	for (unsigned i = 0; i < PORT_QUEUES_MAX; i++)
		x->sockets[i].fd = x->sockets[i].memory = -1;
	return x;
}

bool port_af_xdp(struct port *port, const struct port_options *options, const char *interface,
                 struct errors *errors)
{
	struct af_xdp *x = new_af_xdp(interface);
	struct ifreq mac = { 0 };
	const char *asked = "memory";
	unsigned queues;

	if (!x) {
		port_error(errors, options, "no-memory", "not enough memory");
		return false;
	}
	port->private = x;
	queues = channels(x->control, interface);
	memcpy(mac.ifr_name, interface, strnlen(interface, IF_NAMESIZE - 1));
	if (queues > PORT_QUEUES_MAX) {
		port_error(errors, options, "too-many-queues",
		           "the interface has %u queues, a port at most %d: `ethtool -L %s combined %d`",
		           queues, PORT_QUEUES_MAX, interface, PORT_QUEUES_MAX);
		af_xdp_close(port);
		return false;
	}
	port->rx_queues = port->tx_queues = (uint16_t)queues;
	if (!inherit(port, options) && !take_up(port, &asked)) {
		explain(options, asked, errors);
		af_xdp_close(port);
		return false;
	}
	if (ioctl(x->control, SIOCGIFHWADDR, &mac) == 0)
		memcpy(port->mac, mac.ifr_hwaddr.sa_data, sizeof(port->mac));
	port->ops = &af_xdp_ops;
	port->bequeath = af_xdp_bequeath;
	return true;
}
