/* SPDX-License-Identifier: BSD-3-Clause */
/* What the host lacks, and how to mend it, found before it hurts. Any thread; takes the manager's lock for a moment. */
#ifndef SLUICE_LIFECYCLE_DOCTOR_H
#define SLUICE_LIFECYCLE_DOCTOR_H

#include "lifecycle/manager.h"

/* {ok, checks: [{name, ok, severity: error|warning, detail, fix}]}; new reference. fix is absent where all is well. */
json_t *doctor_show(struct manager *manager);

/* Names of the network namespaces that services are in; new reference. */
json_t *doctor_namespaces(struct manager *manager);

#endif
