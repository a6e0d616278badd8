/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live session meets a changed configuration, on its next packet or by the sweep: it is brought up to date or closed. Where functions moved to
 * another process, or back, it is regrouped (regroup.c). A new policy judges it anew from its originator's tuple; a function that joined its
 * segment is asked to take it midstream; a function that rewrote it and drains stays with it; one that is gone, or a path that is gone, ends it. Worker thread.
 */
#include "runtime/change/join.h"
#include "runtime/change/segments.h"
#include "runtime/change/takeover.h"

static enum refreshed close_for(struct worker *w, struct session *s, unsigned reason)
{
	session_close(w, s);
	w->counters[reason]++;
	return REFRESH_CLOSED;
}

/* The functions of a session that rewrote it, or send its answers another way, if any did. */
static uint64_t rewriters(struct worker *w, const struct session *s)
{
	return s->flags & (SESSION_REWRITTEN | SESSION_ONEWAY)
	               ? w->engine->layouts[s->layout] & w->engine->rewriters
	               : 0;
}

static bool review(struct worker *w, struct session *s, const struct path *path,
                   const struct segment *segment)
{
	uint64_t has = w->engine->layouts[s->layout];
	int walk = segment->walk;
	struct tuple tuple;

	session_tuple(s, 0, &tuple);
	for (int i = segment->first; i != segment->end; i += walk ? -1 : 1) {
		const struct position *p = &path->positions[i];
		enum verdict verdict;

		if (!p->nf->klass->review || !(has >> p->nf->id & 1))
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

/* Functions joined its segment, or left it; of those that drain it keeps those that rewrote it. */
static bool change_layout(struct worker *w, struct session *s, const struct path *path,
                          const struct segment *segment)
{
	uint64_t has = w->engine->layouts[s->layout], stays = segment->drains & rewriters(w, s);

	if (!session_join(w, s, path, segment, has))
		return false;
	for (uint64_t left = has & ~segment->set & ~stays; left; left &= left - 1)
		session_leave(w, s, (unsigned)__builtin_ctzll(left));
	s->layout = segment_layout(segment, stays);
	return true;
}

static bool beside_gone_hop(struct worker *w, const struct session *s, int walk)
{
	const struct takeover *t = w->engine->takeover;

	return takeover_left(t, s->path, walk, s->key[0].zone) ||
	       takeover_entered(t, s->path, walk, s->key[1].zone);
}

enum refreshed session_refresh(struct worker *w, struct session *s, const struct path *path)
{
	const struct segment *segment;
	int walk = s->flags & SESSION_WALK ? 1 : 0;

	if (!path)
		return close_for(w, s, C_PATH_CHANGED);
	segment = segment_of(path, walk, s->key[0].zone, s->flags & SESSION_ONEWAY ? 0 : s->key[1].zone);
	if (!segment || (w->slice.next == w->snapshot && beside_gone_hop(w, s, walk)))
		return session_regroup(w, s, path);
	if (rewriters(w, s) & ~(segment->set | segment->drains) ||
	    (s->layout != segment->layout && !change_layout(w, s, path, segment)))
		return close_for(w, s, C_PATH_CHANGED);
	w->counters[C_REVIEWED]++;
	if (!review(w, s, path, segment))
		return close_for(w, s, C_POLICY_CHANGED);
	s->generation = path->generation;
	return REFRESH_DONE;
}
