/* SPDX-License-Identifier: BSD-3-Clause */
/* One service, from its checked item to what workers use. Control side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/values.h"
#include "lb/checks.h"
#include "lb/names.h"
#include "match/maglev.h"

static uint8_t index_of(const struct conf *item, const char *name, const char *const *values)
{
	const char *text = conf_string(item, name, values[0]);
	uint8_t i = 0;

	while (values[i] && strcmp(values[i], text) != 0)
		i++;
	return values[i] ? i : 0;
}

/* An address that packets may be sent to and come from. */
static bool unicast(const struct ip_addr *a)
{
	static const uint8_t none[15];
	uint8_t first = a->bytes[0];

	if (a->family == FAMILY_V4)
		return first != 0 && first != 127 && first < 224;
	return first != 0xff && !(first == 0xfe && (a->bytes[1] & 0xc0) == 0x80) &&
	       !(memcmp(a->bytes, none, 15) == 0 && a->bytes[15] <= 1);
}

/* family 0: either. */
static bool read_address(struct lb_compile *c, const struct conf *item, uint8_t family, union ipaddr *out,
                         uint8_t *family_out)
{
	struct ip_addr parsed;

	if (!conf_as_address(item, &parsed) || !unicast(&parsed)) {
		conf_error(c->errors, item, "not-unicast", "not an address that a host can have: \"%s\"",
		           item->string);
		return false;
	}
	if (family && parsed.family != family) {
		conf_error(c->errors, item, "other-family",
		           "the service's address is IPv%u, this one is not: \"%s\"", family, item->string);
		return false;
	}
	memcpy(out->bytes, parsed.bytes, sizeof(out->bytes));
	if (family_out)
		*family_out = parsed.family;
	return true;
}

static struct lb_limits read_limits(const struct conf *item)
{
	uint32_t rate = (uint32_t)conf_int(item, "newSessions", 0),
	         burst = (uint32_t)conf_int(item, "newSessionsBurst", rate / 10 ? rate / 10 : 1);
	struct lb_limits limits = { .sessions = (uint32_t)conf_int(item, "maxSessions", 0) };

	if (rate)
		token_bucket_init(&limits.rate, rate, burst);
	return limits;
}

static bool read_prefixes(struct lb_compile *c, const struct conf *list, struct prefix_set *set)
{
	struct ip_prefix prefix;

	for (size_t i = 0; i < conf_count(list); i++) {
		if (!conf_as_prefix(conf_at(list, i), &prefix) || !prefix_set_add(set, &prefix)) {
			conf_error(c->errors, conf_at(list, i), "no-memory", "not enough memory");
			return false;
		}
	}
	prefix_set_minimise(set);
	return true;
}

/* --- sources of full NAT --- */

static int source_named(struct lb_compile *c, const struct conf *name, uint8_t family)
{
	const struct conf *sources = conf_get(c->config, "sources");

	for (size_t i = 0; i < conf_count(sources); i++) {
		const struct source_pool *source;

		if (strcmp(conf_string(conf_at(sources, i), "name", ""), name->string) != 0)
			continue;
		source = c->out->live->sources[c->source_numbers[i]];
		if (source->family == family)
			return c->source_numbers[i];
		conf_error(c->errors, name, "other-family", "sources \"%s\" are IPv%u, the service is not",
		           source->name, source->family);
		return -1;
	}
	conf_error(c->errors, name, "unknown-sources", "no sources \"%s\"", name->string);
	return -1;
}

static int first_source(struct lb_compile *c, const struct conf *item, uint8_t family)
{
	const struct conf *sources = conf_get(c->config, "sources");

	for (size_t i = 0; i < conf_count(sources); i++)
		if (c->out->live->sources[c->source_numbers[i]]->family == family)
			return c->source_numbers[i];
	conf_error(c->errors, item, "no-sources", "mode \"full-nat\" needs sources of IPv%u", family);
	return -1;
}

/* --- tunnels and direct return --- */

static void read_tunnel_source(struct lb_compile *c, const struct conf *item, struct lb_service *s)
{
	const struct conf *list = conf_get(c->config, "tunnelSources");

	for (size_t i = 0; i < conf_count(list); i++) {
		union ipaddr address = { .halves = { 0 } };
		uint8_t family;

		if (!read_address(c, conf_at(list, i), 0, &address, &family))
			return;
		if (family == s->family) {
			s->tunnel.source = address;
			return;
		}
	}
	conf_error(c->errors, conf_get(item, "mode"), "no-tunnel-source",
	           "mode \"%s\" needs a source address of IPv%u in tunnelSources", lb_modes[s->mode],
	           s->family);
}

static void read_away(struct lb_compile *c, const struct conf *item, struct lb_service *s)
{
	if (s->syn_proxy != SYN_PROXY_OFF)
		conf_error(c->errors, conf_get(item, "synProxy"), "no-answers",
		           "answers in mode \"%s\" do not come back this way: a SYN proxy needs \"nat\" or "
		           "\"full-nat\"",
		           lb_modes[s->mode]);
	if (s->mode == LB_DIRECT)
		return;
	s->tunnel = (struct encap){ .family = s->family,
		                    .kind = (uint8_t)(s->mode - LB_IPIP + ENCAP_IPIP),
		                    .port = rte_cpu_to_be_16((uint16_t)conf_int(item, "guePort", 6080)),
		                    .may_fragment = conf_bool(item, "fragment", false) };
	s->mtu = (uint16_t)conf_int(item, "mtu", 1500);
	read_tunnel_source(c, item, s);
}

static void read_mode(struct lb_compile *c, const struct conf *item, struct lb_service *s)
{
	const struct conf *source = conf_get(item, "source");

	s->mode = index_of(item, "mode", lb_modes);
	s->source = -1;
	s->syn_proxy = index_of(item, "synProxy", lb_syn_proxy);
	if (s->syn_proxy != SYN_PROXY_OFF && s->protocol == IPPROTO_UDP)
		conf_error(c->errors, conf_get(item, "synProxy"), "not-tcp",
		           "a SYN proxy is for TCP; this service is of UDP");
	if (lb_is_away(s))
		read_away(c, item, s);
	if (s->mode == LB_FULL_NAT)
		s->source = (int8_t)(source ? source_named(c, source, s->family)
		                            : first_source(c, item, s->family));
	else if (source)
		conf_error(c->errors, source, "not-full-nat", "sources are of mode \"full-nat\" alone");
}

/* --- backends --- */

static bool same_place(const struct lb_backend *a, const struct lb_backend *b)
{
	return memcmp(&a->address, &b->address, sizeof(a->address)) == 0 &&
	       (!a->port || !b->port || a->port == b->port);
}

static void settle(void *nf)
{
	nf_settle(nf);
}

static bool hold_backend(struct lb_compile *c, const struct conf *item, const struct lb_service *s,
                         struct lb_backend *b)
{
	struct pool_identity is;
	int id;

	memset(&is, 0, sizeof(is));
	is.vip = s->address;
	is.address = b->address;
	is.service = s->id;
	is.port = b->port;
	is.family = s->family;
	id = pool_hold(c->out->live->pool, &is, lb_begins_down(s, b, c->out->live->published), settle, c->nf);
	if (id < 0) {
		conf_error(c->errors, item, "too-many-backends",
		           "%d backends are configured or still have sessions", POOL_BACKENDS_MAX);
		return false;
	}
	b->id = (uint16_t)id;
	return true;
}

static bool read_limits_and_state(struct lb_compile *c, const struct conf *item, const struct lb_service *s,
                                  struct lb_backend *b)
{
	snprintf(b->name, sizeof(b->name), "%s", conf_string(item, "name", ""));
	b->port = rte_cpu_to_be_16((uint16_t)conf_int(item, "port", 0));
	b->weight = (uint16_t)conf_int(item, "weight", 1);
	b->admin = index_of(item, "state", lb_admins);
	b->backup = conf_bool(item, "backup", false);
	b->limits = read_limits(item);
	if (b->port && lb_is_away(s)) {
		conf_error(c->errors, conf_get(item, "port"), "not-rewritten",
		           "mode \"%s\" rewrites nothing: the port is the one that the client asked for",
		           lb_modes[s->mode]);
		return false;
	}
	if (!b->port || s->protocol)
		return true;
	conf_error(c->errors, conf_get(item, "port"), "no-ports", "a service of any protocol has no ports");
	return false;
}

/* The service's backend that is at the same place; NULL: none. */
static const struct lb_backend *twin_of(const struct lb_service *s, const struct lb_backend *b)
{
	for (unsigned i = 0; i < s->backend_count; i++)
		if (same_place(&s->backends[i], b))
			return &s->backends[i];
	return NULL;
}

static bool add_backend(struct lb_compile *c, const struct conf *item, struct lb_service *s,
                        const struct lb_backend *b)
{
	struct lb_backend *list = realloc(s->backends, (s->backend_count + 1) * sizeof(*list));

	if (!list) {
		conf_error(c->errors, item, "no-memory", "not enough memory");
		return false;
	}
	s->backends = list;
	s->backends[s->backend_count] = *b;
	if (!hold_backend(c, item, s, &s->backends[s->backend_count]))
		return false;
	s->backend_count++;
	return true;
}

/* A name has as many backends as addresses, each with all of the weight: "web@192.0.2.5". One that another backend has already, or that no host can have, or that is our own,
 * so that packets would come back, is left out, for names change without anybody's asking. */
static bool read_named(struct lb_compile *c, const struct conf *item, struct lb_service *s,
                       const struct lb_backend *like)
{
	const char *host = conf_string(item, "host", "");
	struct ip_addr addresses[RESOLVER_ADDRESSES_MAX];
	unsigned n = lb_names_addresses(c->out->live, host, s->family, addresses);

	for (unsigned i = 0; i < n; i++) {
		struct lb_backend b = *like;
		char text[INET6_ADDRSTRLEN];

		memcpy(b.address.bytes, addresses[i].bytes, sizeof(b.address.bytes));
		ip_addr_format(&addresses[i], text, sizeof(text));
		snprintf(b.name, sizeof(b.name), "%.17s@%s", like->name, text);
		if (s->backend_count == LB_SERVICE_BACKENDS_MAX || !unicast(&addresses[i]) || twin_of(s, &b))
			continue;
		if (!lb_names_refuses(c, s, item, &addresses[i]) && !add_backend(c, item, s, &b))
			return false;
	}
	return true;
}

static bool read_backend(struct lb_compile *c, const struct conf *item, struct lb_service *s)
{
	const struct conf *address = conf_get(item, "address");
	const struct lb_backend *twin;
	struct lb_backend b = { 0 };

	if (!read_limits_and_state(c, item, s, &b))
		return false;
	if (!address == !conf_get(item, "host")) {
		conf_error(c->errors, item, "no-address", "a backend has either an `address` or a `host`");
		return false;
	}
	if (!address)
		return read_named(c, item, s, &b);
	if (!read_address(c, address, s->family, &b.address, NULL))
		return false;
	twin = twin_of(s, &b);
	if (!twin)
		return add_backend(c, item, s, &b);
	conf_error(c->errors, address, "twice", "address and port are those of backend \"%s\"", twin->name);
	return false;
}

static bool read_backends(struct lb_compile *c, const struct conf *item, struct lb_service *s)
{
	const struct conf *list = conf_get(item, "backends");

	for (size_t i = 0; i < conf_count(list); i++)
		if (!read_backend(c, conf_at(list, i), s))
			return false;
	return true;
}

/* --- what schedulers choose from --- */

/* Where a backend's entries lie follows from what it is, not from its name or place. */
static uint64_t table_id(const struct lb_backend *b)
{
	uint64_t id = maglev_mix(b->address.halves[0] ^ b->port);

	return maglev_mix(id ^ b->address.halves[1]);
}

/* The table of the configuration before, if it would be the same: a thousand of them take seconds. */
static const uint16_t *table_before(const struct lb_service *s, const struct lb_set *set,
                                    const struct lb_service *before, bool backup)
{
	const struct lb_set *old = before ? &before->sets[backup] : NULL;

	if (!old || !old->table || before->table_size != s->table_size || old->count != set->count)
		return NULL;
	for (unsigned i = 0; i < set->count; i++) {
		const struct lb_backend *a = &s->backends[set->members[i]],
		                        *b = &before->backends[old->members[i]];

		if (table_id(a) != table_id(b) || a->weight != b->weight)
			return NULL;
	}
	return old->table;
}

static bool fill_table(const struct lb_service *s, struct lb_set *set)
{
	struct maglev_member *members = calloc(set->count, sizeof(*members));
	bool filled = false;

	for (unsigned i = 0; members && i < set->count; i++) {
		const struct lb_backend *b = &s->backends[set->members[i]];

		members[i] = (struct maglev_member){ table_id(b), b->weight };
	}
	if (members)
		filled = maglev_fill(set->table, s->table_size, members, set->count);
	free(members);
	return filled;
}

/* Of backends that drain or are disabled the table keeps the entries: others' flows stay where they are when one comes back. */
static bool make_set(const struct lb_service *s, const struct lb_service *before, bool backup,
                     struct lb_set *set)
{
	const uint16_t *table;

	set->members = calloc(s->backend_count + 1, sizeof(*set->members));
	for (unsigned i = 0; set->members && i < s->backend_count; i++)
		if (s->backends[i].backup == backup && s->backends[i].weight)
			set->members[set->count++] = (uint16_t)i;
	if (!set->members)
		return false;
	/* Packets without a session go by the table, whoever chooses for sessions. */
	if (!set->count || (s->scheduler != LB_MAGLEV && s->scheduler != LB_SOURCE_HASH && !lb_is_away(s)))
		return true;
	set->table = calloc(s->table_size, sizeof(*set->table));
	table = table_before(s, set, before, backup);
	if (!set->table || !table)
		return set->table && fill_table(s, set);
	memcpy(set->table, table, s->table_size * sizeof(*table));
	return true;
}

static bool make_sets(struct lb_compile *c, const struct conf *item, struct lb_service *s)
{
	const struct lb_service *before = c->previous ? c->previous->by_number[s->id] : NULL;

	s->table_size = (uint32_t)conf_int(item, "tableSize", MAGLEV_SIZE);
	if (!maglev_size_right(s->table_size)) {
		conf_error(c->errors, conf_get(item, "tableSize"), "not-prime", "%u is not a prime",
		           s->table_size);
		return false;
	}
	if (make_set(s, before, false, &s->sets[0]) && make_set(s, before, true, &s->sets[1]))
		return true;
	conf_error(c->errors, item, "no-memory", "not enough memory");
	return false;
}

/* --- whole --- */

static void read_persistence(const struct conf *group, struct lb_service *s)
{
	if (!group)
		return;
	s->persist = (uint32_t)conf_int(group, "seconds", 300);
	s->persist_length = (uint8_t)(s->family == FAMILY_V4 ? conf_int(group, "prefix4", 32)
	                                                     : conf_int(group, "prefix6", 128));
}

static bool read_place(struct lb_compile *c, const struct conf *item, struct lb_service *s)
{
	static const uint8_t numbers[] = { IPPROTO_TCP, IPPROTO_UDP, 0 };
	const struct conf *ports = conf_get(item, "ports");

	s->protocol = numbers[index_of(item, "protocol", lb_protocols)];
	s->last = UINT16_MAX;
	if (ports && !s->protocol) {
		conf_error(c->errors, ports, "no-ports", "a service of any protocol has no ports");
		return false;
	}
	if (ports)
		conf_as_ports(ports, &s->first, &s->last);
	return read_address(c, conf_get(item, "address"), 0, &s->address, &s->family);
}

/* The number by which the pool knows the service: that of its name, or, where the name is new, of the service that was at its place and is there under
 * its old name no more. */
static int hold_service(struct lb_compile *c, const struct lb_service *s)
{
	const struct lb_config *config = c->previous;
	const struct lb_service *before =
	        config ? bsearch(s, config->services, config->service_count, sizeof(*s), lb_service_order)
	               : NULL;
	bool renamed = before && !conf_item(conf_get(c->config, "services"), "name", before->name);

	return pool_service_hold(c->out->live->pool, s->name, renamed ? before->id : -1);
}

bool lb_service_read(struct lb_compile *c, const struct conf *item, struct lb_service *s)
{
	size_t before = c->errors->count;
	int id;

	s->id = POOL_NONE;
	snprintf(s->name, sizeof(s->name), "%s", conf_string(item, "name", ""));
	if (!read_place(c, item, s))
		return false;
	s->scheduler = index_of(item, "scheduler", lb_schedulers);
	s->hash_address = s->scheduler == LB_SOURCE_HASH;
	s->slow_start = (uint32_t)conf_int(item, "slowStart", 0) * 1000;
	s->reset_on_failure = strcmp(conf_string(item, "onFailure", "reset"), "reset") == 0;
	s->limits = read_limits(item);
	read_persistence(conf_get(item, "persistence"), s);
	read_mode(c, item, s);
	id = hold_service(c, s);
	if (id < 0)
		conf_error(c->errors, item, "too-many-services",
		           "%d services are configured or still have sessions", POOL_SERVICES_MAX);
	else
		s->id = (uint16_t)id;
	return c->errors->count == before && read_prefixes(c, conf_get(item, "allow"), &s->allow) &&
	       read_prefixes(c, conf_get(item, "deny"), &s->deny) && lb_check_read(c, item, s) &&
	       read_backends(c, item, s) && make_sets(c, item, s);
}

void lb_service_free(struct lb_live *live, struct lb_service *s)
{
	for (unsigned i = 0; i < s->backend_count; i++)
		pool_drop(live->pool, s->backends[i].id);
	if (s->id != POOL_NONE)
		pool_service_drop(live->pool, s->id);
	for (unsigned i = 0; i < 2; i++) {
		free(s->sets[i].members);
		free(s->sets[i].table);
	}
	prefix_set_free(&s->allow);
	prefix_set_free(&s->deny);
	free(s->check);
	free(s->backends);
}

void lb_services_name(const struct lb_config *config)
{
	for (unsigned i = 0; i < config->service_count; i++)
		pool_service_name(config->live->pool, config->services[i].id, config->services[i].name);
}
