/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Changes of what should be: validated, admitted, written down as an operation, begun. On the caller's thread, which holds
 * `change`. See manager.h.
 */
#include <stdlib.h>
#include <string.h>

#include "lifecycle/operation.h"
#include "lifecycle/verify.h"
#include "util/memory.h"

/* --- gathering --- */

static bool names_service(const struct conf *resources, const char *name)
{
	return conf_item(conf_get(resources, "services"), "name", name) != NULL;
}

static void gather_documents(const struct conf *resources, struct targets *targets)
{
	const struct conf *services = conf_get(resources, "services");

	for (size_t i = 0; i < conf_count(services); i++)
		targets_add(targets, conf_string(conf_at(services, i), "name", ""),
		            conf_clone(conf_at(services, i)), text_format("services[%zu]", i));
}

static void gather_pruned(struct manager *manager, const struct change *change, struct targets *targets)
{
	pthread_mutex_lock(&manager->lock);
	for (size_t i = 0; change->prune && i < manager->services_count; i++)
		if (!names_service(change->resources, manager->services[i]->name) &&
		    !manager->services[i]->going)
			targets_add(targets, manager->services[i]->name, NULL, NULL);
	pthread_mutex_unlock(&manager->lock);
	for (const char *const *name = change->removed; name && *name; name++)
		targets_add(targets, *name, NULL, NULL);
}

/* --- what is different --- */

static void compare(struct manager *manager, struct target *target)
{
	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, target->name);
	const struct conf *before = service && !service->going ? service->document : NULL;
	target->is_new = !before;
	target->diff = schema_diff(service_schema, before, target->document);
	pthread_mutex_unlock(&manager->lock);
}

/* Services that stay as they are are none of the operation's business. */
static void drop_unchanged(struct targets *targets)
{
	size_t kept = 0;

	for (size_t i = 0; i < targets->count; i++) {
		struct target *target = &targets->list[i];

		if (target->diff.count || target->is_new || !target->document) {
			struct target keep = *target;

			*target = targets->list[kept];
			targets->list[kept++] = keep;
		}
	}
	for (size_t i = kept; i < targets->count; i++) {
		conf_diff_free(&targets->list[i].diff);
		renderings_free(&targets->list[i].renderings);
		conf_free(targets->list[i].document);
		free(targets->list[i].name);
		free(targets->list[i].prefix);
	}
	targets->count = kept;
}

/* --- validating --- */

static bool validate_one(struct manager *manager, struct target *target, struct errors *errors)
{
	struct errors found = ERRORS_NONE;
	bool valid = descriptor_check(target->document, &manager->limits, &found);

	errors_move(errors, &found, target->prefix);
	return valid;
}

static void verify_one(struct manager *manager, struct target *target, struct errors *errors)
{
	struct verify verify = { manager->options.run_folder, manager->options.program_folder };
	struct errors found = ERRORS_NONE;

	verify_documents(&verify, &target->renderings, &found);
	errors_move(errors, &found, target->prefix);
}

/* Everything at once, so that an operator sees all that is wrong; but no executable is asked about a wrong shape. */
static bool validate(struct manager *manager, const struct change *change, struct targets *targets,
                     struct errors *errors)
{
	size_t before = errors->count;

	if (change->resources && !schema_check(resources_schema, change->resources, errors))
		return false;
	gather_documents(change->resources, targets);
	for (size_t i = 0; i < targets->count; i++)
		validate_one(manager, &targets->list[i], errors);
	gather_pruned(manager, change, targets);
	if (errors->count > before)
		return false;
	for (size_t i = 0; i < targets->count; i++)
		compare(manager, &targets->list[i]);
	drop_unchanged(targets);
	targets_render(manager, targets);
	for (size_t i = 0; i < targets->count; i++)
		if (targets->list[i].document)
			verify_one(manager, &targets->list[i], errors);
	return errors->count == before;
}

/* --- whether it may begin --- */

static void check_busy(struct manager *manager, const char *name, const char *prefix, struct errors *errors)
{
	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, name);

	if (service && service->op)
		errors_add(errors, prefix, "busy", NULL, 0,
		           "operation %llu of service \"%s\" is under way: wait for it",
		           (unsigned long long)service->op, name);
	pthread_mutex_unlock(&manager->lock);
}

static bool none_busy(struct manager *manager, const struct targets *targets, struct errors *errors)
{
	size_t before = errors->count;

	for (size_t i = 0; i < targets->count; i++)
		check_busy(manager, targets->list[i].name, targets->list[i].prefix, errors);
	return errors->count == before;
}

static void check_unconfirmed(struct manager *manager, const char *name, const char *prefix,
                              struct errors *errors)
{
	struct store_confirm confirm = store_confirm_of(manager->store, name, errors);

	if (confirm.op)
		errors_add(
		        errors, prefix, "unconfirmed", NULL, 0,
		        "operation %llu of service \"%s\" awaits a confirmation: confirm it or roll it back",
		        (unsigned long long)confirm.op, name);
}

/* What waits for a confirmation is confirmed or rolled back first: else nobody knew what an undo would bring back. */
static bool none_unconfirmed(struct manager *manager, const struct targets *targets, struct errors *errors)
{
	size_t before = errors->count;

	for (size_t i = 0; i < targets->count; i++)
		check_unconfirmed(manager, targets->list[i].name, targets->list[i].prefix, errors);
	return errors->count == before;
}

/*
 * Where nothing is different from what is wanted: whether that is what stays. What is under way may yet be rolled back,
 * what is unconfirmed undone, and whoever asked for it would have been told that it is so.
 */
static bool none_in_doubt(struct manager *manager, const struct conf *resources, struct errors *errors)
{
	const struct conf *services = conf_get(resources, "services");
	size_t before = errors->count;

	for (size_t i = 0; i < conf_count(services); i++) {
		const char *name = conf_string(conf_at(services, i), "name", "");
		char *prefix = text_format("services[%zu]", i);

		check_busy(manager, name, prefix, errors);
		check_unconfirmed(manager, name, prefix, errors);
		free(prefix);
	}
	return errors->count == before;
}

/* With a service go its revisions, so that its end cannot be undone. */
static bool may_be_undone(const struct change *change, const struct targets *targets, struct errors *errors)
{
	size_t before = errors->count;

	for (size_t i = 0; change->reason.confirm_seconds && i < targets->count; i++)
		if (!targets->list[i].document)
			errors_add(errors, targets->list[i].prefix, "no-confirm", NULL, 0,
			           "the end of service \"%s\" cannot be undone: delete it without confirm",
			           targets->list[i].name);
	return errors->count == before;
}

/* --- reports --- */

/* Changes that are told of what was begun. */
enum { REPORTED = 100 };

static const char *action_of(const struct target *target)
{
	if (!target->document)
		return "delete";
	return target->is_new ? "create" : "update";
}

/* The first ones, as long as there are fewer than `most` in the list. */
static void report_changes(const struct target *target, json_t *changes, size_t most)
{
	for (size_t i = 0; i < target->diff.count && json_array_size(changes) < most; i++) {
		const struct conf_change *change = &target->diff.list[i];
		char *path =
		        text_format("services[%s]%s%s", target->name, *change->path ? "." : "", change->path);

		json_array_append_new(changes, json_pack("{s:s,s:s,s:s*,s:s*}", "path", path, "kind",
		                                         (const char[]){ change->kind, '\0' }, "before",
		                                         change->before, "after", change->after));
		free(path);
	}
}

static json_t *report(const struct targets *targets, size_t most)
{
	json_t *services = json_array(), *changes = json_array();
	size_t all = 0;

	for (size_t i = 0; i < targets->count; i++) {
		json_array_append_new(services, json_pack("{s:s,s:s}", "name", targets->list[i].name,
		                                          "action", action_of(&targets->list[i])));
		report_changes(&targets->list[i], changes, most);
		all += targets->list[i].diff.count;
	}
	json_t *json = json_pack("{s:o,s:o}", "services", services, "changes", changes);
	if (all > most)
		json_object_set_new(json, "more", json_integer((json_int_t)(all - most)));
	return json;
}

/* --- all of it --- */

/* An operation that has nothing to do, so that whoever applies always has one to look at. */
static enum change_result nothing(struct manager *manager, const struct change *change, uint64_t *op,
                                  struct errors *errors)
{
	*op = store_op_new(manager->store, "apply", "", change->reason.author, errors);
	if (!*op || !store_op_set(manager->store, *op, "COMPLETED", 100, "nothing to change", NULL, errors))
		return CHANGE_REFUSED;
	return CHANGE_UNCHANGED;
}

enum change_result manager_change(struct manager *manager, const struct change *change, uint64_t *op,
                                  json_t **out, struct errors *errors)
{
	struct targets targets = { NULL, 0 };
	enum change_result result;
	bool room = !change->resources || targets_have_room(manager, errors);
	bool valid = room && validate(manager, change, &targets, errors) &&
	             may_be_undone(change, &targets, errors);
	bool admitted = valid && targets_admit(manager, &targets, errors);

	*op = 0;
	if (change->dry_run) {
		*out = report(&targets, SIZE_MAX);
		result = CHANGE_DRY;
	} else if (room && !valid) {
		result = CHANGE_INVALID;
	} else if (!admitted || !none_busy(manager, &targets, errors) ||
	           !none_unconfirmed(manager, &targets, errors)) {
		result = CHANGE_REFUSED;
	} else if (targets.count == 0 && !none_in_doubt(manager, change->resources, errors)) {
		result = CHANGE_REFUSED;
	} else if (targets.count == 0) {
		result = nothing(manager, change, op, errors);
	} else {
		*out = report(&targets, REPORTED);
		result = operation_apply(manager, &targets, change->kind, &change->reason, op, errors)
		                 ? CHANGE_BEGUN
		                 : CHANGE_REFUSED;
	}
	targets_free(&targets);
	return result;
}
