/* SPDX-License-Identifier: BSD-3-Clause */
/* From descriptors to engine documents. See render.h. */
#include "lifecycle/render.h"

#include <stdlib.h>
#include <string.h>

#include "lifecycle/descriptor.h"
#include "util/memory.h"

struct render {
	const struct conf *service;
	const char *run_folder;
	struct rendering *into;
};

static void add_origin(struct rendering *into, char *rendered, char *source)
{
	into->origins = memory_grow(into->origins, into->origins_count, sizeof(*into->origins));
	into->origins[into->origins_count++] = (struct render_origin){ rendered, source };
}

/* Copies a member of the descriptor if it is there. */
static void copy(struct conf *to, const struct conf *from, const char *name)
{
	const struct conf *member = conf_get(from, name);

	if (member)
		conf_put(to, name, member);
}

/* --- parts that all documents have --- */

static void put_engine(const struct render *r, struct conf *document, const char *name)
{
	static const char *const members[] = { "workers", "workersMax", "sessions", "sessions6", "mbufs",
		                               "mtuMax",  "pickup",     "drain",    "verifyTcp", "synProxyAt",
		                               "idle",    "seed",       "timeouts" };
	const struct conf *from = conf_get(r->service, "engine");
	struct conf *engine = conf_new(document, CONF_GROUP, "engine");

	conf_set_string(engine, "name", name);
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		copy(engine, from, members[i]);
	add_origin(r->into, text_copy("engine"), text_copy("engine"));
}

static void put_function(const struct render *r, struct conf *functions, const struct conf *vnf)
{
	struct conf *function = conf_new(functions, CONF_GROUP, NULL);

	copy(function, vnf, "name");
	copy(function, vnf, "kind");
	copy(function, vnf, "config");
	add_origin(r->into, text_format("functions[%zu]", function->index),
	           text_format("vnfs[%zu]", vnf->index));
}

/* `path`: of what it is rendered from in the descriptor. */
static void put_manage(const struct render *r, struct conf *document, const struct conf *from, char *path)
{
	copy(document, from, "manage");
	add_origin(r->into, text_copy("manage"), path);
}

/* --- the service process --- */

static void put_ports(struct conf *edge, const struct conf *from)
{
	const struct conf *ports = conf_get(from, "ports");
	const char *netns = conf_string(from, "netns", NULL);
	struct conf *list = conf_new(edge, CONF_LIST, "ports");

	for (size_t i = 0; i < conf_count(ports); i++) {
		struct conf *port = conf_put(list, NULL, conf_at(ports, i));

		if (netns && !conf_get(port, "netns"))
			conf_set_string(port, "netns", netns);
	}
}

static void put_edge(const struct render *r, struct conf *document)
{
	const struct conf *from = conf_get(r->service, "edge");
	struct conf *edge = conf_new(document, CONF_GROUP, "edge");

	conf_set_string(edge, "mode", conf_string(from, "mode", "routed"));
	put_ports(edge, from);
	copy(edge, from, "routes");
	copy(edge, from, "neighbours");
	copy(edge, from, "linkLocal");
	copy(edge, from, "nonIp");
	copy(edge, from, "linkState");
	copy(edge, r->service, "unmatched");
	add_origin(r->into, text_copy("edge.unmatched"), text_copy("unmatched"));
	add_origin(r->into, text_copy("edge"), text_copy("edge"));
}

static char *link_path(const struct render *r, const char *vnf, const char *chain, char side)
{
	return text_format("%s/%s/%s/%s.%c.sock", r->run_folder, conf_string(r->service, "name", ""), vnf,
	                   chain, side);
}

static void put_hop(const struct render *r, struct conf *hops, const struct conf *chain,
                    const struct conf *step, const struct conf *vnf)
{
	struct conf *hop = conf_new(hops, CONF_GROUP, NULL);

	copy(hop, vnf, "name");
	copy(hop, vnf, "kind");
	conf_set_string(hop, "path", conf_string(chain, "name", ""));
	for (char side = 'a'; side <= 'b'; side++) {
		char *path = link_path(r, step->string, conf_string(chain, "name", ""), side);
		char *device = text_format("vhost:%s", path);
		conf_set_string(hop, (char[]){ side, '\0' }, device);
		free(device);
		free(path);
	}
	copy(hop, chain, "onFailure");
	copy(hop, vnf, "config");
	add_origin(r->into, text_format("hops[%zu].config", hop->index),
	           text_format("vnfs[%zu].config", vnf->index));
	add_origin(r->into, text_format("hops[%zu].onFailure", hop->index),
	           text_format("chains[%zu].onFailure", chain->index));
	add_origin(r->into, text_format("hops[%zu]", hop->index),
	           text_format("chains[%zu].path[%zu]", chain->index, step->index));
}

static void put_hops(const struct render *r, struct conf *document)
{
	const struct conf *chains = conf_get(r->service, "chains");
	struct conf *hops = conf_new(document, CONF_LIST, "hops");

	for (size_t i = 0; i < conf_count(chains); i++) {
		const struct conf *chain = conf_at(chains, i), *path = conf_get(chain, "path");

		for (size_t j = 1; j + 1 < conf_count(path); j++) {
			const struct conf *vnf = descriptor_vnf(r->service, conf_at(path, j)->string);

			if (vnf && !descriptor_fused(r->service, vnf))
				put_hop(r, hops, chain, conf_at(path, j), vnf);
		}
	}
}

static void put_chains(const struct render *r, struct conf *document)
{
	static const char *const members[] = {
		"name", "path", "symmetric", "priority", "match", "onFailure"
	};
	const struct conf *chains = conf_get(r->service, "chains");
	struct conf *paths = conf_new(document, CONF_LIST, "paths");

	for (size_t i = 0; i < conf_count(chains); i++) {
		struct conf *path = conf_new(paths, CONF_GROUP, NULL);

		for (size_t j = 0; j < sizeof(members) / sizeof(members[0]); j++)
			copy(path, conf_at(chains, i), members[j]);
	}
	add_origin(r->into, text_copy("paths"), text_copy("chains"));
}

static void render_forwarder(const struct render *r)
{
	const struct conf *vnfs = conf_get(r->service, "vnfs");
	struct conf *document = conf_new(NULL, CONF_GROUP, NULL);

	r->into->vnf = text_copy("");
	r->into->program = text_copy("sluice-chain");
	r->into->document = document;
	put_engine(r, document, conf_string(r->service, "name", ""));
	put_manage(r, document, r->service, text_copy("manage"));
	put_edge(r, document);
	struct conf *functions = conf_new(document, CONF_LIST, "functions");
	for (size_t i = 0; i < conf_count(vnfs); i++)
		if (descriptor_fused(r->service, conf_at(vnfs, i)))
			put_function(r, functions, conf_at(vnfs, i));
	put_hops(r, document);
	put_chains(r, document);
	add_origin(r->into, text_copy("functions"), text_copy("vnfs"));
	add_origin(r->into, text_copy("hops"), text_copy("chains"));
}

/* --- the process behind a hop --- */

/* One end of a pair of links: it stands for the outside port that it faces, with the addresses of that. */
static void put_link(const struct render *r, struct conf *ports, const struct conf *chain, const char *vnf,
                     char side)
{
	const struct conf *path = conf_get(chain, "path");
	const struct conf *end = conf_at(path, side == 'a' ? 0 : conf_count(path) - 1);
	const struct conf *outside = descriptor_port(r->service, end->string);
	char *socket = link_path(r, vnf, conf_string(chain, "name", ""), side),
	     *device = text_format("virtio:%s", socket),
	     *name = text_format("%s.%c", conf_string(chain, "name", ""), side);
	struct conf *port = conf_new(ports, CONF_GROUP, NULL);

	conf_set_string(port, "name", name);
	conf_set_string(port, "as", end->string);
	conf_set_string(port, "device", device);
	copy(port, outside, "addresses");
	copy(port, outside, "mtu");
	add_origin(r->into, text_format("edge.ports[%zu]", port->index),
	           text_format("edge.ports[%zu]", outside ? outside->index : 0));
	free(socket);
	free(device);
	free(name);
}

static void put_inner_path(const struct render *r, struct conf *paths, const struct conf *chain,
                           const char *vnf)
{
	struct conf *path = conf_new(paths, CONF_GROUP, NULL);
	const char *name = conf_string(chain, "name", "");

	copy(path, chain, "name");
	copy(path, chain, "symmetric");
	struct conf *steps = conf_new(path, CONF_ARRAY, "path");
	for (unsigned i = 0; i < 3; i++) {
		char *step = i == 1 ? text_copy(vnf) : text_format("%s.%c", name, i == 0 ? 'a' : 'b');
		conf_set_string(steps, NULL, step);
		free(step);
	}
	add_origin(r->into, text_format("paths[%zu]", path->index), text_format("chains[%zu]", chain->index));
}

static void render_hop(const struct render *r, const struct conf *vnf)
{
	const char *name = conf_string(vnf, "name", "");
	const struct conf *chains = conf_get(r->service, "chains");
	struct conf *document = conf_new(NULL, CONF_GROUP, NULL);

	r->into->vnf = text_copy(name);
	r->into->program = text_format("sluice-%s", conf_string(vnf, "kind", ""));
	r->into->document = document;
	put_engine(r, document, name);
	put_manage(r, document, vnf, text_format("vnfs[%zu].manage", vnf->index));
	struct conf *edge = conf_new(document, CONF_GROUP, "edge"), *ports, *paths;
	conf_set_string(edge, "mode", "link");
	if (strcmp(conf_string(conf_get(r->service, "edge"), "mode", "routed"), "transparent") == 0)
		conf_set_bool(edge, "separateVlans", true);
	ports = conf_new(edge, CONF_LIST, "ports");
	put_function(r, conf_new(document, CONF_LIST, "functions"), vnf);
	paths = conf_new(document, CONF_LIST, "paths");
	for (size_t i = 0; i < conf_count(chains); i++) {
		if (!descriptor_on_chain(conf_at(chains, i), name))
			continue;
		put_link(r, ports, conf_at(chains, i), name, 'a');
		put_link(r, ports, conf_at(chains, i), name, 'b');
		put_inner_path(r, paths, conf_at(chains, i), name);
	}
}

static bool on_any_chain(const struct conf *service, const char *vnf)
{
	const struct conf *chains = conf_get(service, "chains");

	for (size_t i = 0; i < conf_count(chains); i++)
		if (descriptor_on_chain(conf_at(chains, i), vnf))
			return true;
	return false;
}

struct renderings render_service(const struct conf *service, const char *run_folder)
{
	const struct conf *vnfs = conf_get(service, "vnfs");
	struct renderings all = { memory_new(conf_count(vnfs) + 1, sizeof(*all.list)), 1 };
	struct render r = { service, run_folder, &all.list[0] };

	render_forwarder(&r);
	for (size_t i = 0; i < conf_count(vnfs); i++) {
		const struct conf *vnf = conf_at(vnfs, i);

		if (descriptor_fused(service, vnf) || !on_any_chain(service, conf_string(vnf, "name", "")))
			continue;
		r.into = &all.list[all.count++];
		render_hop(&r, vnf);
	}
	return all;
}

static void rendering_free(struct rendering *rendering)
{
	for (size_t i = 0; i < rendering->origins_count; i++) {
		free(rendering->origins[i].rendered);
		free(rendering->origins[i].source);
	}
	free(rendering->origins);
	conf_free(rendering->document);
	free(rendering->program);
	free(rendering->build);
	free(rendering->vnf);
}

void renderings_free(struct renderings *renderings)
{
	for (size_t i = 0; i < renderings->count; i++)
		rendering_free(&renderings->list[i]);
	free(renderings->list);
	*renderings = (struct renderings){ NULL, 0 };
}

/* --- back again --- */

static bool is_below(const char *path, const char *prefix)
{
	size_t length = strlen(prefix);

	return strncmp(path, prefix, length) == 0 && strchr(".[", path[length]) != NULL;
}

char *render_source(const struct rendering *rendering, const char *path)
{
	const struct render_origin *best = NULL;

	for (size_t i = 0; path && i < rendering->origins_count; i++) {
		const struct render_origin *origin = &rendering->origins[i];

		if (is_below(path, origin->rendered) &&
		    (!best || strlen(origin->rendered) > strlen(best->rendered)))
			best = origin;
	}
	return best ? text_format("%s%s", best->source, path + strlen(best->rendered))
	            : text_copy(path ? path : "");
}
