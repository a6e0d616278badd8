/* SPDX-License-Identifier: BSD-3-Clause */
/* From a checked configuration to a policy: names are resolved, rules spread over their prefixes and services, the classifier built. Control side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/values.h"
#include "firewall/firewall.h"

enum { COMBINATIONS_MAX = 65536 };

struct compile {
	struct nf *nf;
	const struct conf *config;
	struct policy *policy;
	struct acl_builder *builder;
	struct errors *errors;
};

/* A rule's prefixes of one side; none: any. */
struct prefixes {
	struct ip_prefix *list;
	unsigned count;
	bool given;
};

struct service {
	uint16_t source_first, source_last, destination_first, destination_last, icmp_first, icmp_last;
	uint8_t protocol, any_protocol;
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

/* --- addresses --- */

static void add_prefix(struct compile *c, const struct conf *item, struct prefixes *p,
                       const struct ip_prefix *prefix)
{
	struct ip_prefix *list = realloc(p->list, (p->count + 1) * sizeof(*list));

	if (!list) {
		conf_error(c->errors, item, "no-memory", "not enough memory for the prefix");
		return;
	}
	p->list = list;
	p->list[p->count++] = *prefix;
}

static void add_source(struct compile *c, const struct conf *item, struct prefixes *p)
{
	const struct conf *group = conf_item(conf_get(c->config, "addressGroups"), "name", item->string);
	const struct conf *members = conf_get(group, "prefixes");
	struct ip_prefix prefix;

	if (!group && conf_as_prefix(item, &prefix)) {
		add_prefix(c, item, p, &prefix);
	} else if (!group) {
		conf_error(c->errors, item, "not-a-prefix", "neither a prefix nor an address group: \"%s\"",
		           item->string);
	}
	for (size_t i = 0; i < conf_count(members); i++)
		if (conf_as_prefix(conf_at(members, i), &prefix))
			add_prefix(c, item, p, &prefix);
}

static struct prefixes prefixes_of(struct compile *c, const struct conf *rule, const char *member)
{
	const struct conf *list = conf_get(rule, member);
	struct prefixes p = { .given = list != NULL };

	for (size_t i = 0; i < conf_count(list); i++)
		add_source(c, conf_at(list, i), &p);
	return p;
}

/* --- services --- */

static bool protocol_of(const char *text, uint8_t *number)
{
	static const struct {
		const char *name;
		uint8_t number;
	} names[] = { { "tcp", 6 },    { "udp", 17 }, { "icmp", 1 }, { "icmpv6", 58 },
		      { "sctp", 132 }, { "esp", 50 }, { "gre", 47 } };
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(names[i].name, text) == 0) {
			*number = names[i].number;
			return true;
		}
	}
	*number = (uint8_t)value;
	return *text && !*end && value <= 255;
}

static void check_service(struct compile *c, const struct conf *item, const struct service *s)
{
	bool ports = conf_get(item, "sourcePorts") || conf_get(item, "destinationPorts");
	bool icmp = conf_get(item, "icmpType") != NULL;

	if (ports && (s->any_protocol || (s->protocol != 6 && s->protocol != 17 && s->protocol != 132)))
		conf_error(c->errors, item, "ports-without-protocol",
		           "ports need protocol = \"tcp\", \"udp\" or \"sctp\"");
	if (icmp && (s->any_protocol || (s->protocol != 1 && s->protocol != 58)))
		conf_error(c->errors, item, "type-without-icmp",
		           "icmpType needs protocol = \"icmp\" or \"icmpv6\"");
	if (conf_get(item, "icmpCode") && !icmp)
		conf_error(c->errors, conf_get(item, "icmpCode"), "code-without-type",
		           "icmpCode needs icmpType");
}

static struct service service_of(struct compile *c, const struct conf *item)
{
	struct service s = { .source_last = 65535, .destination_last = 65535, .icmp_last = 65535 };
	const struct conf *protocol = conf_get(item, "protocol"), *source = conf_get(item, "sourcePorts"),
	                  *destination = conf_get(item, "destinationPorts");
	int64_t type = conf_int(item, "icmpType", -1), code = conf_int(item, "icmpCode", -1);

	s.any_protocol = !protocol || strcmp(protocol->string, "any") == 0;
	if (!s.any_protocol && !protocol_of(protocol->string, &s.protocol))
		conf_error(c->errors, protocol, "unknown-protocol", "not a protocol: \"%s\"",
		           protocol->string);
	if (source)
		conf_as_ports(source, &s.source_first, &s.source_last);
	if (destination)
		conf_as_ports(destination, &s.destination_first, &s.destination_last);
	if (type >= 0) {
		s.icmp_first = (uint16_t)(type << 8 | (code >= 0 ? code : 0));
		s.icmp_last = (uint16_t)(type << 8 | (code >= 0 ? code : 255));
	}
	check_service(c, item, &s);
	return s;
}

/* --- rules --- */

static void add_one(struct compile *c, const struct conf *item, struct acl_rule *rule,
                    const struct service *s, unsigned index)
{
	rule->protocol = s->protocol;
	rule->any_protocol = s->any_protocol;
	rule->source_first = s->source_first;
	rule->source_last = s->source_last;
	rule->destination_first = s->destination_first;
	rule->destination_last = s->destination_last;
	rule->icmp_first = s->icmp_first;
	rule->icmp_last = s->icmp_last;
	if (!acl_builder_add(c->builder, rule, index))
		conf_error(c->errors, item, "no-memory", "not enough memory for the rule");
}

/* The prefixes of one side that have this family; "any" has both. */
static bool pick(const struct prefixes *p, unsigned i, uint8_t family, struct ip_prefix *out)
{
	if (!p->given) {
		memset(out, 0, sizeof(*out));
		out->address.family = family;
		return i == 0;
	}
	if (i >= p->count || p->list[i].address.family != family)
		return false;
	*out = p->list[i];
	return true;
}

static unsigned spread_family(struct compile *c, const struct conf *item, struct acl_rule *rule,
                              const struct prefixes *source, const struct prefixes *destination,
                              const struct service *s, unsigned index)
{
	unsigned rules = 0;

	for (unsigned i = 0; i < (source->given ? source->count : 1); i++) {
		for (unsigned k = 0; k < (destination->given ? destination->count : 1); k++) {
			if (!pick(source, i, rule->family, &rule->source) ||
			    !pick(destination, k, rule->family, &rule->destination))
				continue;
			add_one(c, item, rule, s, index);
			rules++;
		}
	}
	return rules;
}

static unsigned spread(struct compile *c, const struct conf *item, const struct service *s,
                       const struct prefixes *source, const struct prefixes *destination, unsigned index)
{
	struct acl_rule rule = { .from = zone_of(c, item, "from"), .to = zone_of(c, item, "to") };
	unsigned rules = 0;

	for (unsigned family = FAMILY_V4; family <= FAMILY_V6; family += FAMILY_V6 - FAMILY_V4) {
		rule.family = (uint8_t)family;
		rules += spread_family(c, item, &rule, source, destination, s, index);
	}
	return rules;
}

static unsigned spread_services(struct compile *c, const struct conf *item, const struct prefixes *source,
                                const struct prefixes *destination, unsigned index)
{
	const struct conf *names = conf_get(item, "services");
	struct service s;
	unsigned rules = 0;

	if (!names) {
		s = service_of(c, item);
		return spread(c, item, &s, source, destination, index);
	}
	for (size_t i = 0; i < conf_count(names); i++) {
		const struct conf *name = conf_at(names, i);
		const struct conf *group = conf_item(conf_get(c->config, "serviceGroups"), "name",
		                                     name->string),
		                  *list = conf_get(group, "services");

		if (!group)
			conf_error(c->errors, name, "unknown-service", "no service group \"%s\"",
			           name->string);
		for (size_t k = 0; k < conf_count(list); k++) {
			s = service_of(c, conf_at(list, k));
			rules += spread(c, item, &s, source, destination, index);
		}
	}
	return rules;
}

static enum action action_of(const char *text)
{
	return strcmp(text, "accept") == 0   ? ACTION_ACCEPT
	       : strcmp(text, "reject") == 0 ? ACTION_REJECT
	                                     : ACTION_DROP;
}

static void compile_rule(struct compile *c, const struct conf *item, unsigned index)
{
	size_t before = c->errors->count;
	struct prefixes source = prefixes_of(c, item, "source"),
	                destination = prefixes_of(c, item, "destination");
	struct rule *rule = &c->policy->rules[index];

	snprintf(rule->name, sizeof(rule->name), "%s", conf_string(item, "name", ""));
	rule->action = (uint8_t)action_of(conf_string(item, "action", "drop"));
	rule->log = conf_bool(item, "log", false);
	if ((uint64_t)source.count * destination.count > COMBINATIONS_MAX)
		conf_error(c->errors, item, "too-many-combinations",
		           "%u sources and %u destinations make more than %d combinations: split the rule",
		           source.count, destination.count, COMBINATIONS_MAX);
	else if (conf_bool(item, "enabled", true) &&
	         !spread_services(c, item, &source, &destination, index) && c->errors->count == before)
		conf_error(c->errors, item, "no-family",
		           "source and destination have no address family in common: the rule can match "
		           "nothing");
	free(source.list);
	free(destination.list);
}

static bool compile_rules(struct compile *c)
{
	const struct conf *rules = conf_get(c->config, "rules");
	unsigned n = (unsigned)conf_count(rules);
	struct rule *last;

	c->policy->rule_count = n;
	c->policy->rules = calloc(n + 1, sizeof(*c->policy->rules));
	c->policy->hits = calloc((size_t)(n + 1) * c->policy->workers, sizeof(*c->policy->hits));
	if (!c->policy->rules || !c->policy->hits)
		return false;
	for (unsigned i = 0; i < n; i++)
		compile_rule(c, conf_at(rules, i), i);
	last = &c->policy->rules[n];
	snprintf(last->name, sizeof(last->name), "default");
	last->action = (uint8_t)action_of(conf_string(c->config, "default", "drop"));
	return true;
}

/* --- hits outlive a change of policy --- */

static int by_name(const void *a, const void *b)
{
	const struct rule *const *x = a, *const *y = b;

	return strcmp((*x)->name, (*y)->name);
}

/* Rules of the old policy, sorted by name; the caller frees. */
static const struct rule **sorted(const struct policy *old)
{
	const struct rule **list = calloc(old->rule_count + 1, sizeof(*list));

	for (unsigned i = 0; list && i <= old->rule_count; i++)
		list[i] = &old->rules[i];
	if (list)
		qsort(list, old->rule_count + 1, sizeof(*list), by_name);
	return list;
}

static void keep_hits(struct policy *policy, const struct policy *old)
{
	const struct rule **list = old ? sorted(old) : NULL;

	for (unsigned i = 0; list && i <= policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];
		const struct rule **found = bsearch(&rule, list, old->rule_count + 1, sizeof(*list), by_name);

		for (unsigned w = 0; found && w < policy->workers; w++)
			*policy_hits(policy, w, i) = *policy_hits(old, w, (unsigned)(*found - old->rules));
	}
	free(list);
}

void firewall_release(void *snapshot)
{
	struct policy *policy = snapshot;

	acl_free(policy->acl);
	free(policy->rules);
	free(policy->hits);
	free(policy->zones);
	free(policy);
}

void *firewall_compile(struct nf *nf, const void *previous, const struct conf *config, struct errors *errors)
{
	struct compile c = { nf, config, calloc(1, sizeof(*c.policy)), acl_builder_new(), errors };
	size_t before = errors->count;

	if (!c.policy || !c.builder) {
		conf_error(errors, config, "no-memory", "not enough memory");
		free(c.policy);
		acl_builder_free(c.builder);
		return NULL;
	}
	c.policy->workers = nf->workers;
	c.policy->accept_midstream = strcmp(conf_string(config, "midstream", "deny"), "accept") == 0;
	if (!compile_zones(&c) || !compile_rules(&c))
		conf_error(errors, config, "no-memory", "not enough memory");
	if (errors->count == before)
		c.policy->acl = acl_build(c.builder, nf->name, errors);
	else
		acl_builder_free(c.builder);
	if (errors->count == before) {
		keep_hits(c.policy, previous);
		return c.policy;
	}
	firewall_release(c.policy);
	return NULL;
}
