/* SPDX-License-Identifier: BSD-3-Clause */
/* What a running process is given: a document that it can take, else a successor. Keepers' threads. See keeper.h. */
#include <string.h>

#include "lifecycle/keeper.h"
#include "manage/log.h"

enum { PUSH_AGAIN_MS = 1000 };

/* Another executable or another shape takes the place of what runs: beside it if there is room for both, else after it. */
void keeper_succeed(struct unit *unit)
{
	if (!succession_begin(unit))
		keeper_replace(unit, false);
}

/* Should the document not be written, the process runs right and its next start brings it anyway: keeper_begin() writes it. */
static void adopt_document(struct unit *unit)
{
	struct instance instance = keeper_instance(unit, &unit->running);
	struct errors errors = ERRORS_NONE;
	bool written = unit->manager->driver->create(&instance, &errors);

	health_remember(unit);
	unit_set_digest(unit, unit->running.digest);
	keeper_set_done(unit, unit->running_wish);
	if (!written)
		unit_set_error(unit, errors.list[0].detail);
	errors_free(&errors);
}

void keeper_adjust(struct unit *unit)
{
	struct errors errors = ERRORS_NONE;
	char former[UNIT_DIGEST];
	bool reshapes;

	pthread_mutex_lock(&unit->manager->lock);
	reshapes = unit->digest[0] && wish_reshapes(unit->digest, unit->wish.digest);
	pthread_mutex_unlock(&unit->manager->lock);
	if (reshapes) {
		keeper_succeed(unit);
		return;
	}
	keeper_take_wish(unit);
	memcpy(former, unit->digest, sizeof(former));
	unit_forget_document(unit);
	switch (health_push(unit, &unit->running, &errors)) {
	case PUSH_DONE:
		adopt_document(unit);
		break;
	case PUSH_RESTART:
		unit_set_digest(unit, former);
		keeper_succeed(unit);
		break;
	case PUSH_REFUSED:
		unit_set_digest(unit, former);
		keeper_refuse(unit, unit->running_wish, &errors);
		break;
	case PUSH_UNREACHED: /* it has ended, or will be found hanging; then its next start brings the document */
		unit->push_at = unit_now() + PUSH_AGAIN_MS;
		log_warn("push-failed", "unit=%s error=%s", unit->name, errors.list[0].detail);
		break;
	}
	errors_free(&errors);
}
