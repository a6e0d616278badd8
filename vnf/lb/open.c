/* SPDX-License-Identifier: BSD-3-Clause */
/* First packets: which backend a session gets. Worker thread. */
#include <rte_hash_crc.h>

#include "lb/lb.h"
#include "match/maglev.h"

/* One opening on its way. */
struct first {
	const struct nf *nf;
	const struct lb_config *config;
	struct openings *os;
	struct opening *o;
	const struct lb_service *service;
};

static void refuse(struct first *f, unsigned counter)
{
	if (f->service)
		f->config->live->pool->worker[f->os->worker_id]->services[f->service->id].refused++;
	opening_refuse(f->os, f->o, counter);
}

/* A client that can be told is: a service that has nobody to serve says so. */
static void refuse_loudly(struct first *f, unsigned counter)
{
	bool reset = f->o->tuple.proto == IPPROTO_TCP;

	nf_reject(f->os->worker, f->os->path, f->os->position, f->o->walk, f->o->m,
	          reset ? NF_REJECT_RESET : NF_REJECT_PORT);
	refuse(f, counter);
}

uint32_t lb_hash(const struct lb_service *service, const struct tuple *t, uint8_t attempt)
{
	uint32_t hash = rte_hash_crc_8byte(t->src.halves[0], attempt);

	hash = rte_hash_crc_8byte(t->src.halves[1], hash);
	if (!service->hash_address)
		hash = rte_hash_crc_8byte((uint64_t)t->sport << 24 | (uint64_t)t->dport << 8 | t->proto,
		                          hash);
	return (uint32_t)(maglev_mix(hash) >> 32);
}

static struct persist_key client_key(const struct lb_service *service, const struct tuple *t)
{
	return (struct persist_key){ .client = persist_mask(&t->src, service->persist_length),
		                     .service = service->id,
		                     .family = t->family };
}

static const struct lb_backend *remembered(struct first *f, struct lb_choice *choice)
{
	struct lb_worker *worker = &f->config->live->workers[f->os->worker_id];
	struct persist_key key = client_key(f->service, &f->o->tuple);
	int id = f->o->attempt ? -1 : persist_find(worker->persist, &key, worker->now);
	const struct lb_backend *backend = id < 0 ? NULL : lb_backend_of(f->service, (unsigned)id);

	if (!backend || !lb_may_have(choice, backend))
		return NULL;
	f->os->counters[LB_PERSISTED]++;
	return backend;
}

static void remember(struct first *f, const struct lb_backend *backend)
{
	struct lb_worker *worker = &f->config->live->workers[f->os->worker_id];
	struct persist_key key = client_key(f->service, &f->o->tuple);

	if (!persist_set(worker->persist, &key, backend->id, worker->now, f->service->persist))
		f->os->counters[LB_FORGOTTEN]++;
}

/* Whether the service may have one more session; refuses if not. */
static bool admitted(struct first *f)
{
	struct pool *pool = f->config->live->pool;
	const struct lb_limits *limits = &f->service->limits;
	unsigned rate = pool_rate_of_service(f->service->id);

	if (limits->sessions && pool_service_open_sessions(pool, f->service->id) >= limits->sessions) {
		refuse(f, LB_SESSION_LIMIT);
		return false;
	}
	if (!limits->rate.interval || f->o->attempt)
		return true;
	if (!pool_rate_has(pool, rate, &limits->rate, f->os->now)) {
		refuse(f, LB_RATE_LIMIT);
		return false;
	}
	pool_rate_take(pool, f->os->worker_id, rate, &limits->rate, f->os->now);
	return true;
}

static const struct lb_backend *choose(struct first *f)
{
	struct lb_choice choice = { .service = f->service,
		                    .pool = f->config->live->pool,
		                    .worker = f->os->worker_id,
		                    .now = f->os->now,
		                    .hash = lb_hash(f->service, &f->o->tuple, f->o->attempt) };
	const struct lb_backend *backend = f->service->persist ? remembered(f, &choice) : NULL;

	if (!backend)
		backend = f->o->flags & OPEN_MIDSTREAM ? lb_schedule_by_hash(&choice) : lb_schedule(&choice);
	if (!backend) {
		refuse_loudly(f, choice.full ? LB_BACKENDS_FULL : LB_NO_BACKEND);
		return NULL;
	}
	lb_chosen(&choice, backend);
	if (backend->backup)
		f->os->counters[LB_BACKUP_USED]++;
	return backend;
}

/* Full NAT: an address and port for this session alone. */
static bool take_source(struct first *f, struct lb_slot *slot, struct lb_ends *ends)
{
	struct lb_live *live = f->config->live;
	const struct tuple *t = &f->o->tuple;
	struct source_pool *source = live->sources[f->service->source];
	struct ports_request request = { .space = lb_space(t->proto),
		                         .seed = rte_hash_crc_4byte(f->nf->seed + f->o->attempt,
		                                                    t->src.words[0] ^ t->src.words[3] ^
		                                                            t->sport) };
	uint32_t address;

	if (!lb_has_ports(t->proto)) {
		refuse(f, LB_NOT_TRANSLATABLE);
		return false;
	}
	__atomic_store_n(&live->asked[f->o->session->bucket], 1, __ATOMIC_RELAXED);
	__atomic_store_n(&source->used, 1, __ATOMIC_RELAXED);
	if (!ports_allocate(source->ports, f->o->session->bucket, &request, &address, &ends->source_port)) {
		refuse_loudly(f, LB_NO_PORT);
		return false;
	}
	ends->source = source->prefix;
	ends->source.words[t->family == FAMILY_V4 ? 0 : 3] = address;
	slot->flags |= SLOT_SOURCE;
	slot->pool = (uint8_t)f->service->source;
	return true;
}

static void count(struct first *f, const struct lb_backend *backend)
{
	struct pool *pool = f->config->live->pool;

	pool_join(pool, f->os->worker_id, backend->id);
	pool->worker[f->os->worker_id]->backends[backend->id].opened++;
	pool->worker[f->os->worker_id]->services[f->service->id].opened++;
	f->os->counters[LB_BALANCED]++;
}

/* In a NAT mode answers must come back, to the end of the path that the packet goes to. */
static bool comes_back(struct first *f, const struct lb_backend *backend)
{
	const struct tuple *t = &f->o->tuple;

	if (!nf_turns_back(f->os->worker, f->o, &backend->address) &&
	    (f->service->mode == LB_FULL_NAT ||
	     !nf_one_subnet(f->os->worker, t->family, &t->src, &backend->address)))
		return true;
	refuse_loudly(f, LB_SAME_PORT);
	return false;
}

static void balance(struct first *f, const struct lb_backend *backend)
{
	struct lb_slot *slot = nf_slot(f->nf, f->o->session);
	struct tuple *t = &f->o->tuple;
	struct lb_ends ends = { .client = t->src,
		                .source = t->src,
		                .vip = t->dst,
		                .backend = backend->address,
		                .client_port = t->sport,
		                .source_port = t->sport,
		                .vip_port = t->dport,
		                .backend_port = backend->port ? backend->port : t->dport };

	if (!comes_back(f, backend) || (f->service->mode == LB_FULL_NAT && !take_source(f, slot, &ends)))
		return;
	slot->flags |= SLOT_ACTIVE;
	slot->backend = backend->id;
	lb_slot_fill(slot, t->family, &ends);
	lb_ends_rewrite(&ends, t);
	count(f, backend);
}

/* A connection that a predecessor knew is taken up from its middle where its backend follows from the flow alone. */
static bool may_pick_up(const struct first *f)
{
	const struct lb_service *s = f->service;
	bool by_flow = s->scheduler == LB_MAGLEV || s->scheduler == LB_SOURCE_HASH;

	return f->o->flags & OPEN_PICKUP && s->mode == LB_NAT && by_flow && (!s->persist || s->hash_address);
}

/* Not to a service. While connections are taken up, a backend's segment waits for its client's, which shows by what address it has the backend: as it is it would end
 * the connection. */
static void open_other(struct first *f)
{
	const struct tuple *t = &f->o->tuple;

	if (lb_claims_address(f->config, t->family, &t->dst))
		refuse(f, LB_NO_SERVICE);
	else if (f->o->flags & OPEN_PICKUP && t->proto == IPPROTO_TCP && lb_is_backend(f->config, t))
		refuse(f, LB_NOT_A_BEGINNING);
}

static void open_one(struct first *f)
{
	const struct tuple *t = &f->o->tuple;
	const struct lb_backend *backend;

	f->service = lb_service_of(f->config, t->family, &t->dst, t->proto, t->dport);
	if (!f->service) {
		open_other(f);
		return;
	}
	if (!lb_allows(f->service, &t->src)) {
		refuse(f, LB_DENIED);
		return;
	}
	if (f->o->flags & OPEN_MIDSTREAM && !lb_is_away(f->service) && !may_pick_up(f)) {
		refuse_loudly(f, LB_NOT_A_BEGINNING);
		return;
	}
	if (opening_prove(f->o, f->service->syn_proxy) || !admitted(f))
		return;
	backend = choose(f);
	if (!backend)
		return;
	if (f->service->persist)
		remember(f, backend);
	if (lb_is_away(f->service)) {
		lb_away_open(f->nf, f->o, backend);
		count(f, backend);
	} else {
		balance(f, backend);
	}
}

/* From our own checker: what comes back is taken. */
static void mark_check(const struct first *f)
{
	struct lb_slot *slot = nf_slot(f->nf, f->o->session);

	slot->flags = SLOT_CHECK;
}

void lb_open(const struct nf *nf, const void *snapshot, struct openings *os)
{
	const struct lb_config *config = snapshot;

	config->live->workers[os->worker_id].now = lb_seconds(os->now);
	for (unsigned i = 0; i < os->count; i++) {
		struct first f = { .nf = nf, .config = config, .os = os, .o = os->list[i] };

		if (f.o->tuple.zone == nf_zone(nf))
			mark_check(&f);
		else if (!(f.o->flags & OPEN_ADDED))
			open_one(&f);
	}
}
