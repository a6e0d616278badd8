/* SPDX-License-Identifier: BSD-3-Clause */
/* From a checked configuration to a snapshot. Services, backends and sources are live: they are found again by what they are. Control side. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/values.h"
#include "lb/checks.h"
#include "lb/names.h"
#include "runtime/clock.h"
#include "runtime/engine.h"

enum { SOURCE_ADDRESSES_MAX = 4096 };

static uint64_t engine_time(const void *engine)
{
	return clock_now(&((const struct engine *)engine)->clock);
}

int lb_start(struct nf *nf, struct errors *errors)
{
	struct lb_live *live = calloc(1, sizeof(*live));

	if (live) {
		live->pool = pool_create(nf->workers, engine_time, nf->engine);
		live->workers = aligned_alloc(64, nf->workers * sizeof(*live->workers));
	}
	if (!live || !live->pool || !live->workers) {
		errors_add(errors, nf->name, "no-memory", NULL, 0, "not enough memory");
		if (live) {
			pool_destroy(live->pool);
			free(live->workers);
		}
		free(live);
		return -1;
	}
	memset(live->workers, 0, nf->workers * sizeof(*live->workers));
	nf->live = live;
	return 0;
}

void lb_stop(struct nf *nf)
{
	struct lb_live *live = nf->live;

	lb_checks_stop(live);
	lb_names_stop(live);
	source_pools_free(live->sources);
	for (unsigned i = 0; i < nf->workers; i++)
		persist_free(live->workers[i].persist);
	free(live->workers);
	pool_destroy(live->pool);
	free(live);
}

/* --- sources --- */

static bool read_ends(struct lb_compile *c, const struct conf *item, struct ip_addr *first,
                      struct ip_addr *last)
{
	const char *dash = strchr(item->string, '-');
	struct ip_prefix prefix;
	char text[NET_TEXT];

	if (dash) {
		snprintf(text, sizeof(text), "%.*s", (int)(dash - item->string), item->string);
		if (ip_addr_parse(text, first) && ip_addr_parse(dash + 1, last) &&
		    first->family == last->family)
			return true;
	} else if (ip_prefix_parse(item->string, &prefix)) {
		*first = *last = prefix.address;
		for (unsigned bit = prefix.length; bit < ip_addr_bits(first); bit++)
			last->bytes[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
		return true;
	}
	conf_error(c->errors, item, "not-addresses", "not an address, range or prefix: \"%s\"", item->string);
	return false;
}

static uint64_t range_size(const struct ports_range *range)
{
	return (uint64_t)rte_be_to_cpu_32(range->last) - rte_be_to_cpu_32(range->first) + 1;
}

static bool ranges_meet(const struct ports_range *a, const struct ports_range *b)
{
	return rte_be_to_cpu_32(a->first) <= rte_be_to_cpu_32(b->last) &&
	       rte_be_to_cpu_32(b->first) <= rte_be_to_cpu_32(a->last);
}

static bool add_range(struct lb_compile *c, const struct conf *item, struct source_pool *source)
{
	struct ports_range *range = &source->ranges[source->range_count];
	struct ip_addr first, last;
	unsigned word;

	if (!read_ends(c, item, &first, &last))
		return false;
	word = first.family == FAMILY_V4 ? 0 : 12;
	if (!source->range_count) {
		source->family = first.family;
		memcpy(source->prefix.bytes, first.bytes, word);
	}
	if (first.family != source->family || memcmp(first.bytes, source->prefix.bytes, word) != 0 ||
	    memcmp(last.bytes, source->prefix.bytes, word) != 0) {
		conf_error(c->errors, item, "apart",
		           "sources are of one family, and of IPv6 with the same first 96 bits: \"%s\"",
		           item->string);
		return false;
	}
	memcpy(&range->first, first.bytes + word, 4);
	memcpy(&range->last, last.bytes + word, 4);
	if (rte_be_to_cpu_32(range->first) > rte_be_to_cpu_32(range->last)) {
		conf_error(c->errors, item, "bad-range", "the range ends before it begins");
		return false;
	}
	for (unsigned i = 0; i < source->range_count; i++) {
		if (ranges_meet(&source->ranges[i], range)) {
			conf_error(c->errors, item, "overlap", "addresses of these sources already");
			return false;
		}
	}
	source->range_count++;
	return true;
}

static bool read_source(struct lb_compile *c, const struct conf *item, struct source_pool *source)
{
	const struct conf *addresses = conf_get(item, "addresses");
	uint64_t total = 0;

	snprintf(source->name, sizeof(source->name), "%s", conf_string(item, "name", ""));
	for (size_t i = 0; i < conf_count(addresses); i++) {
		if (!add_range(c, conf_at(addresses, i), source))
			return false;
		total += range_size(&source->ranges[i]);
	}
	conf_as_ports(conf_get(item, "ports"), &source->first_port, &source->last_port);
	if (total <= SOURCE_ADDRESSES_MAX)
		return true;
	conf_error(c->errors, addresses, "too-many-addresses", "%llu addresses; sources have at most %d",
	           (unsigned long long)total, SOURCE_ADDRESSES_MAX);
	return false;
}

static bool sources_meet(const struct source_pool *a, const struct source_pool *b)
{
	if (a->family != b->family || memcmp(&a->prefix, &b->prefix, sizeof(a->prefix)) != 0)
		return false;
	for (unsigned i = 0; i < a->range_count; i++)
		for (unsigned k = 0; k < b->range_count; k++)
			if (ranges_meet(&a->ranges[i], &b->ranges[k]))
				return true;
	return false;
}

static void compile_source(struct lb_compile *c, size_t number, const struct conf *item)
{
	struct source_pool wanted = { 0 };

	if (!read_source(c, item, &wanted))
		return;
	for (uint32_t left = c->out->sources; left; left &= left - 1) {
		const struct source_pool *other = c->out->live->sources[__builtin_ctz(left)];

		if (!sources_meet(other, &wanted))
			continue;
		conf_error(c->errors, conf_get(item, "addresses"), "overlap",
		           "addresses overlap with those of sources \"%s\"", other->name);
		return;
	}
	c->source_numbers[number] = source_pool_hold(c->nf, c->out->live->sources, item, &wanted, c->errors);
	if (c->source_numbers[number] >= 0)
		c->out->sources |= 1u << c->source_numbers[number];
}

static void compile_sources(struct lb_compile *c)
{
	const struct conf *list = conf_get(c->config, "sources");

	for (size_t i = 0; i < conf_count(list); i++) {
		c->source_numbers[i] = -1;
		compile_source(c, i, conf_at(list, i));
	}
}

/* --- services --- */

static void compile_services(struct lb_compile *c)
{
	const struct conf *list = conf_get(c->config, "services");

	c->out->services = calloc(conf_count(list) + 1, sizeof(*c->out->services));
	if (!c->out->services) {
		conf_error(c->errors, c->config, "no-memory", "not enough memory");
		return;
	}
	if (!lb_checks_read(c) || !lb_names_prepare(c))
		return;
	for (size_t i = 0; i < conf_count(list); i++)
		lb_service_read(c, conf_at(list, i), &c->out->services[c->out->service_count++]);
}

static void check_services(struct lb_compile *c)
{
	const struct conf *list = conf_get(c->config, "services");

	qsort(c->out->services, c->out->service_count, sizeof(*c->out->services), lb_service_order);
	for (unsigned i = 0; i < c->out->service_count; i++)
		c->out->by_number[c->out->services[i].id] = &c->out->services[i];
	for (unsigned i = 1; i < c->out->service_count; i++) {
		const struct lb_service *a = &c->out->services[i - 1], *b = &c->out->services[i];

		if (a->family == b->family && a->protocol == b->protocol && b->first <= a->last &&
		    memcmp(&a->address, &b->address, sizeof(a->address)) == 0)
			conf_error(c->errors, conf_item(list, "name", b->name), "overlap",
			           "address, protocol and ports overlap with those of service \"%s\"",
			           a->name);
	}
}

/* --- where answers come from --- */

static bool joins(struct lb_endpoint *a, const struct lb_endpoint *b)
{
	if (a->family != b->family || a->protocol != b->protocol || b->first > a->last ||
	    memcmp(&a->address, &b->address, sizeof(a->address)) != 0)
		return false;
	a->last = b->last > a->last ? b->last : a->last;
	return true;
}

static struct lb_endpoint endpoint_of(const struct lb_service *s, const struct lb_backend *b)
{
	struct lb_endpoint e = { b->address, s->family, s->protocol, s->first, s->last };

	if (b->port)
		e.first = e.last = rte_be_to_cpu_16(b->port);
	return e;
}

static void compile_endpoints(struct lb_compile *c)
{
	struct lb_config *out = c->out;
	unsigned count = 0, kept = 0;

	for (unsigned i = 0; i < out->service_count; i++)
		count += out->services[i].backend_count;
	out->endpoints = calloc(count + 1, sizeof(*out->endpoints));
	if (!out->endpoints) {
		conf_error(c->errors, c->config, "no-memory", "not enough memory");
		return;
	}
	for (unsigned i = 0; i < out->service_count; i++)
		for (unsigned k = 0; k < out->services[i].backend_count; k++)
			out->endpoints[out->endpoint_count++] =
			        endpoint_of(&out->services[i], &out->services[i].backends[k]);
	qsort(out->endpoints, out->endpoint_count, sizeof(*out->endpoints), lb_endpoint_order);
	for (unsigned i = 0; i < out->endpoint_count; i++)
		if (!kept || !joins(&out->endpoints[kept - 1], &out->endpoints[i]))
			out->endpoints[kept++] = out->endpoints[i];
	out->endpoint_count = kept;
}

/* --- whole --- */

/* Clients that persistence takes for one must meet one worker's memory. */
static void compile_owners(struct lb_compile *c)
{
	struct lb_config *out = c->out;

	out->owner_length[0] = 32;
	out->owner_length[1] = 128;
	for (unsigned i = 0; i < out->service_count; i++) {
		const struct lb_service *s = &out->services[i];
		uint8_t *length = &out->owner_length[s->family == FAMILY_V6];

		if (s->persist && s->persist_length < *length)
			*length = s->persist_length;
	}
}

static void make_memory(struct lb_compile *c)
{
	struct lb_live *live = c->out->live;
	uint32_t room = (uint32_t)conf_int(c->config, "persistenceEntries", 65536);

	if (live->persistence && live->persistence != room) {
		conf_error(c->errors, conf_get(c->config, "persistenceEntries"), "needs-restart",
		           "the room for clients is for the life of the function (now %u)",
		           live->persistence);
		return;
	}
	for (unsigned i = 0; i < c->nf->workers && !live->persistence; i++) {
		struct lb_worker *worker = &live->workers[i];

		worker->persist = worker->persist ? worker->persist : persist_new(room);
		if (!worker->persist) {
			conf_error(c->errors, c->config, "no-memory", "not enough memory for %u clients",
			           room);
			return;
		}
	}
	live->persistence = room;
}

void lb_release(void *snapshot)
{
	struct lb_config *config = snapshot;

	for (unsigned i = 0; i < config->service_count; i++)
		lb_service_free(config->live, &config->services[i]);
	source_pools_drop(config->live->sources, config->sources);
	free(config->services);
	lb_names_release(config);
	free(config->endpoints);
	free(config);
}

void *lb_compile(struct nf *nf, const void *previous, const struct conf *config, struct errors *errors)
{
	static void (*const steps[])(struct lb_compile *) = {
		compile_sources,   compile_services,  check_services, lb_check_addresses,
		lb_checks_sources, compile_endpoints, compile_owners, make_memory,
	};
	struct lb_compile c = { .nf = nf,
		                .config = config,
		                .out = calloc(1, sizeof(*c.out)),
		                .previous = previous,
		                .errors = errors };
	size_t before = errors->count;

	if (!c.out) {
		conf_error(errors, config, "no-memory", "not enough memory");
		return NULL;
	}
	c.out->live = nf->live;
	c.out->claims_first = strcmp(conf_string(config, "clients", "last"), "first") == 0;
	for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps) && errors->count == before; i++)
		steps[i](&c);
	if (errors->count == before)
		return c.out;
	lb_release(c.out);
	return NULL;
}

void lb_published(struct nf *nf, const void *snapshot, bool here)
{
	lb_services_name(snapshot);
	lb_checks_publish(nf, snapshot, here);
	lb_names_publish(nf, snapshot, here);
}
