/* SPDX-License-Identifier: BSD-3-Clause */
/* Every packet: the session's slot says how it is rewritten. Worker thread. */
#include "nat/nat.h"

/* An error that an inside host, or a router on the way to it, sends about a packet that had come in: inside it says what we had made of
 * the packet, outside it must say what it was. The outer source is translated only if it is the translated host's. RFC 5508, section 4. */
static void error_outward(struct rte_mbuf *m, const struct nat_slot *slot)
{
	bool host = pkt_ip4(m)->src_addr == slot->in.address;

	pkt_inner_set_dst4(m, slot->out.address, slot->out.port);
	if (host)
		pkt_set_src4(m, slot->out.address);
}

static void error_inward(struct rte_mbuf *m, const struct nat_slot *slot)
{
	pkt_inner_set_src4(m, slot->in.address, slot->in.port);
	pkt_set_dst4(m, slot->in.address);
}

static void translate(struct rte_mbuf *m, const struct nat_slot *slot, int walk)
{
	if (unlikely(pkt_of(m)->flags & PKT_ICMP_ERROR)) {
		if (walk == 0)
			error_outward(m, slot);
		else
			error_inward(m, slot);
	} else if (walk == 0) {
		pkt_apply_src4(m, &slot->out);
	} else {
		pkt_apply_dst4(m, &slot->in);
	}
}

/* Translated outward, and meant for another inside host: it comes back as if from outside. */
static void turn_round(const struct nf *nf, struct batch *b, unsigned i)
{
	struct rte_mbuf *m = b->m[i];

	batch_count(b, NAT_HAIRPINNED);
	batch_take(b, i);
	pkt_of(m)->zone = nf_zone(nf);
	nf_emit(b->worker, b->path, b->position, 1, m, NULL);
}

void nat_process(const struct nf *nf, const void *snapshot, struct batch *b)
{
	(void)snapshot;
	nf_prefetch_slots(nf, b);
	for (unsigned i = 0; i < b->count; i++) {
		const struct nat_slot *slot = nf_slot(nf, batch_pkt(b, i)->session);

		if (unlikely(!(slot->flags & SLOT_ACTIVE)))
			continue;
		translate(b->m[i], slot, b->walk);
		if (unlikely(b->walk == 0 && slot->flags & SLOT_HAIRPIN))
			turn_round(nf, b, i);
	}
}

uint64_t nat_tick(const struct nf *nf, const void *snapshot, unsigned worker_id, uint64_t now)
{
	const struct nat_config *config = snapshot;

	for (unsigned p = 0; worker_id == 0 && p < SOURCE_POOLS_MAX; p++)
		if (config->pools >> p & 1)
			source_pool_grant(nf, config->live->pools[p], config->live->asked, now);
	return worker_id == 0 ? now + 1000000 : UINT64_MAX;
}
