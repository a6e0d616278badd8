/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Health checks (health/health.h) of a configuration's backends: targets are numbered as in the pool, which is told their states. The checker is made
 * by the first published configuration that checks anything, and lives as long as the function. Backends that a process begins with count as up
 * until `fall` checks have failed (sessions of a predecessor may be on them), but those that the predecessor knew to be down (kept.c); those that join
 * later wait for their first; unless the check says else.
 */
#ifndef SLUICE_VNF_LB_CHECKS_H
#define SLUICE_VNF_LB_CHECKS_H

#include "lb/health/health.h"
#include "lb/lb.h"

extern const struct schema lb_health_schema[];

/* The `health` group of the configuration, and of a service. False with errors added. Control side. */
bool lb_checks_read(struct lb_compile *c);
/* They are nobody's address but the function's own; once the services are read. Errors are added. */
void lb_checks_sources(struct lb_compile *c);
bool lb_check_read(struct lb_compile *c, const struct conf *item, struct lb_service *service);

/* Whether a backend of the service is checked. */
static inline bool lb_is_checked(const struct lb_service *service, const struct lb_backend *backend)
{
	return service->check && backend->admin != LB_DISABLED;
}

/* Whether a backend of which nothing is known counts as down. */
static inline bool lb_begins_down(const struct lb_service *service, const struct lb_backend *backend,
                                  bool added)
{
	return lb_is_checked(service, backend) && (service->check->initial == HEALTH_INITIAL_DOWN ||
	                                           (service->check->initial == HEALTH_INITIAL_AUTO && added));
}

/* kept.c: what is down is kept in a file beside the session file, for a successor. Thread of the checker; control side. */
void lb_health_keep(const struct nf *nf);
void lb_health_found(const struct nf *nf, const struct lb_config *config);

/* Checks are those of this configuration from now on; what cannot be checked counts as up, and the log says why. Control side. */
void lb_checks_publish(struct nf *nf, const struct lb_config *config, bool here);
/* Ends them. No worker uses them any more. */
void lb_checks_stop(struct lb_live *live);

void lb_checks_claims(const struct lb_config *config, nf_claim_fn *fn, void *context);
/* What is known of a backend, as members `check` of a JSON object; nothing if it is not checked. */
void lb_checks_show(const struct lb_live *live, unsigned id, json_t *out);

/* Worker: packets of checks go out; of worker 0. When to be called again, ns. */
uint64_t lb_checks_tick(const struct nf *nf, const struct lb_config *config, unsigned worker_id,
                        uint64_t now);
/* Worker: a packet of a session that is a check's. Those that come back are taken. */
void lb_checks_process(const struct lb_live *live, struct batch *b, unsigned i);

#endif
