/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * NAPT44 after RFC 4787, 5382 and 5508. Inside is the path's first port: packets that walk along the path have their source translated,
 * those against it their destination. IPv6 passes by.
 *
 * struct nat_config is the snapshot (immutable). struct nat_live outlives it: port pools, and per worker the mappings (mapping.h), each written by
 * its worker alone. A session's slot holds both rewrites, so that packets ask nobody.
 */
#ifndef SLUICE_VNF_NAT_H
#define SLUICE_VNF_NAT_H

#include "flow/ports.h"
#include "nat/mapping.h"
#include "packet/rewrite.h"
#include "runtime/nf.h"
#include "runtime/source_pool.h"
#include "util/net.h"

enum { NAT_RULES_MAX = 256, NAT_STATICS_MAX = 1024, NAT_FORWARDS_MAX = 1024 };

enum nat_counter {
	NAT_NO_PORT,
	NAT_NO_MAPPING,
	NAT_FILTERED,
	NAT_MAPPINGS_FULL,
	NAT_NOT_A_BEGINNING,
	NAT_NOT_TRANSLATABLE,
	NAT_HAIRPIN_REFUSED,
	NAT_NO_RULE,
	NAT_TRANSLATED,
	NAT_HAIRPINNED,
};

enum nat_behaviour { NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_DEPENDENT, NAT_ADDRESS_AND_PORT_DEPENDENT };

struct nat_live {
	struct source_pool *pools[SOURCE_POOLS_MAX]; /* by number; slots name them */
	struct nat_mappings **workers;               /* by worker id */
	uint32_t mappings;                           /* room of each, fixed by the first configuration */
	/* Buckets that have ever allocated: only these are given blocks of the reserve. Relaxed: their workers write, worker 0 reads. */
	uint8_t asked[PORTS_BUCKETS];
};

/* Which inside hosts use which pool. */
struct nat_rule {
	struct ip_prefix source, destination;
	uint8_t pool;
	uint8_t has_source, has_destination;
};

/* One inside address for one outside address, all protocols. Network order. */
struct nat_static {
	char name[NF_NAME_MAX];
	uint32_t inside, outside;
};

struct nat_forward {
	char name[NF_NAME_MAX];
	uint32_t outside, inside;           /* network order */
	uint16_t first, last, inside_first; /* host order */
	uint8_t protocol;
};

struct nat_config {
	struct nat_live *live;
	struct nat_rule *rules;
	struct nat_static *statics, *statics_inside; /* the same, sorted by outside and by inside address */
	struct nat_forward *forwards;                /* sorted by nat_forward_order() */
	unsigned rule_count, static_count, forward_count;
	uint32_t pools; /* bit i: pool i is of this configuration */
	/* Of each pool, the ports that forwardings use. */
	struct ports_withheld *withheld[SOURCE_POOLS_MAX];
	uint8_t mapping, filtering; /* enum nat_behaviour */
	bool hairpinning, preserve, parity;
};

enum nat_slot_flag {
	SLOT_ACTIVE = 1 << 0,   /* this session is translated */
	SLOT_OWN_PORT = 1 << 1, /* its outside port is its own (address-and-port-dependent mapping) */
	SLOT_HAIRPIN = 1 << 2,  /* outward packets turn round here */
	SLOT_PERMIT = 1 << 3,   /* counted among those whom the mapping has sent to */
	SLOT_POOL = 1 << 4,     /* `pool` is used */
};

/* What a session keeps: both rewrites, and what it must give back. */
struct nat_slot {
	struct edit4 out, in; /* source of outward packets; destination of inward ones */
	uint32_t remote;      /* of a mapping's session: whom it talks to, as seen here; network order */
	uint8_t flags, pool, space, spare;
};
static_assert(sizeof(struct nat_slot) <= 32, "a slot");

/* Whether a session counts for a mapping, which its inside end leads to. */
static inline bool nat_is_mapped(const struct nat_slot *slot)
{
	return (slot->flags & (SLOT_POOL | SLOT_OWN_PORT)) == SLOT_POOL;
}

extern const struct schema nat_schema[];

int nat_start(struct nf *nf, struct errors *errors);
void nat_stop(struct nf *nf);
void *nat_compile(struct nf *nf, const void *previous, const struct conf *config, struct errors *errors);
void nat_release(void *snapshot);

unsigned nat_owner(const struct nf *nf, const void *snapshot, const struct tuple *t, int walk);
void nat_open(const struct nf *nf, const void *snapshot, struct openings *openings);
enum verdict nat_review(const struct nf *nf, const void *snapshot, struct session *s, struct tuple *tuple,
                        uint16_t in_port, uint16_t out_port);
void nat_process(const struct nf *nf, const void *snapshot, struct batch *b);
void nat_close(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id);
bool nat_adopt(const struct nf *nf, const void *snapshot, struct session *s, unsigned worker_id);
bool nat_hear(const struct nf *nf, const void *snapshot, const struct nf_message *message,
              struct nf_message *answer, uint64_t now);
bool nat_ahead(const struct nf *nf, const void *snapshot, const struct session *s,
               struct nf_message *message);
void nat_recall(const struct nf *nf, const void *snapshot, const struct tuple *tuple, int walk,
                unsigned bucket);
uint64_t nat_tick(const struct nf *nf, const void *snapshot, unsigned worker_id, uint64_t now);
void nat_claims(const struct nf *nf, const void *snapshot, nf_claim_fn *fn, void *context);
int nat_show(const struct nf *nf, const void *snapshot, const char *topic, const struct rest_request *request,
             json_t **out);
void nat_show_session(const struct nf *nf, const void *snapshot, const struct session *s, json_t *out);
void nat_metrics(const struct nf *nf, const void *snapshot, struct metrics *metrics);

/* translate.c: pure functions of a configuration; any thread. */
enum ports_space nat_space(uint8_t protocol);
/* Whether an address is of a pool, whatever the port. */
bool nat_pool_has(const struct source_pool *pool, uint32_t address);
/* The configuration's pool that has this outside address and port; -1: none. */
int nat_pool_of(const struct nat_config *config, uint32_t address, uint16_t port);
/* The first rule for an inside source and a destination; NULL: none. */
const struct nat_rule *nat_rule_for(const struct nat_config *config, const struct tuple *t);
/* Inside port of an outside port of a forwarding, network order. */
uint16_t nat_forward_inside(const struct nat_forward *forward, uint16_t port);
/* A session counts for a mapping, and its remote may answer from other ports. Worker. */
void nat_join(struct nat_mappings *mappings, struct nat_slot *slot, uint32_t index, uint32_t remote);
/* Whether the configuration would still give this session's translation. */
bool nat_still_right(const struct nat_config *config, const struct nat_slot *slot, uint8_t protocol);

/* Orders of the configuration's lists, as qsort() wants them. */
int nat_by_outside(const void *a, const void *b);
int nat_by_inside(const void *a, const void *b);
int nat_forward_order(const void *a, const void *b);

/* Whether an outside address is ours: of a pool, a static translation, a forwarding. Network order. */
bool nat_claims_address(const struct nat_config *config, uint32_t address);
/* The forwarding, or static translation, of an outside address; NULL: none. Port in network order. */
const struct nat_forward *nat_forward_of(const struct nat_config *config, uint32_t outside, uint8_t protocol,
                                         uint16_t port);
const struct nat_static *nat_static_outside(const struct nat_config *config, uint32_t outside);
const struct nat_static *nat_static_inside(const struct nat_config *config, uint32_t inside);

#endif
