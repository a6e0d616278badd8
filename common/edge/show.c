/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operational state for REST. Control thread: it reads the snapshot, which its caller keeps alive, and the neighbour table, whose
 * entries it copies and checks, because worker 0 goes on meanwhile.
 */
#include <errno.h>

#include "edge/private.h"

static const char *const states[] = {
	[NEIGHBOUR_INCOMPLETE] = "incomplete", [NEIGHBOUR_REACHABLE] = "reachable",
	[NEIGHBOUR_STALE] = "stale",           [NEIGHBOUR_DELAY] = "delay",
	[NEIGHBOUR_PROBE] = "probe",           [NEIGHBOUR_FAILED] = "failed",
};

static json_t *address_text(uint8_t family, const union ipaddr *address)
{
	struct ip_addr ip = ip_addr_of(family, address);
	char text[NET_TEXT];

	ip_addr_format(&ip, text, sizeof(text));
	return json_string(text);
}

static json_t *prefix_text(const struct ip_prefix *prefix)
{
	char text[NET_TEXT];

	ip_prefix_format(prefix, text, sizeof(text));
	return json_string(text);
}

static json_t *mac_text(const uint8_t bytes[6])
{
	struct mac_addr mac;
	char text[NET_TEXT];

	memcpy(mac.bytes, bytes, 6);
	mac_format(&mac, text, sizeof(text));
	return json_string(text);
}

static json_t *port_text(const struct edge_table *table, uint16_t port)
{
	bool known = port < EDGE_PORTS_MAX && table->ports[port].present;

	return json_string(known ? table->ports[port].name : "?");
}

/* A copy of one entry; false: free, or changed while it was read. */
static bool read_entry(const struct adjacency *a, struct adjacency *copy)
{
	uint32_t id = __atomic_load_n(&a->id, __ATOMIC_ACQUIRE);

	if (id == 0)
		return false;
	*copy = *a;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&a->id, __ATOMIC_RELAXED) == id;
}

static void show_neighbour(const struct edge_table *table, const struct adjacency *a, uint8_t state,
                           json_t *list)
{
	json_t *item = json_object();

	json_object_set_new(item, "address", address_text(a->family, &a->address));
	json_object_set_new(item, "port", port_text(table, a->port));
	json_object_set_new(item, "state", json_string(states[state]));
	if (a->usable == a->id)
		json_object_set_new(item, "mac", mac_text(a->header));
	json_array_append_new(list, item);
}

static json_t *show_neighbours(const struct edge *edge, const struct edge_table *table)
{
	json_t *list = json_array();

	for (uint32_t i = 1; i < ADJACENCIES; i++) {
		uint8_t state = __atomic_load_n(&edge->neighbours[i].state, __ATOMIC_RELAXED);
		struct adjacency copy;

		if (read_entry(&edge->adjacencies[i], &copy))
			show_neighbour(table, &copy, state, list);
	}
	return list;
}

static json_t *show_routes(const struct edge_table *table)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < table->route_count; i++) {
		const struct edge_route *route = &table->routes[i];
		const struct edge_hop *hop = &table->hops[route->hop];
		json_t *item = json_object();

		json_object_set_new(item, "prefix", prefix_text(&route->prefix));
		json_object_set_new(item, "origin", json_string(route->origin));
		if (hop->kind == HOP_BLACKHOLE || hop->kind == HOP_REJECT)
			json_object_set_new(item, "action",
			                    json_string(hop->kind == HOP_REJECT ? "reject" : "blackhole"));
		else
			json_object_set_new(item, "port", port_text(table, hop->port));
		if (hop->kind == HOP_VIA)
			json_object_set_new(item, "via", address_text(hop->family, &hop->via));
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *show_addresses(const struct edge_port *port)
{
	union ipaddr link_local = ip_v6(port->link_local);
	json_t *list = json_array();

	for (unsigned i = 0; i < port->address_count; i++)
		json_array_append_new(list, prefix_text(&port->addresses[i]));
	if (port->routed6) {
		struct ip_prefix prefix = { ip_addr_of(FAMILY_V6, &link_local), 64 };

		json_array_append_new(list, prefix_text(&prefix));
	}
	return list;
}

static json_t *show_ports(const struct edge_table *table)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < EDGE_PORTS_MAX; i++) {
		const struct edge_port *port = &table->ports[i];
		json_t *item;

		if (!port->present)
			continue;
		item = json_object();
		json_object_set_new(item, "name", json_string(port->name));
		json_object_set_new(item, "number", json_integer(i));
		json_object_set_new(item, "mac", mac_text(port->mac));
		json_object_set_new(item, "mtu", json_integer(table->mtu[i]));
		json_object_set_new(item, "addresses", show_addresses(port));
		if (table->pair[i] != EDGE_NO_PORT)
			json_object_set_new(item, "pair", port_text(table, table->pair[i]));
		json_array_append_new(list, item);
	}
	return list;
}

static json_t *show_claims(const struct edge_table *table)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < table->claim_count; i++) {
		const struct edge_claim *claim = &table->claims[i];
		struct ip_prefix prefix = { ip_addr_of(claim->family, &claim->address), claim->length };
		json_t *item = json_object();

		json_object_set_new(item, "prefix", prefix_text(&prefix));
		json_object_set_new(item, "port", port_text(table, claim->port));
		json_object_set_new(item, "owner", json_integer(claim->owner));
		json_array_append_new(list, item);
	}
	return list;
}

int edge_show(struct edge *edge, const struct edge_table *table, const char *topic, json_t **out)
{
	if (strcmp(topic, "neighbours") == 0)
		*out = show_neighbours(edge, table);
	else if (strcmp(topic, "routes") == 0)
		*out = show_routes(table);
	else if (strcmp(topic, "ports") == 0)
		*out = show_ports(table);
	else if (strcmp(topic, "claims") == 0)
		*out = show_claims(table);
	else
		return -ENOENT;
	return 0;
}
