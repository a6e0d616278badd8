/* SPDX-License-Identifier: BSD-3-Clause */
/* The conversation of memif: messages, and the server's part. The port's thread. */
#include "port/memif_talk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "port/memif_private.h"

bool memif_fail(struct memif_peer *p, const char *reason)
{
	p->reason = reason;
	return false;
}

/* --- messages --- */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void memif_begin(struct memif_peer *p)
{
	p->until = now_ms() + MEMIF_TALK_MS;
}

bool memif_tell(struct memif_peer *p, struct memif_message *message, int fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec bytes = { message, sizeof(*message) };
	struct msghdr out = { .msg_iov = &bytes, .msg_iovlen = 1 };

	if (fd >= 0) {
		out.msg_control = &control;
		out.msg_controllen = sizeof(control.room);
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	return sendmsg(p->fd, &out, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)sizeof(*message) ||
	       memif_fail(p, "it takes no messages");
}

/* Of several descriptors one is taken, and none is left open. */
static int descriptor(struct msghdr *in)
{
	int found = -1;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(in); c; c = CMSG_NXTHDR(in, c)) {
		size_t bytes = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t at = 0; at + sizeof(int) <= bytes; at += sizeof(int)) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + at, sizeof(fd));
			if (found >= 0)
				close(found);
			found = fd;
		}
	}
	return found;
}

/* Waits until it says something, or is gone. */
static bool await_word(struct memif_peer *p)
{
	struct pollfd fds[] = { { .fd = p->fd, .events = POLLIN }, { .fd = p->stop, .events = POLLIN } };
	int ready;

	do
		ready = poll(fds, 2, MEMIF_ANSWER_MS);
	while (ready < 0 && errno == EINTR);
	if (ready <= 0)
		return memif_fail(p, "it does not answer");
	return !fds[1].revents || memif_fail(p, "this process leaves");
}

bool memif_listen(struct memif_peer *p, struct memif_message *message, int *fd)
{
	union {
		struct cmsghdr header;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct iovec bytes = { message, sizeof(*message) };
	struct msghdr in = {
		.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
	};
	ssize_t got;

	*fd = -1;
	if (now_ms() > p->until)
		return memif_fail(p, "it comes to no end");
	if (!await_word(p))
		return false;
	got = recvmsg(p->fd, &in, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	*fd = got >= 0 ? descriptor(&in) : -1;
	if (got == (ssize_t)sizeof(*message) && message->type != MEMIF_DISCONNECT)
		return true;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	if (got == 0)
		return memif_fail(p, "it closed the connection");
	return memif_fail(p, got < 0                            ? "it does not answer"
	                     : got == (ssize_t)sizeof(*message) ? "it refused us"
	                                                        : "it does not speak memif");
}

void memif_farewell(struct memif_peer *p)
{
	struct memif_message message = { .type = MEMIF_DISCONNECT };

	snprintf((char *)message.disconnect.text, sizeof(message.disconnect.text), "%s",
	         p->reason ? p->reason : "");
	memif_tell(p, &message, -1);
}

static void forget_queue(struct memif_queue *q)
{
	if (q->event >= 0)
		close(q->event);
}

void memif_forget(struct memif_peer *p)
{
	for (unsigned i = 0; i < p->rx_count; i++)
		forget_queue(&p->rx[i]);
	for (unsigned i = 0; i < p->tx_count; i++)
		forget_queue(&p->tx[i]);
	for (unsigned i = 0; i < p->region_count; i++) {
		munmap(p->regions[i].base, p->regions[i].size);
		close(p->regions[i].fd);
	}
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	p->region_count = p->rx_count = p->tx_count = 0;
	p->introduced = p->connected = false;
}

/* --- the server's part --- */

static bool hear_init(struct memif_peer *p, const struct memif_init *init)
{
	if (p->introduced)
		return memif_fail(p, "it introduced itself twice");
	if (init->version != MEMIF_VERSION)
		return memif_fail(p, "it speaks another version than 2.0");
	if (init->id != p->id)
		return memif_fail(p, "it asks for another interface id");
	if (init->mode != MEMIF_MODE_ETHERNET)
		return memif_fail(p, "it wants another mode than Ethernet");
	p->introduced = true;
	return true;
}

static uint64_t mapped(const struct memif_peer *p)
{
	uint64_t bytes = 0;

	for (unsigned i = 0; i < p->region_count; i++)
		bytes += p->regions[i].size;
	return bytes;
}

/* A file that shrank under us would end the process at the next look: only one that cannot is taken. */
bool memif_map(struct memif_peer *p, uint64_t size, int fd)
{
	struct stat file;
	int seals = fd >= 0 ? fcntl(fd, F_GET_SEALS) : -1, own;
	void *base;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &file) < 0)
		return memif_fail(p, "its memory is not sealed against shrinking");
	if (!size || size > (uint64_t)file.st_size ||
	    size > ((uint64_t)MEMIF_MEMORY_MAX_MB << 20) - mapped(p))
		return memif_fail(p, "its memory is larger than its file, or too large");
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	own = base == MAP_FAILED ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (own < 0) {
		if (base != MAP_FAILED)
			munmap(base, size);
		return memif_fail(p, "its memory cannot be mapped");
	}
	p->regions[p->region_count++] = (struct memif_region){ base, size, own };
	return true;
}

static bool hear_region(struct memif_peer *p, const struct memif_add_region *region, int fd)
{
	if (region->index != p->region_count || p->region_count == MEMIF_REGIONS_MAX)
		return memif_fail(p, "its regions are too many, or out of order");
	return memif_map(p, region->size, fd);
}

/* False: it is not an event descriptor. What else could be there might keep whoever writes to it. */
static bool is_event(int fd)
{
	static const char kind[] = "anon_inode:[eventfd]";
	char path[32], target[sizeof(kind) + 8] = "";

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return fd >= 0 && readlink(path, target, sizeof(target) - 1) > 0 && strcmp(target, kind) == 0;
}

/* What is wrong with a ring that is told of; NULL: nothing. */
static const char *wrong_with(const struct memif_peer *p, const struct memif_add_ring *ring, uint16_t index)
{
	if (ring->index != index || index == PORT_QUEUES_MAX)
		return "its rings are too many, or out of order";
	if (ring->log2_size > MEMIF_LOG2_MAX || ring->private_size)
		return "its rings have a size that is not supported";
	if (ring->region >= p->region_count || ring->offset % sizeof(uint64_t) ||
	    (uint64_t)ring->offset + memif_ring_bytes(ring->log2_size) > p->regions[ring->region].size)
		return "its rings lie outside its memory";
	return NULL;
}

uint32_t memif_ring_bytes(unsigned log2_size)
{
	return (uint32_t)(sizeof(struct memif_ring) + (sizeof(struct memif_desc) << log2_size));
}

struct memif_queue *memif_add_queue(struct memif_peer *p, const struct memif_add_ring *ring, int event)
{
	bool reading = !(ring->flags & MEMIF_RING_FROM_CLIENT) != p->server;
	uint16_t *count = reading ? &p->rx_count : &p->tx_count;
	struct memif_queue *q = (reading ? p->rx : p->tx) + *count;
	int own = -1;

	p->reason = wrong_with(p, ring, *count);
	if (!p->reason && (!is_event(event) || (own = fcntl(event, F_DUPFD_CLOEXEC, 0)) < 0))
		p->reason = "its rings have no event descriptor";
	if (p->reason)
		return NULL;
	memset(q, 0, sizeof(*q));
	q->ring = (struct memif_ring *)(p->regions[ring->region].base + ring->offset);
	q->regions = p->regions;
	q->region_count = p->region_count;
	q->size = (uint16_t)(1 << ring->log2_size);
	q->server = p->server;
	q->event = own;
	(*count)++;
	return q;
}

/* The last word about memory and rings: what lies in them is looked at from now on. */
static bool begin(struct memif_queue *q, unsigned count, uint16_t regions, bool reading)
{
	for (unsigned i = 0; i < count; i++) {
		if (__atomic_load_n(&q[i].ring->cookie, __ATOMIC_RELAXED) != MEMIF_COOKIE)
			return false;
		q[i].region_count = regions;
		q[i].next = __atomic_load_n(&q[i].ring->tail, __ATOMIC_RELAXED);
		if (reading)
			__atomic_store_n(&q[i].ring->flags, MEMIF_RING_NO_INTERRUPT, __ATOMIC_RELAXED);
	}
	return true;
}

static bool hear_connect(struct memif_peer *p)
{
	if (p->rx_count == 0 || p->tx_count < p->senders)
		return memif_fail(p, "it has fewer queues: give this port queues=N, with as many as it has");
	if (!begin(p->rx, p->rx_count, p->region_count, true) ||
	    !begin(p->tx, p->tx_count, p->region_count, false))
		return memif_fail(p, "its rings are not initialised");
	p->connected = true;
	return true;
}

static bool hear(struct memif_peer *p, const struct memif_message *message, int fd)
{
	if (message->type == MEMIF_INIT)
		return hear_init(p, &message->init);
	if (!p->introduced || p->connected)
		return memif_fail(p, "it speaks out of turn");
	switch ((enum memif_type)message->type) {
	case MEMIF_ADD_REGION:
		return hear_region(p, &message->region, fd);
	case MEMIF_ADD_RING:
		return memif_add_queue(p, &message->ring, fd) != NULL;
	case MEMIF_CONNECT:
		return hear_connect(p);
	default:
		return memif_fail(p, "it says what the protocol does not have");
	}
}

bool memif_hear(struct memif_peer *p, const struct memif_message *message, int fd,
                struct memif_message *answer)
{
	bool well = hear(p, message, fd);

	if (fd >= 0)
		close(fd);
	*answer = (struct memif_message){ .type = p->connected ? MEMIF_CONNECTED : MEMIF_ACK };
	return well;
}

static void greet(const struct memif_peer *p, const char *name, struct memif_message *message)
{
	*message = (struct memif_message){ .type = MEMIF_HELLO,
		                           .hello = { .min_version = MEMIF_VERSION,
		                                      .max_version = MEMIF_VERSION,
		                                      .max_region = MEMIF_REGIONS_MAX - 1,
		                                      .max_from_server = (uint16_t)(p->tx_wanted - 1),
		                                      .max_from_client = PORT_QUEUES_MAX - 1,
		                                      .max_log2_size = MEMIF_LOG2_MAX } };
	snprintf((char *)message->hello.name, MEMIF_NAME, "%s", name);
}

bool memif_serve(struct memif_peer *p, const char *name)
{
	struct memif_message message, answer;
	int fd;

	greet(p, name, &answer);
	memif_begin(p);
	if (!memif_tell(p, &answer, -1))
		return false;
	while (!p->connected) {
		if (!memif_listen(p, &message, &fd) || !memif_hear(p, &message, fd, &answer))
			return false;
		if (p->connected)
			snprintf((char *)answer.name, MEMIF_NAME, "%s", name);
		if (!memif_tell(p, &answer, -1))
			return false;
	}
	return true;
}
