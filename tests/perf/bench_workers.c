/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Several workers at once, each turned by a thread on a cpu of its own. What the two ports of the warm engine play is recorded and dealt to the workers' queues: to the owner
 * of each packet (spread, as a NIC that knows them would), or flow by flow in turn (unspread: of N workers' packets all but an Nth are at the wrong one). Lanes are their
 * worker's alone; the bench's thread makes them before and frees them after the threads.
 */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "bench.h"

enum { FRAME = 64, AHEAD = 8, SETTLE_TURNS = 1000, SAMPLE_MS = 20, OPENING_S = 20 };

/* Frames that one queue of a port plays round and round. */
struct lane {
	uint8_t (*frames)[FRAME];
	uint32_t count, next;
} __rte_cache_aligned;

struct dealt {
	struct lane lanes[BENCH_WORKERS_MAX];
	struct port own; /* the port as it was, put back at the end; it still takes what is sent */
	uint64_t rearm;  /* of an mbuf that is received */
	_Atomic bool playing;
};

struct team;

struct member {
	struct team *team;
	struct worker *worker;
	pthread_t thread;
	int cpu;
	uint32_t flows; /* that it owns */
	uint64_t sent, handed, begin, end;
	double calibration, away; /* away: wall time over the time that the thread had its cpu */
} __rte_cache_aligned;

struct team {
	struct bench *bench;
	struct dealt ports[2];
	struct member members[BENCH_WORKERS_MAX];
	unsigned count;
	pthread_barrier_t barrier;
	_Atomic unsigned busy; /* members that still have sessions to open */
};

static uint16_t dealt_rx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct dealt *d = port->private;
	struct lane *lane = &d->lanes[queue];
	uint32_t left = lane->count - lane->next;

	if (n > left)
		n = (uint16_t)left;
	if (!n || !atomic_load_explicit(&d->playing, memory_order_relaxed) ||
	    rte_mempool_get_bulk(port->pool, (void **)m, n) != 0)
		return 0;
	for (uint16_t i = 0; i < n; i++) {
		memcpy(&m[i]->rearm_data, &d->rearm, sizeof(d->rearm));
		m[i]->ol_flags = 0;
		m[i]->packet_type = 0;
		m[i]->data_len = FRAME;
		m[i]->pkt_len = FRAME;
		rte_prefetch0(lane->frames + lane->next + i + AHEAD);
		memcpy((uint8_t *)m[i]->buf_addr + RTE_PKTMBUF_HEADROOM, lane->frames[lane->next + i], FRAME);
	}
	lane->next = lane->next + n == lane->count ? 0 : lane->next + n;
	return n;
}

static uint16_t dealt_tx(struct port *port, unsigned queue, struct rte_mbuf **m, uint16_t n)
{
	struct dealt *d = port->private;

	return d->own.ops->tx(&d->own, queue, m, n);
}

static bool dealt_up(struct port *port)
{
	(void)port;
	return true;
}

static const struct port_ops dealt_ops = { dealt_rx, dealt_tx, dealt_up, NULL, NULL, NULL, NULL };

static unsigned owner_of(const struct snapshot *snapshot, uint16_t port, struct rte_mbuf *m)
{
	pkt_parse(m, 0);
	return snapshot->bucket_worker[owner_of_packet(&snapshot->ports[port], m)];
}

/* One frame for a queue. */
static void deal(struct team *team, uint16_t number, struct rte_mbuf *m, uint32_t index, bool spread)
{
	unsigned owner =
	        team->count > 1 ? owner_of(atomic_load(&team->bench->engine->snapshot), number, m) : 0;
	struct lane *lane = &team->ports[number].lanes[spread ? owner : index % team->count];

	memcpy(lane->frames[lane->count++], rte_pktmbuf_mtod(m, void *), FRAME);
	if (number == 0)
		team->members[owner].flows++;
}

/* Takes a whole round of what the port plays, and has it play its lanes from now on. */
static bool deal_port(struct team *team, uint16_t number, bool spread)
{
	struct bench *b = team->bench;
	struct port *port = b->engine->ports[number].port;
	struct dealt *d = &team->ports[number];
	struct rte_mbuf *m[BATCH_MAX], plain = {
		.data_off = RTE_PKTMBUF_HEADROOM, .refcnt = 1, .nb_segs = 1, .port = RTE_MBUF_PORT_INVALID
	};
	uint16_t n;

	for (unsigned i = 0; i < team->count; i++) {
		d->lanes[i].frames = malloc((size_t)b->flows * FRAME);
		if (!d->lanes[i].frames)
			return false;
	}
	for (uint32_t got = 0; got < b->flows && (n = port->ops->rx(port, 0, m, BATCH_MAX)) > 0; got += n) {
		for (uint16_t i = 0; i < n && got + i < b->flows; i++)
			deal(team, number, m[i], got + i, spread);
		rte_pktmbuf_free_bulk(m, n);
	}
	d->own = *port;
	memcpy(&d->rearm, &plain.rearm_data, sizeof(d->rearm));
	port->ops = &dealt_ops;
	port->private = d;
	port->rx_queues = (uint16_t)team->count;
	return true;
}

static void put_back(struct team *team)
{
	for (unsigned number = 0; number < 2; number++) {
		struct port *port = team->bench->engine->ports[number].port;
		struct dealt *d = &team->ports[number];

		if (d->own.ops) {
			port->ops = d->own.ops;
			port->private = d->own.private;
			port->rx_queues = d->own.rx_queues;
		}
		for (unsigned i = 0; i < team->count; i++)
			free(d->lanes[i].frames);
	}
}

static void play(struct team *team, bool playing)
{
	atomic_store(&team->ports[0].playing, playing);
	atomic_store(&team->ports[1].playing, playing);
}

static unsigned turn(struct member *me)
{
	return worker_turn(me->worker, clock_now(&me->worker->engine->clock));
}

/* What the machine can do: a queue of the first port to the second, nothing between, and nothing of it another's. */
static void forward(struct member *me)
{
	struct port *from = me->worker->engine->ports[0].port, *to = me->worker->engine->ports[1].port;
	struct rte_mbuf *m[BATCH_MAX];
	uint16_t n = from->ops->rx(from, me->worker->id, m, BATCH_MAX);

	me->worker->counters[C_SENT] += to->ops->tx(to, me->worker->id, m, n);
}

/* All together, until what is on its way between workers has arrived. */
static void settle(struct member *me)
{
	pthread_barrier_wait(&me->team->barrier);
	play(me->team, false);
	for (unsigned i = 0; i < SETTLE_TURNS; i++)
		turn(me);
	pthread_barrier_wait(&me->team->barrier);
}

static void sample_packets(struct member *me)
{
	uint64_t length = rte_get_tsc_hz() / 1000 * SAMPLE_MS;
	bool nothing = me->team->bench->what->kind == BENCH_NULL;

	while (rte_rdtsc() - me->begin < length)
		if (nothing)
			forward(me);
		else
			turn(me);
	me->end = rte_rdtsc();
}

static void close_one(void *worker, struct session *s)
{
	session_close(worker, s);
}

/* A member that has opened its share goes on until all have, for what comes in at it may be another's. */
static void sample_openings(struct member *me)
{
	uint64_t opened = me->worker->counters[C_OPENED], wanted = me->flows - me->flows / 50, cursor = 0;
	uint64_t patience = rte_get_tsc_hz() * OPENING_S;
	bool busy = true;

	while (atomic_load_explicit(&me->team->busy, memory_order_relaxed) &&
	       rte_rdtsc() - me->begin < patience) {
		turn(me);
		if (busy && me->worker->counters[C_OPENED] - opened >= wanted) {
			atomic_fetch_sub(&me->team->busy, 1);
			busy = false;
		}
	}
	me->sent = busy ? 0 : me->worker->counters[C_OPENED] - opened;
	do
		flow_walk(me->worker->table, &cursor, 4096, close_one, me->worker);
	while (cursor);
	me->end = rte_rdtsc();
}

static double cpu_seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* One sample of one member. */
static void measure(struct member *me)
{
	uint64_t sent = me->worker->counters[C_SENT], handed = me->worker->counters[C_HANDED_OFF];
	bool openings = me->team->bench->what->kind == BENCH_OPENINGS;
	double cpu = cpu_seconds();

	me->begin = rte_rdtsc();
	if (openings)
		sample_openings(me);
	else
		sample_packets(me);
	cpu = cpu_seconds() - cpu;
	me->away = (double)(me->end - me->begin) / (double)rte_get_tsc_hz() / cpu;
	if (!openings)
		me->sent = me->worker->counters[C_SENT] - sent;
	me->handed = me->worker->counters[C_HANDED_OFF] - handed;
}

static void *work(void *argument)
{
	struct member *me = argument;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)me->cpu, &cpus);
	pthread_setaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	rte_thread_register();
	pthread_barrier_wait(&me->team->barrier);
	me->calibration = bench_calibrate();
	pthread_barrier_wait(&me->team->barrier);
	measure(me);
	settle(me);
	rte_thread_unregister();
	return NULL;
}

/* Sessions that came while packets settled are the next sample's to open. */
static void forget(struct team *team)
{
	for (unsigned i = 0; i < team->count && team->bench->what->kind == BENCH_OPENINGS; i++) {
		struct worker *w = team->members[i].worker;
		uint64_t cursor = 0;

		do
			flow_walk(w->table, &cursor, 4096, close_one, w);
		while (cursor);
	}
}

/* Packets (openings: sessions) of all members, their share that was handed off, and the slowest calibration, which a thread that
 * was kept from its cpu makes slower. False: a member did not open its sessions. */
static bool sample(struct team *team, struct bench_sample *result)
{
	uint64_t sent = 0, handed = 0, cycles = 0;

	atomic_store(&team->busy, team->count);
	play(team, true);
	result->calibration = 0;
	for (unsigned i = 0; i < team->count; i++)
		if (pthread_create(&team->members[i].thread, NULL, work, &team->members[i]) != 0)
			exit(1);
	for (unsigned i = 0; i < team->count; i++) {
		struct member *m = &team->members[i];

		pthread_join(m->thread, NULL);
		sent += m->sent;
		handed += m->handed;
		cycles = RTE_MAX(cycles, m->end - m->begin);
		result->calibration = RTE_MAX(result->calibration, m->calibration * m->away);
		if (!m->sent)
			return false;
	}
	forget(team);
	result->value = (double)cycles / (double)sent;
	result->handed = (double)handed / (double)sent;
	return true;
}

static bool assemble(struct team *team, const int *cpus, bool spread)
{
	struct bench *b = team->bench;

	for (unsigned i = 0; i < team->count; i++)
		team->members[i] =
		        (struct member){ .team = team, .worker = b->engine->workers[i], .cpu = cpus[i] };
	pthread_barrier_init(&team->barrier, NULL, team->count);
	return deal_port(team, 0, spread) && deal_port(team, 1, spread);
}

bool bench_workers(struct bench *b, const int *cpus, bool spread, unsigned samples)
{
	struct team *team = rte_zmalloc("team", sizeof(*team), RTE_CACHE_LINE_SIZE);
	struct bench_sample s;
	bool done;

	if (!team)
		return false;
	team->bench = b;
	team->count = b->workers;
	done = assemble(team, cpus, spread);
	for (unsigned i = 0; done && i < samples; i++) {
		done = sample(team, &s);
		if (b->what->kind == BENCH_OPENINGS)
			s.value = (double)rte_get_tsc_hz() / s.value;
		if (done)
			printf("%.2f %.4f 0 %.4f\n", s.value, s.calibration, s.handed);
	}
	put_back(team);
	pthread_barrier_destroy(&team->barrier);
	rte_free(team);
	return done;
}
