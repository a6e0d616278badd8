/* SPDX-License-Identifier: BSD-3-Clause */
/* Address groups, service groups and services; see groups.h. Control side. */
#include "firewall/groups.h"

#include <stdlib.h>
#include <string.h>

#include "config/values.h"

/* --- services --- */

static bool protocol_of(const char *text, uint8_t *number)
{
	static const struct {
		const char *name;
		uint8_t number;
	} names[] = { { "tcp", 6 },    { "udp", 17 }, { "icmp", 1 }, { "icmpv6", 58 },
		      { "sctp", 132 }, { "esp", 50 }, { "gre", 47 } };
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
		if (strcmp(names[i].name, text) == 0) {
			*number = names[i].number;
			return true;
		}
	}
	*number = (uint8_t)value;
	return *text >= '0' && *text <= '9' && !*end && value <= 255;
}

static bool has_ports(const struct service *s)
{
	return !s->any_protocol && (s->protocol == 6 || s->protocol == 17 || s->protocol == 132);
}

static bool has_types(const struct service *s)
{
	return !s->any_protocol && (s->protocol == 1 || s->protocol == 58);
}

static void check_service(const struct conf *item, const struct service *s, struct errors *errors)
{
	if ((conf_get(item, "sourcePorts") || conf_get(item, "destinationPorts")) && !has_ports(s))
		conf_error(errors, item, "ports-without-protocol",
		           "ports need protocol = \"tcp\", \"udp\" or \"sctp\"");
	if (conf_get(item, "icmpType") && !has_types(s))
		conf_error(errors, item, "type-without-icmp",
		           "icmpType needs protocol = \"icmp\" or \"icmpv6\"");
	if (conf_get(item, "icmpCode") && !conf_get(item, "icmpType"))
		conf_error(errors, conf_get(item, "icmpCode"), "code-without-type",
		           "icmpCode needs icmpType");
}

struct service service_of(const struct conf *item, struct errors *errors)
{
	struct service s = { .icmp_last = 65535, .source = { 0, 65535 }, .destination = { 0, 65535 } };
	const struct conf *protocol = conf_get(item, "protocol");
	int64_t type = conf_int(item, "icmpType", -1), code = conf_int(item, "icmpCode", -1);

	s.any_protocol = !protocol || strcmp(protocol->string, "any") == 0;
	if (!s.any_protocol && !protocol_of(protocol->string, &s.protocol))
		conf_error(errors, protocol, "unknown-protocol",
		           "not a protocol (any, tcp, udp, icmp, icmpv6, sctp, esp, gre, 0 to 255): \"%s\"",
		           protocol->string);
	conf_as_ports(conf_get(item, "sourcePorts"), &s.source.first, &s.source.last);
	conf_as_ports(conf_get(item, "destinationPorts"), &s.destination.first, &s.destination.last);
	if (type >= 0) {
		s.icmp_first = (uint16_t)(type << 8 | (code >= 0 ? code : 0));
		s.icmp_last = (uint16_t)(type << 8 | (code >= 0 ? code : 255));
	}
	check_service(item, &s, errors);
	return s;
}

bool services_add(struct services *services, const struct service *service)
{
	unsigned room = services->room ? services->room * 2 : 4;

	if (services->count == services->room) {
		struct service *list = realloc(services->list, room * sizeof(*list));

		if (!list)
			return false;
		services->list = list;
		services->room = room;
	}
	services->list[services->count++] = *service;
	return true;
}

/* All but the destination ports. */
static int by_kind(const void *a, const void *b)
{
	const struct service *x = a, *y = b;
	const int order[] = { x->any_protocol - y->any_protocol, x->protocol - y->protocol,
		              x->icmp_first - y->icmp_first,     x->icmp_last - y->icmp_last,
		              x->source.first - y->source.first, x->source.last - y->source.last };

	for (unsigned i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (order[i])
			return order[i];
	return 0;
}

/* Services first to end - 1 are of one kind: their ports, merged, go to `out`. */
static bool merge(const struct services *from, unsigned first, unsigned end, struct services *out)
{
	struct service s = from->list[first];
	struct port_set set = { 0 };
	bool done = true;

	for (unsigned i = first; done && i < end; i++)
		done = port_set_add(&set, from->list[i].destination.first, from->list[i].destination.last);
	port_set_minimise(&set);
	for (unsigned i = 0; done && i < set.count; i++) {
		s.destination = set.list[i];
		done = services_add(out, &s);
	}
	port_set_free(&set);
	return done;
}

bool services_minimise(struct services *services)
{
	struct services out = { 0 };
	bool done = true;

	if (services->count)
		qsort(services->list, services->count, sizeof(*services->list), by_kind);
	for (unsigned i = 0, end; done && i < services->count; i = end) {
		for (end = i + 1; end < services->count; end++)
			if (by_kind(&services->list[i], &services->list[end]))
				break;
		done = merge(services, i, end, &out);
	}
	services_free(services);
	*services = out;
	return done;
}

void services_free(struct services *services)
{
	free(services->list);
	*services = (struct services){ 0 };
}

/* --- groups --- */

static void no_memory(const struct conf *at, struct errors *errors)
{
	conf_error(errors, at, "no-memory", "not enough memory for the group");
}

static void make_addresses(struct address_group *group, const struct conf *item, struct errors *errors)
{
	const struct conf *members = conf_get(item, "prefixes");
	struct ip_prefix prefix;

	group->name = conf_string(item, "name", "");
	for (size_t i = 0; i < conf_count(members); i++)
		if (conf_as_prefix(conf_at(members, i), &prefix) && !prefix_set_add(&group->set, &prefix))
			no_memory(conf_at(members, i), errors);
	prefix_set_minimise(&group->set);
}

static void make_services(struct service_group *group, const struct conf *item, struct errors *errors)
{
	const struct conf *members = conf_get(item, "services");

	group->name = conf_string(item, "name", "");
	for (size_t i = 0; i < conf_count(members); i++) {
		struct service s = service_of(conf_at(members, i), errors);

		if (!services_add(&group->services, &s))
			no_memory(conf_at(members, i), errors);
	}
	if (!services_minimise(&group->services))
		no_memory(item, errors);
}

/* The name comes first in a group of either kind. */
static int by_name(const void *a, const void *b)
{
	const char *const *x = a, *const *y = b;

	return strcmp(*x, *y);
}

void groups_make(struct groups *groups, const struct conf *config, struct errors *errors)
{
	const struct conf *addresses = conf_get(config, "addressGroups"),
	                  *services = conf_get(config, "serviceGroups");

	groups->addresses = calloc(conf_count(addresses) + 1, sizeof(*groups->addresses));
	groups->services = calloc(conf_count(services) + 1, sizeof(*groups->services));
	if (!groups->addresses || !groups->services) {
		no_memory(config, errors);
		return;
	}
	for (; groups->address_count < conf_count(addresses); groups->address_count++)
		make_addresses(&groups->addresses[groups->address_count],
		               conf_at(addresses, groups->address_count), errors);
	for (; groups->service_count < conf_count(services); groups->service_count++)
		make_services(&groups->services[groups->service_count],
		              conf_at(services, groups->service_count), errors);
	qsort(groups->addresses, groups->address_count, sizeof(*groups->addresses), by_name);
	qsort(groups->services, groups->service_count, sizeof(*groups->services), by_name);
}

void groups_free(struct groups *groups)
{
	for (unsigned i = 0; i < groups->address_count; i++)
		prefix_set_free(&groups->addresses[i].set);
	for (unsigned i = 0; i < groups->service_count; i++)
		services_free(&groups->services[i].services);
	free(groups->addresses);
	free(groups->services);
}

const struct prefix_set *groups_addresses(const struct groups *groups, const char *name)
{
	const struct address_group *found =
	        bsearch(&name, groups->addresses, groups->address_count, sizeof(*groups->addresses), by_name);

	return found ? &found->set : NULL;
}

const struct services *groups_services(const struct groups *groups, const char *name)
{
	const struct service_group *found =
	        bsearch(&name, groups->services, groups->service_count, sizeof(*groups->services), by_name);

	return found ? &found->services : NULL;
}
