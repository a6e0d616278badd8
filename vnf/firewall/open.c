/* SPDX-License-Identifier: BSD-3-Clause */
/* The first packet of a session, and live sessions after a change of policy: both ask the classifier. Worker thread. */
#include "firewall/firewall.h"

static uint16_t icmp_of(struct rte_mbuf *m, uint8_t proto)
{
	if (proto != IPPROTO_ICMP && proto != IPPROTO_ICMPV6)
		return 0;
	if (!m)
		return (uint16_t)(proto == IPPROTO_ICMP
		                          ? 8 << 8
		                          : 128 << 8); /* only echo requests begin sessions that live on */
	return (uint16_t)(pkt_of(m)->icmp_type << 8 | pkt_of(m)->icmp_code);
}

static uint8_t zone_at(const struct policy *policy, uint16_t port)
{
	return port < PORTS_MAX ? policy->zone_of_port[port] : NO_ZONE;
}

static void make_query(const struct policy *policy, const struct opening *o, struct acl_query *q)
{
	q->tuple = o->tuple;
	q->icmp = icmp_of(o->m, o->tuple.proto);
	q->from = zone_at(policy, o->in_port);
	q->to = zone_at(policy, o->out_port);
}

static unsigned rule_of(const struct policy *policy, uint32_t result)
{
	return result ? result - 1 : policy->rule_count;
}

static void log_session(const struct nf *nf, struct openings *os, const struct opening *o,
                        const struct rule *rule)
{
	const struct tuple *t = &o->tuple;
	const uint8_t *s = t->src.bytes, *d = t->dst.bytes;

	if (t->family == FAMILY_V4)
		nf_log(os->worker, nf, "rule-met",
		       "rule=%s source=%u.%u.%u.%u:%u destination=%u.%u.%u.%u:%u protocol=%u", rule->name,
		       s[0], s[1], s[2], s[3], rte_be_to_cpu_16(t->sport), d[0], d[1], d[2], d[3],
		       rte_be_to_cpu_16(t->dport), t->proto);
	else
		nf_log(os->worker, nf, "rule-met",
		       "rule=%s source=%02x%02x:..:%02x%02x:%u destination=%02x%02x:..:%02x%02x:%u "
		       "protocol=%u",
		       rule->name, s[0], s[1], s[14], s[15], rte_be_to_cpu_16(t->sport), d[0], d[1], d[14],
		       d[15], rte_be_to_cpu_16(t->dport), t->proto);
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
	hits->packets++;
	hits->bytes += o->m ? rte_pktmbuf_pkt_len(o->m) : 0;
	hits->last = os->now;
}

static void decide(const struct nf *nf, const struct policy *policy, struct openings *os, struct opening *o,
                   uint32_t result)
{
	unsigned index = rule_of(policy, result);
	const struct rule *rule = &policy->rules[index];
	struct firewall_slot *slot = nf_slot(nf, o->session);

	if (rule->log)
		log_session(nf, os, o, rule);
	if (rule->action != ACTION_ACCEPT) {
		refuse(policy, os, o, index);
		return;
	}
	slot->rule = index;
	os->counters[ACCEPTED]++;
	policy_hits(policy, os->worker_id, index)->sessions++;
}

/* A segment in the middle of a session that nobody saw begin. */
static bool is_stray(const struct policy *policy, const struct opening *o)
{
	return o->flags & OPEN_MIDSTREAM && !(o->flags & OPEN_ADDED) && !policy->accept_midstream;
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
		make_query(policy, os->list[i], &queries[n]);
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
	const struct acl_query *asked;
	struct acl_query query;
	uint32_t result;

	make_query(policy, &o, &query);
	asked = &query;
	acl_classify(policy->acl, &asked, &result, 1);
	slot->rule = rule_of(policy, result);
	return policy->rules[slot->rule].action == ACTION_ACCEPT ? VERDICT_PASS : VERDICT_DROP;
}
