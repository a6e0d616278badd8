/* SPDX-License-Identifier: BSD-3-Clause */
/* First packets: which translation a session gets, and giving it back when it closes. Worker thread. */
#include "nat/nat.h"

#include <rte_hash_crc.h>

static enum ports_space space_of(uint8_t proto)
{
	return proto == IPPROTO_TCP ? PORTS_TCP : proto == IPPROTO_UDP ? PORTS_UDP : PORTS_ICMP;
}

static bool has_ports(uint8_t proto)
{
	return proto == IPPROTO_TCP || proto == IPPROTO_UDP || proto == IPPROTO_ICMP;
}

bool nat_claims_address(const struct nat_config *config, uint32_t address)
{
	for (unsigned p = 0; p < NAT_POOLS_MAX; p++) {
		const struct nat_pool *pool = config->pools >> p & 1 ? config->live->pools[p] : NULL;

		for (unsigned r = 0; pool && r < pool->range_count; r++)
			if (rte_be_to_cpu_32(address) - rte_be_to_cpu_32(pool->ranges[r].first) <=
			    rte_be_to_cpu_32(pool->ranges[r].last) - rte_be_to_cpu_32(pool->ranges[r].first))
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
	slot->space = (uint8_t)space_of(proto);
	edit4_prepare(&slot->out, inside, inside_port, outside, outside_port);
	edit4_prepare(&slot->in, outside, outside_port, inside, inside_port);
}

static const struct nat_rule *rule_for(const struct nat_config *config, const struct tuple *t)
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

/* The same choice for the same flow and seed, wherever and on however many workers it is made. */
static uint32_t choice(const struct nf *nf, const struct opening *o)
{
	uint32_t hash = rte_hash_crc_4byte(o->tuple.src.v4, nf->seed + o->attempt);

	return rte_hash_crc_4byte((uint32_t)o->tuple.sport << 16 | o->tuple.dport,
	                          rte_hash_crc_4byte(o->tuple.dst.v4, hash));
}

static bool allocate(const struct nf *nf, const struct nat_config *config, const struct opening *o,
                     const struct nat_pool *pool, uint32_t *address, uint16_t *port)
{
	struct ports_request request = {
		.space = space_of(o->tuple.proto),
		.flags = (config->preserve && !o->attempt ? PORTS_PRESERVE : 0) |
		         (config->parity && o->tuple.proto == IPPROTO_UDP ? PORTS_PARITY : 0),
		.preferred = o->tuple.sport,
		.seed = choice(nf, o),
	};
	/* Paired pooling (RFC 4787 REQ-2): an inside host prefers one outside address. */
	const struct ports_range *range = &pool->ranges[0];
	uint32_t size = rte_be_to_cpu_32(range->last) - rte_be_to_cpu_32(range->first) + 1;

	request.flags |= PORTS_ADDRESS;
	request.address = rte_cpu_to_be_32(rte_be_to_cpu_32(range->first) +
	                                   rte_hash_crc_4byte(o->tuple.src.v4, nf->seed) % size);
	config->live->asked[o->session->bucket] = 1;
	return ports_allocate(pool->ports, o->session->bucket, &request, address, port);
}

/* A session of an existing mapping counts for it, and its remote may answer from other ports. */
static void join(struct nat_mappings *mappings, struct nat_slot *slot, uint32_t index, uint32_t remote)
{
	mapping_by_index(mappings, index)->sessions++;
	slot->mapping = index;
	if (permit_take(mappings, index, remote))
		slot->flags |= SLOT_PERMIT;
}

/* Endpoint-independent: one outside port for one inside port, whoever is talked to. */
static bool open_mapped(const struct nf *nf, const struct nat_config *config, struct openings *os,
                        struct opening *o, uint8_t pool)
{
	struct nat_mappings *mappings = config->live->workers[os->worker_id];
	struct nat_slot *slot = nf_slot(nf, o->session);
	const struct tuple *t = &o->tuple;
	uint8_t space = (uint8_t)space_of(t->proto);
	uint32_t index = mapping_find_inside(mappings, t->src.v4, t->sport, space);
	struct mapping fresh = { .inside = t->src.v4,
		                 .inside_port = t->sport,
		                 .space = space,
		                 .pool = pool,
		                 .bucket = o->session->bucket };
	struct mapping *mapping;

	if (index == MAPPING_NONE) {
		if (!allocate(nf, config, o, config->live->pools[pool], &fresh.outside,
		              &fresh.outside_port)) {
			opening_refuse(os, o, NAT_NO_PORT);
			return false;
		}
		index = mapping_add(mappings, &fresh);
		if (index == MAPPING_NONE) {
			ports_release(config->live->pools[pool]->ports, fresh.bucket, space, fresh.outside,
			              fresh.outside_port);
			opening_refuse(os, o, NAT_MAPPINGS_FULL);
			return false;
		}
	}
	mapping = mapping_by_index(mappings, index);
	activate(slot, t->src.v4, t->sport, mapping->outside, mapping->outside_port, t->proto);
	join(mappings, slot, index, t->dst.v4);
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

	if (!allocate(nf, config, o, config->live->pools[pool], &address, &port)) {
		opening_refuse(os, o, NAT_NO_PORT);
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
	const struct nat_rule *rule = rule_for(config, &o->tuple);

	if (!rule) {
		opening_refuse(os, o, NAT_NO_RULE);
		return false;
	}
	if (!has_ports(o->tuple.proto)) {
		opening_refuse(os, o, NAT_NOT_TRANSLATABLE);
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
		opening_refuse(os, o, NAT_HAIRPIN_REFUSED);
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

/* Inward to a live mapping. */
static bool open_to_mapping(const struct nf *nf, const struct nat_config *config, struct openings *os,
                            struct opening *o)
{
	struct nat_mappings *mappings = config->live->workers[os->worker_id];
	const struct tuple *t = &o->tuple;
	uint32_t index = has_ports(t->proto) ? mapping_find_outside(mappings, t->dst.v4, t->dport,
	                                                            (uint8_t)space_of(t->proto))
	                                     : MAPPING_NONE;
	struct nat_slot *slot = nf_slot(nf, o->session);
	const struct mapping *mapping;

	if (index == MAPPING_NONE) {
		opening_refuse(os, o, NAT_NO_MAPPING);
		return false;
	}
	if (!permitted(config, mappings, index, t->src.v4)) {
		opening_refuse(os, o, NAT_FILTERED);
		return false;
	}
	mapping = mapping_by_index(mappings, index);
	activate(slot, mapping->inside, mapping->inside_port, t->dst.v4, t->dport, t->proto);
	join(mappings, slot, index, t->src.v4);
	slot->pool = mapping->pool;
	slot->flags |= SLOT_POOL;
	return true;
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
		activate(slot, forward->inside,
		         rte_cpu_to_be_16((uint16_t)(forward->inside_first + rte_be_to_cpu_16(t->dport) -
		                                     forward->first)),
		         t->dst.v4, t->dport, t->proto);
	else if (fixed)
		activate(slot, fixed->inside, t->dport, fixed->outside, t->dport, t->proto);
	else if (!open_to_mapping(nf, config, os, o))
		return;
	if (t->zone == nf_zone(nf))
		slot->flags |= SLOT_HAIRPIN;
	o->tuple.dst.v4 = slot->in.address;
	set_port(&o->tuple, false, slot->in.port);
	os->counters[NAT_TRANSLATED]++;
}

void nat_open(const struct nf *nf, const void *snapshot, struct openings *os)
{
	const struct nat_config *config = snapshot;

	for (unsigned i = 0; i < os->count; i++) {
		struct opening *o = os->list[i];
		struct nat_slot *slot = nf_slot(nf, o->session);

		slot->mapping = MAPPING_NONE;
		if (o->tuple.family != FAMILY_V4 || o->flags & OPEN_ADDED)
			continue;
		if (o->flags & OPEN_MIDSTREAM)
			opening_refuse(os, o, NAT_NOT_A_BEGINNING);
		else if (o->walk == 0)
			open_outward(nf, config, os, o);
		else
			open_inward(nf, config, os, o);
	}
}

/* The other end of a session as its mapping knows it. */
static uint32_t remote_of(const struct session *s)
{
	return s->flags & SESSION_WALK ? s->key[0].src : s->key[0].dst;
}

void nat_close(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id)
{
	struct nat_live *live = nf->live;
	struct nat_slot *slot = nf_slot(nf, s);
	struct nat_mappings *mappings = live->workers[worker_id];
	struct mapping *mapping;

	(void)snapshot;
	if (!(slot->flags & SLOT_ACTIVE))
		return;
	if (slot->flags & SLOT_OWN_PORT)
		ports_release(live->pools[slot->pool]->ports, s->bucket, slot->space, slot->out.address,
		              slot->out.port);
	if (slot->mapping != MAPPING_NONE) {
		mapping = mapping_by_index(mappings, slot->mapping);
		if (slot->flags & SLOT_PERMIT)
			permit_give(mappings, slot->mapping, remote_of(s));
		if (--mapping->sessions == 0) {
			ports_release(live->pools[mapping->pool]->ports, mapping->bucket, mapping->space,
			              mapping->outside, mapping->outside_port);
			mapping_remove(mappings, slot->mapping);
		}
	}
	slot->flags = 0;
}

enum verdict nat_review(const struct nf *nf, const void *snapshot, struct session *s, struct tuple *tuple,
                        uint16_t in_port, uint16_t out_port)
{
	const struct nat_config *config = snapshot;
	const struct nat_slot *slot = nf_slot(nf, s);

	(void)in_port;
	(void)out_port;
	if (!(slot->flags & SLOT_ACTIVE))
		return VERDICT_PASS;
	if (slot->flags & SLOT_POOL && !(config->pools >> slot->pool & 1))
		return VERDICT_DROP;
	if (!nat_claims_address(config, slot->out.address))
		return VERDICT_DROP;
	if (s->flags & SESSION_WALK) {
		tuple->dst.v4 = slot->in.address;
		set_port(tuple, false, slot->in.port);
		return VERDICT_PASS;
	}
	tuple->src.v4 = slot->out.address;
	set_port(tuple, true, slot->out.port);
	return slot->flags & SLOT_HAIRPIN ? VERDICT_TAKE : VERDICT_PASS;
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
