/* SPDX-License-Identifier: BSD-3-Clause */
/* Operations from their beginning, and again from what the store remembers of them. On the thread of whoever asks. See operation.h. */
#include <stdlib.h>
#include <string.h>

#include "lifecycle/operation_private.h"
#include "lifecycle/unit.h"
#include "util/memory.h"

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

		if (operation_names(services, service))
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

static bool commit(struct manager *manager, uint64_t op, const struct targets *targets,
                   const struct store_reason *reason, struct errors *errors)
{
	struct store_change *changes = memory_new(targets->count, sizeof(*changes));

	for (size_t i = 0; i < targets->count; i++) {
		json_t *json = targets->list[i].document ? conf_to_json(targets->list[i].document) : NULL;

		changes[i].service = targets->list[i].name;
		changes[i].document = json ? json_dumps(json, JSON_COMPACT) : NULL;
		json_decref(json);
	}
	bool fine = store_commit(manager->store, op, changes, targets->count, reason, errors);
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

static const char *kind_of(const struct targets *targets)
{
	for (size_t i = 0; i < targets->count; i++)
		if (targets->list[i].document)
			return "apply";
	return "delete";
}

bool operation_apply(struct manager *manager, const struct targets *targets, const char *kind,
                     const struct store_reason *reason, uint64_t *id, struct errors *errors)
{
	char *subject = subject_of(targets);

	kind = kind ? kind : kind_of(targets);
	*id = store_op_new(manager->store, kind, subject, reason->author, errors);
	free(subject);
	if (!*id || !commit(manager, *id, targets, reason, errors))
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
	return operation_start(operation_new(manager, *id, kind, names), errors);
}

bool operation_upgrade(struct manager *manager, const char *subject, const struct store_build *builds,
                       size_t count, unsigned timeout_s, const char *author, uint64_t *id,
                       struct errors *errors)
{
	json_t *details = json_pack("{s:i}", "timeout", (int)timeout_s);

	*id = store_op_new(manager->store, "upgrade", subject, author, errors);
	bool written = *id && store_op_note(manager->store, *id, details, errors) &&
	               store_commit_builds(manager->store, *id, builds, count, errors);
	json_decref(details);
	if (!written)
		return false;
	json_t *names = store_op_services(manager->store, *id, errors);
	pthread_mutex_lock(&manager->lock);
	bool known = manager_load_builds(manager, errors);
	pthread_mutex_unlock(&manager->lock);
	supersede(manager, names, *id);
	if (!names || !known) {
		json_decref(names);
		return false;
	}
	struct operation *op = operation_new(manager, *id, "upgrade", names);
	op->timeout_s = timeout_s;
	return operation_start(op, errors);
}

/* --- restarts, and operations that the store remembers --- */

static unsigned timeout_of(struct manager *manager, uint64_t id, struct errors *errors)
{
	json_t *details = store_op_details(manager->store, id, errors);
	json_int_t seconds = json_integer_value(json_object_get(details, "timeout"));

	json_decref(details);
	return (unsigned)seconds;
}

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

		op = operation_new(manager, id, kind,
		                   restarts ? json_pack("[s]", service)
		                            : store_op_services(manager->store, id, errors));
		op->vnf = restarts && slash ? text_copy(slash + 1) : NULL;
		op->timeout_s = timeout_of(manager, id, errors);
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
	if (state != OP_STARTING)
		return operation_start(op, errors);
	operation_put(op, OP_ROLLED_BACK, 100, "the orchestrator ended before anything was changed", NULL);
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

/* The processes that a restart is about: whoever carries it on knows by them which have been replaced already. */
static json_t *subjects(struct manager *manager, const char *name, const char *vnf)
{
	json_t *processes = json_object();

	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, name);
	struct unit *home = vnf ? service_home(service, vnf) : NULL;
	for (size_t i = 0; service && i < service->units_count; i++) {
		const struct unit *unit = service->units[i];

		if (!vnf || unit == home)
			json_object_set_new(
			        processes, unit->name,
			        json_pack("[i,I]", (int)unit->child.pid, (json_int_t)unit->child.start_time));
	}
	pthread_mutex_unlock(&manager->lock);
	return json_pack("{s:o}", "processes", processes);
}

/* Notes the processes that a restart is about. */
static bool note_subjects(struct manager *manager, uint64_t id, const char *service, const char *vnf,
                          struct errors *errors)
{
	json_t *details = subjects(manager, service, vnf);
	bool noted = store_op_note(manager->store, id, details, errors);

	json_decref(details);
	return noted;
}

bool operation_retry(struct manager *manager, uint64_t id, struct errors *errors)
{
	struct operation *op = waiting(manager, id, errors);

	if (!op)
		return false;
	bool restarts = strcmp(op->kind, "heal") == 0 || strcmp(op->kind, "restart") == 0;
	if (restarts && !note_subjects(manager, id, json_string_value(json_array_get(op->services, 0)),
	                               op->vnf, errors)) {
		operation_free(op);
		return false;
	}
	operation_put(op, OP_PROCESSING, 0, "tried again", NULL);
	return operation_start(op, errors);
}

bool operation_fail(struct manager *manager, uint64_t id, struct errors *errors)
{
	struct operation *op = waiting(manager, id, errors);

	if (!op)
		return false;
	operation_put(op, OP_FAILED, 100, "given up", NULL);
	operation_free(op);
	return true;
}

bool operation_roll_back(struct manager *manager, uint64_t id, struct errors *errors)
{
	struct operation *op = waiting(manager, id, errors);

	if (!op)
		return false;
	if (!operation_go_back(op, errors)) {
		operation_free(op);
		return false;
	}
	free(op->kind);
	op->kind = text_copy("apply");
	return operation_start(op, errors);
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
	if (!note_subjects(manager, id, service, vnf, errors)) {
		json_decref(names);
		return 0;
	}
	supersede(manager, names, id);
	op = operation_new(manager, id, kind, names);
	op->vnf = text_copy(vnf);
	operation_put(op, OP_PROCESSING, 0, "asked for", NULL);
	return operation_start(op, errors) ? id : 0;
}
