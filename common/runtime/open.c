/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * First packets: sessions are opened as a vector, position by position, each function seeing the tuple as it is there; then committed
 * under both keys. A refusal closes what was opened, in reverse order. Packets of one flow that came together wait for the first of them.
 * Worker thread.
 */
#include "flow/touch.h"
#include "packet/sctp.h"
#include "runtime/change/pickup.h"
#include "runtime/change/segments.h"
#include "runtime/worker.h"

enum { ATTEMPTS_MAX = 4 };

/* One vector on its way. */
struct round {
	struct opening openings[BATCH_MAX];
	struct opening *alive[BATCH_MAX];
	uint64_t seen[4]; /* bit by the low bits of a hash: one like it is among the openings */
	unsigned count;
	const struct entry *entry;
	const struct segment *segment;
	struct rte_mbuf *stateless[BATCH_MAX]; /* there is no room for a session, and none is needed */
	unsigned stateless_count;
	struct tcp_shift shifts[BATCH_MAX]; /* of openings with OPEN_PROVEN by a cookie */
};

static const unsigned refusal_counter[] = {
	[FLOW_FULL] = C_SESSIONS_FULL,
	[FLOW_CLASH] = C_KEY_CLASH,
	[FLOW_HALF_OPEN] = C_HALF_OPEN_FULL,
};

static int step(int walk)
{
	return walk ? -1 : 1;
}

static bool inside(const struct path *path, int position)
{
	return position >= 0 && position < path->count;
}

static bool is_midstream(struct rte_mbuf *m)
{
	struct pkt *p = pkt_of(m);

	if (p->proto == IPPROTO_SCTP && !(p->flags & PKT_LATER))
		return p->sctp_chunk != SCTP_INIT && p->sctp_chunk != SCTP_HEARTBEAT;
	return p->proto == IPPROTO_TCP && !(p->flags & PKT_LATER) &&
	       (p->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_ACK_FLAG)) != RTE_TCP_SYN_FLAG;
}

/* Only what two ends say that are in the middle of it: no SYN, no RST. */
static bool is_picked_up(const struct worker *w, struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);

	return pickup_open(w->engine, w->now) &&
	       (p->proto != IPPROTO_TCP || (p->tcp_flags & (RTE_TCP_SYN_FLAG | RTE_TCP_RST_FLAG |
	                                                    RTE_TCP_ACK_FLAG)) == RTE_TCP_ACK_FLAG);
}

static void session_begin(struct worker *w, const struct entry *entry, const struct segment *segment,
                          struct rte_mbuf *m, const struct tuple *tuple, struct session *s)
{
	if (w->workers == 1)
		pkt_of(m)->bucket = (uint8_t)owner_of_session(w->snapshot, entry->path, entry->walk, tuple);
	s->path = entry->path->id;
	s->layout = segment->layout;
	s->generation = entry->path->generation;
	s->bucket = pkt_of(m)->bucket;
	s->entry_ports = pkt_of(m)->in_port | 0xffff0000u;
	if (entry->walk)
		s->flags |= SESSION_WALK;
	if (is_midstream(m))
		s->flags |= SESSION_MIDSTREAM;
}

/* Whether packets may go from here without a session, as far as the next hop or the end. */
static bool goes_without(const struct entry *entry)
{
	for (int i = entry->position; inside(entry->path, i); i += step(entry->walk)) {
		const struct nf *nf = entry->path->positions[i].nf;

		if (!nf)
			break;
		if (entry->path->positions[i].draining)
			continue;
		if (nf->klass->process && !(nf->klass->flags & NF_STATELESS_OK))
			return false;
	}
	return true;
}

/* A SYN that some function on its way may have proven. */
static bool may_prove(const struct entry *entry, struct rte_mbuf *m)
{
	if (pkt_of(m)->proto != IPPROTO_TCP || is_midstream(m))
		return false;
	for (int i = entry->position; inside(entry->path, i); i += step(entry->walk)) {
		const struct nf *nf = entry->path->positions[i].nf;

		if (!nf)
			break;
		if (nf->klass->flags & NF_PROVES && !entry->path->positions[i].draining)
			return true;
	}
	return false;
}

/* No session is to be had. */
static void refuse(struct worker *w, struct round *round, struct rte_mbuf *m, enum flow_result result)
{
	if (result != FLOW_CLASH && goes_without(round->entry)) {
		w->counters[C_STATELESS]++;
		round->stateless[round->stateless_count++] = m;
	} else {
		worker_drop(w, m, refusal_counter[result]);
	}
}

/* Room for one session. Where half-open ones are many, its originator may have to prove itself; where there is no room, it must. */
static enum flow_result reserve(struct worker *w, const struct round *round, struct opening *o,
                                struct rte_mbuf *m, bool proven)
{
	enum flow_result result = flow_reserve(w->table, &o->tuple, w->now_ms, &o->session);
	bool full = result == FLOW_HALF_OPEN;

	if (likely(!full && (result != FLOW_OK ||
	                     !flow_half_open_above(w->table, &o->tuple, w->engine->sizes.syn_proxy_at))))
		return result;
	if (!proven && !may_prove(round->entry, m))
		return result;
	if (!proven)
		o->flags = full ? OPEN_PRESSED | OPEN_ASIDE : OPEN_PRESSED;
	return full ? flow_reserve_aside(w->table, &o->tuple, w->now_ms, &o->session) : result;
}

/* Starts one opening; false: the packet was dropped, or goes on without a session. */
static bool begin(struct worker *w, struct round *round, struct rte_mbuf *m, unsigned attempt,
                  const struct tcp_shift *proof)
{
	struct opening *o = &round->openings[round->count];
	const struct path *path = round->entry->path;
	int walk = round->entry->walk;
	enum flow_result result;

	memset(o, 0, sizeof(*o));
	pkt_tuple(m, &o->tuple);
	result = reserve(w, round, o, m, proof != NULL);
	if (result != FLOW_OK) {
		refuse(w, round, m, result);
		return false;
	}
	session_begin(w, round->entry, round->segment, m, &o->tuple, o->session);
	o->m = m;
	o->walk = (uint8_t)walk;
	o->attempt = (uint8_t)attempt;
	o->in_port = path->ends[walk];
	o->out_port = path->ends[!walk];
	if (o->session->flags & SESSION_MIDSTREAM)
		o->flags |= OPEN_MIDSTREAM | (is_picked_up(w, m) ? OPEN_PICKUP : 0);
	if (proof || o->tuple.zone & EMITTED_ZONE)
		o->flags |= OPEN_PROVEN;
	if (proof) {
		round->shifts[round->count] = *proof;
		*session_shift(o->session) = *proof;
		o->session->flags |= SESSION_SHIFTED;
	}
	o->answer_zone = round->segment->answer_zone;
	o->verdict = VERDICT_PASS;
	round->count++;
	return true;
}

/* Closes, in reverse, what the functions before `position` have opened for a session that will not be. */
static void undo(struct worker *w, const struct entry *entry, struct session *s, int position)
{
	for (int i = position; i != entry->position;) {
		const struct position *p;

		i -= step(entry->walk);
		p = &entry->path->positions[i];
		if (p->nf && !p->draining && p->nf->klass->close)
			p->nf->klass->close(p->nf, p->snapshot, s, w->id);
	}
}

static void trace_refusal(struct worker *w, const struct position *p, const struct opening *o)
{
	const char *reason = o->verdict == VERDICT_DROP ? p->nf->klass->counters[o->reason].name : NULL;

	trace_step(w, o->m, STEP_REFUSED, p->name, reason, p->nf->klass->name);
}

/* The openings that a function refused or took leave the vector. */
static void sift(struct worker *w, struct round *round, struct openings *os, int position)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < os->count; i++) {
		struct opening *o = os->list[i];

		if (o->verdict == VERDICT_PASS && !o->ended) {
			os->list[kept++] = o;
		} else if (o->verdict != VERDICT_PASS) {
			undo(w, round->entry, o->session, position);
			flow_abandon(w->table, o->session);
			o->session = NULL;
			if (unlikely(w->trace != NULL))
				trace_refusal(w, &round->entry->path->positions[position], o);
			if (o->verdict == VERDICT_DROP)
				rte_pktmbuf_free(o->m);
			else if (o->proves)
				syn_proxy_ask(w, round->entry->path, round->entry->walk, (unsigned)position,
				              o->m);
		}
	}
	os->count = kept;
}

/* Asks the functions, from the entry on, until a hop or the end. */
static void ask(struct worker *w, struct round *round, unsigned first)
{
	const struct path *path = round->entry->path;
	struct openings os = { .now = w->now, .worker = w, .path = path, .worker_id = w->id };

	for (unsigned i = first; i < round->count; i++)
		os.list[os.count++] = &round->openings[i];
	for (int i = round->entry->position; inside(path, i) && os.count; i += step(round->entry->walk)) {
		const struct position *p = &path->positions[i];

		if (!p->nf)
			break;
		if (!p->nf->klass->open || p->draining)
			continue;
		os.counters = w->nf_counters[p->nf->id];
		os.position = (uint16_t)i;
		w->traffic[p->nf->id].opened += os.count;
		p->nf->klass->open(p->nf, p->snapshot, &os);
		sift(w, round, &os, i);
	}
}

/* Where the functions that were asked end, for undo(). */
static int asked_until(const struct entry *entry)
{
	int i = entry->position;

	while (inside(entry->path, i) && entry->path->positions[i].nf)
		i += step(entry->walk);
	return i;
}

static void undo_all(struct worker *w, struct round *round, struct opening *o)
{
	undo(w, round->entry, o->session, asked_until(round->entry));
	flow_abandon(w->table, o->session);
	o->session = NULL;
}

/* There is no room, and no function had it prove itself. */
static enum flow_result give_up(struct worker *w, struct round *round, struct opening *o)
{
	undo_all(w, round, o);
	return FLOW_HALF_OPEN;
}

/* Tuple by which the answers of a session come in. */
static struct tuple answer_of(const struct opening *o)
{
	struct tuple answer = tuple_reverse(&o->tuple);

	answer.zone = o->answer_zone;
	return answer;
}

static enum flow_result commit_one(struct worker *w, struct round *round, struct opening *o)
{
	struct tuple answer = answer_of(o), first;
	enum flow_result result;

	pkt_tuple(o->m, &first);
	if (!tuple_equal(&first, &o->tuple))
		o->session->flags |= SESSION_REWRITTEN;
	result = flow_commit(w->table, o->session, o->session->flags & SESSION_ONEWAY ? NULL : &answer);
	if (result == FLOW_OK) {
		w->counters[C_OPENED]++;
		w->opened_this_turn++;
		pkt_of(o->m)->session = o->session;
		pkt_of(o->m)->dir = 0;
		if (unlikely(w->trace != NULL))
			trace_opened(w, o->m, round->entry->path->name);
		return FLOW_OK;
	}
	undo_all(w, round, o);
	return result;
}

/* The keys clash: a path that rewrites tries again, which lets a NAT take another port; others refuse. */
static bool commit(struct worker *w, struct round *round, struct opening *o)
{
	const struct tcp_shift *proof =
	        o->session->flags & SESSION_SHIFTED ? &round->shifts[o - round->openings] : NULL;
	enum flow_result result = o->flags & OPEN_ASIDE ? give_up(w, round, o) : commit_one(w, round, o);

	for (unsigned attempt = 1;
	     result == FLOW_CLASH && round->entry->path->rewrites && attempt < ATTEMPTS_MAX; attempt++) {
		struct round again = { .entry = round->entry, .segment = round->segment };

		if (!begin(w, &again, o->m, attempt, proof)) {
			if (again.stateless_count)
				round->stateless[round->stateless_count++] = o->m;
			return false;
		}
		ask(w, &again, 0);
		if (!again.openings[0].session)
			return false;
		result = commit_one(w, &again, &again.openings[0]);
	}
	if (result != FLOW_OK)
		refuse(w, round, o->m, result);
	return result == FLOW_OK;
}

static void touch_first(struct worker *w, struct rte_mbuf **run, unsigned *n, struct rte_mbuf *m)
{
	struct session *s = pkt_of(m)->session;
	enum flow_invalid invalid = flow_touch(w->table, s, m, w->now_ms);

	if (likely(invalid == FLOW_VALID)) {
		if (unlikely(s->flags & SESSION_SHIFTED))
			syn_proxy_begin(w, s);
		run[(*n)++] = m;
		return;
	}
	session_close(w, s);
	worker_drop(w, m, invalid_counter[invalid]);
}

/* Whether another packet of this vector already opens what looks like the same flow. */
static bool being_opened(struct round *round, struct rte_mbuf *m)
{
	uint32_t hash = pkt_of(m)->hash;
	uint64_t *seen = &round->seen[hash >> 6 & 3], bit = UINT64_C(1) << (hash & 63);

	for (unsigned i = 0; *seen & bit && i < round->count; i++)
		if (pkt_of(round->openings[i].m)->hash == hash)
			return true;
	*seen |= bit;
	return false;
}

/* What the functions left of the openings becomes sessions; answers the number of packets that may run. */
static unsigned commit_all(struct worker *w, struct round *round, struct rte_mbuf **run)
{
	unsigned ready = 0;

	for (unsigned i = 0; i < round->count; i++) {
		struct tuple answer = answer_of(&round->openings[i]);

		flow_prefetch(w->table, &answer);
	}
	for (unsigned i = 0; i < round->count; i++)
		if (round->openings[i].session && commit(w, round, &round->openings[i]))
			touch_first(w, run, &ready, round->openings[i].m);
	return ready;
}

/* One round over the packets; those that must wait for another of their flow are left in `m`, their number is the answer. */
static unsigned open_round(struct worker *w, const struct entry *entry, struct rte_mbuf **m, unsigned n)
{
	struct rte_mbuf *run[BATCH_MAX];
	unsigned wait = 0, ready;
	struct tcp_shift proof;
	struct round round;

	round.count = round.stateless_count = 0;
	memset(round.seen, 0, sizeof(round.seen));
	round.entry = entry;
	round.segment = segment_at(entry->path, entry->walk, entry->position);
	for (unsigned i = 0; i < n; i++) {
		if (unlikely(pkt_of(m[i])->flags & PKT_ICMP_ERROR))
			worker_drop(w, m[i], C_NO_SESSION);
		else if (unlikely(being_opened(&round, m[i])))
			m[wait++] = m[i];
		else
			begin(w, &round, m[i], 0, syn_proxy_proof(w, m[i], &proof) ? &proof : NULL);
	}
	ask(w, &round, 0);
	ready = commit_all(w, &round, run);
	if (ready)
		path_run(w, entry->path, entry->walk, entry->position, run, ready);
	if (round.stateless_count)
		path_run(w, entry->path, entry->walk, entry->position, round.stateless,
		         round.stateless_count);
	return wait;
}

/* Packets that waited for the first of their flow: now they mostly hit. Those that still miss are left in `m`. */
static unsigned retry_lookup(struct worker *w, const struct entry *entry, struct rte_mbuf **m, unsigned n)
{
	uint64_t hits =
	        flow_lookup(w->table, m, n, (UINT64_C(1) << n) - 1 /* n < 64: one of them went ahead */);
	struct rte_mbuf *run[BATCH_MAX];
	unsigned ready = 0, left = 0;

	for (unsigned i = 0; i < n; i++) {
		enum flow_invalid invalid;

		if (!(hits >> i & 1)) {
			m[left++] = m[i];
			continue;
		}
		invalid = session_touch(w, pkt_of(m[i])->session, m[i]);
		if (invalid == FLOW_VALID)
			run[ready++] = m[i];
		else
			worker_drop(w, m[i], invalid_counter[invalid]);
	}
	if (ready)
		path_run(w, entry->path, entry->walk, entry->position, run, ready);
	return left;
}

void open_misses(struct worker *w, const struct entry *entry, struct rte_mbuf **m, unsigned n)
{
	while (n) {
		n = open_round(w, entry, m, n);
		if (n)
			n = retry_lookup(w, entry, m, n);
	}
}

bool session_closing(void *worker, struct session *s)
{
	struct worker *w = worker;
	const struct snapshot *snapshot = slices_of(w, s);
	uint64_t set = w->engine->layouts[s->layout];

	flow_prefetch_keys(w->table, s);
	while (set) {
		unsigned id = (unsigned)__builtin_ctzll(set);
		const struct nf *nf = snapshot->nfs[id];

		set &= set - 1;
		if (nf && nf->klass->close)
			nf->klass->close(nf, snapshot->nf_snapshots[id], s, w->id);
	}
	w->counters[C_CLOSED]++;
	return true;
}

void session_close(struct worker *w, struct session *s)
{
	session_closing(w, s);
	flow_remove(w->table, s);
}
