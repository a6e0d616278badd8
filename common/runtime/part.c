/* SPDX-License-Identifier: BSD-3-Clause */
/* Links empty themselves before they are given up. See part.h. */
#include "runtime/part.h"

#include <unistd.h>

#include "manage/log.h"
#include "runtime/change/slices.h"
#include "runtime/engine_private.h"
#include "runtime/worker.h"

enum {
	PART_MS = 700,
	STEP_US = 100
}; /* with what slices_empty() takes, before whoever wants us gone loses patience */

/* Every port is asked, for each tells its peer. */
static bool ports_empty(struct engine *engine)
{
	bool empty = true;

	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++) {
		struct port *port = engine->ports[i].port;

		if (port && port->part && !port->part(port))
			empty = false;
	}
	return empty;
}

static bool any_parts(const struct engine *engine)
{
	bool any = false;

	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		any |= engine->ports[i].port && engine->ports[i].port->part;
	return any;
}

static bool inboxes_empty(const struct engine *engine)
{
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		if (rte_ring_count(engine->workers[i]->inbox))
			return false;
	return true;
}

/* What a worker took from a port is at another after its turn, in an inbox, or emitted and on its way after one more. */
static bool empty(struct engine *engine)
{
	if (!ports_empty(engine))
		return false;
	engine_grace(engine);
	engine_grace(engine);
	return inboxes_empty(engine) && ports_empty(engine);
}

static bool has_links(const struct snapshot *s)
{
	bool any = false;

	for (unsigned i = 0; s && i < ENGINE_PORTS_MAX; i++)
		any |= s->ports[i].role == PORT_LINK;
	return any;
}

static void part(struct engine *engine)
{
	uint64_t until = clock_now(&engine->clock) + PART_MS * UINT64_C(1000000);

	if (!any_parts(engine))
		return;
	while (!empty(engine)) {
		if (clock_now(&engine->clock) >= until) {
			log_warn("links-not-empty", "consequence=packets in them are lost");
			return;
		}
		usleep(STEP_US);
	}
}

void engine_part(struct engine *engine, bool other_workers)
{
	part(engine);
	if (other_workers && has_links(atomic_load(&engine->snapshot)))
		slices_empty(engine);
}
