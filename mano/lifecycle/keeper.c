/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The thread that keeps one process as it should be. Each turn looks at the orders and at the process, takes one step
 * towards what is wished, and waits for whatever comes next: its end (seen at once, by its pidfd), an order, or a time.
 */
#include "lifecycle/keeper.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>

#include "manage/log.h"

enum {
	READY_POLL_MS = 10,    /* between two looks at one that starts */
	PATIENT_POLL_MS = 100, /* the same after a while */
	PATIENT_AFTER_MS = 3000,
	IDLE_MS = 2000, /* between two looks at what nobody wants any more */
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

void keeper_set_state(struct unit *unit, enum unit_state state)
{
	pthread_mutex_lock(&unit->manager->lock);
	unit->state = state;
	pthread_mutex_unlock(&unit->manager->lock);
}

void keeper_count_restart(struct unit *unit)
{
	pthread_mutex_lock(&unit->manager->lock);
	unit->restarts++;
	pthread_mutex_unlock(&unit->manager->lock);
}

void keeper_set_done(struct unit *unit, uint64_t wish)
{
	unit_set_error(unit, NULL); /* what runs is what is wished: of what was refused its operation tells */
	pthread_mutex_lock(&unit->manager->lock);
	unit->done = wish > unit->done ? wish : unit->done;
	pthread_cond_broadcast(&unit->manager->settled);
	pthread_mutex_unlock(&unit->manager->lock);
}

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

/* --- a process that runs --- */

/* Nothing to change but the number of the wish. */
static void confirm(struct unit *unit, uint64_t wish)
{
	unit->running_wish = wish;
	keeper_set_done(unit, wish);
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

/* It may wait for a peer that will never come now. But one that was just taken up most likely is ready, and need only say so. */
static bool waits_in_vain(const struct unit *unit, const struct orders *orders)
{
	bool patient = !unit->child.ours && unit_now() - unit->started < KEEPER_TAKEN_UP_MS;

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
		keeper_replace(unit, heal);
	else
		keeper_succeed(unit);
}

static void step(struct unit *unit, const struct orders *orders)
{
	int status;

	succession_tend(unit);
	if (unit->child.pid > 0 && child_ended(&unit->child, &status))
		keeper_on_end(unit, status);
	if (!orders->wished || is_succeeded(unit, orders))
		return;
	if (orders->restart && unit->child.pid > 0) {
		restart(unit, orders->heal);
		return;
	}
	if (orders->restart)
		keeper_start_at_once(unit);
	if (unit->child.pid <= 0) {
		if (orders->adjust && unit->running_wish < orders->wish)
			keeper_start_at_once(unit); /* what kept ending is not what is wished now */
		if (unit_now() >= unit->start_at)
			keeper_begin(unit);
	} else if (unit->state == UNIT_STARTING) {
		keeper_await_ready(unit);
		if (waits_in_vain(unit, orders))
			keeper_replace(unit, false);
	} else if (orders->adjust && unit_now() >= unit->push_at) {
		keeper_adjust(unit);
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
	keeper_take_wish(unit);
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
	if (unit->recalled && unit->child.pid <= 0) {
		events_add(unit->manager->events, "vnf-exited", unit->name, NULL, "found dead");
		unit->exit_seen = unit_now();
		keeper_count_restart(unit);
	}
	for (;;) {
		struct orders orders = take_orders(unit);

		if (orders.leave)
			return NULL;
		if (orders.stop) {
			keeper_end(unit);
			return NULL;
		}
		step(unit, &orders);
		await(unit);
	}
}
