/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * After a change of configuration every session is brought up to date: those that packets touch at once, by the packet
 * (refresh.c); the others here, a few each turn. Worker thread.
 */
#include "runtime/change/drain.h"

enum { SWEEP_BUDGET = 32 };

static void visit(void *worker, struct session *s)
{
	struct worker *w = worker;
	const struct path *path = w->snapshot->paths[s->path];

	edge_forget_hops(w->edge_table, s);
	if (!path || s->generation != path->generation)
		session_refresh(w, s, path);
}

unsigned sweep_turn(struct worker *w)
{
	uint64_t revision = w->snapshot->revision;

	if (unlikely(w->slice.next || atomic_load_explicit(&w->engine->resuming, memory_order_relaxed)))
		return 0; /* sessions are as one configuration has them or another */
	if (likely(atomic_load_explicit(&w->swept, memory_order_relaxed) == revision))
		return drain_count_turn(w);
	if (w->sweeping != revision) {
		w->sweeping = revision;
		w->sweep_cursor = 0;
	}
	flow_walk(w->table, &w->sweep_cursor, SWEEP_BUDGET, visit, w);
	if (!w->sweep_cursor)
		atomic_store_explicit(&w->swept, revision, memory_order_release);
	return 1;
}
