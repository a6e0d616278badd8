/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tells people that somebody else has an address of the edge: at once, then once a minute as long as it goes on. Worker 0 hears of it (edge/conflict.c) and is
 * asked only when its counter has moved. Main thread.
 */
#include <stdlib.h>
#include <string.h>

#include "manage/events.h"
#include "manage/log.h"
#include "runtime/engine_private.h"
#include "runtime/snapshot.h"
#include "runtime/worker.h"

enum { LOOK_NS = 1000 * 1000 * 1000 };
static const uint64_t AGAIN_NS = 60 * UINT64_C(1000000000);

struct conflictwatch {
	uint64_t counted, look_at;
	struct {
		struct edge_conflict last;
		uint64_t again_at;
	} told[EDGE_CONFLICTS];
};

static void ask(struct worker *w, void *into)
{
	edge_conflicts(w->edge, into);
}

static bool is_news(const struct edge_conflict *found, const struct edge_conflict *told, uint64_t now,
                    uint64_t again_at)
{
	bool same = told->port == found->port && told->family == found->family &&
	            memcmp(&told->address, &found->address, sizeof(found->address)) == 0 &&
	            memcmp(told->mac, found->mac, 6) == 0;

	return found->packets && (!same || (found->packets != told->packets && now >= again_at));
}

static void tell(struct engine *engine, const struct edge_conflict *conflict)
{
	const char *port = engine->ports[conflict->port].name;
	json_t *details = edge_conflict_text(conflict, port);
	const char *address = json_string_value(json_object_get(details, "address")),
	           *mac = json_string_value(json_object_get(details, "mac"));

	log_warn("address-conflict", "address=%s mac=%s port=%s", address, mac, port);
	if (engine->options.events)
		events_add(engine->options.events, "address-conflict", port, json_incref(details),
		           "%s on port %s is also said to be at %s", address, port, mac);
	json_decref(details);
}

static void look(struct engine *engine, struct conflictwatch *watch, uint64_t now)
{
	struct edge_conflict found[EDGE_CONFLICTS];

	engine_call(engine, 0, ask, found);
	for (unsigned i = 0; i < EDGE_CONFLICTS; i++) {
		if (!is_news(&found[i], &watch->told[i].last, now, watch->told[i].again_at))
			continue;
		watch->told[i].last = found[i];
		watch->told[i].again_at = now + AGAIN_NS;
		tell(engine, &found[i]);
	}
}

void engine_poll_conflicts(struct engine *engine)
{
	uint64_t now = clock_now(&engine->clock),
	         counted = engine->workers[0]->edge_counters[EDGE_C_CONFLICT];

	if (!engine->conflicts)
		engine->conflicts = calloc(1, sizeof(*engine->conflicts));
	if (!engine->conflicts || counted == engine->conflicts->counted || now < engine->conflicts->look_at)
		return;
	engine->conflicts->counted = counted;
	engine->conflicts->look_at = now + LOOK_NS;
	look(engine, engine->conflicts, now);
}
