/* SPDX-License-Identifier: BSD-3-Clause */
/* Vhost-user, the front end's messages. Control side. */
#include "port/vhost_front.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <rte_memory.h>

enum {
	GET_FEATURES = 1,
	SET_FEATURES = 2,
	SET_OWNER = 3,
	SET_MEM_TABLE = 5,
	SET_VRING_NUM = 8,
	SET_VRING_ADDR = 9,
	SET_VRING_BASE = 10,
	GET_VRING_BASE = 11,
	SET_VRING_KICK = 12,
	SET_VRING_CALL = 13,
	GET_PROTOCOL_FEATURES = 15,
	SET_PROTOCOL_FEATURES = 16,
	GET_QUEUE_NUM = 17,
	SET_VRING_ENABLE = 18,
};

enum { VERSION = 1, IS_REPLY = 1 << 2, NEED_REPLY = 1 << 3, NO_FD = 1 << 8, REGIONS_MAX = 8 };

#define BIT(n)             (UINT64_C(1) << (n))
#define F_PROTOCOL         BIT(30) /* VHOST_USER_F_PROTOCOL_FEATURES */
#define PROTOCOL_MQ        BIT(0)
#define PROTOCOL_REPLY_ACK BIT(3)
#define WANTED             (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MQ))

struct region {
	uint64_t guest_phys_addr, memory_size, userspace_addr, mmap_offset;
};

struct memory_table {
	uint32_t count, padding;
	struct region regions[REGIONS_MAX];
};

struct message {
	uint32_t request, flags, size;
	union {
		uint64_t number;
		struct vhost_vring_state state;
		struct vhost_vring_addr address;
		struct memory_table memory;
	} body;
} __attribute__((packed));

enum { HEADER = offsetof(struct message, body) };

static bool fail(struct vhost_front *front, const char *reason)
{
	front->reason = reason;
	return false;
}

/* Sends a message of `size` bytes of body, with so many descriptors. */
static bool tell(struct vhost_front *front, struct message *message, uint32_t request, size_t size,
                 const int *fds, unsigned count)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int) * REGIONS_MAX)];
	} control = { 0 };
	struct iovec bytes = { message, HEADER + size };
	struct msghdr out = { .msg_iov = &bytes, .msg_iovlen = 1 };

	message->request = request;
	message->flags |= VERSION;
	message->size = (uint32_t)size;
	if (count) {
		out.msg_control = &control;
		out.msg_controllen = CMSG_SPACE(sizeof(int) * count);
		control.header.cmsg_len = CMSG_LEN(sizeof(int) * count);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), fds, sizeof(int) * count);
	}
	if (sendmsg(front->fd, &out, MSG_NOSIGNAL) == (ssize_t)(HEADER + size))
		return true;
	return fail(front, "it takes no messages");
}

/* The answer to a request, whose body is one number. */
static bool hear(struct vhost_front *front, uint32_t request, uint64_t *number)
{
	struct message answer = { 0 };
	size_t size = HEADER + sizeof(*number);

	if (recv(front->fd, &answer, size, MSG_WAITALL) != (ssize_t)size)
		return fail(front, "it does not answer");
	if (answer.request != request || !(answer.flags & IS_REPLY) || answer.size != sizeof(*number))
		return fail(front, "it answers otherwise than the protocol has it");
	*number = answer.body.number;
	return true;
}

static bool ask(struct vhost_front *front, uint32_t request, uint64_t *number)
{
	struct message question = { 0 };

	return tell(front, &question, request, 0, NULL, 0) && hear(front, request, number);
}

static bool tell_number(struct vhost_front *front, uint32_t request, uint64_t number)
{
	struct message message = { .body.number = number };

	return tell(front, &message, request, sizeof(number), NULL, 0);
}

static bool tell_state(struct vhost_front *front, uint32_t request, unsigned ring, unsigned number)
{
	struct message message = { .body.state = { ring, number } };

	return tell(front, &message, request, sizeof(message.body.state), NULL, 0);
}

struct regions {
	struct memory_table table;
	int fds[REGIONS_MAX];
};

static struct region *region_of(struct regions *r, int fd)
{
	unsigned i = 0;

	while (i < r->table.count && r->fds[i] != fd)
		i++;
	if (i == REGIONS_MAX)
		return NULL;
	if (i == r->table.count) {
		r->fds[r->table.count++] = fd;
		r->table.regions[i].userspace_addr = UINT64_MAX;
	}
	return &r->table.regions[i];
}

/* One file is one region, from its first page in use to its last: what lies between is never spoken of. */
static int add_segment(const struct rte_memseg_list *list, const struct rte_memseg *segment, void *regions)
{
	struct region *region;
	int fd = rte_memseg_get_fd_thread_unsafe(segment);
	uint64_t start = segment->addr_64, end = start + segment->len, last;
	size_t offset;

	if (list->external)
		return 0;
	if (fd < 0 || rte_memseg_get_fd_offset_thread_unsafe(segment, &offset) < 0)
		return -1;
	region = region_of(regions, fd);
	if (!region)
		return -1;
	last = region->userspace_addr == UINT64_MAX ? end : region->userspace_addr + region->memory_size;
	if (start < region->userspace_addr) {
		region->userspace_addr = region->guest_phys_addr = start;
		region->mmap_offset = offset;
	}
	region->memory_size = RTE_MAX(end, last) - region->userspace_addr;
	return 0;
}

bool vhost_front_memory(struct vhost_front *front)
{
	struct regions regions = { 0 };
	struct message message = { 0 };
	uint64_t refused = 0;

	if (rte_memseg_walk_thread_unsafe(add_segment, &regions) != 0)
		return fail(front, "this process's memory cannot be shared: it has no file, or too many");
	message.body.memory = regions.table;
	if (front->protocol & PROTOCOL_REPLY_ACK)
		message.flags = NEED_REPLY;
	if (!tell(front, &message, SET_MEM_TABLE,
	          offsetof(struct memory_table, regions) + regions.table.count * sizeof(struct region),
	          regions.fds, regions.table.count))
		return false;
	if ((front->protocol & PROTOCOL_REPLY_ACK) && !hear(front, SET_MEM_TABLE, &refused))
		return false;
	return refused ? fail(front, "it cannot map this process's memory") : true;
}

/* The event by which one end wakes the other; none: it polls. */
static bool tell_event(struct vhost_front *front, uint32_t request, unsigned ring, int fd)
{
	struct message message = { .body.number = ring | (fd < 0 ? NO_FD : 0) };

	return tell(front, &message, request, sizeof(message.body.number), &fd, fd < 0 ? 0 : 1);
}

static bool tell_queue(struct vhost_front *front, unsigned ring, const struct virtq *q)
{
	struct message message = { .body.address = { .index = ring,
		                                     .desc_user_addr = (uintptr_t)q->desc,
		                                     .used_user_addr = (uintptr_t)q->used,
		                                     .avail_user_addr = (uintptr_t)q->avail } };

	return tell_state(front, SET_VRING_NUM, ring, q->size) &&
	       tell_state(front, SET_VRING_BASE, ring, virtq_base(q)) &&
	       tell(front, &message, SET_VRING_ADDR, sizeof(message.body.address), NULL, 0) &&
	       tell_event(front, SET_VRING_KICK, ring, q->kick) &&
	       tell_event(front, SET_VRING_CALL, ring, -1);
}

static bool agree(struct vhost_front *front, uint64_t *pairs)
{
	uint64_t offered = 0, limit = 1;

	if (!ask(front, GET_FEATURES, &front->features))
		return false;
	if (!(front->features & BIT(VIRTIO_F_VERSION_1)))
		return fail(front, "it does not know virtio 1.0");
	if (!(front->features & BIT(VIRTIO_NET_F_MQ)))
		*pairs = 1;
	if (front->features & F_PROTOCOL) {
		if (!ask(front, GET_PROTOCOL_FEATURES, &offered))
			return false;
		front->protocol = offered & (PROTOCOL_MQ | PROTOCOL_REPLY_ACK);
		if (!tell_number(front, SET_PROTOCOL_FEATURES, front->protocol))
			return false;
	}
	if ((front->protocol & PROTOCOL_MQ) && !ask(front, GET_QUEUE_NUM, &limit))
		return false;
	*pairs = RTE_MIN(*pairs, limit);
	return *pairs ? true : fail(front, "it takes no queues");
}

static bool limit_waiting(int fd)
{
	struct timeval limit = { VHOST_ANSWER_MS / 1000, VHOST_ANSWER_MS % 1000 * 1000 };

	return setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0 &&
	       setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) == 0;
}

/* Said of the last one only, the answer comes when all was heard. */
bool vhost_front_pause(struct vhost_front *front, unsigned pairs)
{
	bool well = front->features & F_PROTOCOL;
	uint64_t refused = 0;

	for (unsigned i = 0; well && i < pairs; i++) {
		struct message message = { .body.state = { 2 * i, 0 } };

		if (i + 1 == pairs && (front->protocol & PROTOCOL_REPLY_ACK))
			message.flags = NEED_REPLY;
		well = tell(front, &message, SET_VRING_ENABLE, sizeof(message.body.state), NULL, 0);
	}
	if (well && (front->protocol & PROTOCOL_REPLY_ACK))
		well = hear(front, SET_VRING_ENABLE, &refused);
	return well && !refused;
}

/* Where it has come to is asked for what it does when it is asked: it stops. */
bool vhost_front_stop(struct vhost_front *front, unsigned pairs)
{
	uint64_t where;

	for (unsigned ring = 0; ring < 2 * pairs; ring++)
		if (!tell_state(front, GET_VRING_BASE, ring, 0) || !hear(front, GET_VRING_BASE, &where))
			return false;
	return true;
}

unsigned vhost_front_start(struct vhost_front *front, int fd, struct virtq *rx, struct virtq *tx,
                           unsigned pairs)
{
	uint64_t agreed = pairs, features;
	struct message owner = { 0 };
	bool well;

	*front = (struct vhost_front){ .fd = fd };
	if (!limit_waiting(fd) || !agree(front, &agreed))
		return 0;
	features = front->features & (F_PROTOCOL | (agreed > 1 ? WANTED : BIT(VIRTIO_F_VERSION_1)));
	well = tell(front, &owner, SET_OWNER, 0, NULL, 0) && tell_number(front, SET_FEATURES, features) &&
	       vhost_front_memory(front);
	for (unsigned i = 0; well && i < agreed; i++)
		well = tell_queue(front, 2 * i, &rx[i]) && tell_queue(front, 2 * i + 1, &tx[i]);
	for (unsigned ring = 0; well && ring < 2 * agreed && (front->features & F_PROTOCOL); ring++)
		well = tell_state(front, SET_VRING_ENABLE, ring, 1);
	return well ? (unsigned)agreed : 0;
}
