/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every packet: its session was accepted, so it counts for its rule and passes. Sessions are reviewed before their packets come here, except for
 * a packet that had turned round when the policy changed: it counts for the rule of that name, if there still is one. Worker thread.
 */
#include "firewall/firewall.h"

void firewall_process(const struct nf *nf, const void *snapshot, struct batch *b)
{
	const struct policy *policy = snapshot;

	for (unsigned i = 0; i < b->count; i++) {
		unsigned rule = policy_rule(policy, nf_slot(nf, batch_pkt(b, i)->session));
		struct hits *hits;

		if (unlikely(rule == NO_RULE))
			continue;
		hits = policy_hits(policy, b->worker_id, rule);
		hits->packets++;
		hits->bytes += rte_pktmbuf_pkt_len(b->m[i]);
		hits->last = b->now;
	}
}
