/* SPDX-License-Identifier: BSD-3-Clause */
/* REST: the store as one file, and back. What is restored takes the store's place in a new life, which begins at once. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "manage/problem.h"
#include "util/atomic_file.h"
#include "util/memory.h"

enum { BACKUP_LIMIT = 1 << 28 }; /* more is left to sluiced --restore */

static bool read_backup(const struct manager *manager, const char *file, char **data, size_t *length,
                        struct errors *errors)
{
	int error;

	if (!store_backup(manager->options.state_folder, file, errors))
		return false;
	error = atomic_file_read(file, BACKUP_LIMIT, data, length);
	if (error)
		errors_add(errors, NULL, "store-failed", NULL, 0, "cannot read %s: %s", file,
		           strerror(error));
	return error == 0;
}

static void get_backup(const struct rest_request *request, struct rest_reply *reply)
{
	const struct manager *manager = manager_of(request);
	char *file = text_format("%s/.backup-XXXXXX", manager->options.state_folder), *data = NULL;
	struct errors errors = ERRORS_NONE;
	size_t length = 0;
	int made = mkstemp(file);

	if (made < 0)
		errors_add(&errors, NULL, "store-failed", NULL, 0, "cannot write %s: %s", file,
		           strerror(errno));
	if (made >= 0 && read_backup(manager, file, &data, &length, &errors))
		rest_reply_text(reply, 200, "application/vnd.sqlite3", data, length);
	else
		rest_problem_errors(reply, 500, &errors, "the backup cannot be made");
	if (made >= 0) {
		close(made);
		unlink(file);
	}
	errors_free(&errors);
	free(file);
}

/* --- back --- */

static bool may_restore(const struct rest_request *request, struct errors *errors)
{
	struct manager *manager = manager_of(request);

	pthread_mutex_lock(&manager->lock);
	size_t services = manager->services_count;
	pthread_mutex_unlock(&manager->lock);
	if (services && !rest_query_flag(request, "force"))
		errors_add(errors, NULL, "services-run", NULL, 0,
		           "%zu service%s here: delete them, or restore with force, which ends all that is "
		           "not in "
		           "the backup",
		           services, services == 1 ? " runs" : "s run");
	return !errors_any(errors);
}

/* Nothing is written to this store any more that the next life would miss; then the next life is asked for. */
static void begin_anew(const struct rest_request *request)
{
	store_freeze(manager_of(request)->store);
	kill(getpid(), SIGUSR1);
}

static void post_restore(const struct rest_request *request, struct rest_reply *reply)
{
	struct manager *manager = manager_of(request);
	bool dry_run = rest_query_flag(request, "dryRun");
	struct errors errors = ERRORS_NONE;
	json_t *services = NULL;

	manager_begin(manager);
	bool may = may_restore(request, &errors);
	if (may)
		services = store_restore(manager->options.state_folder, request->body ? request->body : "",
		                         request->body_length, dry_run, &errors);
	if (services && !dry_run)
		begin_anew(request);
	manager_end(manager);
	if (services)
		rest_reply_json(
		        reply, dry_run ? 200 : 202,
		        json_pack("{s:o,s:I}", "services", services, "life", (json_int_t)manager->life));
	else
		rest_problem_errors(reply, may ? 422 : 409, &errors, "%s", errors.list[0].detail);
	errors_free(&errors);
}

const struct rest_route backup_routes[] = {
	{ .pattern = "/v1/backup",
	  .summary = "The store as one file",
	  .get = { .handle = get_backup,
	           .summary = "Read it: an SQLite database",
	           .types = "application/vnd.sqlite3",
	           .role = ROLE_ADMIN },
	  .flags = REST_SLOW },
	{ .pattern = "/v1/restore",
	  .summary = "A backup in the store's place",
	  .post = { .handle = post_restore,
	            .summary = "Check it, take it, begin a new life; ?force=1 while services run",
	            .accepts = REST_BINARY,
	            .query = "force dryRun",
	            .answer = "Restored",
	            .statuses = "200 202 409 422",
	            .role = ROLE_ADMIN },
	  .flags = REST_SLOW,
	  .body_limit = BACKUP_LIMIT },
	{ .pattern = NULL },
};
