/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The first minute of a life: services from the store, processes of a former life taken up by keepers, operations
 * carried on, and what belongs to nobody any more cleaned away. One thread, before REST listens.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lifecycle/converge.h"
#include "lifecycle/leftovers.h"
#include "lifecycle/operation.h"
#include "lifecycle/unit.h"
#include "manage/log.h"
#include "util/memory.h"

static void take_service(void *user, const char *name, uint64_t revision, const char *document)
{
	struct manager *manager = user;
	struct errors errors = ERRORS_NONE;
	struct service *service = manager_add_service(manager, name);
	json_t *json = document ? json_loads(document, 0, NULL) : NULL;

	service->revision = revision;
	service->going = document == NULL;
	service->document = json ? conf_from_json(json, &errors) : conf_new(NULL, CONF_GROUP, NULL);
	if (!service->document)
		service->document = conf_new(NULL, CONF_GROUP, NULL);
	json_decref(json);
	errors_free(&errors);
}

/* A unit that the store knows: it has no wish yet, and its keeper starts when it has. */
static void take_process(void *user, const struct store_process *process)
{
	struct manager *manager = user;
	struct service *service = manager_add_service(manager, process->service);
	struct unit *unit = unit_new(manager, process->service, process->vnf);

	if (!service->document) { /* of a service that was forgotten before its processes were */
		service->document = conf_new(NULL, CONF_GROUP, NULL);
		service->going = true;
	}
	unit_recall(unit, process);
	unit->wish.cores = text_copy(process->cores);
	service->units = memory_grow(service->units, service->units_count, sizeof(*service->units));
	service->units[service->units_count++] = unit;
}

static void service_process_first(struct service *service)
{
	for (size_t i = 1; i < service->units_count; i++) {
		struct unit *unit = service->units[i];

		if (!*unit->vnf) {
			service->units[i] = service->units[0];
			service->units[0] = unit;
		}
	}
}

static json_t *all_names(struct manager *manager)
{
	json_t *names = json_array();

	for (size_t i = 0; i < manager->services_count; i++)
		json_array_append_new(names, json_string(manager->services[i]->name));
	return names;
}

/* Keepers of recalled units start before wishes are given to the others: then all are alike. */
static bool start_recalled(struct manager *manager, struct errors *errors)
{
	for (size_t i = 0; i < manager->services_count; i++) {
		struct service *service = manager->services[i];

		service_process_first(service);
		for (size_t j = 0; j < service->units_count; j++)
			if (!unit_start(service->units[j], errors))
				return false;
	}
	return true;
}

/* Their wishes must be there before their keepers are: so they are given to units that do not run yet. */
static bool wish_recalled(struct manager *manager, const struct targets *targets, struct errors *errors)
{
	struct core_use use = manager_core_use(manager);
	bool shared, fine = true;

	for (size_t i = 0; i < targets->count && fine; i++) {
		const struct target *target = &targets->list[i];
		struct service *service = manager_service(manager, target->name);

		for (size_t j = 0; j < target->renderings.count && fine; j++) {
			struct unit *unit = service_unit(service, target->renderings.list[j].vnf);
			struct wish wish;

			if (!unit)
				continue;
			fine = target_wish(manager, target, &target->renderings.list[j], unit, &use, &wish,
			                   &shared, errors);
			unit_wish(unit, &wish);
		}
	}
	return fine;
}

/* --- operations --- */

static void resume(struct manager *manager, enum op_state state)
{
	struct errors errors = ERRORS_NONE;
	json_t *ops = store_ops(manager->store, op_state_name(state), &errors), *op;
	size_t i;

	json_array_foreach(ops, i, op)
	{
		uint64_t id = (uint64_t)json_integer_value(json_object_get(op, "id"));

		if (!operation_resume(manager, id, state, &errors))
			log_error("op-not-resumed", "op=%llu error=%s", (unsigned long long)id,
			          errors.list[0].detail);
	}
	json_decref(ops);
	errors_free(&errors);
}

/* Services that are to go and that no operation sees to: processes without a service. */
static void delete_orphans(struct manager *manager)
{
	struct targets targets = { NULL, 0 };
	json_t *names = json_array();

	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; i < manager->services_count; i++)
		if (manager->services[i]->going && !manager->services[i]->op)
			json_array_append_new(names, json_string(manager->services[i]->name));
	pthread_mutex_unlock(&manager->lock);
	converge_targets(manager, names, &targets);
	converge_finish(manager, &targets);
	targets_free(&targets);
	json_decref(names);
}

/* --- what the dead left --- */

static void clean_leftover(void *user, const char *name, enum leftover kind)
{
	struct manager *manager = user;
	struct errors errors = ERRORS_NONE;

	if (kind == LEFTOVER_ALIVE)
		log_warn("foreign-process", "folder=%s/%s", manager->options.run_folder, name);
	else if (kind != LEFTOVER_FOREIGN && leftover_remove(manager, name, kind, &errors))
		log_info("folder-cleaned", "folder=%s/%s", manager->options.run_folder, name);
	errors_free(&errors);
}

static void clean_tap(void *user, const struct tap_left *tap)
{
	struct errors errors = ERRORS_NONE;

	(void)user;
	if (leftover_remove_tap(tap, &errors))
		log_info("tap-removed", "tap=%s netns=%s folder=%s", tap->name, tap->netns, tap->folder);
	errors_free(&errors);
}

/* --- all --- */

static bool start_confirmer(struct manager *manager, struct errors *errors)
{
	struct store_moment now = manager_moment(manager);

	if (!store_confirms_recall(manager->store, &now, errors))
		return false;
	manager->confirming = pthread_create(&manager->confirmer, NULL, confirm_run, manager) == 0;
	if (!manager->confirming)
		errors_add(errors, NULL, "no-resources", NULL, 0, "there is no thread to be had");
	return manager->confirming;
}

bool manager_recover(struct manager *manager, struct errors *errors)
{
	struct targets targets = { NULL, 0 };
	json_t *names;
	bool fine;

	pthread_mutex_lock(&manager->lock);
	fine = store_services(manager->store, take_service, manager, errors) &&
	       store_processes(manager->store, take_process, manager, errors) &&
	       manager_load_builds(manager, errors);
	names = all_names(manager);
	pthread_mutex_unlock(&manager->lock);
	converge_targets(manager, names, &targets);
	json_decref(names);
	pthread_mutex_lock(&manager->lock);
	fine = fine && wish_recalled(manager, &targets, errors) && start_recalled(manager, errors);
	pthread_mutex_unlock(&manager->lock);
	fine = fine && converge_begin(manager, &targets, errors);
	targets_free(&targets);
	if (!fine)
		return false;
	resume(manager, OP_STARTING);
	resume(manager, OP_PROCESSING);
	resume(manager, OP_ROLLING_BACK);
	delete_orphans(manager);
	leftovers_each(manager, clean_leftover, manager);
	leftovers_taps(manager, clean_tap, NULL);
	return start_confirmer(manager, errors);
}
