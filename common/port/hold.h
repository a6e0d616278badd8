/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Packets that a port keeps for a peer that is away for a moment and has said so, or has just been taken over: at most HOLD_MAX a queue, for at
 * most HOLD_MS. They leave before whatever comes later, in their order; those that stay are counted as undelivered.
 *
 * Begun and ended by the control side. A queue is locked while anything is kept in it or is to be kept, and not otherwise: whoever receives from
 * the port lets the packets go, and that need not be the worker that sent them. Made and freed with the port.
 */
#ifndef SLUICE_PORT_HOLD_H
#define SLUICE_PORT_HOLD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_spinlock.h>

#include "port/port.h"

enum { HOLD_MS = 2000, HOLD_SETTLE_MS = 20, HOLD_LATE_MS = 500, HOLD_MAX = 4096 };

struct hold_queue {
	rte_spinlock_t lock;
	uint16_t head;
	_Atomic uint16_t count; /* written under the lock */
	struct rte_mbuf **m;    /* HOLD_MAX; those kept are m[head] to m[head + count - 1] */
} __rte_cache_aligned;

struct hold {
	_Atomic uint64_t until; /* ns of the monotonic clock; 0: nothing is to be kept */
	_Atomic uint64_t late;  /* the same, of a peer that is there and has no room yet */
	unsigned queues;
	struct hold_queue queue[PORT_QUEUES_MAX];
};

/* Sends; answers how many were taken, which are the device's then. */
typedef uint16_t hold_send_fn(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n);

/* False: not enough memory; to be freed all the same. */
bool hold_make(struct hold *hold, unsigned queues);
/* No worker may use it any more. */
void hold_free(struct hold *hold, struct port *port);
/* From now on, for HOLD_MS at most, what cannot be sent is kept. */
void hold_begin(struct hold *hold);
/* The peer is there: what is kept goes. It has HOLD_SETTLE_MS to take up all of its queues, and what it has no room for then, since so much came at once, is kept for
 * HOLD_LATE_MS. */
void hold_settle(struct hold *hold);
/* Nothing more is kept. */
void hold_end(struct hold *hold);
/* Whether the time is not over. Any thread. */
bool hold_lasts(const struct hold *hold);
/* Whether anything is kept. Any thread. */
bool hold_any(const struct hold *hold);
/* Sends what is kept, then these; keeps what cannot be sent now. Answers how many were taken. Worker. */
uint16_t hold_send(struct hold *hold, struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n,
                   hold_send_fn *send);
/* Sends what is kept in a queue. Worker. */
void hold_let_go(struct hold *hold, struct port *port, unsigned queue, hold_send_fn *send);

/* Whether sending is hold_send()'s; two words are read. */
static inline bool hold_concerns(const struct hold *hold, unsigned queue)
{
	return atomic_load_explicit(&hold->until, memory_order_acquire) ||
	       atomic_load_explicit(&hold->late, memory_order_relaxed) ||
	       atomic_load_explicit(&hold->queue[queue].count, memory_order_relaxed);
}

/* Whether there is anything to let go. */
static inline bool hold_keeps(const struct hold *hold, unsigned queue)
{
	return atomic_load_explicit(&hold->queue[queue].count, memory_order_relaxed);
}

#endif
