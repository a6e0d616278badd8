/* SPDX-License-Identifier: BSD-3-Clause */
/* Ends of processes: those that come by themselves, and those that are asked for. Keepers' threads. See keeper.h. */
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "lifecycle/keeper.h"
#include "manage/log.h"

static json_t *exit_details(const struct unit *unit, int status, uint64_t lived)
{
	json_t *details = json_pack("{s:i,s:I}", "pid", (int)unit->child.pid, "after", (json_int_t)lived);

	if (status >= 0 && WIFSIGNALED(status))
		json_object_set_new(details, "signal", json_integer(WTERMSIG(status)));
	else if (status >= 0)
		json_object_set_new(details, "exit", json_integer(WEXITSTATUS(status)));
	return details;
}

static void say_ended(struct unit *unit, int status)
{
	char how[64] = "ended";

	if (status >= 0 && WIFSIGNALED(status))
		snprintf(how, sizeof(how), "killed by signal %d", WTERMSIG(status));
	else if (status >= 0)
		snprintf(how, sizeof(how), "ended with status %d", WEXITSTATUS(status));
	events_add(unit->manager->events, "vnf-exited", unit->name,
	           exit_details(unit, status, unit_now() - unit->started), "process %d %s",
	           (int)unit->child.pid, how);
	log_warn("vnf-exited", "unit=%s pid=%d how=%s", unit->name, (int)unit->child.pid, how);
}

static void say_flapping(struct unit *unit, uint64_t now)
{
	if (!backoff_flaps(&unit->backoff, now))
		return;
	events_add(unit->manager->events, "vnf-flapping", unit->name,
	           json_pack("{s:i,s:i}", "ends", BACKOFF_FLAPS, "seconds", BACKOFF_FLAP_MS / 1000),
	           "it has ended %d times in the last %d s", BACKOFF_FLAPS, BACKOFF_FLAP_MS / 1000);
	log_warn("vnf-flapping", "unit=%s ends=%d seconds=%d", unit->name, BACKOFF_FLAPS,
	         BACKOFF_FLAP_MS / 1000);
}

static void forget_child(struct unit *unit)
{
	pthread_mutex_lock(&unit->manager->lock);
	child_forget(&unit->child);
	pthread_mutex_unlock(&unit->manager->lock);
}

void keeper_on_end(struct unit *unit, int status)
{
	struct errors errors = ERRORS_NONE;
	uint64_t now = unit_now();
	bool was_ready = unit->state == UNIT_READY, ours = unit->child.ours;

	say_ended(unit, status);
	forget_child(unit);
	if (!unit->exit_seen)
		unit->exit_seen = now;
	if (!was_ready && ours) { /* one of a former life says nothing of what is wished now */
		health_explain(unit, &errors);
		keeper_refuse(unit, unit->running_wish, &errors);
	}
	keeper_count_restart(unit);
	atomic_fetch_add(&unit->manager->restarts, 1);
	say_flapping(unit, now);
	keeper_back_off(unit, was_ready ? now - unit->ready_since : 0);
}

void keeper_take_away(struct unit *unit)
{
	struct child child;

	pthread_mutex_lock(&unit->manager->lock);
	child = unit->child;
	unit->child = (struct child)CHILD_NONE;
	pthread_mutex_unlock(&unit->manager->lock);
	unit->manager->driver->stop(&child, KEEPER_STOP_MS);
}

void keeper_replace(struct unit *unit, bool kill)
{
	keeper_set_state(unit, UNIT_STARTING);
	if (kill)
		child_signal(&unit->child, SIGKILL);
	keeper_take_away(unit);
	keeper_count_restart(unit);
	keeper_start_at_once(unit);
	keeper_begin(unit);
}

void keeper_end(struct unit *unit)
{
	struct errors errors = ERRORS_NONE;
	struct child child;

	pthread_mutex_lock(&unit->manager->lock);
	unit->state = UNIT_STOPPING;
	child = unit->child;
	unit->child = (struct child)CHILD_NONE;
	pthread_mutex_unlock(&unit->manager->lock);
	succession_end(unit);
	if (child.pid > 0)
		unit->manager->driver->stop(&child, KEEPER_STOP_MS);
	unit->manager->driver->destroy(unit->folder);
	if (!store_process_drop(unit->manager->store, unit->service, unit->vnf, &errors))
		log_error("store-failed", "unit=%s error=%s", unit->name, errors.list[0].detail);
	errors_free(&errors);
	events_add(unit->manager->events, "vnf-stopped", unit->name, NULL, "stopped and removed");
	log_info("vnf-stopped", "unit=%s", unit->name);
	keeper_set_state(unit, UNIT_STOPPED);
	keeper_set_done(unit, UINT64_MAX);
}
