/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The links of ports, looked at a few times a second: interfaces that went away are opened again when they are back, state words of hops are
 * written, pairs of a transparent edge follow each other, and people are told which port of the edge has lost its link or has it back. A link that
 * flaps is told of once a second. Main thread, under link_lock.
 */
#include "manage/events.h"
#include "manage/log.h"
#include "runtime/engine_private.h"
#include "runtime/linkstate.h"
#include "runtime/snapshot.h"
#include "runtime/worker.h"

enum { TELL_NS = 1000 * 1000 * 1000 }; /* also what a port that was opened is given for its link to come */

static void tell(struct engine *engine, unsigned number, bool up, const char *why)
{
	const struct engine_port *p = &engine->ports[number];
	struct events *events = engine->options.events;
	uint64_t bit = UINT64_C(1) << number;

	engine->link_down = up ? engine->link_down & ~bit : engine->link_down | bit;
	engine->link_tell_at[number] = clock_now(&engine->clock) + TELL_NS;
	if (up)
		log_info("link-up", "port=%s device=%s", p->name, p->device);
	else
		log_warn("link-down", "port=%s device=%s reason=%s", p->name, p->device, why);
	if (events)
		events_add(events, up ? "link-up" : "link-down", p->name,
		           json_pack("{s:s,s:s,s:s*}", "port", p->name, "device", p->device, "reason",
		                     up ? NULL : why),
		           "port %s (%s) has %s%s", p->name, p->device,
		           up ? "its link" : "no link: ", up ? "" : why);
}

/* One that was opened: its link is looked for, and told of, in a moment. */
static void begin(struct engine *engine, unsigned number)
{
	uint64_t bit = UINT64_C(1) << number;

	if (engine->link_seen & bit)
		return;
	engine->link_seen |= bit;
	engine->link_down &= ~bit;
	engine->link_up &= ~bit;
	engine->link_tell_at[number] = clock_now(&engine->clock) + TELL_NS;
}

/* True: it has a link that it had not when it was looked at last. */
static bool watch(struct engine *engine, unsigned number, enum port_ground ground)
{
	uint64_t now = clock_now(&engine->clock), bit = UINT64_C(1) << number;
	bool up = port_up(engine->ports[number].port), came;

	begin(engine, number);
	came = up && (ground == PORT_BACK || !(engine->link_up & bit));
	engine->link_up = up ? engine->link_up | bit : engine->link_up & ~bit;
	if (up == !(engine->link_down & bit) || now < engine->link_tell_at[number])
		return came;
	tell(engine, number, up,
	     ground == PORT_WAITS       ? "its interface is not there"
	     : engine->link_taken & bit ? "its pair has none"
	                                : "no carrier, or its peer is down");
	return came;
}

/* Bit i: port i. */
struct news {
	uint64_t back; /* the interface is another */
	uint64_t came; /* the link is there (again) */
};

/* Neighbours are asked anew who they are, and told who we are: our MAC, or the switch between, may be another. Worker 0. */
static void pass_on(struct worker *w, void *news)
{
	const struct news *n = news;

	for (uint16_t i = 0; i < w->snapshot->port_count; i++) {
		if (n->back >> i & 1)
			edge_port_renewed(w->edge, i);
		if (n->came >> i & 1 && w->snapshot->ports[i].role == PORT_OUTSIDE)
			edge_announce(w->edge, w->edge_table, i);
	}
}

void engine_poll_links(struct engine *engine)
{
	const struct snapshot *snapshot;
	struct news news = { 0, 0 };

	pthread_mutex_lock(&engine->link_lock);
	snapshot = atomic_load(&engine->snapshot);
	for (unsigned i = 0; i < snapshot->port_count; i++) {
		enum port_ground ground;

		if (snapshot->ports[i].role == PORT_UNUSED)
			continue;
		ground = port_tend(engine->ports[i].port);
		if (ground == PORT_BACK)
			news.back |= UINT64_C(1) << i;
		if (snapshot->ports[i].role == PORT_OUTSIDE && watch(engine, i, ground))
			news.came |= UINT64_C(1) << i;
	}
	/* What was taken down is up when it comes back. */
	engine->link_taken &= ~news.back;
	linkstate_poll(engine, snapshot);
	engine_see_links(engine, snapshot);
	if (atomic_load(&engine->slices.next))
		engine_see_links(engine, atomic_load(&engine->slices.next));
	pthread_mutex_unlock(&engine->link_lock);
	if (news.back | news.came)
		engine_call(engine, 0, pass_on, &news);
}
