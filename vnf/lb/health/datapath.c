/* SPDX-License-Identifier: BSD-3-Clause */
/* Between the wires and the packets of a worker. Worker threads. */
#include <rte_ether.h>

#include "lb/health/checker.h"
#include "runtime/nf.h"

enum { BURST = 32 };

/* Where a packet of the kernel's goes; false: it is none of IP. */
static bool destination_of(const struct wire_slot *slot, uint8_t *family, union ipaddr *destination)
{
	memset(destination, 0, sizeof(*destination));
	*family = slot->bytes[0] >> 4;
	if (*family == FAMILY_V4 && slot->length >= sizeof(struct rte_ipv4_hdr))
		memcpy(&destination->v4, slot->bytes + offsetof(struct rte_ipv4_hdr, dst_addr), 4);
	else if (*family == FAMILY_V6 && slot->length >= sizeof(struct rte_ipv6_hdr))
		memcpy(destination->bytes, slot->bytes + offsetof(struct rte_ipv6_hdr, dst_addr), 16);
	else
		return false;
	return true;
}

/* The edge writes the MACs. */
static bool fill(struct rte_mbuf *m, const struct wire_slot *slot, uint8_t family)
{
	uint16_t type = rte_cpu_to_be_16(family == FAMILY_V4 ? RTE_ETHER_TYPE_IPV4 : RTE_ETHER_TYPE_IPV6);
	uint8_t *frame = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(RTE_ETHER_HDR_LEN + slot->length));

	if (!frame)
		return false;
	memset(frame, 0, RTE_ETHER_HDR_LEN);
	memcpy(frame + 2 * RTE_ETHER_ADDR_LEN, &type, sizeof(type));
	memcpy(frame + RTE_ETHER_HDR_LEN, slot->bytes, slot->length);
	return true;
}

static void send_one(const struct nf *nf, unsigned worker_id, int walk, const struct wire_slot *slot)
{
	union ipaddr destination;
	struct nf_place place;
	struct rte_mbuf *m;
	uint8_t family;

	if (!destination_of(slot, &family, &destination) ||
	    !nf_place(nf, worker_id, family, &destination, walk, &place))
		return;
	m = nf_mbuf(place.worker);
	if (!m)
		return;
	if (!fill(m, slot, family)) {
		nf_deliver(place.worker, m);
		return;
	}
	pkt_of(m)->zone = nf_zone(nf);
	pkt_of(m)->in_port = place.port;
	nf_emit(place.worker, place.path, place.position, place.walk, m, NULL);
}

unsigned health_tick(struct health *h, const struct nf *nf, unsigned worker_id, int walk)
{
	const struct wire_slot *slot;
	unsigned n = 0;

	if (worker_id != 0)
		return 0;
	for (; n < BURST && (slot = wire_first(h->out)) != NULL; n++) {
		send_one(nf, worker_id, walk, slot);
		wire_take(h->out);
	}
	return n;
}

void health_take(struct health *h, struct batch *b, unsigned i)
{
	struct rte_mbuf *m = b->m[i];
	const struct pkt *p = batch_pkt(b, i);
	uint16_t length = (uint16_t)(p->end - p->l3);
	struct wire_slot *slot = wire_place(h->in[b->worker_id]);
	const void *bytes;

	if (slot && length <= sizeof(slot->bytes) &&
	    (bytes = rte_pktmbuf_read(m, p->l3, length, slot->bytes)) != NULL) {
		if (bytes != slot->bytes)
			memcpy(slot->bytes, bytes, length);
		slot->length = length;
		wire_put(h->in[b->worker_id]);
	}
	batch_take(b, i);
	nf_deliver(b->worker, m);
}
