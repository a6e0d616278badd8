/* SPDX-License-Identifier: BSD-3-Clause */
/* What the load balancer shows: services with their backends, sources, metrics. Control side; counts are read as workers write them. */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "lb/checks.h"
#include "lb/names.h"
#include "manage/timestamp.h"

/* One backend's counts, over all workers. */
struct sums {
	uint64_t sessions, open, opened, packets[2], bytes[2];
};

static uint64_t get(const uint64_t *count)
{
	return __atomic_load_n(count, __ATOMIC_RELAXED);
}

static struct sums sums_of(const struct pool *pool, unsigned id)
{
	struct sums sums = { .sessions = pool_sessions(pool, id), .open = pool_open_sessions(pool, id) };

	for (unsigned w = 0; w < pool->workers; w++) {
		const struct pool_use *use = &pool->worker[w]->backends[id];

		sums.opened += get(&use->opened);
		for (unsigned d = 0; d < 2; d++) {
			sums.packets[d] += get(&use->packets[d]);
			sums.bytes[d] += get(&use->bytes[d]);
		}
	}
	return sums;
}

static uint64_t refused_of(const struct pool *pool, unsigned service)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < pool->workers; w++)
		sum += get(&pool->worker[w]->services[service].refused);
	return sum;
}

static json_t *address_json(uint8_t family, const union ipaddr *address)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(family == FAMILY_V4 ? AF_INET : AF_INET6, address->bytes, text, sizeof(text));
	return json_string(text);
}

/* As schedulers see it at this moment. */
static double weight_now(const struct lb_live *live, const struct lb_service *s, const struct lb_backend *b)
{
	struct pool *pool = live->pool;
	struct lb_choice choice = { .service = s, .pool = pool, .now = pool->clock(pool->clock_context) };

	return lb_weight_now(&choice, b);
}

static const char *health_of(const struct pool *pool, const struct lb_backend *b)
{
	const struct pool_backend *live = &pool->backends[b->id];

	if (b->admin == LB_DISABLED)
		return "disabled";
	if (pool_state_of(pool, b->id) & POOL_UP)
		return "up";
	return live->turned_ns ? "down" : "unknown";
}

static void add_health(json_t *out, struct pool *pool, const struct lb_backend *b)
{
	const struct pool_backend *live = &pool->backends[b->id];
	char text[TIMESTAMP_SIZE];

	json_object_set_new(out, "health", json_string(health_of(pool, b)));
	pthread_mutex_lock(&pool->mutex);
	if (live->checked) {
		json_object_set_new(out, "why", json_string(live->why));
		json_object_set_new(out, "turns", json_integer((json_int_t)live->turns));
	}
	if (live->checked && live->turned_ns) {
		json_object_set_new(
		        out, "since",
		        json_string(timestamp_write((time_t)(live->turned_ns / 1000000000), text)));
	}
	pthread_mutex_unlock(&pool->mutex);
}

static json_t *backend_json(const struct lb_live *live, const struct lb_service *s,
                            const struct lb_backend *b)
{
	struct sums sums = sums_of(live->pool, b->id);
	json_t *out = json_pack("{s:s,s:o,s:s,s:b,s:i,s:f,s:I,s:I,s:I,s:[I,I],s:[I,I]}", "name", b->name,
	                        "address", address_json(s->family, &b->address), "state", lb_admins[b->admin],
	                        "backup", b->backup, "weight", b->weight, "weightNow", weight_now(live, s, b),
	                        "sessions", (json_int_t)sums.sessions, "openSessions", (json_int_t)sums.open,
	                        "opened", (json_int_t)sums.opened, "packets", (json_int_t)sums.packets[0],
	                        (json_int_t)sums.packets[1], "bytes", (json_int_t)sums.bytes[0],
	                        (json_int_t)sums.bytes[1]);

	if (b->port)
		json_object_set_new(out, "port", json_integer(ntohs(b->port)));
	add_health(out, live->pool, b);
	lb_checks_show(live, b->id, out);
	return out;
}

static const char *protocol_of(const struct lb_service *s)
{
	return s->protocol == IPPROTO_TCP ? "tcp" : s->protocol == IPPROTO_UDP ? "udp" : "any";
}

static json_t *service_json(const struct lb_live *live, const struct lb_service *s)
{
	json_t *backends = json_array(), *out;

	for (unsigned i = 0; i < s->backend_count; i++)
		json_array_append_new(backends, backend_json(live, s, &s->backends[i]));
	out = json_pack("{s:s,s:o,s:s,s:s,s:s,s:I,s:I,s:I,s:o}", "name", s->name, "address",
	                address_json(s->family, &s->address), "protocol", protocol_of(s), "mode",
	                lb_modes[s->mode], "scheduler", lb_schedulers[s->scheduler], "sessions",
	                (json_int_t)pool_service_sessions(live->pool, s->id), "openSessions",
	                (json_int_t)pool_service_open_sessions(live->pool, s->id), "refused",
	                (json_int_t)refused_of(live->pool, s->id), "backends", backends);
	if (s->protocol) {
		json_object_set_new(out, "firstPort", json_integer(s->first));
		json_object_set_new(out, "lastPort", json_integer(s->last));
	}
	return out;
}

static json_t *show_services(const struct lb_config *config)
{
	json_t *list = json_array();

	for (unsigned i = 0; i < config->service_count; i++)
		json_array_append_new(list, service_json(config->live, &config->services[i]));
	return list;
}

/* --- sources --- */

struct usage {
	uint64_t used[PORTS_SPACES], available[PORTS_SPACES];
};

static const char *const space_names[PORTS_SPACES] = {
	[PORTS_TCP] = "tcp", [PORTS_UDP] = "udp", [PORTS_ICMP] = "icmp"
};

static struct usage usage_of(const struct ports *ports)
{
	struct usage usage = { 0 };
	struct ports_stats stats;

	for (unsigned bucket = 0; bucket < PORTS_BUCKETS; bucket++) {
		ports_stats(ports, bucket, &stats);
		for (unsigned s = 0; s < PORTS_SPACES; s++) {
			usage.used[s] += stats.used[s];
			usage.available[s] += stats.available[s];
		}
	}
	return usage;
}

static json_t *source_json(const struct source_pool *source)
{
	struct usage usage = usage_of(source->ports);
	json_t *ports = json_object();

	for (unsigned s = 0; s < PORTS_SPACES; s++)
		json_object_set_new(ports, space_names[s],
		                    json_pack("{s:I,s:I}", "used", (json_int_t)usage.used[s], "available",
		                              (json_int_t)usage.available[s]));
	return json_pack("{s:s,s:i,s:o}", "name", source->name, "family", source->family, "ports", ports);
}

static json_t *show_sources(const struct lb_config *config)
{
	json_t *list = json_array();

	for (uint32_t left = config->sources; left; left &= left - 1)
		json_array_append_new(list, source_json(config->live->sources[__builtin_ctz(left)]));
	return list;
}

/* --- clients that are remembered --- */

struct remembered {
	const struct lb_live *live;
	json_int_t clients;
};

static void count_clients(const struct nf *nf, unsigned worker_id, uint64_t now, void *argument)
{
	struct remembered *r = argument;

	(void)nf;
	r->clients += persist_count(r->live->workers[worker_id].persist, lb_seconds(now));
}

static json_t *show_persistence(const struct nf *nf, const struct lb_config *config)
{
	struct remembered r = { .live = config->live };

	nf_on_workers(nf, count_clients, &r);
	return json_pack("{s:I,s:I}", "clients", r.clients, "room",
	                 (json_int_t)config->live->persistence * nf->workers);
}

int lb_show(const struct nf *nf, const void *snapshot, const char *topic, const struct rest_request *request,
            json_t **out)
{
	(void)request;
	*out = strcmp(topic, "services") == 0      ? show_services(snapshot)
	       : strcmp(topic, "sources") == 0     ? show_sources(snapshot)
	       : strcmp(topic, "names") == 0       ? lb_names_show(snapshot)
	       : strcmp(topic, "persistence") == 0 ? show_persistence(nf, snapshot)
	                                           : NULL;
	return *out ? 0 : -ENOENT;
}

/* --- a session --- */

static void name_backend(const struct lb_config *config, unsigned id, json_t *out)
{
	for (unsigned i = 0; i < config->service_count; i++) {
		const struct lb_service *s = &config->services[i];
		const struct lb_backend *b =
		        s->id == config->live->pool->backends[id].is.service ? lb_backend_of(s, id) : NULL;

		if (!b)
			continue;
		json_object_set_new(out, "service", json_string(s->name));
		json_object_set_new(out, "backend", json_string(b->name));
		return;
	}
}

void lb_show_session(const struct nf *nf, const void *snapshot, const struct session *s, json_t *out)
{
	const struct lb_config *config = snapshot;
	const struct lb_slot *slot = nf_slot(nf, (struct session *)(uintptr_t)s);
	struct lb_ends ends;

	if (!(slot->flags & SLOT_ACTIVE))
		return;
	name_backend(config, slot->backend, out);
	if (slot->flags & SLOT_AWAY) {
		memcpy(ends.backend.bytes, slot->away.backend, sizeof(ends.backend.bytes));
		json_object_set_new(out, "address", address_json(s->key[0].family, &ends.backend));
		return;
	}
	lb_slot_ends(config->live, slot, s->key[0].family, &ends);
	json_object_set_new(out, "address", address_json(s->key[0].family, &ends.backend));
	json_object_set_new(out, "port", json_integer(ntohs(ends.backend_port)));
	if (!(slot->flags & SLOT_SOURCE))
		return;
	json_object_set_new(out, "source", address_json(s->key[0].family, &ends.source));
	json_object_set_new(out, "sourcePort", json_integer(ntohs(ends.source_port)));
}

/* --- metrics --- */

struct families {
	struct metrics_family *up, *weight, *sessions, *opened, *packets, *bytes;
};

static void backend_metrics(const struct families *f, const struct nf *nf, const struct lb_live *live,
                            const struct lb_service *s, const struct lb_backend *b)
{
	static const char *const ways[] = { "to", "from" };
	struct sums sums = sums_of(live->pool, b->id);
	bool up = b->admin != LB_DISABLED && pool_state_of(live->pool, b->id) & POOL_UP;

	metrics_count(f->up, up, "function", nf->name, "service", s->name, "backend", b->name, NULL);
	metrics_value(f->weight, weight_now(live, s, b), "function", nf->name, "service", s->name, "backend",
	              b->name, NULL);
	metrics_count(f->sessions, sums.sessions, "function", nf->name, "service", s->name, "backend",
	              b->name, NULL);
	metrics_count(f->opened, sums.opened, "function", nf->name, "service", s->name, "backend", b->name,
	              NULL);
	for (unsigned d = 0; d < 2; d++) {
		metrics_count(f->packets, sums.packets[d], "function", nf->name, "service", s->name,
		              "backend", b->name, "direction", ways[d], NULL);
		metrics_count(f->bytes, sums.bytes[d], "function", nf->name, "service", s->name, "backend",
		              b->name, "direction", ways[d], NULL);
	}
}

static void source_metrics(struct metrics *metrics, const struct nf *nf, const struct lb_config *config)
{
	struct metrics_family *family =
	        metrics_family(metrics, METRICS_GAUGE, "sluice_lb_source_ports_used", NULL,
	                       "Ports and identifiers of full NAT's sources that are taken.");

	for (uint32_t left = config->sources; left; left &= left - 1) {
		const struct source_pool *source = config->live->sources[__builtin_ctz(left)];
		struct usage usage = usage_of(source->ports);

		for (unsigned s = 0; s < PORTS_SPACES; s++)
			metrics_count(family, usage.used[s], "function", nf->name, "source", source->name,
			              "protocol", space_names[s], NULL);
	}
}

static struct families make_families(struct metrics *m)
{
	return (struct families){
		metrics_family(m, METRICS_GAUGE, "sluice_lb_backend_up", NULL,
		               "Whether a backend may be given sessions (1) or not."),
		metrics_family(m, METRICS_GAUGE, "sluice_lb_backend_weight", NULL,
		               "Weight of a backend at this moment."),
		metrics_family(m, METRICS_GAUGE, "sluice_lb_sessions", NULL, "Sessions of a backend."),
		metrics_family(m, METRICS_COUNTER, "sluice_lb_opened_sessions", NULL,
		               "Sessions that a backend was given."),
		metrics_family(m, METRICS_COUNTER, "sluice_lb_packets", NULL,
		               "Packets to and from a backend."),
		metrics_family(m, METRICS_COUNTER, "sluice_lb", "bytes",
		               "Bytes of IP to and from a backend."),
	};
}

void lb_metrics(const struct nf *nf, const void *snapshot, struct metrics *metrics)
{
	const struct lb_config *config = snapshot;
	struct families f = make_families(metrics);
	struct metrics_family *refused =
	        metrics_family(metrics, METRICS_COUNTER, "sluice_lb_refused_sessions", NULL,
	                       "Sessions that a service refused.");

	for (unsigned i = 0; i < config->service_count; i++) {
		const struct lb_service *s = &config->services[i];

		metrics_count(refused, refused_of(config->live->pool, s->id), "function", nf->name, "service",
		              s->name, NULL);
		for (unsigned k = 0; k < s->backend_count; k++)
			backend_metrics(&f, nf, config->live, s, &s->backends[k]);
	}
	source_metrics(metrics, nf, config);
}

/* --- claims --- */

static void claim_sources(const struct lb_config *config, nf_claim_fn *fn, void *context)
{
	for (uint32_t left = config->sources; left; left &= left - 1) {
		const struct source_pool *source = config->live->sources[__builtin_ctz(left)];
		bool v4 = source->family == FAMILY_V4;
		struct nf_claim claim = { .address = source->prefix,
			                  .family = source->family,
			                  .length = v4 ? 32 : 128,
			                  .first_end = !config->claims_first };

		for (unsigned r = 0; r < source->range_count; r++) {
			for (uint32_t a = ntohl(source->ranges[r].first); a <= ntohl(source->ranges[r].last);
			     a++) {
				claim.address.words[v4 ? 0 : 3] = htonl(a);
				fn(context, &claim);
			}
		}
	}
}

void lb_claims(const struct nf *nf, const void *snapshot, nf_claim_fn *fn, void *context)
{
	const struct lb_config *config = snapshot;

	(void)nf;
	for (unsigned i = 0; i < config->service_count; i++) {
		const struct lb_service *s = &config->services[i];
		struct nf_claim claim = { .address = s->address,
			                  .family = s->family,
			                  .length = s->family == FAMILY_V4 ? 32 : 128,
			                  .first_end = config->claims_first };

		/* Sorted: an address that several services share comes once. */
		if (i && s[-1].family == s->family &&
		    memcmp(&s[-1].address, &s->address, sizeof(s->address)) == 0)
			continue;
		fn(context, &claim);
	}
	claim_sources(config, fn, context);
	lb_checks_claims(config, fn, context);
}
