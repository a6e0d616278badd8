/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A conversation of memif on its way from process to process: the connected socket, the memory, the events, and where in its rings this
 * end is. Packets are copied into and out of the shared memory, so that none of them lies in the memory of the process that leaves. The port's thread has
 * ended, or has not begun.
 */
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "port/memif_private.h"

/* What is said: descriptors are the conversation's, those of regions, and the events of queues; values are these, the regions' sizes, and QUEUE_WORDS a queue. Queues
 * that we read come first. */
enum { SERVER, REGIONS, RX, TX, SENDERS, BUFFER, HEAD_WORDS };
enum { QUEUE_REGION, QUEUE_OFFSET, QUEUE_AT, QUEUE_WORDS };
enum { AT_GIVEN = 16, QUEUE_LOG2 = 16 };

_Static_assert(1 + MEMIF_REGIONS_MAX + 2 * PORT_QUEUES_MAX < BEQUEST_FDS,
               "descriptors of a conversation and of who listens");
_Static_assert(HEAD_WORDS + MEMIF_REGIONS_MAX + 2 * PORT_QUEUES_MAX * QUEUE_WORDS <= BEQUEST_VALUES,
               "what is said of it");

/* --- the predecessor --- */

static uint16_t region_of(const struct memif_peer *p, const struct memif_queue *q)
{
	uint16_t region = 0;

	while (region + 1 < p->region_count &&
	       ((uint8_t *)q->ring < p->regions[region].base ||
	        (uint8_t *)q->ring >= p->regions[region].base + p->regions[region].size))
		region++;
	return region;
}

static uint32_t *say_queue(const struct memif_peer *p, const struct memif_queue *q, struct port_bequest *b,
                           uint32_t *word)
{
	uint16_t region = region_of(p, q);

	word[QUEUE_REGION] = region | (uint32_t)__builtin_ctz(q->size) << QUEUE_LOG2;
	word[QUEUE_OFFSET] = (uint32_t)((uint8_t *)q->ring - p->regions[region].base);
	word[QUEUE_AT] = q->next | (uint32_t)q->given << AT_GIVEN;
	b->fds[b->count++] = q->event;
	return word + QUEUE_WORDS;
}

void memif_bequeath(const struct memif_peer *p, struct port_bequest *b)
{
	uint32_t *word = b->value + HEAD_WORDS;

	b->value[SERVER] = p->server;
	b->value[REGIONS] = p->region_count;
	b->value[RX] = p->rx_count;
	b->value[TX] = p->tx_count;
	b->value[SENDERS] = p->senders;
	b->value[BUFFER] = p->buffer_size;
	b->fds[b->count++] = p->fd;
	for (unsigned i = 0; i < p->region_count; i++) {
		b->fds[b->count++] = p->regions[i].fd;
		*word++ = (uint32_t)p->regions[i].size;
	}
	for (unsigned i = 0; i < p->rx_count; i++)
		word = say_queue(p, &p->rx[i], b, word);
	for (unsigned i = 0; i < p->tx_count; i++)
		word = say_queue(p, &p->tx[i], b, word);
}

/* --- the successor --- */

static bool is_conversation(int fd)
{
	int domain = 0, type = 0;
	socklen_t length = sizeof(int);

	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) == 0 && domain == AF_UNIX &&
	       getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) == 0 && type == SOCK_SEQPACKET;
}

/* Whether there is as much of it as it says. */
static bool is_whole(const struct memif_peer *p, const struct port_bequest *b)
{
	const uint32_t *said = b->value;

	return said[SERVER] == p->server && said[REGIONS] >= 1 &&
	       said[REGIONS] <= (p->server ? MEMIF_REGIONS_MAX : 1) && said[RX] >= 1 &&
	       said[RX] <= PORT_QUEUES_MAX && said[TX] >= 1 && said[TX] <= PORT_QUEUES_MAX &&
	       b->count >= 1 + said[REGIONS] + said[RX] + said[TX];
}

/* Where we are the client we must know where our buffers are; they are the rings' neighbours. */
static bool find_buffers(struct memif_peer *p, struct memif_queue *q, uint32_t buffer, unsigned number,
                         unsigned all)
{
	uint64_t at;

	q->buffer_size = buffer;
	at = memif_buffers_at(q, number, all);
	q->buffers = (uint32_t)at;
	return at + (uint64_t)q->size * buffer <= p->regions[0].size;
}

static bool hear_queue(struct memif_peer *p, const uint32_t *word, int event, bool reading)
{
	bool from_client = reading == p->server;
	struct memif_add_ring ring = { .flags = from_client ? MEMIF_RING_FROM_CLIENT : 0,
		                       .index = reading ? p->rx_count : p->tx_count,
		                       .region = (uint16_t)word[QUEUE_REGION],
		                       .offset = word[QUEUE_OFFSET],
		                       .log2_size = (uint8_t)(word[QUEUE_REGION] >> QUEUE_LOG2) };
	struct memif_queue *q = memif_add_queue(p, &ring, event);

	if (!q)
		return false;
	q->next = (uint16_t)word[QUEUE_AT];
	q->given = (uint16_t)(word[QUEUE_AT] >> AT_GIVEN);
	/* A reader may sleep whom our predecessor was about to wake. */
	atomic_store(&q->kick, !reading && !(__atomic_load_n(&q->ring->flags, __ATOMIC_RELAXED) &
	                                     MEMIF_RING_NO_INTERRUPT));
	return p->server || !reading || (uint16_t)(q->given - q->next) <= q->size ||
	       memif_fail(p, "more was given than there is");
}

static bool hear_queues(struct memif_peer *p, const struct port_bequest *b)
{
	unsigned rx = b->value[RX], all = rx + b->value[TX], regions = b->value[REGIONS];
	const uint32_t *word = b->value + HEAD_WORDS + regions;
	bool well = true;

	for (unsigned i = 0; well && i < all; i++, word += QUEUE_WORDS)
		well = hear_queue(p, word, b->fds[1 + regions + i], i < rx);
	/* In the memory, those that we write come first. */
	for (unsigned i = 0; well && !p->server && i < all; i++)
		well = find_buffers(p, i < rx ? &p->rx[i] : &p->tx[i - rx], b->value[BUFFER],
		                    i < rx ? all - rx + i : i - rx, all) ||
		       memif_fail(p, "its buffers lie outside its memory");
	return well;
}

static bool hear_all(struct memif_peer *p, const struct port_bequest *b)
{
	if (!is_whole(p, b) || !is_conversation(b->fds[0]))
		return memif_fail(p, "it is no conversation of this role");
	for (unsigned i = 0; i < b->value[REGIONS]; i++)
		if (!memif_map(p, b->value[HEAD_WORDS + i], b->fds[1 + i]))
			return false;
	return hear_queues(p, b);
}

bool memif_inherit(struct memif_peer *p, const struct port_bequest *b)
{
	bool well = hear_all(p, b);

	p->fd = well ? fcntl(b->fds[0], F_DUPFD_CLOEXEC, 0) : -1;
	if (well && p->fd < 0)
		well = memif_fail(p, "no descriptors are left here");
	if (!well) {
		memif_forget(p);
		return false;
	}
	p->senders = (uint16_t)b->value[SENDERS];
	p->introduced = p->connected = true;
	return true;
}
