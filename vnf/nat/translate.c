/* SPDX-License-Identifier: BSD-3-Clause */
/* What a configuration says of an address, a port, a flow. Pure functions of immutable things; any thread. */
#include <rte_hash_crc.h>

#include "nat/nat.h"

enum ports_space nat_space(uint8_t proto)
{
	return proto == IPPROTO_TCP ? PORTS_TCP : proto == IPPROTO_UDP ? PORTS_UDP : PORTS_ICMP;
}

bool nat_pool_has(const struct nat_pool *pool, uint32_t address)
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
	for (int p = 0; p < NAT_POOLS_MAX; p++)
		if (config->pools >> p & 1 && ports_owner(config->live->pools[p]->ports, address, port) >= 0)
			return p;
	return -1;
}

bool nat_claims_address(const struct nat_config *config, uint32_t address)
{
	for (unsigned p = 0; p < NAT_POOLS_MAX; p++) {
		if (config->pools >> p & 1 && nat_pool_has(config->live->pools[p], address))
			return true;
	}
	for (unsigned i = 0; i < config->forward_count; i++)
		if (config->forwards[i].outside == address)
			return true;
	return nat_static_outside(config, address) != NULL;
}

const struct nat_forward *nat_forward_of(const struct nat_config *config, uint32_t outside, uint8_t protocol,
                                         uint16_t port)
{
	uint16_t number = rte_be_to_cpu_16(port);

	for (unsigned i = 0; i < config->forward_count; i++) {
		const struct nat_forward *f = &config->forwards[i];

		if (f->outside == outside && f->protocol == protocol && number >= f->first &&
		    number <= f->last)
			return f;
	}
	return NULL;
}

const struct nat_static *nat_static_outside(const struct nat_config *config, uint32_t outside)
{
	for (unsigned i = 0; i < config->static_count; i++)
		if (config->statics[i].outside == outside)
			return &config->statics[i];
	return NULL;
}

const struct nat_static *nat_static_inside(const struct nat_config *config, uint32_t inside)
{
	for (unsigned i = 0; i < config->static_count; i++)
		if (config->statics[i].inside == inside)
			return &config->statics[i];
	return NULL;
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

unsigned nat_owner(const struct nf *nf, const void *snapshot, struct rte_mbuf *m, int walk)
{
	const struct nat_config *config = snapshot;
	const struct nat_forward *forward;
	const struct nat_static *fixed;
	struct tuple t;

	(void)nf;
	if (!(pkt_of(m)->flags & PKT_V4))
		return NF_NO_OWNER;
	pkt_tuple(m, &t);
	if (walk == 0)
		return bucket_of(t.src.v4);
	forward = nat_forward_of(config, t.dst.v4, t.proto, t.dport);
	fixed = forward ? NULL : nat_static_outside(config, t.dst.v4);
	if (forward || fixed)
		return bucket_of(forward ? forward->inside : fixed->inside);
	for (unsigned p = 0; p < NAT_POOLS_MAX; p++) {
		int owner = config->pools >> p & 1
		                    ? ports_owner(config->live->pools[p]->ports, t.dst.v4, t.dport)
		                    : -1;

		if (owner >= 0)
			return (unsigned)owner;
	}
	return bucket_of(t.dst.v4);
}
