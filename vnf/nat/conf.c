/* SPDX-License-Identifier: BSD-3-Clause */
/* From a checked configuration to a snapshot. Pools of ports and mappings are live: they are found again by name and addresses. Control side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/values.h"
#include "nat/nat.h"

enum { ADDRESSES_MAX = 4096 };

struct compile {
	struct nf *nf;
	const struct conf *config;
	struct nat_config *out;
	struct errors *errors;
	int pool_numbers[NAT_POOLS_MAX]; /* live numbers of the configuration's pools, in its order */
};

int nat_start(struct nf *nf, struct errors *errors)
{
	struct nat_live *live = calloc(1, sizeof(*live));

	if (live)
		live->workers = calloc(nf->workers, sizeof(*live->workers));
	if (!live || !live->workers) {
		errors_add(errors, nf->name, "no-memory", NULL, 0, "not enough memory");
		free(live);
		return -1;
	}
	nf->live = live;
	return 0;
}

void nat_stop(struct nf *nf)
{
	struct nat_live *live = nf->live;

	for (unsigned i = 0; i < NAT_POOLS_MAX; i++) {
		if (live->pools[i])
			ports_free(live->pools[i]->ports);
		free(live->pools[i]);
	}
	for (unsigned i = 0; i < nf->workers; i++)
		mappings_free(live->workers[i]);
	free(live->workers);
	free(live);
}

static bool address4(const struct conf *item, const char *text, uint32_t *address, struct errors *errors)
{
	struct ip_addr parsed;

	if (ip_addr_parse(text, &parsed) && parsed.family == FAMILY_V4) {
		memcpy(address, parsed.bytes, 4);
		return true;
	}
	conf_error(errors, item, "not-ipv4", "not an IPv4 address: \"%s\"", text);
	return false;
}

/* --- pools --- */

static bool read_range(struct compile *c, const struct conf *item, struct ports_range *range)
{
	const char *dash = strchr(item->string, '-');
	struct ip_prefix prefix;
	char first[NET_TEXT];
	uint32_t bits;

	if (dash) {
		snprintf(first, sizeof(first), "%.*s", (int)(dash - item->string), item->string);
		return address4(item, first, &range->first, c->errors) &&
		       address4(item, dash + 1, &range->last, c->errors);
	}
	if (!conf_as_prefix(item, &prefix) || prefix.address.family != FAMILY_V4) {
		conf_error(c->errors, item, "not-addresses", "not an IPv4 address, range or prefix: \"%s\"",
		           item->string);
		return false;
	}
	memcpy(&range->first, prefix.address.bytes, 4);
	bits = prefix.length == 32 ? 0 : UINT32_MAX >> prefix.length;
	range->last = range->first | rte_cpu_to_be_32(bits);
	return true;
}

static unsigned range_size(const struct ports_range *range)
{
	return rte_be_to_cpu_32(range->last) - rte_be_to_cpu_32(range->first) + 1;
}

static bool read_pool(struct compile *c, const struct conf *item, struct nat_pool *pool)
{
	const struct conf *addresses = conf_get(item, "addresses");
	unsigned total = 0;

	snprintf(pool->name, sizeof(pool->name), "%s", conf_string(item, "name", ""));
	for (size_t i = 0; i < conf_count(addresses); i++) {
		struct ports_range *range = &pool->ranges[pool->range_count++];

		if (!read_range(c, conf_at(addresses, i), range))
			return false;
		if (rte_be_to_cpu_32(range->first) > rte_be_to_cpu_32(range->last)) {
			conf_error(c->errors, conf_at(addresses, i), "bad-range",
			           "the range ends before it begins");
			return false;
		}
		total += range_size(range);
	}
	if (total > ADDRESSES_MAX)
		conf_error(c->errors, addresses, "too-many-addresses", "%u addresses; a pool has at most %d",
		           total, ADDRESSES_MAX);
	conf_as_ports(conf_get(item, "ports"), &pool->first_port, &pool->last_port);
	return total <= ADDRESSES_MAX;
}

static bool same_pool(const struct nat_pool *a, const struct nat_pool *b)
{
	return strcmp(a->name, b->name) == 0 && a->range_count == b->range_count &&
	       a->first_port == b->first_port && a->last_port == b->last_port &&
	       memcmp(a->ranges, b->ranges, a->range_count * sizeof(*a->ranges)) == 0;
}

/* The live pool that is like this one, or a new one. */
static int live_pool(struct compile *c, const struct conf *item, const struct nat_pool *wanted)
{
	struct nat_live *live = c->out->live;
	struct ports_options options = { wanted->ranges, wanted->range_count, wanted->first_port,
		                         wanted->last_port };
	int at = -1;

	for (int i = 0; i < NAT_POOLS_MAX; i++) {
		if (live->pools[i] && same_pool(live->pools[i], wanted))
			return i;
		if (!live->pools[i] && at < 0)
			at = i;
	}
	if (at < 0) {
		conf_error(c->errors, item, "needs-restart",
		           "%d pools were used since the function started; restart it to forget the old ones",
		           NAT_POOLS_MAX);
		return -1;
	}
	live->pools[at] = malloc(sizeof(*wanted));
	if (!live->pools[at])
		return -1;
	*live->pools[at] = *wanted;
	live->pools[at]->ports = ports_new(&options, c->errors);
	if (live->pools[at]->ports)
		return at;
	free(live->pools[at]);
	live->pools[at] = NULL;
	return -1;
}

static void compile_pools(struct compile *c)
{
	const struct conf *pools = conf_get(c->config, "pools");

	for (size_t i = 0; i < conf_count(pools); i++) {
		struct nat_pool wanted = { 0 };

		c->pool_numbers[i] = read_pool(c, conf_at(pools, i), &wanted)
		                             ? live_pool(c, conf_at(pools, i), &wanted)
		                             : -1;
		if (c->pool_numbers[i] >= 0)
			c->out->pools |= 1u << c->pool_numbers[i];
	}
}

static int pool_named(struct compile *c, const struct conf *name)
{
	const struct conf *pools = conf_get(c->config, "pools");

	for (size_t i = 0; i < conf_count(pools); i++)
		if (strcmp(conf_string(conf_at(pools, i), "name", ""), name->string) == 0)
			return c->pool_numbers[i];
	conf_error(c->errors, name, "unknown-pool", "no pool \"%s\"", name->string);
	return -1;
}

/* --- rules, statics, forwards --- */

static void compile_rules(struct compile *c)
{
	const struct conf *rules = conf_get(c->config, "rules");
	bool everybody =
	        !conf_count(rules) && conf_count(conf_get(c->config, "pools")) && c->pool_numbers[0] >= 0;

	c->out->rule_count = everybody ? 1 : (unsigned)conf_count(rules);
	c->out->rules = calloc(c->out->rule_count + 1, sizeof(*c->out->rules));
	if (everybody && c->out->rules)
		c->out->rules[0].pool = (uint8_t)c->pool_numbers[0];
	for (size_t i = 0; c->out->rules && i < conf_count(rules); i++) {
		const struct conf *item = conf_at(rules, i), *source = conf_get(item, "source"),
		                  *destination = conf_get(item, "destination");
		struct nat_rule *rule = &c->out->rules[i];

		rule->pool = (uint8_t)pool_named(c, conf_get(item, "pool"));
		rule->has_source = source && conf_as_prefix(source, &rule->source);
		rule->has_destination = destination && conf_as_prefix(destination, &rule->destination);
	}
}

static void compile_statics(struct compile *c)
{
	const struct conf *list = conf_get(c->config, "static");

	c->out->static_count = (unsigned)conf_count(list);
	c->out->statics = calloc(c->out->static_count + 1, sizeof(*c->out->statics));
	for (unsigned i = 0; c->out->statics && i < c->out->static_count; i++) {
		const struct conf *item = conf_at(list, i);
		struct nat_static *s = &c->out->statics[i];

		snprintf(s->name, sizeof(s->name), "%s", conf_string(item, "name", ""));
		address4(conf_get(item, "inside"), conf_string(item, "inside", ""), &s->inside, c->errors);
		address4(conf_get(item, "outside"), conf_string(item, "outside", ""), &s->outside, c->errors);
		for (unsigned k = 0; k < i; k++)
			if (c->out->statics[k].inside == s->inside ||
			    c->out->statics[k].outside == s->outside)
				conf_error(c->errors, item, "twice",
				           "an address of \"%s\" is used by \"%s\" already", s->name,
				           c->out->statics[k].name);
		for (unsigned p = 0; p < NAT_POOLS_MAX; p++)
			if (c->out->pools >> p & 1 &&
			    ports_owner(c->out->live->pools[p]->ports, s->outside, RTE_BE16(32768)) >= 0)
				conf_error(c->errors, conf_get(item, "outside"), "in-pool",
				           "the address belongs to pool \"%s\"",
				           c->out->live->pools[p]->name);
	}
}

/* Ports of a forwarding are given to nobody else. */
static void exclude_ports(struct compile *c, const struct nat_forward *f)
{
	for (unsigned p = 0; p < NAT_POOLS_MAX; p++)
		for (unsigned port = f->first; c->out->pools >> p & 1 && port <= f->last; port++)
			ports_exclude(c->out->live->pools[p]->ports,
			              f->protocol == IPPROTO_TCP ? PORTS_TCP : PORTS_UDP, f->outside,
			              rte_cpu_to_be_16((uint16_t)port));
}

static void compile_forward(struct compile *c, const struct conf *item, struct nat_forward *f)
{
	const struct conf *outside = conf_get(item, "outside"), *pools = conf_get(c->config, "pools");

	snprintf(f->name, sizeof(f->name), "%s", conf_string(item, "name", ""));
	f->protocol = strcmp(conf_string(item, "protocol", "tcp"), "tcp") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
	conf_as_ports(conf_get(item, "ports"), &f->first, &f->last);
	f->inside_first = (uint16_t)conf_int(item, "insidePort", f->first);
	address4(conf_get(item, "inside"), conf_string(item, "inside", ""), &f->inside, c->errors);
	if (outside)
		address4(outside, outside->string, &f->outside, c->errors);
	else if (conf_count(pools) && c->pool_numbers[0] >= 0)
		f->outside = c->out->live->pools[c->pool_numbers[0]]->ranges[0].first;
	else
		conf_error(c->errors, item, "no-outside", "without a pool the outside address must be given");
	if (f->inside_first + (f->last - f->first) > 65535)
		conf_error(c->errors, item, "ports-overflow", "the inside ports go beyond 65535");
}

static void compile_forwards(struct compile *c)
{
	const struct conf *list = conf_get(c->config, "forwards");

	c->out->forward_count = (unsigned)conf_count(list);
	c->out->forwards = calloc(c->out->forward_count + 1, sizeof(*c->out->forwards));
	for (unsigned i = 0; c->out->forwards && i < c->out->forward_count; i++) {
		struct nat_forward *f = &c->out->forwards[i];

		compile_forward(c, conf_at(list, i), f);
		for (unsigned k = 0; k < i; k++) {
			const struct nat_forward *o = &c->out->forwards[k];

			if (o->outside == f->outside && o->protocol == f->protocol && o->first <= f->last &&
			    f->first <= o->last)
				conf_error(c->errors, conf_at(list, i), "overlap",
				           "its ports overlap with those of \"%s\"", o->name);
		}
		exclude_ports(c, f);
	}
}

/* --- whole --- */

static enum nat_behaviour behaviour_of(const char *text)
{
	return strcmp(text, "endpoint-independent") == 0 ? NAT_ENDPOINT_INDEPENDENT
	       : strcmp(text, "address-dependent") == 0  ? NAT_ADDRESS_DEPENDENT
	                                                 : NAT_ADDRESS_AND_PORT_DEPENDENT;
}

static void make_mappings(struct compile *c)
{
	struct nat_live *live = c->out->live;
	uint32_t room = (uint32_t)conf_int(c->config, "mappings", 65536);

	if (live->mappings && live->mappings != room) {
		conf_error(c->errors, conf_get(c->config, "mappings"), "needs-restart",
		           "the room for mappings is for the life of the function (now %u)", live->mappings);
		return;
	}
	for (unsigned i = 0; i < c->nf->workers && !live->mappings; i++) {
		live->workers[i] = live->workers[i] ? live->workers[i] : mappings_new(room);
		if (!live->workers[i]) {
			conf_error(c->errors, c->config, "no-memory", "not enough memory for %u mappings",
			           room);
			return;
		}
	}
	live->mappings = room;
}

void nat_release(void *snapshot)
{
	struct nat_config *config = snapshot;

	free(config->rules);
	free(config->statics);
	free(config->forwards);
	free(config);
}

void *nat_compile(struct nf *nf, const void *previous, const struct conf *config, struct errors *errors)
{
	struct compile c = { .nf = nf, .config = config, .out = calloc(1, sizeof(*c.out)), .errors = errors };
	size_t before = errors->count;

	(void)previous;
	if (!c.out) {
		conf_error(errors, config, "no-memory", "not enough memory");
		return NULL;
	}
	c.out->live = nf->live;
	c.out->mapping = (uint8_t)behaviour_of(conf_string(config, "mapping", "endpoint-independent"));
	c.out->filtering = (uint8_t)behaviour_of(conf_string(config, "filtering", "address-dependent"));
	c.out->hairpinning = conf_bool(config, "hairpinning", true);
	c.out->preserve = conf_bool(config, "portPreservation", true);
	c.out->parity = conf_bool(config, "portParity", true);
	compile_pools(&c);
	if (errors->count == before)
		compile_rules(&c);
	if (errors->count == before)
		compile_statics(&c);
	if (errors->count == before)
		compile_forwards(&c);
	if (errors->count == before)
		make_mappings(&c);
	if (errors->count == before && c.out->rules && c.out->statics && c.out->forwards)
		return c.out;
	if (errors->count == before)
		conf_error(errors, config, "no-memory", "not enough memory");
	nat_release(c.out);
	return NULL;
}
