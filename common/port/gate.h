/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Gates between the workers of a port whose peer comes and goes, and the thread that brings the peer and takes it away.
 * A worker marks its queue busy before it looks whether there is a peer; whoever takes the peer away says so first and
 * then waits until no queue is busy. Two stores and a fence a burst, no lock.
 */
#ifndef SLUICE_RUNTIME_PORT_GATE_H
#define SLUICE_RUNTIME_PORT_GATE_H

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <rte_common.h>

/* One direction of a queue; a line of its own, for it is written at every poll. */
struct gate {
	_Atomic bool busy;
} __rte_cache_aligned;

/* Worker: answers the peer (a number that is not negative), and holds it until gate_leave(); negative: there is none,
 * and nothing is held. */
static inline int gate_enter(struct gate *gate, const _Atomic int *peer)
{
	int there;

	if (atomic_load_explicit(peer, memory_order_relaxed) < 0)
		return -1;
	atomic_store_explicit(&gate->busy, true, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	there = atomic_load_explicit(peer, memory_order_acquire);
	if (there < 0)
		atomic_store_explicit(&gate->busy, false, memory_order_release);
	return there;
}

static inline void gate_leave(struct gate *gate)
{
	atomic_store_explicit(&gate->busy, false, memory_order_release);
}

/* Any other thread: takes the peer away; afterwards no worker holds it at any of so many gates. */
static inline void gates_close(_Atomic int *peer, struct gate *rx, struct gate *tx, unsigned count)
{
	atomic_store_explicit(peer, -1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
	for (unsigned queue = 0; queue < count; queue++)
		while (atomic_load_explicit(&rx[queue].busy, memory_order_acquire) ||
		       atomic_load_explicit(&tx[queue].busy, memory_order_acquire))
			sched_yield();
}

#endif
