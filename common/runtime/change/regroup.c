/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions of a path whose functions moved between processes. One flow has a session in each segment of its path and whatever the
 * processes behind hops know of it. When the segments change, all of it is put together, from where the flow comes in to where it leaves,
 * and divided anew: slots go with their functions, to other sessions here or, by the hop's link, to another process. What cannot be
 * put together is closed: its packets open it again. Worker thread.
 */
#include "runtime/change/join.h"
#include "runtime/change/segments.h"
#include "runtime/change/takeover.h"
#include "runtime/change/transfer_link.h"

enum { PARTS_MAX = PATH_POSITIONS_MAX + 1 };

struct known {
	const struct gone_hop *hop;
	const struct transfer *session;
};

/* One flow as it was: from where its originator's packets come in to where they leave. */
struct flow {
	struct worker *w;
	const struct path *path;
	int walk;
	struct session *first;            /* nearest to the originator */
	struct session *parts[PARTS_MAX]; /* in no order */
	struct known known[PARTS_MAX];    /* by processes that are gone */
	unsigned part_count, known_count;
	struct tuple head,
	        tail; /* as packets of direction 0 come in, and leave; zones: where they come in, where answers do */
	uint64_t here; /* functions that have slots in the parts */
	uint64_t has;  /* these, and those that had one elsewhere */
	const struct transfer *
	        front; /* nearer to the originator than the first session: what it knows is the originator's view */
	enum slice_job
	        asks; /* JOB_ASK, JOB_ASK_BACK: it is only found out what processes of gone hops have to be asked for */
	bool shifted; /* its numbers are translated, by the first session from now on */
	struct tcp_shift shift;
};

/* One session as it is to be. */
struct piece {
	const struct segment *segment;
	struct tuple in, out;
};

/* A hop on the way, and the session there. */
struct crossing {
	const struct position *hop;
	struct tuple before, behind;
	bool begins, ends; /* there: the function emits its packets, or turns them round */
};

/* The flow as it is to be. */
struct plan {
	struct piece pieces[PARTS_MAX];
	struct crossing crossings[PARTS_MAX];
	unsigned piece_count, crossing_count;
	bool denied; /* by a function's review */
};

static int walk_of(const struct session *s)
{
	return s->flags & SESSION_WALK ? 1 : 0;
}

/* --- putting together --- */

static struct tuple exit_of(const struct session *s)
{
	struct tuple answer;

	session_tuple(s, 1, &answer);
	return tuple_reverse(&answer);
}

static bool add_part(struct flow *f, struct session *s)
{
	if (f->part_count == PARTS_MAX)
		return false;
	if (s->flags & SESSION_SHIFTED) {
		f->shifted = true;
		f->shift = *session_shift(s);
	}
	f->parts[f->part_count++] = s;
	f->here |= f->w->engine->layouts[s->layout];
	return true;
}

static bool add_known(struct flow *f, const struct gone_hop *hop, const struct transfer *session)
{
	if (f->known_count == PARTS_MAX)
		return false;
	if (session->carry.flags & SESSION_SHIFTED) {
		f->shifted = true;
		f->shift = session->shift;
	}
	f->known[f->known_count++] = (struct known){ hop, session };
	return true;
}

/* The session of this flow with a key, in the direction that is asked for. */
static struct session *part_by(const struct flow *f, const struct tuple *key, int wanted)
{
	int direction;
	struct session *s = flow_find(f->w->table, key, &direction);

	return s && direction == wanted && s->path == f->path->id && walk_of(s) == f->walk ? s : NULL;
}

static bool may_rewrite(const struct flow *f, const struct gone_hop *hop)
{
	return hop->nf >= ENGINE_NFS_MAX || f->w->engine->rewriters >> hop->nf & 1;
}

/* Whether the hop's process knew the flow by its other direction: this session was opened by answers, and their originator's has it all. */
static bool known_backwards(const struct flow *f, const struct gone_hop *hop)
{
	struct tuple answer = tuple_reverse(&f->tail);

	return takeover_by_behind(f->w->engine->takeover, hop, !f->walk, &answer) != NULL;
}

/* What the process of a gone hop knows by the tuple that packets of direction 0 leave with here; it is asked if it has not been. */
static const struct transfer *known_by_tail(struct flow *f, const struct gone_hop *hop)
{
	const struct transfer *known = takeover_by_before(f->w->engine->takeover, hop, f->walk, &f->tail);

	if (f->asks == JOB_ASK && !known)
		takeover_ask(f->w, hop, hop->zone[f->walk], &f->tail);
	return known;
}

/* The same by the tuple that they come with: what the session in front of the hop, if there is one, had no answer for by its tail. */
static const struct transfer *known_by_head(struct flow *f, const struct gone_hop *hop)
{
	const struct transfer *known = takeover_by_behind(f->w->engine->takeover, hop, f->walk, &f->head);
	struct tuple answer = tuple_reverse(&f->head);

	if (f->asks == JOB_ASK_BACK && !known)
		takeover_ask(f->w, hop, hop->zone[!f->walk], &answer);
	return known;
}

/* Over the hops that are gone toward where the flow leaves. */
static bool follow(struct flow *f)
{
	const struct takeover *t = f->w->engine->takeover;
	const struct gone_hop *hop;

	while ((hop = takeover_entered(t, f->path->id, f->walk, f->tail.zone))) {
		const struct transfer *known = known_by_tail(f, hop);
		struct tuple next = known ? known->behind : f->tail;
		struct session *s;

		if (known ? !add_known(f, hop, known) : may_rewrite(f, hop) || known_backwards(f, hop))
			return false;
		if (known && known->ends) {
			f->tail = next;
			f->tail.zone = (uint8_t)(EMITTED_ZONE | hop->nf);
			return true;
		}
		next.zone = hop->zone[!f->walk];
		s = part_by(f, &next, 0);
		if (s && !add_part(f, s))
			return false;
		f->tail = s ? exit_of(s) : next;
		if (!s)
			f->tail.zone = hop->behind[f->walk];
	}
	return true;
}

/* Over the hops that are gone toward where it comes from. */
static bool trace_back(struct flow *f)
{
	const struct takeover *t = f->w->engine->takeover;
	const struct gone_hop *hop;

	while ((hop = takeover_left(t, f->path->id, f->walk, f->head.zone))) {
		const struct transfer *known = known_by_head(f, hop);
		struct tuple before = known ? known->before : f->head, answer;
		struct session *s;

		if (known ? !add_known(f, hop, known) : may_rewrite(f, hop))
			return false;
		f->front = known ? known : f->front;
		if (known && known->begins) {
			f->head = before;
			f->head.zone = (uint8_t)(EMITTED_ZONE | hop->nf);
			return true;
		}
		before.zone = hop->zone[f->walk];
		answer = tuple_reverse(&before);
		s = part_by(f, &answer, 1);
		if (s ? !add_part(f, s) : hop->kept_before[f->walk])
			return false;
		if (s) {
			f->first = s;
			f->front = NULL;
			session_tuple(s, 0, &f->head);
		} else {
			f->head = before;
			f->head.zone = hop->before[f->walk];
		}
	}
	return true;
}

static bool put_together(struct flow *f, struct session *s)
{
	f->first = s;
	f->walk = walk_of(s);
	add_part(f, s);
	session_tuple(s, 0, &f->head);
	f->tail = exit_of(s);
	return !(s->flags & SESSION_ONEWAY) && follow(f) && trace_back(f) &&
	       !(f->shifted && f->shift.flags & SHIFT_WAITING);
}

/* --- slots --- */

static void copy_slots(struct flow *f, const struct session *from, uint64_t set)
{
	for (; set; set &= set - 1) {
		const struct nf *nf = f->w->snapshot->nfs[__builtin_ctzll(set)];

		if (nf && nf->slot_offset != NF_SLOT_NONE)
			memcpy(nf_slot(nf, f->first), nf_slot(nf, (struct session *)from),
			       nf->klass->slot.size);
	}
}

/* Brings all slots into the first session; answers the functions that have one. Sessions here are one then. */
static uint64_t gather(struct flow *f)
{
	uint64_t has = f->here;

	for (unsigned i = 0; i < f->part_count; i++) {
		if (f->parts[i] == f->first)
			continue;
		copy_slots(f, f->parts[i], f->w->engine->layouts[f->parts[i]->layout]);
		flow_remove(f->w->table, f->parts[i]);
	}
	for (unsigned i = 0; i < f->known_count; i++) {
		unsigned id = f->known[i].hop->nf;
		const struct nf *nf = id < ENGINE_NFS_MAX ? f->w->snapshot->nfs[id] : NULL;

		if (!nf || !transfer_fits(f->known[i].session, nf))
			continue;
		if (nf->slot_offset != NF_SLOT_NONE)
			memcpy(nf_slot(nf, f->first), f->known[i].session->slot, nf->klass->slot.size);
		has |= UINT64_C(1) << id;
	}
	return has;
}

/* --- dividing anew --- */

static const struct segment *segment_from(const struct path *path, int walk, uint8_t entry)
{
	for (unsigned i = 0; i < path->segment_count; i++)
		if (path->segments[i].walk == walk && path->segments[i].entry_zone == entry)
			return &path->segments[i];
	return NULL;
}

/* A function that knows the session does to the tuple what it does to packets. */
static enum verdict replay(struct flow *f, struct plan *plan, const struct nf *nf, const void *snapshot,
                           struct tuple *tuple)
{
	enum verdict verdict;

	if (!nf->klass->review)
		return VERDICT_PASS;
	verdict = nf->klass->review(nf, snapshot, f->first, tuple, f->path->ends[f->walk],
	                            f->path->ends[!f->walk]);
	plan->denied |= verdict == VERDICT_DROP;
	return verdict;
}

static bool same_but_zone(struct tuple a, struct tuple b)
{
	a.zone = b.zone = 0;
	return tuple_equal(&a, &b);
}

/* Functions of a segment from position `at` on: those that know the session take back what it holds if they were elsewhere, the others join.
 * TAKE: it ends at one of them, *at. */
static enum verdict cross_segment(struct flow *f, struct plan *plan, const struct segment *segment, int *at,
                                  uint64_t *taken, struct tuple *tuple)
{
	for (; *at != segment->end; *at += f->walk ? -1 : 1) {
		const struct position *p = &f->path->positions[*at];
		uint64_t bit = UINT64_C(1) << p->nf->id;
		enum verdict verdict;

		if (!(f->has & bit) && p->draining)
			continue;
		if (!(f->has & bit)) {
			if (!session_join_one(f->w, f->first, f->path, *at, tuple))
				return VERDICT_DROP;
			*taken |= bit;
			continue;
		}
		if (!(f->here & bit) && p->nf->klass->adopt) {
			if (!p->nf->klass->adopt(p->nf, p->snapshot, f->first, f->w->id))
				return VERDICT_DROP;
			*taken |= bit;
		}
		verdict = replay(f, plan, p->nf, p->snapshot, tuple);
		if (verdict != VERDICT_PASS)
			return verdict;
	}
	return VERDICT_PASS;
}

static enum verdict cross_hop(struct flow *f, struct plan *plan, const struct position *hop, bool begins,
                              struct tuple *tuple)
{
	struct crossing *c = &plan->crossings[plan->crossing_count++];
	enum verdict verdict = VERDICT_PASS;

	*c = (struct crossing){ .hop = hop, .before = *tuple, .begins = begins };
	if (hop->shadow && f->has & f->w->engine->rewriters & UINT64_C(1) << hop->shadow->id)
		verdict = replay(f, plan, hop->shadow, hop->snapshot, tuple);
	c->behind = *tuple;
	c->ends = verdict == VERDICT_TAKE;
	return verdict;
}

/* Whether the flow ended at this function, as it does now. */
static bool ends_at(const struct flow *f, const struct nf *nf, const struct tuple *tuple)
{
	return nf && f->tail.zone == nf_zone(nf) && same_but_zone(*tuple, f->tail);
}

/* The function whose emitted packets a flow begins with; -1: it is not on the path. */
static int emitter(const struct path *path, uint8_t zone)
{
	for (int i = 0; i < path->count; i++) {
		const struct position *p = &path->positions[i];
		const struct nf *nf = p->nf ? p->nf : p->shadow;

		if (nf && nf_zone(nf) == zone)
			return i;
	}
	return -1;
}

static const struct segment *behind_hop(const struct flow *f, const struct position *hop)
{
	return segment_from(f->path, f->walk, (uint8_t)(hop->link[!f->walk] + 1));
}

/* Where the flow comes in: the segment, and the position in it. NULL: nowhere any more. */
static const struct segment *way_in(struct flow *f, struct plan *plan, struct tuple *tuple, int *at)
{
	const struct segment *segment;

	if (f->head.zone & EMITTED_ZONE) {
		int position = emitter(f->path, f->head.zone);
		const struct position *p = position < 0 ? NULL : &f->path->positions[position];

		if (!p)
			return NULL;
		if (p->nf) {
			*at = position;
			return segment_at(f->path, f->walk, position);
		}
		if (cross_hop(f, plan, p, true, tuple) != VERDICT_PASS)
			return NULL;
		segment = behind_hop(f, p);
	} else {
		segment = segment_from(f->path, f->walk, f->head.zone);
	}
	if (segment)
		*at = segment->first;
	return segment;
}

/* Follows the flow along its path as it is now. `taken`: the functions that hold something of the session only since now. */
static bool lay_out(struct flow *f, struct plan *plan, uint64_t *taken)
{
	struct tuple tuple = f->head;
	int at = 0;
	const struct segment *segment = way_in(f, plan, &tuple, &at);
	bool emitted = f->head.zone & EMITTED_ZONE && !plan->crossing_count;

	while (segment && plan->piece_count < PARTS_MAX) {
		struct piece *piece = &plan->pieces[plan->piece_count++];
		const struct position *hop;
		enum verdict verdict;

		*piece = (struct piece){ .segment = segment, .in = tuple };
		piece->in.zone = emitted ? f->head.zone : segment->entry_zone;
		emitted = false;
		verdict = cross_segment(f, plan, segment, &at, taken, &tuple);
		piece->out = tuple;
		piece->out.zone = verdict == VERDICT_TAKE ? f->tail.zone : segment->answer_zone;
		if (verdict != VERDICT_PASS)
			return verdict == VERDICT_TAKE && ends_at(f, f->path->positions[at].nf, &tuple);
		if (segment->answer_zone == f->tail.zone)
			return same_but_zone(tuple, f->tail);
		if (segment->end < 0 || segment->end >= f->path->count)
			return false;
		hop = &f->path->positions[segment->end];
		verdict = cross_hop(f, plan, hop, false, &tuple);
		if (verdict != VERDICT_PASS)
			return verdict == VERDICT_TAKE && ends_at(f, hop->shadow, &tuple);
		segment = behind_hop(f, hop);
		at = segment ? segment->first : 0;
	}
	return false;
}

/* --- making it so --- */

/* A session in the way is one of the change before that nobody has come to yet, or of answers that came first. */
static bool make_way(struct worker *w, struct session *other)
{
	const struct path *path = w->snapshot->paths[other->path];

	if (path && other->generation == path->generation)
		return false;
	session_close(w, other);
	w->counters[C_PATH_CHANGED]++;
	return true;
}

static void describe(struct session *s, const struct flow *f, const struct piece *piece)
{
	s->layout = segment_layout(piece->segment, f->has);
	s->generation = f->path->generation;
	s->flags &= (uint8_t)~SESSION_REWRITTEN;
	if (!same_but_zone(piece->in, piece->out))
		s->flags |= SESSION_REWRITTEN;
}

static bool rekey(struct flow *f, const struct piece *piece)
{
	struct tuple answer = tuple_reverse(&piece->out);

	for (unsigned attempt = 0; attempt < 3; attempt++) {
		struct session *other = flow_rekey(f->w->table, f->first, &piece->in, &answer);

		if (!other) {
			describe(f->first, f, piece);
			return true;
		}
		if (other == f->first || !make_way(f->w, other))
			return false;
	}
	return false;
}

static bool keeps_sessions(const struct path *path, const struct segment *segment)
{
	return segment->set || segment->drains || segment->end < 0 || segment->end >= path->count ||
	       segment->first == (segment->walk ? path->count - 1 : 0);
}

/* Another session of the flow, for a segment behind a hop. Without room its packets open it anew. */
static void add_session(struct flow *f, const struct piece *piece)
{
	struct tuple answer = tuple_reverse(&piece->out);
	struct flow_carry carry;
	struct session *s, *other;
	int direction;

	if (!keeps_sessions(f->path, piece->segment))
		return;
	other = flow_find(f->w->table, &answer, &direction);
	if (other && !make_way(f->w, other))
		return;
	flow_carry_out(f->first, f->w->now_ms, &carry);
	if (f->shifted)
		shift_carry_to_server(&f->shift, &carry);
	if (flow_carry_in(f->w->table, &piece->in, &carry, f->w->now_ms, &s) != FLOW_OK)
		return;
	memcpy(session_slot(s, 0), session_slot(f->first, 0), ENGINE_SLOT_BYTES);
	s->path = f->first->path;
	s->bucket = (uint8_t)owner_of_session(f->w->snapshot, f->path, f->walk, &piece->in);
	s->flags |= f->first->flags & SESSION_WALK;
	describe(s, f, piece);
	if (flow_commit(f->w->table, s, &answer) != FLOW_OK)
		flow_abandon(f->w->table, s);
}

/* `translates`: the numbers are translated there. Behind where they are they are the server's. */
static void send_over(struct flow *f, const struct crossing *c, uint64_t has, bool translates)
{
	struct transfer_frame frame = { .kind = TRANSFER_SESSION };
	struct transfer *t = &frame.session;
	const struct nf *nf = c->hop->shadow;

	t->before = c->before;
	t->behind = c->behind;
	t->before.zone = t->behind.zone = 0;
	t->walk = (uint8_t)f->walk;
	t->begins = c->begins;
	t->ends = c->ends;
	flow_carry_out(f->first, f->w->now_ms, &t->carry);
	t->shift = f->shift;
	if (c->begins)
		t->carry.flags &= (uint8_t)~SESSION_SHIFTED;
	else if (f->shifted && !translates)
		shift_carry_to_server(&f->shift, &t->carry);
	if (nf && has >> nf->id & 1)
		transfer_put_slot(t, nf, f->first);
	if (t->known)
		transfer_send_ahead(f->w, c->hop, f->first);
	/* Packets of the flow come behind it by both links, also those that were held: the other end may read either link first, and an answer opens another session. */
	transfer_send(f->w, c->hop->link[f->walk], &frame);
	transfer_send(f->w, c->hop->link[!f->walk], &frame);
	slices_sent(f->w, c->hop);
}

static void leave_all(struct flow *f, uint64_t set)
{
	for (; set; set &= set - 1)
		session_leave(f->w, f->first, (unsigned)__builtin_ctzll(set));
}

static enum refreshed carry_out(struct flow *f, const struct plan *plan, uint64_t has)
{
	/* Between two hops nobody looks a session up: there is none, and the first one behind translates. */
	bool kept = keeps_sessions(f->path, plan->pieces[0].segment), elsewhere = f->shifted && !kept;
	uint64_t now_here = 0;

	for (unsigned i = 0; i < plan->piece_count; i++)
		now_here |= plan->pieces[i].segment->set | (plan->pieces[i].segment->drains & has);
	for (unsigned i = 0; i < plan->crossing_count; i++) {
		send_over(f, &plan->crossings[i], has, elsewhere && !plan->crossings[i].begins);
		elsewhere &= plan->crossings[i].begins;
	}
	for (unsigned i = 1; i < plan->piece_count; i++)
		add_session(f, &plan->pieces[i]);
	leave_all(f, f->here & ~now_here);
	if (!kept)
		flow_remove(f->w->table, f->first);
	f->w->counters[C_REVIEWED]++;
	return REFRESH_MOVED;
}

/* What has been put together so far ends: the functions that hold something of it give it back. */
static enum refreshed give_up(struct flow *f, uint64_t holding, bool denied)
{
	leave_all(f, holding);
	flow_remove(f->w->table, f->first);
	f->w->counters[C_CLOSED]++;
	f->w->counters[denied ? C_POLICY_CHANGED : C_PATH_CHANGED]++;
	return REFRESH_CLOSED;
}

/* The first session translates, and sees what the originator sees. */
static void translate_here(struct flow *f)
{
	if (f->front)
		flow_carry_track(f->first, &f->front->carry);
	*session_shift(f->first) = f->shift;
	f->first->flags |= SESSION_SHIFTED;
}

void session_ask(struct worker *w, struct session *s, enum slice_job way)
{
	const struct path *path = w->snapshot->paths[s->path];
	struct flow f = { .w = w, .path = path, .asks = way };

	if (path)
		put_together(&f, s);
}

enum refreshed session_regroup(struct worker *w, struct session *s, const struct path *path)
{
	struct flow f = { .w = w, .path = path };
	struct plan plan = { .denied = false };
	uint64_t has, taken = 0;

	if (!put_together(&f, s)) {
		session_close(w, s);
		w->counters[C_PATH_CHANGED]++;
		return REFRESH_CLOSED;
	}
	has = gather(&f);
	if (same_but_zone(f.head, f.tail))
		has &= ~path->draining; /* nothing that would have to go on */
	f.has = has;
	if (f.shifted)
		translate_here(&f);
	f.first->bucket = (uint8_t)owner_of_session(w->snapshot, path, f.walk, &f.head);
	if (has & w->engine->rewriters & ~(path->nf_set | path->draining) || !lay_out(&f, &plan, &taken) ||
	    !rekey(&f, &plan.pieces[0]))
		return give_up(&f, f.here | taken, plan.denied);
	return carry_out(&f, &plan, has);
}
