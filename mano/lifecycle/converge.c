/* SPDX-License-Identifier: BSD-3-Clause */
/* Making what is into what should be. See converge.h. */
#include "lifecycle/converge.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "manage/log.h"
#include "util/memory.h"

/* How long running hops may take over their new document before the service process gets its own all the same. */
enum { HOPS_FIRST_MS = 300 };

/* And how long a hop that is to go, and has ended just now, may take to be back with its sessions: whoever has its function then takes them
 * over. */
enum { LEAVING_MS = 2000 };

void converge_targets(struct manager *manager, const json_t *names, struct targets *targets)
{
	json_t *name;
	size_t i;

	pthread_mutex_lock(&manager->lock);
	json_array_foreach(names, i, name)
	{
		const char *text = json_string_value(name);
		struct service *service = manager_service(manager, text);

		if (service)
			targets_add(targets, text, service->going ? NULL : conf_clone(service->document),
			            text_format("services[%s]", text));
	}
	pthread_mutex_unlock(&manager->lock);
	targets_render(manager, targets);
}

/* --- wishes --- */

static void say_shared(struct manager *manager, const struct unit *unit, const char *cores)
{
	events_add(manager->events, "cores-shared", unit->name, json_pack("{s:s}", "cores", cores),
	           "fewer free cores than workers: cores %s are shared", cores);
	log_warn("cores-shared", "unit=%s cores=%s", unit->name, cores);
}

/* Adds a unit to its service, the service process at the front; lock held. NULL with an error. */
static struct unit *add_unit(struct manager *manager, struct service *service, const char *vnf,
                             struct wish *wish, struct errors *errors)
{
	struct unit *unit = unit_new(manager, service->name, vnf);

	unit_wish(unit, wish);
	if (!unit_start(unit, errors)) {
		unit_join(unit);
		return NULL;
	}
	service->units = memory_grow(service->units, service->units_count, sizeof(*service->units));
	if (!*vnf && service->units_count) {
		memmove(service->units + 1, service->units, service->units_count * sizeof(*service->units));
		service->units[0] = unit;
	} else {
		service->units[service->units_count] = unit;
	}
	service->units_count++;
	return unit;
}

static bool wish_one(struct manager *manager, const struct target *target, const struct rendering *rendering,
                     struct core_use *use, struct errors *errors)
{
	struct service *service = manager_service(manager, target->name);
	struct unit *unit = service_unit(service, rendering->vnf);
	struct wish wish;
	bool shared;

	if (!target_wish(manager, target, rendering, unit, use, &wish, &shared, errors))
		return false;
	char *cores = text_copy(wish.cores);
	if (unit)
		unit_wish(unit, &wish);
	else
		unit = add_unit(manager, service, rendering->vnf, &wish, errors);
	if (unit && shared)
		say_shared(manager, unit, cores);
	wish_clear(&wish);
	free(cores);
	return unit != NULL;
}

/* Wishes for the hops of all targets, or for their service processes. */
static bool wish_all(struct manager *manager, const struct targets *targets, bool hops, struct errors *errors)
{
	bool fine = true;

	pthread_mutex_lock(&manager->lock);
	struct core_use use = manager_core_use(manager);
	for (size_t i = 0; i < targets->count; i++) {
		const struct target *target = &targets->list[i];

		for (size_t j = 0; j < target->renderings.count; j++)
			if (!hops == !*target->renderings.list[j].vnf)
				fine &= wish_one(manager, target, &target->renderings.list[j], &use, errors);
	}
	pthread_mutex_unlock(&manager->lock);
	return fine;
}

/* --- waiting --- */

/* Calls each unit that the targets want; lock held. */
static void each_unit(struct manager *manager, const struct targets *targets,
                      void (*visit)(void *user, const struct target *target,
                                    const struct rendering *rendering, struct unit *unit),
                      void *user)
{
	for (size_t i = 0; i < targets->count; i++) {
		const struct target *target = &targets->list[i];
		struct service *service = manager_service(manager, target->name);

		for (size_t j = 0; service && j < target->renderings.count; j++) {
			struct unit *unit = service_unit(service, target->renderings.list[j].vnf);

			if (unit)
				visit(user, target, &target->renderings.list[j], unit);
		}
	}
}

static void count_unit(void *user, const struct target *target, const struct rendering *rendering,
                       struct unit *unit)
{
	struct convergence *now = user;

	(void)target;
	(void)rendering;
	now->units++;
	now->settled += unit_settled(unit);
	now->refused += unit_refused(unit);
}

static void count_busy_hop(void *user, const struct target *target, const struct rendering *rendering,
                           struct unit *unit)
{
	(void)target;
	*(size_t *)user += *rendering->vnf && unit->state == UNIT_READY && !unit_settled(unit);
}

/* Waits on `settled`, lock held, at most until a time of unit_now(). */
static void await(struct manager *manager, uint64_t until)
{
	struct timespec when = { (time_t)(until / 1000), (long)(until % 1000) * 1000000 };

	pthread_cond_timedwait(&manager->settled, &manager->lock, &when);
}

static void let_hops_go_first(struct manager *manager, const struct targets *targets)
{
	uint64_t until = unit_now() + HOPS_FIRST_MS;
	size_t busy;

	pthread_mutex_lock(&manager->lock);
	do {
		busy = 0;
		each_unit(manager, targets, count_busy_hop, &busy);
		if (busy)
			await(manager, until);
	} while (busy && unit_now() < until && !manager->stopping);
	pthread_mutex_unlock(&manager->lock);
}

static bool wanted(const struct target *target, const char *vnf)
{
	for (size_t i = 0; i < target->renderings.count; i++)
		if (strcmp(target->renderings.list[i].vnf, vnf) == 0)
			return true;
	return false;
}

/* Hops of services that stay which no target wants any more and which are not there; lock held. */
static size_t count_missing(struct manager *manager, const struct targets *targets)
{
	size_t missing = 0;

	for (size_t i = 0; i < targets->count; i++) {
		const struct target *target = &targets->list[i];
		struct service *service = manager_service(manager, target->name);

		for (size_t j = 0; service && target->document && j < service->units_count; j++) {
			const struct unit *unit = service->units[j];

			missing += (unit->state == UNIT_STARTING || unit->state == UNIT_BACKING_OFF) &&
			           !wanted(target, unit->vnf);
		}
	}
	return missing;
}

static void let_leaving_hops_return(struct manager *manager, const struct targets *targets)
{
	uint64_t until = unit_now() + LEAVING_MS, step;

	pthread_mutex_lock(&manager->lock);
	while (count_missing(manager, targets) && unit_now() < until && !manager->stopping) {
		step = unit_now() + 20; /* readiness of what was not wished just now settles nothing */
		await(manager, step < until ? step : until);
	}
	pthread_mutex_unlock(&manager->lock);
}

bool converge_begin(struct manager *manager, const struct targets *targets, struct errors *errors)
{
	if (!wish_all(manager, targets, true, errors))
		return false;
	let_hops_go_first(manager, targets);
	let_leaving_hops_return(manager, targets);
	return wish_all(manager, targets, false, errors);
}

static void blame_refused(void *user, const struct target *target, const struct rendering *rendering,
                          struct unit *unit)
{
	struct errors *errors = user, found = ERRORS_NONE;

	for (size_t i = 0; unit_refused(unit) && i < unit->refusal.count; i++) {
		const struct error *error = &unit->refusal.list[i];
		char *path = render_source(rendering, error->path);

		errors_add(&found, path, error->code, NULL, 0, "%s", error->detail);
		free(path);
	}
	errors_move(errors, &found, target->prefix);
}

static void blame_late(void *user, const struct target *target, const struct rendering *rendering,
                       struct unit *unit)
{
	struct errors found = ERRORS_NONE;
	/* What the process behind a hop runs is its VNF. */
	char *path = render_source(rendering, *unit->vnf ? "functions[0]" : "");

	if (!unit_settled(unit))
		errors_add(&found, path, "not-ready", NULL, 0, "%s is not ready in time (%s)", unit->name,
		           unit->error ? unit->error : unit_state_name(unit->state));
	errors_move(user, &found, target->prefix);
	free(path);
}

bool converge_wait(struct manager *manager, const struct targets *targets, uint64_t deadline,
                   void (*progress)(void *user, const struct convergence *now), void *user,
                   struct errors *errors)
{
	size_t settled = (size_t)-1;
	struct convergence now;
	bool stopping;

	for (;;) {
		pthread_mutex_lock(&manager->lock);
		now = (struct convergence){ 0 };
		each_unit(manager, targets, count_unit, &now);
		stopping = manager->stopping;
		if (now.settled == settled && now.settled < now.units && !stopping)
			await(manager, deadline);
		pthread_mutex_unlock(&manager->lock);
		if (now.settled != settled)
			progress(user, &now);
		settled = now.settled;
		if (now.settled == now.units || now.refused || stopping || unit_now() >= deadline)
			break;
	}
	if (now.settled == now.units && !now.refused)
		return true;
	pthread_mutex_lock(&manager->lock);
	if (stopping)
		errors_add(errors, NULL, "stopping", NULL, 0, "the orchestrator is stopping");
	else
		each_unit(manager, targets, now.refused ? blame_refused : blame_late, errors);
	pthread_mutex_unlock(&manager->lock);
	return false;
}

/* --- taking away --- */

/* Takes units that are not wanted off their service and tells them to stop; answers them, lock held. */
static struct unit **take_off(struct service *service, const struct target *target, bool hops, size_t *count)
{
	struct unit **taken = memory_new(service->units_count + 1, sizeof(struct unit *));
	size_t kept = 0;

	*count = 0;
	for (size_t i = 0; i < service->units_count; i++) {
		struct unit *unit = service->units[i];

		if (!hops == !*unit->vnf && !wanted(target, unit->vnf)) {
			unit_ask_stop(unit);
			taken[(*count)++] = unit;
		} else {
			service->units[kept++] = unit;
		}
	}
	service->units_count = kept;
	return taken;
}

static void stop_surplus(struct manager *manager, const struct target *target, bool hops)
{
	struct unit **taken = NULL;
	size_t count = 0;

	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, target->name);
	if (service)
		taken = take_off(service, target, hops, &count);
	pthread_mutex_unlock(&manager->lock);
	for (size_t i = 0; i < count; i++)
		unit_join(taken[i]);
	free(taken);
}

static void forget(struct manager *manager, const struct target *target)
{
	struct errors errors = ERRORS_NONE;

	if (!store_forget(manager->store, target->name, &errors))
		log_error("store-failed", "service=%s error=%s", target->name, errors.list[0].detail);
	errors_free(&errors);
	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, target->name);
	if (service)
		manager_remove_service(manager, service);
	pthread_mutex_unlock(&manager->lock);
	events_add(manager->events, "service-deleted", target->name, NULL, "deleted");
	log_info("service-deleted", "service=%s", target->name);
}

void converge_finish(struct manager *manager, const struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++) {
		stop_surplus(manager, &targets->list[i], true);
		stop_surplus(manager, &targets->list[i], false);
		if (!targets->list[i].document)
			forget(manager, &targets->list[i]);
	}
}
