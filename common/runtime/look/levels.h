/* SPDX-License-Identifier: BSD-3-Clause */
/* How full things are: sessions by state, queues, packet buffers, memory. For REST and metrics; control side, reads whole words that workers write. */
#ifndef SLUICE_RUNTIME_LEVELS_H
#define SLUICE_RUNTIME_LEVELS_H

#include <jansson.h>

#include "flow/table.h"
#include "manage/metrics.h"

struct engine;
struct worker;

/* {"tcp-opening": n, ...}, by the names of session classes. New reference. */
json_t *levels_sessions(const struct flow_stats *stats);
/* Packets that wait in a worker: {inbox, emitted, fragments, neighbours}. New reference. */
json_t *levels_queues(const struct worker *w);
/* {packetBuffers, sessions, heap, process} with sizes and what is used of them. New reference. */
json_t *levels_memory(struct engine *engine);
/* All of it as metrics. */
void levels_metrics(struct engine *engine, struct metrics *m);

#endif
