/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes that are undone unless they are confirmed in time. What is waited for, and until when, is in the store alone
 * (store/confirms.c says by which clocks), so that a kill or a restart changes nothing about it; one thread looks at it. An undo is an operation like
 * any other: a new revision with the document from before. See manager.h.
 */
#include <stdlib.h>
#include <time.h>

#include "lifecycle/operation.h"
#include "lifecycle/unit.h"
#include "manage/log.h"
#include "util/memory.h"

enum { LOOK_MS = 200, AGAIN_MS = 5000 };

static int64_t milliseconds(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct store_moment manager_moment(const struct manager *manager)
{
	return (struct store_moment){ .boot = manager->boot,
		                      .boottime = milliseconds(CLOCK_BOOTTIME),
		                      .wall = milliseconds(CLOCK_REALTIME) };
}

bool manager_confirm(struct manager *manager, const char *service, const char *author, struct errors *errors)
{
	struct store_confirm confirm = store_confirm_of(manager->store, service, errors);

	if (errors_any(errors))
		return false;
	if (!confirm.op) {
		errors_add(errors, NULL, "conflict", NULL, 0,
		           "no change of service \"%s\" awaits a confirmation", service);
		return false;
	}
	if (!store_confirm(manager->store, confirm.op, errors))
		return false;
	events_add(manager->events, "change-confirmed", service,
	           json_pack("{s:I,s:s}", "operation", (json_int_t)confirm.op, "author", author),
	           "operation %llu was confirmed by %s", (unsigned long long)confirm.op, author);
	log_info("change-confirmed", "service=%s op=%llu author=%s", service, (unsigned long long)confirm.op,
	         author);
	return true;
}

/* --- undoing --- */

/* What an operation has changed, as it was before. False with errors. */
static bool former_targets(struct manager *manager, uint64_t op, struct targets *targets,
                           struct errors *errors)
{
	json_t *changes = store_op_changes(manager->store, op, errors), *change;
	size_t i;

	json_array_foreach(changes, i, change)
	{
		const char *name = json_string_value(json_object_get(change, "service"));
		uint64_t before = (uint64_t)json_integer_value(json_object_get(change, "before"));
		json_t *json = before ? store_revision(manager->store, name, before, errors) : NULL;
		struct conf *document = json ? conf_from_json(json, errors) : NULL;

		json_decref(json);
		if (before && !document && !errors_any(errors))
			errors_add(errors, NULL, "not-found", NULL, 0,
			           "revision %llu of service \"%s\" is not there any more",
			           (unsigned long long)before, name);
		targets_add(targets, name, document, text_format("services[%s]", name));
	}
	json_decref(changes);
	return !errors_any(errors);
}

static bool is_busy(struct manager *manager, const struct targets *targets)
{
	bool busy = false;

	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < targets->count; i++) {
		struct service *service = manager_service(manager, targets->list[i].name);

		busy |= service && service->op;
	}
	pthread_mutex_unlock(&manager->lock);
	return busy;
}

uint64_t manager_undo(struct manager *manager, const struct store_confirm *confirm, const char *author,
                      const char *why, struct errors *errors)
{
	struct store_reason reason = { .author = author, .comment = why, .ends = confirm->op };
	struct targets targets = { NULL, 0 };
	uint64_t op = 0;

	if (former_targets(manager, confirm->op, &targets, errors)) {
		if (is_busy(manager, &targets))
			errors_add(errors, NULL, "busy", NULL, 0,
			           "another operation is under way: wait for it");
		else if (!operation_apply(manager, &targets, "undo", &reason, &op, errors))
			op = 0;
	}
	targets_free(&targets);
	return op;
}

/* --- the thread --- */

struct due {
	int64_t now;
	struct store_confirm list[16];
	size_t count;
};

static void take_due(void *user, const struct store_confirm *confirm)
{
	struct due *due = user;

	if (confirm->until && confirm->until <= due->now &&
	    due->count < sizeof(due->list) / sizeof(*due->list))
		due->list[due->count++] = *confirm;
}

/* Forgets the operation asked about if it still waits. */
static void match(void *user, const struct store_confirm *confirm)
{
	uint64_t *op = user;

	*op = *op == confirm->op ? 0 : *op;
}

/* It may have been confirmed while we waited for the lock of changes. */
static bool still_waits(struct manager *manager, uint64_t op, struct errors *errors)
{
	return store_confirms(manager->store, match, &op, errors) && !op;
}

static bool undo_due(struct manager *manager, const struct store_confirm *confirm)
{
	char *why = text_format("operation %llu was not confirmed in %u s", (unsigned long long)confirm->op,
	                        confirm->seconds);
	struct errors errors = ERRORS_NONE;
	bool fine = true;

	manager_begin(manager);
	if (still_waits(manager, confirm->op, &errors)) {
		uint64_t op = manager_undo(manager, confirm, "sluiced", why, &errors);

		fine = op != 0;
		if (fine)
			log_warn("change-undone", "op=%llu undone=%llu", (unsigned long long)op,
			         (unsigned long long)confirm->op);
	}
	manager_end(manager);
	if (!fine)
		log_error("not-undone", "op=%llu error=%s", (unsigned long long)confirm->op,
		          errors.list[0].detail);
	errors_free(&errors);
	free(why);
	return fine;
}

/* Undoes all that is due. How long until the next look. */
static int64_t look(struct manager *manager)
{
	struct errors errors = ERRORS_NONE;
	struct due due = { .now = manager_moment(manager).boottime };
	bool fine = store_confirms(manager->store, take_due, &due, &errors);

	for (size_t i = 0; i < due.count; i++)
		fine &= undo_due(manager, &due.list[i]);
	errors_free(&errors);
	return fine ? LOOK_MS : AGAIN_MS;
}

/* Sleeps unless the manager stops; answers whether it does. */
static bool rest(struct manager *manager, int64_t pause)
{
	uint64_t until = unit_now() + (uint64_t)pause;
	struct timespec when = { (time_t)(until / 1000), (long)(until % 1000) * 1000000 };

	pthread_mutex_lock(&manager->lock);
	while (!manager->stopping && unit_now() < until)
		pthread_cond_timedwait(&manager->settled, &manager->lock, &when);
	bool stopping = manager->stopping;
	pthread_mutex_unlock(&manager->lock);
	return stopping;
}

void *confirm_run(void *argument)
{
	struct manager *manager = argument;

	while (!rest(manager, look(manager)))
		;
	return NULL;
}
