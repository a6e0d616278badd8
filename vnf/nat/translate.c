/* SPDX-License-Identifier: BSD-3-Clause */
/* What a configuration says of an address, a port, a flow. Pure functions of immutable things; any thread. */
#include <stdlib.h>

#include <rte_hash_crc.h>

#include "nat/nat.h"

enum ports_space nat_space(uint8_t proto)
{
	return proto == IPPROTO_TCP ? PORTS_TCP : proto == IPPROTO_UDP ? PORTS_UDP : PORTS_ICMP;
}

bool nat_pool_has(const struct source_pool *pool, uint32_t address)
{
	uint32_t host = rte_be_to_cpu_32(address);

	for (unsigned r = 0; r < pool->range_count; r++)
		if (host >= rte_be_to_cpu_32(pool->ranges[r].first) &&
		    host <= rte_be_to_cpu_32(pool->ranges[r].last))
			return true;
	return false;
}

int nat_pool_of(const struct nat_config *config, uint32_t address, uint16_t port)
{
	for (int p = 0; p < SOURCE_POOLS_MAX; p++)
		if (config->pools >> p & 1 && ports_owner(config->live->pools[p]->ports, address, port) >= 0)
			return p;
	return -1;
}

int nat_by_outside(const void *a, const void *b)
{
	const struct nat_static *x = a, *y = b;

	return (x->outside > y->outside) - (x->outside < y->outside);
}

int nat_by_inside(const void *a, const void *b)
{
	const struct nat_static *x = a, *y = b;

	return (x->inside > y->inside) - (x->inside < y->inside);
}

int nat_forward_order(const void *a, const void *b)
{
	const struct nat_forward *x = a, *y = b;

	if (x->outside != y->outside)
		return x->outside < y->outside ? -1 : 1;
	if (x->protocol != y->protocol)
		return x->protocol < y->protocol ? -1 : 1;
	return (x->first > y->first) - (x->first < y->first);
}

/* How many forwardings come before (address, protocol, port), or begin there. */
static unsigned forwards_upto(const struct nat_config *config, uint32_t outside, uint8_t protocol,
                              uint16_t port)
{
	struct nat_forward key = { .outside = outside, .protocol = protocol, .first = port };
	unsigned low = 0, high = config->forward_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (nat_forward_order(&config->forwards[middle], &key) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool nat_claims_address(const struct nat_config *config, uint32_t address)
{
	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++) {
		if (config->pools >> p & 1 && nat_pool_has(config->live->pools[p], address))
			return true;
	}
	return forwards_upto(config, address, 0xff, UINT16_MAX) > forwards_upto(config, address, 0, 0) ||
	       nat_static_outside(config, address) != NULL;
}

const struct nat_forward *nat_forward_of(const struct nat_config *config, uint32_t outside, uint8_t protocol,
                                         uint16_t port)
{
	uint16_t number = rte_be_to_cpu_16(port);
	unsigned upto = forwards_upto(config, outside, protocol, number);
	const struct nat_forward *f = upto ? &config->forwards[upto - 1] : NULL;

	return f && f->outside == outside && f->protocol == protocol && number <= f->last ? f : NULL;
}

static const struct nat_static *find_static(const struct nat_static *list, unsigned count,
                                            const void *address, int (*compare)(const void *, const void *))
{
	return count ? bsearch(address, list, count, sizeof(*list), compare) : NULL;
}

const struct nat_static *nat_static_outside(const struct nat_config *config, uint32_t outside)
{
	struct nat_static key = { .outside = outside };

	return find_static(config->statics, config->static_count, &key, nat_by_outside);
}

const struct nat_static *nat_static_inside(const struct nat_config *config, uint32_t inside)
{
	struct nat_static key = { .inside = inside };

	return find_static(config->statics_inside, config->static_count, &key, nat_by_inside);
}

const struct nat_rule *nat_rule_for(const struct nat_config *config, const struct tuple *t)
{
	struct ip_addr source = { .family = FAMILY_V4 }, destination = { .family = FAMILY_V4 };

	memcpy(source.bytes, t->src.bytes, 4);
	memcpy(destination.bytes, t->dst.bytes, 4);
	for (unsigned i = 0; i < config->rule_count; i++) {
		const struct nat_rule *r = &config->rules[i];

		if ((!r->has_source || ip_prefix_holds(&r->source, &source)) &&
		    (!r->has_destination || ip_prefix_holds(&r->destination, &destination)))
			return r;
	}
	return NULL;
}

uint16_t nat_forward_inside(const struct nat_forward *forward, uint16_t port)
{
	return rte_cpu_to_be_16((uint16_t)(forward->inside_first + rte_be_to_cpu_16(port) - forward->first));
}

/* A translation without a port of a pool is a forwarding or 1:1, and says so by its ends. */
static bool fixed_still_right(const struct nat_config *config, const struct nat_slot *slot, uint8_t protocol)
{
	const struct nat_forward *forward =
	        nat_forward_of(config, slot->out.address, protocol, slot->out.port);
	const struct nat_static *fixed = nat_static_outside(config, slot->out.address);

	if (forward && forward->inside == slot->in.address &&
	    nat_forward_inside(forward, slot->out.port) == slot->in.port)
		return true;
	return fixed && fixed->inside == slot->in.address && slot->in.port == slot->out.port;
}

bool nat_still_right(const struct nat_config *config, const struct nat_slot *slot, uint8_t protocol)
{
	if (slot->flags & SLOT_HAIRPIN && !config->hairpinning)
		return false;
	if (!(slot->flags & SLOT_POOL))
		return fixed_still_right(config, slot, protocol);
	return nat_pool_of(config, slot->out.address, slot->out.port) == slot->pool &&
	       !nat_forward_of(config, slot->out.address, protocol, slot->out.port) &&
	       !nat_static_inside(config, slot->in.address);
}

static unsigned bucket_of(uint32_t address)
{
	return rte_hash_crc_4byte(address, 0) & 0xff;
}

unsigned nat_owner(const struct nf *nf, const void *snapshot, const struct tuple *t, int walk)
{
	const struct nat_config *config = snapshot;
	const struct nat_forward *forward;
	const struct nat_static *fixed;

	(void)nf;
	if (t->family != FAMILY_V4)
		return NF_NO_OWNER;
	if (walk == 0)
		return NF_OWNER_SIDE | bucket_of(t->src.v4);
	forward = nat_forward_of(config, t->dst.v4, t->proto, t->dport);
	fixed = forward ? NULL : nat_static_outside(config, t->dst.v4);
	if (forward || fixed)
		return NF_OWNER_CLAIM | bucket_of(forward ? forward->inside : fixed->inside);
	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++) {
		int owner = config->pools >> p & 1
		                    ? ports_owner(config->live->pools[p]->ports, t->dst.v4, t->dport)
		                    : -1;

		if (owner >= 0)
			return NF_OWNER_CLAIM | (unsigned)owner;
	}
	return NF_OWNER_SIDE | bucket_of(t->dst.v4);
}
