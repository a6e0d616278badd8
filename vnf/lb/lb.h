/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A layer-4 load balancer: sessions to a virtual service are given to one of its backends, and stay there. Clients may be at either end of the path. In
 * modes "direct", "ipip", "gre" and "gue" backends answer clients themselves (away.c). In mode "nat" the destination is rewritten (and the source of answers), in mode "full-nat" also the client's address, to one of a pool of sources, so
 * that answers come back here whatever the backends' routes are.
 *
 * struct lb_config is the snapshot (immutable). struct lb_live outlives it: services and backends by number (pool.h), sources with their ports, and per
 * worker what clients are remembered (persist.h). A session's slot holds its rewrites and the backend's number, so that packets ask nobody.
 */
#ifndef SLUICE_VNF_LB_H
#define SLUICE_VNF_LB_H

#include "flow/ports.h"
#include "lb/persist.h"
#include "lb/pool.h"
#include "match/set.h"
#include "packet/encap.h"
#include "packet/rewrite.h"
#include "runtime/nf.h"
#include "runtime/source_pool.h"
#include "util/net.h"

enum {
	LB_SERVICES_MAX = 1024,
	LB_SERVICE_BACKENDS_MAX = 1024,
	LB_PREFIXES_MAX = 4096,
};

enum lb_counter {
	LB_NO_SERVICE,
	LB_NO_BACKEND,
	LB_DENIED,
	LB_SESSION_LIMIT,
	LB_RATE_LIMIT,
	LB_BACKENDS_FULL,
	LB_NO_PORT,
	LB_SAME_PORT,
	LB_NOT_A_BEGINNING,
	LB_NOT_TRANSLATABLE,
	LB_BACKEND_FAILED,
	LB_BALANCED,
	LB_PERSISTED,
	LB_BACKUP_USED,
	LB_FORGOTTEN,
	LB_TOO_BIG,
	LB_NEEDS_SESSION,
	LB_STATELESS,
};

/* From LB_DIRECT on answers do not come back this way. */
enum lb_mode { LB_NAT, LB_FULL_NAT, LB_DIRECT, LB_IPIP, LB_GRE, LB_GUE };

/* In the order of lb_schedulers. */
enum lb_scheduler {
	LB_MAGLEV,
	LB_ROUND_ROBIN,
	LB_WEIGHTED_ROUND_ROBIN,
	LB_LEAST_CONNECTIONS,
	LB_WEIGHTED_LEAST_CONNECTIONS,
	LB_SOURCE_HASH,
};
extern const char *const lb_schedulers[],
        *const lb_modes[], *const lb_protocols[], *const lb_admins[], *const lb_syn_proxy[];

enum lb_admin { LB_ENABLED, LB_DRAIN, LB_DISABLED };

struct lb_limits {
	uint32_t sessions;        /* at once; 0: no limit */
	struct token_bucket rate; /* of new ones; its time is the pool's; interval 0: no limit */
};

struct lb_backend {
	char name[NF_NAME_MAX];
	union ipaddr address;
	uint16_t port; /* network order; 0: the client's */
	uint16_t id;   /* of pool.h */
	uint16_t weight;
	uint8_t admin; /* enum lb_admin */
	bool backup;
	struct lb_limits limits;
};

/* The backends that a scheduler chooses among: the primaries, or the backups. */
struct lb_set {
	uint16_t *members; /* indexes of service->backends: those with a weight */
	unsigned count;
	uint16_t *table; /* maglev.h, indexes of members; NULL: the scheduler needs none */
};

struct lb_service {
	char name[NF_NAME_MAX];
	union ipaddr address;
	uint8_t family, protocol; /* 0: any */
	uint16_t first, last;     /* host order; all of them where there are no ports */
	uint16_t id;              /* of pool.h */
	uint8_t mode, scheduler;
	int8_t source;     /* full NAT: number of the pool of sources; -1: none */
	bool hash_address; /* the client's port does not count */
	bool reset_on_failure;
	uint8_t persist_length; /* of the client's prefix */
	uint32_t persist;       /* s; 0: not */
	uint32_t slow_start;    /* ms */
	struct lb_limits limits;
	struct health_check *check;    /* of its backends; NULL: they are not checked */
	struct prefix_set allow, deny; /* minimised; allow may be empty: everybody */
	struct lb_backend *backends;
	unsigned backend_count;
	struct lb_set sets[2]; /* primaries, backups */
	uint32_t table_size;
	struct encap tunnel; /* but its destination */
	uint16_t mtu;        /* of the way to the backends */
	uint8_t syn_proxy;   /* enum syn_proxy */
};

static inline bool lb_is_away(const struct lb_service *service)
{
	return service->mode >= LB_DIRECT;
}

/* Where answers come from: a backend of a service. Sorted; see lookup.c. */
struct lb_endpoint {
	union ipaddr address;
	uint8_t family, protocol;
	uint16_t first, last; /* host order */
};

struct lb_worker {
	struct persist *persist;
	uint32_t now; /* of its last tick or opening, s */
} __attribute__((aligned(64)));

struct lb_live {
	struct pool *pool;
	struct health *health;  /* checks.h; NULL: nothing was ever checked. Written once, read by workers */
	struct lb_names *names; /* names.h; NULL: none was ever named. Control side */
	bool published;         /* a configuration runs, or has run */
	_Atomic bool here;      /* the one that runs has the function in this process */
	struct source_pool *sources[SOURCE_POOLS_MAX]; /* by number; slots name them */
	struct lb_worker *workers;                     /* by worker id */
	uint32_t persistence;                          /* room of each, fixed by the first configuration */
	uint8_t asked[PORTS_BUCKETS];                  /* buckets that have ever taken a port; relaxed */
};

/* A backend's name, resolved in the family of its service. */
struct lb_host {
	char name[256];
	uint8_t family;
};

/* An address of a backend's name that no backend can be at. */
struct lb_refused {
	char service[NF_NAME_MAX], backend[NF_NAME_MAX], host[256];
	struct ip_addr address;
	char why[128];
};

struct lb_config {
	struct lb_live *live;
	struct lb_refused *refused;
	unsigned refused_count;
	struct lb_host *hosts; /* each once */
	unsigned host_count;
	struct lb_service *services; /* sorted by lb_service_order() */
	unsigned service_count;
	const struct lb_service
	        *by_number[POOL_SERVICES_MAX]; /* of pool.h; NULL: not of this configuration */
	struct lb_endpoint *endpoints;
	unsigned endpoint_count;
	uint32_t sources;                /* bit i: source i is of this configuration */
	struct ip_addr health_source[2]; /* IPv4, IPv6: where checks come from; family 0: none */
	bool claims_first; /* virtual addresses are claimed at the first end of the path, sources at the last */
	uint8_t owner_length[2]; /* IPv4, IPv6: how much of a client's address names its worker */
};

enum lb_slot_flag {
	SLOT_ACTIVE = 1 << 0, /* this session is balanced */
	SLOT_CHECK = 1 << 2,  /* a health check of ours: what comes back is taken */
	SLOT_SOURCE = 1 << 1, /* its source address and port are of a pool */
	SLOT_AWAY = 1 << 3,   /* its packets are not rewritten: away.c */
	SLOT_OVER = 1 << 4,   /* both ends have said so: it is not open any more */
};

/* What an IPv4 session keeps. Network order. The checksums' differences are those of packets to the backend. */
struct lb_slot4 {
	uint32_t client, source, vip, backend;
	uint16_t client_port, source_port, vip_port, backend_port;
	uint16_t l3_delta, l4_delta;
};

/* Of IPv6: the virtual address and the backend's are the pool's, the first words of the source the source's. */
struct lb_slot6 {
	uint8_t client[16];
	uint32_t source;
	uint16_t client_port, source_port, vip_port, l4_delta;
};

/* Of both where the backend answers by itself. */
struct lb_slot_away {
	uint8_t backend[16];
};

struct lb_slot {
	union {
		struct lb_slot_away away;
		struct lb_slot4 v4;
		struct lb_slot6 v6;
	};
	uint16_t backend; /* number */
	uint8_t flags, pool;
};
static_assert(sizeof(struct lb_slot) <= 32, "a slot");

/* Both ends of a session as its packets to the backend have them, before and behind us. */
struct lb_ends {
	union ipaddr client, source, vip, backend;
	uint16_t client_port, source_port, vip_port, backend_port;
};

/* The clock of persistence, which begins above 0. */
static inline uint32_t lb_seconds(uint64_t now)
{
	return (uint32_t)(now / 1000000000) + 1;
}

extern const struct schema lb_schema[];

int lb_start(struct nf *nf, struct errors *errors);
void lb_stop(struct nf *nf);
void *lb_compile(struct nf *nf, const void *previous, const struct conf *config, struct errors *errors);
void lb_release(void *snapshot);
void lb_published(struct nf *nf, const void *snapshot, bool here);

unsigned lb_owner(const struct nf *nf, const void *snapshot, const struct tuple *t, int walk);
bool lb_owners_differ(const void *before, const void *after);
void lb_open(const struct nf *nf, const void *snapshot, struct openings *openings);
enum verdict lb_review(const struct nf *nf, const void *snapshot, struct session *s, struct tuple *tuple,
                       uint16_t in_port, uint16_t out_port);
void lb_process(const struct nf *nf, const void *snapshot, struct batch *b);
void lb_close(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id);
bool lb_adopt(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id);
bool lb_hear(const struct nf *nf, const void *snapshot, const struct nf_message *message,
             struct nf_message *answer, uint64_t now);
void lb_recall(const struct nf *nf, const void *snapshot, const struct tuple *tuple, int walk,
               unsigned bucket);
uint64_t lb_tick(const struct nf *nf, const void *snapshot, unsigned worker_id, uint64_t now);
void lb_claims(const struct nf *nf, const void *snapshot, nf_claim_fn *fn, void *context);
int lb_show(const struct nf *nf, const void *snapshot, const char *topic, const struct rest_request *request,
            json_t **out);
void lb_show_session(const struct nf *nf, const void *snapshot, const struct session *s, json_t *out);
void lb_metrics(const struct nf *nf, const void *snapshot, struct metrics *metrics);

/* services.c: a service of the configuration, from its checked item. False with errors added; lb_service_free() frees what there is of it in either
 * case. Control side. */
struct lb_compile {
	struct nf *nf;
	const struct conf *config;
	struct lb_config *out;
	const struct lb_config *previous; /* NULL: none */
	struct errors *errors;
	int source_numbers[SOURCE_POOLS_MAX]; /* live numbers of the configuration's sources, in its order */
};
bool lb_service_read(struct lb_compile *c, const struct conf *item, struct lb_service *service);
void lb_service_free(struct lb_live *live, struct lb_service *service);
/* Services that were renamed are called so from now on: this configuration runs. */
void lb_services_name(const struct lb_config *config);

/* addresses.c. Errors are added; once services and sources are read. Control side. */
void lb_check_addresses(struct lb_compile *c);
/* Whether what is sent to an address comes back here, for it is the edge's or the load balancer's own, in the document that is compiled; says whose. Once sources
 * are read. */
bool lb_is_own_address(const struct lb_compile *c, const struct ip_addr *address, char *whose, size_t size);

/* lookup.c: pure functions of a configuration; any thread. */
int lb_service_order(const void *a, const void *b); /* as qsort() wants it */
int lb_endpoint_order(const void *a, const void *b);
/* The service of a destination: that of its protocol and port before one of any; NULL: none. */
const struct lb_service *lb_service_of(const struct lb_config *config, uint8_t family,
                                       const union ipaddr *address, uint8_t protocol, uint16_t port);
/* Whether an address is that of a service, or of a source of full NAT. */
bool lb_claims_address(const struct lb_config *config, uint8_t family, const union ipaddr *address);
/* The configuration's source that has this address; NULL: none. */
const struct source_pool *lb_source_of(const struct lb_config *config, uint8_t family,
                                       const union ipaddr *address);
/* Whether the service lets a client in. */
bool lb_allows(const struct lb_service *service, const union ipaddr *client);
/* Whether a packet comes from where a backend serves. */
bool lb_is_backend(const struct lb_config *config, const struct tuple *t);
/* The service's backend of a number; NULL: none. */
const struct lb_backend *lb_backend_of(const struct lb_service *service, unsigned id);
enum ports_space lb_space(uint8_t protocol);
bool lb_has_ports(uint8_t protocol);

/* slot.c: a session's rewrites as values; any thread. */
void lb_slot_fill(struct lb_slot *slot, uint8_t family, const struct lb_ends *ends);
void lb_slot_ends(const struct lb_live *live, const struct lb_slot *slot, uint8_t family,
                  struct lb_ends *ends);
/* The tuple of packets to the backend, behind us. */
void lb_ends_rewrite(const struct lb_ends *ends, struct tuple *t);

/* away.c; worker. Packets that leave by tunnels are sent together. */
struct lb_leaving {
	struct rte_mbuf *m[BATCH_MAX];
	unsigned count;
};
void lb_away_open(const struct nf *nf, struct opening *o, const struct lb_backend *backend);
void lb_away_send(const struct lb_config *config, struct batch *b, unsigned i, const struct lb_slot *slot,
                  struct lb_leaving *leaving);
void lb_stateless(const struct lb_config *config, struct batch *b, unsigned i, struct lb_leaving *leaving);
const struct lb_backend *lb_away_found(const struct lb_config *config, const struct lb_slot *slot,
                                       const struct tuple *t, const struct lb_service **service);
unsigned lb_needs(const struct nf *nf, const void *snapshot);

/* open.c: the same number for the same flow wherever it is made: by nodes side by side, and after a restart. */
uint32_t lb_hash(const struct lb_service *service, const struct tuple *t, uint8_t attempt);

/* schedule.c: a backend for a new session; worker. */
struct lb_choice {
	const struct lb_service *service;
	struct pool *pool;
	unsigned worker;
	uint64_t now; /* ns */
	uint32_t hash;
	bool full, up; /* out: some backend was up, but at a limit; some backend was up */
};
/* NULL: none. */
const struct lb_backend *lb_schedule(struct lb_choice *choice);
/* The same for packets in the middle of a flow, of which nothing but its hash is known; of services with a table. */
const struct lb_backend *lb_schedule_by_hash(struct lb_choice *choice);
/* Whether a backend may have one more session now; a remembered one may also while it comes up slowly. Takes nothing. */
bool lb_may_have(struct lb_choice *choice, const struct lb_backend *backend);
/* A backend's weight at `now`, as far as it is used: any thread. */
double lb_weight_now(const struct lb_choice *choice, const struct lb_backend *backend);
/* Takes a token of the backend's rate. */
void lb_chosen(struct lb_choice *choice, const struct lb_backend *backend);

#endif
