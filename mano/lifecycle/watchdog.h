/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sees workers that hang: a heartbeat that stands still for WATCHDOG_HANG_MS has its process killed, and the keeper
 * does the rest. One thread for all units, because keepers may be busy talking to their processes.
 */
#ifndef SLUICE_LIFECYCLE_WATCHDOG_H
#define SLUICE_LIFECYCLE_WATCHDOG_H

#include "lifecycle/unit.h"

enum { WATCHDOG_EVERY_MS = 100, WATCHDOG_HANG_MS = 800 };

void *watchdog_run(void *manager);

/*
 * One look at a heartbeat at time `now` (ms). Answers the number of a worker that hangs, or -1. `forgive`: we ourselves
 * have not looked for a while, so nobody is blamed.
 */
int heartbeat_look(struct heartbeat_watch *watch, uint64_t now, bool forgive);

#endif
