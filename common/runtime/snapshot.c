/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From a document to a snapshot: functions are compiled (those whose configuration has not changed are carried over), paths and their
 * candidates laid out, owners named. Control side, under the engine's lock; nothing here is visible to workers before it is published.
 */
#include "runtime/snapshot_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/schema.h"
#include "runtime/engine_private.h"
#include "runtime/change/retire.h"
#include "runtime/change/segments.h"

struct build {
	struct engine *engine;
	struct snapshot *snapshot;
	const struct conf *document;
	const struct snapshot *previous;
	const struct conf *previous_document;
	bool ports_changed;
	struct errors *errors;
};

static int port_number(const struct engine *engine, const char *name)
{
	for (int i = 0; i < ENGINE_PORTS_MAX; i++)
		if (engine->ports[i].name[0] && strcmp(engine->ports[i].name, name) == 0)
			return i;
	return -1;
}

static struct nf *nf_named(const struct engine *engine, const char *name)
{
	for (int i = 0; i < ENGINE_NFS_MAX; i++)
		if (engine->nfs[i] && strcmp(engine->nfs[i]->name, name) == 0)
			return engine->nfs[i];
	return NULL;
}

static bool same(const struct conf *a, const struct conf *b)
{
	json_t *x = a ? conf_to_json(a) : NULL, *y = b ? conf_to_json(b) : NULL;
	bool equal = (!x && !y) || (x && y && json_equal(x, y));

	json_decref(x);
	json_decref(y);
	return equal;
}

/* --- functions --- */

static const struct conf *function_item(const struct conf *document, const char *name)
{
	const struct conf *item = conf_item(conf_get(document, "functions"), "name", name);

	return item ? item : conf_item(conf_get(document, "hops"), "name", name);
}

static bool carry_over(struct build *b, const struct nf *nf, const struct conf *config)
{
	const struct conf *old = b->previous_document ? function_item(b->previous_document, nf->name) : NULL;

	if (b->ports_changed || b->engine->renewing >> nf->id & 1 || !b->previous ||
	    !b->previous->nf_snapshots[nf->id] || !old)
		return false;
	if (!same(config, conf_get(old, "config")))
		return false;
	b->snapshot->nf_snapshots[nf->id] = b->previous->nf_snapshots[nf->id];
	b->snapshot->nf_generation[nf->id] = b->previous->nf_generation[nf->id];
	b->snapshot->nf_carried[nf->id] = 1;
	return true;
}

static void compile_function(struct build *b, const struct conf *item)
{
	struct nf *nf = nf_named(b->engine, conf_string(item, "name", ""));
	const struct conf *config = conf_get(item, "config");
	const void *old;

	if (!nf || b->snapshot->nfs[nf->id])
		return;
	b->snapshot->nfs[nf->id] = nf;
	if (!nf->klass->compile || carry_over(b, nf, config))
		return;
	old = b->previous ? b->previous->nf_snapshots[nf->id] : NULL;
	b->snapshot->nf_snapshots[nf->id] = nf->klass->compile(nf, old, config, b->errors);
	b->snapshot->nf_generation[nf->id] = (uint32_t)b->engine->revision + 1;
	if (!b->snapshot->nf_snapshots[nf->id] && !errors_any(b->errors))
		conf_error(b->errors, item, "not-compiled", "function \"%s\" gave no snapshot", nf->name);
}

static void compile_functions(struct build *b)
{
	static const char *const lists[] = { "functions", "hops" };

	for (unsigned l = 0; l < 2; l++) {
		const struct conf *list = conf_get(b->document, lists[l]);

		for (size_t i = 0; i < conf_count(list); i++)
			compile_function(b, conf_at(list, i));
	}
}

/* --- ports --- */

static void outside_port(struct build *b, const struct conf *item)
{
	int number = port_number(b->engine, conf_string(item, "name", ""));
	struct snapshot_port *port = &b->snapshot->ports[number];
	const struct engine_port *from = &b->engine->ports[number];

	port->role = PORT_OUTSIDE;
	port->zone = (uint8_t)(number + 1);
	port->vlans = b->snapshot->separate_vlans;
	port->check_mac = b->snapshot->edge_mode == EDGE_ROUTED;
	if (from->port)
		memcpy(port->mac, from->port->mac, sizeof(port->mac));
	if (number >= b->snapshot->port_count)
		b->snapshot->port_count = (uint16_t)(number + 1);
}

static void outside_ports(struct build *b)
{
	const struct conf *edge = conf_get(b->document, "edge"), *ports = conf_get(edge, "ports");

	b->snapshot->edge_mode = (uint8_t)edge_mode_of(edge);
	b->snapshot->separate_vlans = edge_separates_vlans(edge);
	b->snapshot->pass_unmatched = strcmp(conf_string(edge, "unmatched", "drop"), "drop") != 0;
	for (size_t i = 0; i < conf_count(ports); i++)
		outside_port(b, conf_at(ports, i));
}

/* --- paths --- */

static int path_id(struct engine *engine, const char *name)
{
	int free_id = -1;

	for (int i = 0; i < ENGINE_PATHS_MAX; i++) {
		if (strcmp(engine->path_names[i], name) == 0)
			return i;
		if (!engine->path_names[i][0] && free_id < 0 && retire_over(engine, engine->path_left[i]))
			free_id = i;
	}
	if (free_id >= 0)
		snprintf(engine->path_names[free_id], NF_NAME_MAX, "%s", name);
	return free_id;
}

static const struct conf *hop_item(const struct conf *document, const char *name, const char *path)
{
	const struct conf *hops = conf_get(document, "hops");

	for (size_t i = 0; i < conf_count(hops); i++) {
		const struct conf *hop = conf_at(hops, i);

		if (strcmp(conf_string(hop, "name", ""), name) == 0 &&
		    strcmp(conf_string(hop, "path", ""), path) == 0)
			return hop;
	}
	return NULL;
}

/* Names of a hop's links and of its state word: function@path.a */
static int link_port(struct build *b, const char *function, const char *path, char side)
{
	char name[3 * NF_NAME_MAX];

	snprintf(name, sizeof(name), "%s@%s.%c", function, path, side);
	return port_number(b->engine, name);
}

static int hop_number(struct engine *engine, const char *function, const char *path)
{
	char name[2 * NF_NAME_MAX];
	int free_hop = -1;

	snprintf(name, sizeof(name), "%s@%s", function, path);
	for (int i = 0; i < ENGINE_HOPS_MAX; i++) {
		if (strcmp(engine->hop_names[i], name) == 0)
			return i;
		if (!engine->hop_names[i][0] && free_hop < 0)
			free_hop = i;
	}
	if (free_hop >= 0)
		snprintf(engine->hop_names[free_hop], sizeof(engine->hop_names[0]), "%s", name);
	return free_hop;
}

static enum on_failure failure_of(const struct conf *item)
{
	return strcmp(conf_string(item, "onFailure", "drop"), "bypass") == 0 ? ON_FAILURE_BYPASS
	                                                                     : ON_FAILURE_DROP;
}

/* A transparent edge has no addresses that a function could translate to, answer for or end tunnels at; a hop's has no neighbours. */
static bool may_stand(struct build *b, const struct nf *nf, bool local, const struct conf *item)
{
	const void *snapshot = nf ? b->snapshot->nf_snapshots[nf->id] : NULL;
	bool behind = !local || b->snapshot->edge_mode == EDGE_LINK;

	if (nf && b->snapshot->edge_mode == EDGE_TRANSPARENT && nf->klass->flags & NF_NEEDS_ROUTED) {
		conf_error(b->errors, item, "needs-routed",
		           "a %s needs an edge of mode \"routed\": a transparent one has no addresses",
		           nf->klass->name);
		return false;
	}
	if (behind && snapshot && nf->klass->needs && nf->klass->needs(nf, snapshot) & NEEDS_EDGE) {
		conf_error(b->errors, item, "needs-edge",
		           "\"%s\" sends to hosts on the links of the edge's ports: place it in the "
		           "service's own "
		           "process (\"fused\")",
		           nf->name);
		return false;
	}
	return true;
}

static bool local_position(struct build *b, struct path *path, struct position *p, const struct nf *nf)
{
	p->nf = nf;
	p->snapshot = b->snapshot->nf_snapshots[nf->id];
	if (p->draining) {
		path->draining |= UINT64_C(1) << nf->id;
		return true;
	}
	path->nf_set |= UINT64_C(1) << nf->id;
	if (nf->klass->flags & NF_REWRITES)
		path->rewrites = 1;
	return true;
}

static bool hop_position(struct build *b, struct path *path, struct position *p, const struct conf *hop,
                         const struct nf *shadow, const struct conf *item)
{
	int a = link_port(b, p->name, path->name, 'a'), z = link_port(b, p->name, path->name, 'b');
	int number = hop_number(b->engine, p->name, path->name);

	if (a < 0 || z < 0 || number < 0) {
		conf_error(b->errors, item, "no-link", "no room for the links of hop \"%s\"", p->name);
		return false;
	}
	p->link[0] = (uint16_t)a;
	p->link[1] = (uint16_t)z;
	p->hop = (uint16_t)number;
	p->on_failure = (uint8_t)failure_of(hop);
	if (p->on_failure == ON_FAILURE_BYPASS && shadow && !(shadow->klass->flags & NF_MAY_BYPASS)) {
		conf_error(b->errors, conf_get(hop, "onFailure"), "no-bypass", "a %s cannot be bypassed",
		           shadow->klass->name);
		return false;
	}
	if (shadow) {
		p->shadow = shadow;
		p->snapshot = b->snapshot->nf_snapshots[shadow->id];
		path->nf_set |= UINT64_C(1) << shadow->id;
	}
	return true;
}

static bool names_it(const struct conf *names, const char *name)
{
	for (size_t i = 0; i < conf_count(names); i++)
		if (strcmp(conf_at(names, i)->string, name) == 0)
			return true;
	return false;
}

/* What is said to drain can: it runs here, and there are not too many. */
static bool check_draining(struct build *b, const struct path *path, bool local, const struct conf *item)
{
	if (!local) {
		conf_error(b->errors, item, "not-here", "only a function of this process can drain: \"%s\"",
		           item->string);
		return false;
	}
	if (__builtin_popcountll(path->draining) == PATH_DRAINS_MAX) {
		conf_error(b->errors, item, "too-many-draining", "more than %d functions drain on one path",
		           PATH_DRAINS_MAX);
		return false;
	}
	return true;
}

static bool add_position(struct build *b, struct path *path, const struct conf *item,
                         const struct conf *draining)
{
	struct position *p = &path->positions[path->count];
	const struct conf *hop = hop_item(b->document, item->string, path->name);
	const struct nf *nf = nf_named(b->engine, item->string);
	bool local = conf_item(conf_get(b->document, "functions"), "name", item->string) != NULL;

	snprintf(p->name, sizeof(p->name), "%s", item->string);
	for (unsigned i = 0; i < path->count; i++) {
		if (strcmp(path->positions[i].name, p->name) == 0) {
			conf_error(b->errors, item, "twice", "\"%s\" stands on this path already", p->name);
			return false;
		}
	}
	if (!local && !hop) {
		conf_error(b->errors, item, "unknown-function",
		           "neither a function nor a hop of this path: \"%s\"", p->name);
		return false;
	}
	if (!may_stand(b, nf, local, item))
		return false;
	p->draining = names_it(draining, p->name);
	if (p->draining && !check_draining(b, path, local, item))
		return false;
	if (local ? !local_position(b, path, p, nf) : !hop_position(b, path, p, hop, nf, item))
		return false;
	path->count++;
	return true;
}

bool path_same_walk(const struct path *a, const struct path *b)
{
	if (!b || a->count != b->count || a->ends[0] != b->ends[0] || a->ends[1] != b->ends[1])
		return false;
	for (unsigned i = 0; i < a->count; i++)
		if (a->positions[i].nf != b->positions[i].nf ||
		    a->positions[i].draining != b->positions[i].draining ||
		    a->positions[i].link[0] != b->positions[i].link[0])
			return false;
	return true;
}

static uint32_t path_structure(const struct build *b, const struct path *path)
{
	const struct path *before = b->previous ? b->previous->paths[path->id] : NULL;

	return path_same_walk(path, before) ? before->structure : (uint32_t)b->engine->revision + 1;
}

static uint32_t path_generation(const struct build *b, const struct path *path)
{
	uint32_t generation = path->structure;

	for (unsigned i = 0; i < path->count; i++) {
		const struct nf *nf = path->positions[i].nf;

		if (nf && b->snapshot->nf_generation[nf->id] > generation)
			generation = b->snapshot->nf_generation[nf->id];
	}
	return generation;
}

static int end_port(struct build *b, const struct conf *item)
{
	int number = port_number(b->engine, item->string);

	if (number < 0 || b->snapshot->ports[number].role != PORT_OUTSIDE) {
		conf_error(b->errors, item, "unknown-port", "not a port of the edge: \"%s\"", item->string);
		return -1;
	}
	return number;
}

/* In a transparent service a path runs between the two ports of a pair. */
static bool joined(struct build *b, const struct conf *first, const struct conf *last)
{
	const char *pair = edge_pair_of(conf_get(b->document, "edge"), first->string);

	if (b->snapshot->edge_mode != EDGE_TRANSPARENT || (pair && strcmp(pair, last->string) == 0))
		return true;
	conf_error(b->errors, last, "not-a-pair", "port \"%s\" is joined to \"%s\", not to \"%s\"",
	           first->string, pair ? pair : "no other", last->string);
	return false;
}

static bool fill_path(struct build *b, struct path *path, const struct conf *item)
{
	const struct conf *names = conf_get(item, "path");
	size_t n = conf_count(names);
	int first = end_port(b, conf_at(names, 0)), last = end_port(b, conf_at(names, n - 1));

	if (first < 0 || last < 0)
		return false;
	if (!joined(b, conf_at(names, 0), conf_at(names, n - 1)))
		return false;
	path->ends[0] = (uint16_t)first;
	path->ends[1] = (uint16_t)last;
	path->symmetric = conf_bool(item, "symmetric", true);
	path->priority = (int32_t)conf_int(item, "priority", 0);
	for (size_t i = 1; i + 1 < n; i++)
		if (!add_position(b, path, conf_at(names, i), conf_get(item, "draining")))
			return false;
	if (!segments_build(b->engine, path)) {
		conf_error(b->errors, item, "too-many-layouts",
		           "too many different sets of functions since the last sweep of the session table");
		return false;
	}
	path->structure = path_structure(b, path);
	path->generation = path_generation(b, path);
	return nfp_compile(conf_get(item, "match"), &path->match, b->errors);
}

static void add_path(struct build *b, const struct conf *item, size_t order)
{
	int id = path_id(b->engine, conf_string(item, "name", ""));
	struct path *path = id < 0 ? NULL : calloc(1, sizeof(*path));

	if (!path) {
		conf_error(b->errors, item, "no-memory", "no room for another path");
		return;
	}
	path->id = (uint16_t)id;
	path->order = (uint16_t)order;
	snprintf(path->name, sizeof(path->name), "%s", conf_string(item, "name", ""));
	b->snapshot->paths[id] = path;
	if (id >= b->snapshot->path_count)
		b->snapshot->path_count = (uint16_t)(id + 1);
	fill_path(b, path, item);
}

/* --- links of hops --- */

/* Whether the segment that begins at `position` with this walk keeps sessions: it does at the ends of a path, and where functions are. */
static bool keeps_sessions(const struct path *path, int position, int walk)
{
	for (int i = position; i >= 0 && i < path->count; i += walk ? -1 : 1) {
		if (path->positions[i].nf)
			return true;
		return false;
	}
	return true;
}

static const struct conf *path_item(const struct build *b, const struct path *path)
{
	return conf_item(conf_get(b->document, "paths"), "name", path->name);
}

static void name_owners(struct build *b, struct snapshot_port *port, const struct path *path, int walk)
{
	const struct nf *other = owners_of_entry(port, b->snapshot, path, walk);
	const struct conf *names = conf_get(path_item(b, path), "path");

	if (other)
		conf_error(b->errors, path_item(b, path), "owners-disagree",
		           "functions \"%s\" and \"%s\" would both spread the packets of port \"%s\" "
		           "over the workers",
		           other->name, port->owners[0].nf->name,
		           conf_at(names, walk ? conf_count(names) - 1 : 0)->string);
}

static void link_side(struct build *b, const struct path *path, unsigned position, int walk)
{
	uint16_t number = path->positions[position].link[!walk];
	struct snapshot_port *port = &b->snapshot->ports[number];

	port->role = PORT_LINK;
	port->walk = (uint8_t)walk;
	port->position = (int16_t)(walk ? (int)position - 1 : (int)position + 1);
	port->path = path;
	port->zone = (uint8_t)(number + 1);
	port->vlans = b->snapshot->separate_vlans;
	port->look_up = keeps_sessions(path, port->position, walk);
	if (!owners_of_link(port, b->snapshot))
		conf_error(b->errors, path_item(b, path), "too-many-owners",
		           "more than %d functions of this path would spread its packets over the workers",
		           PORT_OWNERS_MAX);
	if (number >= b->snapshot->port_count)
		b->snapshot->port_count = (uint16_t)(number + 1);
}

/* --- candidates --- */

static int by_priority(const void *a, const void *z)
{
	const struct candidate *x = a, *y = z;

	if (x->path->priority != y->path->priority)
		return x->path->priority > y->path->priority ? -1 : 1;
	if (x->path != y->path)
		return (int)x->path->order - (int)y->path->order;
	return x->walk - y->walk;
}

static void add_candidates(struct build *b, uint16_t number)
{
	struct snapshot *s = b->snapshot;
	struct snapshot_port *port = &s->ports[number];

	port->first_candidate = s->candidate_count;
	for (unsigned i = 0; i < s->path_count; i++) {
		const struct path *path = s->paths[i];

		for (int walk = 0; path && walk < 2; walk++) {
			if (path->ends[walk] != number || (walk && !path->symmetric))
				continue;
			if (s->candidate_count == ENGINE_CANDIDATES_MAX) {
				conf_error(b->errors, b->document, "too-many-paths",
				           "more than %d ways into paths", ENGINE_CANDIDATES_MAX);
				return;
			}
			s->candidates[s->candidate_count++] = (struct candidate){ path, (uint8_t)walk };
			name_owners(b, port, path, walk);
		}
	}
	port->candidates = (uint16_t)(s->candidate_count - port->first_candidate);
	qsort(s->candidates + port->first_candidate, port->candidates, sizeof(*s->candidates), by_priority);
}

static void wire(struct build *b)
{
	struct snapshot *s = b->snapshot;

	for (unsigned i = 0; i < s->path_count; i++) {
		const struct path *path = s->paths[i];

		for (unsigned k = 0; path && k < path->count; k++) {
			if (path->positions[k].nf)
				continue;
			link_side(b, path, k, 0);
			link_side(b, path, k, 1);
		}
	}
	for (uint16_t number = 0; number < s->port_count; number++)
		if (s->ports[number].role == PORT_OUTSIDE)
			add_candidates(b, number);
}

void snapshot_share_out(struct snapshot *s, unsigned workers)
{
	s->workers = (uint16_t)workers;
	for (unsigned i = 0; i < 256; i++)
		s->bucket_worker[i] = (uint8_t)(i % workers);
}

struct snapshot *snapshot_build(struct engine *engine, const struct conf *document,
                                const struct snapshot *previous, const struct conf *previous_document,
                                struct errors *errors)
{
	struct build b = {
		engine, calloc(1, sizeof(*b.snapshot)), document, previous, previous_document, true, errors
	};
	const struct conf *paths = conf_get(document, "paths");
	size_t before = errors->count;

	if (!b.snapshot) {
		errors_add(errors, NULL, "no-memory", NULL, 0, "not enough memory for a configuration");
		return NULL;
	}
	b.ports_changed = !previous_document || !same(conf_get(conf_get(document, "edge"), "ports"),
	                                              conf_get(conf_get(previous_document, "edge"), "ports"));
	b.snapshot->revision = engine->revision + 1;
	snapshot_share_out(b.snapshot, engine_active_workers(document));
	edge_check(conf_get(document, "edge"), errors);
	outside_ports(&b);
	compile_functions(&b);
	for (size_t i = 0; i < conf_count(paths) && errors->count == before; i++)
		add_path(&b, conf_at(paths, i), i);
	if (errors->count == before)
		wire(&b);
	if (errors->count == before)
		return b.snapshot;
	snapshot_free(b.snapshot);
	return NULL;
}

void snapshot_carry(struct snapshot *previous, const struct snapshot *next)
{
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++)
		previous->nf_carried[i] = next->nf_carried[i];
}

void snapshot_free(struct snapshot *snapshot)
{
	if (!snapshot)
		return;
	for (unsigned i = 0; i < ENGINE_NFS_MAX; i++) {
		const struct nf *nf = snapshot->nfs[i];

		if (nf && snapshot->nf_snapshots[i] && !snapshot->nf_carried[i] && nf->klass->release)
			nf->klass->release(snapshot->nf_snapshots[i]);
	}
	for (unsigned i = 0; i < snapshot->path_count; i++) {
		if (snapshot->paths[i])
			nfp_free(&snapshot->paths[i]->match);
		free(snapshot->paths[i]);
	}
	edge_table_free(snapshot->edge);
	free(snapshot);
}
