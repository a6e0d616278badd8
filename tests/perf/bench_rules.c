/* SPDX-License-Identifier: BSD-3-Clause */
/* The classifier alone: rules of a usual kind, vectors of 64 packets. Made, used and freed by the bench's one thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "match/acl.h"

enum { ROUNDS = 4096, PACKETS = 65536 };

struct rules {
	struct acl *acl;
	struct acl_query *queries;
	uint64_t seed;
};

static uint32_t dice(struct rules *r)
{
	r->seed = r->seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint32_t)(r->seed >> 33);
}

/* As rules of a firewall are: an inside network, a server or its network, a protocol, a port or a range of them. */
static struct acl_rule make_rule(struct rules *r)
{
	struct acl_rule rule = { .family = FAMILY_V4,
		                 .protocol = dice(r) % 3 ? 6 : 17,
		                 .source_last = 65535,
		                 .icmp_last = 65535,
		                 .from = ACL_ANY_ZONE,
		                 .to = ACL_ANY_ZONE };
	uint16_t port = (uint16_t)(dice(r) % 10000);

	rule.source =
	        (struct ip_prefix){ .address = { .family = FAMILY_V4,
		                                 .bytes = { 10, (uint8_t)(dice(r) % 64), (uint8_t)dice(r) } },
		                    .length = (uint8_t)(dice(r) % 2 ? 16 : 24) };
	rule.destination =
	        (struct ip_prefix){ .address = { .family = FAMILY_V4,
		                                 .bytes = { 172, 16, (uint8_t)dice(r), (uint8_t)dice(r) } },
		                    .length = (uint8_t)(dice(r) % 2 ? 24 : 32) };
	ip_prefix_mask(&rule.source);
	ip_prefix_mask(&rule.destination);
	rule.destination_first = port;
	rule.destination_last = (uint16_t)(port + (dice(r) % 2 ? 0 : dice(r) % 500));
	return rule;
}

/* Every other packet is one that a rule is for. */
static struct acl_query make_query(struct rules *r, const struct acl_rule *rule)
{
	struct acl_query q = { .from = 1, .to = 2 };

	q.tuple.family = FAMILY_V4;
	q.tuple.proto = dice(r) % 3 ? 6 : 17;
	q.tuple.src = ip_v4(rte_cpu_to_be_32(0x0a000000 | (dice(r) % 64) << 16 | (dice(r) & 0xffff)));
	q.tuple.dst = ip_v4(rte_cpu_to_be_32(0xac100000 | (dice(r) & 0xffff)));
	q.tuple.sport = (uint16_t)dice(r);
	q.tuple.dport = rte_cpu_to_be_16((uint16_t)(dice(r) % 10000));
	if (dice(r) % 2)
		return q;
	q.tuple.proto = rule->protocol;
	memcpy(&q.tuple.src, rule->source.address.bytes, 4);
	memcpy(&q.tuple.dst, rule->destination.address.bytes, 4);
	q.tuple.dport = rte_cpu_to_be_16(rule->destination_first);
	return q;
}

/* The rules compiled, and a query for each packet. */
static bool fill(struct rules *r, unsigned count, struct acl_rule *list, struct acl_builder *builder,
                 struct errors *errors)
{
	int error = 0;

	for (unsigned i = 0; i < count && !error; i++) {
		list[i] = make_rule(r);
		error = acl_builder_add(builder, &list[i], i) ? 0 : -ENOMEM;
	}
	for (unsigned i = 0; i < PACKETS; i++)
		r->queries[i] = make_query(r, &list[dice(r) % count]);
	if (!error)
		error = acl_build(builder, NULL, &r->acl);
	if (error)
		errors_add(errors, NULL, "acl-not-built", NULL, 0, "%u rules could not be compiled: %s",
		           count, strerror(-error));
	return !error;
}

struct rules *rules_new(unsigned count, struct errors *errors)
{
	struct acl_builder *builder = acl_builder_new();
	struct acl_rule *list = calloc(count, sizeof(*list));
	struct rules *r = calloc(1, sizeof(*r));

	if (r) {
		r->queries = calloc(PACKETS, sizeof(*r->queries));
		r->seed = 1;
	}
	if (!builder || !list || !r || !r->queries || !fill(r, count, list, builder, errors)) {
		rules_free(r);
		r = NULL;
	}
	free(list);
	return r;
}

void rules_free(struct rules *r)
{
	if (!r)
		return;
	acl_free(r->acl);
	free(r->queries);
	free(r);
}

double rules_sample(struct rules *r)
{
	uint32_t results[BATCH_MAX];
	const struct acl_query *list[BATCH_MAX];
	uint64_t begin = rte_rdtsc();

	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < BATCH_MAX; i++)
			list[i] = &r->queries[(round * BATCH_MAX + i) % PACKETS];
		acl_classify(r->acl, list, results, BATCH_MAX);
	}
	return (double)(rte_rdtsc() - begin) / ((double)ROUNDS * BATCH_MAX);
}
