/* SPDX-License-Identifier: BSD-3-Clause */
/* What the files of operations share: the struct, and its thread. operation.c carries out, begin.c begins and takes up again. */
#ifndef SLUICE_LIFECYCLE_OPERATION_PRIVATE_H
#define SLUICE_LIFECYCLE_OPERATION_PRIVATE_H

#include "lifecycle/operation.h"

/* Made by whoever begins it, then its thread's. */
struct operation {
	struct manager *manager;
	uint64_t id;
	json_t *services;   /* names */
	char *kind, *vnf;   /* vnf: of a restart; NULL: all of the service */
	bool back;          /* begins in ROLLING_BACK */
	unsigned timeout_s; /* for processes to be ready; 0: as the options say */
};

/* Takes services over. */
struct operation *operation_new(struct manager *manager, uint64_t id, const char *kind, json_t *services);
void operation_free(struct operation *op);

/* Starts its thread and takes it over. Its services are busy from here on. */
bool operation_start(struct operation *op, struct errors *errors);

/* Writes a state down; a failure is only logged. found: NULL, or its new errors. */
void operation_put(struct operation *op, enum op_state state, unsigned progress, const char *message,
                   const struct errors *found);

/* Rolls back in the store and in memory; what runs follows when the operation does. */
bool operation_go_back(struct operation *op, struct errors *errors);

/* Whether an array of JSON holds a name. */
bool operation_names(const json_t *names, const char *name);

#endif
