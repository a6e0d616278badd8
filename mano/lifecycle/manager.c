/* SPDX-License-Identifier: BSD-3-Clause */
/* The manager's own life, and its list of services. See manager.h. */
#include "lifecycle/manager.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lifecycle/credentials.h"
#include "lifecycle/operation.h"
#include "lifecycle/unit.h"
#include "lifecycle/watchdog.h"
#include "util/atomic_file.h"
#include "util/memory.h"

/* So many event ids are set aside for each life, so that no id is ever given twice: at ten a second they last for more than three years, and there are eight million lives before
 * numbers in JSON are exact no more. */
enum { EVENT_IDS = 1 << 30 };

/* --- services --- */

struct service *manager_service(const struct manager *manager, const char *name)
{
	for (size_t i = 0; i < manager->services_count; i++)
		if (strcmp(manager->services[i]->name, name) == 0)
			return manager->services[i];
	return NULL;
}

struct service *manager_add_service(struct manager *manager, const char *name)
{
	struct service *service = manager_service(manager, name);
	size_t at = manager->services_count;

	if (service)
		return service;
	service = memory_new(1, sizeof(*service));
	service->name = text_copy(name);
	manager->services =
	        memory_grow(manager->services, manager->services_count, sizeof(*manager->services));
	for (; at > 0 && strcmp(manager->services[at - 1]->name, name) > 0; at--)
		manager->services[at] = manager->services[at - 1];
	manager->services[at] = service;
	manager->services_count++;
	return service;
}

static void clear_builds(struct service *service)
{
	for (size_t i = 0; i < service->builds_count; i++) {
		free(service->builds[i].vnf);
		free(service->builds[i].program);
	}
	free(service->builds);
	service->builds = NULL;
	service->builds_count = 0;
}

static void service_free(struct service *service)
{
	clear_builds(service);
	conf_free(service->document);
	free(service->units);
	free(service->name);
	free(service);
}

void manager_remove_service(struct manager *manager, struct service *service)
{
	size_t kept = 0;

	for (size_t i = 0; i < manager->services_count; i++)
		if (manager->services[i] != service)
			manager->services[kept++] = manager->services[i];
	manager->services_count = kept;
	service_free(service);
}

struct unit *service_unit(const struct service *service, const char *vnf)
{
	for (size_t i = 0; service && i < service->units_count; i++)
		if (strcmp(service->units[i]->vnf, vnf) == 0)
			return service->units[i];
	return NULL;
}

struct unit *service_home(const struct service *service, const char *vnf)
{
	const struct conf *described = service ? descriptor_vnf(service->document, vnf) : NULL;

	if (described && !descriptor_fused(service->document, described))
		return service_unit(service, vnf);
	return described || (service && !*vnf) ? service_unit(service, "") : NULL;
}

const char *service_build(const struct service *service, const char *vnf)
{
	for (size_t i = 0; service && i < service->builds_count; i++)
		if (strcmp(service->builds[i].vnf, vnf) == 0)
			return service->builds[i].program;
	return NULL;
}

static void take_build(void *user, const struct store_build *build)
{
	struct service *service = manager_service(user, build->service);

	if (!service)
		return;
	service->builds = memory_grow(service->builds, service->builds_count, sizeof(*service->builds));
	service->builds[service->builds_count++] =
	        (struct build){ text_copy(build->vnf), text_copy(build->program) };
}

bool manager_load_builds(struct manager *manager, struct errors *errors)
{
	for (size_t i = 0; i < manager->services_count; i++)
		clear_builds(manager->services[i]);
	return store_builds(manager->store, take_build, manager, errors);
}

/* --- life --- */

bool manager_make_folder(const char *path, struct errors *errors)
{
	char *copy = text_copy(path);
	int error = 0;

	for (char *slash = strchr(copy + 1, '/'); slash && !error; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		error = mkdir(copy, 0755) && errno != EEXIST ? errno : 0;
		*slash = '/';
	}
	if (!error && mkdir(copy, 0755) && errno != EEXIST)
		error = errno;
	if (error)
		errors_add(errors, NULL, "cannot-write", NULL, 0, "cannot make the folder %s: %s", path,
		           strerror(error));
	free(copy);
	return error == 0;
}

static void read_boot(struct manager *manager)
{
	char *text = NULL;
	size_t length = 0;
	FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (file && getline(&text, &length, file) > 0)
		snprintf(manager->boot, sizeof(manager->boot), "%.36s", text);
	if (file)
		fclose(file);
	free(text);
}

static void make_locks(struct manager *manager)
{
	pthread_condattr_t clock;

	pthread_mutex_init(&manager->credentials, NULL);
	pthread_mutex_init(&manager->change, NULL);
	pthread_mutex_init(&manager->lock, NULL);
	pthread_condattr_init(&clock);
	pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
	pthread_cond_init(&manager->settled, &clock);
	pthread_condattr_destroy(&clock);
}

static bool open_memory(struct manager *manager, struct errors *errors)
{
	uint64_t first;

	if (!manager_make_folder(manager->options.run_folder, errors) ||
	    !manager_make_folder(manager->options.state_folder, errors) ||
	    !credentials_open(manager->options.state_folder, errors))
		return false;
	manager->store = store_open(manager->options.state_folder, errors);
	if (manager->store && manager->options.revisions)
		store_keep(manager->store, manager->options.revisions);
	first = manager->store ? store_reserve(manager->store, "event", EVENT_IDS, errors) : 0;
	if (!first)
		return false;
	manager->life = first;
	manager->events = events_new(0, first);
	return manager->events != NULL;
}

struct manager *manager_new(const struct manager_options *options, struct errors *errors)
{
	struct manager *manager = memory_new(1, sizeof(*manager));

	manager->options = *options;
	manager->limits = (struct descriptor_limits){ options->run_folder, options->program_folder };
	manager->driver = &process_driver;
	host_read(&manager->host);
	read_boot(manager);
	make_locks(manager);
	if (open_memory(manager, errors)) {
		manager->watching = pthread_create(&manager->watchdog, NULL, watchdog_run, manager) == 0;
		if (manager->watching)
			return manager;
		errors_add(errors, NULL, "no-resources", NULL, 0, "there is no thread to be had");
	}
	manager_free(manager);
	return NULL;
}

void manager_stop(struct manager *manager)
{
	pthread_mutex_lock(&manager->lock);
	manager->stopping = true;
	pthread_cond_broadcast(&manager->settled);
	pthread_mutex_unlock(&manager->lock);
}

bool manager_is_stopping(struct manager *manager)
{
	pthread_mutex_lock(&manager->lock);
	bool stopping = manager->stopping;
	pthread_mutex_unlock(&manager->lock);
	return stopping;
}

/* Operations notice that we stop, and leave themselves to the next life. */
static void await_operations(struct manager *manager)
{
	manager_stop(manager);
	if (manager->confirming) /* first: it begins operations */
		pthread_join(manager->confirmer, NULL);
	pthread_mutex_lock(&manager->lock);
	while (manager->operations)
		pthread_cond_wait(&manager->settled, &manager->lock);
	pthread_mutex_unlock(&manager->lock);
	if (manager->watching)
		pthread_join(manager->watchdog, NULL);
}

struct ending {
	struct unit **list;
	size_t count;
};

/* Processes that end do so in two turns, hops first; whoever is left to the next life is left at once. */
static bool is_its_turn(const struct manager *manager, const struct unit *unit, bool hops)
{
	return !manager->options.stop_on_exit || !hops == !*unit->vnf;
}

/* Takes the units of a service whose turn it is off it, and tells their keepers; lock held. */
static void tell_end(struct manager *manager, struct service *service, bool hops, struct ending *ending)
{
	size_t kept = 0;

	for (size_t i = 0; i < service->units_count; i++) {
		struct unit *unit = service->units[i];

		if (!is_its_turn(manager, unit, hops)) {
			service->units[kept++] = unit;
			continue;
		}
		ending->list = memory_grow(ending->list, ending->count, sizeof(*ending->list));
		ending->list[ending->count++] = unit;
		if (manager->options.stop_on_exit)
			unit_ask_stop(unit);
		else
			unit_ask_leave(unit);
	}
	service->units_count = kept;
}

/* Tells all keepers at once, for each takes up to a second, then waits for them; the units are gone then. */
static void end_units(struct manager *manager, bool hops)
{
	struct ending ending = { NULL, 0 };

	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < manager->services_count; i++)
		tell_end(manager, manager->services[i], hops, &ending);
	pthread_mutex_unlock(&manager->lock);
	for (size_t i = 0; i < ending.count; i++)
		unit_join(ending.list[i]);
	free(ending.list);
}

void manager_free(struct manager *manager)
{
	if (!manager)
		return;
	await_operations(manager);
	end_units(manager, true);
	end_units(manager, false);
	for (size_t i = 0; i < manager->services_count; i++) /* units look for services until they end */
		service_free(manager->services[i]);
	free(manager->services);
	events_free(manager->events);
	store_close(manager->store);
	pthread_cond_destroy(&manager->settled);
	pthread_mutex_destroy(&manager->lock);
	pthread_mutex_destroy(&manager->change);
	pthread_mutex_destroy(&manager->credentials);
	free(manager);
}

/* --- waiting for operations --- */

json_t *manager_wait(struct manager *manager, uint64_t op, unsigned milliseconds, struct errors *errors)
{
	uint64_t until = unit_now() + milliseconds;

	for (;;) {
		json_t *shown = store_op(manager->store, op, errors);
		enum op_state state;
		uint64_t now = unit_now(), next = now + 100 < until ? now + 100 : until;
		struct timespec when = { (time_t)(next / 1000), (long)(next % 1000) * 1000000 };

		if (!shown || now >= until ||
		    (op_state_parse(json_string_value(json_object_get(shown, "state")), &state) &&
		     op_rests(state)))
			return shown;
		json_decref(shown);
		pthread_mutex_lock(&manager->lock);
		bool stopping = manager->stopping;
		if (!stopping)
			pthread_cond_timedwait(&manager->settled, &manager->lock, &when);
		pthread_mutex_unlock(&manager->lock);
		if (stopping)
			until = 0;
	}
}
