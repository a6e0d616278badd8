/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A balanced session's later life: giving back what it holds, being judged by a new configuration or because its backend failed, being found by a
 * successor process. Worker thread.
 */
#include "lb/lb.h"

static uint32_t source_word(const struct lb_slot *slot, uint8_t family)
{
	return family == FAMILY_V4 ? slot->v4.source : slot->v6.source;
}

static uint16_t source_port(const struct lb_slot *slot, uint8_t family)
{
	return family == FAMILY_V4 ? slot->v4.source_port : slot->v6.source_port;
}

void lb_close(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id)
{
	struct lb_live *live = nf->live;
	struct lb_slot *slot = nf_slot(nf, s);
	uint8_t family = s->key[0].family;

	(void)snapshot;
	if (!(slot->flags & SLOT_ACTIVE))
		return;
	if (slot->flags & SLOT_SOURCE)
		ports_release(live->sources[slot->pool]->ports, s->bucket, lb_space(s->key[0].proto),
		              source_word(slot, family), source_port(slot, family));
	pool_leave(live->pool, worker_id, slot->backend, slot->flags & SLOT_OVER);
	slot->flags = 0;
}

/* Whether the configuration would let the session be what it is. */
static bool still_right(const struct lb_config *config, const struct lb_slot *slot, const struct tuple *t)
{
	const struct lb_service *service = lb_service_of(config, t->family, &t->dst, t->proto, t->dport);
	const struct lb_backend *backend = service ? lb_backend_of(service, slot->backend) : NULL;
	bool full = slot->flags & SLOT_SOURCE;

	if (!backend || backend->admin == LB_DISABLED || !lb_allows(service, &t->src))
		return false;
	if (full != (service->mode == LB_FULL_NAT) || lb_is_away(service) != !!(slot->flags & SLOT_AWAY))
		return false;
	return !full || service->source == slot->pool;
}

enum verdict lb_review(const struct nf *nf, const void *snapshot, struct session *s, struct tuple *tuple,
                       uint16_t in_port, uint16_t out_port)
{
	const struct lb_config *config = snapshot;
	const struct lb_slot *slot = nf_slot(nf, s);
	struct lb_ends ends;

	(void)in_port;
	(void)out_port;
	if (!(slot->flags & SLOT_ACTIVE))
		return lb_claims_address(config, tuple->family, &tuple->dst) ? VERDICT_DROP : VERDICT_PASS;
	if (!still_right(config, slot, tuple) ||
	    pool_state_of(config->live->pool, slot->backend) & POOL_RESET)
		return VERDICT_DROP;
	if (slot->flags & SLOT_AWAY)
		return VERDICT_TAKE;
	lb_slot_ends(config->live, slot, tuple->family, &ends);
	lb_ends_rewrite(&ends, tuple);
	return VERDICT_PASS;
}

/* --- after a crash --- */

/* The ends as a predecessor, or another process, wrote them; of IPv6 those that are not in the slot are in the session's keys. */
static void found_ends(const struct lb_slot *slot, const struct session *s, struct lb_ends *ends)
{
	struct lb_live none = { 0 };
	struct tuple forward, answer;

	if (s->key[0].family == FAMILY_V4) {
		lb_slot_ends(&none, slot, FAMILY_V4, ends);
		return;
	}
	session_tuple(s, 0, &forward);
	session_tuple(s, 1, &answer);
	*ends = (struct lb_ends){ .source = answer.dst,
		                  .vip = forward.dst,
		                  .backend = answer.src,
		                  .client_port = slot->v6.client_port,
		                  .source_port = slot->v6.source_port,
		                  .vip_port = slot->v6.vip_port,
		                  .backend_port = answer.sport };
	memcpy(ends->client.bytes, slot->v6.client, sizeof(slot->v6.client));
	if (forward.proto != IPPROTO_TCP && forward.proto != IPPROTO_UDP)
		ends->backend_port = ends->vip_port; /* it stands for none, or for an identifier */
}

static const struct lb_backend *backend_at(const struct lb_service *service, const struct lb_ends *ends)
{
	for (unsigned i = 0; i < service->backend_count; i++) {
		const struct lb_backend *b = &service->backends[i];

		if (memcmp(&b->address, &ends->backend, sizeof(b->address)) == 0 &&
		    (!b->port || b->port == ends->backend_port))
			return b;
	}
	return NULL;
}

/* A slot that this class can have written says the same when it is written again. */
static bool sound(const struct lb_slot *slot, uint8_t family, const struct lb_ends *ends)
{
	struct lb_slot again;

	lb_slot_fill(&again, family, ends);
	return family == FAMILY_V4 ? memcmp(&again.v4, &slot->v4, sizeof(again.v4)) == 0
	                           : memcmp(&again.v6, &slot->v6, sizeof(again.v6)) == 0;
}

/* Of IPv6, where the answer's key is not (yet) that of packets behind us, as when the function moves between processes: the one backend for which the
 * slot would say what it says. Its sum may be that of two, then it is none. */
static const struct lb_backend *backend_by_slot(const struct lb_config *config,
                                                const struct lb_service *service, const struct lb_slot *slot,
                                                struct lb_ends *ends)
{
	const struct lb_backend *found = NULL;

	ends->source = ends->client;
	if (service->mode == LB_FULL_NAT && service->source >= 0) {
		ends->source = config->live->sources[service->source]->prefix;
		ends->source.words[3] = slot->v6.source;
	}
	for (unsigned i = 0; i < service->backend_count; i++) {
		const struct lb_backend *b = &service->backends[i];

		ends->backend = b->address;
		ends->backend_port = b->port ? b->port : ends->vip_port;
		if (!sound(slot, FAMILY_V6, ends))
			continue;
		if (found)
			return NULL;
		found = b;
	}
	return found;
}

static bool claim_source(const struct lb_config *config, const struct lb_service *service,
                         const struct session *s, struct lb_slot *slot)
{
	struct source_pool *source;

	if (service->mode != LB_FULL_NAT || service->source < 0)
		return false;
	slot->pool = (uint8_t)service->source;
	source = config->live->sources[slot->pool];
	__atomic_store_n(&config->live->asked[s->bucket], 1, __ATOMIC_RELAXED);
	return source_pool_claim(source, s->bucket, lb_space(s->key[0].proto),
	                         source_word(slot, s->key[0].family), source_port(slot, s->key[0].family));
}

/* Its client is remembered from now on: when it was last seen is not known. */
static void remember_again(const struct lb_config *config, const struct lb_service *service,
                           unsigned worker_id, const union ipaddr *client, const struct lb_backend *backend)
{
	const struct pool *pool = config->live->pool;
	struct persist_key key = { .client = persist_mask(client, service->persist_length),
		                   .service = service->id,
		                   .family = service->family };

	if (service->persist)
		persist_set(config->live->workers[worker_id].persist, &key, backend->id,
		            lb_seconds(pool->clock(pool->clock_context)), service->persist);
}

static void join(struct pool *pool, unsigned worker_id, struct lb_slot *slot,
                 const struct lb_backend *backend)
{
	slot->backend = backend->id;
	pool_join(pool, worker_id, backend->id);
	if (slot->flags & SLOT_OVER)
		pool_over(pool, worker_id, backend->id);
}

static bool adopt_away(const struct lb_config *config, struct lb_slot *slot, const struct session *s,
                       unsigned worker_id)
{
	const struct lb_service *service;
	const struct lb_backend *backend;
	struct tuple t;

	session_tuple(s, 0, &t);
	backend = lb_away_found(config, slot, &t, &service);
	if (!backend)
		return false;
	join(config->live->pool, worker_id, slot, backend);
	remember_again(config, service, worker_id, &t.src, backend);
	return true;
}

bool lb_adopt(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id)
{
	const struct lb_config *config = snapshot;
	struct lb_slot *slot = nf_slot(nf, s);
	uint8_t family = s->key[0].family;
	const struct lb_service *service;
	const struct lb_backend *backend;
	struct lb_ends ends;

	if (!(slot->flags & SLOT_ACTIVE))
		return true;
	if (slot->flags & SLOT_AWAY)
		return adopt_away(config, slot, s, worker_id);
	found_ends(slot, s, &ends);
	service = lb_service_of(config, family, &ends.vip, s->key[0].proto, ends.vip_port);
	backend = service && sound(slot, family, &ends) ? backend_at(service, &ends) : NULL;
	if (service && !backend && family == FAMILY_V6)
		backend = backend_by_slot(config, service, slot, &ends);
	if (!backend || lb_is_away(service) ||
	    (service->mode == LB_FULL_NAT) != !!(slot->flags & SLOT_SOURCE))
		return false;
	if (slot->flags & SLOT_SOURCE && !claim_source(config, service, s, slot))
		return false;
	join(config->live->pool, worker_id, slot, backend);
	remember_again(config, service, worker_id, &ends.client, backend);
	return true;
}

/* --- what is in two processes --- */

bool lb_hear(const struct nf *nf, const void *snapshot, const struct nf_message *message,
             struct nf_message *answer, uint64_t now)
{
	const struct lb_config *config = snapshot;

	(void)nf;
	return source_pools_hear(config->live->sources, config->sources, message, answer, now);
}

void lb_recall(const struct nf *nf, const void *snapshot, const struct tuple *tuple, int walk,
               unsigned bucket)
{
	const struct lb_config *config = snapshot;
	const struct source_pool *source = lb_source_of(config, tuple->family, &tuple->dst);

	(void)nf;
	(void)walk;
	if (source)
		source_pool_recall(source, tuple->dst.words[tuple->family == FAMILY_V4 ? 0 : 3], tuple->dport,
		                   bucket);
}
