/* SPDX-License-Identifier: BSD-3-Clause */
/* The threads of operations: applies, restarts, and what a former life began. See operation.h. */
#include "lifecycle/operation_private.h"

#include <stdlib.h>
#include <string.h>

#include "lifecycle/converge.h"
#include "manage/log.h"
#include "manage/problem.h"
#include "util/memory.h"

/* How long processes must be ready after an upgrade, and how often that is looked at. */
enum { HOLD_MS = 2000, HOLD_LOOK_MS = 20 };

/* --- words --- */

/* Writes a state down; the store is asked again and again by nobody else, so a failure is only logged. */
void operation_put(struct operation *op, enum op_state state, unsigned progress, const char *message,
                   const struct errors *found)
{
	struct errors errors = ERRORS_NONE;
	json_t *list = found ? problem_errors(found) : NULL;

	if (!store_op_set(op->manager->store, op->id, op_state_name(state), progress, message, list, &errors))
		log_error("store-failed", "op=%llu error=%s", (unsigned long long)op->id,
		          errors.list[0].detail);
	json_decref(list);
	errors_free(&errors);
}

static void say(const struct operation *op, const char *kind, const char *message)
{
	char *subject = text_format("op/%llu", (unsigned long long)op->id),
	     *services = json_dumps(op->services, 0);

	events_add(op->manager->events, kind, subject,
	           json_pack("{s:s,s:O}", "kind", op->kind, "services", op->services), "%s of %s: %s",
	           op->kind, services, message);
	log_info(kind, "op=%llu kind=%s services=%s message=%s", (unsigned long long)op->id, op->kind,
	         services, message);
	free(services);
	free(subject);
}

static void on_progress(void *user, const struct convergence *now)
{
	struct operation *op = user;
	char *message = text_format("%zu of %zu processes are as they should be", now->settled - now->refused,
	                            now->units);
	unsigned progress =
	        now->units ? (unsigned)(10 + 80 * (now->settled - now->refused) / now->units) : 90;

	operation_put(op, op->back ? OP_ROLLING_BACK : OP_PROCESSING, progress, message, NULL);
	free(message);
}

static uint64_t deadline_of(const struct operation *op)
{
	unsigned seconds = op->timeout_s ? op->timeout_s : op->manager->options.ready_timeout_s;

	return unit_now() + 1000 * (uint64_t)seconds;
}

/* --- applying --- */

static bool converge(struct operation *op, struct errors *errors)
{
	struct targets targets = { NULL, 0 };
	bool fine;

	converge_targets(op->manager, op->services, &targets);
	fine = converge_begin(op->manager, &targets, errors) &&
	       converge_wait(op->manager, &targets, deadline_of(op), on_progress, op, errors);
	if (fine || op->back)
		converge_finish(op->manager, &targets);
	targets_free(&targets);
	return fine;
}

struct reload {
	struct manager *manager;
	const json_t *names;
};

bool operation_names(const json_t *names, const char *name)
{
	json_t *item;
	size_t i;

	json_array_foreach(names, i, item) if (strcmp(json_string_value(item), name) == 0) return true;
	return false;
}

/* What should be of one service, as the store has it. */
static void reload_one(void *user, const char *name, uint64_t revision, const char *document)
{
	struct reload *reload = user;
	struct errors errors = ERRORS_NONE;
	struct service *service = manager_service(reload->manager, name);
	json_t *json = document ? json_loads(document, 0, NULL) : NULL;
	struct conf *conf = json ? conf_from_json(json, &errors) : NULL;

	json_decref(json);
	errors_free(&errors);
	if (!service || !operation_names(reload->names, name)) {
		conf_free(conf);
		return;
	}
	service->going = !conf;
	service->revision = revision;
	if (!conf)
		return;
	conf_free(service->document);
	service->document = conf;
}

bool operation_go_back(struct operation *op, struct errors *errors)
{
	struct reload reload = { op->manager, op->services };

	if (!store_roll_back(op->manager->store, op->id, errors))
		return false;
	pthread_mutex_lock(&op->manager->lock);
	bool fine = store_services(op->manager->store, reload_one, &reload, errors) &&
	            manager_load_builds(op->manager, errors);
	pthread_mutex_unlock(&op->manager->lock);
	op->back = true;
	return fine;
}

static void roll_back(struct operation *op, struct errors *why)
{
	struct errors errors = ERRORS_NONE;

	operation_put(op, OP_ROLLING_BACK, 50, "going back to what was there before", why);
	if (!converge(op, &errors) && manager_is_stopping(op->manager)) {
		errors_free(&errors);
		return;
	}
	operation_put(op, OP_ROLLED_BACK, 100,
	              errors_any(&errors)
	                      ? "what was there before is wanted again, but not all of it is ready yet"
	                      : "back at what was there before",
	              NULL);
	say(op, "op-rolled-back", why && why->count ? why->list[0].detail : "rolled back");
	errors_free(&errors);
}

static void say_applied(const struct operation *op)
{
	json_t *name;
	size_t i;

	json_array_foreach(op->services, i, name)
	{
		pthread_mutex_lock(&op->manager->lock);
		const struct service *service = manager_service(op->manager, json_string_value(name));
		bool stays = service && !service->going;
		pthread_mutex_unlock(&op->manager->lock);
		if (stays)
			events_add(op->manager->events, "service-applied", json_string_value(name), NULL,
			           "as described");
	}
}

/* From here on whoever asked for a confirmation is waited for. */
static void complete(struct operation *op)
{
	struct errors errors = ERRORS_NONE;
	struct store_moment now = manager_moment(op->manager);

	if (!store_complete(op->manager->store, op->id, "done", &now, &errors))
		log_error("store-failed", "op=%llu error=%s", (unsigned long long)op->id,
		          errors.list[0].detail);
	errors_free(&errors);
	say(op, "op-completed", "done");
}

static void stop_failed(struct operation *op, const char *message, const struct errors *errors)
{
	operation_put(op, OP_FAILED_TEMP, 50, message, errors);
	say(op, "op-failed", errors->list[0].detail);
}

static void apply_failed(struct operation *op, struct errors *errors)
{
	atomic_fetch_add(&op->manager->ops_failed, 1);
	if (strcmp(op->kind, "undo") == 0)
		stop_failed(op, "what was there before is wanted again, but not all of it is ready", errors);
	else if (operation_go_back(op, errors))
		roll_back(op, errors);
	else
		stop_failed(op, "could not be carried out, nor rolled back", errors);
}

/* Whether all processes of the services are ready; else says which is not. lock held. */
static bool all_ready(struct operation *op, struct errors *errors)
{
	json_t *name;
	size_t i;

	json_array_foreach(op->services, i, name)
	{
		struct service *service = manager_service(op->manager, json_string_value(name));

		for (size_t j = 0; service && j < service->units_count; j++) {
			const struct unit *unit = service->units[j];

			if (unit->state == UNIT_READY)
				continue;
			errors_add(errors, NULL, "not-healthy", NULL, 0, "%s was ready, and is %s (%s)",
			           unit->name, unit_state_name(unit->state),
			           unit->error ? unit->error : "it has ended");
			return false;
		}
	}
	return true;
}

/* After an upgrade its processes must stay what they became: whoever ends in its first seconds was not ready at all. */
static bool hold(struct operation *op, struct errors *errors)
{
	uint64_t until = unit_now() + HOLD_MS;
	bool fine = true;

	if (strcmp(op->kind, "upgrade") != 0)
		return true;
	pthread_mutex_lock(&op->manager->lock);
	while (fine && unit_now() < until && !op->manager->stopping) {
		uint64_t next = unit_now() + HOLD_LOOK_MS;
		struct timespec when = { (time_t)(next / 1000), (long)(next % 1000) * 1000000 };

		pthread_cond_timedwait(&op->manager->settled, &op->manager->lock, &when);
		fine = all_ready(op, errors);
	}
	fine = fine && !op->manager->stopping;
	pthread_mutex_unlock(&op->manager->lock);
	return fine;
}

static void run_apply(struct operation *op)
{
	struct errors errors = ERRORS_NONE;

	if (op->back) {
		roll_back(op, NULL);
	} else if (converge(op, &errors) && hold(op, &errors)) {
		complete(op);
		say_applied(op);
	} else if (!manager_is_stopping(op->manager)) {
		apply_failed(op, &errors);
	}
	errors_free(&errors);
}

/* --- restarting --- */

/* Only those units that the restart is about. */
static void keep_subject(struct operation *op, struct targets *targets)
{
	for (size_t i = 0; op->vnf && i < targets->count; i++) {
		struct renderings *all = &targets->list[i].renderings;
		struct unit *home =
		        service_home(manager_service(op->manager, targets->list[i].name), op->vnf);
		size_t kept = 0;

		for (size_t j = 0; j < all->count; j++) {
			if (!home || strcmp(all->list[j].vnf, home->vnf) != 0)
				continue;
			struct rendering moved = all->list[kept];
			all->list[kept++] = all->list[j];
			all->list[j] = moved;
		}
		for (size_t j = kept; j < all->count; j++) {
			struct renderings rest = { memory_new(1, sizeof(struct rendering)), 1 };
			rest.list[0] = all->list[j];
			renderings_free(&rest);
		}
		all->count = kept;
	}
}

/* Whether the process that was to be replaced still runs (or none does): what was replaced in a former life is not
 * replaced again. lock held. */
static bool still_due(const json_t *processes, const struct unit *unit)
{
	json_t *noted = json_object_get(processes, unit->name);

	return !noted || unit->child.pid <= 0 ||
	       (json_integer_value(json_array_get(noted, 0)) == unit->child.pid &&
	        (uint64_t)json_integer_value(json_array_get(noted, 1)) == unit->child.start_time);
}

static void ask_restarts(struct operation *op, const struct targets *targets, const json_t *processes)
{
	bool heal = strcmp(op->kind, "heal") == 0;

	for (size_t i = 0; i < targets->count; i++) {
		struct service *service = manager_service(op->manager, targets->list[i].name);

		for (size_t j = 0; service && j < targets->list[i].renderings.count; j++) {
			struct unit *unit = service_unit(service, targets->list[i].renderings.list[j].vnf);

			if (unit && still_due(processes, unit))
				unit_ask_restart(unit, heal);
			else if (unit && unit_refused(unit))
				unit_ask_again(unit);
		}
	}
}

/* Waits until the keepers know which processes a former life has left; lock held. */
static void await_taken_up(struct manager *manager, const struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++) {
		struct service *service = manager_service(manager, targets->list[i].name);

		for (size_t j = 0; service && j < service->units_count;)
			if (service->units[j]->taken_up || manager->stopping)
				j++;
			else
				pthread_cond_wait(&manager->settled, &manager->lock);
	}
}

/* Whether all of the processes run, and what was asked of them was refused: successors did not come up. */
static bool none_disturbed(struct operation *op)
{
	struct errors ignored = ERRORS_NONE;
	bool fine;
	json_t *name;
	size_t i;

	pthread_mutex_lock(&op->manager->lock);
	fine = all_ready(op, &ignored);
	json_array_foreach(op->services, i, name)
	{
		struct service *service = manager_service(op->manager, json_string_value(name));

		for (size_t j = 0; fine && service && j < service->units_count; j++)
			fine = unit_settled(service->units[j]);
	}
	pthread_mutex_unlock(&op->manager->lock);
	errors_free(&ignored);
	return fine;
}

static void restart_failed(struct operation *op, const struct errors *errors)
{
	atomic_fetch_add(&op->manager->ops_failed, 1);
	if (!none_disturbed(op)) {
		stop_failed(op, "not ready in time; it is tried again and again", errors);
		return;
	}
	operation_put(op, OP_ROLLING_BACK, 50, "a successor did not come up", errors);
	operation_put(op, OP_ROLLED_BACK, 100, "what ran before runs on", NULL);
	say(op, "op-rolled-back", errors->list[0].detail);
}

static void run_restart(struct operation *op)
{
	struct targets targets = { NULL, 0 };
	struct errors errors = ERRORS_NONE;

	json_t *details = store_op_details(op->manager->store, op->id, &errors);

	converge_targets(op->manager, op->services, &targets);
	pthread_mutex_lock(&op->manager->lock);
	await_taken_up(op->manager, &targets);
	keep_subject(op, &targets);
	ask_restarts(op, &targets, json_object_get(details, "processes"));
	pthread_mutex_unlock(&op->manager->lock);
	json_decref(details);
	if (converge_wait(op->manager, &targets, deadline_of(op), on_progress, op, &errors)) {
		complete(op);
	} else if (!manager_is_stopping(op->manager)) {
		restart_failed(op, &errors);
	}
	errors_free(&errors);
	targets_free(&targets);
}

/* --- threads --- */

void operation_free(struct operation *op)
{
	json_decref(op->services);
	free(op->kind);
	free(op->vnf);
	free(op);
}

/* Marks its services as busy with an operation, or with none (0); lock held. */
static void mark(struct operation *op, uint64_t id)
{
	json_t *name;
	size_t i;

	json_array_foreach(op->services, i, name)
	{
		struct service *service = manager_service(op->manager, json_string_value(name));

		if (service)
			service->op = id;
	}
}

static void *run(void *argument)
{
	struct operation *op = argument;
	struct manager *manager = op->manager;

	say(op, "op-started", op->back ? "rolling back" : "under way");
	if (!op->back && (strcmp(op->kind, "heal") == 0 || strcmp(op->kind, "restart") == 0))
		run_restart(op);
	else
		run_apply(op);
	pthread_mutex_lock(&manager->lock);
	mark(op, 0);
	operation_free(op);
	manager->operations--;
	pthread_cond_broadcast(&manager->settled);
	pthread_mutex_unlock(&manager->lock);
	return NULL;
}

/* Takes the operation over. Its services are busy from here on. */
bool operation_start(struct operation *op, struct errors *errors)
{
	struct manager *manager = op->manager;
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_mutex_lock(&manager->lock);
	mark(op, op->id);
	manager->operations++;
	pthread_mutex_unlock(&manager->lock);
	atomic_fetch_add(&manager->ops_started, 1);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, 512 << 10);
	error = pthread_create(&thread, &attributes, run, op);
	pthread_attr_destroy(&attributes);
	if (!error)
		return true;
	errors_add(errors, NULL, "no-resources", NULL, 0, "cannot begin the operation: %s", strerror(error));
	pthread_mutex_lock(&manager->lock);
	mark(op, 0);
	manager->operations--;
	pthread_mutex_unlock(&manager->lock);
	operation_put(op, OP_FAILED_TEMP, 0, "no thread to be had", errors);
	operation_free(op);
	return false;
}

struct operation *operation_new(struct manager *manager, uint64_t id, const char *kind, json_t *services)
{
	struct operation *op = memory_new(1, sizeof(*op));

	*op = (struct operation){
		.manager = manager, .id = id, .kind = text_copy(kind), .services = services
	};
	return op;
}
