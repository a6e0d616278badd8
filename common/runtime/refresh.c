/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live session meets a changed configuration, on its next packet or by the sweep: it is brought up to date or closed. A new policy judges it anew from
 * its originator's tuple; a function added to its path is asked to take it midstream; a function that rewrote it and is gone, or a path that
 * is gone, ends it. Worker thread.
 */
#include "runtime/worker.h"

static bool close_for(struct worker *w, struct session *s, unsigned reason)
{
	session_close(w, s);
	w->counters[reason]++;
	return false;
}

static int first_position(const struct session *s, const struct path *path)
{
	return s->flags & SESSION_WALK ? path->count - 1 : 0;
}

static int step(const struct session *s)
{
	return s->flags & SESSION_WALK ? -1 : 1;
}

/* Functions whose slots the session has not: each is asked as in the middle of the stream. */
static bool adopt(struct worker *w, struct session *s, const struct path *path)
{
	uint64_t has = w->engine->layouts[s->layout];
	struct opening o = { .session = s, .flags = OPEN_MIDSTREAM | OPEN_ADDED };

	session_tuple(s, 0, &o.tuple);
	o.walk = s->flags & SESSION_WALK ? 1 : 0;
	o.in_port = path->ends[o.walk];
	o.out_port = path->ends[!o.walk];
	for (int i = first_position(s, path); i >= 0 && i < path->count; i += step(s)) {
		const struct position *p = &path->positions[i];
		struct openings os = { .list = { &o },
			               .count = 1,
			               .now = w->now,
			               .worker = w,
			               .path = path,
			               .worker_id = w->id,
			               .position = (uint16_t)i };

		if (!p->nf || has >> p->nf->id & 1 || !p->nf->klass->open)
			continue;
		os.counters = w->nf_counters[p->nf->id];
		if (p->nf->slot_offset != NF_SLOT_NONE)
			memset(nf_slot(p->nf, s), 0, p->nf->klass->slot.size);
		p->nf->klass->open(p->nf, p->snapshot, &os);
		if (o.verdict != VERDICT_PASS)
			return false;
	}
	return true;
}

/* Whether a function that rewrote packets of this session is not on its path any more. */
static bool lost_rewriter(struct worker *w, const struct session *s, const struct path *path)
{
	return s->flags & SESSION_REWRITTEN &&
	       w->engine->layouts[s->layout] & w->engine->rewriters & ~path->nf_set;
}

static bool review(struct session *s, const struct path *path)
{
	int walk = s->flags & SESSION_WALK ? 1 : 0;
	struct tuple tuple;

	session_tuple(s, 0, &tuple);
	for (int i = first_position(s, path); i >= 0 && i < path->count; i += step(s)) {
		const struct position *p = &path->positions[i];
		enum verdict verdict;

		if (!p->nf || !p->nf->klass->review)
			continue;
		verdict = p->nf->klass->review(p->nf, p->snapshot, s, &tuple, path->ends[walk],
		                               path->ends[!walk]);
		if (verdict == VERDICT_DROP)
			return false;
		if (verdict == VERDICT_TAKE)
			break;
	}
	return true;
}

bool session_refresh(struct worker *w, struct session *s, const struct path *path)
{
	if (!path || (s->layout != path->layout && lost_rewriter(w, s, path)))
		return close_for(w, s, C_PATH_CHANGED);
	if (s->layout != path->layout) {
		if (!adopt(w, s, path))
			return close_for(w, s, C_PATH_CHANGED);
		s->layout = path->layout;
	}
	w->counters[C_REVIEWED]++;
	if (!review(s, path))
		return close_for(w, s, C_POLICY_CHANGED);
	s->generation = path->generation;
	return true;
}
