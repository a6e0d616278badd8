/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel interface by a packet socket with shared rings (packet(7), TPACKET_V2). Our own, because DPDK's
 * driver always joins a fanout group that reassembles IPv4 fragments, loses VLAN tags that the kernel has taken
 * off, and passes on packets whose transport checksum or segmentation a virtual interface has left undone: the
 * other end of a veth sends so unless told not to. The kernel says beside each frame what is left to do
 * (PACKET_VNET_HDR); what does not fit into a slot of the ring waits in the socket's queue (PACKET_COPY_THRESH).
 * A queue for each worker is a socket with both rings (af_packet_queues.c); filters deal what the interface receives
 * (share.c). Opened and closed by the control side; a queue is polled by one worker and sent by one worker.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/uio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "port/af_packet_private.h"
#include "port/bequest.h"
#include "port/port.h"
#include "port/share.h"

enum { VLAN_BYTES = 4, MAC_BYTES = 12 };

static struct queue *queue_of(const struct port *port, unsigned queue)
{
	struct af_packet *a = port->private;

	return &a->queues[queue];
}

static void step_back(struct ring *ring)
{
	ring->next = (ring->next + ring->count - 1) % ring->count;
}

/* Whether the frame that was put last has not been begun with. */
static bool is_waiting(struct ring ring)
{
	step_back(&ring);
	return __atomic_load_n(&frame_at(&ring)->tp_status, __ATOMIC_ACQUIRE) == TP_STATUS_SEND_REQUEST;
}

/* Takes all that wait out of the ring. */
static void take_back(struct ring *ring)
{
	while (is_waiting(*ring)) {
		step_back(ring);
		__atomic_store_n(&frame_at(ring)->tp_status, TP_STATUS_AVAILABLE, __ATOMIC_RELEASE);
	}
}

/* The kernel hands the outer tag over beside the frame: back where it was, into the 4 bytes before it. */
static uint8_t *restore_vlan(uint8_t *bytes, const struct tpacket2_hdr *frame)
{
	uint16_t type = frame->tp_status & TP_STATUS_VLAN_TPID_VALID ? frame->tp_vlan_tpid : ETH_P_8021Q;
	uint16_t tag[2] = { htons(type), htons(frame->tp_vlan_tci) };

	memmove(bytes - VLAN_BYTES, bytes, MAC_BYTES);
	memcpy(bytes - VLAN_BYTES + MAC_BYTES, tag, sizeof(tag));
	return bytes - VLAN_BYTES;
}

/* A frame that is not to be cut: copied, and its checksum computed if need be. */
static bool take_plain(struct rte_mbuf *m, const struct tpacket2_hdr *frame, const uint8_t *from,
                       uint32_t length, const struct virtio_net_hdr *header)
{
	uint8_t *bytes = rte_pktmbuf_mtod(m, uint8_t *);

	if (length > rte_pktmbuf_tailroom(m))
		return false;
	memcpy(bytes, from, length);
	m->data_len = (uint16_t)length;
	m->pkt_len = length;
	if (!whole_checksum(bytes, length, header))
		return false;
	if (frame->tp_status & TP_STATUS_VLAN_VALID)
		restore_vlan((uint8_t *)rte_pktmbuf_prepend(m, VLAN_BYTES) + VLAN_BYTES, frame);
	return true;
}

/* What is too large for a slot was put in the socket's queue; the slot still says when its turn is. */
static bool fetch_large(struct queue *q, struct virtio_net_hdr *header)
{
	struct iovec parts[2] = { { header, sizeof(*header) }, { q->whole.frame, WHOLE_MAX } };
	ssize_t got = readv(q->fd, parts, 2);

	/* That the interface went down is said once, before what is in the queue. */
	if (got < 0 && errno == ENETDOWN)
		got = readv(q->fd, parts, 2);
	q->whole.length = got > (ssize_t)sizeof(*header) ? (uint32_t)(got - (ssize_t)sizeof(*header)) : 0;
	return q->whole.length != 0;
}

/* A frame that is to be cut, in w->frame and with its tag back in place. */
static bool begin_cutting(struct queue *q, const struct tpacket2_hdr *frame, struct virtio_net_hdr header)
{
	struct whole *w = &q->whole;

	if (frame->tp_status & TP_STATUS_VLAN_VALID) {
		memmove(w->frame + VLAN_BYTES, w->frame, w->length);
		restore_vlan(w->frame + VLAN_BYTES, frame);
		w->length += VLAN_BYTES;
		header.csum_start += VLAN_BYTES;
	}
	return whole_begin(w, &header);
}

/* A frame of the ring: into m (TAKEN), into q->whole to be cut (CUT), or nowhere; another socket has it, too (TWIN). */
enum fate { TAKEN, CUT, LEFT_OUT, TWIN };

/* One that was in the socket's queue but is not to be cut: it has the size that the interface's MTU allows. */
static enum fate take_large(struct queue *q, struct rte_mbuf *m, const struct tpacket2_hdr *frame,
                            const struct virtio_net_hdr *header)
{
	uint32_t length = q->whole.length;

	q->whole.length = 0;
	return take_plain(m, frame, q->whole.frame, length, header) ? TAKEN : LEFT_OUT;
}

static enum fate take_frame(struct queue *q, struct rte_mbuf *m, const struct tpacket2_hdr *frame)
{
	const uint8_t *bytes = (const uint8_t *)frame + frame->tp_mac;
	struct virtio_net_hdr header;

	memcpy(&header, bytes - sizeof(header), sizeof(header));
	if (frame->tp_status & TP_STATUS_COPY) {
		if (!fetch_large(q, &header))
			return LEFT_OUT;
		if (header.gso_type == VIRTIO_NET_HDR_GSO_NONE)
			return take_large(q, m, frame, &header);
	} else if (frame->tp_snaplen != frame->tp_len) {
		return LEFT_OUT;
	} else if (header.gso_type == VIRTIO_NET_HDR_GSO_NONE) {
		return take_plain(m, frame, bytes, frame->tp_snaplen, &header) ? TAKEN : LEFT_OUT;
	} else {
		memcpy(q->whole.frame, bytes, frame->tp_snaplen);
		q->whole.length = frame->tp_snaplen;
	}
	return begin_cutting(q, frame, header) ? CUT : LEFT_OUT;
}

/* Whether a frame that came while shares were dealt anew is another socket's to give. */
static bool is_twin(const struct af_packet *a, const struct queue *q, const struct tpacket2_hdr *frame)
{
	unsigned bucket = share_bucket((const uint8_t *)frame + frame->tp_mac, frame->tp_snaplen);
	const struct queue *before = &a->queues[a->former_at + bucket % a->former],
	                   *now = &a->queues[bucket % a->count];

	return before != now && ((q == before && q->read >= q->former) || (q == now && q->read < q->from));
}

static enum fate pass_over(struct queue *q, const struct tpacket2_hdr *frame)
{
	struct virtio_net_hdr header;

	if (frame->tp_status & TP_STATUS_COPY && fetch_large(q, &header))
		q->whole.length = 0;
	return TWIN;
}

/* Fills one empty mbuf; false: there is nothing more. Frames on the way that cannot be taken are counted. */
static bool next_packet(struct port *port, struct queue *q, struct rte_mbuf *m)
{
	for (;;) {
		struct tpacket2_hdr *frame = frame_at(&q->rx);
		enum fate fate;

		if (whole_busy(&q->whole)) {
			if (whole_next(&q->whole, m))
				return true;
			port_count_oversize(port);
			continue;
		}
		if (!(__atomic_load_n(&frame->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			return false;
		if (unlikely(q->mixed) && is_twin(port->private, q, frame))
			fate = pass_over(q, frame);
		else
			fate = take_frame(q, m, frame);
		if (fate == LEFT_OUT)
			port_count_oversize(port);
		__atomic_store_n(&frame->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		advance(&q->rx);
		q->read += q->mixed > 0;
		q->mixed -= q->mixed > 0;
		q->due -= q->due > 0;
		if (fate == TAKEN)
			return true;
		if (fate == TWIN && !q->due)
			return false;
		rte_pktmbuf_reset(m);
	}
}

static bool anything(struct queue *q)
{
	return whole_busy(&q->whole) ||
	       __atomic_load_n(&frame_at(&q->rx)->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER;
}

bool af_packet_kick(struct queue *q)
{
	bool down =
	        sendto(q->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 && (errno == ENETDOWN || errno == ENXIO);

	if (down)
		take_back(&q->tx);
	atomic_store_explicit(&q->unsent, is_waiting(q->tx), memory_order_relaxed);
	return !down;
}

static uint16_t take(struct port *port, struct queue *q, struct rte_mbuf **m, uint16_t n)
{
	uint16_t taken = 0;

	/* Whoever sent them may have nothing more to send. */
	if (unlikely(atomic_load_explicit(&q->unsent, memory_order_relaxed)))
		af_packet_kick(q);
	while (taken < n && anything(q)) {
		m[taken] = rte_pktmbuf_alloc(port->pool);
		if (!m[taken])
			break;
		if (!next_packet(port, q, m[taken])) {
			rte_pktmbuf_free(m[taken]);
			break;
		}
		taken++;
	}
	return taken;
}

/* What was there before the shares were dealt anew; a socket that no worker has any more is read by one that has another. */
static uint16_t take_due(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct af_packet *a = port->private;
	uint16_t taken = 0;

	for (unsigned i = queue; i < a->kept && taken < n; i += a->count) {
		struct queue *q = &a->queues[i];
		uint16_t most = (uint16_t)RTE_MIN((unsigned)(n - taken), q->due);

		taken += take(port, q, m + taken, whole_busy(&q->whole) ? (uint16_t)(n - taken) : most);
	}
	return taken;
}

static bool is_due(const struct af_packet *a, unsigned queue)
{
	for (unsigned i = queue; i < a->kept; i += a->count)
		if (a->queues[i].due)
			return true;
	return false;
}

/*
 * A turn of a queue that does not read on yet. What a worker has read is with its owner before it asks again, and who finds that
 * all have read reads on with its next turn, when it has what was handed to it.
 */
static uint16_t rx_held(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct af_packet *a = port->private;
	struct queue *q = &a->queues[queue];
	uint16_t taken = take_due(port, queue, m, n);

	if (taken || is_due(a, queue))
		return taken;
	if (atomic_load_explicit(&q->hold, memory_order_relaxed) == HOLD_DUE) {
		atomic_store_explicit(&q->hold, HOLD_OTHERS, memory_order_relaxed);
		atomic_fetch_sub_explicit(&a->behind, 1, memory_order_release);
	} else if (atomic_load_explicit(&a->behind, memory_order_acquire) == 0) {
		atomic_store_explicit(&q->hold, HOLD_NOT, memory_order_release);
	}
	return 0;
}

static uint16_t af_packet_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct queue *q = queue_of(port, queue);

	return unlikely(atomic_load_explicit(&q->hold, memory_order_relaxed)) ? rx_held(port, queue, m, n)
	                                                                      : take(port, q, m, n);
}

static uint32_t slot_room(const struct ring *ring)
{
	return ring->size - (uint32_t)(TPACKET2_HDRLEN + sizeof(struct virtio_net_hdr));
}

/* False: the ring is full. */
static bool put_frame(struct queue *q, struct rte_mbuf *m)
{
	struct tpacket2_hdr *frame = frame_at(&q->tx);
	uint32_t length = rte_pktmbuf_pkt_len(m);
	uint8_t *data = (uint8_t *)frame + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll);
	const void *bytes;

	if (__atomic_load_n(&frame->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE)
		return false;
	/* Nothing is left to the kernel: its header is all zeros. */
	memset(data, 0, sizeof(struct virtio_net_hdr));
	data += sizeof(struct virtio_net_hdr);
	bytes = rte_pktmbuf_read(m, 0, length, data);
	if (bytes != data)
		memcpy(data, bytes, length);
	frame->tp_len = length + (uint32_t)sizeof(struct virtio_net_hdr);
	__atomic_store_n(&frame->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	advance(&q->tx);
	return true;
}

static uint16_t af_packet_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct queue *q = queue_of(port, queue);
	uint16_t sent = 0;

	for (; sent < n; sent++) {
		/* One that no slot can hold must not stop those behind it. */
		if (rte_pktmbuf_pkt_len(m[sent]) > slot_room(&q->tx))
			port_count_oversize(port);
		else if (!put_frame(q, m[sent]))
			break;
	}
	if (sent && !af_packet_kick(q))
		return 0;
	rte_pktmbuf_free_bulk(m, sent);
	return sent;
}

static bool af_packet_up(struct port *port)
{
	const struct af_packet *a = port->private;

	return port_interface_up(a->queues[0].fd, a->interface);
}

uint64_t af_packet_missed_by(struct queue *q)
{
	struct tpacket_stats stats = { 0 };
	socklen_t length = sizeof(stats);

	getsockopt(q->fd, SOL_PACKET, PACKET_STATISTICS, &stats, &length);
	return atomic_fetch_add_explicit(&q->missed, stats.tp_drops, memory_order_relaxed) + stats.tp_drops;
}

static uint64_t af_packet_missed(struct port *port)
{
	struct af_packet *a = port->private;
	uint64_t sum = 0;

	for (unsigned i = 0; i < a->kept; i++)
		sum += af_packet_missed_by(&a->queues[i]);
	return sum;
}

static void af_packet_close(struct port *port)
{
	af_packet_free(port->private);
}

/* The rings and where in them we are: of the slot size that is said. */
static bool af_packet_bequeath(struct port *port, struct port_bequest *bequest)
{
	struct af_packet *a = port->private;
	uint32_t *place = &bequest->value[BEQUEST_PLACES];

	unsigned count = a->kept;

	/* What is to be read yet goes along; of other slots nothing can be said. */
	if (a->queues[count - 1].rx.size != a->queues[0].rx.size)
		count = a->count;
	if (count > BEQUEST_FDS)
		return false;
	bequest->value[BEQUEST_SLOT] = a->queues[0].rx.size;
	bequest->value[BEQUEST_SHARES] = count == a->count ? 0 : a->count;
	for (unsigned i = 0; i < count; i++) {
		bequest->fds[bequest->count++] = a->queues[i].fd;
		*place++ = a->queues[i].rx.next;
		*place++ = a->queues[i].tx.next;
	}
	a->bequeathed = true;
	return true;
}

/* The kernel takes the socket off an interface that goes away, and would not put it on another. */
static enum port_ground af_packet_tend(struct port *port)
{
	struct sockaddr_ll bound = { .sll_ifindex = 0 };
	socklen_t length = sizeof(bound);

	if (getsockname(queue_of(port, 0)->fd, (struct sockaddr *)&bound, &length) == 0 &&
	    bound.sll_ifindex <= 0)
		return PORT_WAITS;
	af_packet_retire(port->private);
	return PORT_STANDS;
}

static bool af_packet_show_link(struct port *port, bool up)
{
	const struct af_packet *a = port->private;

	return port_interface_show(a->queues[0].fd, a->interface, up);
}

static const struct port_ops af_packet_ops = { af_packet_rx,       af_packet_tx,     af_packet_up,
	                                       af_packet_close,    af_packet_missed, af_packet_tend,
	                                       af_packet_show_link };

/* The address of an interface that has one. */
static bool read_mac(int fd, const char *interface, uint8_t mac[6])
{
	struct ifreq request = { 0 };

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (ioctl(fd, SIOCGIFHWADDR, &request) < 0)
		return false;
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	return true;
}

bool af_packet_large(struct rte_mempool *pool)
{
	return rte_pktmbuf_data_room_size(pool) > RTE_MBUF_DEFAULT_BUF_SIZE;
}

bool port_af_packet(struct port *port, const struct port_options *options, const char *interface,
                    struct errors *errors)
{
	bool large = af_packet_large(port->pool);
	unsigned count = RTE_MAX(RTE_MIN(options->queues, PORT_QUEUES_MAX), 1);
	struct port_bequest b, prepared;

	bequest_take(options, &b);
	bequest_take_prepared(options, &prepared);
	struct af_packet *a = af_packet_new(count, b.count);
	if (!a) {
		bequest_refuse(&b);
		bequest_refuse(&prepared);
		port_error(errors, options, "no-memory", "not enough memory");
		return false;
	}
	port->private = a;
	a->interface = (int)if_nametoindex(interface);
	if (!af_packet_open(a, &b, &prepared, large) || !read_mac(a->queues[0].fd, interface, port->mac)) {
		port_error(errors, options, "no-interface",
		           "a packet socket on \"%s\" could not be set up: %s%s", interface, strerror(errno),
		           errno == EPERM ? " (it takes CAP_NET_RAW)" : "");
		af_packet_close(port);
		return false;
	}
	port->ops = &af_packet_ops;
	port->bequeath = af_packet_bequeath;
	port->rx_queues = port->tx_queues = (uint16_t)count;
	return true;
}
