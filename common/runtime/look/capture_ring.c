/* SPDX-License-Identifier: BSD-3-Clause */
/* The rings of a capture: the worker writes, the stream's reader takes. See capture.h. */
#include <time.h>

#include "runtime/look/capture.h"
#include "runtime/worker.h"

static void put(struct capture_ring *ring, uint64_t at, const void *from, uint32_t length)
{
	uint32_t offset = at % CAPTURE_RING, first = RTE_MIN(length, CAPTURE_RING - offset);

	memcpy(ring->bytes + offset, from, first);
	memcpy(ring->bytes, (const uint8_t *)from + first, length - first);
}

static void get(const struct capture_ring *ring, uint64_t at, void *to, uint32_t length)
{
	uint32_t offset = at % CAPTURE_RING, first = RTE_MIN(length, CAPTURE_RING - offset);

	memcpy(to, ring->bytes + offset, first);
	memcpy((uint8_t *)to + first, ring->bytes, length - first);
}

static void put_packet(struct capture_ring *ring, uint64_t at, const struct rte_mbuf *m, uint32_t left)
{
	for (; m && left; m = m->next) {
		uint32_t piece = RTE_MIN((uint32_t)m->data_len, left);

		put(ring, at, rte_pktmbuf_mtod(m, const void *), piece);
		at += piece;
		left -= piece;
	}
}

static void keep(struct capture_ring *ring, const struct rte_mbuf *m, uint8_t gate, uint8_t direction)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed),
	         used = tail - atomic_load_explicit(&ring->head, memory_order_acquire);
	struct capture_head head = { .length = rte_pktmbuf_pkt_len(m), .gate = gate, .direction = direction };
	struct timespec now;

	head.kept = RTE_MIN(head.length, ring->snap);
	if (used + sizeof(head) + head.kept > CAPTURE_RING) {
		atomic_store_explicit(&ring->lost,
		                      atomic_load_explicit(&ring->lost, memory_order_relaxed) + 1,
		                      memory_order_relaxed);
		return;
	}
	clock_gettime(CLOCK_REALTIME, &now);
	head.time = (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
	put(ring, tail, &head, sizeof(head));
	put_packet(ring, tail + sizeof(head), m, head.kept);
	atomic_store_explicit(&ring->tail, tail + sizeof(head) + head.kept, memory_order_release);
}

/* A frame of which no tuple is known is meant where no rule asks for one. */
static bool meant(const struct sift *sift, struct rte_mbuf *m, bool parsed)
{
	if (parsed && pkt_of(m)->flags & (PKT_V4 | PKT_V6))
		return sift_packet(sift, m);
	return !sift->rules.count && (sift->port == SIFT_ANY_PORT || sift->port == pkt_of(m)->in_port);
}

void capture_port(struct worker *w, uint16_t port, enum capture_direction direction, struct rte_mbuf **m,
                  const enum pkt_malformed *kinds, unsigned n)
{
	struct capture_ring *ring = w->capture;
	uint8_t gate = ring->port_gate[port];

	if (gate == CAPTURE_NO_GATE)
		return;
	for (unsigned i = 0; i < n; i++) {
		if (kinds)
			pkt_of(m[i])->in_port = port;
		if (meant(&ring->sift, m[i], !kinds || kinds[i] == PKT_OK))
			keep(ring, m[i], gate, (uint8_t)direction);
	}
}

void capture_function(struct worker *w, const struct position *p, const struct batch *b, bool after)
{
	struct capture_ring *ring = w->capture;
	uint8_t gate = ring->nf_gate[after][p->nf->id];

	if (gate == CAPTURE_NO_GATE)
		return;
	for (unsigned i = 0; i < b->count; i++)
		if (!(b->acted >> i & 1) && meant(&ring->sift, b->m[i], true))
			keep(ring, b->m[i], gate, after ? CAPTURE_OUT : CAPTURE_IN);
}

bool capture_peek(struct capture_ring *ring, struct capture_head *head)
{
	uint64_t at = atomic_load_explicit(&ring->head, memory_order_relaxed);

	if (at == atomic_load_explicit(&ring->tail, memory_order_acquire))
		return false;
	get(ring, at, head, sizeof(*head));
	return true;
}

void capture_take(struct capture_ring *ring, const struct capture_head *head, uint8_t *to)
{
	uint64_t at = atomic_load_explicit(&ring->head, memory_order_relaxed);

	get(ring, at + sizeof(*head), to, head->kept);
	atomic_store_explicit(&ring->head, at + sizeof(*head) + head->kept, memory_order_release);
}
