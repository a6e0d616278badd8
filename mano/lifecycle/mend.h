/* SPDX-License-Identifier: BSD-3-Clause */
/* Mends what doctor finds, as far as nothing can be harmed by it. The caller holds `change`. */
#ifndef SLUICE_LIFECYCLE_MEND_H
#define SLUICE_LIFECYCLE_MEND_H

#include "lifecycle/manager.h"

/*
 * {dryRun, ok, actions: [{check, action, done, detail}], checks}: what was (dry run: would be) done, and how things are after it; new reference.
 * detail: why something was not done. Removes what the dead left in the run folder, stale names of network namespaces of
 * services, and asks the kernel for hugepages where there are none left and memory is.
 */
json_t *doctor_mend(struct manager *manager, bool dry_run);

#endif
