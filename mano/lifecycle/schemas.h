/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What may be configured: our own schema of descriptors, and what the engine and each function say of theirs. They are asked each time, for their
 * executables may be replaced while we run. Any thread; blocks while sluice-chain runs (some 10 ms).
 */
#ifndef SLUICE_LIFECYCLE_SCHEMAS_H
#define SLUICE_LIFECYCLE_SCHEMAS_H

#include "lifecycle/manager.h"

/* {service: JSON Schema, engine: JSON Schema, functions: [{name, help, schema, counters}]}; new reference, or NULL with an error. */
json_t *schemas_read(const struct manager_options *options, struct errors *errors);

#endif
