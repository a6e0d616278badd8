/* SPDX-License-Identifier: BSD-3-Clause */
/* The match of a path: compiled on the control side, asked by workers when a session is opened. See classify.h. */
#include "runtime/classify.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/shared.h"

/* In the order of shared_protocols. */
static const uint8_t protocol_numbers[] = { 0, 6, 17, 1, 58, 132, 50, 47 };

static uint8_t enum_index(const struct conf *c, const char *name, const char *const *values)
{
	const char *text = conf_string(c, name, values[0]);
	uint8_t i = 0;

	while (values[i] && strcmp(values[i], text) != 0)
		i++;
	return values[i] ? i : 0;
}

/* A range of ports may be written as a number or as text. */
static bool read_ports(const struct conf *c, const char *name, uint16_t *first, uint16_t *last,
                       struct errors *errors)
{
	const struct conf *ports = conf_get(c, name);

	*first = 0;
	*last = 65535;
	if (!ports)
		return false;
	if (ports->type == CONF_INT)
		*first = *last = (uint16_t)ports->integer;
	else if (!port_range_parse(ports->string, first, last))
		conf_error(errors, ports, "not-ports", "not a port or a range of ports: \"%s\"",
		           ports->string);
	return true;
}

static void compile_rule(const struct conf *c, struct nfp_rule *rule, struct errors *errors)
{
	const struct conf *source = conf_get(c, "source"), *destination = conf_get(c, "destination");

	rule->protocol = protocol_numbers[enum_index(c, "protocol", shared_protocols)];
	rule->family = (uint8_t[]){ 0, FAMILY_V4, FAMILY_V6 }[enum_index(c, "etherType", shared_families)];
	rule->has_source = source && ip_prefix_parse(source->string, &rule->source);
	rule->has_destination = destination && ip_prefix_parse(destination->string, &rule->destination);
	rule->has_ports = read_ports(c, "sourcePorts", &rule->source_first, &rule->source_last, errors);
	rule->has_ports |=
	        read_ports(c, "destinationPorts", &rule->destination_first, &rule->destination_last, errors);
	rule->dscp = (int16_t)conf_int(c, "dscp", -1);
	rule->vlan = (uint16_t)conf_int(c, "vlan", 0);
}

bool nfp_compile(const struct conf *match, struct nfp_rules *rules, struct errors *errors)
{
	size_t before = errors->count;

	rules->count = (unsigned)conf_count(match);
	rules->list = rules->count ? calloc(rules->count, sizeof(*rules->list)) : NULL;
	if (rules->count && !rules->list) {
		conf_error(errors, match, "no-memory", "not enough memory for %u rules", rules->count);
		rules->count = 0;
		return false;
	}
	for (unsigned i = 0; i < rules->count; i++)
		compile_rule(conf_at(match, i), &rules->list[i], errors);
	return errors->count == before;
}

void nfp_free(struct nfp_rules *rules)
{
	free(rules->list);
	rules->list = NULL;
	rules->count = 0;
}

static bool holds(const struct ip_prefix *prefix, const union ipaddr *address, uint8_t family)
{
	struct ip_addr a = { .family = family };

	memcpy(a.bytes, address->bytes, sizeof(a.bytes));
	return ip_prefix_holds(prefix, &a);
}

static int packet_dscp(struct rte_mbuf *m)
{
	if (pkt_of(m)->flags & PKT_V4)
		return pkt_ip4(m)->type_of_service >> 2;
	return (rte_be_to_cpu_32(pkt_ip6(m)->vtc_flow) >> 22) & 0x3f;
}

static bool has_port_numbers(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP;
}

static bool rule_takes(const struct nfp_rule *rule, struct rte_mbuf *m, const struct tuple *t)
{
	uint16_t sport = rte_be_to_cpu_16(t->sport), dport = rte_be_to_cpu_16(t->dport);

	if (rule->protocol && rule->protocol != t->proto)
		return false;
	if (rule->family && rule->family != t->family)
		return false;
	if (rule->has_source && !holds(&rule->source, &t->src, t->family))
		return false;
	if (rule->has_destination && !holds(&rule->destination, &t->dst, t->family))
		return false;
	if (rule->has_ports &&
	    (!has_port_numbers(t->proto) || sport < rule->source_first || sport > rule->source_last ||
	     dport < rule->destination_first || dport > rule->destination_last))
		return false;
	if (rule->vlan && (pkt_of(m)->vlan[0] & 0xfff) != rule->vlan)
		return false;
	return rule->dscp < 0 || rule->dscp == packet_dscp(m);
}

bool nfp_match(const struct nfp_rules *rules, struct rte_mbuf *m, const struct tuple *tuple, int walk)
{
	struct tuple t = walk ? tuple_reverse(tuple) : *tuple;

	if (!rules->count)
		return true;
	for (unsigned i = 0; i < rules->count; i++)
		if (rule_takes(&rules->list[i], m, &t))
			return true;
	return false;
}
