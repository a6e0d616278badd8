/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Operations: long work with a number, a state that outlives us, and a thread while it is under way. States and
 * moves are those of ETSI GS NFV-SOL 003, 5.6.2: STARTING -> PROCESSING -> COMPLETED; what fails stops in FAILED_TEMP, from where
 * it is retried, failed for good, or rolled back; an apply rolls back by itself.
 *
 * The point of no return is the store's (store_commit): before it nothing has happened, after it what should be is
 * written down, and whoever comes next only has to make it so.
 */
#ifndef SLUICE_LIFECYCLE_OPERATION_H
#define SLUICE_LIFECYCLE_OPERATION_H

#include "lifecycle/target.h"

enum op_state {
	OP_STARTING,
	OP_PROCESSING,
	OP_COMPLETED,
	OP_FAILED_TEMP,
	OP_ROLLING_BACK,
	OP_ROLLED_BACK,
	OP_FAILED
};
enum { OP_STATES = OP_FAILED + 1 };

const char *op_state_name(enum op_state state);
/* False if there is no state of that name. */
bool op_state_parse(const char *name, enum op_state *state);
/* Whether a move is legal. */
bool op_may(enum op_state from, enum op_state to);
/* Whether nothing more will happen by itself: ended, or FAILED_TEMP. */
bool op_rests(enum op_state state);

/* Writes an apply down, commits it and begins it. kind: NULL: "apply", or "delete" if all of it is; "undo" does not roll
 * back by itself. The caller holds `change`; the targets stay its own. False: errors. */
bool operation_apply(struct manager *manager, const struct targets *targets, const char *kind,
                     const struct store_reason *reason, uint64_t *op, struct errors *errors);

/* The same for other executables. */
bool operation_upgrade(struct manager *manager, const char *subject, const struct store_build *builds,
                       size_t count, unsigned timeout_s, const char *author, uint64_t *op,
                       struct errors *errors);

/* Carries on with what the store says was under way: forward from PROCESSING, back from ROLLING_BACK. */
bool operation_resume(struct manager *manager, uint64_t op, enum op_state state, struct errors *errors);

/* The tasks of an operation in FAILED_TEMP; false with an error (code "conflict") if they are not legal now. */
bool operation_retry(struct manager *manager, uint64_t op, struct errors *errors);
bool operation_fail(struct manager *manager, uint64_t op, struct errors *errors);
bool operation_roll_back(struct manager *manager, uint64_t op, struct errors *errors);

#endif
