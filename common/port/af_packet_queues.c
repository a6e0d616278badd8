/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sockets and rings of an af_packet port: made, dealt their shares, taken over from a predecessor with as many workers or another
 * number. Control side, while no worker has the port. See af_packet_private.h.
 */
#include "port/af_packet_private.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "port/port.h"
#include "port/share.h"

enum {
	SLOT = 2048, /* of a ring; where the port's packets may be larger than that: */
	SLOT_LARGE = 16384,
	SLOTS = 1024,
	SLOTS_LARGE = 512,
	BLOCK_SIZE = 65536,
	LOOK_APART_US = 20,
	QUEUE_BYTES = 8 << 20, /* of frames that are too large for a slot */
};

static unsigned slot_size(bool large)
{
	return large ? SLOT_LARGE : SLOT;
}

static unsigned slot_count(bool large)
{
	return large ? SLOTS_LARGE : SLOTS;
}

static bool map_rings(struct queue *q, bool large)
{
	unsigned size = slot_size(large), count = slot_count(large);

	q->mapped = 2 * (size_t)count * size;
	q->map = mmap(NULL, q->mapped, PROT_READ | PROT_WRITE, MAP_SHARED, q->fd, 0);
	if (q->map == MAP_FAILED) {
		q->map = NULL;
		return false;
	}
	q->rx = (struct ring){ q->map, 0, count, size };
	q->tx = (struct ring){ q->rx.frames + (size_t)count * size, 0, count, size };
	return true;
}

static bool make_rings(int fd, bool large)
{
	unsigned size = slot_size(large), count = slot_count(large);
	struct tpacket_req ring = { .tp_block_size = BLOCK_SIZE,
		                    .tp_block_nr = count * size / BLOCK_SIZE,
		                    .tp_frame_size = size,
		                    .tp_frame_nr = count };
	int version = TPACKET_V2, yes = 1, queue = QUEUE_BYTES;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof(yes)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_COPY_THRESH, &yes, sizeof(yes)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &ring, sizeof(ring)) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_TX_RING, &ring, sizeof(ring)) < 0)
		return false;
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof(yes));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &queue, sizeof(queue));
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes,
	           sizeof(yes)); /* an old kernel sends by its queue */
	setsockopt(fd, SOL_PACKET, PACKET_LOSS, &yes,
	           sizeof(yes)); /* a frame that the device refuses is passed over */
	return true;
}

static bool bind_socket(int fd, int interface)
{
	struct sockaddr_ll address = { .sll_family = AF_PACKET,
		                       .sll_protocol = htons(ETH_P_ALL),
		                       .sll_ifindex = interface };
	struct packet_mreq promiscuous = { .mr_type = PACKET_MR_PROMISC, .mr_ifindex = interface };

	return bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 &&
	       setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof(promiscuous)) == 0;
}

/* --- sockets, made all at once: the kernel has each wait for a grace period or two of its own --- */

/* One that takes the share of that number from the first frame on, for it is told so before it is bound. */
struct making {
	int fd, interface, error; /* fd -1: it failed */
	unsigned share, shares;   /* share == shares: none yet */
	bool large, thread_runs;
	pthread_t thread;
};

static void *make_socket(void *making)
{
	struct making *m = making;

	m->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (m->fd >= 0 && make_rings(m->fd, m->large) &&
	    ((m->shares == 1 && m->share == 0) || share_take(m->fd, m->share, m->shares)) &&
	    bind_socket(m->fd, m->interface))
		return NULL;
	m->error = errno;
	if (m->fd >= 0)
		close(m->fd);
	m->fd = -1;
	return NULL;
}

/* Threads are in the network namespace of the one that starts them. False with errno: not all were made. */
static bool make_sockets(struct making *list, unsigned count)
{
	int error = 0;

	for (unsigned i = 0; i + 1 < count; i++)
		list[i].thread_runs = pthread_create(&list[i].thread, NULL, make_socket, &list[i]) == 0;
	for (unsigned i = 0; i < count; i++)
		if (!list[i].thread_runs)
			make_socket(&list[i]);
	for (unsigned i = 0; i < count; i++) {
		if (list[i].thread_runs)
			pthread_join(list[i].thread, NULL);
		error = list[i].fd < 0 ? list[i].error : error;
	}
	errno = error;
	return !error;
}

bool af_packet_prepare(unsigned count, const char *interface, bool large, struct port_bequest *prepared)
{
	struct making list[BEQUEST_FDS] = { { 0 } };
	int index = (int)if_nametoindex(interface), error;

	if (count > BEQUEST_FDS || index <= 0)
		return false;
	for (unsigned i = 0; i < count; i++)
		list[i] = (struct making){
			.interface = index, .share = count, .shares = count, .large = large
		};
	make_sockets(list, count);
	error = errno;
	prepared->value[BEQUEST_SLOT] = slot_size(large);
	for (unsigned i = 0; i < count; i++)
		if (list[i].fd >= 0)
			prepared->fds[prepared->count++] = list[i].fd;
	errno = error;
	return prepared->count > 0;
}

/* --- and closed --- */

struct closing {
	unsigned count;
	int fds[];
};

static void *close_sockets(void *closing)
{
	struct closing *c = closing;

	for (unsigned i = 0; i < c->count; i++)
		close(c->fds[i]);
	free(c);
	return NULL;
}

void af_packet_put_away(const int *fds, unsigned count)
{
	struct closing *c = count ? malloc(sizeof(*c) + count * sizeof(*fds)) : NULL;
	pthread_t thread;

	if (!c)
		return; /* the end of the process closes them */
	c->count = count;
	memcpy(c->fds, fds, count * sizeof(*fds));
	if (pthread_create(&thread, NULL, close_sockets, c) == 0)
		pthread_detach(thread);
	else
		close_sockets(c);
}

/* --- queues --- */

/* The socket that was prepared last; -1: there is none of such slots. */
static int take_prepared(struct port_bequest *prepared, int interface, bool large)
{
	struct sockaddr_ll bound = { .sll_ifindex = 0 };
	socklen_t length = sizeof(bound);
	int fd = prepared->count ? prepared->fds[prepared->count - 1] : -1;

	if (fd < 0 || prepared->value[BEQUEST_SLOT] != slot_size(large) ||
	    getsockname(fd, (struct sockaddr *)&bound, &length) < 0 || bound.sll_ifindex != interface)
		return -1;
	prepared->count--;
	return fd;
}

/* Gives queues without a socket one each, which takes the share of its number, or none yet. */
static bool give_sockets(struct af_packet *a, bool none_yet, struct port_bequest *prepared, bool large)
{
	struct making list[PORT_QUEUES_MAX] = { { 0 } };
	unsigned lacking = 0;
	bool well;

	for (unsigned i = 0; i < a->count; i++) {
		struct queue *q = &a->queues[i];

		if (q->fd < 0 && none_yet)
			q->fd = take_prepared(prepared, a->interface, large);
		if (q->fd < 0)
			list[lacking++] = (struct making){ .interface = a->interface,
				                           .share = none_yet ? a->count : i,
				                           .shares = a->count,
				                           .large = large };
	}
	well = make_sockets(list, lacking);
	for (unsigned i = a->count; i-- > 0;)
		if (a->queues[i].fd < 0)
			a->queues[i].fd = list[--lacking].fd;
	for (unsigned i = 0; well && i < a->count; i++)
		well = a->queues[i].map || map_rings(&a->queues[i], large);
	return well;
}

/* Goes on in a predecessor's rings where it was, if the socket is still bound to the interface. */
static bool inherit_queue(struct queue *q, int fd, const uint32_t place[2], int interface, bool large)
{
	struct sockaddr_ll bound = { .sll_ifindex = 0 };
	socklen_t length = sizeof(bound);

	if (place[0] >= slot_count(large) || place[1] >= slot_count(large) || !port_socket_is_here(fd) ||
	    getsockname(fd, (struct sockaddr *)&bound, &length) < 0 || bound.sll_ifindex != interface)
		return false;
	q->fd = fd;
	if (!map_rings(q, large))
		return false;
	q->rx.next = place[0];
	q->tx.next = place[1];
	atomic_init(&q->unsent, true);
	return true;
}

/* Where a predecessor's sockets stand among ours. */
struct inherited {
	unsigned from, count;
};

static bool is_inherited(const struct inherited *old, unsigned number)
{
	return number >= old->from && number < old->from + old->count;
}

/* Back as it was made; a predecessor's descriptors are closed by whoever refuses them. */
static void forget_queues(struct af_packet *a, const struct inherited *old)
{
	for (unsigned i = 0; i < a->kept; i++) {
		struct queue *q = &a->queues[i];

		if (q->map)
			munmap(q->map, q->mapped);
		if (!is_inherited(old, i) && q->fd >= 0)
			close(q->fd);
		memset(q, 0, sizeof(*q));
		q->fd = -1;
	}
	a->kept = a->count;
}

/* How many slots wait to be read, of which so many are known to. */
static unsigned filled(const struct ring *ring, unsigned count)
{
	struct ring at = *ring;

	at.next = (at.next + count) % at.count;
	while (count < ring->count &&
	       __atomic_load_n(&frame_at(&at)->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER) {
		advance(&at);
		count++;
	}
	return count;
}

/* Each socket takes what is its share, and those that were there what their share was, besides. */
static bool take_both(struct af_packet *a, const struct inherited *old)
{
	bool well = true;

	for (unsigned i = 0; well && i < a->count; i++)
		well = is_inherited(old, i) ? share_take_both(a->queues[i].fd, i, a->count, a->former)
		                            : share_take(a->queues[i].fd, i, a->count);
	return well;
}

/* And no more than its share. */
static bool take_new(struct af_packet *a, const struct inherited *old)
{
	bool well = true;

	for (unsigned i = 0; well && i < a->kept; i++)
		well = !is_inherited(old, i) || share_take(a->queues[i].fd, i, a->count);
	return well;
}

static unsigned common_divisor(unsigned a, unsigned b)
{
	return b ? common_divisor(b, a % b) : a;
}

/*
 * From where on the new shares count. Of a frame that changes its socket, the socket that gets it is looked at first, and the former one LOOK_APART_US later: longer than
 * the kernel takes from one socket to the next with a frame, else one that is on its way between them would be lost. Those that come between the two looks are given by both.
 * So that they are few, what waits is counted before, and each set of sockets that have frames to give one another is looked at by itself.
 */
static void set_moment(struct af_packet *a)
{
	unsigned sets = common_divisor(a->former, a->count);

	for (unsigned i = 0; i < a->kept; i++)
		a->queues[i].from = a->queues[i].former = filled(&a->queues[i].rx, 0);
	for (unsigned set = 0; set < sets; set++) {
		for (unsigned i = set; i < a->count; i += sets)
			a->queues[i].from = filled(&a->queues[i].rx, a->queues[i].from);
		rte_delay_us_block(LOOK_APART_US);
		for (unsigned i = a->former_at + set; i < a->former_at + a->former; i += sets)
			a->queues[i].former = filled(&a->queues[i].rx, a->queues[i].former);
	}
}

/*
 * Deals what is received anew. For a while all sockets take what was theirs and what will be, so that nothing is lost; in that while lies the moment from which on
 * the new shares count. What came in that while to two sockets is known here only: who is succeeded before it has read that, some thousandths of a second after it
 * began, leaves it to its successor twice.
 */
static bool deal_anew(struct af_packet *a, const struct inherited *old, struct port_bequest *prepared,
                      bool large)
{
	bool well = give_sockets(a, true, prepared, large) && take_both(a, old);

	if (well)
		set_moment(a);
	well = well && take_new(a, old);
	for (unsigned i = 0; well && i < a->kept; i++) {
		atomic_init(&a->queues[i].hold, HOLD_DUE);
		a->queues[i].due = is_inherited(old, i) ? a->queues[i].former : a->queues[i].from;
		a->queues[i].mixed = is_inherited(old, i) ? filled(&a->queues[i].rx, a->queues[i].former)
		                                          : a->queues[i].from;
	}
	atomic_init(&a->behind, a->count);
	return well;
}

/* A predecessor's sockets, be they as many or not; those with slots of another size are only read to their end. */
static bool inherit(struct af_packet *a, const struct port_bequest *b, struct port_bequest *prepared,
                    bool large, struct inherited *old)
{
	bool same = b->value[BEQUEST_SLOT] == slot_size(large);
	bool well = a->interface > 0 && (same || b->value[BEQUEST_SLOT] == slot_size(!large));
	unsigned shares = b->value[BEQUEST_SHARES] ? b->value[BEQUEST_SHARES] : b->count;

	*old = (struct inherited){ same ? 0 : a->count, b->count };
	a->former_at = old->from;
	a->former = RTE_MIN(shares, b->count);
	a->kept = RTE_MAX(a->count, old->from + old->count);
	for (unsigned i = 0; well && i < b->count; i++)
		well = inherit_queue(&a->queues[old->from + i], b->fds[i], &b->value[BEQUEST_PLACES + 2 * i],
		                     a->interface, b->value[BEQUEST_SLOT] == SLOT_LARGE);
	if (well && (!same || b->count != a->count || shares != a->count))
		well = deal_anew(a, old, prepared, large);
	return well;
}

struct af_packet *af_packet_new(unsigned count, unsigned inherited)
{
	unsigned room = count + inherited;
	size_t size = sizeof(struct af_packet) + room * sizeof(struct queue);
	struct af_packet *a = aligned_alloc(RTE_CACHE_LINE_SIZE, size);

	if (!a)
		return NULL;
	memset(a, 0, size);
	a->count = count;
	a->kept = count;
	for (unsigned i = 0; i < room; i++)
		a->queues[i].fd = -1;
	return a;
}

static bool open_queues(struct af_packet *a, const struct port_bequest *b, struct port_bequest *prepared,
                        bool large)
{
	struct inherited old;

	if (b->count) {
		if (inherit(a, b, prepared, large, &old))
			return true;
		forget_queues(a, &old);
		bequest_refuse(b);
	}
	return a->interface > 0 && give_sockets(a, false, prepared, large);
}

bool af_packet_open(struct af_packet *a, const struct port_bequest *b, struct port_bequest *prepared,
                    bool large)
{
	bool well = open_queues(a, b, prepared, large);
	int error = errno;

	af_packet_put_away(prepared->fds, prepared->count);
	errno = error;
	return well;
}

/* A queue that does not wait for others does not read theirs any more. */
static bool all_read(const struct af_packet *a)
{
	for (unsigned i = 0; i < a->count; i++)
		if (atomic_load_explicit(&a->queues[i].hold, memory_order_acquire) != HOLD_NOT)
			return false;
	return true;
}

/* What a predecessor left to be sent by sockets that no worker has any more; the kernel may have had no room for it. */
static bool all_sent(struct af_packet *a)
{
	bool sent = true;

	for (unsigned i = a->count; i < a->kept; i++) {
		struct queue *q = &a->queues[i];

		if (atomic_load_explicit(&q->unsent, memory_order_relaxed))
			af_packet_kick(q);
		sent = sent && !atomic_load_explicit(&q->unsent, memory_order_relaxed);
	}
	return sent;
}

void af_packet_retire(struct af_packet *a)
{
	int fds[PORT_QUEUES_MAX];
	unsigned count = 0;

	if (a->kept == a->count || !all_read(a) || !all_sent(a))
		return;
	for (unsigned i = a->count; i < a->kept; i++) {
		struct queue *q = &a->queues[i];

		atomic_fetch_add_explicit(&a->queues[0].missed, af_packet_missed_by(q), memory_order_relaxed);
		munmap(q->map, q->mapped);
		fds[count++] = q->fd;
	}
	a->kept = a->count;
	af_packet_put_away(fds, count);
}

/* A successor waits for nobody to close what it did not get: the end of the process does. */
void af_packet_free(struct af_packet *a)
{
	for (unsigned i = 0; i < a->kept; i++) {
		struct queue *q = &a->queues[i];

		if (q->map)
			munmap(q->map, q->mapped);
		if (q->fd >= 0 && !(a->bequeathed && i >= a->count))
			close(q->fd);
	}
	free(a);
}
