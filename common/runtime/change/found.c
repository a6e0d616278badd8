/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions that a predecessor left in the memory file: the table has indexed them, now the functions take back what these hold. Once,
 * before the first snapshot that has a path is published: no packet has been seen, nothing expires meanwhile. Each worker's are
 * told in its own thread, one worker after the other.
 */
#include "runtime/worker.h"

struct finding {
	const struct snapshot *snapshot;
	struct worker *worker;
};

/* Whether packets of this walk that come in by a zone go to the hop at this position next. */
static bool goes_to(const struct path *path, unsigned position, int walk, uint8_t zone)
{
	for (unsigned i = 0; i < path->segment_count; i++)
		if (path->segments[i].walk == walk && path->segments[i].entry_zone == zone)
			return path->segments[i].end == (int)position;
	return false;
}

/* Functions behind hops are told what packets reach them, in which bucket. */
static void recall(const struct snapshot *next, const struct session *s)
{
	const struct path *path = next->paths[s->path];

	for (unsigned i = 0; i < path->count; i++) {
		const struct position *p = &path->positions[i];

		for (int direction = 0; p->shadow && p->shadow->klass->recall && direction < 2; direction++) {
			int walk = (s->flags & SESSION_WALK ? 1 : 0) ^ direction;
			struct tuple in, out;

			session_tuple(s, direction, &in);
			session_tuple(s, !direction, &out);
			out = tuple_reverse(&out);
			if (goes_to(path, i, walk, in.zone))
				p->shadow->klass->recall(p->shadow, p->snapshot, &out, walk, s->bucket);
		}
	}
}

/* Asks the functions of a session in turn; the ones that said yes give back what they took if another says no. */
static bool adopt(const struct finding *f, struct session *s)
{
	const struct snapshot *next = f->snapshot;
	const struct engine *engine = f->worker->engine;
	uint64_t left, told = 0;

	if (!engine->names_known || s->path >= ENGINE_PATHS_MAX || !next->paths[s->path] ||
	    s->layout >= engine->layout_count)
		return false;
	recall(next, s);
	s->generation = 0; /* reviewed by its next packet, or the sweep: the configuration may be another */
	for (left = engine->layouts[s->layout]; left; left &= left - 1) {
		unsigned id = (unsigned)__builtin_ctzll(left);
		const struct nf *nf = next->nfs[id];

		if (!nf || !nf->klass->adopt)
			continue;
		if (!nf->klass->adopt(nf, next->nf_snapshots[id], s, f->worker->id))
			break;
		told |= UINT64_C(1) << id;
	}
	for (; left && told; told &= told - 1) {
		unsigned id = (unsigned)__builtin_ctzll(told);

		if (next->nfs[id]->klass->close)
			next->nfs[id]->klass->close(next->nfs[id], next->nf_snapshots[id], s, f->worker->id);
	}
	return !left;
}

static void visit(void *context, struct session *s)
{
	struct finding *f = context;

	if (adopt(f, s)) {
		f->worker->counters[C_ADOPTED]++;
		return;
	}
	f->worker->counters[C_NOT_ADOPTED]++;
	flow_remove(f->worker->table, s);
}

static void find(struct worker *w, void *argument)
{
	struct finding f = { argument, w };
	uint64_t cursor = 0;

	do
		flow_walk(w->table, &cursor, 4096, visit, &f);
	while (cursor);
	w->found = false;
}

void found_sessions(struct engine *engine, const struct snapshot *next)
{
	if (!next->path_count)
		return;
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		if (engine->workers[i]->found)
			engine_call(engine, i, find, (void *)(uintptr_t)next);
}
