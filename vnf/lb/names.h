/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Backends by DNS name: each address of a name is a backend. The resolver (health/resolver.h) is made by the first configuration that names any; when
 * a name's addresses change, the function asks to be compiled anew. Compiling waits up to two seconds for names that were never looked up, so that a
 * process that begins, or takes over another's sessions, has its backends. All calls: control side.
 */
#ifndef SLUICE_VNF_LB_NAMES_H
#define SLUICE_VNF_LB_NAMES_H

#include "lb/health/resolver.h"
#include "lb/lb.h"

struct lb_names;

extern const struct schema lb_resolver_schema[];

/* Looks up what the configuration names. False with errors added. */
bool lb_names_prepare(struct lb_compile *c);
/* Addresses of a name in a family, up to RESOLVER_ADDRESSES_MAX, as they are known now. */
unsigned lb_names_addresses(const struct lb_live *live, const char *host, uint8_t family,
                            struct ip_addr *out);
/* Names that this configuration does not have are forgotten. */
void lb_names_publish(struct nf *nf, const struct lb_config *config, bool here);
/* Whether a backend's name cannot be at this address, one of ours; noted in the configuration, and told once that runs. */
bool lb_names_refuses(struct lb_compile *c, const struct lb_service *s, const struct conf *item,
                      const struct ip_addr *address);
void lb_names_stop(struct lb_live *live);
void lb_names_release(struct lb_config *config);
/* For REST: a list of what is known of each name. */
json_t *lb_names_show(const struct lb_config *config);

#endif
