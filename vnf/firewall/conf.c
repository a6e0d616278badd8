/* SPDX-License-Identifier: BSD-3-Clause */
/* From a checked configuration to a policy: names are resolved, rules spread over their prefixes and services, the classifier built. Control side. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/values.h"
#include "firewall/firewall.h"
#include "firewall/groups.h"
#include "runtime/engine.h"

/* Of one rule and of all: what is compiled in seconds, in memory that a process has. */
enum { COMBINATIONS_MAX = 65536 }; /* of one rule */

#define DEFAULT_RULE "default"

struct compile {
	struct nf *nf;
	const struct conf *config;
	struct policy *policy;
	struct acl_builder *builder;
	struct groups groups;
	uint64_t combinations;
	struct errors *errors;
};

/* --- zones --- */

static int zone_number(const struct policy *policy, const char *name)
{
	for (unsigned i = 1; i <= policy->zone_count; i++)
		if (strcmp(policy->zones[i], name) == 0)
			return (int)i;
	return -1;
}

/* Several numbers may have one name: the links of a hop stand for outside ports. */
static void put_port(struct compile *c, const struct conf *item, unsigned zone)
{
	bool found = false;

	for (unsigned number = 0; number < PORTS_MAX; number++) {
		if (strcmp(engine_port_name(c->nf->engine, number), item->string) != 0)
			continue;
		found = true;
		if (c->policy->zone_of_port[number] && c->policy->zone_of_port[number] != zone)
			conf_error(c->errors, item, "two-zones", "port \"%s\" is in zone \"%s\" already",
			           item->string, c->policy->zones[c->policy->zone_of_port[number]]);
		c->policy->zone_of_port[number] = (uint8_t)zone;
	}
	if (!found)
		conf_error(c->errors, item, "unknown-port", "no port \"%s\" in this service", item->string);
}

static bool compile_zones(struct compile *c)
{
	const struct conf *zones = conf_get(c->config, "zones");

	c->policy->zone_count = (unsigned)conf_count(zones);
	c->policy->zones = calloc(c->policy->zone_count + 1, sizeof(*c->policy->zones));
	for (unsigned i = 0; c->policy->zones && i < c->policy->zone_count; i++) {
		const struct conf *zone = conf_at(zones, i), *ports = conf_get(zone, "ports");

		snprintf(c->policy->zones[i + 1], NF_NAME_MAX, "%s", conf_string(zone, "name", ""));
		for (size_t k = 0; k < conf_count(ports); k++)
			put_port(c, conf_at(ports, k), i + 1);
	}
	return c->policy->zones != NULL;
}

static uint16_t zone_of(struct compile *c, const struct conf *rule, const char *member)
{
	const struct conf *zone = conf_get(rule, member);
	int number;

	if (!zone)
		return ACL_ANY_ZONE;
	number = zone_number(c->policy, zone->string);
	if (number < 0)
		conf_error(c->errors, zone, "unknown-zone", "no zone \"%s\"", zone->string);
	return (uint16_t)number;
}

/* --- what a rule names --- */

/* One side of a rule; none given: any. */
struct side {
	struct prefix_set set;
	bool given;
};

static void add_source(struct compile *c, const struct conf *item, struct side *side)
{
	const struct prefix_set *group = groups_addresses(&c->groups, item->string);
	struct ip_prefix prefix;

	if (group ? !prefix_set_unite(&side->set, group)
	          : conf_as_prefix(item, &prefix) && !prefix_set_add(&side->set, &prefix))
		conf_error(c->errors, item, "no-memory", "not enough memory for the prefixes");
	else if (!group && !conf_as_prefix(item, &prefix))
		conf_error(c->errors, item, "not-a-prefix", "neither a prefix nor an address group: \"%s\"",
		           item->string);
}

static struct side side_of(struct compile *c, const struct conf *rule, const char *member)
{
	const struct conf *list = conf_get(rule, member);
	struct side side = { .given = list != NULL };

	for (size_t i = 0; i < conf_count(list); i++)
		add_source(c, conf_at(list, i), &side);
	prefix_set_minimise(&side.set);
	return side;
}

/* The prefixes of one family; "any" has one of both. */
static unsigned pick(const struct side *side, uint8_t family, const struct ip_prefix **list)
{
	static const struct ip_prefix any4 = { .address = { .family = FAMILY_V4 } },
	                              any6 = { .address = { .family = FAMILY_V6 } };

	if (side->given)
		return prefix_set_family(&side->set, family, list);
	*list = family == FAMILY_V4 ? &any4 : &any6;
	return 1;
}

static void add_service_group(struct compile *c, const struct conf *name, struct services *services)
{
	const struct services *group = groups_services(&c->groups, name->string);

	if (!group)
		conf_error(c->errors, name, "unknown-service", "no service group \"%s\"", name->string);
	for (unsigned i = 0; group && i < group->count; i++)
		if (!services_add(services, &group->list[i]))
			conf_error(c->errors, name, "no-memory", "not enough memory for the services");
}

static bool describes_service(const struct conf *rule)
{
	return conf_get(rule, "protocol") || conf_get(rule, "sourcePorts") ||
	       conf_get(rule, "destinationPorts") || conf_get(rule, "icmpType") || conf_get(rule, "icmpCode");
}

static struct services services_of(struct compile *c, const struct conf *rule)
{
	const struct conf *names = conf_get(rule, "services");
	struct services services = { 0 };
	struct service own;

	for (size_t i = 0; i < conf_count(names); i++)
		add_service_group(c, conf_at(names, i), &services);
	if (names && describes_service(rule))
		conf_error(c->errors, names, "two-services",
		           "a rule has either services or a protocol, ports and ICMP types of its own");
	if (!names)
		own = service_of(rule, c->errors);
	if ((!names && !services_add(&services, &own)) || !services_minimise(&services))
		conf_error(c->errors, rule, "no-memory", "not enough memory for the services");
	return services;
}

/* --- rules --- */

/* Everything that a rule asks, resolved. */
struct wanted {
	uint16_t from, to;
	struct side source, destination;
	struct services services;
};

static uint64_t combinations(const struct wanted *wanted)
{
	const struct ip_prefix *list;
	uint64_t four = (uint64_t)pick(&wanted->source, FAMILY_V4, &list) *
	                pick(&wanted->destination, FAMILY_V4, &list),
	         six = (uint64_t)pick(&wanted->source, FAMILY_V6, &list) *
	               pick(&wanted->destination, FAMILY_V6, &list);

	return (four + six) * wanted->services.count;
}

static bool add_service(struct compile *c, struct acl_rule *rule, const struct service *s, unsigned index)
{
	rule->protocol = s->protocol;
	rule->any_protocol = s->any_protocol;
	rule->source_first = s->source.first;
	rule->source_last = s->source.last;
	rule->destination_first = s->destination.first;
	rule->destination_last = s->destination.last;
	rule->icmp_first = s->icmp_first;
	rule->icmp_last = s->icmp_last;
	return acl_builder_add(c->builder, rule, index);
}

static bool spread_family(struct compile *c, struct acl_rule *rule, const struct wanted *wanted,
                          unsigned index)
{
	const struct ip_prefix *sources, *destinations;
	unsigned s = pick(&wanted->source, rule->family, &sources),
	         d = pick(&wanted->destination, rule->family, &destinations);

	for (unsigned i = 0; i < s; i++) {
		for (unsigned k = 0; k < d; k++) {
			rule->source = sources[i];
			rule->destination = destinations[k];
			for (unsigned n = 0; n < wanted->services.count; n++)
				if (!add_service(c, rule, &wanted->services.list[n], index))
					return false;
		}
	}
	return true;
}

/* Bounds are checked before anything is spread. */
static bool fits(struct compile *c, const struct conf *item, uint64_t rules)
{
	if (rules > COMBINATIONS_MAX)
		conf_error(c->errors, item, "too-many-combinations",
		           "%" PRIu64 " combinations of sources, destinations and services; "
		           "one rule may have %d: split it, or write shorter prefixes",
		           rules, COMBINATIONS_MAX);
	else if (c->combinations <= COMBINATIONS_ALL && c->combinations + rules > COMBINATIONS_ALL)
		conf_error(c->errors, item, "too-many-combinations",
		           "with this rule there are %" PRIu64
		           " combinations of sources, destinations and services; all rules together may have "
		           "%d, which take some 13 KB of memory each while they are compiled",
		           c->combinations + rules, COMBINATIONS_ALL);
	c->combinations += rules;
	return rules <= COMBINATIONS_MAX && c->combinations <= COMBINATIONS_ALL;
}

static bool is_empty(const struct side *side)
{
	const struct ip_prefix *list;

	return side->given && !prefix_set_family(&side->set, FAMILY_V4, &list) &&
	       !prefix_set_family(&side->set, FAMILY_V6, &list);
}

/* Why a rule can match nothing. */
static void say_empty(struct compile *c, const struct conf *item, const struct wanted *wanted)
{
	const char *member = is_empty(&wanted->source)        ? "source"
	                     : is_empty(&wanted->destination) ? "destination"
	                     : !wanted->services.count        ? "services"
	                                                      : NULL;

	if (member)
		conf_error(c->errors, conf_get(item, member), "empty",
		           "nothing is named: the rule can match nothing; leave it out for any");
	else
		conf_error(c->errors, item, "no-family",
		           "source and destination have no address family in common: the rule can match "
		           "nothing");
}

static bool all_of(const struct services *services, uint8_t protocol)
{
	for (unsigned i = 0; i < services->count; i++)
		if (services->list[i].any_protocol || services->list[i].protocol != protocol)
			return false;
	return services->count > 0;
}

/* ICMP is IPv4's, ICMPv6 is IPv6's: with addresses of the other family alone the rule can match nothing. */
static void check_icmp(struct compile *c, const struct conf *item, const struct wanted *wanted)
{
	const struct conf *place = conf_get(item, "protocol") ? conf_get(item, "protocol") : item;
	const struct ip_prefix *list;
	bool four = pick(&wanted->source, FAMILY_V4, &list) && pick(&wanted->destination, FAMILY_V4, &list),
	     six = pick(&wanted->source, FAMILY_V6, &list) && pick(&wanted->destination, FAMILY_V6, &list);

	if (!four && six && all_of(&wanted->services, IPPROTO_ICMP))
		conf_error(c->errors, place, "wrong-family",
		           "\"icmp\" is IPv4's, and the rule's addresses are IPv6: expected \"icmpv6\"");
	if (!six && four && all_of(&wanted->services, IPPROTO_ICMPV6))
		conf_error(c->errors, place, "wrong-family",
		           "\"icmpv6\" is IPv6's, and the rule's addresses are IPv4: expected \"icmp\"");
}

static void spread(struct compile *c, const struct conf *item, const struct wanted *wanted, unsigned index)
{
	struct acl_rule four = { .family = FAMILY_V4, .from = wanted->from, .to = wanted->to };
	struct acl_rule six = four;
	uint64_t rules = combinations(wanted);

	six.family = FAMILY_V6;
	if (!rules)
		say_empty(c, item, wanted);
	else
		check_icmp(c, item, wanted);
	if (rules && fits(c, item, rules) &&
	    (!spread_family(c, &four, wanted, index) || !spread_family(c, &six, wanted, index)))
		conf_error(c->errors, item, "no-memory", "not enough memory for the rule");
}

static enum action action_of(const char *text)
{
	return strcmp(text, "accept") == 0   ? ACTION_ACCEPT
	       : strcmp(text, "reject") == 0 ? ACTION_REJECT
	                                     : ACTION_DROP;
}

static enum syn_proxy syn_proxy_of(const char *text)
{
	return strcmp(text, "on") == 0     ? SYN_PROXY_ON
	       : strcmp(text, "auto") == 0 ? SYN_PROXY_AUTO
	                                   : SYN_PROXY_OFF;
}

static void compile_rule(struct compile *c, const struct conf *item, unsigned index)
{
	size_t before = c->errors->count;
	struct wanted wanted = { zone_of(c, item, "from"), zone_of(c, item, "to"), side_of(c, item, "source"),
		                 side_of(c, item, "destination"), services_of(c, item) };
	struct rule *rule = &c->policy->rules[index];

	snprintf(rule->name, sizeof(rule->name), "%s", conf_string(item, "name", ""));
	rule->action = (uint8_t)action_of(conf_string(item, "action", "drop"));
	rule->log = conf_bool(item, "log", false);
	rule->syn_proxy = (uint8_t)syn_proxy_of(
	        conf_string(item, "synProxy", conf_string(c->config, "synProxy", "off")));
	if (strcmp(rule->name, DEFAULT_RULE) == 0)
		conf_error(c->errors, conf_get(item, "name"), "reserved-name",
		           "the name \"" DEFAULT_RULE
		           "\" is the last rule's, which is built in: choose another");
	if (c->errors->count == before && conf_bool(item, "enabled", true))
		spread(c, item, &wanted, index);
	prefix_set_free(&wanted.source.set);
	prefix_set_free(&wanted.destination.set);
	services_free(&wanted.services);
}

static bool compile_rules(struct compile *c)
{
	const struct conf *rules = conf_get(c->config, "rules");
	unsigned n = (unsigned)conf_count(rules);
	struct rule *last;

	c->policy->rule_count = n;
	c->policy->rules = calloc(n + 1, sizeof(*c->policy->rules));
	if (!c->policy->rules)
		return false;
	for (unsigned i = 0; i < n; i++)
		compile_rule(c, conf_at(rules, i), i);
	last = &c->policy->rules[n];
	snprintf(last->name, sizeof(last->name), DEFAULT_RULE);
	last->action = (uint8_t)action_of(conf_string(c->config, "default", "drop"));
	last->syn_proxy = (uint8_t)syn_proxy_of(conf_string(c->config, "synProxy", "off"));
	return true;
}

static void build(struct compile *c)
{
	struct acl_builder *builder = c->builder;
	int error;

	c->builder = NULL;
	error = acl_build(builder, c->nf->engine->acls, &c->policy->acl);
	if (error)
		conf_error(c->errors, conf_get(c->config, "rules"), "acl-not-built",
		           "%u rules of %" PRIu64 " combinations could not be compiled: %s%s",
		           c->policy->rule_count, c->combinations, strerror(-error),
		           error == -ENOMEM ? " (--memory gives the process more)" : "");
}

void firewall_release(void *snapshot)
{
	struct policy *policy = snapshot;

	acl_free(policy->acl);
	hits_release(policy);
	free(policy->rules);
	free(policy->zones);
	free(policy);
}

/* In c->policy; errors are added. */
static void compile(struct compile *c, const struct policy *previous)
{
	size_t before = c->errors->count;
	bool room;

	groups_make(&c->groups, c->config, c->errors);
	room = compile_zones(c) && compile_rules(c);
	if (room && c->errors->count == before)
		room = hits_make(c->policy, previous);
	if (!room)
		conf_error(c->errors, c->config, "no-memory", "not enough memory");
	if (c->errors->count == before)
		build(c);
	groups_free(&c->groups);
}

void *firewall_compile(struct nf *nf, const void *previous, const struct conf *config, struct errors *errors)
{
	struct compile c = { .nf = nf,
		             .config = config,
		             .policy = calloc(1, sizeof(*c.policy)),
		             .builder = acl_builder_new(),
		             .errors = errors };
	size_t before = errors->count;

	if (!c.policy || !c.builder) {
		conf_error(errors, config, "no-memory", "not enough memory");
		free(c.policy);
		acl_builder_free(c.builder);
		return NULL;
	}
	c.policy->workers = nf->workers;
	c.policy->accept_redirects = strcmp(conf_string(config, "redirects", "drop"), "accept") == 0;
	c.policy->accept_midstream = strcmp(conf_string(config, "midstream", "deny"), "accept") == 0;
	compile(&c, previous);
	acl_builder_free(c.builder);
	if (errors->count == before)
		return c.policy;
	firewall_release(c.policy);
	return NULL;
}
