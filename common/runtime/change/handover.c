/* SPDX-License-Identifier: BSD-3-Clause */
/* From one configuration to the next. Control side. */
#include "runtime/change/handover.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "manage/log.h"
#include "runtime/engine_private.h"
#include "runtime/change/rebalance.h"
#include "runtime/change/retire.h"
#include "runtime/change/takeover.h"
#include "runtime/worker.h"

enum { LINKS_MS = 5000, STEP_US = 100, SILENT_US = 2000, DRAIN_US = 30000 };

void handover_links(const struct engine *engine, uint64_t new_ports)
{
	uint64_t waiting = 0;

	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		if (new_ports >> i & 1 && strcmp(engine->ports[i].name, engine->ports[i].as) == 0 &&
		    strchr(engine->ports[i].name, '@'))
			waiting |= UINT64_C(1) << i;
	for (unsigned waited = 0; waiting && waited < LINKS_MS; waited++) {
		for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
			if (waiting >> i & 1 && port_up(engine->ports[i].port))
				waiting &= ~(UINT64_C(1) << i);
		if (waiting)
			usleep(1000);
	}
	if (waiting)
		log_warn("link-down", "consequence=the hop's onFailure holds until its function is there");
}

static bool has_hop(const struct path *path)
{
	for (unsigned i = 0; i < path->count; i++)
		if (!path->positions[i].nf)
			return true;
	return false;
}

/* Ports that are links of hops on paths that change. */
static uint64_t links_that_change(const struct snapshot *now, const struct snapshot *next)
{
	uint64_t links = 0;

	for (unsigned i = 0; i < now->path_count; i++) {
		const struct path *path = now->paths[i];

		if (!path || !has_hop(path) || path_same_walk(path, next->paths[i]))
			continue;
		for (unsigned k = 0; k < path->count; k++)
			if (!path->positions[k].nf)
				links |= UINT64_C(1) << path->positions[k].link[0] |
				         UINT64_C(1) << path->positions[k].link[1];
	}
	return links;
}

static uint64_t received(const struct engine *engine, uint64_t links)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < engine->sizes.workers; w++)
		for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
			if (links >> i & 1)
				sum += __atomic_load_n(&engine->workers[w]->port_traffic[i].rx_packets,
				                       __ATOMIC_RELAXED);
	return sum;
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

static uint64_t all_links(const struct snapshot *s)
{
	uint64_t links = 0;

	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		links |= (uint64_t)(s->ports[i].role == PORT_LINK) << i;
	return links;
}

static bool inboxes_empty(const struct engine *engine)
{
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		if (rte_ring_count(engine->workers[i]->inbox))
			return false;
	return true;
}

/* What is behind the links, or on its way between workers, comes back before the path changes. */
static void drain(struct engine *engine, uint64_t links)
{
	uint64_t before = received(engine, links);
	unsigned silent = 0;

	for (unsigned waited = 0;
	     waited < DRAIN_US && ((links && silent < SILENT_US) || !inboxes_empty(engine));
	     waited += STEP_US) {
		uint64_t now;

		usleep(STEP_US);
		now = received(engine, links);
		silent = now == before ? silent + STEP_US : 0;
		before = now;
	}
}

void handover_hold(struct engine *engine, const struct snapshot *next)
{
	const struct snapshot *now = atomic_load(&engine->snapshot);
	bool rebalance = rebalance_needed(engine, now, next);
	uint64_t links = rebalance ? all_links(now) : links_that_change(now, next);
	bool takes_over;

	if (!rebalance && !moves(now, next))
		return;
	takes_over = takeover_find(engine, now, next);
	engine->held_since = clock_now(&engine->clock);
	atomic_store(&engine->holding, true);
	engine_grace(engine);
	drain(engine, links);
	if (takes_over)
		takeover_collect(engine);
	if (rebalance)
		rebalance_take(engine, next);
}

void handover_resume(struct engine *engine)
{
	if (!atomic_load(&engine->holding))
		return;
	engine_grace(engine);
	rebalance_put(engine);
	if (retire_wait(engine))
		takeover_end(engine);
	atomic_store(&engine->holding, false);
	log_info("functions-moved", "held=%" PRIu64 "us",
	         (clock_now(&engine->clock) - engine->held_since) / 1000);
}
