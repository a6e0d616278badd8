/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stateful firewall: ordered rules judge the first packet of a session, the session remembers which rule it was, the packets behind only count.
 * TCP tracking and the match of ICMP errors to their sessions are the engine's.
 *
 * struct policy is the snapshot (immutable). Hits of rules lie in records that policies share: a rule that keeps its name keeps its record (hits.c).
 * A record has one line for each worker, written by that worker alone.
 */
#ifndef SLUICE_VNF_FIREWALL_H
#define SLUICE_VNF_FIREWALL_H

#include "match/acl.h"
#include "runtime/nf.h"

/* Rules once their sources, destinations and services are multiplied out: some 13 KB of memory each while they are compiled. */
enum { COMBINATIONS_ALL = 131072 };

enum { ZONES_MAX = 255, PORTS_MAX = 64, NO_ZONE = 0, RULE_NAME_MAX = 64 };

#define NO_RULE UINT32_MAX

enum action { ACTION_ACCEPT, ACTION_DROP, ACTION_REJECT };

enum firewall_counter { DENIED, REJECTED, DENIED_DEFAULT, NOT_A_BEGINNING, ACCEPTED, NOT_RELATED, PICKED_UP };

/* Of one rule, by one worker. */
struct hits {
	_Alignas(64) uint64_t packets;
	uint64_t bytes;
	uint64_t last; /* ns of the engine's clock */
	uint64_t sessions;
};

/* Of one rule. */
struct record {
	_Alignas(64) unsigned policies; /* that hold it; control side */
	struct hits hits[];             /* by worker */
};

struct rule {
	char name[RULE_NAME_MAX];
	uint8_t action; /* enum action */
	uint8_t log;
	uint8_t syn_proxy; /* enum syn_proxy */
};

/* What counting needs of a rule. */
struct meter {
	struct record *record;
	uint32_t id; /* of the rule's name: the same in every policy and process */
};

struct policy {
	struct acl *acl;
	struct rule *rules;   /* by index; behind the last stands the default */
	struct meter *meters; /* by index */
	uint32_t *by_id;      /* indexes, sorted by id */
	unsigned rule_count, workers;
	uint8_t accept_midstream, accept_redirects;
	uint8_t zone_of_port[PORTS_MAX];
	char (*zones)[NF_NAME_MAX]; /* names by number, from 1 */
	unsigned zone_count;
};

/* What a session keeps. The index spares the search as long as the policy is the one that judged; the id says whether it is. */
struct firewall_slot {
	uint32_t rule;     /* index in the policy by which it was judged last; rule_count: the default */
	uint32_t id;       /* of that rule */
	uint16_t icmp;     /* type << 8 | code of the first packet: it is judged by them again */
	uint16_t reversed; /* picked up from an answer: rules are asked of the other direction */
};

extern const struct schema firewall_schema[];

void *firewall_compile(struct nf *nf, const void *previous, const struct conf *config, struct errors *errors);
void firewall_release(void *snapshot);

void firewall_open(const struct nf *nf, const void *snapshot, struct openings *openings);
enum verdict firewall_review(const struct nf *nf, const void *snapshot, struct session *s,
                             struct tuple *tuple, uint16_t in_port, uint16_t out_port);
void firewall_process(const struct nf *nf, const void *snapshot, struct batch *b);

int firewall_show(const struct nf *nf, const void *snapshot, const char *topic,
                  const struct rest_request *request, json_t **out);
void firewall_show_session(const struct nf *nf, const void *snapshot, const struct session *s, json_t *out);
void firewall_metrics(const struct nf *nf, const void *snapshot, struct metrics *metrics);

/* Hits of all rules of a policy whose rules have their names, those of `previous` (may be NULL) taken along. False: no memory; release in any case. */
bool hits_make(struct policy *policy, const struct policy *previous);
void hits_release(struct policy *policy);
/* Index of the rule with this id, or NO_RULE. Any thread. */
unsigned policy_find(const struct policy *policy, uint32_t id);

static inline struct hits *policy_hits(const struct policy *policy, unsigned worker, unsigned rule)
{
	return &policy->meters[rule].record->hits[worker];
}

/* Index of the rule that judged a session, though it was that of another policy; NO_RULE: this policy has it no more. */
static inline unsigned policy_rule(const struct policy *policy, const struct firewall_slot *slot)
{
	if (likely(slot->rule <= policy->rule_count && policy->meters[slot->rule].id == slot->id))
		return slot->rule;
	return policy_find(policy, slot->id);
}

#endif
