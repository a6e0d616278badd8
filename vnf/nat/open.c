/* SPDX-License-Identifier: BSD-3-Clause */
/* First packets: which translation a session gets. Worker thread. */
#include "nat/nat.h"

#include <rte_hash_crc.h>

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_ICMP;
}

static void set_port(struct tuple *t, bool source, uint16_t port)
{
	if (t->proto == IPPROTO_ICMP)
		t->sport = t->dport = port;
	else if (source)
		t->sport = port;
	else
		t->dport = port;
}

/* Prepares both rewrites of a session between an inside and an outside end. */
static void activate(struct nat_slot *slot, uint32_t inside, uint16_t inside_port, uint32_t outside,
                     uint16_t outside_port, uint8_t proto)
{
	slot->flags |= SLOT_ACTIVE;
	slot->space = (uint8_t)nat_space(proto);
	edit4_prepare(&slot->out, inside, inside_port, outside, outside_port);
	edit4_prepare(&slot->in, outside, outside_port, inside, inside_port);
}

/* The same choice for the same flow and seed, wherever and on however many workers it is made. */
static uint32_t choice(const struct nf *nf, const struct opening *o)
{
	uint32_t hash = rte_hash_crc_4byte(o->tuple.src.v4, nf->seed + o->attempt);

	return rte_hash_crc_4byte((uint32_t)o->tuple.sport << 16 | o->tuple.dport,
	                          rte_hash_crc_4byte(o->tuple.dst.v4, hash));
}

/* Paired pooling (RFC 4787 REQ-2): an inside host prefers one outside address. */
static uint32_t paired_address(const struct nf *nf, const struct source_pool *pool, uint32_t inside)
{
	uint32_t number = rte_hash_crc_4byte(inside, nf->seed) % pool->addresses;
	const struct ports_range *range = pool->ranges;

	for (;; range++) {
		uint32_t first = rte_be_to_cpu_32(range->first),
		         size = rte_be_to_cpu_32(range->last) - first + 1;

		if (number < size)
			return rte_cpu_to_be_32(first + number);
		number -= size;
	}
}

static bool allocate(const struct nf *nf, const struct nat_config *config, const struct opening *o,
                     unsigned number, uint32_t *address, uint16_t *port)
{
	struct source_pool *pool = config->live->pools[number];
	struct ports_request request = {
		.space = nat_space(o->tuple.proto),
		.flags = PORTS_ADDRESS | (config->preserve && !o->attempt ? PORTS_PRESERVE : 0) |
		         (config->parity && o->tuple.proto == IPPROTO_UDP ? PORTS_PARITY : 0),
		.address = paired_address(nf, pool, o->tuple.src.v4),
		.preferred = o->tuple.sport,
		.seed = choice(nf, o),
		.withheld = config->withheld[number],
	};

	__atomic_store_n(&config->live->asked[o->session->bucket], 1, __ATOMIC_RELAXED);
	__atomic_store_n(&pool->used, 1, __ATOMIC_RELAXED);
	return ports_allocate(pool->ports, o->session->bucket, &request, address, port);
}

/* The inside host is told (RFC 5508 REQ-8), at a limited rate. Outside hosts never are: they would learn what there is. */
static void refuse_outward(struct openings *os, struct opening *o, unsigned counter)
{
	nf_reject(os->worker, os->path, os->position, o->walk, o->m, NF_REJECT_ADMIN);
	opening_refuse(os, o, counter);
}

/* Endpoint-independent: one outside port for one inside port, whoever is talked to. */
static bool open_mapped(const struct nf *nf, const struct nat_config *config, struct openings *os,
                        struct opening *o, uint8_t pool)
{
	struct nat_mappings *mappings = config->live->workers[os->worker_id];
	struct nat_slot *slot = nf_slot(nf, o->session);
	const struct tuple *t = &o->tuple;
	uint8_t space = (uint8_t)nat_space(t->proto);
	uint32_t index =
	        mapping_find_inside(mappings, (struct mapping_end){ t->src.v4, t->sport, space, pool });
	struct mapping fresh = { .inside = t->src.v4,
		                 .inside_port = t->sport,
		                 .space = space,
		                 .pool = pool,
		                 .bucket = o->session->bucket };
	struct mapping *mapping;

	if (index == MAPPING_NONE) {
		if (!allocate(nf, config, o, pool, &fresh.outside, &fresh.outside_port)) {
			refuse_outward(os, o, NAT_NO_PORT);
			return false;
		}
		index = mapping_add(mappings, &fresh);
		if (index == MAPPING_NONE) {
			ports_release(config->live->pools[pool]->ports, fresh.bucket, space, fresh.outside,
			              fresh.outside_port);
			refuse_outward(os, o, NAT_MAPPINGS_FULL);
			return false;
		}
	}
	mapping = mapping_by_index(mappings, index);
	activate(slot, t->src.v4, t->sport, mapping->outside, mapping->outside_port, t->proto);
	nat_join(mappings, slot, index, t->dst.v4);
	slot->pool = mapping->pool;
	slot->flags |= SLOT_POOL;
	return true;
}

/* Address-and-port-dependent: a port for this session alone. */
static bool open_own(const struct nf *nf, const struct nat_config *config, struct openings *os,
                     struct opening *o, uint8_t pool)
{
	struct nat_slot *slot = nf_slot(nf, o->session);
	uint32_t address;
	uint16_t port;

	if (!allocate(nf, config, o, pool, &address, &port)) {
		refuse_outward(os, o, NAT_NO_PORT);
		return false;
	}
	activate(slot, o->tuple.src.v4, o->tuple.sport, address, port, o->tuple.proto);
	slot->pool = pool;
	slot->flags |= SLOT_POOL | SLOT_OWN_PORT;
	return true;
}

static bool open_from_pool(const struct nf *nf, const struct nat_config *config, struct openings *os,
                           struct opening *o)
{
	const struct nat_rule *rule = nat_rule_for(config, &o->tuple);

	if (!rule) {
		refuse_outward(os, o, NAT_NO_RULE);
		return false;
	}
	if (!has_ports(o->tuple.proto)) {
		refuse_outward(os, o, NAT_NOT_TRANSLATABLE);
		return false;
	}
	if (config->mapping == NAT_ENDPOINT_INDEPENDENT)
		return open_mapped(nf, config, os, o, rule->pool);
	return open_own(nf, config, os, o, rule->pool);
}

static void open_outward(const struct nf *nf, const struct nat_config *config, struct openings *os,
                         struct opening *o)
{
	const struct nat_static *fixed = nat_static_inside(config, o->tuple.src.v4);
	struct nat_slot *slot = nf_slot(nf, o->session);
	bool hairpin = nat_claims_address(config, o->tuple.dst.v4);

	if (hairpin && !config->hairpinning) {
		refuse_outward(os, o, NAT_HAIRPIN_REFUSED);
		return;
	}
	if (fixed)
		activate(slot, fixed->inside, o->tuple.sport, fixed->outside, o->tuple.sport, o->tuple.proto);
	else if (!open_from_pool(nf, config, os, o))
		return;
	o->tuple.src.v4 = slot->out.address;
	set_port(&o->tuple, true, slot->out.port);
	os->counters[NAT_TRANSLATED]++;
	if (hairpin) {
		slot->flags |= SLOT_HAIRPIN;
		opening_end(o, nf_zone(nf));
	}
}

static bool permitted(const struct nat_config *config, struct nat_mappings *mappings, uint32_t index,
                      uint32_t remote)
{
	if (config->filtering == NAT_ENDPOINT_INDEPENDENT)
		return true;
	/* Address and port dependent: whom the mapping has sent to has a session already. */
	return config->filtering == NAT_ADDRESS_DEPENDENT && permit_known(mappings, index, remote);
}

/* The mapping that an outside host talks to, or MAPPING_NONE. */
static uint32_t mapping_to(const struct nat_config *config, const struct nat_mappings *mappings,
                           const struct tuple *t)
{
	int pool = has_ports(t->proto) ? nat_pool_of(config, t->dst.v4, t->dport) : -1;

	if (pool < 0)
		return MAPPING_NONE;
	return mapping_find_outside(
	        mappings,
	        (struct mapping_end){ t->dst.v4, t->dport, (uint8_t)nat_space(t->proto), (uint8_t)pool });
}

/* Inward to a live mapping. */
static void open_to_mapping(const struct nf *nf, const struct nat_config *config, struct openings *os,
                            struct opening *o)
{
	struct nat_mappings *mappings = config->live->workers[os->worker_id];
	const struct tuple *t = &o->tuple;
	uint32_t index = mapping_to(config, mappings, t);
	struct nat_slot *slot = nf_slot(nf, o->session);
	const struct mapping *mapping;

	if (index == MAPPING_NONE) {
		opening_refuse(os, o, NAT_NO_MAPPING);
		return;
	}
	if (!permitted(config, mappings, index, t->src.v4)) {
		opening_refuse(os, o, NAT_FILTERED);
		return;
	}
	mapping = mapping_by_index(mappings, index);
	activate(slot, mapping->inside, mapping->inside_port, t->dst.v4, t->dport, t->proto);
	nat_join(mappings, slot, index, t->src.v4);
	slot->pool = mapping->pool;
	slot->flags |= SLOT_POOL;
}

static void open_inward(const struct nf *nf, const struct nat_config *config, struct openings *os,
                        struct opening *o)
{
	const struct tuple *t = &o->tuple;
	const struct nat_forward *forward = nat_forward_of(config, t->dst.v4, t->proto, t->dport);
	const struct nat_static *fixed = forward ? NULL : nat_static_outside(config, t->dst.v4);
	struct nat_slot *slot = nf_slot(nf, o->session);

	if (!forward && !fixed && !nat_claims_address(config, t->dst.v4))
		return;
	if (forward)
		activate(slot, forward->inside, nat_forward_inside(forward, t->dport), t->dst.v4, t->dport,
		         t->proto);
	else if (fixed)
		activate(slot, fixed->inside, t->dport, fixed->outside, t->dport, t->proto);
	else if (o->flags & OPEN_PICKUP)
		opening_refuse(
		        os, o,
		        NAT_NOT_A_BEGINNING); /* a mapping of today is not the one that its sender knows */
	else
		open_to_mapping(nf, config, os, o);
	if (o->verdict != VERDICT_PASS)
		return;
	if (t->zone == nf_zone(nf))
		slot->flags |= SLOT_HAIRPIN;
	o->tuple.dst.v4 = slot->in.address;
	set_port(&o->tuple, false, slot->in.port);
	os->counters[NAT_TRANSLATED]++;
}

/* The mapping of each may be found far away. */
static void prefetch_mappings(const struct nat_config *config, const struct openings *os)
{
	const struct nat_mappings *mappings = config->live->workers[os->worker_id];

	for (unsigned i = 0; i < os->count; i++) {
		const struct opening *o = os->list[i];
		const struct tuple *t = &o->tuple;
		uint8_t space = (uint8_t)nat_space(t->proto);

		if (t->family != FAMILY_V4)
			continue;
		if (o->walk == 0)
			mapping_prefetch_inside(mappings,
			                        (struct mapping_end){ t->src.v4, t->sport, space, 0 });
		else
			mapping_prefetch_outside(mappings,
			                         (struct mapping_end){ t->dst.v4, t->dport, space, 0 });
	}
}

void nat_open(const struct nf *nf, const void *snapshot, struct openings *os)
{
	const struct nat_config *config = snapshot;

	prefetch_mappings(config, os);
	for (unsigned i = 0; i < os->count; i++) {
		struct opening *o = os->list[i];

		if (o->tuple.family != FAMILY_V4 || o->flags & OPEN_ADDED)
			continue;
		if (o->flags & OPEN_MIDSTREAM && !(o->flags & OPEN_PICKUP))
			opening_refuse(os, o, NAT_NOT_A_BEGINNING);
		else if (o->walk == 0)
			open_outward(nf, config, os, o);
		else
			open_inward(nf, config, os, o);
	}
}
