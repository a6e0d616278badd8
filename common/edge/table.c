/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compiles the edge's configuration into a snapshot: ports with their addresses, and by way of routes.c the FIB. Builder
 * thread; the snapshot is const once published and belongs to whoever asked for it.
 */
#include <stdlib.h>

#include "config/values.h"
#include "edge/private.h"
#include "util/memory.h"

enum { IPV6_MTU_MIN = 1280 }; /* RFC 8200, section 5 */

int table_port_number(const struct edge_table *table, const char *name)
{
	for (int i = 0; i < EDGE_PORTS_MAX; i++)
		if (table->ports[i].present && strcmp(table->ports[i].name, name) == 0)
			return i;
	return -1;
}

/* RFC 4291, appendix A: the link-local address of a MAC. */
static void make_link_local(struct edge_port *port)
{
	uint8_t *a = port->link_local;
	const uint8_t *mac = port->mac;

	a[0] = 0xfe;
	a[1] = 0x80;
	memcpy(a + 8, mac, 3);
	a[8] ^= 2;
	a[11] = 0xff;
	a[12] = 0xfe;
	memcpy(a + 13, mac + 3, 3);
}

static bool is_host_address(const struct ip_addr *a)
{
	static const uint8_t zero[16];

	if (a->family == FAMILY_V4)
		return a->bytes[0] != 0 && a->bytes[0] != 127 && a->bytes[0] < 224;
	return a->bytes[0] != 0xff && memcmp(a->bytes, zero, 15) != 0;
}

/* What an IPv4 address is that stands for all of its subnet; NULL: it is a host's. Of a /31 (RFC 3021) and a /32 every one is. */
static const char *ends_subnet(const struct ip_prefix *p)
{
	uint32_t host, address;

	if (p->address.family != FAMILY_V4 || p->length > 30)
		return NULL;
	memcpy(&address, p->address.bytes, sizeof(address));
	host = UINT32_MAX >> p->length;
	address = rte_be_to_cpu_32(address) & host;
	return address == 0 ? "network" : address == host ? "broadcast" : NULL;
}

static bool nets_overlap(const struct ip_prefix *a, const struct ip_prefix *b)
{
	struct ip_prefix wider = a->length < b->length ? *a : *b;

	ip_prefix_mask(&wider);
	return ip_prefix_holds(&wider, a->length < b->length ? &b->address : &a->address);
}

static bool nets_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return a->length == b->length && nets_overlap(a, b);
}

/* An address may stand once; two subnets may be the same on one port, else they must be apart. Links of several paths stand for one port, and have its addresses each. */
static void check_apart(const struct edge_table *table, unsigned number, const struct ip_prefix *address,
                        const struct conf *c, struct errors *errors)
{
	for (unsigned i = 0; i < EDGE_PORTS_MAX; i++) {
		const struct edge_port *port = &table->ports[i];

		for (unsigned k = 0; k < port->address_count; k++) {
			const struct ip_prefix *other = &port->addresses[k];
			char text[NET_TEXT];

			if (other->address.family != address->address.family || !nets_overlap(other, address))
				continue;
			if (table->mode == EDGE_LINK && i != number)
				continue;
			ip_prefix_format(other, text, sizeof(text));
			if (ip_addr_equal(&other->address, &address->address))
				conf_error(errors, c, "duplicate-address",
				           "port \"%s\" has this address already, as %s", port->name, text);
			else if (i != number || !nets_equal(other, address))
				conf_error(errors, c, "overlapping-subnets",
				           "overlaps the subnet of %s on port \"%s\"", text, port->name);
		}
	}
}

static void add_address(struct edge_table *table, unsigned number, const struct conf *c,
                        struct errors *errors)
{
	struct edge_port *port = &table->ports[number];
	struct ip_prefix address;
	size_t before = errors->count;

	if (!conf_as_interface(c, &address))
		return;
	if (!is_host_address(&address.address))
		conf_error(errors, c, "bad-address", "not an address that a port can have: \"%s\"",
		           c->string);
	if (ends_subnet(&address))
		conf_error(errors, c, "bad-address", "%s is the %s address of its subnet", c->string,
		           ends_subnet(&address));
	check_apart(table, number, &address, c, errors);
	if (errors->count > before)
		return;
	port->addresses = memory_grow(port->addresses, port->address_count, sizeof(*port->addresses));
	port->addresses[port->address_count++] = address;
	port->routed6 |= address.address.family == FAMILY_V6;
	if (address.address.family == FAMILY_V6 && table->mtu[number] < IPV6_MTU_MIN)
		conf_error(errors, c, "mtu-too-small", "IPv6 needs an MTU of at least %d, this port has %u",
		           IPV6_MTU_MIN, table->mtu[number]);
}

static const struct edge_port_info *find_info(const struct edge_port_info *ports, unsigned count,
                                              const char *name)
{
	for (unsigned i = 0; i < count; i++)
		if (strcmp(ports[i].name, name) == 0)
			return &ports[i];
	return NULL;
}

static void add_port(struct edge_table *table, const struct conf *c, const struct edge_port_info *info,
                     struct errors *errors)
{
	struct edge_port *port = &table->ports[info->number];
	const struct conf *addresses = conf_get(c, "addresses");

	port->present = true;
	port->name = text_copy(info->name);
	table->mtu[info->number] = info->mtu;
	memcpy(port->mac, info->mac, sizeof(port->mac));
	make_link_local(port);
	for (size_t i = 0; i < conf_count(addresses); i++)
		add_address(table, info->number, conf_at(addresses, i), errors);
}

static void add_ports(struct edge_table *table, const struct conf *config, const struct edge_port_info *ports,
                      unsigned count, struct errors *errors)
{
	const struct conf *list = conf_get(config, "ports");

	for (size_t i = 0; i < conf_count(list); i++) {
		const struct conf *c = conf_at(list, i);
		const char *name = conf_string(c, "name", "");
		const struct edge_port_info *info = find_info(ports, count, name);

		if (!info)
			conf_error(errors, c, "no-such-port", "port \"%s\" has not been opened", name);
		else
			add_port(table, c, info, errors);
	}
}

static uint8_t next_generation(const struct edge *edge, const struct edge_table *previous)
{
	uint8_t generation = previous ? (uint8_t)(previous->generation + 1) : edge->first_generation;

	return generation ? generation : 1;
}

enum edge_mode edge_mode_of(const struct conf *config)
{
	const char *mode = conf_string(config, "mode", "routed");

	if (strcmp(mode, "link") == 0)
		return EDGE_LINK;
	return strcmp(mode, "transparent") == 0 ? EDGE_TRANSPARENT : EDGE_ROUTED;
}

struct edge_table *edge_compile(struct edge *edge, const struct conf *config,
                                const struct edge_port_info *ports, unsigned port_count,
                                const struct edge_claim *claims, unsigned claim_count,
                                const struct edge_table *previous, struct errors *errors)
{
	struct edge_table *table = memory_new(1, sizeof(*table));
	size_t before = errors->count;

	table->generation = next_generation(edge, previous);
	table->mode = edge_mode_of(config);
	table->claims = memory_new(claim_count + 1, sizeof(*table->claims));
	for (unsigned i = 0; i < claim_count; i++)
		table->claims[table->claim_count++] = claims[i];
	add_ports(table, config, ports, port_count, errors);
	edge_check(config, errors);
	if (errors->count == before)
		table_join_ports(table, config);
	table_build_routes(table, config, errors);
	if (errors->count == before)
		return table;
	edge_table_free(table);
	return NULL;
}

void edge_table_free(struct edge_table *table)
{
	if (!table)
		return;
	for (unsigned i = 0; i < EDGE_PORTS_MAX; i++) {
		free(table->ports[i].name);
		free(table->ports[i].addresses);
	}
	fib_free(table->fib);
	free(table->hops);
	free(table->routes);
	free(table->claims);
	free(table);
}

/* Claims that face several ports have one route, but neighbours on each. */
static bool is_claimed_on(const struct edge_table *table, uint16_t port, uint16_t owner, uint8_t family,
                          const union ipaddr *address)
{
	struct ip_addr wanted = ip_addr_of(family, address);

	for (unsigned i = 0; i < table->claim_count; i++) {
		const struct edge_claim *claim = &table->claims[i];
		struct ip_prefix prefix = { ip_addr_of(claim->family, &claim->address), claim->length };

		if (claim->port == port && claim->owner == owner && ip_prefix_holds(&prefix, &wanted))
			return true;
	}
	return false;
}

bool table_answers(const struct edge_table *table, uint16_t port, uint8_t family, const union ipaddr *address)
{
	const struct edge_hop *hop;

	if (is_link_local(family, address))
		return table->ports[port].routed6 &&
		       memcmp(address->bytes, table->ports[port].link_local, 16) == 0;
	hop = table_route(table, family, address);
	if (hop->kind != HOP_LOCAL && hop->kind != HOP_CLAIM)
		return false;
	return hop->port == port ||
	       (table->shared_claims && is_claimed_on(table, port, hop->owner, family, address));
}

/* Whether an address is in a subnet of the port. */
static const struct ip_prefix *subnet_of(const struct edge_port *port, uint8_t family,
                                         const union ipaddr *address)
{
	struct ip_addr ip = ip_addr_of(family, address);

	for (unsigned i = 0; i < port->address_count; i++) {
		struct ip_prefix net = port->addresses[i];

		ip_prefix_mask(&net);
		if (ip_prefix_holds(&net, &ip))
			return &port->addresses[i];
	}
	return NULL;
}

bool table_on_link(const struct edge_table *table, uint16_t port, uint8_t family, const union ipaddr *address)
{
	const struct edge_hop *hop;

	if (port >= EDGE_PORTS_MAX || !table->ports[port].present ||
	    table_answers(table, port, family, address))
		return false;
	if (is_link_local(family, address))
		return table->ports[port].routed6;
	hop = table_route(table, family, address);
	if (hop->kind == HOP_CONNECTED)
		return hop->port == port;
	/* A more specific route may lead past the subnet, as to a gateway that is its own next hop. */
	return hop->kind != HOP_LOCAL && hop->kind != HOP_BROADCAST &&
	       subnet_of(&table->ports[port], family, address);
}

bool edge_one_subnet(const struct edge_table *table, uint8_t family, const union ipaddr *a,
                     const union ipaddr *b)
{
	for (unsigned i = 0; i < EDGE_PORTS_MAX; i++) {
		const struct ip_prefix *own =
		        table->ports[i].present ? subnet_of(&table->ports[i], family, a) : NULL;

		if (own && own == subnet_of(&table->ports[i], family, b))
			return true;
	}
	return false;
}

bool edge_leads_to(const struct edge_table *table, uint16_t port, uint8_t family, const union ipaddr *address)
{
	const struct edge_hop *hop;

	if (port >= EDGE_PORTS_MAX || !table->ports[port].present)
		return false;
	if (table->mode == EDGE_LINK)
		return subnet_of(&table->ports[port], family, address) != NULL;
	if (table->mode != EDGE_ROUTED)
		return false;
	hop = table_route(table, family, address);
	return (hop->kind == HOP_CONNECTED || hop->kind == HOP_VIA) && hop->port == port;
}

bool edge_source(const struct edge_table *table, uint16_t port, uint8_t family, union ipaddr *address)
{
	const struct edge_port *p = port < EDGE_PORTS_MAX ? &table->ports[port] : NULL;

	for (unsigned i = 0; p && i < p->address_count; i++) {
		if (p->addresses[i].address.family != family)
			continue;
		*address = ipaddr_of(&p->addresses[i].address);
		return true;
	}
	return false;
}

bool table_source_toward(const struct edge_table *table, uint16_t port, uint8_t family,
                         const union ipaddr *neighbour, union ipaddr *address)
{
	const struct ip_prefix *own = subnet_of(&table->ports[port], family, neighbour);

	if (own)
		*address = ipaddr_of(&own->address);
	else if (family == FAMILY_V6 && table->ports[port].routed6)
		*address = ip_v6(table->ports[port].link_local);
	else
		return edge_source(table, port, family, address);
	return true;
}
