/* SPDX-License-Identifier: BSD-3-Clause */
/* The client's part of a memif's conversation: it makes memory and rings anew for each server and tells of them. The port's thread. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port/memif_private.h"

/* Waits for a message of this type. */
static bool await(struct memif_peer *p, enum memif_type type, struct memif_message *message)
{
	int fd;

	if (!memif_listen(p, message, &fd))
		return false;
	if (fd >= 0)
		close(fd);
	return message->type == type || memif_fail(p, "it answers otherwise than the protocol has it");
}

static bool tell_and_await(struct memif_peer *p, struct memif_message *message, int fd, enum memif_type type)
{
	struct memif_message answer;

	return memif_tell(p, message, fd) && await(p, type, &answer);
}

/* All rings come first in the one region, then their buffers, in the same order. */
uint64_t memif_buffers_at(const struct memif_queue *q, unsigned number, unsigned all)
{
	uint64_t ring = memif_ring_bytes((unsigned)__builtin_ctz(q->size));

	return all * ring + (uint64_t)number * q->size * q->buffer_size;
}

static bool make_queue(struct memif_peer *p, struct memif_queue *q, unsigned number)
{
	memset(q, 0, sizeof(*q));
	q->regions = p->regions;
	q->region_count = 1;
	q->size = (uint16_t)(1 << p->log2_size);
	q->buffer_size = p->buffer_size;
	q->buffers = (uint32_t)memif_buffers_at(q, number, p->rx_wanted + p->tx_wanted);
	q->ring = (struct memif_ring *)(p->regions[0].base + number * memif_ring_bytes(p->log2_size));
	q->ring->cookie = MEMIF_COOKIE;
	q->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return q->event >= 0;
}

/* Makes region 0. */
static bool make_memory(struct memif_peer *p)
{
	uint64_t ring = memif_ring_bytes(p->log2_size) + ((uint64_t)p->buffer_size << p->log2_size);
	uint64_t size = ring * (p->rx_wanted + p->tx_wanted);
	int fd = memfd_create("memif", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *base = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, (off_t)size) == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
		base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (base == MAP_FAILED) {
		if (fd >= 0)
			close(fd);
		return memif_fail(p, "not enough memory for its rings here");
	}
	p->regions[0] = (struct memif_region){ base, size, fd };
	p->region_count = 1;
	return true;
}

static bool make_queues(struct memif_peer *p)
{
	for (; p->tx_count < p->tx_wanted; p->tx_count++)
		if (!make_queue(p, &p->tx[p->tx_count], p->tx_count))
			return memif_fail(p, "no event descriptors are left here");
	for (; p->rx_count < p->rx_wanted; p->rx_count++) {
		struct memif_queue *q = &p->rx[p->rx_count];

		if (!make_queue(p, q, p->tx_wanted + p->rx_count))
			return memif_fail(p, "no event descriptors are left here");
		q->ring->flags = MEMIF_RING_NO_INTERRUPT;
	}
	return true;
}

static bool tell_memory(struct memif_peer *p)
{
	struct memif_message message = { .type = MEMIF_ADD_REGION };

	if (!make_memory(p) || !make_queues(p))
		return false;
	message.region.size = p->regions[0].size;
	return tell_and_await(p, &message, p->regions[0].fd, MEMIF_ACK);
}

static bool tell_queue(struct memif_peer *p, const struct memif_queue *q, uint16_t index, uint16_t flags)
{
	struct memif_message message = { .type = MEMIF_ADD_RING };

	message.ring = (struct memif_add_ring){ .flags = flags,
		                                .index = index,
		                                .offset = (uint32_t)((uint8_t *)q->ring - p->regions[0].base),
		                                .log2_size = p->log2_size };
	return tell_and_await(p, &message, q->event, MEMIF_ACK);
}

static bool tell_queues(struct memif_peer *p)
{
	bool well = true;

	for (uint16_t i = 0; well && i < p->tx_count; i++)
		well = tell_queue(p, &p->tx[i], i, MEMIF_RING_FROM_CLIENT);
	for (uint16_t i = 0; well && i < p->rx_count; i++)
		well = tell_queue(p, &p->rx[i], i, 0);
	return well;
}

static bool agree(struct memif_peer *p)
{
	struct memif_message message;

	if (!await(p, MEMIF_HELLO, &message))
		return false;
	if (message.hello.min_version > MEMIF_VERSION || message.hello.max_version < MEMIF_VERSION)
		return memif_fail(p, "it speaks another version than 2.0");
	if (message.hello.max_from_client + 1 < p->tx_wanted ||
	    message.hello.max_from_server + 1 < p->rx_wanted)
		return memif_fail(p, "it has fewer queues: give this port queues=N, with as many as it has");
	p->log2_size = RTE_MIN(p->log2_wanted, message.hello.max_log2_size);
	return true;
}

bool memif_introduce(struct memif_peer *p, const char *name)
{
	struct memif_message init = { .type = MEMIF_INIT, .init = { .version = MEMIF_VERSION, .id = p->id } };
	struct memif_message connect = { .type = MEMIF_CONNECT };

	snprintf((char *)init.init.name, MEMIF_NAME, "%s", name);
	snprintf((char *)connect.name, MEMIF_NAME, "%s", name);
	memif_begin(p);
	p->connected = agree(p) && tell_and_await(p, &init, -1, MEMIF_ACK) && tell_memory(p) &&
	               tell_queues(p) && tell_and_await(p, &connect, -1, MEMIF_CONNECTED);
	/* Not before: a server may begin with rings that it has cleared. */
	for (unsigned i = 0; p->connected && i < p->rx_count; i++)
		memif_offer(&p->rx[i]);
	return p->connected;
}
