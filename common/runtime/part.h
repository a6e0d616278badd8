/* SPDX-License-Identifier: BSD-3-Clause */
/* What is on its way when a process makes room for its successor. Control side; workers run. */
#ifndef SLUICE_RUNTIME_PART_H
#define SLUICE_RUNTIME_PART_H

#include "runtime/engine.h"

/* Tells the peers of links to send no more for now, and waits until nothing lies in links and inboxes any more: 0.7 s at most, then the log says that
 * packets are lost. `other_workers`: the successor has another number of them. What hops' processes have then comes back first, too: it would be overtaken by
 * what that one sends by other queues. */
void engine_part(struct engine *engine, bool other_workers);

#endif
