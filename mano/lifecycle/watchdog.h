/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sees workers that hang: one whose heartbeat stands still for WATCHDOG_HANG_MS, and whose thread either waits (or was stopped) or has had
 * processor time enough, has its process killed, and the keeper does the rest. A worker that a busy machine gives no processor to is no
 * hung one, however long that lasts: another process in its place would get no more, and what is in its rings would be lost. One thread
 * for all units, because keepers may be busy talking to their processes.
 */
#ifndef SLUICE_LIFECYCLE_WATCHDOG_H
#define SLUICE_LIFECYCLE_WATCHDOG_H

#include "lifecycle/unit.h"

enum {
	WATCHDOG_EVERY_MS = 100,
	WATCHDOG_SUSPECT_MS = 400, /* from here on its processor time is watched: */
	WATCHDOG_SPUN_MS = 200,    /* so much of it without a turn is a loop without end */
	WATCHDOG_HANG_MS = 800
};

void *watchdog_run(void *manager);

/*
 * One look at a heartbeat at time `now` (ms). Answers the number of a worker that hangs, or -1. `forgive`: we ourselves
 * have not looked for a while, so nobody is blamed.
 */
int heartbeat_look(struct heartbeat_watch *watch, uint64_t now, bool forgive);

#endif
