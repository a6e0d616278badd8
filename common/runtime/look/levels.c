/* SPDX-License-Identifier: BSD-3-Clause */
/* How full things are. See levels.h. */
#include "runtime/look/levels.h"

#include <rte_malloc.h>

#include "manage/process_metrics.h"
#include "runtime/process/process.h"

enum { QUEUES = 4 };

struct queue {
	const char *name;
	uint64_t packets;
};

static void read_queues(const struct worker *w, struct queue *queues)
{
	queues[0] = (struct queue){ "inbox", rte_ring_count(w->inbox) };
	queues[1] = (struct queue){ "emitted", w->emit_tail - w->emit_head };
	queues[2] = (struct queue){ "fragments", frag_held(w->frags) };
	queues[3] = (struct queue){ "neighbours", w->edge_counters[EDGE_C_HELD] };
}

json_t *levels_sessions(const struct flow_stats *stats)
{
	json_t *out = json_object();

	for (unsigned i = 0; i < SESSION_CLASSES; i++)
		json_object_set_new(out, session_class_names[i], json_integer(stats->per_class[i]));
	return out;
}

json_t *levels_queues(const struct worker *w)
{
	struct queue queues[QUEUES];
	json_t *out = json_object();

	read_queues(w, queues);
	for (unsigned i = 0; i < QUEUES; i++)
		json_object_set_new(out, queues[i].name, json_integer((json_int_t)queues[i].packets));
	return out;
}

/* Over all workers; of the heap over all sockets. */
struct memory {
	uint64_t capacity[2], used[2], table_bytes;
	uint64_t heap_bytes, heap_free;
	uint64_t buffers, buffers_free;
};

static void read_memory(const struct engine *engine, struct memory *m)
{
	struct rte_malloc_socket_stats heap;

	*m = (struct memory){ .buffers = engine->pool->size,
		              .buffers_free = rte_mempool_avail_count(engine->pool) };
	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		struct flow_stats stats;

		flow_stats(engine->workers[i]->table, &stats);
		m->capacity[0] += stats.capacity_v4;
		m->capacity[1] += stats.capacity_v6;
		m->used[0] += stats.used_v4;
		m->used[1] += stats.used_v6;
		m->table_bytes += stats.memory_bytes;
	}
	for (int socket = 0; socket < RTE_MAX_NUMA_NODES; socket++) {
		if (rte_malloc_get_socket_stats(socket, &heap) != 0)
			continue;
		m->heap_bytes += heap.heap_totalsz_bytes;
		m->heap_free += heap.heap_freesz_bytes;
	}
}

static json_t *level(uint64_t size, uint64_t used)
{
	return json_pack("{s:I,s:I}", "size", (json_int_t)size, "used", (json_int_t)used);
}

json_t *levels_memory(struct engine *engine)
{
	struct memory m;
	json_t *sessions;

	read_memory(engine, &m);
	sessions = json_pack("{s:o,s:o,s:I}", "ipv4", level(m.capacity[0], m.used[0]), "ipv6",
	                     level(m.capacity[1], m.used[1]), "bytes", (json_int_t)m.table_bytes);
	return json_pack("{s:o,s:o,s:o,s:o}", "packetBuffers", level(m.buffers, m.buffers - m.buffers_free),
	                 "sessions", sessions, "heapBytes", level(m.heap_bytes, m.heap_bytes - m.heap_free),
	                 "process", process_show());
}

/* --- metrics --- */

static void worker_levels(const struct worker *w, const char *name, struct metrics *m)
{
	struct metrics_family *sessions =
	        metrics_family(m, METRICS_GAUGE, "sluice_sessions", NULL, "Live sessions, by state.");
	struct metrics_family *queued = metrics_family(m, METRICS_GAUGE, "sluice_queue_packets", NULL,
	                                               "Packets that wait in a worker's queues.");
	struct metrics_family *ends = metrics_family(m, METRICS_COUNTER, "sluice_sessions_ended", NULL,
	                                             "Sessions that ended, by cause.");
	struct metrics_family *refused = metrics_family(m, METRICS_COUNTER, "sluice_sessions_refused", NULL,
	                                                "Sessions that could not be opened, by cause.");
	struct queue queues[QUEUES];
	struct flow_stats s;

	flow_stats(w->table, &s);
	read_queues(w, queues);
	for (unsigned i = 0; i < SESSION_CLASSES; i++)
		metrics_count(sessions, s.per_class[i], "worker", name, "state", session_class_names[i],
		              NULL);
	for (unsigned i = 0; i < QUEUES; i++)
		metrics_count(queued, queues[i].packets, "worker", name, "queue", queues[i].name, NULL);
	metrics_count(ends, s.expired, "worker", name, "cause", "expired", NULL);
	metrics_count(ends, s.evicted, "worker", name, "cause", "evicted", NULL);
	metrics_count(ends, s.torn, "worker", name, "cause", "torn", NULL);
	metrics_count(ends, s.closed - s.expired - s.evicted, "worker", name, "cause", "closed", NULL);
	metrics_count(refused, s.full, "worker", name, "cause", "full", NULL);
	metrics_count(refused, s.half_open_refused, "worker", name, "cause", "half-open-full", NULL);
	metrics_count(refused, s.clashes, "worker", name, "cause", "clash", NULL);
}

static void level_metrics(struct metrics_family *family, uint64_t size, uint64_t used, const char *label,
                          const char *value)
{
	metrics_count(family, used, "state", "used", label, value, NULL);
	metrics_count(family, size - used, "state", "free", label, value, NULL);
}

static void memory_metrics(const struct engine *engine, struct metrics *m)
{
	struct metrics_family *records = metrics_family(m, METRICS_GAUGE, "sluice_session_records", NULL,
	                                                "Room for sessions, used and free.");
	struct memory memory;

	read_memory(engine, &memory);
	for (unsigned i = 0; i < 2; i++)
		level_metrics(records, memory.capacity[i], memory.used[i], "family", i ? "ipv6" : "ipv4");
	level_metrics(metrics_family(m, METRICS_GAUGE, "sluice_packet_buffers", NULL,
	                             "Packet buffers, used and free."),
	              memory.buffers, memory.buffers - memory.buffers_free, NULL, NULL);
	level_metrics(metrics_family(m, METRICS_GAUGE, "sluice_heap", "bytes",
	                             "Memory of the datapath, used and free."),
	              memory.heap_bytes, memory.heap_bytes - memory.heap_free, NULL, NULL);
	metrics_count(metrics_family(m, METRICS_GAUGE, "sluice_session_table", "bytes",
	                             "Memory of the session tables."),
	              memory.table_bytes, NULL);
}

void levels_metrics(struct engine *engine, struct metrics *m)
{
	for (unsigned i = 0; i < engine->sizes.workers; i++) {
		char name[12];

		snprintf(name, sizeof(name), "%u", i);
		worker_levels(engine->workers[i], name, m);
	}
	memory_metrics(engine, m);
	process_metrics(m);
}
