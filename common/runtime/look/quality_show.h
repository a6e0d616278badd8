/* SPDX-License-Identifier: BSD-3-Clause */
/* What flow/quality.h counts, for REST: of paths, summed over workers, by the port behind which the hosts are; of sessions. Control side but for
 * quality_session(), which the session's worker calls. */
#ifndef SLUICE_RUNTIME_QUALITY_SHOW_H
#define SLUICE_RUNTIME_QUALITY_SHOW_H

#include <jansson.h>

#include "manage/metrics.h"

struct engine;
struct path;
struct session;
struct worker;

/* [{port, retransmits, outOfOrder, rtt: {count, meanUs, p50Us, p99Us, boundsUs, counts}}, ...]: first and last port. New reference. */
json_t *quality_path(const struct engine *engine, const struct path *path);
/* The same as metrics. */
void quality_metrics(const struct engine *engine, const struct path *path, struct metrics *m);
/* {states, retransmits, outOfOrder, rttUs}, each by sender, the originator first. New reference. */
json_t *quality_session(const struct worker *w, const struct session *s);

#endif
