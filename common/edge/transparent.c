/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The transparent edge, a bump in the wire: ports are joined in pairs, what comes in by one leaves by the other as it came. It has no addresses
 * and takes part in nothing; what it has to say itself (a reject, an MTU) it says to the sender of a packet in the name of that packet's
 * destination. The pairs are the builder thread's until the snapshot is published; the rest runs on the worker's thread.
 */
#include "edge/private.h"

const char *edge_pair_of(const struct conf *config, const char *port)
{
	const struct conf *ports = conf_get(config, "ports");
	const char *named = conf_string(conf_item(ports, "name", port), "pair", NULL);

	for (size_t i = 0; i < conf_count(ports) && !named; i++)
		if (strcmp(conf_string(conf_at(ports, i), "pair", ""), port) == 0)
			named = conf_string(conf_at(ports, i), "name", NULL);
	return named;
}

static void refuse_member(const struct conf *c, const char *name, struct errors *errors)
{
	const struct conf *member = conf_get(c, name);

	if (conf_count(member) > 0)
		conf_error(errors, member, "needs-routed",
		           "a transparent edge has no addresses and no routes");
}

static void check_port(const struct conf *config, const struct conf *c, struct errors *errors)
{
	const char *name = conf_string(c, "name", ""), *pair = edge_pair_of(config, name);
	const struct conf *place = conf_get(c, "pair") ? conf_get(c, "pair") : c;
	const char *back = pair ? edge_pair_of(config, pair) : NULL;

	refuse_member(c, "addresses", errors);
	refuse_member(c, "gateways", errors);
	if (!pair)
		conf_error(errors, c, "no-pair",
		           "port \"%s\" is joined to no other: one of the two names its pair", name);
	else if (!conf_item(conf_get(config, "ports"), "name", pair))
		conf_error(errors, place, "no-such-port", "no port of the edge: \"%s\"", pair);
	else if (strcmp(pair, name) == 0)
		conf_error(errors, place, "own-pair", "port \"%s\" is joined to itself", name);
	else if (!back || strcmp(back, name) != 0)
		conf_error(errors, place, "two-pairs", "port \"%s\" is joined to \"%s\" already", pair,
		           back ? back : "?");
}

static uint8_t choices_of(const struct conf *config)
{
	uint8_t choices = 0;

	if (strcmp(conf_string(config, "neighbours", "pass"), "pass") == 0)
		choices |= PASS_NEIGHBOURS;
	if (strcmp(conf_string(config, "linkLocal", "drop"), "pass") == 0)
		choices |= PASS_LINK_LOCAL;
	if (strcmp(conf_string(config, "nonIp", "drop"), "pass") == 0)
		choices |= PASS_OTHERS;
	if (strcmp(conf_string(config, "linkState", "keep"), "pass") == 0)
		choices |= PASS_LINK_STATE;
	return choices;
}

/* What is said of pairs has a meaning here alone. */
static void refuse_pairs(const struct conf *config, struct errors *errors)
{
	const struct conf *ports = conf_get(config, "ports"), *unmatched = conf_get(config, "unmatched");

	for (size_t i = 0; i < conf_count(ports); i++)
		if (conf_get(conf_at(ports, i), "pair"))
			conf_error(errors, conf_get(conf_at(ports, i), "pair"), "needs-transparent",
			           "ports are joined in pairs by an edge of mode \"transparent\"");
	if (edge_mode_of(config) == EDGE_ROUTED && conf_bool(config, "separateVlans", false))
		conf_error(errors, conf_get(config, "separateVlans"), "needs-transparent",
		           "a routed edge keeps no tags: what comes by one VLAN may be answered by another");
	if (unmatched && strcmp(unmatched->string, "pass") == 0)
		conf_error(errors, unmatched, "needs-transparent",
		           "a routed edge routes what no path takes (\"route\"), or drops it");
}

bool edge_separates_vlans(const struct conf *config)
{
	return edge_mode_of(config) == EDGE_TRANSPARENT || conf_bool(config, "separateVlans", false);
}

void edge_check(const struct conf *config, struct errors *errors)
{
	const struct conf *ports = conf_get(config, "ports"), *unmatched = conf_get(config, "unmatched");

	if (edge_mode_of(config) != EDGE_TRANSPARENT) {
		refuse_pairs(config, errors);
		return;
	}
	refuse_member(config, "routes", errors);
	if (unmatched && strcmp(unmatched->string, "route") == 0)
		conf_error(errors, unmatched, "needs-routed",
		           "a transparent edge lets what no path takes \"pass\", or drops it");
	for (size_t i = 0; i < conf_count(ports); i++)
		check_port(config, conf_at(ports, i), errors);
}

void table_join_ports(struct edge_table *table, const struct conf *config)
{
	const struct conf *ports = conf_get(config, "ports");

	memset(table->pair, 0xff, sizeof(table->pair));
	if (table->mode != EDGE_TRANSPARENT)
		return;
	table->choices = choices_of(config);
	for (size_t i = 0; i < conf_count(ports); i++) {
		const char *name = conf_string(conf_at(ports, i), "name", "");

		table->pair[table_port_number(table, name)] =
		        (uint16_t)table_port_number(table, edge_pair_of(config, name));
	}
}

bool edge_passes_link_state(const struct edge_table *table)
{
	return table->mode == EDGE_TRANSPARENT && table->choices & PASS_LINK_STATE;
}

uint16_t edge_pair(const struct edge_table *table, uint16_t port)
{
	return port < EDGE_PORTS_MAX ? table->pair[port] : EDGE_NO_PORT;
}

enum edge_answer transparent_input(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m,
                                   struct edge_decision *decision)
{
	decision->egress = edge_pair(table, pkt_of(m)->in_port);
	if (decision->egress != EDGE_NO_PORT)
		return EDGE_FORWARD;
	edge_drop(ew, m, EDGE_C_NO_ROUTE);
	return EDGE_DONE;
}

/* 01:80:c2:00:00:00 to 0f, which bridges keep to themselves (IEEE 802.1Q, table 8-1): STP, LACP, 802.1X, LLDP. */
static bool is_link_local_frame(const uint8_t *frame)
{
	static const uint8_t group[5] = { 0x01, 0x80, 0xc2, 0x00, 0x00 };

	return memcmp(frame, group, sizeof(group)) == 0 && frame[5] < 0x10;
}

static enum pass_choice choice_for(struct rte_mbuf *m)
{
	const struct pkt *p = pkt_of(m);
	uint16_t type;

	if (is_link_local_frame(rte_pktmbuf_mtod(m, const uint8_t *)))
		return PASS_LINK_LOCAL;
	if (p->flags & PKT_V6)
		return PASS_NEIGHBOURS;
	memcpy(&type, pkt_at(m, (uint16_t)(p->l3 - sizeof(type))), sizeof(type));
	return type == rte_cpu_to_be_16(RTE_ETHER_TYPE_ARP) ? PASS_NEIGHBOURS : PASS_OTHERS;
}

void transparent_control(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf *m)
{
	uint16_t pair = edge_pair(table, pkt_of(m)->in_port);

	if (pair != EDGE_NO_PORT && table->choices & choice_for(m))
		ew->ops->transmit(ew->context, pair, m);
	else
		edge_drop(ew, m, EDGE_C_NOT_PASSED);
}

void transparent_output(struct edge_worker *ew, const struct edge_table *table, struct rte_mbuf **m,
                        unsigned n, uint16_t end_port, uint64_t now)
{
	for (unsigned i = 0; i < n; i++) {
		const struct pkt *p = pkt_of(m[i]);
		uint16_t port = end_port == EDGE_NO_PORT ? edge_pair(table, p->in_port) : end_port;

		if (unlikely(port == EDGE_NO_PORT)) {
			edge_drop(ew, m[i], EDGE_C_NO_ROUTE);
		} else if (unlikely((uint16_t)(p->end - p->l3) > table->mtu[port])) {
			edge_error(ew, table, m[i], ICMP_TOO_BIG, table->mtu[port], now);
			edge_drop(ew, m[i], EDGE_C_TOO_BIG);
		} else {
			ew->ops->transmit(ew->context, port, m[i]);
		}
	}
}
