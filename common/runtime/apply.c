/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Applying a document: check, make room for new ports and functions, compile off to the side, open ports, publish, wait a grace period, clear
 * away what is gone. All or nothing: what fails before publication leaves no trace. Control side, under the engine's lock.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_malloc.h>

#include "manage/log.h"
#include "runtime/apply_private.h"
#include "runtime/engine_private.h"
#include "runtime/linkstate.h"
#include "runtime/change/drain.h"
#include "runtime/change/handover.h"
#include "runtime/change/names.h"
#include "runtime/change/pickup.h"
#include "runtime/change/retire.h"
#include "runtime/process/running.h"
#include "runtime/snapshot_build.h"
#include "runtime/worker.h"

enum { GRACE_ALARM_MS = 1000 };

/* --- room for ports --- */

static bool reserve_port(struct change *c, const struct conf *where, const char *name, const char *as,
                         const char *device, const char *netns)
{
	struct engine_port *free_slot = NULL;

	if (!port_url_check(device, where, c->errors))
		return false;
	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++) {
		struct engine_port *p = &c->engine->ports[i];

		if (strcmp(p->name, name) == 0) {
			if (strcmp(p->device, device) == 0 && strcmp(p->as, as) == 0 &&
			    strcmp(p->netns, netns) == 0)
				return true;
			conf_error(c->errors, where, "needs-restart",
			           "port \"%s\" is %s; its device cannot change while it is in use", name,
			           p->device);
			return false;
		}
		if (!p->name[0] && !free_slot && retire_over(c->engine, c->engine->port_left[i]) &&
		    names_port_may(c->engine, i, name))
			free_slot = p;
	}
	if (!free_slot) {
		conf_error(c->errors, where, "too-many-ports", "more than %d ports and links",
		           ENGINE_PORTS_MAX);
		return false;
	}
	snprintf(free_slot->name, sizeof(free_slot->name), "%s", name);
	snprintf(free_slot->as, sizeof(free_slot->as), "%s", as);
	snprintf(free_slot->device, sizeof(free_slot->device), "%s", device);
	snprintf(free_slot->netns, sizeof(free_slot->netns), "%s", netns);
	c->new_ports |= UINT64_C(1) << (free_slot - c->engine->ports);
	c->where[free_slot - c->engine->ports] = where;
	return true;
}

static void reserve_hop(struct change *c, const struct conf *hop)
{
	for (char side = 'a'; side <= 'b'; side++) {
		char name[3 * NF_NAME_MAX];
		const char member[] = { side, '\0' };

		int length = snprintf(name, sizeof(name), "%s@%s.%c", conf_string(hop, "name", ""),
		                      conf_string(hop, "path", ""), side);

		if (length >= NF_NAME_MAX)
			conf_error(c->errors, hop, "name-too-long",
			           "the names of function and path together exceed %d characters",
			           NF_NAME_MAX - 4);
		else
			reserve_port(c, conf_get(hop, member), name, name, conf_string(hop, member, ""), "");
	}
}

/* Two ports on one device would each receive all of its packets. */
static void check_device(struct change *c, const struct conf *ports, size_t number)
{
	const struct conf *p = conf_at(ports, number);
	const char *device = conf_string(p, "device", "");

	if (port_url_shared(device))
		return;
	for (size_t i = 0; i < number; i++) {
		const struct conf *other = conf_at(ports, i);

		if (strcmp(conf_string(other, "device", ""), device) == 0 &&
		    strcmp(conf_string(other, "netns", ""), conf_string(p, "netns", "")) == 0)
			conf_error(c->errors, conf_get(p, "device"), "duplicate-device",
			           "port \"%s\" has this device already", conf_string(other, "name", ""));
	}
}

static void reserve_ports(struct change *c)
{
	const struct conf *ports = conf_get(conf_get(c->document, "edge"), "ports"),
	                  *hops = conf_get(c->document, "hops");

	for (size_t i = 0; i < conf_count(ports); i++) {
		const struct conf *p = conf_at(ports, i);
		const char *name = conf_string(p, "name", "");

		check_device(c, ports, i);
		reserve_port(c, conf_get(p, "device"), name, conf_string(p, "as", name),
		             conf_string(p, "device", ""), conf_string(p, "netns", ""));
	}
	for (size_t i = 0; i < conf_count(hops); i++)
		reserve_hop(c, conf_at(hops, i));
}

/* --- ports --- */

static bool open_port(struct change *c, unsigned number)
{
	struct engine *engine = c->engine;
	struct engine_port *slot = &engine->ports[number];
	const struct conf *ports = conf_get(conf_get(c->document, "edge"), "ports"),
	                  *item = conf_item(ports, "name", slot->name);
	struct port_options options = {
		.name = slot->name,
		.url = slot->device,
		.netns = slot->netns[0] ? slot->netns : NULL,
		.owner = engine->options.directory,
		.number = (uint16_t)number,
		.queues = (uint16_t)engine->sizes.workers,
		.mtu = (uint16_t)conf_int(item, "mtu", 0),
		.pool = engine->pool,
		.where = c->where[number],
		.inherited = engine->inherited,
		.prepared = engine->prepared,
		/* What a predecessor had may be gone for now: its other ports must not suffer for that. */
		.wait = names_had_port(engine, slot->name) ||
		        strcmp(conf_string(item, "absent", "refuse"), "wait") == 0,
	};

	slot->port = port_open(&options, c->errors);
	return slot->port != NULL;
}

static bool open_ports(struct change *c)
{
	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		if (c->new_ports >> i & 1 && !open_port(c, i))
			return false;
	return true;
}

static void clear_port(struct engine *engine, unsigned number)
{
	struct engine_port *slot = &engine->ports[number];

	capture_forget_port(engine, number);
	trace_forget_port(engine, number);
	if (slot->port) {
		linkstate_forget(engine, number);
		port_close(slot->port);
	}
	memset(slot, 0, sizeof(*slot));
}

static bool has_hop(const struct snapshot *s, unsigned number)
{
	for (unsigned i = 0; i < s->path_count; i++)
		for (unsigned k = 0; s->paths[i] && k < s->paths[i]->count; k++)
			if (!s->paths[i]->positions[k].nf && s->paths[i]->positions[k].hop == number)
				return true;
	return false;
}

/* Names of paths and hops that the configuration does not have (any more): their places are free. */
static void forget_names(struct engine *engine, const struct snapshot *s)
{
	for (unsigned i = 0; i < ENGINE_PATHS_MAX; i++)
		if (!s->paths[i] && engine->path_names[i][0]) {
			engine->path_names[i][0] = '\0';
			sample_forget_path(engine, i);
		}
	for (unsigned i = 0; i < ENGINE_HOPS_MAX; i++)
		if (engine->hop_names[i][0] && !has_hop(s, i))
			engine->hop_names[i][0] = '\0';
}

static void take_back(struct change *c)
{
	if (c->engine->document)
		forget_names(c->engine, atomic_load(&c->engine->snapshot));
	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		if (c->new_ports >> i & 1)
			clear_port(c->engine, i);
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (c->new_nfs >> i & 1)
			instance_free(c->engine, i);
}

/* --- the edge --- */

static unsigned port_infos(struct change *c, struct snapshot *s, struct edge_port_info *infos)
{
	const struct conf *ports = conf_get(conf_get(c->document, "edge"), "ports");
	unsigned n = 0;

	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++) {
		struct engine_port *slot = &c->engine->ports[i];
		const struct conf *item = conf_item(ports, "name", slot->name);
		struct mac_addr mac;

		if (s->ports[i].role != PORT_OUTSIDE)
			continue;
		if (slot->port)
			memcpy(s->ports[i].mac, slot->port->mac, 6);
		if (conf_get(item, "mac") && mac_parse(conf_string(item, "mac", ""), &mac))
			memcpy(s->ports[i].mac, mac.bytes, 6);
		infos[n] = (struct edge_port_info){ .name = slot->name,
			                            .number = (uint16_t)i,
			                            .mtu = (uint16_t)conf_int(item, "mtu", 1500) };
		memcpy(infos[n++].mac, s->ports[i].mac, 6);
	}
	return n;
}

static bool compile_edge(struct change *c, struct snapshot *s, const struct snapshot *previous)
{
	struct edge_port_info infos[ENGINE_PORTS_MAX];
	unsigned ports = port_infos(c, s, infos), claims;
	struct edge_claim *list;

	claims = snapshot_claims(s, &list);
	if (snapshot_check_claims(s, c->document, list, claims, c->errors))
		s->edge = edge_compile(c->engine->edge, conf_get(c->document, "edge"), infos, ports, list,
		                       claims, previous ? previous->edge : NULL, c->errors);
	free(list);
	return s->edge != NULL;
}

/* --- publication --- */

void engine_grace(struct engine *engine)
{
	uint64_t token = rte_rcu_qsbr_start(engine->rcu);
	unsigned waited = 0;

	while (rte_rcu_qsbr_check(engine->rcu, token, false) != 1) {
		usleep(1000);
		if (++waited == GRACE_ALARM_MS)
			log_warn("grace-period-long", "waited=%ums", waited);
	}
}

/* Ports and functions that the document does not name any more. */
static void clear_gone(struct engine *engine, const struct snapshot *s)
{
	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		if (engine->ports[i].name[0] && s->ports[i].role == PORT_UNUSED)
			clear_port(engine, i);
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (engine->nfs[i] && !s->nfs[i])
			instance_free(engine, i);
	forget_names(engine, s);
}

static void publish(struct engine *engine, struct snapshot *next)
{
	struct snapshot *previous = atomic_load(&engine->snapshot);

	names_save(engine);
	handover_begin(engine, next);
	found_sessions(engine, next);
	pickup_begin(engine, next);
	pthread_mutex_lock(&engine->link_lock);
	engine_see_links(engine, next);
	atomic_store_explicit(&engine->snapshot, next, memory_order_release);
	pthread_mutex_unlock(&engine->link_lock);
	engine->revision = next->revision;
	handover_end(engine);
	engine_grace(engine);
	engine_tell_neighbours(engine, previous);
	snapshot_carry(previous, next);
	pthread_mutex_lock(&engine->link_lock); /* who looked at the links of the previous one has done so */
	pthread_mutex_unlock(&engine->link_lock);
	snapshot_free(previous);
	memset(next->nf_carried, 0, sizeof(next->nf_carried));
	retire_note(engine, next);
	clear_gone(engine, next);
	engine_tell_functions(engine, next);
	if (next->path_count)
		names_release(engine);
	if (engine->heartbeat)
		engine->heartbeat->generation = next->revision;
	/* Of a large configuration that is gone the allocator would keep hundreds of megabytes. */
	malloc_trim(0);
}

/* Whether numbers that wait for the workers' sweep are about to be wanted. */
static bool scarce(const struct engine *engine)
{
	unsigned functions = 0, paths = 0;

	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		functions += !engine->nfs[i] && engine->nf_left[i];
	for (unsigned i = 0; i < ENGINE_PATHS_MAX; i++)
		paths += !engine->path_names[i][0] && engine->path_left[i];
	return functions > ENGINE_NFS_MAX / 2 || paths > ENGINE_PATHS_MAX / 2;
}

/* What the configuration before was built from. */
static const struct conf *running(const struct engine *engine)
{
	return engine->running ? engine->running : engine->document;
}

static struct snapshot *build(struct change *c)
{
	struct engine *engine = c->engine;
	const struct snapshot *previous = atomic_load(&engine->snapshot);
	size_t before = c->errors->count;
	struct snapshot *next;

	reserve_ports(c);
	instances_make(c);
	if (c->errors->count != before)
		return NULL;
	next = snapshot_build(engine, c->document, previous, running(engine), c->errors);
	if (!next)
		return NULL;
	if ((c->dry || (open_ports(c) && linkstate_check(engine, c->document, c->errors))) &&
	    compile_edge(c, next, previous))
		return next;
	snapshot_free(next);
	return NULL;
}

/* Whether what drains takes the room that a new function needs. */
static bool no_room(const struct errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		if (strcmp(errors->list[i].code, "no-slot") == 0 ||
		    strcmp(errors->list[i].code, "too-many-functions") == 0)
			return true;
	return false;
}

/* The document with what must drain beside it; NULL: nothing must, or there is no room for both (slots, positions, an address that is another
 * function's now), and the sessions concerned end. */
static struct snapshot *build_draining(struct change *c)
{
	struct errors errors = ERRORS_NONE, *given = c->errors;
	struct conf *asked = c->document;
	struct snapshot *next;

	c->running = drain_amend(c->engine, asked);
	if (!c->running)
		return NULL;
	c->document = c->running;
	c->errors = &errors;
	next = build(c);
	c->document = asked;
	c->errors = given;
	if (!next) {
		if (!c->dry)
			log_warn("not-drained", "reason=%s", errors.count ? errors.list[0].detail : "?");
		take_back(c);
		c->new_ports = c->new_nfs = 0;
		c->ends_drains = no_room(&errors) && !c->dry;
		conf_free(c->running);
		c->running = NULL;
	}
	errors_free(&errors);
	return next;
}

/* `next` is the running configuration, made of this document; what it was made of before is freed by the caller. */
static void now_running(struct change *c, const struct snapshot *next)
{
	conf_free(c->engine->running);
	c->engine->running = c->running;
	drain_note(c->engine, next, c->document);
	running_save(c->engine);
}

/* The running document without what drains: its room is free then. */
static void end_drains(struct engine *engine)
{
	struct errors errors = ERRORS_NONE;
	struct change c = { .engine = engine, .document = engine->document, .errors = &errors };
	struct snapshot *next = engine->drains ? build(&c) : NULL;

	if (next) {
		publish(engine, next);
		now_running(&c, next);
	}
	errors_free(&errors);
}

static struct snapshot *prepare(struct change *c)
{
	struct snapshot *next;

	if (!apply_check(c))
		return NULL;
	if (atomic_load(&c->engine->snapshot) && scarce(c->engine))
		retire_wait(c->engine);
	next = build_draining(c);
	if (c->ends_drains)
		end_drains(c->engine);
	return next ? next : build(c);
}

/* What workers read directly and may change while they run: times (word by word). */
static void take_times(struct engine *engine)
{
	struct engine_sizes sizes;

	engine_read_sizes(engine->document, &sizes);
	engine->sizes.timeouts = sizes.timeouts;
	engine->sizes.poll = sizes.poll;
	engine->sizes.drain = sizes.drain;
	engine->sizes.syn_proxy_at = sizes.syn_proxy_at;
	engine->sizes.verify_tcp = sizes.verify_tcp;
}

bool engine_apply(struct engine *engine, struct conf *document, bool dry, struct errors *errors)
{
	struct change c = { .engine = engine, .document = document, .dry = dry, .errors = errors };
	struct snapshot *next;

	pthread_mutex_lock(&engine->change_lock);
	pthread_mutex_lock(&engine->lock);
	next = prepare(&c);
	if (!next || dry) {
		snapshot_free(next);
		take_back(&c);
		conf_free(c.running);
	} else {
		if (engine->document)
			handover_links(engine, c.new_ports);
		publish(engine, next);
		conf_free(engine->document);
		engine->document = document;
		take_times(engine);
		now_running(&c, next);
	}
	pthread_mutex_unlock(&engine->lock);
	pthread_mutex_unlock(&engine->change_lock);
	return next != NULL;
}

static void renew(struct engine *engine)
{
	struct errors errors = ERRORS_NONE;
	struct change c = { .engine = engine, .document = engine->document, .errors = &errors };
	struct snapshot *next;

	engine->renewing = atomic_exchange(&engine->renew_asked, 0);
	engine->drain_ends = drain_over(engine);
	if (!engine->renewing && !engine->drain_ends)
		return;
	next = c.document ? prepare(&c) : NULL;
	if (next) {
		publish(engine, next);
		now_running(&c, next);
	} else {
		take_back(&c);
		for (size_t i = 0; i < errors.count; i++)
			log_warn("not-renewed", "path=%s reason=%s", errors.list[i].path,
			         errors.list[i].detail);
	}
	engine->renewing = engine->drain_ends = 0;
	errors_free(&errors);
}

void engine_renew(struct engine *engine)
{
	if (!atomic_load_explicit(&engine->renew_asked, memory_order_relaxed) &&
	    !atomic_load_explicit(&engine->drains, memory_order_relaxed))
		return;
	if (pthread_mutex_trylock(&engine->change_lock) != 0)
		return; /* the next time */
	pthread_mutex_lock(&engine->lock);
	renew(engine);
	pthread_mutex_unlock(&engine->lock);
	pthread_mutex_unlock(&engine->change_lock);
}

void engine_clear(struct engine *engine)
{
	snapshot_free(atomic_exchange(&engine->snapshot, NULL));
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		if (engine->nfs[i])
			instance_free(engine, i);
	for (unsigned i = 0; i < ENGINE_PORTS_MAX; i++)
		clear_port(engine, i);
}
