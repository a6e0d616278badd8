/* SPDX-License-Identifier: BSD-3-Clause */
/* What a configuration says of an address, a port, a client, and which worker a packet belongs to. Pure functions of immutable things; any thread. */
#include <stdlib.h>

#include <rte_hash_crc.h>

#include "lb/lb.h"

bool lb_has_ports(uint8_t protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_ICMP ||
	       protocol == IPPROTO_ICMPV6;
}

enum ports_space lb_space(uint8_t protocol)
{
	return protocol == IPPROTO_TCP ? PORTS_TCP : protocol == IPPROTO_UDP ? PORTS_UDP : PORTS_ICMP;
}

/* Of a key's place: by family, address, protocol, then first port. */
static int order(uint8_t family_a, const union ipaddr *a, uint8_t protocol_a, uint16_t first_a,
                 uint8_t family_b, const union ipaddr *b, uint8_t protocol_b, uint16_t first_b)
{
	int by_address = family_a - family_b;

	by_address = by_address ? by_address : memcmp(a, b, sizeof(*a));
	if (by_address)
		return by_address;
	return protocol_a != protocol_b ? protocol_a - protocol_b : (int)first_a - first_b;
}

int lb_service_order(const void *a, const void *b)
{
	const struct lb_service *x = a, *y = b;

	return order(x->family, &x->address, x->protocol, x->first, y->family, &y->address, y->protocol,
	             y->first);
}

int lb_endpoint_order(const void *a, const void *b)
{
	const struct lb_endpoint *x = a, *y = b;

	return order(x->family, &x->address, x->protocol, x->first, y->family, &y->address, y->protocol,
	             y->first);
}

/* How many services stand before this place or at it. */
static unsigned services_upto(const struct lb_config *config, uint8_t family, const union ipaddr *address,
                              uint8_t protocol, uint16_t first)
{
	unsigned low = 0, high = config->service_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct lb_service *s = &config->services[middle];

		if (order(s->family, &s->address, s->protocol, s->first, family, address, protocol, first) <=
		    0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct lb_service *service_at(const struct lb_config *config, uint8_t family,
                                           const union ipaddr *address, uint8_t protocol, uint16_t port)
{
	unsigned upto = services_upto(config, family, address, protocol, port);
	const struct lb_service *s = upto ? &config->services[upto - 1] : NULL;

	return s && s->protocol == protocol && port <= s->last && s->family == family &&
	                       memcmp(&s->address, address, sizeof(*address)) == 0
	               ? s
	               : NULL;
}

const struct lb_service *lb_service_of(const struct lb_config *config, uint8_t family,
                                       const union ipaddr *address, uint8_t protocol, uint16_t port)
{
	const struct lb_service *s = NULL;

	if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
		s = service_at(config, family, address, protocol, rte_be_to_cpu_16(port));
	return s ? s : service_at(config, family, address, 0, UINT16_MAX);
}

static bool source_has(const struct source_pool *source, uint8_t family, const union ipaddr *address)
{
	uint32_t host = rte_be_to_cpu_32(family == FAMILY_V4 ? address->v4 : address->words[3]);

	if (source->family != family || (family == FAMILY_V6 && memcmp(&source->prefix, address, 12) != 0))
		return false;
	for (unsigned r = 0; r < source->range_count; r++)
		if (host >= rte_be_to_cpu_32(source->ranges[r].first) &&
		    host <= rte_be_to_cpu_32(source->ranges[r].last))
			return true;
	return false;
}

const struct source_pool *lb_source_of(const struct lb_config *config, uint8_t family,
                                       const union ipaddr *address)
{
	for (uint32_t left = config->sources; left; left &= left - 1) {
		const struct source_pool *source = config->live->sources[__builtin_ctz(left)];

		if (source_has(source, family, address))
			return source;
	}
	return NULL;
}

bool lb_claims_address(const struct lb_config *config, uint8_t family, const union ipaddr *address)
{
	return services_upto(config, family, address, UINT8_MAX, UINT16_MAX) >
	               services_upto(config, family, address, 0, 0) ||
	       service_at(config, family, address, 0, UINT16_MAX) || lb_source_of(config, family, address);
}

static bool set_holds(const struct prefix_set *set, uint8_t family, const union ipaddr *address)
{
	const struct ip_prefix *list;
	unsigned low = 0, high = prefix_set_family(set, family, &list);
	struct ip_addr a = { .family = family };

	memcpy(a.bytes, address->bytes, sizeof(a.bytes));
	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (memcmp(list[middle].address.bytes, a.bytes, sizeof(a.bytes)) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low && ip_prefix_holds(&list[low - 1], &a);
}

bool lb_allows(const struct lb_service *service, const union ipaddr *client)
{
	if (service->deny.count && set_holds(&service->deny, service->family, client))
		return false;
	return !service->allow.count || set_holds(&service->allow, service->family, client);
}

const struct lb_backend *lb_backend_of(const struct lb_service *service, unsigned id)
{
	for (unsigned i = 0; i < service->backend_count; i++)
		if (service->backends[i].id == id)
			return &service->backends[i];
	return NULL;
}

/* --- owners --- */

static bool endpoint_at(const struct lb_config *config, uint8_t family, const union ipaddr *address,
                        uint8_t protocol, uint16_t port)
{
	unsigned low = 0, high = config->endpoint_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;
		const struct lb_endpoint *e = &config->endpoints[middle];

		if (order(e->family, &e->address, e->protocol, e->first, family, address, protocol, port) <=
		    0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!low)
		return false;
	return config->endpoints[low - 1].family == family &&
	       memcmp(&config->endpoints[low - 1].address, address, sizeof(*address)) == 0 &&
	       config->endpoints[low - 1].protocol == protocol && port <= config->endpoints[low - 1].last;
}

static bool is_endpoint(const struct lb_config *config, const struct tuple *t, const union ipaddr *address,
                        uint16_t port)
{
	return endpoint_at(config, t->family, address, t->proto, rte_be_to_cpu_16(port)) ||
	       endpoint_at(config, t->family, address, 0, UINT16_MAX);
}

bool lb_is_backend(const struct lb_config *config, const struct tuple *t)
{
	return is_endpoint(config, t, &t->src, t->sport);
}

static unsigned bucket_of_client(const struct lb_config *config, uint8_t family, const union ipaddr *client)
{
	union ipaddr masked = persist_mask(client, config->owner_length[family == FAMILY_V6]);

	/* A NAT on the path spreads its inside hosts so; a client that is one belongs to the same worker whoever is asked. */
	if (family == FAMILY_V4)
		return rte_hash_crc_4byte(masked.v4, 0) & 0xff;
	return rte_hash_crc_8byte(masked.halves[0], rte_hash_crc_8byte(masked.halves[1], 0)) & 0xff;
}

/* The client's address on both sides; of full NAT the block of the port that answers come to. Packets between a client and a backend that go past
 * the service belong to the client's worker, too: which of them is asked about is not known of a packet by itself. */
unsigned lb_owner(const struct nf *nf, const void *snapshot, const struct tuple *t, int walk)
{
	const struct lb_config *config = snapshot;
	const struct source_pool *source;
	bool from, to;
	int bucket;

	(void)nf;
	(void)walk;
	if (lb_service_of(config, t->family, &t->dst, t->proto, t->dport))
		return NF_OWNER_CLAIM | bucket_of_client(config, t->family, &t->src);
	source = config->sources ? lb_source_of(config, t->family, &t->dst) : NULL;
	if (source) {
		bucket = ports_owner(source->ports, t->family == FAMILY_V4 ? t->dst.v4 : t->dst.words[3],
		                     t->dport);
		return bucket < 0 ? NF_NO_OWNER : NF_OWNER_CLAIM | (unsigned)bucket;
	}
	from = is_endpoint(config, t, &t->src, t->sport);
	to = is_endpoint(config, t, &t->dst, t->dport);
	if (from == to)
		return NF_NO_OWNER;
	return NF_OWNER_ENDPOINT | bucket_of_client(config, t->family, from ? &t->dst : &t->src);
}

static bool same_service_place(const struct lb_service *a, const struct lb_service *b)
{
	return lb_service_order(a, b) == 0 && a->last == b->last;
}

static bool same_endpoint(const struct lb_endpoint *a, const struct lb_endpoint *b)
{
	return lb_endpoint_order(a, b) == 0 && a->last == b->last;
}

bool lb_owners_differ(const void *before, const void *after)
{
	const struct lb_config *a = before, *b = after;

	if (a->service_count != b->service_count || a->endpoint_count != b->endpoint_count ||
	    a->sources != b->sources ||
	    memcmp(a->owner_length, b->owner_length, sizeof(a->owner_length)) != 0)
		return true;
	for (unsigned i = 0; i < a->service_count; i++)
		if (!same_service_place(&a->services[i], &b->services[i]))
			return true;
	for (unsigned i = 0; i < a->endpoint_count; i++)
		if (!same_endpoint(&a->endpoints[i], &b->endpoints[i]))
			return true;
	return false;
}
