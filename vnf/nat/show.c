/* SPDX-License-Identifier: BSD-3-Clause */
/* What the NAT shows: pools, mappings, forwardings. Control side; what workers own is asked of them. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "nat/nat.h"

enum { MAPPINGS_SHOWN = 10000 };

static const char *const space_names[PORTS_SPACES] = {
	[PORTS_TCP] = "tcp", [PORTS_UDP] = "udp", [PORTS_ICMP] = "icmp"
};

static json_t *address_json(uint32_t address)
{
	char text[INET_ADDRSTRLEN];

	inet_ntop(AF_INET, &address, text, sizeof(text));
	return json_string(text);
}

/* Copies of mappings: workers only copy, texts are made here. */
struct listing {
	const struct nat_live *live;
	unsigned count;
	struct {
		struct mapping mapping;
		unsigned worker;
	} list[MAPPINGS_SHOWN];
};

static void copy_mappings(const struct nf *nf, unsigned worker_id, uint64_t now, void *argument)
{
	struct listing *listing = argument;
	const struct nat_mappings *mappings = listing->live->workers[worker_id];

	(void)nf;
	(void)now;
	for (uint32_t i = 0; i < mappings_room(mappings) && listing->count < MAPPINGS_SHOWN; i++) {
		const struct mapping *m = mappings_at(mappings, i);

		if (!m)
			continue;
		listing->list[listing->count].mapping = *m;
		listing->list[listing->count++].worker = worker_id;
	}
}

static json_t *mapping_json(const struct nat_live *live, const struct mapping *m, unsigned worker)
{
	return json_pack("{s:s,s:o,s:i,s:o,s:i,s:s,s:I,s:i}", "protocol", space_names[m->space], "inside",
	                 address_json(m->inside), "insidePort", ntohs(m->inside_port), "outside",
	                 address_json(m->outside), "outsidePort", ntohs(m->outside_port), "pool",
	                 live->pools[m->pool]->name, "sessions", (json_int_t)m->sessions, "worker", worker);
}

static json_t *show_mappings(const struct nf *nf, const struct nat_config *config)
{
	struct listing *listing = calloc(1, sizeof(*listing));
	json_t *out = json_array();

	if (!listing)
		return out;
	listing->live = config->live;
	nf_on_workers(nf, copy_mappings, listing);
	for (unsigned i = 0; i < listing->count; i++)
		json_array_append_new(
		        out, mapping_json(config->live, &listing->list[i].mapping, listing->list[i].worker));
	free(listing);
	return out;
}

struct usage {
	uint64_t used[PORTS_SPACES], available[PORTS_SPACES];
	uint32_t reserve; /* blocks */
};

static void add_usage(const struct ports *ports, struct usage *usage)
{
	struct ports_stats stats;

	for (unsigned bucket = 0; bucket < PORTS_BUCKETS; bucket++) {
		ports_stats(ports, bucket, &stats);
		for (unsigned s = 0; s < PORTS_SPACES; s++) {
			usage->used[s] += stats.used[s];
			usage->available[s] += stats.available[s];
		}
		usage->reserve = stats.reserve;
	}
}

static json_t *pool_spaces(const struct ports *ports)
{
	struct usage usage = { 0 };
	json_t *out = json_object();

	add_usage(ports, &usage);
	for (unsigned s = 0; s < PORTS_SPACES; s++)
		json_object_set_new(out, space_names[s],
		                    json_pack("{s:I,s:I}", "used", (json_int_t)usage.used[s], "available",
		                              (json_int_t)usage.available[s]));
	json_object_set_new(out, "reserveBlocks", json_integer(usage.reserve));
	return out;
}

static json_t *show_pools(const struct nat_config *config)
{
	json_t *list = json_array();

	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++) {
		const struct source_pool *pool = config->pools >> p & 1 ? config->live->pools[p] : NULL;

		if (pool)
			json_array_append_new(
			        list, json_pack("{s:s,s:o,s:o,s:o}", "name", pool->name, "first",
			                        address_json(pool->ranges[0].first), "last",
			                        address_json(pool->ranges[pool->range_count - 1].last),
			                        "ports", pool_spaces(pool->ports)));
	}
	return list;
}

static json_t *show_forwards(const struct nat_config *config)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < config->forward_count; i++) {
		const struct nat_forward *f = &config->forwards[i];

		json_array_append_new(
		        list, json_pack("{s:s,s:s,s:o,s:i,s:i,s:o,s:i}", "name", f->name, "protocol",
		                        f->protocol == IPPROTO_TCP ? "tcp" : "udp", "outside",
		                        address_json(f->outside), "firstPort", f->first, "lastPort", f->last,
		                        "inside", address_json(f->inside), "insidePort", f->inside_first));
	}
	return list;
}

int nat_show(const struct nf *nf, const void *snapshot, const char *topic, const struct rest_request *request,
             json_t **out)
{
	(void)request;
	*out = strcmp(topic, "mappings") == 0   ? show_mappings(nf, snapshot)
	       : strcmp(topic, "pools") == 0    ? show_pools(snapshot)
	       : strcmp(topic, "forwards") == 0 ? show_forwards(snapshot)
	                                        : NULL;
	return *out ? 0 : -ENOENT;
}

void nat_show_session(const struct nf *nf, const void *snapshot, const struct session *s, json_t *out)
{
	const struct nat_slot *slot = nf_slot(nf, (struct session *)(uintptr_t)s);

	(void)snapshot;
	if (!(slot->flags & SLOT_ACTIVE))
		return;
	json_object_set_new(out, "inside", address_json(slot->in.address));
	json_object_set_new(out, "insidePort", json_integer(ntohs(slot->in.port)));
	json_object_set_new(out, "outside", address_json(slot->out.address));
	json_object_set_new(out, "outsidePort", json_integer(ntohs(slot->out.port)));
}

static void ports_metrics(struct metrics *metrics, const struct nf *nf, const struct nat_config *config)
{
	struct metrics_family *family = metrics_family(metrics, METRICS_GAUGE, "sluice_nat_ports_used", NULL,
	                                               "Outside ports and identifiers that are taken.");

	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++) {
		const struct source_pool *pool = config->pools >> p & 1 ? config->live->pools[p] : NULL;
		struct usage usage = { 0 };

		if (pool)
			add_usage(pool->ports, &usage);
		for (unsigned s = 0; pool && s < PORTS_SPACES; s++)
			metrics_count(family, usage.used[s], "function", nf->name, "pool", pool->name,
			              "protocol", space_names[s], NULL);
	}
}

void nat_metrics(const struct nf *nf, const void *snapshot, struct metrics *metrics)
{
	const struct nat_config *config = snapshot;
	struct metrics_family *mappings = metrics_family(metrics, METRICS_GAUGE, "sluice_nat_mappings", NULL,
	                                                 "Endpoint-independent mappings.");
	uint64_t used = 0;

	for (unsigned i = 0; i < nf->workers; i++)
		used += mappings_used(config->live->workers[i]);
	metrics_count(mappings, used, "function", nf->name, NULL);
	ports_metrics(metrics, nf, config);
}

void nat_claims(const struct nf *nf, const void *snapshot, nf_claim_fn *fn, void *context)
{
	const struct nat_config *config = snapshot;
	struct nf_claim claim = { .family = FAMILY_V4, .length = 32 };

	(void)nf;
	for (unsigned p = 0; p < SOURCE_POOLS_MAX; p++) {
		const struct source_pool *pool = config->pools >> p & 1 ? config->live->pools[p] : NULL;

		for (unsigned r = 0; pool && r < pool->range_count; r++) {
			for (uint32_t a = ntohl(pool->ranges[r].first); a <= ntohl(pool->ranges[r].last);
			     a++) {
				claim.address.v4 = htonl(a);
				fn(context, &claim);
			}
		}
	}
	for (unsigned i = 0; i < config->static_count; i++) {
		claim.address.v4 = config->statics[i].outside;
		fn(context, &claim);
	}
	for (unsigned i = 0; i < config->forward_count; i++) {
		claim.address.v4 = config->forwards[i].outside;
		fn(context, &claim);
	}
}
