/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A translated session's later life: joining its mapping, giving back what it holds, being judged by a new configuration, being found by a
 * successor process. Worker thread.
 */
#include "nat/nat.h"

/* A session of an existing mapping counts for it, and its remote may answer from other ports. */
void nat_join(struct nat_mappings *mappings, struct nat_slot *slot, uint32_t index, uint32_t remote)
{
	mapping_by_index(mappings, index)->sessions++;
	slot->remote = remote;
	if (permit_take(mappings, index, remote))
		slot->flags |= SLOT_PERMIT;
}

/* What a session holds lies in as many places. */
static void prefetch_held(const struct nat_live *live, const struct nat_mappings *mappings,
                          const struct nat_slot *slot)
{
	if (slot->flags & SLOT_POOL)
		ports_prefetch(live->pools[slot->pool]->ports, slot->out.address, slot->out.port);
	if (!nat_is_mapped(slot))
		return;
	mapping_prefetch_inside(mappings,
	                        (struct mapping_end){ slot->in.address, slot->in.port, slot->space, 0 });
	mapping_prefetch_outside(mappings,
	                         (struct mapping_end){ slot->out.address, slot->out.port, slot->space, 0 });
}

/* A session less for its mapping, which goes with the last, and its port with it. */
static void leave(const struct nat_live *live, struct nat_mappings *mappings, const struct nat_slot *slot)
{
	uint32_t index = mapping_find_inside(
	        mappings, (struct mapping_end){ slot->in.address, slot->in.port, slot->space, slot->pool });
	struct mapping *mapping;

	if (index == MAPPING_NONE)
		return;
	mapping = mapping_by_index(mappings, index);
	if (slot->flags & SLOT_PERMIT)
		permit_give(mappings, index, slot->remote);
	if (--mapping->sessions > 0)
		return;
	ports_release(live->pools[mapping->pool]->ports, mapping->bucket, mapping->space, mapping->outside,
	              mapping->outside_port);
	mapping_remove(mappings, index);
}

void nat_close(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id)
{
	struct nat_live *live = nf->live;
	struct nat_slot *slot = nf_slot(nf, s);
	struct nat_mappings *mappings = live->workers[worker_id];

	(void)snapshot;
	if (!(slot->flags & SLOT_ACTIVE))
		return;
	prefetch_held(live, mappings, slot);
	if (slot->flags & SLOT_OWN_PORT)
		ports_release(live->pools[slot->pool]->ports, s->bucket, slot->space, slot->out.address,
		              slot->out.port);
	if (nat_is_mapped(slot))
		leave(live, mappings, slot);
	slot->flags = 0;
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

/* Whether the first packet would get the same kind of translation today: the rules may name another pool for it, the filter refuse it. */
static bool still_chosen(const struct nat_config *config, const struct session *s,
                         const struct nat_slot *slot, const struct tuple *tuple)
{
	const struct nat_rule *rule;

	if (!(slot->flags & SLOT_POOL))
		return true;
	if (s->flags & SESSION_WALK)
		return config->filtering != NAT_ADDRESS_AND_PORT_DEPENDENT;
	rule = nat_rule_for(config, tuple);
	return rule && rule->pool == slot->pool;
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
	if (!nat_still_right(config, slot, tuple->proto) || !still_chosen(config, s, slot, tuple))
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

/* --- after a crash --- */

static bool same_edit(const struct edit4 *a, const struct edit4 *b)
{
	return a->address == b->address && a->port == b->port && a->l3_delta == b->l3_delta &&
	       a->l4_delta == b->l4_delta;
}

/* Whether the slot can have been written by this class for such a session: the sums of its rewrites follow from their ends, and only a port
 * of a pool can be its own. */
static bool slot_sound(const struct nat_slot *slot, uint8_t protocol)
{
	struct edit4 out, in;

	edit4_prepare(&out, slot->in.address, slot->in.port, slot->out.address, slot->out.port);
	edit4_prepare(&in, slot->out.address, slot->out.port, slot->in.address, slot->in.port);
	if (slot->flags & SLOT_OWN_PORT && !(slot->flags & SLOT_POOL))
		return false;
	return slot->space == nat_space(protocol) && same_edit(&out, &slot->out) && same_edit(&in, &slot->in);
}

static bool claim(const struct nat_config *config, const struct session *s, const struct nat_slot *slot)
{
	struct source_pool *pool = config->live->pools[slot->pool];

	__atomic_store_n(&config->live->asked[s->bucket], 1, __ATOMIC_RELAXED);
	return source_pool_claim(pool, s->bucket, slot->space, slot->out.address, slot->out.port);
}

/* The mapping of a found session: the first one that is found makes it again, the others join it. MAPPING_NONE: it clashes, or no room. */
static uint32_t mapping_again(const struct nat_config *config, struct nat_mappings *mappings,
                              const struct session *s, const struct nat_slot *slot)
{
	struct mapping again = { .inside = slot->in.address,
		                 .outside = slot->out.address,
		                 .inside_port = slot->in.port,
		                 .outside_port = slot->out.port,
		                 .space = slot->space,
		                 .pool = slot->pool,
		                 .bucket = s->bucket };
	uint32_t index = mapping_find_inside(
	        mappings, (struct mapping_end){ again.inside, again.inside_port, again.space, again.pool });

	if (index != MAPPING_NONE) {
		const struct mapping *m = mapping_by_index(mappings, index);

		return m->outside == again.outside && m->outside_port == again.outside_port ? index
		                                                                            : MAPPING_NONE;
	}
	if (!claim(config, s, slot))
		return MAPPING_NONE;
	index = mapping_add(mappings, &again);
	if (index == MAPPING_NONE)
		ports_release(config->live->pools[slot->pool]->ports, s->bucket, slot->space,
		              slot->out.address, slot->out.port);
	return index;
}

bool nat_adopt(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id)
{
	const struct nat_config *config = snapshot;
	struct nat_mappings *mappings = config->live->workers[worker_id];
	struct nat_slot *slot = nf_slot(nf, s);
	uint8_t protocol = s->key[0].proto;
	int pool;
	uint32_t index;

	if (s->key[0].family != FAMILY_V4 || !(slot->flags & SLOT_ACTIVE))
		return true;
	if (!slot_sound(slot, protocol))
		return false;
	/* Numbers of pools were the predecessor's own. */
	pool = slot->flags & SLOT_POOL ? nat_pool_of(config, slot->out.address, slot->out.port) : 0;
	slot->pool = (uint8_t)pool;
	if (pool < 0 || !nat_still_right(config, slot, protocol))
		return false;
	if (!(slot->flags & SLOT_POOL))
		return true;
	if (slot->flags & SLOT_OWN_PORT)
		return claim(config, s, slot);
	index = mapping_again(config, mappings, s, slot);
	if (index == MAPPING_NONE)
		return false;
	slot->flags &= (uint8_t)~SLOT_PERMIT;
	nat_join(mappings, slot, index, slot->remote);
	return true;
}

/* --- what is in two processes --- */

bool nat_hear(const struct nf *nf, const void *snapshot, const struct nf_message *message,
              struct nf_message *answer, uint64_t now)
{
	const struct nat_config *config = snapshot;

	(void)nf;
	return source_pools_hear(config->live->pools, config->pools, message, answer, now);
}

/* A session that came from outside is taken to the bucket of its outside port, which has to be known. */
bool nat_ahead(const struct nf *nf, const void *snapshot, const struct session *s, struct nf_message *message)
{
	const struct nat_config *config = snapshot;
	const struct nat_slot *slot = nf_slot(nf, (struct session *)(uintptr_t)s);
	int pool = -1;

	(void)nf;
	if (s->flags & SESSION_WALK && slot->flags & SLOT_POOL)
		pool = nat_pool_of(config, slot->out.address, slot->out.port);
	return pool >= 0 &&
	       source_pool_ahead(config->live->pools[pool], slot->out.address, slot->out.port, message);
}

void nat_recall(const struct nf *nf, const void *snapshot, const struct tuple *tuple, int walk,
                unsigned bucket)
{
	const struct nat_config *config = snapshot;
	int pool = tuple->family == FAMILY_V4 && walk ? nat_pool_of(config, tuple->dst.v4, tuple->dport) : -1;

	(void)nf;
	if (pool >= 0)
		source_pool_recall(config->live->pools[pool], tuple->dst.v4, tuple->dport, bucket);
}
