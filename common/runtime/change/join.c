/* SPDX-License-Identifier: BSD-3-Clause */
/* A live session and the functions that it meets anew. Worker thread. */
#include "runtime/change/join.h"

bool session_join_one(struct worker *w, struct session *s, const struct path *path, int position,
                      const struct tuple *tuple)
{
	const struct position *p = &path->positions[position];
	int walk = s->flags & SESSION_WALK ? 1 : 0;
	struct opening o = { .session = s,
		             .flags = OPEN_MIDSTREAM | OPEN_ADDED,
		             .tuple = *tuple,
		             .walk = (uint8_t)walk,
		             .in_port = path->ends[walk],
		             .out_port = path->ends[!walk] };
	struct openings os = { .list = { &o },
		               .count = 1,
		               .now = w->now,
		               .worker = w,
		               .path = path,
		               .worker_id = w->id,
		               .position = (uint16_t)position,
		               .counters = w->nf_counters[p->nf->id] };

	if (p->nf->slot_offset != NF_SLOT_NONE)
		memset(nf_slot(p->nf, s), 0, p->nf->klass->slot.size);
	if (p->nf->klass->open)
		p->nf->klass->open(p->nf, p->snapshot, &os);
	return o.verdict == VERDICT_PASS;
}

bool session_join(struct worker *w, struct session *s, const struct path *path, const struct segment *segment,
                  uint64_t has)
{
	struct tuple tuple;

	session_tuple(s, 0, &tuple);
	for (int i = segment->first; i != segment->end; i += segment->walk ? -1 : 1) {
		const struct position *p = &path->positions[i];

		if (!(has >> p->nf->id & 1)) {
			if (!p->draining && !session_join_one(w, s, path, i, &tuple))
				return false;
		} else if (p->nf->klass->review) {
			p->nf->klass->review(p->nf, p->snapshot, s, &tuple, path->ends[segment->walk],
			                     path->ends[!segment->walk]);
		}
	}
	return true;
}

void session_leave(struct worker *w, struct session *s, unsigned id)
{
	const struct nf *nf = w->snapshot->nfs[id];

	if (nf && nf->klass->close)
		nf->klass->close(nf, w->snapshot->nf_snapshots[id], s, w->id);
}
