/* SPDX-License-Identifier: BSD-3-Clause */
/* A session's rewrites as values, and back. Any thread. */
#include "lb/lb.h"

static void fill4(struct lb_slot4 *slot, const struct lb_ends *e)
{
	*slot = (struct lb_slot4){ .client = e->client.v4,
		                   .source = e->source.v4,
		                   .vip = e->vip.v4,
		                   .backend = e->backend.v4,
		                   .client_port = e->client_port,
		                   .source_port = e->source_port,
		                   .vip_port = e->vip_port,
		                   .backend_port = e->backend_port };
	slot->l3_delta = checksum_join(checksum_delta32(slot->client, slot->source),
	                               checksum_delta32(slot->vip, slot->backend));
	slot->l4_delta =
	        checksum_join(checksum_join(slot->l3_delta, checksum_delta16(e->client_port, e->source_port)),
	                      checksum_delta16(e->vip_port, e->backend_port));
}

static void fill6(struct lb_slot6 *slot, const struct lb_ends *e)
{
	uint16_t addresses = checksum_join(checksum_delta128(e->client.bytes, e->source.bytes),
	                                   checksum_delta128(e->vip.bytes, e->backend.bytes));
	uint16_t ports = checksum_join(checksum_delta16(e->client_port, e->source_port),
	                               checksum_delta16(e->vip_port, e->backend_port));

	*slot = (struct lb_slot6){ .source = e->source.words[3],
		                   .client_port = e->client_port,
		                   .source_port = e->source_port,
		                   .vip_port = e->vip_port,
		                   .l4_delta = checksum_join(addresses, ports) };
	memcpy(slot->client, e->client.bytes, sizeof(slot->client));
}

void lb_slot_fill(struct lb_slot *slot, uint8_t family, const struct lb_ends *ends)
{
	if (family == FAMILY_V4)
		fill4(&slot->v4, ends);
	else
		fill6(&slot->v6, ends);
}

static void ends4(const struct lb_slot4 *slot, struct lb_ends *e)
{
	*e = (struct lb_ends){ .client = ip_v4(slot->client),
		               .source = ip_v4(slot->source),
		               .vip = ip_v4(slot->vip),
		               .backend = ip_v4(slot->backend),
		               .client_port = slot->client_port,
		               .source_port = slot->source_port,
		               .vip_port = slot->vip_port,
		               .backend_port = slot->backend_port };
}

static void ends6(const struct lb_live *live, const struct lb_slot *slot, struct lb_ends *e)
{
	const struct pool_identity *is = &live->pool->backends[slot->backend].is;

	*e = (struct lb_ends){ .vip = is->vip,
		               .backend = is->address,
		               .client_port = slot->v6.client_port,
		               .source_port = slot->v6.source_port,
		               .vip_port = slot->v6.vip_port,
		               .backend_port = is->port ? is->port : slot->v6.vip_port };
	memcpy(e->client.bytes, slot->v6.client, sizeof(slot->v6.client));
	e->source = e->client;
	if (slot->flags & SLOT_SOURCE) {
		e->source = live->sources[slot->pool]->prefix;
		e->source.words[3] = slot->v6.source;
	}
}

void lb_slot_ends(const struct lb_live *live, const struct lb_slot *slot, uint8_t family,
                  struct lb_ends *ends)
{
	if (family == FAMILY_V4)
		ends4(&slot->v4, ends);
	else
		ends6(live, slot, ends);
}

void lb_ends_rewrite(const struct lb_ends *ends, struct tuple *t)
{
	t->src = ends->source;
	t->dst = ends->backend;
	if (t->proto == IPPROTO_TCP || t->proto == IPPROTO_UDP) {
		t->sport = ends->source_port;
		t->dport = ends->backend_port;
	} else if (t->proto == IPPROTO_ICMP || t->proto == IPPROTO_ICMPV6) {
		t->sport = t->dport = ends->source_port;
	}
}
