/* SPDX-License-Identifier: BSD-3-Clause */
/* The states of operations and the moves between them. Pure functions. See operation.h. */
#include <string.h>

#include "lifecycle/operation.h"

static const char *const names[OP_STATES] = {
	[OP_STARTING] = "STARTING",
	[OP_PROCESSING] = "PROCESSING",
	[OP_COMPLETED] = "COMPLETED",
	[OP_FAILED_TEMP] = "FAILED_TEMP",
	[OP_ROLLING_BACK] = "ROLLING_BACK",
	[OP_ROLLED_BACK] = "ROLLED_BACK",
	[OP_FAILED] = "FAILED",
};

#define TO(state) (1u << (state))

/* PROCESSING to ROLLING_BACK is FAILED_TEMP and its rollback in one step: what an apply does by itself. */
static const unsigned moves[OP_STATES] = {
	[OP_STARTING] = TO(OP_PROCESSING) | TO(OP_ROLLED_BACK),
	[OP_PROCESSING] = TO(OP_COMPLETED) | TO(OP_FAILED_TEMP) | TO(OP_ROLLING_BACK),
	[OP_FAILED_TEMP] = TO(OP_PROCESSING) | TO(OP_ROLLING_BACK) | TO(OP_FAILED),
	[OP_ROLLING_BACK] = TO(OP_ROLLED_BACK) | TO(OP_FAILED_TEMP),
};

const char *op_state_name(enum op_state state)
{
	return names[state];
}

bool op_state_parse(const char *name, enum op_state *state)
{
	for (int i = 0; i < OP_STATES; i++) {
		if (strcmp(names[i], name) == 0) {
			*state = (enum op_state)i;
			return true;
		}
	}
	return false;
}

bool op_may(enum op_state from, enum op_state to)
{
	return (moves[from] & TO(to)) != 0;
}

bool op_rests(enum op_state state)
{
	return moves[state] == 0 || state == OP_FAILED_TEMP;
}
