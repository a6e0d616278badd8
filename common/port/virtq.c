/* SPDX-License-Identifier: BSD-3-Clause */
/* Split virtqueue of mbufs. The thread that owns the queue. */
#include "port/virtq.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_malloc.h>
#include <rte_prefetch.h>

enum { BURST = 64, AHEAD = 4 };

bool virtq_make(struct virtq *q, uint16_t size)
{
	size_t avail = sizeof(struct vring_desc) * size;
	size_t used = RTE_ALIGN_CEIL(avail + sizeof(struct vring_avail) + 2u * (size + 1u), VIRTQ_ALIGN);
	uint8_t *memory = rte_zmalloc("virtq", used + sizeof(struct vring_used) + 8u * size + 2, VIRTQ_ALIGN);

	memset(q, 0, sizeof(*q));
	q->size = size;
	q->kick = -1;
	q->desc = (struct vring_desc *)memory;
	q->free = calloc(size, sizeof(*q->free));
	q->mbuf = calloc(size, sizeof(*q->mbuf));
	if (!memory || !q->free || !q->mbuf) {
		virtq_free(q);
		return false;
	}
	q->avail = (struct vring_avail *)(memory + avail);
	q->used = (struct vring_used *)(memory + used);
	virtq_reset(q);
	return true;
}

void virtq_free(struct virtq *q)
{
	for (unsigned i = 0; q->mbuf && i < q->size; i++)
		rte_pktmbuf_free(q->mbuf[i]);
	rte_free(q->desc);
	free(q->free);
	free(q->mbuf);
	memset(q, 0, sizeof(*q));
	q->kick = -1;
}

void virtq_reset(struct virtq *q)
{
	for (uint16_t i = 0; i < q->size; i++) {
		rte_pktmbuf_free(q->mbuf[i]);
		q->mbuf[i] = NULL;
		q->free[i] = (uint16_t)(q->size - 1 - i);
	}
	memset(q->desc, 0, sizeof(*q->desc) * q->size);
	q->free_count = q->size;
	q->available = q->seen = 0;
	q->avail->flags = VRING_AVAIL_F_NO_INTERRUPT; /* we poll */
	q->avail->idx = 0;
	q->used->flags = 0;
	q->used->idx = 0;
	q->broken = false;
}

bool virtq_all_used(const struct virtq *q)
{
	return virtq_base(q) == __atomic_load_n(&q->avail->idx, __ATOMIC_ACQUIRE);
}

bool virtq_all_taken(const struct virtq *q)
{
	return virtq_base(q) == __atomic_load_n(&q->seen, __ATOMIC_ACQUIRE);
}

/* Puts an mbuf into a free descriptor; publish() makes it known. */
static void offer(struct virtq *q, struct rte_mbuf *m, uint32_t length, uint16_t flags)
{
	uint16_t id = q->free[--q->free_count];

	q->mbuf[id] = m;
	q->desc[id].addr = (uint64_t)(uintptr_t)(rte_pktmbuf_mtod(m, uint8_t *) - VIRTQ_HEADER);
	q->desc[id].len = length + VIRTQ_HEADER;
	q->desc[id].flags = flags;
	q->avail->ring[q->available++ & (q->size - 1)] = id;
}

/* A peer that sleeps asks to be woken; one that polls says so, and no system call is made. */
static void publish(struct virtq *q)
{
	uint64_t one = 1;

	__atomic_store_n(&q->avail->idx, q->available, __ATOMIC_RELEASE);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (unlikely(!(__atomic_load_n(&q->used->flags, __ATOMIC_RELAXED) & VRING_USED_F_NO_NOTIFY)) &&
	    q->kick >= 0)
		(void)!write(q->kick, &one, sizeof(one));
}

/* How many buffers the peer has given back. */
static uint16_t returned(struct virtq *q)
{
	uint16_t count = (uint16_t)(__atomic_load_n(&q->used->idx, __ATOMIC_ACQUIRE) - q->seen);

	if (unlikely(q->broken || count > q->size - q->free_count)) {
		q->broken = true;
		return 0;
	}
	return count;
}

/* The mbuf of the next buffer given back, its descriptor free again; NULL: the peer named one that it does not have. */
static struct rte_mbuf *take(struct virtq *q, uint32_t *length)
{
	struct vring_used_elem *element = &q->used->ring[q->seen & (q->size - 1)];
	uint32_t id = element->id;
	struct rte_mbuf *m = id < q->size ? q->mbuf[id] : NULL;

	*length = element->len;
	if (unlikely(!m)) {
		q->broken = true;
		return NULL;
	}
	q->seen++;
	q->mbuf[id] = NULL;
	q->free[q->free_count++] = (uint16_t)id;
	return m;
}

void virtq_fill(struct virtq *q, struct rte_mempool *pool)
{
	struct rte_mbuf *fresh[BURST];

	while (q->free_count) {
		uint16_t n = RTE_MIN(q->free_count, (uint16_t)BURST);

		if (rte_pktmbuf_alloc_bulk(pool, fresh, n) != 0)
			break;
		for (uint16_t i = 0; i < n; i++)
			offer(q, fresh[i], rte_pktmbuf_tailroom(fresh[i]), VRING_DESC_F_WRITE);
	}
	publish(q);
}

/* Whether the peer's word about what it wrote is possible; then the mbuf holds it. */
static bool hold(struct rte_mbuf *m, uint32_t length)
{
	uint32_t bytes = length - VIRTQ_HEADER;

	if (unlikely(length < VIRTQ_HEADER || bytes > rte_pktmbuf_tailroom(m)))
		return false;
	m->data_len = (uint16_t)bytes;
	m->pkt_len = bytes;
	return true;
}

static void prefetch(struct virtq *q, uint16_t ahead)
{
	uint32_t id = q->used->ring[(q->seen + ahead) & (q->size - 1)].id;

	if (id < q->size && q->mbuf[id])
		rte_prefetch0(q->mbuf[id]);
}

uint16_t virtq_receive(struct virtq *q, struct rte_mempool *pool, struct rte_mbuf **m, uint16_t n)
{
	uint16_t ready = RTE_MIN(returned(q), n), got = 0;

	for (uint16_t i = 0; i < ready; i++) {
		uint32_t length;

		if (i + AHEAD < ready)
			prefetch(q, AHEAD);
		m[got] = take(q, &length);
		if (unlikely(!m[got]))
			break;
		if (unlikely(!hold(m[got], length))) {
			q->broken = true;
			rte_pktmbuf_free(m[got]);
			break;
		}
		got++;
	}
	if (q->free_count >= RTE_MIN(BURST / 2, q->size) && !q->broken)
		virtq_fill(q, pool);
	return got;
}

static void reclaim(struct virtq *q)
{
	struct rte_mbuf *done[BURST];
	uint16_t count = returned(q);

	while (count && !q->broken) {
		uint16_t n = 0;

		for (uint32_t length; n < BURST && n < count && (done[n] = take(q, &length)); n++)
			;
		rte_pktmbuf_free_bulk(done, n);
		count = (uint16_t)(count - n);
	}
}

static bool fit(const struct rte_mbuf *m)
{
	return m->nb_segs == 1 && rte_pktmbuf_headroom(m) >= VIRTQ_HEADER;
}

uint16_t virtq_send(struct virtq *q, struct rte_mbuf **m, uint16_t n)
{
	uint16_t sent = 0;

	reclaim(q);
	if (unlikely(q->broken))
		return 0;
	for (; sent < n && q->free_count && likely(fit(m[sent])); sent++) {
		memset(rte_pktmbuf_mtod(m[sent], uint8_t *) - VIRTQ_HEADER, 0, VIRTQ_HEADER);
		offer(q, m[sent], m[sent]->data_len, 0);
	}
	if (sent)
		publish(q);
	return sent;
}
