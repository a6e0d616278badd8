/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A ring of IP packets between two threads, one that puts and one that takes; neither waits. All memory is taken when it is made.
 */
#ifndef SLUICE_VNF_LB_WIRE_H
#define SLUICE_VNF_LB_WIRE_H

#include <stdatomic.h>
#include <stdint.h>

enum { WIRE_SLOTS = 128, WIRE_BYTES = 2046 }; /* slots: a power of 2 */

struct wire_slot {
	uint16_t length;
	uint8_t bytes[WIRE_BYTES];
};

struct wire {
	_Alignas(64) _Atomic uint32_t put;   /* the writer's */
	_Alignas(64) _Atomic uint32_t taken; /* the reader's */
	struct wire_slot slots[WIRE_SLOTS];
};

/* The place for the next packet, NULL: full. It is in the ring with wire_put(). Writer. */
static inline struct wire_slot *wire_place(struct wire *w)
{
	uint32_t put = atomic_load_explicit(&w->put, memory_order_relaxed);

	if (put - atomic_load_explicit(&w->taken, memory_order_acquire) == WIRE_SLOTS)
		return NULL;
	return &w->slots[put % WIRE_SLOTS];
}

static inline void wire_put(struct wire *w)
{
	uint32_t put = atomic_load_explicit(&w->put, memory_order_relaxed);

	atomic_store_explicit(&w->put, put + 1, memory_order_release);
}

/* The oldest packet, NULL: empty. It leaves the ring with wire_take(). Reader. */
static inline const struct wire_slot *wire_first(struct wire *w)
{
	uint32_t taken = atomic_load_explicit(&w->taken, memory_order_relaxed);

	if (taken == atomic_load_explicit(&w->put, memory_order_acquire))
		return NULL;
	return &w->slots[taken % WIRE_SLOTS];
}

static inline void wire_take(struct wire *w)
{
	uint32_t taken = atomic_load_explicit(&w->taken, memory_order_relaxed);

	atomic_store_explicit(&w->taken, taken + 1, memory_order_release);
}

#endif
