/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A stateful firewall: ordered rules judge the first packet of a session, the session remembers which rule it was, the packets behind only count.
 * TCP tracking and the match of ICMP errors to their sessions are the engine's.
 *
 * struct policy is the snapshot (immutable). Hits of rules live in the policy, too, one line a rule and worker, written by that worker alone; a
 * rule that keeps its name keeps its hits.
 */
#ifndef SLUICE_VNF_FIREWALL_H
#define SLUICE_VNF_FIREWALL_H

#include "match/acl.h"
#include "runtime/nf.h"

enum { ZONES_MAX = 255, PORTS_MAX = 64, NO_ZONE = 0, RULE_NAME_MAX = 64 };

enum action { ACTION_ACCEPT, ACTION_DROP, ACTION_REJECT };

enum firewall_counter { DENIED, REJECTED, DENIED_DEFAULT, NOT_A_BEGINNING, ACCEPTED };

struct hits {
	uint64_t packets, bytes;
	uint64_t last; /* ns of the engine's clock */
	uint64_t sessions;
};

struct rule {
	char name[RULE_NAME_MAX];
	uint8_t action; /* enum action */
	uint8_t log;
};

struct policy {
	struct acl *acl;    /* NULL: no rule at all */
	struct rule *rules; /* by index; behind the last stands the default */
	struct hits *hits;  /* [worker * (rule_count + 1) + rule] */
	unsigned rule_count, workers;
	uint8_t accept_midstream;
	uint8_t zone_of_port[PORTS_MAX];
	char (*zones)[NF_NAME_MAX]; /* names by number, from 1 */
	unsigned zone_count;
};

/* What a session keeps. */
struct firewall_slot {
	uint32_t rule; /* index in the policy by which it was judged last; rule_count: the default */
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

static inline struct hits *policy_hits(const struct policy *policy, unsigned worker, unsigned rule)
{
	return &policy->hits[worker * (policy->rule_count + 1) + rule];
}

#endif
