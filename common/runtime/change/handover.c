/* SPDX-License-Identifier: BSD-3-Clause */
/* From one configuration to the next. Control side. */
#include "runtime/change/handover.h"

#include <string.h>
#include <unistd.h>

#include "manage/log.h"
#include "runtime/engine_private.h"
#include "runtime/change/rebalance.h"
#include "runtime/change/slices.h"
#include "runtime/worker.h"

enum { LINKS_MS = 5000 };

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

/* Whether sessions of a predecessor wait to be told of. */
static bool any_found(const struct engine *engine)
{
	for (unsigned i = 0; i < engine->sizes.workers; i++)
		if (engine->workers[i]->found)
			return true;
	return false;
}

void handover_begin(struct engine *engine, const struct snapshot *next)
{
	const struct snapshot *now = atomic_load(&engine->snapshot);
	bool found = any_found(engine);

	if (!found && slices_needed(engine, now, next)) {
		slices_run(engine, next);
		return;
	}
	engine->resuming &= found;
	if (!found || !(engine->resuming || rebalance_needed(engine, now, next)))
		return;
	atomic_store(&engine->holding, true);
	engine_grace(engine);
	if (rebalance_needed(engine, now, next))
		rebalance_take(engine, next, 0, OWNER_BUCKETS, true);
}

void handover_end(struct engine *engine)
{
	if (atomic_load(&engine->slices.next)) {
		slices_end(engine);
		return;
	}
	if (!atomic_load(&engine->holding))
		return;
	engine_grace(engine);
	rebalance_put(engine);
	rebalance_send_fragments(engine);
	atomic_store(&engine->holding, engine->resuming);
}
