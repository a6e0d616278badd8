/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whose an address is: backends are others than the edge, than virtual addresses and than sources of full NAT, for what is sent to those comes back here. A virtual
 * address or a source may be an address of a port of the edge (boxes that have but one), which then answers for it as it did, and a source a virtual address, as far
 * as their ports are others. Control side.
 */
#include <stdio.h>
#include <string.h>

#include "config/values.h"
#include "lb/lb.h"

static const struct conf *root_of(const struct conf *c)
{
	while (c->parent)
		c = c->parent;
	return c;
}

static bool port_has(const struct conf *port, const struct ip_addr *address)
{
	const struct conf *list = conf_get(port, "addresses");
	struct ip_prefix own;

	for (size_t i = 0; i < conf_count(list); i++)
		if (ip_interface_parse(conf_at(list, i)->string, &own) &&
		    ip_addr_equal(&own.address, address))
			return true;
	return false;
}

/* The name of the edge's port that has this address; NULL: none. */
static const char *port_with(const struct lb_compile *c, const struct ip_addr *address)
{
	const struct conf *ports = conf_get(conf_get(root_of(c->config), "edge"), "ports");

	for (size_t i = 0; i < conf_count(ports); i++)
		if (port_has(conf_at(ports, i), address))
			return conf_string(conf_at(ports, i), "name", "");
	return NULL;
}

static const char *service_with(const struct lb_compile *c, const struct ip_addr *address)
{
	const struct conf *services = conf_get(c->config, "services");
	struct ip_addr own;

	for (size_t i = 0; i < conf_count(services); i++)
		if (conf_as_address(conf_get(conf_at(services, i), "address"), &own) &&
		    ip_addr_equal(&own, address))
			return conf_string(conf_at(services, i), "name", "");
	return NULL;
}

static bool is_health_source(const struct lb_compile *c, const struct ip_addr *address)
{
	return ip_addr_equal(&c->out->health_source[0], address) ||
	       ip_addr_equal(&c->out->health_source[1], address);
}

bool lb_is_own_address(const struct lb_compile *c, const struct ip_addr *address, char *whose, size_t size)
{
	const char *port = port_with(c, address), *service = service_with(c, address);
	const struct source_pool *source;
	union ipaddr bytes;

	memcpy(bytes.bytes, address->bytes, sizeof(bytes.bytes));
	source = lb_source_of(c->out, address->family, &bytes);
	if (port)
		snprintf(whose, size, "an address of port \"%s\"", port);
	else if (service)
		snprintf(whose, size, "the virtual address of service \"%s\"", service);
	else if (source)
		snprintf(whose, size, "an address of sources \"%s\"", source->name);
	else if (is_health_source(c, address))
		snprintf(whose, size, "the address that checks come from");
	else
		return false;
	return true;
}

static void check_backend(struct lb_compile *c, const struct conf *item)
{
	struct ip_addr address;
	union ipaddr bytes;
	const char *port;

	if (!item || !ip_addr_parse(item->string, &address))
		return;
	memcpy(bytes.bytes, address.bytes, sizeof(bytes.bytes));
	port = port_with(c, &address);
	if (port)
		conf_error(c->errors, item, "own-address", "an address of port \"%s\": no backend is there",
		           port);
	else if (lb_claims_address(c->out, address.family, &bytes))
		conf_error(c->errors, item, "own-address",
		           "a virtual address or a source of this load balancer: no backend is there");
}

/* Answers to a source must not be taken for packets to the service. */
static void check_service(struct lb_compile *c, const struct lb_service *s, const struct conf *item)
{
	const struct source_pool *source = lb_source_of(c->out, s->family, &s->address);

	if (source && (!s->protocol || (s->first <= source->last_port && source->first_port <= s->last)))
		conf_error(c->errors, conf_get(item, "address"), "overlap",
		           "an address of sources \"%s\", of whose ports (%u-%u) the service has some",
		           source->name, source->first_port, source->last_port);
}

void lb_check_addresses(struct lb_compile *c)
{
	const struct conf *services = conf_get(c->config, "services");

	for (unsigned i = 0; i < c->out->service_count; i++) {
		const struct lb_service *s = &c->out->services[i];
		const struct conf *item = conf_item(services, "name", s->name),
		                  *backends = conf_get(item, "backends");

		check_service(c, s, item);
		for (size_t b = 0; b < conf_count(backends); b++)
			check_backend(c, conf_get(conf_at(backends, b), "address"));
	}
}
