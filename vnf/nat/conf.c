/* SPDX-License-Identifier: BSD-3-Clause */
/* From a checked configuration to a snapshot. Pools of ports and mappings are live: they are found again by name and addresses (pools.c). Control side. */
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
	int pool_numbers[SOURCE_POOLS_MAX]; /* live numbers of the configuration's pools, in its order */
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

	source_pools_free(live->pools);
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

/* An address that packets may be sent to and come from: what is claimed would else be all of a network's, or nobody's. */
static bool unicast(struct compile *c, const struct conf *item, uint32_t address)
{
	uint8_t first = (uint8_t)(rte_be_to_cpu_32(address) >> 24);

	if (first != 0 && first != 127 && first < 224)
		return true;
	conf_error(c->errors, item, "not-unicast", "not an address that a host can have: \"%s\"",
	           item->string);
	return false;
}

static bool host4(struct compile *c, const struct conf *item, uint32_t *address)
{
	return address4(item, item->string, address, c->errors) && unicast(c, item, *address);
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

static uint64_t range_size(const struct ports_range *range)
{
	return (uint64_t)rte_be_to_cpu_32(range->last) - rte_be_to_cpu_32(range->first) + 1;
}

/* What is wrong with the last range of a pool; true: nothing. */
static bool check_range(struct compile *c, const struct conf *item, const struct source_pool *pool)
{
	const struct ports_range *range = &pool->ranges[pool->range_count - 1];

	if (rte_be_to_cpu_32(range->first) > rte_be_to_cpu_32(range->last)) {
		conf_error(c->errors, item, "bad-range", "the range ends before it begins");
		return false;
	}
	for (unsigned i = 0; i + 1 < pool->range_count; i++) {
		const struct ports_range *other = &pool->ranges[i];

		if (rte_be_to_cpu_32(range->first) > rte_be_to_cpu_32(other->last) ||
		    rte_be_to_cpu_32(range->last) < rte_be_to_cpu_32(other->first))
			continue;
		conf_error(c->errors, item, "overlap", "addresses of this pool already: \"%s\"",
		           conf_at(item->parent, i)->string);
		return false;
	}
	return true;
}

static bool read_pool(struct compile *c, const struct conf *item, struct source_pool *pool)
{
	const struct conf *addresses = conf_get(item, "addresses");
	uint64_t total = 0;

	snprintf(pool->name, sizeof(pool->name), "%s", conf_string(item, "name", ""));
	for (size_t i = 0; i < conf_count(addresses); i++) {
		struct ports_range *range = &pool->ranges[pool->range_count++];

		if (!read_range(c, conf_at(addresses, i), range) ||
		    !check_range(c, conf_at(addresses, i), pool))
			return false;
		total += range_size(range);
	}
	if (total > ADDRESSES_MAX)
		conf_error(c->errors, addresses, "too-many-addresses",
		           "%llu addresses; a pool has at most %d", (unsigned long long)total, ADDRESSES_MAX);
	pool->addresses = (uint32_t)total;
	conf_as_ports(conf_get(item, "ports"), &pool->first_port, &pool->last_port);
	for (size_t i = 0; total <= ADDRESSES_MAX && i < conf_count(addresses); i++)
		if (!unicast(c, conf_at(addresses, i), pool->ranges[i].first) ||
		    !unicast(c, conf_at(addresses, i), pool->ranges[i].last))
			return false;
	return total <= ADDRESSES_MAX;
}

/* One outside address and port is of one pool. */
static bool overlap(const struct source_pool *a, const struct source_pool *b)
{
	if (a->first_port > b->last_port || b->first_port > a->last_port)
		return false;
	for (unsigned i = 0; i < a->range_count; i++)
		if (nat_pool_has(b, a->ranges[i].first) || nat_pool_has(b, a->ranges[i].last))
			return true;
	for (unsigned i = 0; i < b->range_count; i++)
		if (nat_pool_has(a, b->ranges[i].first))
			return true;
	return false;
}

static bool check_overlap(struct compile *c, const struct conf *item, const struct source_pool *wanted)
{
	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++) {
		if (!(c->out->pools >> p & 1) || !overlap(c->out->live->pools[p], wanted))
			continue;
		conf_error(c->errors, conf_get(item, "addresses"), "overlap",
		           "addresses and ports overlap with those of pool \"%s\"",
		           c->out->live->pools[p]->name);
		return false;
	}
	return true;
}

static void compile_pools(struct compile *c)
{
	const struct conf *pools = conf_get(c->config, "pools");

	for (size_t i = 0; i < conf_count(pools); i++) {
		struct source_pool wanted = { 0 };

		c->pool_numbers[i] = -1;
		if (read_pool(c, conf_at(pools, i), &wanted) && check_overlap(c, conf_at(pools, i), &wanted))
			c->pool_numbers[i] = source_pool_hold(c->nf, c->out->live->pools, conf_at(pools, i),
			                                      &wanted, c->errors);
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

static void *list_of(struct compile *c, size_t count, size_t size)
{
	void *list = calloc(count + 1, size);

	if (!list)
		conf_error(c->errors, c->config, "no-memory", "not enough memory");
	return list;
}

/* A prefix that may be left out; true: it is there. */
static uint8_t prefix4(struct compile *c, const struct conf *item, struct ip_prefix *prefix)
{
	if (!item)
		return 0;
	if (conf_as_prefix(item, prefix) && prefix->address.family == FAMILY_V4)
		return 1;
	conf_error(c->errors, item, "not-ipv4", "not an IPv4 prefix: \"%s\"", item->string);
	return 0;
}

static void compile_rules(struct compile *c)
{
	const struct conf *rules = conf_get(c->config, "rules");
	bool everybody = !conf_count(rules) && conf_count(conf_get(c->config, "pools"));

	c->out->rule_count = everybody ? 1 : (unsigned)conf_count(rules);
	c->out->rules = list_of(c, c->out->rule_count, sizeof(*c->out->rules));
	if (everybody && c->out->rules)
		c->out->rules[0].pool = (uint8_t)c->pool_numbers[0];
	for (size_t i = 0; c->out->rules && i < conf_count(rules); i++) {
		const struct conf *item = conf_at(rules, i);
		struct nat_rule *rule = &c->out->rules[i];

		rule->pool = (uint8_t)pool_named(c, conf_get(item, "pool"));
		rule->has_source = prefix4(c, conf_get(item, "source"), &rule->source);
		rule->has_destination = prefix4(c, conf_get(item, "destination"), &rule->destination);
	}
}

/* Each address of a 1:1 translation is its own alone. */
static void check_static(struct compile *c, const struct conf *item, unsigned number)
{
	const struct nat_static *s = &c->out->statics[number];

	for (unsigned k = 0; k < number; k++)
		if (c->out->statics[k].inside == s->inside || c->out->statics[k].outside == s->outside)
			conf_error(c->errors, item, "twice", "an address of \"%s\" is used by \"%s\" already",
			           s->name, c->out->statics[k].name);
	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++)
		if (c->out->pools >> p & 1 && nat_pool_has(c->out->live->pools[p], s->outside))
			conf_error(c->errors, conf_get(item, "outside"), "in-pool",
			           "the address belongs to pool \"%s\"", c->out->live->pools[p]->name);
}

static void compile_statics(struct compile *c)
{
	const struct conf *list = conf_get(c->config, "static");

	c->out->static_count = (unsigned)conf_count(list);
	c->out->statics = list_of(c, c->out->static_count, sizeof(*c->out->statics));
	for (unsigned i = 0; c->out->statics && i < c->out->static_count; i++) {
		const struct conf *item = conf_at(list, i);
		struct nat_static *s = &c->out->statics[i];

		snprintf(s->name, sizeof(s->name), "%s", conf_string(item, "name", ""));
		if (host4(c, conf_get(item, "inside"), &s->inside) &&
		    host4(c, conf_get(item, "outside"), &s->outside))
			check_static(c, item, i);
	}
}

static void compile_forward(struct compile *c, const struct conf *item, struct nat_forward *f)
{
	const struct conf *outside = conf_get(item, "outside"), *pools = conf_get(c->config, "pools");

	snprintf(f->name, sizeof(f->name), "%s", conf_string(item, "name", ""));
	f->protocol = strcmp(conf_string(item, "protocol", "tcp"), "tcp") == 0 ? IPPROTO_TCP : IPPROTO_UDP;
	conf_as_ports(conf_get(item, "ports"), &f->first, &f->last);
	f->inside_first = (uint16_t)conf_int(item, "insidePort", f->first);
	host4(c, conf_get(item, "inside"), &f->inside);
	if (outside)
		host4(c, outside, &f->outside);
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
	c->out->forwards = list_of(c, c->out->forward_count, sizeof(*c->out->forwards));
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
	}
}

/* Workers search these lists for each packet whose owner they ask. */
static void sort_lists(struct compile *c)
{
	struct nat_config *out = c->out;

	out->statics_inside = list_of(c, out->static_count, sizeof(*out->statics_inside));
	if (!out->statics_inside)
		return;
	qsort(out->statics, out->static_count, sizeof(*out->statics), nat_by_outside);
	memcpy(out->statics_inside, out->statics, out->static_count * sizeof(*out->statics));
	qsort(out->statics_inside, out->static_count, sizeof(*out->statics_inside), nat_by_inside);
	qsort(out->forwards, out->forward_count, sizeof(*out->forwards), nat_forward_order);
}

/* Ports of a forwarding are given to nobody else. */
static void compile_withheld(struct compile *c)
{
	unsigned count = c->out->forward_count;
	struct ports_hold *holds = list_of(c, count, sizeof(*holds));

	for (unsigned i = 0; holds && i < count; i++) {
		const struct nat_forward *f = &c->out->forwards[i];

		holds[i] =
		        (struct ports_hold){ f->outside, f->first, f->last, (uint8_t)nat_space(f->protocol) };
	}
	for (unsigned p = 0; holds && p < SOURCE_POOLS_MAX; p++) {
		if (!(c->out->pools >> p & 1))
			continue;
		c->out->withheld[p] = ports_withheld_new(c->out->live->pools[p]->ports, holds, count);
		if (!c->out->withheld[p])
			conf_error(c->errors, c->config, "no-memory", "not enough memory");
	}
	free(holds);
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

	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++)
		ports_withheld_free(config->withheld[p]);
	source_pools_drop(config->live->pools, config->pools);
	free(config->rules);
	free(config->statics);
	free(config->statics_inside);
	free(config->forwards);
	free(config);
}

void *nat_compile(struct nf *nf, const void *previous, const struct conf *config, struct errors *errors)
{
	static void (*const steps[])(struct compile *) = {
		compile_pools, compile_rules,    compile_statics, compile_forwards,
		sort_lists,    compile_withheld, make_mappings,
	};
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
	for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps) && errors->count == before; i++)
		steps[i](&c);
	if (errors->count == before)
		return c.out;
	nat_release(c.out);
	return NULL;
}
