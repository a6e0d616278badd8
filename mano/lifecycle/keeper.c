/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread that keeps one process as it should be. Each turn looks at the orders and at the process, takes one step
 * towards what is wished, and waits for whatever comes next: its end (seen at once, by its pidfd), an order, or a time.
 */
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <time.h>

#include "lifecycle/credentials.h"
#include "lifecycle/unit.h"
#include "manage/log.h"
#include "util/memory.h"

enum {
	STOP_MS = 2000,        /* for a process to end by itself */
	READY_POLL_MS = 10,    /* between two looks at one that starts */
	PATIENT_POLL_MS = 100, /* the same after a while */
	PATIENT_AFTER_MS = 3000,
	IDLE_MS = 2000, /* between two looks at what nobody wants any more */
	PUSH_AGAIN_MS = 1000,
	HEALTHY_MS = 60000, /* after so long the past is forgotten */
	BACK_OFF_MS = 500,
	BACK_OFF_MAX_MS = 30000,
	STUCK_MS = 60000,   /* a service process that is still not ready then is started anew */
	TAKEN_UP_MS = 5000, /* one that was taken up and whose control socket is not there then, too */
	SILENT_MS = 15000,  /* and one that has listened and answers nothing at all for so long */
};

struct orders {
	bool stop, leave, restart, heal;
	bool adjust; /* what it runs is not what is wished, and that was not refused yet */
	bool same;   /* it is */
	bool wished; /* something is wished at all: a process that nobody wants any more is only waited for */
	uint64_t wish;
};

static struct orders take_orders(struct unit *unit)
{
	struct orders orders;

	pthread_mutex_lock(&unit->manager->lock);
	orders = (struct orders){ .stop = unit->stop,
		                  .leave = unit->leave,
		                  .restart = unit->restart,
		                  .heal = unit->heal,
		                  .wish = unit->asked };
	unit->restart = unit->heal = false;
	orders.wished = unit->wish.document != NULL;
	orders.same = orders.wished && strcmp(unit->digest, unit->wish.digest) == 0;
	orders.adjust = orders.wished && !orders.same && unit->refused < unit->asked;
	pthread_mutex_unlock(&unit->manager->lock);
	return orders;
}

static void set_state(struct unit *unit, enum unit_state state)
{
	pthread_mutex_lock(&unit->manager->lock);
	unit->state = state;
	pthread_mutex_unlock(&unit->manager->lock);
}

static void count_restart(struct unit *unit)
{
	pthread_mutex_lock(&unit->manager->lock);
	unit->restarts++;
	pthread_mutex_unlock(&unit->manager->lock);
}

static void set_done(struct unit *unit, uint64_t wish)
{
	pthread_mutex_lock(&unit->manager->lock);
	unit->done = wish > unit->done ? wish : unit->done;
	pthread_cond_broadcast(&unit->manager->settled);
	pthread_mutex_unlock(&unit->manager->lock);
}

/* Takes the errors over. */
void keeper_refuse(struct unit *unit, uint64_t wish, struct errors *errors)
{
	unit_set_error(unit, errors->count ? errors->list[0].detail : "it ended before it was ready");
	pthread_mutex_lock(&unit->manager->lock);
	errors_free(&unit->refusal);
	unit->refusal = *errors;
	unit->refused = wish;
	pthread_cond_broadcast(&unit->manager->settled);
	pthread_mutex_unlock(&unit->manager->lock);
	*errors = (struct errors)ERRORS_NONE;
}

/* --- starting --- */

/* At once the first time, then later and later. */
static void back_off(struct unit *unit)
{
	uint64_t delay = 0;

	if (unit->failures > 0)
		delay = unit->failures < 8 ? (uint64_t)BACK_OFF_MS << (unit->failures - 1) : BACK_OFF_MAX_MS;
	unit->failures++;
	unit->start_at = unit_now() + (delay < BACK_OFF_MAX_MS ? delay : BACK_OFF_MAX_MS);
	set_state(unit, delay ? UNIT_BACKING_OFF : UNIT_STARTING);
}

/* Takes the present wish as what is to be run from here on. */
static void take_wish(struct unit *unit)
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

/* Whether the child runs; the struct is put in place under the lock, because the watchdog signals by it. */
static bool launch(struct unit *unit, struct errors *errors)
{
	const struct driver *driver = unit->manager->driver;
	struct instance instance = keeper_instance(unit, &unit->running);
	struct child child;

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
	unit_record_launch(unit);
	if (!driver->start(&instance, &child, errors))
		return false;
	pthread_mutex_lock(&unit->manager->lock);
	unit->child = child;
	unit->hung = unit->drift = false;
	unit->since = (int64_t)time(NULL);
	memcpy(unit->digest, unit->running.digest, sizeof(unit->digest));
	unit->state = UNIT_STARTING;
	pthread_mutex_unlock(&unit->manager->lock);
	return true;
}

static void begin(struct unit *unit)
{
	struct errors errors = ERRORS_NONE;

	take_wish(unit);
	unit->started = unit_now();
	if (launch(unit, &errors)) {
		unit_record(unit);
		unit_say_started(unit);
	} else {
		keeper_refuse(unit, unit->running_wish, &errors);
		back_off(unit);
	}
	errors_free(&errors);
}

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

	if (!unit->child.ours && waited > TAKEN_UP_MS && !host_socket_alive(unit->socket))
		return true;
	if (is_silent(unit) && host_socket_alive(unit->socket))
		return true;
	return !*unit->vnf && waited > STUCK_MS;
}

/* It runs, and we cannot speak with it: it is of another version. */
static void reject(struct unit *unit, struct errors *errors)
{
	struct child child;

	keeper_refuse(unit, unit->running_wish, errors);
	pthread_mutex_lock(&unit->manager->lock);
	child = unit->child;
	unit->child = (struct child)CHILD_NONE;
	pthread_mutex_unlock(&unit->manager->lock);
	unit->manager->driver->stop(&child, STOP_MS);
	count_restart(unit);
	back_off(unit);
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

static void await_ready(struct unit *unit)
{
	if (!unit->taking && health_ready(unit)) {
		if (!greet(unit))
			return;
		unit->ready_since = unit_now();
		unit->next_probe = unit->ready_since + IDLE_MS;
		health_remember(unit);
		unit_set_error(unit, NULL);
		set_state(unit, UNIT_READY);
		announce_ready(unit);
		if (runs_wish(unit))
			set_done(unit, unit->running_wish);
	} else if (is_stuck(unit)) {
		events_add(unit->manager->events, "vnf-unresponsive", unit->name, NULL,
		           "not ready after %u s, started anew",
		           (unsigned)((unit_now() - unit->started) / 1000));
		child_signal(&unit->child, SIGKILL);
	}
}

/* --- ends --- */

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

static void forget_child(struct unit *unit)
{
	pthread_mutex_lock(&unit->manager->lock);
	child_forget(&unit->child);
	pthread_mutex_unlock(&unit->manager->lock);
}

static void on_end(struct unit *unit, int status)
{
	struct errors errors = ERRORS_NONE;
	uint64_t now = unit_now();
	bool was_ready = unit->state == UNIT_READY, ours = unit->child.ours;

	say_ended(unit, status);
	forget_child(unit);
	if (!unit->exit_seen)
		unit->exit_seen = now;
	if (was_ready && now - unit->ready_since > HEALTHY_MS)
		unit->failures = 0;
	if (!was_ready && ours) { /* one of a former life says nothing of what is wished now */
		health_explain(unit, &errors);
		keeper_refuse(unit, unit->running_wish, &errors);
	}
	count_restart(unit);
	atomic_fetch_add(&unit->manager->restarts, 1);
	back_off(unit);
}

/* A restart that was asked for: no failure, and at once. */
static void replace(struct unit *unit, bool kill)
{
	struct child child;

	set_state(unit, UNIT_STARTING);
	if (kill)
		child_signal(&unit->child, SIGKILL);
	pthread_mutex_lock(&unit->manager->lock);
	child = unit->child;
	unit->child = (struct child)CHILD_NONE;
	pthread_mutex_unlock(&unit->manager->lock);
	unit->manager->driver->stop(&child, STOP_MS);
	count_restart(unit);
	unit->failures = 0;
	unit->start_at = 0;
	begin(unit);
}

/* Another executable or another shape takes the place of what runs: beside it if there is room for both, else after it. */
static void succeed(struct unit *unit)
{
	if (!succession_begin(unit))
		replace(unit, false);
}

/* --- changes of a running process --- */

static void adopt_document(struct unit *unit)
{
	struct instance instance = keeper_instance(unit, &unit->running);
	struct errors errors = ERRORS_NONE;

	/* Should this fail, the process runs right and its next start brings the document anyway: begin() writes it. */
	if (!unit->manager->driver->create(&instance, &errors))
		unit_set_error(unit, errors.list[0].detail);
	errors_free(&errors);
	health_remember(unit);
	unit_set_digest(unit, unit->running.digest);
}

static void adjust(struct unit *unit)
{
	struct errors errors = ERRORS_NONE;
	char former[UNIT_DIGEST];
	bool reshapes;

	pthread_mutex_lock(&unit->manager->lock);
	reshapes = unit->digest[0] && wish_reshapes(unit->digest, unit->wish.digest);
	pthread_mutex_unlock(&unit->manager->lock);
	if (reshapes) {
		succeed(unit);
		return;
	}
	take_wish(unit);
	memcpy(former, unit->digest, sizeof(former));
	unit_forget_document(unit);
	switch (health_push(unit, &unit->running, &errors)) {
	case PUSH_DONE:
		adopt_document(unit);
		set_done(unit, unit->running_wish);
		break;
	case PUSH_RESTART:
		unit_set_digest(unit, former);
		succeed(unit);
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

/* Nothing to change but the number of the wish. */
static void confirm(struct unit *unit, uint64_t wish)
{
	unit->running_wish = wish;
	set_done(unit, wish);
}

static void look_after(struct unit *unit)
{
	if (!health_probe_due(unit) || health_probe(unit))
		return;
	events_add(unit->manager->events, "vnf-unresponsive", unit->name, NULL,
	           "its control socket has not answered %u times, killed", unit->misses);
	log_warn("vnf-unresponsive", "unit=%s", unit->name);
	unit->misses = 0;
	child_signal(&unit->child, SIGKILL);
}

/* --- turns --- */

static void end(struct unit *unit)
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
		unit->manager->driver->stop(&child, STOP_MS);
	unit->manager->driver->destroy(unit->folder);
	if (!store_process_drop(unit->manager->store, unit->service, unit->vnf, &errors))
		log_error("store-failed", "unit=%s error=%s", unit->name, errors.list[0].detail);
	errors_free(&errors);
	events_add(unit->manager->events, "vnf-stopped", unit->name, NULL, "stopped and removed");
	log_info("vnf-stopped", "unit=%s", unit->name);
	set_state(unit, UNIT_STOPPED);
	set_done(unit, UINT64_MAX);
}

/* It may wait for a peer that will never come now. But one that was just taken up most likely is ready, and need only say so. */
static bool waits_in_vain(const struct unit *unit, const struct orders *orders)
{
	bool patient = !unit->child.ours && unit_now() - unit->started < TAKEN_UP_MS;

	return unit->state == UNIT_STARTING && unit->child.pid > 0 && orders->adjust &&
	       unit->running_wish < orders->wish && !patient;
}

/* Whether a successor is on its way to what is wished; else it is given up. */
static bool is_succeeded(struct unit *unit, const struct orders *orders)
{
	if (!succession_under_way(unit))
		return false;
	if (orders->restart || unit->next.number < orders->wish) {
		succession_drop(unit);
		return false;
	}
	succession_look(unit);
	if (unit->state == UNIT_READY && unit->child.pid > 0)
		look_after(unit);
	return true;
}

static void restart(struct unit *unit, bool heal)
{
	if (heal || unit->state != UNIT_READY)
		replace(unit, heal);
	else
		succeed(unit);
}

static void step(struct unit *unit, const struct orders *orders)
{
	int status;

	succession_tend(unit);
	if (unit->child.pid > 0 && child_ended(&unit->child, &status))
		on_end(unit, status);
	if (!orders->wished || is_succeeded(unit, orders))
		return;
	if (orders->restart && unit->child.pid > 0) {
		restart(unit, orders->heal);
		return;
	}
	if (orders->restart)
		unit->start_at = unit->failures = 0;
	if (unit->child.pid <= 0) {
		if (orders->adjust && unit->running_wish < orders->wish)
			unit->start_at = unit->failures = 0; /* what kept ending is not what is wished now */
		if (unit_now() >= unit->start_at)
			begin(unit);
	} else if (unit->state == UNIT_STARTING) {
		await_ready(unit);
		if (waits_in_vain(unit, orders))
			replace(unit, false);
	} else if (orders->adjust && unit_now() >= unit->push_at) {
		adjust(unit);
	} else {
		if (orders->same && unit->running_wish < orders->wish)
			confirm(unit, orders->wish);
		look_after(unit);
	}
}

static int patience(const struct unit *unit)
{
	uint64_t now = unit_now(), until = unit->next_probe;

	if (succession_under_way(unit))
		return unit->state == UNIT_READY ? PATIENT_POLL_MS : READY_POLL_MS;
	if (unit->state == UNIT_STARTING && unit->child.pid > 0)
		return now - unit->started < PATIENT_AFTER_MS ? READY_POLL_MS : PATIENT_POLL_MS;
	if (unit->child.pid <= 0)
		until = unit->start_at;
	if (!unit->running.document)
		return IDLE_MS;
	if (unit->push_at > now && unit->push_at < until)
		until = unit->push_at;
	return until > now ? (int)(until - now) : 0;
}

static void await(struct unit *unit)
{
	struct pollfd set[] = { { .fd = unit->wake, .events = POLLIN },
		                { .fd = unit->child.pidfd, .events = POLLIN },
		                { .fd = unit->next.line, .events = POLLIN },
		                { .fd = unit->next.standby.pidfd, .events = POLLIN },
		                { .fd = unit->next.leaving.pidfd, .events = POLLIN } };
	eventfd_t ignored;

	if (poll(set, sizeof(set) / sizeof(*set), patience(unit)) > 0 && (set[0].revents & POLLIN))
		eventfd_read(unit->wake, &ignored);
}

/* What a former life left: by the store's word (unit_recall), else by looking for it. */
static void look_for_predecessor(struct unit *unit)
{
	unit->started = unit_now();
	succession_take_up(unit);
	if (unit->child.pid <= 0)
		return;
	take_wish(unit);
	unit->log_from = unit->manager->driver->log_size(unit->folder);
	events_add(unit->manager->events, "vnf-adopted", unit->name,
	           json_pack("{s:i}", "pid", (int)unit->child.pid), "process %d runs on",
	           (int)unit->child.pid);
	log_info("vnf-adopted", "unit=%s pid=%d", unit->name, (int)unit->child.pid);
}

static void take_up(struct unit *unit)
{
	look_for_predecessor(unit);
	pthread_mutex_lock(&unit->manager->lock);
	unit->taken_up = true;
	pthread_cond_broadcast(&unit->manager->settled);
	pthread_mutex_unlock(&unit->manager->lock);
}

void *keeper_run(void *argument)
{
	struct unit *unit = argument;
	take_up(unit);
	if (unit->recalled && !unit->launching && unit->child.pid <= 0) {
		events_add(unit->manager->events, "vnf-exited", unit->name, NULL, "found dead");
		unit->exit_seen = unit_now();
		count_restart(unit);
	}
	for (;;) {
		struct orders orders = take_orders(unit);

		if (orders.leave)
			return NULL;
		if (orders.stop) {
			end(unit);
			return NULL;
		}
		step(unit, &orders);
		await(unit);
	}
}
