/* SPDX-License-Identifier: BSD-3-Clause */
/* What the firewall shows: rules with their hits, zones. Control side; hits are summed over the workers, whole words. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "firewall/firewall.h"

static const char *const action_names[] = {
	[ACTION_ACCEPT] = "accept", [ACTION_DROP] = "drop", [ACTION_REJECT] = "reject"
};

static struct hits sum_of(const struct policy *policy, unsigned rule)
{
	struct hits sum = { 0 };

	for (unsigned w = 0; w < policy->workers; w++) {
		const struct hits *h = policy_hits(policy, w, rule);

		sum.packets += h->packets;
		sum.bytes += h->bytes;
		sum.sessions += h->sessions;
		sum.last = h->last > sum.last ? h->last : sum.last;
	}
	return sum;
}

/* A time of the engine's clock (CLOCK_MONOTONIC) as the wall has it; null: never. */
static json_t *wall_time(uint64_t ns)
{
	struct timespec wall, mono;
	time_t seconds;
	struct tm utc;
	char text[32];

	if (!ns)
		return json_null();
	clock_gettime(CLOCK_REALTIME, &wall);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	seconds = wall.tv_sec - mono.tv_sec + (time_t)(ns / 1000000000);
	gmtime_r(&seconds, &utc);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &utc);
	return json_string(text);
}

static json_t *show_rules(const struct policy *policy)
{
	json_t *list = json_array();

	for (unsigned i = 0; i <= policy->rule_count; i++) {
		struct hits h = sum_of(policy, i);

		json_array_append_new(list,
		                      json_pack("{s:s,s:s,s:I,s:I,s:I,s:o}", "name", policy->rules[i].name,
		                                "action", action_names[policy->rules[i].action], "sessions",
		                                (json_int_t)h.sessions, "packets", (json_int_t)h.packets,
		                                "bytes", (json_int_t)h.bytes, "last", wall_time(h.last)));
	}
	return list;
}

static json_t *show_zones(const struct nf *nf, const struct policy *policy)
{
	json_t *list = json_array();

	for (unsigned zone = 1; zone <= policy->zone_count; zone++) {
		json_t *ports = json_array();

		for (unsigned p = 0; p < PORTS_MAX; p++)
			if (policy->zone_of_port[p] == zone)
				json_array_append_new(ports, json_string(engine_port_name(nf->engine, p)));
		json_array_append_new(list,
		                      json_pack("{s:s,s:o}", "name", policy->zones[zone], "ports", ports));
	}
	return list;
}

int firewall_show(const struct nf *nf, const void *snapshot, const char *topic,
                  const struct rest_request *request, json_t **out)
{
	(void)request;
	*out = strcmp(topic, "rules") == 0   ? show_rules(snapshot)
	       : strcmp(topic, "zones") == 0 ? show_zones(nf, snapshot)
	                                     : NULL;
	return *out ? 0 : -ENOENT;
}

void firewall_show_session(const struct nf *nf, const void *snapshot, const struct session *s, json_t *out)
{
	const struct policy *policy = snapshot;
	unsigned rule = policy_rule(policy, nf_slot(nf, (struct session *)(uintptr_t)s));

	if (rule != NO_RULE)
		json_object_set_new(out, "rule", json_string(policy->rules[rule].name));
}

void firewall_metrics(const struct nf *nf, const void *snapshot, struct metrics *metrics)
{
	const struct policy *policy = snapshot;
	struct metrics_family *packets = metrics_family(
	        metrics, METRICS_COUNTER, "sluice_firewall_rule_packets", NULL, "Packets that met a rule.");
	struct metrics_family *bytes = metrics_family(metrics, METRICS_COUNTER, "sluice_firewall_rule",
	                                              "bytes", "Bytes that met a rule.");

	for (unsigned i = 0; i <= policy->rule_count; i++) {
		struct hits h = sum_of(policy, i);

		metrics_count(packets, h.packets, "function", nf->name, "rule", policy->rules[i].name, NULL);
		metrics_count(bytes, h.bytes, "function", nf->name, "rule", policy->rules[i].name, NULL);
	}
}
