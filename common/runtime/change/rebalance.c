/* SPDX-License-Identifier: BSD-3-Clause */
/* From worker to worker. Lists are filled and emptied by workers in calls of the control side, one worker at a time. */
#include "runtime/change/rebalance.h"

#include <stdlib.h>

#include "flow/carry.h"
#include "runtime/change/join.h"
#include "runtime/worker.h"

struct moving {
	struct tuple forward, answer;
	struct flow_carry carry;
	uint32_t generation;
	uint16_t path, layout;
	uint8_t flags, bucket, worker;
	uint8_t slots[ENGINE_SLOT_BYTES];
};

struct moving_list {
	struct moving *items;
	size_t count, room;
	const struct snapshot *next;
	unsigned from, to; /* buckets whose sessions go */
	bool other_owners; /* they have others with `next` */
};

struct turn {
	struct worker *worker;
	struct moving_list *list;
};

static bool same_owner(const struct owner *a, const struct owner *b)
{
	const struct nf_class *klass = a->nf->klass;

	return a->nf == b->nf && a->walk == b->walk && a->of_answer == b->of_answer &&
	       (a->snapshot == b->snapshot || !klass->owners_differ ||
	        !klass->owners_differ(a->snapshot, b->snapshot));
}

static bool other_owner(const struct snapshot_port *a, const struct snapshot_port *b)
{
	if (a->role == PORT_UNUSED || b->role == PORT_UNUSED)
		return false;
	if (a->owner_count != b->owner_count)
		return true;
	for (unsigned i = 0; i < a->owner_count; i++)
		if (!same_owner(&a->owners[i], &b->owners[i]))
			return true;
	return false;
}

bool rebalance_other_owners(const struct snapshot *now, const struct snapshot *next)
{
	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		if (other_owner(&now->ports[i], &next->ports[i]))
			return true;
	return false;
}

bool rebalance_needed(const struct engine *engine, const struct snapshot *now, const struct snapshot *next)
{
	bool needed = now->workers != next->workers || rebalance_other_owners(now, next);

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		needed |= engine->workers[i]->found;
	return needed && engine->sizes.workers > 1;
}

/* --- taking --- */

static struct moving *room_for_one(struct moving_list *list)
{
	size_t room = list->room ? 2 * list->room : 1024;
	struct moving *items = list->items;

	if (list->count == list->room) {
		items = realloc(items, room * sizeof(*items));
		if (!items)
			return NULL;
		list->items = items;
		list->room = room;
	}
	return &items[list->count];
}

/* Where the session belongs with the next configuration; NULL: that has no place for it, or cannot know. */
static const struct path *place_of(const struct turn *turn, const struct session *s, uint8_t *bucket)
{
	const struct snapshot *next = turn->list->next;
	const struct path *path = s->path < ENGINE_PATHS_MAX ? next->paths[s->path] : NULL;
	struct tuple first;

	if (!path || s->layout >= turn->worker->engine->layout_count || s->flags & SESSION_HELD)
		return NULL;
	*bucket = s->bucket;
	if (!turn->list->other_owners)
		return path;
	session_tuple(s, 0, &first);
	if (!first.zone ||
	    (!(first.zone & EMITTED_ZONE) &&
	     (first.zone > ENGINE_PORTS_MAX || next->ports[first.zone - 1].role == PORT_UNUSED)))
		return NULL;
	*bucket = (uint8_t)owner_of_session(next, path, s->flags & SESSION_WALK ? 1 : 0, &first);
	return path;
}

static void pack(struct moving *item, struct worker *w, struct session *s, uint8_t bucket, uint8_t worker)
{
	*item = (struct moving){ .generation = s->generation,
		                 .path = s->path,
		                 .layout = s->layout,
		                 .flags = s->flags & (SESSION_WALK | SESSION_REWRITTEN),
		                 .bucket = bucket,
		                 .worker = worker };
	session_tuple(s, 0, &item->forward);
	session_tuple(s, 1, &item->answer);
	flow_carry_out(s, w->now_ms, &item->carry);
	memcpy(item->slots, session_slot(s, 0), sizeof(item->slots));
}

static void take_one(void *context, struct session *s)
{
	struct turn *turn = context;
	struct worker *w = turn->worker;
	uint8_t bucket, worker;
	struct moving *item;

	if (s->bucket < turn->list->from || s->bucket >= turn->list->to || !place_of(turn, s, &bucket))
		return;
	worker = turn->list->next->bucket_worker[bucket];
	if (worker == w->id && bucket == s->bucket)
		return;
	item = room_for_one(turn->list);
	if (!item)
		return; /* its packets open it anew */
	pack(item, w, s, bucket, worker);
	turn->list->count++;
	for (uint64_t set = w->engine->layouts[s->layout]; set; set &= set - 1)
		session_leave(w, s, (unsigned)__builtin_ctzll(set));
	flow_remove(w->table, s);
}

static void take(struct worker *w, void *list)
{
	struct turn turn = { w, list };
	uint64_t cursor = 0;

	do {
		flow_walk(w->table, &cursor, 4096, take_one, &turn);
		worker_beat(w);
	} while (cursor);
}

void rebalance_take(struct engine *engine, const struct snapshot *next, unsigned from, unsigned to,
                    bool other_owners)
{
	struct moving_list *list = calloc(1, sizeof(*list));

	if (!list)
		return;
	list->next = next;
	list->from = from;
	list->to = to;
	list->other_owners = other_owners;
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		engine_call(engine, i, take, list);
	engine->moving = list;
}

/* --- putting --- */

/* The functions take back what they hold for it. False: one cannot; the others have given it back. */
static bool hold_again(struct worker *w, struct session *s)
{
	uint64_t held = 0;

	for (uint64_t set = w->engine->layouts[s->layout]; set; set &= set - 1) {
		unsigned id = (unsigned)__builtin_ctzll(set);
		const struct nf *nf = w->snapshot->nfs[id];

		if (nf && nf->klass->adopt &&
		    !nf->klass->adopt(nf, w->snapshot->nf_snapshots[id], s, w->id)) {
			for (; held; held &= held - 1)
				session_leave(w, s, (unsigned)__builtin_ctzll(held));
			return false;
		}
		held |= UINT64_C(1) << id;
	}
	return true;
}

static bool put_one(struct worker *w, const struct moving *item)
{
	struct session *s;

	if (flow_carry_in(w->table, &item->forward, &item->carry, w->now_ms, &s) != FLOW_OK)
		return false;
	s->generation = item->generation;
	s->path = item->path;
	s->layout = item->layout;
	s->bucket = item->bucket;
	s->flags |= item->flags;
	memcpy(session_slot(s, 0), item->slots, sizeof(item->slots));
	if (hold_again(w, s)) {
		if (flow_commit(w->table, s, s->flags & SESSION_ONEWAY ? NULL : &item->answer) == FLOW_OK)
			return true;
		for (uint64_t set = w->engine->layouts[s->layout]; set; set &= set - 1)
			session_leave(w, s, (unsigned)__builtin_ctzll(set));
	}
	flow_abandon(w->table, s);
	return false;
}

static void put(struct worker *w, void *argument)
{
	const struct moving_list *list = argument;
	const struct snapshot *before = slices_use(w, list->next);

	for (size_t i = 0; i < list->count; i++) {
		if (i % 4096 == 0)
			worker_beat(w);
		if (list->items[i].worker == w->id)
			w->counters[put_one(w, &list->items[i]) ? C_ADOPTED : C_NOT_ADOPTED]++;
	}
	slices_use(w, before);
}

void rebalance_put(struct engine *engine)
{
	struct moving_list *list = engine->moving;

	if (!list)
		return;
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		engine_call(engine, i, put, list);
	free(list->items);
	free(list);
	engine->moving = NULL;
}

static void send_fragments(struct worker *w, void *unused)
{
	struct rte_mbuf *held[FRAG_OUT];
	unsigned n;

	(void)unused;
	while ((n = frag_drain(w->frags, held)) > 0)
		for (unsigned i = 0; i < n; i++)
			handoff(w, w->snapshot->bucket_worker[owner_of_fragment(held[i])], held[i],
			        STAGE_INGRESS);
}

void rebalance_send_fragments(struct engine *engine)
{
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		engine_call(engine, i, send_fragments, NULL);
}
