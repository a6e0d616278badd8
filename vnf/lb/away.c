/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Modes in which the backend answers the client itself: packets go to it as they came, by its MAC (direct return) or in a tunnel, and we see one
 * direction alone. The session needs no more than the backend's address; without a session the table of the service names the backend, the same one on
 * every node. Worker thread.
 */
#include "lb/lb.h"

void lb_away_open(const struct nf *nf, struct opening *o, const struct lb_backend *backend)
{
	struct lb_slot *slot = nf_slot(nf, o->session);

	memcpy(slot->away.backend, backend->address.bytes, sizeof(slot->away.backend));
	slot->flags |= SLOT_ACTIVE | SLOT_AWAY;
	slot->backend = backend->id;
	opening_oneway(o);
	opening_end(o, nf_zone(nf));
}

/* What fits into the tunnel; false: the packet is dropped, and its sender told if that helps. */
static bool fits(const struct lb_service *s, struct batch *b, unsigned i)
{
	const struct pkt *p = batch_pkt(b, i);
	uint16_t room = (uint16_t)(s->mtu - encap_overhead(&s->tunnel));
	bool whole = p->flags & PKT_V6 ||
	             pkt_ip4(b->m[i])->fragment_offset & rte_cpu_to_be_16(RTE_IPV4_HDR_DF_FLAG);

	if (p->end - p->l3 <= room || (s->family == FAMILY_V4 && (s->tunnel.may_fragment || !whole)))
		return true;
	if (whole)
		nf_too_big(b->worker, b->path, b->position, b->walk, b->m[i], room);
	batch_drop(b, i, LB_TOO_BIG);
	return false;
}

static void into_tunnel(const struct lb_service *s, struct batch *b, unsigned i, const union ipaddr *backend,
                        struct lb_leaving *leaving)
{
	struct encap tunnel = s->tunnel;

	if (!fits(s, b, i))
		return;
	tunnel.destination = *backend;
	if (!encap_push(b->m[i], &tunnel, batch_pkt(b, i)->hash)) {
		batch_drop(b, i, LB_TOO_BIG);
		return;
	}
	batch_take(b, i);
	leaving->m[leaving->count++] = b->m[i];
}

static void deliver(const struct lb_service *s, struct batch *b, unsigned i, const union ipaddr *backend,
                    struct lb_leaving *leaving)
{
	if (s->mode == LB_DIRECT) {
		batch_take(b, i);
		nf_leave_via(b, b->m[i], backend);
	} else {
		into_tunnel(s, b, i, backend, leaving);
	}
}

void lb_away_send(const struct lb_config *config, struct batch *b, unsigned i, const struct lb_slot *slot,
                  struct lb_leaving *leaving)
{
	unsigned number = config->live->pool->backends[slot->backend].is.service;
	const struct lb_service *s = config->by_number[number];

	union ipaddr backend;

	memcpy(backend.bytes, slot->away.backend, sizeof(backend.bytes));
	if (s && lb_is_away(s))
		deliver(s, b, i, &backend, leaving);
	else
		batch_drop(b, i, LB_NO_SERVICE); /* a packet that had turned round before the service went */
}

/* What there is no session for: the beginning and all that follows of what came when the table was full. */
void lb_stateless(const struct lb_config *config, struct batch *b, unsigned i, struct lb_leaving *leaving)
{
	struct pool *pool = config->live->pool;
	const struct lb_backend *backend;
	const struct lb_service *s;
	struct pool_use *use;
	struct tuple t;

	pkt_tuple(b->m[i], &t);
	s = lb_service_of(config, t.family, &t.dst, t.proto, t.dport);
	if (!s) {
		if (lb_claims_address(config, t.family, &t.dst))
			batch_drop(b, i, LB_NO_SERVICE);
		return;
	}
	if (!lb_is_away(s) || !lb_allows(s, &t.src)) {
		batch_drop(b, i, lb_is_away(s) ? LB_DENIED : LB_NEEDS_SESSION);
		return;
	}
	backend = lb_schedule_by_hash(&(struct lb_choice){ .service = s,
	                                                   .pool = pool,
	                                                   .worker = b->worker_id,
	                                                   .now = b->now,
	                                                   .hash = lb_hash(s, &t, 0) });
	if (!backend) {
		batch_drop(b, i, LB_NO_BACKEND);
		return;
	}
	use = &pool->worker[b->worker_id]->backends[backend->id];
	use->packets[0]++;
	use->bytes[0] += (uint16_t)(batch_pkt(b, i)->end - batch_pkt(b, i)->l3);
	batch_count(b, LB_STATELESS);
	deliver(s, b, i, &backend->address, leaving);
}

/* The service and backend of a session that a predecessor, or another process, sent away; NULL: there is none such. */
const struct lb_backend *lb_away_found(const struct lb_config *config, const struct lb_slot *slot,
                                       const struct tuple *t, const struct lb_service **service)
{
	const struct lb_service *s = lb_service_of(config, t->family, &t->dst, t->proto, t->dport);

	*service = s;
	for (unsigned i = 0; s && lb_is_away(s) && i < s->backend_count; i++)
		if (memcmp(&s->backends[i].address, &slot->away.backend, sizeof(slot->away.backend)) == 0)
			return &s->backends[i];
	return NULL;
}

unsigned lb_needs(const struct nf *nf, const void *snapshot)
{
	const struct lb_config *config = snapshot;

	(void)nf;
	for (unsigned i = 0; i < config->service_count; i++)
		if (config->services[i].mode == LB_DIRECT)
			return NEEDS_EDGE;
	return 0;
}
