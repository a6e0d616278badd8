/* SPDX-License-Identifier: BSD-3-Clause */
/* The first packet of a session, and live sessions after a change of policy: both ask the classifier. Worker thread. */
#include "firewall/firewall.h"

enum { ECHO_REQUEST = 8, ECHO_REQUEST6 = 128 };

/* A session that is judged without its first packet, for the firewall joined its path, is taken for an echo: that is what lives on. */
static uint16_t icmp_of(const struct opening *o)
{
	if (o->tuple.proto != IPPROTO_ICMP && o->tuple.proto != IPPROTO_ICMPV6)
		return 0;
	if (!o->m)
		return (uint16_t)(o->tuple.proto == IPPROTO_ICMP ? ECHO_REQUEST << 8 : ECHO_REQUEST6 << 8);
	return (uint16_t)(pkt_of(o->m)->icmp_type << 8 | pkt_of(o->m)->icmp_code);
}

static uint8_t zone_at(const struct policy *policy, uint16_t port)
{
	return port < PORTS_MAX ? policy->zone_of_port[port] : NO_ZONE;
}

static void make_query(const struct policy *policy, const struct opening *o, uint16_t icmp,
                       struct acl_query *q)
{
	q->tuple = o->tuple;
	q->icmp = icmp;
	q->from = zone_at(policy, o->in_port);
	q->to = zone_at(policy, o->out_port);
}

static unsigned rule_of(const struct policy *policy, uint32_t result)
{
	return result ? result - 1 : policy->rule_count;
}

/* Addresses are written by the format itself: most of a flood of lines is thrown away before that. */
#define DOTTED     "%u.%u.%u.%u"
#define COLONED    "%x:%x:%x:%x:%x:%x:%x:%x"
#define WORD(p, i) ((unsigned)(p)[2 * (i)] << 8 | (p)[2 * (i) + 1])

static void log_session(const struct nf *nf, struct openings *os, const struct opening *o,
                        const struct rule *rule)
{
	const struct tuple *t = &o->tuple;
	const uint8_t *a = t->src.bytes, *b = t->dst.bytes;
	unsigned sport = rte_be_to_cpu_16(t->sport), dport = rte_be_to_cpu_16(t->dport);

	if (t->family == FAMILY_V4)
		nf_log(os->worker, nf, "rule-met",
		       "rule=%s source=" DOTTED ":%u destination=" DOTTED ":%u protocol=%u", rule->name, a[0],
		       a[1], a[2], a[3], sport, b[0], b[1], b[2], b[3], dport, t->proto);
	else
		nf_log(os->worker, nf, "rule-met",
		       "rule=%s source=[" COLONED "]:%u destination=[" COLONED "]:%u protocol=%u", rule->name,
		       WORD(a, 0), WORD(a, 1), WORD(a, 2), WORD(a, 3), WORD(a, 4), WORD(a, 5), WORD(a, 6),
		       WORD(a, 7), sport, WORD(b, 0), WORD(b, 1), WORD(b, 2), WORD(b, 3), WORD(b, 4),
		       WORD(b, 5), WORD(b, 6), WORD(b, 7), dport, t->proto);
}

static void refuse(const struct policy *policy, struct openings *os, struct opening *o, unsigned index)
{
	struct hits *hits = policy_hits(policy, os->worker_id, index);

	if (policy->rules[index].action == ACTION_REJECT && o->m) {
		nf_reject(os->worker, os->path, os->position, o->walk, o->m,
		          o->tuple.proto == IPPROTO_TCP ? NF_REJECT_RESET : NF_REJECT_ADMIN);
		opening_refuse(os, o, REJECTED);
	} else {
		opening_refuse(os, o, index == policy->rule_count ? DENIED_DEFAULT : DENIED);
	}
	if (!o->m)
		return;
	hits->packets++;
	hits->bytes += rte_pktmbuf_pkt_len(o->m);
	hits->last = os->now;
}

/* In the middle of a flow that a predecessor process may have known, which may begin here with an answer. */
static bool is_pickup(const struct policy *policy, const struct opening *o)
{
	return o->flags & OPEN_PICKUP && !policy->accept_midstream;
}

static uint32_t ask_one(const struct policy *policy, const struct acl_query *query)
{
	const struct acl_query *asked = query;
	uint32_t result;

	acl_classify(policy->acl, &asked, &result, 1);
	return result;
}

static void make_reversed(const struct policy *policy, const struct opening *o, struct acl_query *query)
{
	struct opening other = { .tuple = tuple_reverse(&o->tuple),
		                 .in_port = o->out_port,
		                 .out_port = o->in_port };

	make_query(policy, &other, 0, query);
}

static void decide(const struct nf *nf, const struct policy *policy, struct openings *os, struct opening *o,
                   uint32_t result)
{
	bool reversed = false;
	unsigned index = rule_of(policy, result);
	const struct rule *rule = &policy->rules[index];
	struct firewall_slot *slot = nf_slot(nf, o->session);

	if (rule->action == ACTION_ACCEPT && opening_prove(o, rule->syn_proxy))
		return; /* the rule is met when the client has proven itself */
	if (unlikely(is_pickup(policy, o) && rule->action != ACTION_ACCEPT)) {
		struct acl_query query;
		unsigned other;

		make_reversed(policy, o, &query);
		other = rule_of(policy, ask_one(policy, &query));
		reversed = policy->rules[other].action == ACTION_ACCEPT;
		index = reversed ? other : index;
		rule = &policy->rules[index];
	}
	if (rule->log)
		log_session(nf, os, o, rule);
	if (rule->action != ACTION_ACCEPT) {
		refuse(policy, os, o, index);
		return;
	}
	*slot = (struct firewall_slot){ index, policy->meters[index].id, icmp_of(o), reversed };
	os->counters[PICKED_UP] += is_pickup(policy, o);
	os->counters[ACCEPTED]++;
	policy_hits(policy, os->worker_id, index)->sessions++;
}

/* A segment in the middle of a session that nobody saw begin. */
static bool is_stray(const struct policy *policy, const struct opening *o)
{
	return o->flags & OPEN_MIDSTREAM && !(o->flags & (OPEN_ADDED | OPEN_PICKUP)) &&
	       !policy->accept_midstream;
}

void firewall_open(const struct nf *nf, const void *snapshot, struct openings *os)
{
	const struct policy *policy = snapshot;
	struct acl_query queries[BATCH_MAX];
	const struct acl_query *asked[BATCH_MAX] = { NULL };
	struct opening *who[BATCH_MAX];
	uint32_t results[BATCH_MAX];
	unsigned n = 0;

	for (unsigned i = 0; i < os->count; i++) {
		if (is_stray(policy, os->list[i])) {
			opening_refuse(os, os->list[i], NOT_A_BEGINNING);
			continue;
		}
		make_query(policy, os->list[i], icmp_of(os->list[i]), &queries[n]);
		asked[n] = &queries[n];
		who[n++] = os->list[i];
	}
	acl_classify(policy->acl, asked, results, n);
	for (unsigned i = 0; i < n; i++)
		decide(nf, policy, os, who[i], results[i]);
}

enum verdict firewall_review(const struct nf *nf, const void *snapshot, struct session *s,
                             struct tuple *tuple, uint16_t in_port, uint16_t out_port)
{
	const struct policy *policy = snapshot;
	struct firewall_slot *slot = nf_slot(nf, s);
	struct opening o = { .tuple = *tuple, .in_port = in_port, .out_port = out_port };
	struct acl_query query;

	if (unlikely(slot->reversed))
		make_reversed(policy, &o, &query);
	else
		make_query(policy, &o, slot->icmp, &query);
	slot->rule = rule_of(policy, ask_one(policy, &query));
	slot->id = policy->meters[slot->rule].id;
	return policy->rules[slot->rule].action == ACTION_ACCEPT ? VERDICT_PASS : VERDICT_DROP;
}
