/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings of memif. The worker whose queue it is. */
#include "port/memif_queue.h"

#include <string.h>

#include <rte_mbuf.h>

/* A descriptor as it was read, once. */
struct part {
	uint8_t *bytes;
	uint32_t length;
	bool more;
};

static struct memif_desc *desc_at(struct memif_queue *q, uint16_t slot)
{
	return &q->ring->desc[slot & (q->size - 1)];
}

static uint32_t offset_of(const struct memif_queue *q, uint16_t slot)
{
	return q->buffers + (uint32_t)(slot & (q->size - 1)) * q->buffer_size;
}

/* The buffer of a slot. Where we are the server the client says where it lies; where we are the client we know, whatever is written there. */
static bool part_at(struct memif_queue *q, uint16_t slot, struct part *part)
{
	struct memif_desc *d = desc_at(q, slot);
	uint16_t region = __atomic_load_n(&d->region, __ATOMIC_RELAXED);
	uint32_t offset = __atomic_load_n(&d->offset, __ATOMIC_RELAXED);

	part->length = __atomic_load_n(&d->length, __ATOMIC_RELAXED);
	part->more = __atomic_load_n(&d->flags, __ATOMIC_RELAXED) & MEMIF_DESC_NEXT;
	if (!q->server) {
		part->bytes = q->regions[0].base + offset_of(q, slot);
		return part->length <= q->buffer_size;
	}
	if (region >= q->region_count || (uint64_t)offset + part->length > q->regions[region].size)
		return false;
	part->bytes = q->regions[region].base + offset;
	return true;
}

static uint16_t peers_word(const struct memif_queue *q)
{
	return __atomic_load_n(q->server ? &q->ring->head : &q->ring->tail, __ATOMIC_ACQUIRE);
}

static void publish(struct memif_queue *q, uint16_t word)
{
	__atomic_store_n(q->server ? &q->ring->tail : &q->ring->head, word, __ATOMIC_RELEASE);
}

/* Slots that hold packets; the peer cannot have filled more than it was given. */
static uint16_t filled(struct memif_queue *q)
{
	uint16_t count = (uint16_t)(peers_word(q) - q->next);
	uint16_t most = q->server ? q->size : (uint16_t)(q->given - q->next);

	if (unlikely(count > most)) {
		q->broken = true;
		return 0;
	}
	return count;
}

/* How many slots the packet has that begins at the next one, and its length; 0: not all of it is there yet, or it is wrong. */
static uint16_t measure(struct memif_queue *q, uint16_t count, struct part *first, uint64_t *length)
{
	uint16_t n = 0;

	*length = 0;
	for (bool more = true; more; n++) {
		struct part part;

		if (n == count) {
			q->broken = count == q->size;
			return 0;
		}
		if (unlikely(!part_at(q, (uint16_t)(q->next + n), &part))) {
			q->broken = true;
			return 0;
		}
		if (n == 0)
			*first = part;
		*length += part.length;
		more = part.more;
	}
	return n;
}

/* Copies what measure() found: by then the peer may have written other lengths, which are not believed either. */
static void gather(struct memif_queue *q, uint16_t count, struct rte_mbuf *m, uint32_t length)
{
	uint8_t *to = rte_pktmbuf_mtod(m, uint8_t *);
	uint32_t left = length;

	for (uint16_t i = 0; i < count && left; i++) {
		struct part part;
		uint32_t bytes;

		if (!part_at(q, (uint16_t)(q->next + i), &part)) {
			q->broken = true;
			break;
		}
		bytes = RTE_MIN(part.length, left);
		memcpy(to, part.bytes, bytes);
		to += bytes;
		left -= bytes;
	}
	m->pkt_len = length - left;
	m->data_len = (uint16_t)m->pkt_len;
}

static bool take(struct memif_queue *q, struct port *port, struct rte_mbuf *m, uint16_t *count)
{
	struct part first;
	uint64_t length;
	uint16_t slots = measure(q, *count, &first, &length);
	bool fits = length <= rte_pktmbuf_tailroom(m);

	if (!slots) {
		*count = 0;
		return false;
	}
	if (!fits) {
		port_count_oversize(port);
	} else if (likely(slots == 1)) {
		memcpy(rte_pktmbuf_mtod(m, void *), first.bytes, length);
		m->data_len = (uint16_t)length;
		m->pkt_len = (uint32_t)length;
	} else {
		gather(q, slots, m, (uint32_t)length);
	}
	q->next = (uint16_t)(q->next + slots);
	*count = (uint16_t)(*count - slots);
	return fits;
}

void memif_offer(struct memif_queue *q)
{
	while ((uint16_t)(q->given - q->next) < q->size) {
		struct memif_desc *d = desc_at(q, q->given);

		*d = (struct memif_desc){ .length = q->buffer_size, .offset = offset_of(q, q->given) };
		q->given++;
	}
	publish(q, q->given);
}

static void give_back(struct memif_queue *q)
{
	if (q->server)
		publish(q, q->next);
	else
		memif_offer(q);
}

uint16_t memif_receive(struct memif_queue *q, struct port *port, struct rte_mbuf **m, uint16_t n)
{
	uint16_t count = filled(q), got = 0, was = q->next;

	while (got < n && count) {
		m[got] = rte_pktmbuf_alloc(port->pool);
		if (unlikely(!m[got]))
			break;
		if (likely(take(q, port, m[got], &count)))
			got++;
		else
			rte_pktmbuf_free(m[got]);
	}
	if (q->next != was && !q->broken)
		give_back(q);
	return got;
}

/* Slots that may be written. */
static uint16_t room(struct memif_queue *q)
{
	uint16_t difference =
	        q->server ? (uint16_t)(peers_word(q) - q->next) : (uint16_t)(q->next - peers_word(q));

	if (unlikely(difference > q->size)) {
		q->broken = true;
		return 0;
	}
	return q->server ? difference : (uint16_t)(q->size - difference);
}

/* The reader says how far it is by the word that it writes: a client that reads has given back all buffers but those that it has not. */
bool memif_all_taken(const struct memif_queue *q)
{
	uint16_t away = (uint16_t)(q->server ? peers_word(q) - q->next : q->next - peers_word(q));

	return away == (q->server ? q->size : 0) || q->broken;
}

/* The room of a slot's buffer: the server's is what the client says, ours what we know. */
static bool buffer_at(struct memif_queue *q, uint16_t slot, struct part *part)
{
	if (!q->server) {
		part->bytes = q->regions[0].base + offset_of(q, slot);
		part->length = q->buffer_size;
		return true;
	}
	if (part_at(q, slot, part) && part->length)
		return true;
	q->broken = true;
	return false;
}

static void finish(struct memif_queue *q, uint16_t slot, uint32_t length, bool more)
{
	struct memif_desc *d = desc_at(q, slot);

	__atomic_store_n(&d->length, length, __ATOMIC_RELAXED);
	__atomic_store_n(&d->flags, more ? MEMIF_DESC_NEXT : 0, __ATOMIC_RELAXED);
	if (!q->server) {
		__atomic_store_n(&d->region, 0, __ATOMIC_RELAXED);
		__atomic_store_n(&d->offset, offset_of(q, slot), __ATOMIC_RELAXED);
	}
}

static void copy_out(const struct rte_mbuf *m, uint32_t at, uint32_t bytes, uint8_t *to)
{
	const void *from = rte_pktmbuf_read(m, at, bytes, to);

	if (from != to)
		memcpy(to, from, bytes);
}

/* Slots that the packet took of `slots`; 0: there is not enough room. */
static uint16_t put(struct memif_queue *q, const struct rte_mbuf *m, uint16_t slots)
{
	uint32_t length = rte_pktmbuf_pkt_len(m), at = 0;
	uint16_t used = 0;

	do {
		struct part part;
		uint32_t bytes;

		if (used == slots || !buffer_at(q, (uint16_t)(q->next + used), &part))
			return 0;
		bytes = RTE_MIN(part.length, length - at);
		copy_out(m, at, bytes, part.bytes);
		at += bytes;
		finish(q, (uint16_t)(q->next + used), bytes, at < length);
		used++;
	} while (at < length);
	return used;
}

uint16_t memif_send(struct memif_queue *q, struct port *port, struct rte_mbuf **m, uint16_t n)
{
	uint16_t slots = room(q), sent = 0, was = q->next;

	for (; sent < n && slots; sent++) {
		uint16_t used = put(q, m[sent], slots);

		if (!used && slots == q->size && !q->broken)
			port_count_oversize(port); /* it would not fit an empty ring either */
		else if (!used)
			break;
		q->next = (uint16_t)(q->next + used);
		slots = (uint16_t)(slots - used);
	}
	if (q->next == was || q->broken)
		return q->broken ? 0 : sent;
	publish(q, q->next);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!(__atomic_load_n(&q->ring->flags, __ATOMIC_RELAXED) & MEMIF_RING_NO_INTERRUPT))
		atomic_store_explicit(&q->kick, true, memory_order_release);
	return sent;
}
