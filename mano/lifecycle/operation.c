/* SPDX-License-Identifier: BSD-3-Clause */
/* The threads of operations: applies, restarts, and what a former life began. See operation.h. */
#include "lifecycle/operation.h"

#include <stdlib.h>
#include <string.h>

#include "lifecycle/converge.h"
#include "manage/log.h"
#include "manage/problem.h"
#include "util/memory.h"

struct operation {
	struct manager *manager;
	uint64_t id;
	json_t *services; /* names */
	char *kind, *vnf; /* vnf: of a restart; NULL: all of the service */
	bool back;        /* begins in ROLLING_BACK */
	bool resumed;     /* a restart was asked for already, in a former life */
};

/* --- words --- */

/* Writes a state down; the store is asked again and again by nobody else, so a failure is only logged. */
static void put(struct operation *op, enum op_state state, unsigned progress, const char *message,
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

	put(op, op->back ? OP_ROLLING_BACK : OP_PROCESSING, progress, message, NULL);
	free(message);
}

static uint64_t deadline_of(const struct operation *op)
{
	return unit_now() + 1000 * (uint64_t)op->manager->options.ready_timeout_s;
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

static bool is_named(const json_t *names, const char *name)
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
	if (!service || !is_named(reload->names, name)) {
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

static bool go_back(struct operation *op, struct errors *errors)
{
	struct reload reload = { op->manager, op->services };

	if (!store_roll_back(op->manager->store, op->id, errors))
		return false;
	pthread_mutex_lock(&op->manager->lock);
	bool fine = store_services(op->manager->store, reload_one, &reload, errors);
	pthread_mutex_unlock(&op->manager->lock);
	op->back = true;
	return fine;
}

static bool is_stopping(struct manager *manager)
{
	pthread_mutex_lock(&manager->lock);
	bool stopping = manager->stopping;
	pthread_mutex_unlock(&manager->lock);
	return stopping;
}

static void roll_back(struct operation *op, struct errors *why)
{
	struct errors errors = ERRORS_NONE;

	put(op, OP_ROLLING_BACK, 50, "going back to what was there before", why);
	if (!converge(op, &errors) && is_stopping(op->manager)) {
		errors_free(&errors);
		return;
	}
	put(op, OP_ROLLED_BACK, 100,
	    errors_any(&errors) ? "what was there before is wanted again, but not all of it is ready yet"
	                        : "back at what was there before",
	    NULL);
	say(op, "op-rolled-back", why && why->count ? why->list[0].detail : "rolled back");
	errors_free(&errors);
}

static void say_applied(const struct operation *op)
{
	json_t *name;
	size_t i;

	json_array_foreach(op->services, i, name) events_add(op->manager->events, "service-applied",
	                                                     json_string_value(name), NULL, "as described");
}

static void run_apply(struct operation *op)
{
	struct errors errors = ERRORS_NONE;

	if (op->back) {
		roll_back(op, NULL);
	} else if (converge(op, &errors)) {
		put(op, OP_COMPLETED, 100, "done", NULL);
		say_applied(op);
		say(op, "op-completed", "done");
	} else if (!is_stopping(op->manager)) {
		atomic_fetch_add(&op->manager->ops_failed, 1);
		if (go_back(op, &errors)) {
			roll_back(op, &errors);
		} else {
			put(op, OP_FAILED_TEMP, 50, "could not be carried out, nor rolled back", &errors);
			say(op, "op-failed", errors.list[0].detail);
		}
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

static void ask_restarts(struct operation *op, const struct targets *targets)
{
	bool heal = strcmp(op->kind, "heal") == 0;

	for (size_t i = 0; i < targets->count; i++) {
		struct service *service = manager_service(op->manager, targets->list[i].name);

		for (size_t j = 0; service && j < targets->list[i].renderings.count; j++) {
			struct unit *unit = service_unit(service, targets->list[i].renderings.list[j].vnf);

			if (unit)
				unit_ask_restart(unit, heal);
		}
	}
}

static void run_restart(struct operation *op)
{
	struct targets targets = { NULL, 0 };
	struct errors errors = ERRORS_NONE;

	converge_targets(op->manager, op->services, &targets);
	pthread_mutex_lock(&op->manager->lock);
	keep_subject(op, &targets);
	if (!op->resumed)
		ask_restarts(op, &targets);
	pthread_mutex_unlock(&op->manager->lock);
	if (converge_wait(op->manager, &targets, deadline_of(op), on_progress, op, &errors)) {
		put(op, OP_COMPLETED, 100, "done", NULL);
		say(op, "op-completed", "done");
	} else if (!is_stopping(op->manager)) {
		atomic_fetch_add(&op->manager->ops_failed, 1);
		put(op, OP_FAILED_TEMP, 50, "not ready in time; it is tried again and again", &errors);
		say(op, "op-failed", errors.list[0].detail);
	}
	errors_free(&errors);
	targets_free(&targets);
}

/* --- threads --- */

static void operation_free(struct operation *op)
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
	if (strcmp(op->kind, "heal") == 0 || strcmp(op->kind, "restart") == 0)
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
static bool start(struct operation *op, struct errors *errors)
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
	put(op, OP_FAILED_TEMP, 0, "no thread to be had", errors);
	operation_free(op);
	return false;
}

static struct operation *new_operation(struct manager *manager, uint64_t id, const char *kind,
                                       json_t *services)
{
	struct operation *op = memory_new(1, sizeof(*op));

	*op = (struct operation){
		.manager = manager, .id = id, .kind = text_copy(kind), .services = services
	};
	return op;
}

/* --- applies from their beginning --- */

/* An operation that waits in FAILED_TEMP gives way to the next on its service. */
static void supersede(struct manager *manager, const json_t *services, uint64_t by)
{
	struct errors errors = ERRORS_NONE;
	json_t *waiting = store_ops(manager->store, op_state_name(OP_FAILED_TEMP), &errors), *op;
	char *message = text_format("given up for operation %llu", (unsigned long long)by);
	size_t i;

	json_array_foreach(waiting, i, op)
	{
		const char *subject = json_string_value(json_object_get(op, "subject"));
		char *service = text_copy_n(subject, strcspn(subject, "/,"));

		if (is_named(services, service))
			store_op_set(manager->store, (uint64_t)json_integer_value(json_object_get(op, "id")),
			             op_state_name(OP_FAILED), 100, message, NULL, &errors);
		free(service);
	}
	free(message);
	json_decref(waiting);
	errors_free(&errors);
}

/* What should be, in memory as it is in the store; lock held. */
static void take_targets(struct manager *manager, const struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++) {
		const struct target *target = &targets->list[i];
		struct service *service = manager_add_service(manager, target->name);

		service->going = !target->document;
		if (!target->document)
			continue;
		conf_free(service->document);
		service->document = conf_clone(target->document);
	}
}

static bool commit(struct manager *manager, uint64_t op, const struct targets *targets, const char *author,
                   struct errors *errors)
{
	struct store_change *changes = memory_new(targets->count, sizeof(*changes));

	for (size_t i = 0; i < targets->count; i++) {
		json_t *json = targets->list[i].document ? conf_to_json(targets->list[i].document) : NULL;

		changes[i].service = targets->list[i].name;
		changes[i].document = json ? json_dumps(json, JSON_COMPACT) : NULL;
		json_decref(json);
	}
	bool fine = store_commit(manager->store, op, changes, targets->count, author, errors);
	for (size_t i = 0; i < targets->count; i++)
		free((char *)(uintptr_t)changes[i].document);
	free(changes);
	return fine;
}

/* The revisions that the store has given. */
static void take_revision(void *user, const char *name, uint64_t revision, const char *document)
{
	struct service *service = manager_service(user, name);

	(void)document;
	if (service)
		service->revision = revision;
}

static char *subject_of(const struct targets *targets)
{
	char *text = text_copy("");

	for (size_t i = 0; i < targets->count && strlen(text) < 200; i++) {
		char *longer = text_format("%s%s%s", text, i ? "," : "", targets->list[i].name);
		free(text);
		text = longer;
	}
	return text;
}

bool operation_apply(struct manager *manager, const struct targets *targets, const char *author, uint64_t *id,
                     struct errors *errors)
{
	char *subject = subject_of(targets);
	bool deletes = true;

	for (size_t i = 0; i < targets->count; i++)
		deletes &= !targets->list[i].document;
	*id = store_op_new(manager->store, deletes ? "delete" : "apply", subject, author, errors);
	free(subject);
	if (!*id || !commit(manager, *id, targets, author, errors))
		return false;
	json_t *names = store_op_services(manager->store, *id, errors);
	pthread_mutex_lock(&manager->lock);
	take_targets(manager, targets);
	bool known = store_services(manager->store, take_revision, manager, errors);
	pthread_mutex_unlock(&manager->lock);
	supersede(manager, names, *id);
	if (!names || !known) {
		json_decref(names);
		return false;
	}
	return start(new_operation(manager, *id, deletes ? "delete" : "apply", names), errors);
}

/* --- restarts, and operations that the store remembers --- */

static struct operation *remembered(struct manager *manager, uint64_t id, enum op_state *state,
                                    struct errors *errors)
{
	json_t *shown = store_op(manager->store, id, errors);
	struct operation *op = NULL;

	if (shown && op_state_parse(json_string_value(json_object_get(shown, "state")), state)) {
		const char *kind = json_string_value(json_object_get(shown, "kind")),
		           *subject = json_string_value(json_object_get(shown, "subject")),
		           *slash = strchr(subject, '/');
		bool restarts = strcmp(kind, "heal") == 0 || strcmp(kind, "restart") == 0;
		char *service = text_copy_n(subject, strcspn(subject, "/"));

		op = new_operation(manager, id, kind,
		                   restarts ? json_pack("[s]", service)
		                            : store_op_services(manager->store, id, errors));
		op->vnf = restarts && slash ? text_copy(slash + 1) : NULL;
		free(service);
	} else {
		errors_add(errors, NULL, "not-found", NULL, 0, "there is no operation %llu",
		           (unsigned long long)id);
	}
	json_decref(shown);
	return op;
}

bool operation_resume(struct manager *manager, uint64_t id, enum op_state state, struct errors *errors)
{
	enum op_state stored;
	struct operation *op = remembered(manager, id, &stored, errors);

	if (!op)
		return false;
	op->back = state == OP_ROLLING_BACK;
	op->resumed = true;
	if (state != OP_STARTING)
		return start(op, errors);
	put(op, OP_ROLLED_BACK, 100, "the orchestrator ended before anything was changed", NULL);
	operation_free(op);
	return true;
}

/* A task of an operation that waits in FAILED_TEMP; NULL with an error if it does not. */
static struct operation *waiting(struct manager *manager, uint64_t id, struct errors *errors)
{
	enum op_state state;
	struct operation *op = remembered(manager, id, &state, errors);

	if (!op || op_may(state, OP_FAILED))
		return op;
	errors_add(errors, NULL, "conflict", NULL, 0,
	           "operation %llu is %s: only one in FAILED_TEMP can be retried, failed "
	           "or rolled back",
	           (unsigned long long)id, op_state_name(state));
	operation_free(op);
	return NULL;
}

bool operation_retry(struct manager *manager, uint64_t id, struct errors *errors)
{
	struct operation *op = waiting(manager, id, errors);

	if (!op)
		return false;
	put(op, OP_PROCESSING, 0, "tried again", NULL);
	return start(op, errors);
}

bool operation_fail(struct manager *manager, uint64_t id, struct errors *errors)
{
	struct operation *op = waiting(manager, id, errors);

	if (!op)
		return false;
	put(op, OP_FAILED, 100, "given up", NULL);
	operation_free(op);
	return true;
}

bool operation_roll_back(struct manager *manager, uint64_t id, struct errors *errors)
{
	struct operation *op = waiting(manager, id, errors);

	if (!op)
		return false;
	if (!go_back(op, errors)) {
		operation_free(op);
		return false;
	}
	free(op->kind);
	op->kind = text_copy("apply");
	return start(op, errors);
}

static bool is_busy(struct manager *manager, const char *name, struct errors *errors)
{
	uint64_t under_way;

	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, name);
	under_way = service ? service->op : 0;
	pthread_mutex_unlock(&manager->lock);
	if (under_way)
		errors_add(errors, NULL, "busy", NULL, 0,
		           "operation %llu of service \"%s\" is under way: wait for it",
		           (unsigned long long)under_way, name);
	return under_way != 0;
}

uint64_t manager_restart(struct manager *manager, const char *service, const char *vnf, bool heal,
                         const char *author, struct errors *errors)
{
	if (is_busy(manager, service, errors))
		return 0;
	const char *kind = heal ? "heal" : "restart";
	char *subject = vnf ? text_format("%s/%s", service, vnf) : text_copy(service);
	json_t *names = json_pack("[s]", service);
	uint64_t id = store_op_new(manager->store, kind, subject, author, errors);
	struct operation *op;

	free(subject);
	if (!id) {
		json_decref(names);
		return 0;
	}
	supersede(manager, names, id);
	op = new_operation(manager, id, kind, names);
	op->vnf = text_copy(vnf);
	put(op, OP_PROCESSING, 0, "asked for", NULL);
	return start(op, errors) ? id : 0;
}
