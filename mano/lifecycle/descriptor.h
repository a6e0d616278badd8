/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Descriptors: what an operator writes of services. Their schema, and the rules that a schema cannot say (names that
 * must exist, paths that must begin and end at ports). What a VNF's `config` may hold is known to its executable alone.
 * Pure functions, any thread.
 */
#ifndef SLUICE_LIFECYCLE_DESCRIPTOR_H
#define SLUICE_LIFECYCLE_DESCRIPTOR_H

#include "config/schema.h"

/* One service, and a set of resources: { services: ( ... ) }. */
extern const struct schema service_schema[];
extern const struct schema chain_schema[];
extern const struct schema resources_schema[];

/* Where things are, which decides how long names may be. */
struct descriptor_limits {
	const char *run_folder;
	const char *program_folder; /* kinds are the executables sluice-KIND in it */
};

/* Checks one service (a group): schema, then rules. Adds every error; true if there was none. */
bool descriptor_check(const struct conf *service, const struct descriptor_limits *limits,
                      struct errors *errors);

/* Where a VNF is placed: its own word, else the service's. "fused" or "process". */
const char *descriptor_placement(const struct conf *service, const struct conf *vnf);
bool descriptor_fused(const struct conf *service, const struct conf *vnf);

/* The VNF or port of a service by name; NULL. */
const struct conf *descriptor_vnf(const struct conf *service, const char *name);
const struct conf *descriptor_port(const struct conf *service, const char *name);

/* Whether a chain goes through a VNF. */
bool descriptor_on_chain(const struct conf *chain, const char *vnf);

#endif
