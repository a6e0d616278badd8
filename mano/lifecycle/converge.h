/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Making what is into what should be, for the services of one operation: units are made, given their wishes, waited for,
 * and taken away. Idempotent: may be cut off anywhere and done again. Threads of operations.
 */
#ifndef SLUICE_LIFECYCLE_CONVERGE_H
#define SLUICE_LIFECYCLE_CONVERGE_H

#include "lifecycle/target.h"

/* Targets of services by their names (JSON array) as the manager knows them now; errors name them as services[NAME]. */
void converge_targets(struct manager *manager, const json_t *names, struct targets *targets);

/* Makes units and sets wishes, in the right order. False with errors; then some may have been set. */
bool converge_begin(struct manager *manager, const struct targets *targets, struct errors *errors);

/* How far the units of the targets are. */
struct convergence {
	size_t units, settled, refused;
};

/*
 * Waits until all have settled, at most until `deadline` (unit_now), calling `progress` whenever one more has. False with
 * errors: refused, not ready in time, or the manager is stopping (code "stopping").
 */
bool converge_wait(struct manager *manager, const struct targets *targets, uint64_t deadline,
                   void (*progress)(void *user, const struct convergence *now), void *user,
                   struct errors *errors);

/* Stops units that no target wants any more, and forgets services that are to go. */
void converge_finish(struct manager *manager, const struct targets *targets);

#endif
