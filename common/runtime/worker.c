/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The turn of a worker: receive, run, emit, transmit, tick, expire, report quiescent, rest. Made and freed by the control side; in between
 * everything in it is the worker thread's.
 */
#include "runtime/change/transfer_link.h"
#include "runtime/look/watch.h"

#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_pause.h>
#include <rte_thread.h>

#include "manage/log.h"

enum {
	TICK_NS = 1000 * 1000,
	SPIN_TURNS = 200, /* polls before the first nap */
	NAP_FIRST_NS = 1000,
	NAP_PARKED_NS = 1000 * 1000,
	NAP_MAX_NS = 150 * 1000, /* the first packet after a silence waits at most this long */
	REJECTS_PER_SECOND = 200,
	FRAG_EXPIRE_BUDGET = 64, /* datagrams a tick */
};

/* What the next configuration has at once, also where a change is made slice by slice. */
static void take_edge(struct worker *w, const struct snapshot *of)
{
	if (w->edge_table && w->edge_revision == of->revision)
		return;
	w->mute = 0;
	w->edge_table = of->edge;
	w->edge_revision = of->revision;
	edge_worker_switch(w->edge, w->edge_table, w->now);
}

/* By its revision, too: two publications during a nap may leave the second one where the first one's predecessor was. */
static void switch_snapshot(struct worker *w)
{
	const struct snapshot *now = atomic_load_explicit(&w->engine->snapshot, memory_order_acquire);

	if (likely(now == w->snapshot && now->revision == w->revision))
		return;
	transmit_flush(w);
	w->snapshot = now;
	w->revision = now->revision;
	w->workers = now->workers;
	take_edge(w, now);
	w->tick_at = 0;
}

/* A change is under way, or has just been published. */
static void change_turn(struct worker *w)
{
	w->slice.now = w->snapshot; /* what waits for neighbours may be sent already */
	if (w->slice.next)
		take_edge(w, w->slice.next);
	slices_release(w);
}

static void run_call(struct worker *w)
{
	struct call *call = atomic_load_explicit(&w->call, memory_order_acquire);

	if (likely(!call))
		return;
	atomic_store_explicit(&w->call, NULL, memory_order_relaxed);
	call->fn(w, call->argument);
	handoff_flush(w);
	atomic_store_explicit(&call->done, true, memory_order_release);
}

static unsigned receive_port(struct worker *w, uint16_t number)
{
	struct rte_mbuf *m[BATCH_MAX];
	struct port *port = w->engine->ports[number].port;
	struct port_traffic *traffic = &w->port_traffic[number];
	unsigned total = 0;

	for (unsigned queue = w->id; queue < port->rx_queues; queue += w->workers) {
		unsigned n = port->ops->rx(port, queue, m, BATCH_MAX);
		uint64_t bytes;

		if (!n)
			continue;
		bytes = burst_bytes(m, n);
		traffic->rx_packets += n;
		traffic->rx_bytes += bytes;
		traffic->rx_bursts++;
		traffic->rx_full += n == BATCH_MAX;
		w->counters[C_RECEIVED] += n;
		w->counters[C_RECEIVED_BYTES] += bytes;
		watch_burst(w);
		ingress_burst(w, number, m, n);
		watch_burst_end(w);
		total += n;
	}
	return total;
}

/* Links that only the configuration has that is being changed to; its other ports wait until it is published. */
static unsigned receive_next(struct worker *w)
{
	const struct snapshot *now = w->snapshot, *next = w->slice.next;
	unsigned total = 0;

	for (uint16_t number = 0; number < next->port_count; number++) {
		if (next->ports[number].role != PORT_LINK || now->ports[number].role != PORT_UNUSED)
			continue;
		slices_use(w, next);
		total += receive_port(w, number);
		slices_use(w, now);
	}
	return total;
}

static unsigned receive(struct worker *w)
{
	bool full = unlikely(atomic_load_explicit(&w->engine->emptying, memory_order_relaxed)) ||
	            (unlikely(w->slice.next != NULL) && slices_full(w));
	unsigned total = 0;

	if (w->id >= w->workers || atomic_load_explicit(&w->engine->holding, memory_order_relaxed))
		return 0;
	for (uint16_t number = 0; number < w->snapshot->port_count; number++) {
		uint8_t role = w->snapshot->ports[number].role;

		if (role != PORT_UNUSED && (likely(!full) || role != PORT_OUTSIDE))
			total += receive_port(w, number);
	}
	if (unlikely(w->slice.next != NULL))
		total += receive_next(w);
	return total;
}

static void tick_functions(struct worker *w)
{
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++) {
		const struct nf *nf = w->snapshot->nfs[i];

		if (nf && nf->klass->tick && w->now >= w->nf_tick_at[i])
			w->nf_tick_at[i] = nf->klass->tick(nf, w->snapshot->nf_snapshots[i], w->id, w->now);
	}
}

static void tick(struct worker *w)
{
	struct rte_mbuf *late[FRAG_OUT];
	unsigned n;

	if (w->now < w->tick_at)
		return;
	w->tick_at = w->now + TICK_NS;
	edge_tick(w->edge, w->edge_table, w->now);
	tick_functions(w);
	n = frag_expire(w->frags, w->now, FRAG_EXPIRE_BUDGET, late);
	for (unsigned i = 0; i < n; i++)
		worker_drop(w, late[i], C_FRAGMENT_TIMEOUT);
	if (!w->found)
		flow_expire(w->table, &w->engine->sizes.timeouts, w->now_ms, 64, session_closing, w);
}

unsigned worker_turn(struct worker *w, uint64_t now)
{
	unsigned moved;

	w->now = now;
	w->now_ms = clock_ms(now);
	flow_clock(w->table, (uint32_t)(now / 1000));
	flow_verify_tcp(w->table, w->engine->sizes.verify_tcp);
	w->opened_this_turn = 0;
	slices_look(w);
	switch_snapshot(w);
	if (unlikely(w->slice.next != NULL))
		change_turn(w);
	run_call(w);
	moved = receive(w);
	handoff_flush(w);
	moved += handoff_drain(w);
	syn_proxy_tick(w);
	moved += emit_drain(w);
	moved += sweep_turn(w);
	moved += slices_work(w);
	tick(w);
	moved += emit_drain(w);
	moved += transfer_reply_turn(w);
	transmit_flush(w);
	handoff_flush(w);
	if (w->opened_this_turn)
		flow_expire(w->table, &w->engine->sizes.timeouts, w->now_ms,
		            (unsigned)w->opened_this_turn * 2, session_closing, w);
	return moved;
}

/* Nothing to do: poll for a while, then pause, then naps that grow. Off line for grace periods before it sleeps. */
static void rest(struct worker *w)
{
	struct timespec nap = { 0, (long)w->idle_ns };

	if (w->engine->sizes.poll)
		return;
	if (w->idle_turns++ < SPIN_TURNS) {
		rte_pause();
		return;
	}
	if (rte_ring_count(w->inbox))
		return;
	if (!nap.tv_nsec)
		nap.tv_nsec = NAP_FIRST_NS;
	if (w->id >= w->workers)
		nap.tv_nsec = NAP_PARKED_NS;
	rte_rcu_qsbr_thread_offline(w->engine->rcu, w->id);
	nanosleep(&nap, NULL);
	rte_rcu_qsbr_thread_online(w->engine->rcu, w->id);
	w->idle_ns = (uint64_t)nap.tv_nsec * 2 < NAP_MAX_NS ? (uint64_t)nap.tv_nsec * 2 : NAP_MAX_NS;
}

void worker_beat(struct worker *w)
{
	if (w->engine->heartbeat)
		heartbeat_turn(&w->engine->heartbeat->line[w->id]);
}

static void loop(struct worker *w)
{
	if (w->engine->heartbeat)
		w->engine->heartbeat->line[w->id].thread = (uint32_t)gettid();
	while (!atomic_load_explicit(&w->engine->stopping, memory_order_relaxed)) {
		uint64_t begin = rte_rdtsc();
		unsigned moved = worker_turn(w, clock_now(&w->engine->clock));

		rte_rcu_qsbr_quiescent(w->engine->rcu, w->id);
		worker_beat(w);
		if (moved) {
			w->idle_turns = 0;
			w->idle_ns = 0;
			w->busy_tsc += rte_rdtsc() - begin;
		} else {
			rest(w);
		}
		w->total_tsc += rte_rdtsc() - begin;
	}
}

void *worker_main(void *worker)
{
	struct worker *w = worker;

	prctl(PR_SET_TIMERSLACK, 1000, 0, 0, 0);
	if (rte_thread_register() != 0)
		log_error("worker-unregistered", "worker=%u reason=%s", w->id, rte_strerror(rte_errno));
	rte_rcu_qsbr_thread_register(w->engine->rcu, w->id);
	rte_rcu_qsbr_thread_online(w->engine->rcu, w->id);
	loop(w);
	rte_rcu_qsbr_thread_offline(w->engine->rcu, w->id);
	rte_rcu_qsbr_thread_unregister(w->engine->rcu, w->id);
	rte_thread_unregister();
	return NULL;
}

void worker_table_options(const struct engine *engine, struct flow_options *options)
{
	*options = (struct flow_options){
		.sessions_v4 = engine->sizes.sessions / engine->sizes.workers,
		.sessions_v6 = engine->sizes.sessions6 / engine->sizes.workers,
		.slot_bytes = ENGINE_SLOT_BYTES,
		.hash_seed = engine->sizes.seed ? engine->sizes.seed : (uint32_t)rte_rdtsc(),
		.max_half_open_percent = 25,
		.now = clock_ms(clock_now(&engine->clock)),
	};
}

static struct flow_table *new_table(struct engine *engine, unsigned id, struct errors *errors)
{
	struct flow_options options;
	char file[512];

	worker_table_options(engine, &options);
	if (engine->options.directory) {
		snprintf(file, sizeof(file), "%s/sessions.%u", engine->options.directory, id);
		options.file = file;
	}
	return flow_table_new(&options, errors);
}

/* What the edge says of a marked packet. */
static void note(void *worker, struct rte_mbuf *m, enum edge_counter what)
{
	enum trace_step step = what == EDGE_C_DELIVERED ? STEP_DELIVERED
	                       : what == EDGE_C_HELD    ? STEP_HELD
	                                                : STEP_DROPPED;

	if (((struct worker *)worker)->trace)
		trace_step(worker, m, step, NULL, step == STEP_DROPPED ? edge_counters[what].name : NULL,
		           "edge");
}

struct worker *worker_new(struct engine *engine, unsigned id, struct errors *errors)
{
	static const struct edge_ops ops = { transmit, transmit_burst, worker_mbuf, worker_turn_error, note };
	const struct frag_options fragments = { .seed = rte_rdtsc() };
	struct worker *w = rte_zmalloc("worker", sizeof(*w), RTE_CACHE_LINE_SIZE);
	char name[RTE_RING_NAMESIZE];
	size_t before = errors->count;
	struct flow_stats stats;

	if (!w) {
		errors_add(errors, "engine", "no-memory", NULL, 0, "not enough memory for worker %u", id);
		return NULL;
	}
	w->engine = engine;
	w->id = (uint16_t)id;
	w->workers = (uint16_t)engine->sizes.workers;
	w->seed = engine->sizes.seed + id;
	snprintf(name, sizeof(name), "inbox-%u", id);
	w->inbox = rte_ring_create(name, INBOX_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
	token_bucket_init(&w->reject_rate, REJECTS_PER_SECOND, REJECTS_PER_SECOND);
	w->frags = frag_table_new(&fragments);
	w->table = new_table(engine, id, errors);
	w->edge = edge_worker_new(engine->edge, id, &ops, w, errors);
	if (!w->inbox || !w->frags || !w->table || !w->edge) {
		if (errors->count == before)
			errors_add(errors, "engine", "no-memory", NULL, 0, "not enough memory for worker %u",
			           id);
		worker_free(w);
		return NULL;
	}
	flow_stats(w->table, &stats);
	w->found = stats.live > 0;
	w->edge_counters = edge_worker_counters(w->edge);
	flow_on_evict(w->table, session_closing, w);
	flow_totals(w->table, w->tcp, ENGINE_PATHS_MAX);
	return w;
}

static void drain_fragments(struct worker *w)
{
	struct rte_mbuf *held[FRAG_OUT];
	unsigned n;

	if (!w->frags)
		return;
	while ((n = frag_drain(w->frags, held)) > 0)
		rte_pktmbuf_free_bulk(held, n);
}

void worker_leave(struct worker *w)
{
	flow_table_free(w->table);
	w->table = NULL;
}

void worker_free(struct worker *w)
{
	struct rte_mbuf *m;

	if (!w)
		return;
	while (w->inbox && rte_ring_sc_dequeue(w->inbox, (void **)&m) == 0)
		rte_pktmbuf_free(m);
	while (w->replies.head != w->replies.tail)
		rte_pktmbuf_free(w->replies.m[w->replies.head++ % REPLIES_MAX]);
	while (w->emit_head != w->emit_tail)
		rte_pktmbuf_free(w->emitted[w->emit_head++ % EMIT_MAX]);
	drain_fragments(w);
	edge_worker_free(w->edge);
	flow_table_free(w->table);
	frag_table_free(w->frags);
	rte_ring_free(w->inbox);
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		rte_free(w->nf_counters[i]);
	rte_free(w);
}
