/* SPDX-License-Identifier: BSD-3-Clause */
/* From the link of one port to that of its pair. See linkstate.h. */
#include "runtime/linkstate.h"

#include <string.h>

#include "manage/log.h"

enum { SETTLE_S = 5 }; /* longer than an Ethernet link takes to be negotiated */

bool linkstate_check(const struct engine *engine, const struct conf *document, struct errors *errors)
{
	const struct conf *edge = conf_get(document, "edge"), *word = conf_get(edge, "linkState");
	size_t before = errors->count;

	if (!word || strcmp(word->string, "pass") != 0 || edge_mode_of(edge) != EDGE_TRANSPARENT)
		return true;
	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++) {
		const struct engine_port *p = &engine->ports[i];

		if (conf_item(conf_get(edge, "ports"), "name", p->name) && p->port &&
		    !p->port->ops->show_link)
			conf_error(errors, word, "no-link-state",
			           "port \"%s\" (%s) has no link that could be taken down: expected "
			           "af_packet, af_xdp, tap or "
			           "pci ports",
			           p->name, p->device);
	}
	return errors->count == before;
}

static void set(struct engine *engine, unsigned number, bool up)
{
	struct port *port = engine->ports[number].port;

	if (!port || !port->ops->show_link || !port->ops->show_link(port, up))
		return;
	engine->link_taken = (engine->link_taken & ~(UINT64_C(1) << number)) | (uint64_t)!up << number;
	engine->link_settles[number] = clock_now(&engine->clock) + SETTLE_S * UINT64_C(1000000000);
	log_info(up ? "link-given-back" : "link-taken-down", "port=%s", engine->ports[number].name);
}

static bool taken(const struct engine *engine, unsigned number)
{
	return engine->link_taken >> number & 1;
}

static bool has_link(const struct engine *engine, unsigned number)
{
	return port_up(engine->ports[number].port);
}

/* `leader` is one whose link can be seen. */
static void follow(struct engine *engine, unsigned leader, unsigned other)
{
	if (has_link(engine, leader)) {
		if (taken(engine, other))
			set(engine, other, true);
	} else if (!taken(engine, other) && has_link(engine, other) &&
	           clock_now(&engine->clock) >= engine->link_settles[leader]) {
		set(engine, other, false);
	}
}

void linkstate_poll(struct engine *engine, const struct snapshot *snapshot)
{
	bool passes = edge_passes_link_state(snapshot->edge);

	for (uint16_t a = 0; a < snapshot->port_count; a++) {
		uint16_t b = edge_pair(snapshot->edge, a);

		if (snapshot->ports[a].role != PORT_OUTSIDE)
			continue;
		if (!passes && taken(engine, a))
			set(engine, a, true);
		else if (passes && b < ENGINE_PORTS_MAX && !taken(engine, a))
			follow(engine, a, b);
	}
}

void linkstate_forget(struct engine *engine, unsigned number)
{
	pthread_mutex_lock(&engine->link_lock);
	if (taken(engine, number))
		set(engine, number, true);
	engine->link_taken &= ~(UINT64_C(1) << number);
	engine->link_settles[number] = 0;
	engine->link_seen &= ~(UINT64_C(1) << number);
	pthread_mutex_unlock(&engine->link_lock);
}
