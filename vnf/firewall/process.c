/* SPDX-License-Identifier: BSD-3-Clause */
/* Every packet: its session was accepted, so it counts for its rule and passes. Worker thread. */
#include "firewall/firewall.h"

void firewall_process(const struct nf *nf, const void *snapshot, struct batch *b)
{
	const struct policy *policy = snapshot;

	for (unsigned i = 0; i < b->count; i++) {
		const struct firewall_slot *slot = nf_slot(nf, batch_pkt(b, i)->session);
		struct hits *hits =
		        policy_hits(policy, b->worker_id,
		                    slot->rule <= policy->rule_count ? slot->rule : policy->rule_count);

		hits->packets++;
		hits->bytes += rte_pktmbuf_pkt_len(b->m[i]);
		hits->last = b->now;
	}
}
