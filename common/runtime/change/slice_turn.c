/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker does while a change is made slice by slice. Worker thread. */
#include "runtime/change/slices.h"

#include "runtime/change/takeover.h"
#include "runtime/change/transfer_link.h"
#include "runtime/worker.h"

enum {
	HELD_STOP = SLICE_HELD_MAX / 2,
	TURNED_MAX =
	        SLICE_HELD_MAX / 8, /* they may wait for many slices, and nobody else's should for them */
	POOL_SHARE = 4,
	LOOK_BUDGET = 8192, /* sessions looked at in a turn */
	LOOK_STEP = 64,
	PACE = 128,       /* sessions */
	ACKS_MAX = 8,     /* two links a hop: some 600 sessions are on their way by each */
	MEET_BUDGET = 256 /* of the slice among them */
};

/* --- the turn --- */

void slices_look(struct worker *w)
{
	struct slice_turn *t = &w->slice;
	const struct snapshot *next = atomic_load_explicit(&w->engine->slices.next, memory_order_acquire);
	uint64_t view;

	if (likely(!next && !t->next))
		return;
	t->next = next;
	if (!next)
		return;
	view = atomic_load_explicit(&w->engine->slices.view, memory_order_acquire);
	t->from = view & 0xffff;
	t->to = view >> 16 & 0xffff;
	t->stage = (enum slice_stage)(view >> 32);
}

const struct snapshot *slices_use(struct worker *w, const struct snapshot *snapshot)
{
	const struct snapshot *before = w->snapshot;

	if (before == snapshot)
		return before;
	while (w->emit_head != w->emit_tail)
		emit_drain(w); /* positions in it are those of the configuration that it was emitted under */
	w->snapshot = snapshot;
	return before;
}

const struct snapshot *slices_of(const struct worker *w, const struct session *s)
{
	const struct slice_turn *t = &w->slice;
	const struct path *path;

	if (likely(!t->next) || !s)
		return w->snapshot;
	if (s->bucket < t->from || s->bucket >= t->to)
		return s->bucket < t->from ? t->next : t->now;
	path = t->next->paths[s->path];
	return path && s->generation == path->generation ? t->next : w->snapshot; /* it has just moved */
}

const struct snapshot *slices_of_sent(const struct worker *w, const struct pkt *p)
{
	const struct slice_turn *t = &w->slice;
	unsigned from = atomic_load_explicit(&w->engine->slices.view, memory_order_acquire) & 0xffff;

	return p->bucket < from ? t->next : t->now;
}

/* What one worker receives may wait at another. */
bool slices_full(const struct worker *w)
{
	const struct engine_sizes *sizes = &w->engine->sizes;
	unsigned most = RTE_MIN((unsigned)HELD_STOP, sizes->mbufs / sizes->workers / POOL_SHARE);

	for (unsigned i = 0; i < sizes->workers; i++)
		if (atomic_load_explicit(&w->engine->workers[i]->slice.held_count, memory_order_relaxed) >=
		    most)
			return true;
	return false;
}

/* --- packets --- */

static bool has_port(const struct snapshot *s, uint16_t number)
{
	return s->ports[number].role != PORT_UNUSED;
}

bool slices_port(const struct worker *w, uint16_t number)
{
	const struct slice_turn *t = &w->slice;

	return t->next && number < ENGINE_PORTS_MAX &&
	       (has_port(t->now, number) || has_port(t->next, number));
}

bool slices_link(const struct worker *w, uint16_t number)
{
	const struct slice_turn *t = &w->slice;

	return t->now->ports[number].role == PORT_LINK || t->next->ports[number].role == PORT_LINK;
}

static void hold(struct worker *w, struct rte_mbuf *m)
{
	struct slice_turn *t = &w->slice;
	unsigned count = atomic_load_explicit(&t->held_count, memory_order_relaxed);

	if (count == SLICE_HELD_MAX) {
		worker_drop(w, m, C_HANDOFF_FULL);
		return;
	}
	atomic_store_explicit(&t->held_from, t->from, memory_order_relaxed);
	t->held[count] = m;
	atomic_store_explicit(&t->held_count, count + 1, memory_order_relaxed);
}

static void run_with(struct worker *w, const struct snapshot *snapshot, uint16_t number, struct rte_mbuf **m,
                     unsigned n)
{
	const struct snapshot *before = slices_use(w, snapshot);

	ingress_owned_here(w, number, m, n);
	slices_use(w, before);
}

/* Packets whose bucket has the next configuration, to their owners by that; answers how many stay, which are in front then. */
static unsigned to_new_owners(struct worker *w, uint16_t number, struct rte_mbuf **m, unsigned n)
{
	const struct snapshot *next = w->slice.next;
	unsigned kept = 0;

	if (w->engine->slices.other_owners && has_port(next, number))
		owner_buckets(&next->ports[number], m, n);
	for (unsigned i = 0; i < n; i++) {
		unsigned owner = next->bucket_worker[pkt_of(m[i])->bucket];

		if (owner == w->id)
			m[kept++] = m[i];
		else
			handoff(w, owner, m[i], STAGE_LOOKUP);
	}
	return kept;
}

/* What becomes of a packet. */
enum fate { FATE_NOW, FATE_NEXT, FATE_WAIT, FATE_REFUSED };

static enum fate fate_of(const struct slice_turn *t, bool outside, bool known, unsigned bucket)
{
	if (bucket < t->from)
		return FATE_NEXT;
	if (bucket < t->to && (outside || t->stage == SLICE_ALL))
		return FATE_WAIT;
	return known ? FATE_NOW : FATE_NEXT;
}

/* A connection that turns round is two sessions, of two buckets: it goes by one configuration, or waits until it does. */
static enum fate fate_of_turned(struct slice_turn *t, unsigned bucket, unsigned other, enum fate fate)
{
	unsigned low = bucket < other ? bucket : other, high = bucket < other ? other : bucket;

	if (high < t->from || low >= t->to)
		return fate;
	return fate == FATE_WAIT || t->turned++ < TURNED_MAX ? FATE_WAIT : FATE_REFUSED;
}

void slices_owned(struct worker *w, uint16_t number, struct rte_mbuf **m, unsigned n)
{
	struct slice_turn *t = &w->slice;
	bool known = has_port(t->now, number);
	const struct snapshot_port *port = &(known ? t->now : t->next)->ports[number];
	bool outside = port->role == PORT_OUTSIDE;
	struct rte_mbuf *now[BATCH_MAX], *next[BATCH_MAX];
	unsigned now_count = 0, next_count = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned bucket = pkt_of(m[i])->bucket,
		         other = outside ? owner_of_turned(port, m[i]) : bucket;
		enum fate fate = fate_of(t, outside, known, bucket);

		if (other != bucket)
			fate = fate_of_turned(t, bucket, other, fate);
		switch (fate) {
		case FATE_NOW:
			now[now_count++] = m[i];
			break;
		case FATE_NEXT:
			next[next_count++] = m[i];
			break;
		case FATE_WAIT:
			hold(w, m[i]);
			break;
		case FATE_REFUSED:
			worker_drop(w, m[i], C_HANDOFF_FULL);
			break;
		}
	}
	if (now_count)
		run_with(w, t->now, number, now, now_count);
	if (w->engine->slices.rebalances)
		next_count = to_new_owners(w, number, next, next_count);
	if (next_count)
		run_with(w, t->next, number, next, next_count);
}

void slices_ingress(struct worker *w, const struct snapshot_port *port, struct rte_mbuf **m, unsigned n)
{
	uint16_t number = pkt_of(m[0])->in_port;

	owner_buckets(port, m, n);
	if (w->snapshot->workers > 1)
		n = handoff_burst(w, m, n);
	if (n)
		slices_owned(w, number, m, n);
}

/* Packets of one port that came one after the other go on together. */
static void release(struct worker *w, struct rte_mbuf **m, unsigned n)
{
	for (unsigned i = 0, last; i < n; i = last) {
		uint16_t number = pkt_of(m[i])->in_port;

		for (last = i + 1; last < n && last - i < BATCH_MAX; last++)
			if (pkt_of(m[last])->in_port != number)
				break;
		slices_owned(w, number, m + i, last - i);
	}
}

void slices_release(struct worker *w)
{
	struct slice_turn *t = &w->slice;
	unsigned count = atomic_load_explicit(&t->held_count, memory_order_relaxed);

	if (t->next == w->snapshot)
		t->next = NULL; /* it has been published */
	t->now = w->snapshot;
	if (likely(!count) || t->from == atomic_load_explicit(&t->held_from, memory_order_relaxed))
		return;
	t->turned = 0;
	atomic_store_explicit(&t->held_count, 0, memory_order_release);
	release(w, t->held, count);
}

/* --- sessions --- */

static bool in_slice(struct worker *w, const struct session *s)
{
	bool is = s->bucket >= w->slice.from && s->bucket < w->slice.to;

	w->slice.met += is;
	return is;
}

static bool turns_round(const struct session *s)
{
	return (s->key[0].zone | s->key[1].zone) & EMITTED_ZONE;
}

static void survey(void *worker, struct session *s)
{
	struct worker *w = worker;
	struct slices *slices = &w->engine->slices;
	const struct path *path = w->slice.now->paths[s->path];

	atomic_fetch_add_explicit(&slices->sessions[s->bucket], 1, memory_order_relaxed);
	if (w->engine->resuming)
		return;
	if (path && turns_round(s) && !path_same_walk(path, w->slice.next->paths[s->path]))
		atomic_fetch_add_explicit(&slices->turned, 1, memory_order_relaxed);
	if (!path || s->generation != path->generation) /* of the change before */
		session_refresh(w, s, path);
}

static void ask(void *worker, struct session *s)
{
	struct worker *w = worker;

	if (in_slice(w, s))
		session_ask(w, s, JOB_ASK);
}

static void ask_back(void *worker, struct session *s)
{
	struct worker *w = worker;

	if (in_slice(w, s))
		session_ask(w, s, JOB_ASK_BACK);
}

static void regroup(void *worker, struct session *s)
{
	struct worker *w = worker;
	const struct path *path = w->snapshot->paths[s->path];

	if (in_slice(w, s) && (!path || s->generation != path->generation))
		session_refresh(w, s, path);
}

static bool paced(const struct worker *w)
{
	const struct slice_turn *t = &w->slice;

	return (int32_t)(t->acks_due - atomic_load_explicit(&t->acks, memory_order_relaxed)) >= ACKS_MAX &&
	       !atomic_load_explicit(&w->engine->slices.unpaced, memory_order_relaxed);
}

void slices_sent(struct worker *w, const struct position *hop)
{
	const struct transfer_frame probe = { .kind = TRANSFER_PROBE,
		                              .senders = 1,
		                              .round = (uint16_t)(SLICE_PACE | w->id) };
	struct slice_turn *t = &w->slice;

	if (!t->next || ++t->sent[hop->hop] < PACE)
		return;
	t->sent[hop->hop] = 0;
	for (unsigned side = 0; side < 2; side++)
		t->acks_due += transfer_send(w, hop->link[side], &probe);
}

/* A part of the table: as much as other packets can wait for, and no more questions or sessions than the links have room for. Answers how much; nothing while
 * it waits for others, which may need this core. */
static unsigned walk_some(struct worker *w, flow_visit_fn *visit)
{
	struct slice_turn *t = &w->slice;
	unsigned looked = 0;

	t->met = 0;
	while (looked < LOOK_BUDGET && t->met < MEET_BUDGET && !takeover_busy(w->engine->takeover) &&
	       !paced(w)) {
		flow_walk(w->table, &t->cursor, LOOK_STEP, visit, w);
		looked += LOOK_STEP;
		if (!t->cursor)
			break;
	}
	return looked;
}

unsigned slices_work(struct worker *w)
{
	static flow_visit_fn *const visits[] = {
		[JOB_SURVEY] = survey, [JOB_ASK] = ask, [JOB_ASK_BACK] = ask_back, [JOB_REGROUP] = regroup
	};
	struct slice_turn *t = &w->slice;
	enum slice_job what;
	unsigned looked;
	uint64_t job;

	if (likely(!t->next))
		return 0;
	job = atomic_load_explicit(&w->engine->slices.job, memory_order_acquire);
	what = (enum slice_job)(job & 0xff);
	if (job == atomic_load_explicit(&t->done, memory_order_relaxed))
		return 0;
	if (t->job != job) {
		t->job = job;
		t->cursor = 0;
		t->acks_due = atomic_load_explicit(&t->acks, memory_order_relaxed);
	}
	slices_use(w, what == JOB_REGROUP ? t->next : t->now);
	looked = walk_some(w, visits[what]);
	slices_use(w, t->now);
	if (looked && !t->cursor)
		atomic_store_explicit(&t->done, job, memory_order_release);
	return looked;
}
