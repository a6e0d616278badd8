/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel says of this process: memory, time, descriptors, threads; by the names that Prometheus' own clients use. Any thread. */
#ifndef SLUICE_MANAGE_PROCESS_METRICS_H
#define SLUICE_MANAGE_PROCESS_METRICS_H

#include <jansson.h>

#include "manage/metrics.h"

void process_metrics(struct metrics *m);
/* {pid, residentBytes, cpuSeconds, descriptors, threads, startTime (seconds since 1970)}. New reference. */
json_t *process_show(void);

#endif
