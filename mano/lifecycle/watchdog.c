/* SPDX-License-Identifier: BSD-3-Clause */
/* Sees workers that hang. See watchdog.h. */
#include "lifecycle/watchdog.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>

#include "manage/log.h"
#include "util/memory.h"

/* When we looked so late, the whole machine stood still, not one worker. */
enum { FORGIVE_MS = 400 };

static void begin_watch(struct heartbeat_watch *watch, uint64_t now)
{
	watch->look = child_thread;
	for (unsigned i = 0; i < watch->beats->workers && i < HEARTBEAT_WORKERS_MAX; i++) {
		watch->turns[i] = heartbeat_turns(watch->beats, i);
		watch->moved[i] = now;
		watch->suspected[i] = false;
	}
}

/* Whether a worker that has stood still for `still` ms hangs: it waits, or runs and does not come round. */
static bool hangs(struct heartbeat_watch *watch, unsigned i, uint64_t still)
{
	pid_t thread = (pid_t)watch->beats->line[i].thread;
	struct thread_look look;

	if (still < WATCHDOG_SUSPECT_MS)
		return false;
	if (!thread)
		return still >= WATCHDOG_HANG_MS;
	if (!watch->look(watch->pid, thread, &look))
		return false; /* it ends just now */
	if (!watch->suspected[i]) {
		watch->suspected[i] = true;
		watch->cpu_ms[i] = look.cpu_ms;
	}
	return still >= WATCHDOG_HANG_MS &&
	       (!look.runnable || look.cpu_ms - watch->cpu_ms[i] >= WATCHDOG_SPUN_MS);
}

int heartbeat_look(struct heartbeat_watch *watch, uint64_t now, bool forgive)
{
	int hanging = -1;

	for (unsigned i = 0; i < watch->beats->workers && i < HEARTBEAT_WORKERS_MAX; i++) {
		uint64_t turns = heartbeat_turns(watch->beats, i);

		if (forgive || turns != watch->turns[i]) {
			watch->turns[i] = turns;
			watch->moved[i] = now;
			watch->suspected[i] = false;
		} else if (hangs(watch, i, now - watch->moved[i])) {
			hanging = (int)i;
		}
	}
	return hanging;
}

/* The heartbeat of the process that runs now; a file that its predecessor left does not count. */
static bool find_heartbeat(struct unit *unit, uint64_t now)
{
	struct heartbeat_watch *watch = &unit->watch;

	if (watch->beats && watch->pid == unit->child.pid)
		return true;
	heartbeat_close(watch->beats);
	char *path = text_format("%s/" INSTANCE_HEARTBEAT, unit->folder);
	watch->beats = heartbeat_open(path);
	free(path);
	if (!watch->beats)
		return false;
	if (watch->beats->pid != (uint32_t)unit->child.pid) {
		heartbeat_close(watch->beats);
		watch->beats = NULL;
		return false;
	}
	watch->pid = unit->child.pid;
	begin_watch(watch, now);
	return true;
}

static bool all_have_turned(const struct heartbeat_watch *watch)
{
	bool turned = watch->beats->workers > 0;

	for (unsigned i = 0; i < watch->beats->workers && i < HEARTBEAT_WORKERS_MAX; i++)
		turned = turned && heartbeat_turns(watch->beats, i) > 0;
	return turned;
}

/* One that was taken up need not say again that it is ready: its workers have turned in its former life. */
static bool is_watched(struct unit *unit, uint64_t now)
{
	if (unit->child.pid <= 0 || unit->hung)
		return false;
	if (unit->state == UNIT_READY)
		return find_heartbeat(unit, now);
	return unit->state == UNIT_STARTING && !unit->child.ours && find_heartbeat(unit, now) &&
	       all_have_turned(&unit->watch);
}

static void watch_unit(struct unit *unit, uint64_t now, bool forgive)
{
	int worker;

	if (!is_watched(unit, now))
		return;
	worker = heartbeat_look(&unit->watch, now, forgive);
	if (worker < 0)
		return;
	unit->hung = true;
	atomic_fetch_add(&unit->manager->hangs, 1);
	child_signal(&unit->child, SIGKILL);
	events_add(unit->manager->events, "vnf-hung", unit->name,
	           json_pack("{s:i,s:i,s:i}", "pid", (int)unit->child.pid, "worker", worker, "milliseconds",
	                     WATCHDOG_HANG_MS),
	           "worker %d has not turned for %d ms, process %d killed", worker, WATCHDOG_HANG_MS,
	           (int)unit->child.pid);
	log_warn("vnf-hung", "unit=%s pid=%d worker=%d", unit->name, (int)unit->child.pid, worker);
}

void *watchdog_run(void *argument)
{
	struct manager *manager = argument;
	uint64_t last = unit_now();
	bool stopping = false;

	while (!stopping) {
		poll(NULL, 0, WATCHDOG_EVERY_MS);
		uint64_t now = unit_now();
		pthread_mutex_lock(&manager->lock);
		for (size_t i = 0; i < manager->services_count; i++)
			for (size_t j = 0; j < manager->services[i]->units_count; j++)
				watch_unit(manager->services[i]->units[j], now, now - last > FORGIVE_MS);
		stopping = manager->stopping;
		pthread_mutex_unlock(&manager->lock);
		last = now;
	}
	return NULL;
}
