/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What rules may name, resolved once: address groups and service groups, found by name. Made at the beginning of a compilation, freed at its
 * end. Control side.
 */
#ifndef SLUICE_VNF_FIREWALL_GROUPS_H
#define SLUICE_VNF_FIREWALL_GROUPS_H

#include "config/conf.h"
#include "match/set.h"

/* Ranges in host order, both ends belong; ICMP: type << 8 | code. */
struct service {
	uint8_t protocol, any_protocol;
	uint16_t icmp_first, icmp_last;
	struct port_range source, destination;
};

struct services {
	struct service *list;
	unsigned count, room;
};

struct address_group {
	const char *name; /* the configuration's */
	struct prefix_set set;
};

struct service_group {
	const char *name; /* the configuration's */
	struct services services;
};

/* Sorted by name. */
struct groups {
	struct address_group *addresses;
	struct service_group *services;
	unsigned address_count, service_count;
};

/* Adds errors for what is wrong; the rest is usable. groups: zeros; free it in any case. */
void groups_make(struct groups *groups, const struct conf *config, struct errors *errors);
void groups_free(struct groups *groups);

/* NULL: no such group. */
const struct prefix_set *groups_addresses(const struct groups *groups, const char *name);
const struct services *groups_services(const struct groups *groups, const char *name);

/* The service that an item (a rule, or a member of a group) describes; errors are added at the item. */
struct service service_of(const struct conf *item, struct errors *errors);
/* False: no memory. */
bool services_add(struct services *services, const struct service *service);
/* The same packets with fewer services: destination ports are merged where all else is alike. False: no memory. */
bool services_minimise(struct services *services);
void services_free(struct services *services);

#endif
