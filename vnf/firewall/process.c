/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every packet: its session was accepted, so it counts for its rule and passes. Sessions are reviewed before their packets come here, except for
 * a packet that had turned round when the policy changed: it counts for the rule of that name, if there still is one. Worker thread.
 */
#include "firewall/firewall.h"
#include "packet/icmp_types.h"

/* They tell a host how to route or to slow down, and none should listen (RFC 6633; RFC 1122, 3.2.2.2: redirects are those of its own link). */
static bool is_steering(const struct pkt *p)
{
	return (p->flags & (PKT_ICMP_ERROR | PKT_V4)) == (PKT_ICMP_ERROR | PKT_V4) &&
	       (p->icmp_type == ICMP4_REDIRECT || p->icmp_type == ICMP4_SOURCE_QUENCH);
}

/* Packets of one rule that follow each other. */
struct count {
	struct firewall_slot of; /* what their sessions keep of the rule */
	struct hits *hits;       /* NULL: there is no such rule any more */
	uint64_t packets, bytes;
};

static void count_end(const struct count *c, uint64_t now)
{
	if (!c->hits)
		return;
	c->hits->packets += c->packets;
	c->hits->bytes += c->bytes;
	c->hits->last = now;
}

static struct count count_begin(const struct policy *policy, unsigned worker,
                                const struct firewall_slot *slot)
{
	unsigned rule = policy_rule(policy, slot);

	return (struct count){ .of = *slot,
		               .hits = rule == NO_RULE ? NULL : policy_hits(policy, worker, rule) };
}

void firewall_process(const struct nf *nf, const void *snapshot, struct batch *b)
{
	const struct policy *policy = snapshot;
	struct count c = { .of.rule = NO_RULE };

	nf_prefetch_slots(nf, b);
	for (unsigned i = 0; i < b->count; i++) {
		const struct firewall_slot *slot = nf_slot(nf, batch_pkt(b, i)->session);

		if (unlikely(is_steering(batch_pkt(b, i)) && !policy->accept_redirects)) {
			batch_drop(b, i, NOT_RELATED);
			continue;
		}
		if (slot->rule != c.of.rule || slot->id != c.of.id) {
			count_end(&c, b->now);
			c = count_begin(snapshot, b->worker_id, slot);
		}
		c.packets++;
		c.bytes += rte_pktmbuf_pkt_len(b->m[i]);
	}
	count_end(&c, b->now);
}
