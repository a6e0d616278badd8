/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The routes of a snapshot: own addresses, claims, connected subnets, static routes and gateways become one FIB. Each
 * prefix has one route; what contradicts is an error at the place of the later one. Builder thread.
 */
#include <stdlib.h>

#include "config/values.h"
#include "edge/private.h"
#include "util/memory.h"

static uint32_t add_hop(struct edge_table *table, const struct edge_hop *hop)
{
	for (unsigned i = 0; i < table->hop_count; i++)
		if (memcmp(&table->hops[i], hop, sizeof(*hop)) == 0)
			return i;
	table->hops = memory_grow(table->hops, table->hop_count, sizeof(*hop));
	table->hops[table->hop_count] = *hop;
	return table->hop_count++;
}

static struct edge_hop hop_make(enum hop_kind kind, uint8_t family, uint16_t port)
{
	struct edge_hop hop;

	/* compared as bytes */
	memset(&hop, 0, sizeof(hop));
	hop.kind = (uint8_t)kind;
	hop.family = family;
	hop.port = port;
	hop.owner = EDGE_NO_OWNER;
	return hop;
}

static void add_route(struct edge_table *table, const struct ip_prefix *prefix, const struct edge_hop *hop,
                      const char *origin, const struct conf *c)
{
	struct edge_route *route;

	table->routes = memory_grow(table->routes, table->route_count, sizeof(*route));
	route = &table->routes[table->route_count++];
	*route = (struct edge_route){ *prefix, add_hop(table, hop), origin, c };
	ip_prefix_mask(&route->prefix);
}

static void add_host(struct edge_table *table, const struct ip_addr *address, enum hop_kind kind,
                     uint16_t port, const char *origin)
{
	struct ip_prefix host = { *address, (uint8_t)ip_addr_bits(address) };
	struct edge_hop hop = hop_make(kind, address->family, port);

	add_route(table, &host, &hop, origin, NULL);
}

/* The two addresses of an IPv4 subnet that are nobody's: RFC 1812, section 4.2.2.11; RFC 3021 for /31. */
static void add_broadcasts(struct edge_table *table, const struct ip_prefix *net, uint16_t port)
{
	struct ip_addr address = net->address;
	uint32_t word;

	if (address.family != FAMILY_V4 || net->length > 30)
		return;
	add_host(table, &address, HOP_BROADCAST, port, "broadcast");
	memcpy(&word, address.bytes, sizeof(word));
	word |= rte_cpu_to_be_32(UINT32_MAX >> net->length);
	memcpy(address.bytes, &word, sizeof(word));
	add_host(table, &address, HOP_BROADCAST, port, "broadcast");
}

static bool is_first_of_net(const struct edge_port *port, unsigned number)
{
	struct ip_prefix mine = port->addresses[number];

	ip_prefix_mask(&mine);
	for (unsigned i = 0; i < number; i++)
		if (ip_prefix_holds(&mine, &port->addresses[i].address))
			return false;
	return true;
}

static void add_connected(struct edge_table *table, uint16_t number)
{
	const struct edge_port *port = &table->ports[number];

	for (unsigned i = 0; i < port->address_count; i++) {
		struct ip_prefix net = port->addresses[i];
		struct edge_hop hop = hop_make(HOP_CONNECTED, net.address.family, number);

		add_host(table, &net.address, HOP_LOCAL, number, "local");
		ip_prefix_mask(&net);
		if (net.length == ip_addr_bits(&net.address) || !is_first_of_net(port, i))
			continue;
		add_route(table, &net, &hop, "connected", NULL);
		add_broadcasts(table, &net, number);
	}
}

static void claim_error(struct errors *errors, const struct edge_claim *claim, const char *code,
                        const char *what)
{
	struct ip_prefix prefix = { ip_addr_of(claim->family, &claim->address), claim->length };
	char text[NET_TEXT];

	ip_prefix_format(&prefix, text, sizeof(text));
	errors_add(errors, NULL, code, NULL, 0, "claim of %s: %s", text, what);
}

/* A claim on one of our own addresses shares it: echo requests stay ours, the rest is the owner's. */
static bool claim_own(struct edge_table *table, const struct ip_prefix *prefix, uint16_t owner)
{
	if (prefix->length != ip_addr_bits(&prefix->address))
		return false;
	for (unsigned i = 0; i < table->route_count; i++) {
		struct edge_route *route = &table->routes[i];
		struct edge_hop hop = table->hops[route->hop];

		if (hop.kind != HOP_LOCAL || !ip_addr_equal(&route->prefix.address, &prefix->address) ||
		    (hop.owner != EDGE_NO_OWNER && hop.owner != owner))
			continue;
		hop.owner = owner;
		route->hop = add_hop(table, &hop);
		return true;
	}
	return false;
}

/* One that faces several ports has one route: its owner is asked whichever path leads there. */
static bool is_claimed_before(const struct edge_table *table, const struct edge_claim *claim)
{
	for (const struct edge_claim *other = table->claims; other < claim; other++)
		if (other->owner == claim->owner && other->family == claim->family &&
		    other->length == claim->length && ipaddr_equal(&other->address, &claim->address))
			return true;
	return false;
}

static void add_claim(struct edge_table *table, const struct edge_claim *claim, struct errors *errors)
{
	struct ip_prefix prefix = { ip_addr_of(claim->family, &claim->address), claim->length };
	struct edge_hop hop = hop_make(HOP_CLAIM, claim->family, claim->port);

	hop.owner = claim->owner;
	if (claim->port >= EDGE_PORTS_MAX || !table->ports[claim->port].present)
		claim_error(errors, claim, "no-such-port", "the edge has no such port");
	else if (claim->length == 0 || claim->length > ip_addr_bits(&prefix.address))
		claim_error(errors, claim, "bad-claim", "not a prefix that can be claimed");
	else if (is_claimed_before(table, claim))
		table->shared_claims = true;
	else if (!claim_own(table, &prefix, claim->owner))
		add_route(table, &prefix, &hop, "claim", NULL);
}

static bool in_subnet(const struct edge_port *port, const struct ip_addr *address)
{
	for (unsigned i = 0; i < port->address_count; i++) {
		struct ip_prefix net = port->addresses[i];

		ip_prefix_mask(&net);
		if (ip_prefix_holds(&net, address))
			return !ip_addr_equal(&port->addresses[i].address, address);
	}
	return false;
}

/* A next hop that is ours leads nowhere; true: it is, and an error was added. */
static bool is_ours(const struct edge_table *table, const struct ip_addr *via, const struct conf *c,
                    struct errors *errors)
{
	size_t before = errors->count;

	for (unsigned i = 0; i < table->claim_count; i++) {
		const struct edge_claim *claim = &table->claims[i];
		struct ip_prefix prefix = { ip_addr_of(claim->family, &claim->address), claim->length };

		if (errors->count == before && ip_prefix_holds(&prefix, via))
			conf_error(
			        errors, c, "claimed",
			        "next hop %s is claimed by a function, a NAT's pool for one: we would answer "
			        "for it ourselves",
			        c->string);
	}
	for (unsigned i = 0; i < EDGE_PORTS_MAX; i++)
		for (unsigned k = 0; k < table->ports[i].address_count; k++)
			if (ip_addr_equal(&table->ports[i].addresses[k].address, via))
				conf_error(errors, c, "own-address", "next hop %s is port %s's own address",
				           c->string, table->ports[i].name);
	return errors->count > before;
}

/* The port of a next hop: the one given (-1: none), or the one whose subnet holds it; -1 with an error. */
static int port_of_via(const struct edge_table *table, const struct ip_addr *via, int given,
                       const struct conf *c, struct errors *errors)
{
	union ipaddr address = ipaddr_of(via);

	if (is_link_local(via->family, &address)) {
		if (given >= 0 && table->ports[given].routed6)
			return given;
		conf_error(errors, c, "no-port", "a link-local next hop needs a port with an IPv6 address");
		return -1;
	}
	for (int i = 0; i < EDGE_PORTS_MAX; i++)
		if ((given < 0 || given == i) && table->ports[i].present && in_subnet(&table->ports[i], via))
			return i;
	conf_error(errors, c, "not-on-link", "next hop %s is not in a subnet of %s%s", c->string,
	           given >= 0 ? "port " : "any port", given >= 0 ? table->ports[given].name : "");
	return -1;
}

static void add_via(struct edge_table *table, const struct ip_prefix *prefix, const struct conf *via,
                    int given, const char *origin, struct errors *errors)
{
	struct edge_hop hop;
	struct ip_addr address;
	int port;

	if (!conf_as_address(via, &address))
		return;
	if (address.family != prefix->address.family) {
		conf_error(errors, via, "family-mismatch", "next hop and destination must be of one family");
		return;
	}
	if (is_ours(table, &address, via, errors))
		return;
	port = port_of_via(table, &address, given, via, errors);
	if (port < 0)
		return;
	hop = hop_make(HOP_VIA, address.family, (uint16_t)port);
	hop.via = ipaddr_of(&address);
	add_route(table, prefix, &hop, origin, via);
}

static void add_gateways(struct edge_table *table, const struct conf *port, struct errors *errors)
{
	const struct conf *gateways = conf_get(port, "gateways");
	int number = table_port_number(table, conf_string(port, "name", ""));

	for (size_t i = 0; number >= 0 && i < conf_count(gateways); i++) {
		struct ip_prefix everything = { .length = 0 };
		struct ip_addr address;

		if (!conf_as_address(conf_at(gateways, i), &address))
			continue;
		everything.address.family = address.family;
		add_via(table, &everything, conf_at(gateways, i), number, "gateway", errors);
	}
}

/* A route without a next hop: by a port's own link, or to nowhere. */
static void add_direct(struct edge_table *table, const struct ip_prefix *prefix, const struct conf *c,
                       int port, struct errors *errors)
{
	const char *action = conf_string(c, "action", "forward");
	struct edge_hop hop = hop_make(HOP_CONNECTED, prefix->address.family, (uint16_t)port);
	bool forward = strcmp(action, "forward") == 0;

	if (!forward) {
		hop.kind = strcmp(action, "reject") == 0 ? HOP_REJECT : HOP_BLACKHOLE;
		hop.port = EDGE_NO_PORT;
	}
	if (forward && port < 0)
		conf_error(errors, c, "no-next-hop", "expected a next hop (via), a port or another action");
	else if (!forward && (port >= 0 || conf_get(c, "via")))
		conf_error(errors, c, "contradiction", "action %s goes without via and port", action);
	else
		add_route(table, prefix, &hop, "static", c);
}

static void add_static(struct edge_table *table, const struct conf *c, struct errors *errors)
{
	const struct conf *port_name = conf_get(c, "port"), *via = conf_get(c, "via");
	bool forward = strcmp(conf_string(c, "action", "forward"), "forward") == 0;
	struct ip_prefix prefix;
	int port = -1;

	if (!conf_as_prefix(conf_get(c, "prefix"), &prefix))
		return;
	if (port_name) {
		port = table_port_number(table, port_name->string);
		if (port < 0) {
			conf_error(errors, port_name, "no-such-port", "no such port: \"%s\"",
			           port_name->string);
			return;
		}
	}
	if (via && forward)
		add_via(table, &prefix, via, port, "static", errors);
	else
		add_direct(table, &prefix, c, port, errors);
}

static int compare(const void *a, const void *b)
{
	const struct ip_prefix *p = &((const struct edge_route *)a)->prefix,
	                       *q = &((const struct edge_route *)b)->prefix;
	int order = p->address.family - q->address.family;

	if (order == 0)
		order = memcmp(p->address.bytes, q->address.bytes, sizeof(p->address.bytes));
	return order ? order : p->length - q->length;
}

/*
 * Two routes of one prefix: an own address and a claim win over a broadcast address, and links may have the addresses of one
 * port; everything else is a mistake.
 */
static bool settle(struct edge_table *table, struct edge_route *kept, const struct edge_route *other,
                   struct errors *errors)
{
	uint8_t a = table->hops[kept->hop].kind, b = table->hops[other->hop].kind;
	const struct conf *place = other->conf ? other->conf : kept->conf;
	char text[NET_TEXT];

	if (kept->hop == other->hop && !place)
		return true;
	if (table->mode == EDGE_LINK && a == b && (a == HOP_LOCAL || a == HOP_CONNECTED))
		return true;
	if (a == HOP_BROADCAST || b == HOP_BROADCAST) {
		if (a == HOP_BROADCAST)
			*kept = *other;
		return true;
	}
	ip_prefix_format(&other->prefix, text, sizeof(text));
	if (place)
		conf_error(errors, place, "duplicate-route", "there is another route to %s (%s)", text,
		           other->conf ? kept->origin : other->origin);
	else
		errors_add(errors, NULL, "duplicate-claim", NULL, 0,
		           "%s is claimed by two functions: the addresses of each NAT are its own", text);
	return false;
}

static void sort_routes(struct edge_table *table, struct errors *errors)
{
	unsigned count = 0;

	if (table->route_count > 0)
		qsort(table->routes, table->route_count, sizeof(*table->routes), compare);
	for (unsigned i = 0; i < table->route_count; i++) {
		if (count > 0 && compare(&table->routes[count - 1], &table->routes[i]) == 0)
			settle(table, &table->routes[count - 1], &table->routes[i], errors);
		else
			table->routes[count++] = table->routes[i];
	}
	table->route_count = count;
	for (unsigned i = 0; i < count; i++)
		table->routes[i].conf = NULL;
}

static void collect(struct edge_table *table, const struct conf *config, struct errors *errors)
{
	const struct conf *ports = conf_get(config, "ports"), *routes = conf_get(config, "routes");
	struct edge_hop none = hop_make(HOP_NONE, 0, EDGE_NO_PORT);

	add_hop(table, &none);
	for (unsigned i = 0; i < EDGE_PORTS_MAX; i++)
		add_connected(table, (uint16_t)i);
	for (unsigned i = 0; i < table->claim_count; i++)
		add_claim(table, &table->claims[i], errors);
	for (size_t i = 0; i < conf_count(ports); i++)
		add_gateways(table, conf_at(ports, i), errors);
	for (size_t i = 0; i < conf_count(routes); i++)
		add_static(table, conf_at(routes, i), errors);
}

static void build_fib(struct edge_table *table, struct errors *errors)
{
	struct fib_route *list = memory_new(table->route_count + 1, sizeof(*list));

	for (unsigned i = 0; i < table->route_count; i++) {
		const struct edge_route *route = &table->routes[i];

		list[i] = (struct fib_route){ .prefix = ipaddr_of(&route->prefix.address),
			                      .family = route->prefix.address.family,
			                      .length = route->prefix.length,
			                      .hop = route->hop };
	}
	table->fib = fib_new(list, table->route_count, errors);
	free(list);
}

void table_build_routes(struct edge_table *table, const struct conf *config, struct errors *errors)
{
	collect(table, config, errors);
	sort_routes(table, errors);
	build_fib(table, errors);
}

const struct edge_hop *table_route(const struct edge_table *table, uint8_t family,
                                   const union ipaddr *address)
{
	uint32_t hop;

	if (family == FAMILY_V4)
		fib_lookup4(table->fib, &address->v4, &hop, 1);
	else
		fib_lookup6(table->fib, (const uint8_t(*)[16])address->bytes, &hop, 1);
	return &table->hops[hop];
}
