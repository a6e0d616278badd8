/* SPDX-License-Identifier: BSD-3-Clause */
/* The engine's life: sizes, memory, workers and their threads. Control side; configurations are applied in apply.c. */
#include "runtime/engine.h"

#include <sys/random.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_errno.h>
#include <rte_malloc.h>

#include "config/shared.h"
#include "match/acl.h"
#include "port/bequest.h"
#include "runtime/engine_private.h"
#include "runtime/part.h"
#include "runtime/change/names.h"
#include "runtime/change/pickup.h"
#include "runtime/change/resettle.h"
#include "runtime/snapshot_build.h"
#include "runtime/change/takeover.h"
#include "runtime/worker.h"

enum {
	MBUF_CACHE = 256,
	CHECK_SESSIONS = 1024,
	CHECK_MBUFS = 1024,
	MBUFS_ON_WAY = 6144,
	MBUFS_A_QUEUE = 1024,
	MBUFS_CHOSEN_MAX = 1 << 17,
	MTU_LEAST = 1900,                                  /* what buffers of the usual size hold */
	BESIDE_IP = RTE_MBUF_DEFAULT_DATAROOM - MTU_LEAST, /* Ethernet, tags, what a tunnel adds */
};

static void read_timeouts(const struct conf *timeouts, struct flow_timeouts *into)
{
	*into = flow_default_timeouts;
	for (unsigned i = 0; i < SESSION_CLASSES; i++)
		into->seconds[i] = (uint32_t)conf_int(timeouts, timeouts_schema[i].name, into->seconds[i]);
}

uint32_t engine_active_workers(const struct conf *document)
{
	return (uint32_t)conf_int(conf_get(document, "engine"), "workers", 1);
}

/* Each worker has a queue at each port, where a ring may be full both ways, and packets on their way. */
static uint32_t mbufs_for(const struct conf *document, uint32_t workers)
{
	size_t ports = conf_count(conf_get(conf_get(document, "edge"), "ports")) +
	               2 * conf_count(conf_get(document, "hops"));
	size_t wanted = workers * (MBUFS_ON_WAY + MBUFS_A_QUEUE * RTE_MAX(ports, (size_t)2));

	return (uint32_t)RTE_MIN(wanted, (size_t)MBUFS_CHOSEN_MAX);
}

uint32_t engine_largest_mtu(const struct conf *document, const struct conf **where)
{
	const struct conf *ports = conf_get(conf_get(document, "edge"), "ports");
	uint32_t most = 0;

	for (size_t i = 0; i < conf_count(ports); i++) {
		uint32_t mtu = (uint32_t)conf_int(conf_at(ports, i), "mtu", 1500);

		if (mtu > most && where)
			*where = conf_get(conf_at(ports, i), "mtu");
		most = RTE_MAX(most, mtu);
	}
	return most;
}

void engine_read_sizes(const struct conf *document, struct engine_sizes *sizes)
{
	const struct conf *c = conf_get(document, "engine");

	memset(sizes, 0, sizeof(*sizes));
	snprintf(sizes->name, sizeof(sizes->name), "%s", conf_string(c, "name", "engine"));
	sizes->workers = engine_active_workers(document);
	if (conf_int(c, "workersMax", 0) > (int64_t)sizes->workers)
		sizes->workers = (uint32_t)conf_int(c, "workersMax", 0);
	sizes->sessions = (uint32_t)conf_int(c, "sessions", 65536);
	sizes->sessions6 = (uint32_t)conf_int(c, "sessions6", 16384);
	sizes->mbufs = (uint32_t)conf_int(c, "mbufs", 0);
	if (!sizes->mbufs)
		sizes->mbufs = mbufs_for(document, sizes->workers);
	sizes->mtu = RTE_MAX((uint32_t)conf_int(c, "mtuMax", 0), engine_largest_mtu(document, NULL));
	sizes->mtu = RTE_MAX(sizes->mtu, (uint32_t)MTU_LEAST);
	sizes->seed = (uint32_t)conf_int(c, "seed", 0);
	sizes->pickup = (uint32_t)conf_int(c, "pickup", 60);
	sizes->drain = (uint32_t)conf_int(c, "drain", 0);
	sizes->syn_proxy_at = (uint32_t)conf_int(c, "synProxyAt", 50);
	sizes->verify_tcp = conf_bool(c, "verifyTcp", false);
	sizes->poll = strcmp(conf_string(c, "idle", "adaptive"), "poll") == 0;
	read_timeouts(conf_get(c, "timeouts"), &sizes->timeouts);
}

const struct nf_class *class_find(const struct nf_class *const *classes, const char *name)
{
	for (; *classes; classes++)
		if (strcmp((*classes)->name, name) == 0)
			return *classes;
	return NULL;
}

static struct rte_rcu_qsbr *new_rcu(unsigned workers)
{
	size_t size = rte_rcu_qsbr_get_memsize(workers);
	struct rte_rcu_qsbr *rcu = rte_zmalloc("rcu", size, RTE_CACHE_LINE_SIZE);

	if (rcu && rte_rcu_qsbr_init(rcu, workers) != 0) {
		rte_free(rcu);
		return NULL;
	}
	return rcu;
}

/* What workers run before a document is applied: no port, no path. */
static struct snapshot *empty_snapshot(struct engine *engine, struct errors *errors)
{
	struct snapshot *s = calloc(1, sizeof(*s));
	struct conf *edge = conf_new(NULL, CONF_GROUP, NULL);

	if (s && edge) {
		schema_defaults(edge_schema, edge);
		s->edge = edge_compile(engine->edge, edge, NULL, 0, NULL, 0, NULL, errors);
	}
	conf_free(edge);
	if (s)
		snapshot_share_out(s, engine->sizes.workers);
	if (s && !s->edge) {
		free(s);
		return NULL;
	}
	return s;
}

static bool parts(struct engine *engine, struct errors *errors)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	snprintf(name, sizeof(name), "packets-%p", (void *)engine);
	engine->pool = rte_pktmbuf_pool_create(
	        name, engine->sizes.mbufs, engine->sizes.mbufs > 2048 ? MBUF_CACHE : 32, PKT_PRIVATE_SIZE,
	        (uint16_t)(RTE_PKTMBUF_HEADROOM +
	                   RTE_ALIGN_CEIL(engine->sizes.mtu + BESIDE_IP, RTE_CACHE_LINE_SIZE)),
	        SOCKET_ID_ANY);
	if (!engine->pool)
		errors_add(errors, "engine.mbufs", "no-memory", NULL, 0,
		           "not enough memory for %u packet buffers of an MTU of %u (%s): give the process "
		           "more with "
		           "--memory, or set engine.mbufs lower",
		           engine->sizes.mbufs, engine->sizes.mtu, rte_strerror(rte_errno));
	if (getrandom(&engine->cookie_key, sizeof(engine->cookie_key), 0) != sizeof(engine->cookie_key))
		errors_add(errors, "engine", "no-random", NULL, 0, "no random numbers: %m");
	engine->rcu = new_rcu(engine->sizes.workers);
	engine->edge = edge_new(engine->sizes.workers, errors);
	engine->takeover = takeover_new();
	if (!engine->pool || !engine->rcu || !engine->edge || !engine->takeover)
		return false;
	atomic_store(&engine->snapshot, empty_snapshot(engine, errors));
	return atomic_load(&engine->snapshot) != NULL;
}

static bool new_heartbeat(struct engine *engine, struct errors *errors)
{
	char path[512];

	if (!engine->options.directory || engine->options.check)
		return true;
	snprintf(path, sizeof(path), "%s/heartbeat", engine->options.directory);
	engine->heartbeat = heartbeat_create(path, engine->sizes.workers);
	if (!engine->heartbeat)
		errors_add(errors, NULL, "no-heartbeat", NULL, 0, "cannot make %s: %m", path);
	return engine->heartbeat != NULL;
}

static bool new_workers(struct engine *engine, struct errors *errors)
{
	pickup_look(engine);
	resettle_begin(engine);
	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		engine->workers[i] = worker_new(engine, i, errors);
		if (!engine->workers[i])
			return false;
	}
	resettle_end(engine);
	return true;
}

/* The n-th cpu of a list such as "2-3,6", or -1. */
static int cpu_of(const char *list, unsigned n)
{
	while (list && *list) {
		char *end;
		long first = strtol(list, &end, 10), last = first;

		if (*end == '-')
			last = strtol(end + 1, &end, 10);
		if ((long)n <= last - first)
			return (int)(first + (long)n);
		n -= (unsigned)(last - first + 1);
		list = *end == ',' ? end + 1 : NULL;
	}
	return -1;
}

static bool start_thread(struct engine *engine, unsigned i, struct errors *errors)
{
	int cpu = cpu_of(engine->options.cores, i);
	pthread_attr_t attributes;
	cpu_set_t cpus;
	int failed;

	pthread_attr_init(&attributes);
	if (cpu >= 0) {
		CPU_ZERO(&cpus);
		CPU_SET((unsigned)cpu, &cpus);
		pthread_attr_setaffinity_np(&attributes, sizeof(cpus), &cpus);
	}
	failed = pthread_create(&engine->threads[i], &attributes, worker_main, engine->workers[i]);
	pthread_attr_destroy(&attributes);
	if (failed)
		errors_add(errors, NULL, "no-worker", NULL, 0,
		           "cannot start worker %u on cpu %d: %s (does the machine have it?)", i, cpu,
		           strerror(failed));
	return !failed;
}

/* A predecessor's sessions are worth something only if their numbers mean what they meant. */
static void take_up_names(struct engine *engine)
{
	bool found = false;

	for (unsigned i = 0; i < engine->sizes.workers; i++)
		found |= engine->workers[i]->found;
	if (!found || engine->options.check)
		return;
	engine->names_known = names_load(engine);
	if (!engine->names_known)
		pickup_want(engine, "names-unreadable");
	else if (names_slots_differ(engine))
		pickup_want(engine, "other-slots");
}

struct engine *engine_new(const struct conf *document, const struct engine_options *options,
                          struct errors *errors)
{
	struct engine *engine = calloc(1, sizeof(*engine));

	if (!engine) {
		errors_add(errors, NULL, "no-memory", NULL, 0, "not enough memory");
		return NULL;
	}
	engine->options = *options;
	engine_read_sizes(document, &engine->sizes);
	if (options->check)
		engine->sizes.sessions = engine->sizes.sessions6 = CHECK_SESSIONS * engine->sizes.workers;
	if (options->check)
		engine->sizes.mbufs = CHECK_MBUFS;
	pthread_mutex_init(&engine->change_lock, NULL);
	pthread_mutex_init(&engine->lock, NULL);
	pthread_mutex_init(&engine->link_lock, NULL);
	pthread_mutex_init(&engine->look_lock, NULL);
	clock_start(&engine->clock);
	if (!parts(engine, errors) || (!options->waits && !engine_begin(engine, errors))) {
		engine_free(engine);
		return NULL;
	}
	return engine;
}

static const char neighbours_name[] = "edge:neighbours";

static bool give_neighbours(const struct engine *engine, int heir)
{
	struct port_bequest b = { .count = 1, .fds = { edge_neighbours_save(engine->edge) } };
	bool takes;

	if (b.fds[0] < 0)
		return true;
	snprintf(b.url, sizeof(b.url), "%s", neighbours_name);
	takes = bequest_give(heir, &b, neighbours_name);
	close(b.fds[0]);
	return takes;
}

/* Ports have the numbers that they had, if names are known. */
static void take_neighbours(struct engine *engine)
{
	struct port_options options = { .url = neighbours_name, .inherited = engine->inherited };
	struct port_bequest b;

	if (!bequest_take(&options, &b))
		return;
	if (b.count == 1 && engine->names_known)
		edge_neighbours_recall(engine->edge, b.fds[0]);
	bequest_refuse(&b);
}

bool engine_begin(struct engine *engine, struct errors *errors)
{
	bool threads = !engine->options.check && !engine->options.manual;

	if (!new_workers(engine, errors) || !new_heartbeat(engine, errors))
		return false;
	take_up_names(engine);
	take_neighbours(engine);
	for (unsigned i = 0; i < engine->sizes.workers && threads; i++)
		if (!start_thread(engine, i, errors))
			return false;
	return true;
}

static void stop_workers(struct engine *engine)
{
	atomic_store(&engine->stopping, true);
	for (unsigned i = 0; i < ENGINE_WORKERS_MAX; i++)
		if (engine->threads[i]) {
			pthread_join(engine->threads[i], NULL);
			engine->threads[i] = 0;
		}
}

void engine_call(struct engine *engine, unsigned worker, engine_call_fn *fn, void *argument)
{
	struct worker *w = engine->workers[worker];
	struct call call = { fn, argument, false }, *none = NULL;

	if (!engine->threads[worker]) {
		fn(w, argument);
		return;
	}
	while (!atomic_compare_exchange_weak_explicit(&w->call, &none, &call, memory_order_release,
	                                              memory_order_relaxed)) {
		none = NULL; /* another thread's call is waiting */
		usleep(20);
	}
	while (!atomic_load_explicit(&call.done, memory_order_acquire))
		usleep(20);
}

struct nf_call {
	const struct nf *nf;
	nf_worker_fn *fn;
	void *argument;
};

static void call_nf(struct worker *w, void *argument)
{
	struct nf_call *call = argument;

	call->fn(call->nf, w->id, w->now, call->argument);
}

void nf_on_workers(const struct nf *nf, nf_worker_fn *fn, void *argument)
{
	struct nf_call call = { nf, fn, argument };

	for (unsigned i = 0; i < nf->engine->sizes.workers; i++)
		engine_call(nf->engine, i, call_nf, &call);
}

static void between_turns(const struct nf *nf, unsigned worker_id, uint64_t now, void *argument)
{
	(void)nf;
	(void)worker_id;
	(void)now;
	(void)argument;
}

void nf_settle(const struct nf *nf)
{
	nf_on_workers(nf, between_turns, NULL);
}

int engine_port_number(const struct engine *engine, const char *name)
{
	for (int i = 0; i < ENGINE_PORTS_MAX; i++)
		if (engine->ports[i].name[0] && strcmp(engine->ports[i].as, name) == 0)
			return i;
	return -1;
}

const char *engine_port_name(const struct engine *engine, unsigned port)
{
	return port < ENGINE_PORTS_MAX && engine->ports[port].name[0] ? engine->ports[port].as : "?";
}

struct nf *engine_nf(struct engine *engine, const char *name, const void **snapshot)
{
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++) {
		if (!engine->nfs[i] || !atomic_load(&engine->snapshot)->nfs[i] ||
		    strcmp(engine->nfs[i]->name, name) != 0)
			continue;
		if (snapshot)
			*snapshot = atomic_load(&engine->snapshot)->nf_snapshots[i];
		return engine->nfs[i];
	}
	return NULL;
}

void engine_see_links(struct engine *engine, const struct snapshot *snapshot)
{
	for (unsigned i = 0; i < ENGINE_PATHS_MAX; i++) {
		const struct path *path = snapshot->paths[i];

		for (unsigned k = 0; path && k < path->count; k++) {
			const struct position *p = &path->positions[k];

			if (!p->nf)
				atomic_store(&engine->hop_up[p->hop],
				             port_up(engine->ports[p->link[0]].port) &&
				                     port_up(engine->ports[p->link[1]].port));
		}
	}
}

/* One who does not take the first takes none: our ports are not to wait for him one by one. */
static void bequeath(struct engine *engine, int heir)
{
	bool takes = give_neighbours(engine, heir);

	for (unsigned i = 0; takes && i < ENGINE_PORTS_MAX; i++)
		if (engine->ports[i].port)
			takes = bequest_send(heir, engine->ports[i].port);
}

void engine_leave(struct engine *engine, int heir, bool other_workers)
{
	if (!engine)
		return;
	trace_clear(engine);
	capture_clear(engine);
	if (heir >= 0)
		engine_part(engine, other_workers);
	stop_workers(engine);
	if (heir >= 0)
		bequeath(engine, heir);
	engine_clear(engine);
	for (unsigned i = 0; i < ENGINE_WORKERS_MAX; i++)
		if (engine->workers[i])
			worker_leave(engine->workers[i]);
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	engine_leave(engine, -1, false);
	for (unsigned i = 0; i < ENGINE_WORKERS_MAX; i++)
		worker_free(engine->workers[i]);
	edge_free(engine->edge);
	takeover_free(engine->takeover);
	acl_shelf_free(engine->acls);
	rte_free(engine->rcu);
	rte_mempool_free(engine->pool);
	heartbeat_close(engine->heartbeat);
	names_release(engine);
	free(engine->names_text);
	free(engine->conflicts);
	conf_free(engine->document);
	conf_free(engine->running);
	pthread_mutex_destroy(&engine->look_lock);
	pthread_mutex_destroy(&engine->link_lock);
	pthread_mutex_destroy(&engine->lock);
	pthread_mutex_destroy(&engine->change_lock);
	free(engine);
}
