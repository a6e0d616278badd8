/* SPDX-License-Identifier: BSD-3-Clause */
/* Processes from their start until they are ready, and how soon they are started again. Keepers' threads. See keeper.h. */
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "lifecycle/credentials.h"
#include "lifecycle/keeper.h"
#include "manage/log.h"

enum {
	IDLE_MS = 2000,    /* until the first look at one that is ready */
	STUCK_MS = 60000,  /* a service process that is still not ready then is started anew */
	SILENT_MS = 15000, /* and one that has listened and answers nothing at all for so long */
};

/* --- starting --- */

void keeper_back_off(struct unit *unit, uint64_t served)
{
	uint64_t delay = backoff_end(&unit->backoff, served);

	unit->start_at = unit_now() + delay;
	keeper_set_state(unit, delay ? UNIT_BACKING_OFF : UNIT_STARTING);
}

void keeper_start_at_once(struct unit *unit)
{
	backoff_forget(&unit->backoff);
	unit->start_at = 0;
}

void keeper_take_wish(struct unit *unit)
{
	struct wish wish;

	pthread_mutex_lock(&unit->manager->lock);
	wish = wish_copy(&unit->wish);
	unit->running_wish = unit->asked;
	pthread_mutex_unlock(&unit->manager->lock);
	wish_clear(&unit->running);
	unit->running = wish;
}

struct instance keeper_instance(const struct unit *unit, const struct wish *wish)
{
	const struct host *host = &unit->manager->host;

	return (struct instance){
		.folder = unit->folder,
		.kept = unit->kept,
		.program = wish->program,
		.netns = wish->netns,
		.cores = wish->cores,
		.control = host->control_list,
		.cpus = host->count > 1 ? &host->control : NULL,
		.hugepages = wish->hugepages,
		.memory_mb = wish->memory_mb,
		.document = wish->document,
		.label = wish->digest,
		.standby = -1,
	};
}

/* Before it runs: whatever becomes of us, the next life knows of it. */
static void note_start(void *user, const struct child *child)
{
	struct unit *unit = user;

	pthread_mutex_lock(&unit->manager->lock);
	unit->since = (int64_t)time(NULL);
	pthread_mutex_unlock(&unit->manager->lock);
	unit_record_start(unit, child);
}

/* Whether the child runs; the struct is put in place under the lock, because the watchdog signals by it. */
static bool launch(struct unit *unit, struct errors *errors)
{
	const struct driver *driver = unit->manager->driver;
	struct instance instance = keeper_instance(unit, &unit->running);
	struct child child;

	instance.note = note_start;
	instance.user = unit;
	succession_end(unit); /* one that was about to leave */
	if (host_socket_alive(unit->socket)) {
		errors_add(errors, NULL, "socket-taken", NULL, 0,
		           "a process that is not ours listens on %s: stop it", unit->socket);
		return false;
	}
	if (!driver->create(&instance, errors) ||
	    !credentials_issue(unit->manager, unit->folder, unit->name, unit->running.document, errors))
		return false;
	unit->log_from = driver->log_size(unit->folder);
	if (!driver->start(&instance, &child, errors))
		return false;
	pthread_mutex_lock(&unit->manager->lock);
	unit->child = child;
	unit->hung = unit->drift = false;
	memcpy(unit->digest, unit->running.digest, sizeof(unit->digest));
	unit->state = UNIT_STARTING;
	pthread_mutex_unlock(&unit->manager->lock);
	return true;
}

void keeper_begin(struct unit *unit)
{
	struct errors errors = ERRORS_NONE;

	keeper_take_wish(unit);
	unit->started = unit_now();
	if (launch(unit, &errors)) {
		unit_say_started(unit);
	} else {
		keeper_refuse(unit, unit->running_wish, &errors);
		keeper_back_off(unit, 0);
	}
	errors_free(&errors);
}

/* --- until it is ready --- */

static void announce_ready(struct unit *unit)
{
	uint64_t now = unit_now();

	events_add(unit->manager->events, "vnf-ready", unit->name,
	           json_pack("{s:I}", "milliseconds", (json_int_t)(now - unit->started)),
	           "ready after %" PRIu64 " ms", now - unit->started);
	log_info("vnf-ready", "unit=%s milliseconds=%" PRIu64, unit->name, now - unit->started);
	if (unit->exit_seen) {
		events_add(unit->manager->events, "vnf-healed", unit->name,
		           json_pack("{s:I}", "milliseconds", (json_int_t)(now - unit->exit_seen)),
		           "back %" PRIu64 " ms after its end", now - unit->exit_seen);
		log_info("vnf-healed", "unit=%s milliseconds=%" PRIu64, unit->name, now - unit->exit_seen);
	}
	unit->exit_seen = 0;
}

static bool is_silent(const struct unit *unit)
{
	uint64_t since = unit->answered > unit->started ? unit->answered : unit->started;

	return unit_now() - since > SILENT_MS;
}

/* A hop may wait for its peer as long as it takes; but one of a former life whose folder was taken away is of no use. */
static bool is_stuck(const struct unit *unit)
{
	uint64_t waited = unit_now() - unit->started;

	if (!unit->child.ours && waited > KEEPER_TAKEN_UP_MS && !host_socket_alive(unit->socket))
		return true;
	if (is_silent(unit) && host_socket_alive(unit->socket))
		return true;
	return !*unit->vnf && waited > STUCK_MS;
}

/* It runs, and we cannot speak with it: it is of another version. */
static void reject(struct unit *unit, struct errors *errors)
{
	keeper_refuse(unit, unit->running_wish, errors);
	keeper_take_away(unit);
	keeper_count_restart(unit);
	keeper_back_off(unit, 0);
}

/* Whether it speaks as we do. One that a former life started moves packets, and is left alone. */
static bool greet(struct unit *unit)
{
	struct errors errors = ERRORS_NONE;

	if (health_greet(unit, &errors))
		return true;
	if (!unit->child.ours)
		unit_set_error(unit, errors.list[0].detail);
	else
		reject(unit, &errors);
	bool fine = unit->child.pid > 0;
	errors_free(&errors);
	return fine;
}

/* One that was taken up may still run what was wished in a former life: then its document is on its way yet. */
static bool runs_wish(struct unit *unit)
{
	pthread_mutex_lock(&unit->manager->lock);
	bool same = strcmp(unit->digest, unit->running.digest) == 0;
	pthread_mutex_unlock(&unit->manager->lock);
	return same;
}

void keeper_await_ready(struct unit *unit)
{
	if (!unit->taking && health_ready(unit)) {
		if (!greet(unit))
			return;
		unit->ready_since = unit_now();
		unit->next_probe = unit->ready_since + IDLE_MS;
		health_remember(unit);
		unit_set_error(unit, NULL);
		keeper_set_state(unit, UNIT_READY);
		announce_ready(unit);
		if (runs_wish(unit))
			keeper_set_done(unit, unit->running_wish);
	} else if (is_stuck(unit)) {
		events_add(unit->manager->events, "vnf-unresponsive", unit->name, NULL,
		           "not ready after %u s, started anew",
		           (unsigned)((unit_now() - unit->started) / 1000));
		child_signal(&unit->child, SIGKILL);
	}
}
