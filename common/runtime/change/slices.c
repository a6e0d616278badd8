/* SPDX-License-Identifier: BSD-3-Clause */
/* A change slice by slice: the order of its steps. Control side, under the engine's change_lock. */
#include "runtime/change/slices.h"

#include <inttypes.h>
#include <unistd.h>

#include "manage/log.h"
#include "runtime/change/rebalance.h"
#include "runtime/change/takeover.h"
#include "runtime/change/transfer_link.h"
#include "runtime/engine_private.h"
#include "runtime/worker.h"

enum {
	SLICES_MAX = 64,
	SLICE_SESSIONS = 8192, /* moved in some 50 ms */
	STEP_US = 100,
	ECHO_US = 300 * 1000, /* a process that does not answer in this time hangs, or is of another build */
	INBOX_US = 1000 * 1000,
	PACE_US = 5000 * 1000,
};

/* One change. */
struct change_run {
	struct engine *engine;
	const struct snapshot *now, *next;
	uint64_t links; /* behind which packets of sessions may be that are moved */
	unsigned slices, asks;
	unsigned rounds; /* of probes: what comes out of one hop goes into the next one of its path */
	uint64_t sessions;
	uint64_t held_longest; /* ns */
};

/* --- whether --- */

static bool has_hop(const struct path *path)
{
	for (unsigned i = 0; i < path->count; i++)
		if (!path->positions[i].nf)
			return true;
	return false;
}

/* Whether functions move between processes: a path walks otherwise, and has or had a hop. */
static bool moves(const struct snapshot *now, const struct snapshot *next)
{
	for (unsigned i = 0; i < ENGINE_PATHS_MAX; i++) {
		const struct path *a = now->paths[i], *b = next->paths[i];

		if (a && !path_same_walk(a, b) && (has_hop(a) || (b && has_hop(b))))
			return true;
	}
	return false;
}

bool slices_needed(const struct engine *engine, const struct snapshot *now, const struct snapshot *next)
{
	return !engine->options.manual && (rebalance_needed(engine, now, next) || moves(now, next));
}

/* Links of hops on paths that change. */
static uint64_t links_that_change(const struct snapshot *now, const struct snapshot *next)
{
	uint64_t links = 0;

	for (unsigned i = 0; i < now->path_count; i++) {
		const struct path *path = now->paths[i];

		for (unsigned k = 0; path && !path_same_walk(path, next->paths[i]) && k < path->count; k++)
			if (!path->positions[k].nf)
				links |= UINT64_C(1) << path->positions[k].link[0] |
				         UINT64_C(1) << path->positions[k].link[1];
	}
	return links;
}

/* The most hops with such links on one path; one at least. */
static unsigned most_hops(const struct snapshot *now, uint64_t links)
{
	unsigned most = 1;

	for (unsigned i = 0; i < now->path_count; i++) {
		const struct path *path = now->paths[i];
		unsigned hops = 0;

		for (unsigned k = 0; path && k < path->count; k++)
			hops += !path->positions[k].nf && links >> path->positions[k].link[0] & 1;
		most = hops > most ? hops : most;
	}
	return most;
}

static uint64_t all_links(const struct snapshot *s)
{
	uint64_t links = 0;

	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		links |= (uint64_t)(s->ports[i].role == PORT_LINK) << i;
	return links;
}

/* --- steps --- */

static void set_view(struct engine *engine, unsigned from, unsigned to, enum slice_stage stage)
{
	atomic_store(&engine->slices.view, (uint64_t)stage << 32 | (uint64_t)to << 16 | from);
	engine_grace(engine);
}

static bool all_have_done(const struct engine *engine, uint64_t job)
{
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		if (atomic_load_explicit(&engine->workers[i]->slice.done, memory_order_acquire) != job)
			return false;
	return true;
}

static uint32_t acks(const struct engine *engine)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		sum += atomic_load_explicit(&engine->workers[i]->slice.acks, memory_order_relaxed);
	return sum;
}

/* Has every worker do something with its sessions. A process that does not say how far it is holds nobody up for ever. */
static void work(struct engine *engine, enum slice_job what)
{
	struct slices *slices = &engine->slices;
	uint64_t job = ((atomic_load(&slices->job) >> 8) + 1) << 8 | what;
	uint32_t before = acks(engine);

	atomic_store_explicit(&slices->job, job, memory_order_release);
	for (unsigned silent = 0; !all_have_done(engine, job); silent += STEP_US) {
		uint32_t now = acks(engine);

		usleep(STEP_US);
		if (what == JOB_ASK || what == JOB_ASK_BACK)
			takeover_waits(engine->takeover, STEP_US);
		silent = now == before ? silent : 0;
		before = now;
		if (what == JOB_REGROUP && silent > PACE_US)
			atomic_store(&slices->unpaced, true);
	}
}

/* --- what is on its way --- */

struct probing {
	uint64_t links;
	uint16_t round;
	uint32_t sent[ENGINE_PORTS_MAX];
};

static void probe(struct worker *w, void *argument)
{
	struct probing *p = argument;
	const struct transfer_frame frame = { .kind = TRANSFER_PROBE, .round = p->round };

	for (uint64_t left = p->links; left; left &= left - 1) {
		unsigned link = (unsigned)__builtin_ctzll(left);

		p->sent[link] += transfer_send(w, (uint16_t)link, &frame);
	}
}

void slices_echo(struct engine *engine, uint16_t link, const struct transfer_frame *frame)
{
	struct slices *slices = &engine->slices;
	unsigned worker = frame->round & (SLICE_PACE - 1);

	if (frame->round & SLICE_PACE) {
		if (worker < engine->sizes.workers)
			atomic_fetch_add(&engine->workers[worker]->slice.acks, 1);
		return;
	}
	if (frame->round != atomic_load(&slices->round))
		return;
	atomic_store(&slices->echoes_due[link], frame->senders);
	atomic_fetch_add(&slices->echoes[link], 1);
}

/* The links of a hop by which not all workers behind it have answered what was sent by the other one: those. */
static uint64_t unanswered_by(const struct slices *slices, const struct probing *p, const uint16_t link[2])
{
	uint64_t links = 0;

	for (unsigned side = 0; side < 2; side++) {
		uint32_t due = atomic_load(&slices->echoes_due[link[!side]]) * p->sent[link[side]];

		if (p->sent[link[side]] && (!due || atomic_load(&slices->echoes[link[!side]]) < due))
			links |= UINT64_C(1) << link[side];
	}
	return links;
}

static uint64_t unanswered(const struct change_run *run, const struct probing *p)
{
	uint64_t links = 0;

	for (unsigned i = 0; i < run->now->path_count; i++) {
		const struct path *path = run->now->paths[i];

		for (unsigned k = 0; path && k < path->count; k++)
			if (!path->positions[k].nf)
				links |= unanswered_by(&run->engine->slices, p, path->positions[k].link);
	}
	return links;
}

/* What is behind hops comes back: each of their workers says so by the other link. One that does not is not asked again. */
static void come_back(struct change_run *run)
{
	struct engine *engine = run->engine;
	struct slices *slices = &engine->slices;
	struct probing p = { .round = (atomic_load(&slices->round) + 1) & (SLICE_PACE - 1) };

	for (uint64_t left = run->links; left; left &= left - 1)
		if (port_up(engine->ports[__builtin_ctzll(left)].port))
			p.links |= left & -left;
	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++) {
		atomic_store(&slices->echoes[i], 0);
		atomic_store(&slices->echoes_due[i], 0);
	}
	atomic_store(&slices->round, p.round);
	for (unsigned i = 0; p.links && i < run->now->workers; i++)
		engine_call(engine, i, probe, &p);
	for (unsigned waited = 0; unanswered(run, &p) && waited < ECHO_US; waited += STEP_US)
		usleep(STEP_US);
	run->links &= ~unanswered(run, &p);
}

/* What lay in the workers' inboxes has been dealt with. */
static void pass_inboxes(struct engine *engine)
{
	uint32_t mark[ENGINE_WORKERS_MAX];

	engine_grace(engine);
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		mark[i] = engine->workers[i]->inbox->prod.tail;
	for (unsigned i = 0, waited = 0; i < engine->sizes.workers; i++)
		while ((int32_t)(engine->workers[i]->inbox->cons.tail - mark[i]) < 0 && waited < INBOX_US) {
			usleep(STEP_US);
			waited += STEP_US;
		}
	engine_grace(engine);
}

/* Nothing waits any more for the slices before bucket `from`. A worker that sleeps has not seen yet that it need not. */
static void pass_held(struct engine *engine, unsigned from)
{
	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		const struct slice_turn *t = &engine->workers[i]->slice;

		while (atomic_load_explicit(&t->held_count, memory_order_acquire) &&
		       atomic_load_explicit(&t->held_from, memory_order_relaxed) != from)
			usleep(STEP_US);
	}
	engine_grace(engine);
}

void slices_empty(struct engine *engine)
{
	struct change_run run = { .engine = engine, .now = atomic_load(&engine->snapshot) };

	run.links = all_links(run.now);
	run.rounds = most_hops(run.now, run.links);
	atomic_store(&engine->emptying, true);
	engine_grace(engine);
	for (unsigned i = 0; run.links && i < run.rounds; i++) {
		pass_inboxes(engine);
		come_back(&run);
	}
	pass_inboxes(engine);
}

/* --- a slice --- */

/* What one process of a path says may be what another has to be asked for. */
static void ask(struct change_run *run, enum slice_job way)
{
	for (unsigned i = 0; i < run->asks; i++) {
		work(run->engine, way);
		while (takeover_waits(run->engine->takeover, STEP_US))
			usleep(STEP_US);
	}
}

/* Has processes say what they know of the slice's sessions. */
static void collect(struct change_run *run)
{
	takeover_open(run->engine->takeover);
	ask(run, JOB_ASK);
	ask(run, JOB_ASK_BACK);
	takeover_close(run->engine->takeover);
}

static void move_slice(struct change_run *run, unsigned from, unsigned to)
{
	struct engine *engine = run->engine;
	uint64_t since, held;

	takeover_links(engine);
	since = clock_now(&engine->clock);
	set_view(engine, from, to, SLICE_ENTRY);
	atomic_store(&engine->holding, false);
	for (unsigned i = 0; i < run->rounds; i++) {
		come_back(run);
		pass_inboxes(engine);
	}
	set_view(engine, from, to, SLICE_ALL);
	collect(run);
	if (engine->slices.rebalances) {
		rebalance_take(engine, run->next, from, to, engine->slices.other_owners);
		rebalance_put(engine);
	}
	work(engine, JOB_REGROUP);
	set_view(engine, to, to, SLICE_NONE);
	pass_held(engine, to);
	held = clock_now(&engine->clock) - since;
	run->held_longest = held > run->held_longest ? held : run->held_longest;
}

/* --- the change --- */

static uint64_t survey(struct engine *engine)
{
	struct slices *slices = &engine->slices;
	uint64_t sessions = 0;

	for (unsigned i = 0; i < OWNER_BUCKETS; i++)
		atomic_store(&slices->sessions[i], 0);
	atomic_store(&slices->turned, 0);
	work(engine, JOB_SURVEY);
	for (unsigned i = 0; i < OWNER_BUCKETS; i++)
		sessions += atomic_load(&slices->sessions[i]);
	return sessions;
}

/* Where the slice ends that begins at bucket `from`. Buckets that mean something else, and sessions that cross two of them, have to move all at once. */
static unsigned slice_end(const struct change_run *run, unsigned from)
{
	const struct slices *slices = &run->engine->slices;
	uint64_t sessions = 0, most = run->sessions / SLICES_MAX;
	unsigned to = from;

	if (slices->other_owners || run->engine->resuming || atomic_load(&slices->turned))
		return OWNER_BUCKETS;
	most = most > SLICE_SESSIONS ? most : SLICE_SESSIONS;
	do
		sessions += atomic_load(&slices->sessions[to++]);
	while (to < OWNER_BUCKETS && sessions + atomic_load(&slices->sessions[to]) <= most);
	return to;
}

static void begin(struct change_run *run)
{
	struct engine *engine = run->engine;
	struct slices *slices = &engine->slices;

	run->asks = takeover_find(engine, run->now, run->next);
	slices->rebalances = rebalance_needed(engine, run->now, run->next);
	slices->other_owners = rebalance_other_owners(run->now, run->next);
	run->links = slices->rebalances ? all_links(run->now) : links_that_change(run->now, run->next);
	/* What a function turned round comes back by the link that it went in by, perhaps behind the answer there. */
	run->rounds = most_hops(run->now, run->links) + 1;
	atomic_store(&slices->view, 0);
	atomic_store(&slices->unpaced, false);
	pthread_mutex_lock(&engine->link_lock);
	atomic_store_explicit(&slices->next, run->next, memory_order_release);
	engine_see_links(engine, run->next);
	pthread_mutex_unlock(&engine->link_lock);
	engine_tell_newcomers(engine, run->now, run->next);
	engine_grace(engine);
	run->sessions = survey(engine);
}

void slices_run(struct engine *engine, const struct snapshot *next)
{
	struct change_run run = { .engine = engine, .now = atomic_load(&engine->snapshot), .next = next };
	uint64_t since = clock_now(&engine->clock);

	pthread_mutex_unlock(&engine->lock);
	begin(&run);
	for (unsigned from = 0, to; from < OWNER_BUCKETS; from = to, run.slices++) {
		to = slice_end(&run, from);
		move_slice(&run, from, to);
	}
	if (engine->slices.rebalances) { /* no packet is on its way to a new owner by an old one */
		atomic_store(&engine->holding, true);
		pass_inboxes(engine);
		pass_inboxes(engine);
	}
	pthread_mutex_lock(&engine->lock);
	log_info("functions-moved", "slices=%u sessions=%" PRIu64 " held=%" PRIu64 "us took=%" PRIu64 "us",
	         run.slices, run.sessions, run.held_longest / 1000,
	         (clock_now(&engine->clock) - since) / 1000);
}

void slices_end(struct engine *engine)
{
	if (!atomic_load(&engine->slices.next))
		return;
	atomic_store(&engine->slices.next, NULL);
	engine_grace(engine);
	if (engine->slices.rebalances)
		rebalance_send_fragments(engine);
	atomic_store(&engine->holding, false);
	engine->resuming = false;
	takeover_end(engine->takeover);
}
