/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A live session meets a changed configuration, on its next packet or by the sweep: it is brought up to date or closed. Where functions moved to
 * another process, or back, it goes with the functions that know it to the segment where these are now. A new policy judges it anew from its
 * originator's tuple; a function that joined its segment is asked to take it midstream; a function that rewrote it and is gone, or a path that is
 * gone, ends it. Worker thread.
 */
#include "runtime/segments.h"
#include "runtime/worker.h"

static enum refreshed close_for(struct worker *w, struct session *s, unsigned reason)
{
	session_close(w, s);
	w->counters[reason]++;
	return REFRESH_CLOSED;
}

static int walk_of(const struct session *s)
{
	return s->flags & SESSION_WALK ? 1 : 0;
}

static int step(int walk)
{
	return walk ? -1 : 1;
}

/* Functions of the segment whose slots the session has not: each is asked as in the middle of the stream. */
static bool join(struct worker *w, struct session *s, const struct path *path, const struct segment *segment,
                 uint64_t has)
{
	int walk = segment->walk;
	struct opening o = { .session = s, .flags = OPEN_MIDSTREAM | OPEN_ADDED };

	session_tuple(s, 0, &o.tuple);
	o.walk = (uint8_t)walk;
	o.in_port = path->ends[walk];
	o.out_port = path->ends[!walk];
	for (int i = segment->first; i != segment->end; i += step(walk)) {
		const struct position *p = &path->positions[i];
		struct openings os = { .list = { &o },
			               .count = 1,
			               .now = w->now,
			               .worker = w,
			               .path = path,
			               .worker_id = w->id,
			               .position = (uint16_t)i };

		if (has >> p->nf->id & 1 || !p->nf->klass->open)
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

/* The functions of a session that rewrote it, if it was rewritten. */
static uint64_t rewriters(struct worker *w, const struct session *s)
{
	return s->flags & SESSION_REWRITTEN ? w->engine->layouts[s->layout] & w->engine->rewriters : 0;
}

/* Where the functions that know the session are now: the one that rewrote it decides, else where most of them are. */
static const struct segment *home_of(struct worker *w, const struct session *s, const struct path *path)
{
	uint64_t must = rewriters(w, s), has = w->engine->layouts[s->layout];
	const struct segment *best = NULL;
	int most = 0;

	for (unsigned i = 0; i < path->segment_count; i++) {
		const struct segment *segment = &path->segments[i];
		int common = __builtin_popcountll(segment->set & has);

		if (segment->walk == walk_of(s) && !(must & ~segment->set) && common > most) {
			best = segment;
			most = common;
		}
	}
	return best;
}

/* Takes a session to another segment. The key may still be held by one that no packet or sweep has come to yet: that goes first. */
static bool move_to(struct worker *w, struct session *s, const struct segment *segment)
{
	for (unsigned attempt = 0; attempt < 3; attempt++) {
		struct session *other = flow_rezone(w->table, s, segment->entry_zone, segment->answer_zone);
		const struct path *path;

		if (!other)
			return true;
		path = other == s ? NULL : w->snapshot->paths[other->path];
		if (!path || other->generation == path->generation)
			return false;
		other->generation = path->generation; /* not again from within */
		if (!segment_of(path, walk_of(other), other->key[0].zone, other->key[1].zone) ||
		    !home_of(w, other, path))
			close_for(w, other, C_PATH_CHANGED);
		else
			return false;
	}
	return false;
}

static bool review(struct session *s, const struct path *path, const struct segment *segment)
{
	int walk = segment->walk;
	struct tuple tuple;

	session_tuple(s, 0, &tuple);
	for (int i = segment->first; i != segment->end; i += step(walk)) {
		const struct position *p = &path->positions[i];
		enum verdict verdict;

		if (!p->nf->klass->review)
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

enum refreshed session_refresh(struct worker *w, struct session *s, const struct path *path)
{
	uint64_t has = w->engine->layouts[s->layout];
	const struct segment *segment;
	bool moved = false;

	if (!path)
		return close_for(w, s, C_PATH_CHANGED);
	segment =
	        segment_of(path, walk_of(s), s->key[0].zone, s->flags & SESSION_ONEWAY ? 0 : s->key[1].zone);
	if (!segment) {
		segment = home_of(w, s, path);
		moved = true;
	}
	if (!segment || rewriters(w, s) & ~segment->set || (moved && !move_to(w, s, segment)))
		return close_for(w, s, C_PATH_CHANGED);
	if (s->layout != segment->layout) {
		if (!join(w, s, path, segment, has))
			return close_for(w, s, C_PATH_CHANGED);
		s->layout = segment->layout;
	}
	w->counters[C_REVIEWED]++;
	if (!review(s, path, segment))
		return close_for(w, s, C_POLICY_CHANGED);
	s->generation = path->generation;
	return moved ? REFRESH_MOVED : REFRESH_DONE;
}
