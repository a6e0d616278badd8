/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Upgrades: processes of a service are given executables of another build, which the store remembers of them. Before anything happens, the
 * executables must be there, be nobody else's to write, and take the documents. On the caller's thread, which holds `change`. See manager.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lifecycle/converge.h"
#include "lifecycle/operation.h"
#include "lifecycle/unit.h"
#include "lifecycle/verify.h"
#include "util/memory.h"

/* --- what is meant --- */

/* The process that a VNF runs in: "" or its own. NULL: there is no such VNF. */
static const char *process_of(const struct target *target, const char *vnf)
{
	const struct conf *described = descriptor_vnf(target->document, vnf);

	if (!described)
		return NULL;
	return descriptor_fused(target->document, described) ? "" : vnf;
}

/* The path that a process is to have; NULL: it is not meant. malloc'd; "": where all are. */
static char *new_program(const struct upgrade *upgrade, const struct rendering *rendering,
                         const char *process)
{
	if (process ? strcmp(rendering->vnf, process) != 0 : upgrade->program && *rendering->vnf)
		return NULL;
	if (upgrade->program)
		return text_copy(upgrade->program);
	return upgrade->folder ? text_format("%s/%s", upgrade->folder, rendering->program) : text_copy("");
}

/* The service as a target whose renderings have the new executables. False with errors. */
static bool find_target(struct manager *manager, const struct upgrade *upgrade, struct targets *targets,
                        struct errors *errors)
{
	json_t *names = json_pack("[s]", upgrade->service);

	converge_targets(manager, names, targets);
	json_decref(names);
	if (!targets->count || !targets->list[0].document) {
		errors_add(errors, NULL, "not-found", NULL, 0, "there is no service \"%s\"",
		           upgrade->service);
		return false;
	}
	if (upgrade->vnf && !process_of(&targets->list[0], upgrade->vnf)) {
		errors_add(errors, NULL, "not-found", NULL, 0, "there is no VNF \"%s\" in service \"%s\"",
		           upgrade->vnf, upgrade->service);
		return false;
	}
	return true;
}

/* --- whether it may be run --- */

/* Whoever may write the executable, or what leads to it, is root here. */
static bool is_safe(const struct stat *status)
{
	return (status->st_uid == 0 || status->st_uid == geteuid()) &&
	       !(status->st_mode & (S_IWGRP | S_IWOTH));
}

static bool check_program(const char *program, struct errors *errors)
{
	char *folder = text_copy_n(program, (size_t)(strrchr(program, '/') - program) + 1);
	struct stat file, above;
	const char *code = "no-such-build", *why = NULL;

	if (stat(program, &file) < 0 || stat(folder, &above) < 0)
		why = strerror(errno);
	else if (!S_ISREG(file.st_mode) || access(program, X_OK) < 0)
		why = "it is no executable";
	else if (!is_safe(&file) || !is_safe(&above))
		code = "unsafe-build",
		why = "it, or its folder, can be written by others: chown root, chmod go-w";
	if (why)
		errors_add(errors, NULL, code, NULL, 0, "cannot run %s: %s", program, why);
	free(folder);
	return !why;
}

static bool check_path(const char *path, struct errors *errors)
{
	if (!path || path[0] == '/')
		return true;
	errors_add(errors, NULL, "no-such-build", NULL, 0, "expected an absolute path, not \"%s\"", path);
	return false;
}

/* Gives the renderings that are meant their new executables; those that change are noted. */
static size_t choose(const struct upgrade *upgrade, struct target *target, struct store_build *builds,
                     struct errors *errors)
{
	const char *process = upgrade->vnf ? process_of(target, upgrade->vnf) : NULL;
	size_t count = 0;

	for (size_t i = 0; i < target->renderings.count; i++) {
		struct rendering *rendering = &target->renderings.list[i];
		char *program = new_program(upgrade, rendering, process);

		if (!program || strcmp(program, rendering->build ? rendering->build : "") == 0 ||
		    (*program && !check_program(program, errors))) {
			free(program);
			continue;
		}
		free(rendering->build);
		rendering->build = *program ? program : NULL;
		builds[count++] =
		        (struct store_build){ target->name, rendering->vnf, *program ? program : "" };
		if (!*program)
			free(program);
	}
	return count;
}

static bool verify_target(struct manager *manager, struct target *target, struct errors *errors)
{
	struct verify verify = { manager->options.run_folder, manager->options.program_folder };
	struct errors found = ERRORS_NONE;
	bool fine = verify_documents(&verify, &target->renderings, &found);

	errors_move(errors, &found, target->prefix);
	return fine;
}

/* --- all of it --- */

static json_t *report(const struct target *target, const struct store_build *builds, size_t count)
{
	json_t *changes = json_array();

	for (size_t i = 0; i < count; i++) {
		char *path =
		        text_format("services[%s]%s%s%s.program", target->name,
		                    *builds[i].vnf ? ".vnfs[" : "", builds[i].vnf, *builds[i].vnf ? "]" : "");

		json_array_append_new(changes, json_pack("{s:s,s:s,s:s}", "path", path, "kind", "~", "after",
		                                         builds[i].program));
		free(path);
	}
	return json_pack("{s:[{s:s,s:s}],s:o}", "services", "name", target->name, "action",
	                 count ? "upgrade" : "none", "changes", changes);
}

static bool is_busy(struct manager *manager, const char *name, struct errors *errors)
{
	pthread_mutex_lock(&manager->lock);
	struct service *service = manager_service(manager, name);
	uint64_t op = service ? service->op : 0;
	pthread_mutex_unlock(&manager->lock);
	if (op)
		errors_add(errors, NULL, "busy", NULL, 0,
		           "operation %llu of service \"%s\" is under way: wait for it",
		           (unsigned long long)op, name);
	return op != 0;
}

/* Whether a process that is meant runs an executable that was replaced where it is. */
static bool any_outdated(struct manager *manager, const struct upgrade *upgrade)
{
	bool found = false;

	pthread_mutex_lock(&manager->lock);
	const struct service *service = manager_service(manager, upgrade->service);
	const struct unit *home = upgrade->vnf ? service_home(service, upgrade->vnf) : NULL;
	for (size_t i = 0; service && i < service->units_count; i++)
		found |= (!upgrade->vnf || service->units[i] == home) &&
		         manager->driver->outdated(&service->units[i]->child);
	pthread_mutex_unlock(&manager->lock);
	return found;
}

/* The paths are as they should be: what was replaced in place is started anew; else there is nothing to do. */
static enum change_result renew(struct manager *manager, const struct upgrade *upgrade, const char *subject,
                                uint64_t *op, struct errors *errors)
{
	if (any_outdated(manager, upgrade)) {
		*op = manager_restart(manager, upgrade->service, upgrade->vnf, false, upgrade->author,
		                      errors);
		return *op ? CHANGE_BEGUN : CHANGE_REFUSED;
	}
	*op = store_op_new(manager->store, "upgrade", subject, upgrade->author, errors);
	return *op && store_op_set(manager->store, *op, "COMPLETED", 100, "nothing to change", NULL, errors)
	               ? CHANGE_UNCHANGED
	               : CHANGE_REFUSED;
}

static enum change_result begin(struct manager *manager, const struct upgrade *upgrade,
                                const struct store_build *builds, size_t count, uint64_t *op,
                                struct errors *errors)
{
	char *subject = upgrade->vnf ? text_format("%s/%s", upgrade->service, upgrade->vnf)
	                             : text_copy(upgrade->service);
	enum change_result result = CHANGE_BEGUN;

	if (is_busy(manager, upgrade->service, errors)) {
		result = CHANGE_REFUSED;
	} else if (!count) {
		result = renew(manager, upgrade, subject, op, errors);
	} else if (!operation_upgrade(manager, subject, builds, count, upgrade->timeout_s, upgrade->author,
	                              op, errors)) {
		result = CHANGE_REFUSED;
	}
	free(subject);
	return result;
}

enum change_result manager_upgrade(struct manager *manager, const struct upgrade *upgrade, uint64_t *op,
                                   json_t **out, struct errors *errors)
{
	struct targets targets = { NULL, 0 };
	struct store_build *builds = NULL;
	enum change_result result = CHANGE_INVALID;
	size_t count = 0;

	*op = 0;
	if (check_path(upgrade->program, errors) && check_path(upgrade->folder, errors) &&
	    find_target(manager, upgrade, &targets, errors)) {
		builds = memory_new(targets.list[0].renderings.count + 1, sizeof(*builds));
		count = choose(upgrade, &targets.list[0], builds, errors);
	}
	if (!errors_any(errors) && verify_target(manager, &targets.list[0], errors) && !upgrade->dry_run)
		result = begin(manager, upgrade, builds, count, op, errors);
	else if (upgrade->dry_run && builds) {
		*out = report(&targets.list[0], builds, count);
		result = CHANGE_DRY;
	}
	free(builds);
	targets_free(&targets);
	return result;
}
