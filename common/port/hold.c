/* SPDX-License-Identifier: BSD-3-Clause */
/* Packets for a peer that is away for a moment. See hold.h. */
#include "port/hold.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BURST = 64 };

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool hold_make(struct hold *hold, unsigned queues)
{
	memset(hold, 0, sizeof(*hold));
	hold->queues = queues;
	for (unsigned i = 0; i < queues; i++) {
		rte_spinlock_init(&hold->queue[i].lock);
		hold->queue[i].m = calloc(HOLD_MAX, sizeof(struct rte_mbuf *));
		if (!hold->queue[i].m)
			return false;
	}
	return true;
}

/* Nobody will have them. */
static void give_up(struct hold_queue *q, struct port *port)
{
	uint16_t count = atomic_load_explicit(&q->count, memory_order_relaxed);

	if (!count)
		return;
	rte_pktmbuf_free_bulk(q->m + q->head, count);
	atomic_fetch_add_explicit(&port->undelivered, count, memory_order_relaxed);
	atomic_store_explicit(&q->count, 0, memory_order_relaxed);
}

void hold_free(struct hold *hold, struct port *port)
{
	for (unsigned i = 0; i < hold->queues; i++) {
		give_up(&hold->queue[i], port);
		free(hold->queue[i].m);
	}
	hold->queues = 0;
}

static uint64_t in_ms(unsigned milliseconds)
{
	return now_ns() + milliseconds * UINT64_C(1000000);
}

void hold_begin(struct hold *hold)
{
	atomic_store_explicit(&hold->until, in_ms(HOLD_MS), memory_order_release);
}

void hold_settle(struct hold *hold)
{
	if (!atomic_load_explicit(&hold->until, memory_order_relaxed))
		return;
	atomic_store_explicit(&hold->late, in_ms(HOLD_LATE_MS), memory_order_relaxed);
	atomic_store_explicit(&hold->until, in_ms(HOLD_SETTLE_MS), memory_order_release);
}

void hold_end(struct hold *hold)
{
	atomic_store_explicit(&hold->late, 0, memory_order_relaxed);
	atomic_store_explicit(&hold->until, 0, memory_order_release);
}

bool hold_lasts(const struct hold *hold)
{
	uint64_t until = atomic_load_explicit(&hold->until, memory_order_acquire);

	return until && now_ns() < until;
}

bool hold_any(const struct hold *hold)
{
	bool any = false;

	for (unsigned i = 0; i < hold->queues; i++)
		any |= hold_keeps(hold, i);
	return any;
}

/* Whether one of its times lasts. One that is over ends here, unless it was begun again meanwhile. */
static bool lasts(_Atomic uint64_t *time)
{
	uint64_t until = atomic_load_explicit(time, memory_order_acquire);

	if (!until || now_ns() < until)
		return until;
	atomic_compare_exchange_strong(time, &until, 0);
	return false;
}

/* Whether more may be kept. */
static bool keeps_on(struct hold *hold)
{
	bool away = lasts(&hold->until), late = lasts(&hold->late);

	return away || late;
}

/* Under the lock. What a peer that is there has no room for waits for the next call; if there is none at the end of the time, nothing does. */
static void let_go(struct hold *hold, struct port *port, unsigned queue, hold_send_fn *send)
{
	struct hold_queue *q = &hold->queue[queue];
	uint16_t count = atomic_load_explicit(&q->count, memory_order_relaxed);

	while (count) {
		uint16_t ask = RTE_MIN(count, (uint16_t)BURST), sent = send(port, queue, q->m + q->head, ask);

		q->head = (uint16_t)(q->head + sent);
		count = (uint16_t)(count - sent);
		atomic_store_explicit(&q->count, count, memory_order_relaxed);
		if (sent < ask)
			break;
	}
	if (count && !keeps_on(hold) && !port_up(port))
		give_up(q, port);
}

static uint16_t keep(struct hold_queue *q, struct rte_mbuf **m, uint16_t n)
{
	uint16_t count = atomic_load_explicit(&q->count, memory_order_relaxed);
	uint16_t taken = RTE_MIN(n, (uint16_t)(HOLD_MAX - count));

	if (q->head)
		memmove(q->m, q->m + q->head, count * sizeof(*m));
	memcpy(q->m + count, m, taken * sizeof(*m));
	q->head = 0;
	atomic_store_explicit(&q->count, (uint16_t)(count + taken), memory_order_relaxed);
	return taken;
}

uint16_t hold_send(struct hold *hold, struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n,
                   hold_send_fn *send)
{
	struct hold_queue *q = &hold->queue[queue];
	bool more = keeps_on(hold);
	uint16_t taken = 0;

	rte_spinlock_lock(&q->lock);
	let_go(hold, port, queue, send);
	if (!hold_keeps(hold, queue))
		taken = send(port, queue, m, n);
	if (taken < n && more)
		taken = (uint16_t)(taken + keep(q, m + taken, (uint16_t)(n - taken)));
	rte_spinlock_unlock(&q->lock);
	return taken;
}

void hold_let_go(struct hold *hold, struct port *port, unsigned queue, hold_send_fn *send)
{
	struct hold_queue *q = &hold->queue[queue];

	if (!rte_spinlock_trylock(&q->lock))
		return;
	let_go(hold, port, queue, send);
	rte_spinlock_unlock(&q->lock);
}
