/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hits of rules. A rule that keeps its name keeps its record: the old policy and the new one count in the same words, so that nothing is lost
 * between compilation and publication. Records are counted by the policies that hold them, on the control side alone; each worker writes
 * its own line of a record.
 */
#include <stdlib.h>
#include <string.h>

#include "firewall/firewall.h"

/* FNV-1a. */
static uint32_t id_of(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

static struct record *record_new(unsigned workers)
{
	size_t size = sizeof(struct record) + workers * sizeof(struct hits);
	struct record *record = aligned_alloc(_Alignof(struct record), size);

	if (record)
		memset(record, 0, size);
	return record;
}

static int by_id(const void *a, const void *b, void *policy)
{
	const struct policy *p = policy;
	uint32_t x = p->meters[*(const uint32_t *)a].id, y = p->meters[*(const uint32_t *)b].id;

	return x < y ? -1 : x > y;
}

/* The first place in policy->by_id whose rule has this id or a higher one. */
static unsigned place_of(const struct policy *policy, uint32_t id)
{
	unsigned low = 0, high = policy->rule_count + 1;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (policy->meters[policy->by_id[middle]].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct record *inherited(const struct policy *old, const struct rule *rule, uint32_t id)
{
	for (unsigned i = place_of(old, id); i <= old->rule_count; i++) {
		const struct meter *meter = &old->meters[old->by_id[i]];

		if (meter->id != id)
			break;
		if (strcmp(old->rules[old->by_id[i]].name, rule->name) == 0)
			return meter->record;
	}
	return NULL;
}

bool hits_make(struct policy *policy, const struct policy *previous)
{
	unsigned n = policy->rule_count + 1;

	policy->meters = calloc(n, sizeof(*policy->meters));
	policy->by_id = calloc(n, sizeof(*policy->by_id));
	if (!policy->meters || !policy->by_id)
		return false;
	for (unsigned i = 0; i < n; i++) {
		struct meter *meter = &policy->meters[i];

		meter->id = id_of(policy->rules[i].name);
		policy->by_id[i] = i;
		meter->record = previous ? inherited(previous, &policy->rules[i], meter->id) : NULL;
		if (!meter->record)
			meter->record = record_new(policy->workers);
		if (!meter->record)
			return false;
		meter->record->policies++;
	}
	qsort_r(policy->by_id, n, sizeof(*policy->by_id), by_id, policy);
	return true;
}

void hits_release(struct policy *policy)
{
	for (unsigned i = 0; policy->meters && i <= policy->rule_count; i++) {
		struct record *record = policy->meters[i].record;

		if (record && --record->policies == 0)
			free(record);
	}
	free(policy->meters);
	free(policy->by_id);
}

unsigned policy_find(const struct policy *policy, uint32_t id)
{
	unsigned place = place_of(policy, id);

	if (place > policy->rule_count || policy->meters[policy->by_id[place]].id != id)
		return NO_RULE;
	return policy->by_id[place];
}
