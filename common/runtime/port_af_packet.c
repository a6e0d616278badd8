/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A kernel interface by a packet socket with shared rings (packet(7), TPACKET_V2). Our own, because DPDK's driver always joins a
 * fanout group that reassembles IPv4 fragments, loses VLAN tags that the kernel has taken off, and passes on packets whose transport checksum a
 * virtual interface has left undone. One queue: packets are spread over workers by their owners. Opened and closed by the
 * control side; polled by one worker, sent by one worker.
 */
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packet/pkt.h"
#include "runtime/port.h"

enum { FRAME_SIZE = 2048, FRAMES = 1024, BLOCK_SIZE = 65536, VLAN_BYTES = 4, MAC_BYTES = 12 };

struct ring {
	uint8_t *frames;
	unsigned next;
};

struct af_packet {
	int fd;
	void *map;
	struct ring rx, tx;
	int interface;
};

static struct tpacket2_hdr *frame_at(const struct ring *ring)
{
	return (struct tpacket2_hdr *)(ring->frames + (size_t)ring->next * FRAME_SIZE);
}

static void advance(struct ring *ring)
{
	ring->next = (ring->next + 1) % FRAMES;
}

/* The kernel hands the outer tag over beside the frame: back where it was. */
static void restore_vlan(struct rte_mbuf *m, const struct tpacket2_hdr *frame)
{
	uint16_t type = frame->tp_status & TP_STATUS_VLAN_TPID_VALID ? frame->tp_vlan_tpid : ETH_P_8021Q;
	uint16_t tag[2] = { rte_cpu_to_be_16(type), rte_cpu_to_be_16(frame->tp_vlan_tci) };
	uint8_t *head = (uint8_t *)rte_pktmbuf_prepend(m, VLAN_BYTES);

	if (!head)
		return;
	memmove(head, head + VLAN_BYTES, MAC_BYTES);
	memcpy(head + MAC_BYTES, tag, sizeof(tag));
}

static void take_frame(struct rte_mbuf *m, const struct tpacket2_hdr *frame)
{
	memcpy(rte_pktmbuf_mtod(m, void *), (const uint8_t *)frame + frame->tp_mac, frame->tp_snaplen);
	m->data_len = (uint16_t)frame->tp_snaplen;
	m->pkt_len = frame->tp_snaplen;
	if (frame->tp_status & TP_STATUS_VLAN_VALID)
		restore_vlan(m, frame);
	if (frame->tp_status & TP_STATUS_CSUMNOTREADY && pkt_parse(m, 0) == PKT_OK &&
	    !(pkt_of(m)->flags & PKT_FRAGMENT))
		pkt_checksums(m);
}

/* Whole, and not one that we have sent ourselves. */
static bool is_wanted(const struct tpacket2_hdr *frame)
{
	const struct sockaddr_ll *from =
	        (const void *)((const uint8_t *)frame + TPACKET_ALIGN(sizeof(*frame)));

	return from->sll_pkttype != PACKET_OUTGOING && frame->tp_snaplen == frame->tp_len;
}

static uint16_t af_packet_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct af_packet *a = port->private;
	uint16_t taken = 0;

	(void)queue;
	while (taken < n) {
		struct tpacket2_hdr *frame = frame_at(&a->rx);

		if (!(__atomic_load_n(&frame->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
			break;
		if (is_wanted(frame)) {
			m[taken] = rte_pktmbuf_alloc(port->pool);
			if (!m[taken])
				break;
			take_frame(m[taken++], frame);
		} else if (frame->tp_snaplen != frame->tp_len) {
			port->oversize++;
		}
		__atomic_store_n(&frame->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		advance(&a->rx);
	}
	return taken;
}

static bool put_frame(struct af_packet *a, struct rte_mbuf *m)
{
	struct tpacket2_hdr *frame = frame_at(&a->tx);
	uint32_t length = rte_pktmbuf_pkt_len(m);
	uint8_t *data = (uint8_t *)frame + TPACKET2_HDRLEN - sizeof(struct sockaddr_ll);
	const void *bytes;

	if (__atomic_load_n(&frame->tp_status, __ATOMIC_ACQUIRE) != TP_STATUS_AVAILABLE ||
	    length > FRAME_SIZE - TPACKET2_HDRLEN)
		return false;
	bytes = rte_pktmbuf_read(m, 0, length, data);
	if (bytes != data)
		memcpy(data, bytes, length);
	frame->tp_len = length;
	__atomic_store_n(&frame->tp_status, TP_STATUS_SEND_REQUEST, __ATOMIC_RELEASE);
	advance(&a->tx);
	return true;
}

static uint16_t af_packet_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct af_packet *a = port->private;
	uint16_t sent = 0;

	(void)queue;
	while (sent < n && put_frame(a, m[sent]))
		sent++;
	/* A full device queue is met again with the next burst; what is in the ring stays there until then. */
	if (sent && sendto(a->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0)
		errno = 0;
	rte_pktmbuf_free_bulk(m, sent);
	return sent;
}

static bool af_packet_up(struct port *port)
{
	struct af_packet *a = port->private;
	int error = 0;
	socklen_t length = sizeof(error);

	/* The socket reports that its interface went down or away (ENETDOWN); asking clears it. */
	return getsockopt(a->fd, SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error == 0;
}

static void af_packet_close(struct port *port)
{
	struct af_packet *a = port->private;

	if (a->map)
		munmap(a->map, 2 * (size_t)FRAMES * FRAME_SIZE);
	close(a->fd);
	free(a);
}

static const struct port_ops af_packet_ops = { af_packet_rx, af_packet_tx, af_packet_up, af_packet_close };

static bool make_rings(struct af_packet *a)
{
	struct tpacket_req ring = { .tp_block_size = BLOCK_SIZE,
		                    .tp_block_nr = FRAMES * FRAME_SIZE / BLOCK_SIZE,
		                    .tp_frame_size = FRAME_SIZE,
		                    .tp_frame_nr = FRAMES };
	int version = TPACKET_V2, yes = 1;

	if (setsockopt(a->fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(a->fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) < 0 ||
	    setsockopt(a->fd, SOL_PACKET, PACKET_TX_RING, &ring, sizeof(ring)) < 0)
		return false;
	setsockopt(a->fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes,
	           sizeof(yes)); /* an old kernel sends by its queue */
	setsockopt(a->fd, SOL_PACKET, PACKET_LOSS, &yes,
	           sizeof(yes)); /* a frame that the device refuses is passed over */
	a->map = mmap(NULL, 2 * (size_t)FRAMES * FRAME_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
	if (a->map == MAP_FAILED) {
		a->map = NULL;
		return false;
	}
	a->rx.frames = a->map;
	a->tx.frames = a->rx.frames + (size_t)FRAMES * FRAME_SIZE;
	return true;
}

static bool attach(struct af_packet *a, struct port *port, const char *interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct packet_mreq promiscuous = { .mr_type = PACKET_MR_PROMISC };
	struct ifreq request = { 0 };

	a->interface = (int)if_nametoindex(interface);
	address.sll_ifindex = promiscuous.mr_ifindex = a->interface;
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", interface);
	if (bind(a->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    ioctl(a->fd, SIOCGIFHWADDR, &request) < 0 ||
	    setsockopt(a->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) < 0)
		return false;
	memcpy(port->mac, request.ifr_hwaddr.sa_data, sizeof(port->mac));
	return true;
}

bool port_af_packet(struct port *port, const struct port_options *options, const char *interface,
                    struct errors *errors)
{
	struct af_packet *a = calloc(1, sizeof(*a));

	if (!a)
		return false;
	port->private = a;
	a->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (a->fd < 0 || !make_rings(a) || !attach(a, port, interface)) {
		port_error(errors, options, "no-interface",
		           "a packet socket on \"%s\" could not be set up: %s%s", interface, strerror(errno),
		           errno == EPERM ? " (it takes CAP_NET_RAW)" : "");
		af_packet_close(port);
		return false;
	}
	port->ops = &af_packet_ops;
	port->rx_queues = port->tx_queues = 1;
	return true;
}
