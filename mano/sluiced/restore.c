/* SPDX-License-Identifier: BSD-3-Clause */
/* sluiced --restore: a backup in the store's place while no orchestrator runs, also in that of one that cannot be read. See restore.h. */
#include "sluiced/restore.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "lifecycle/host.h"
#include "util/atomic_file.h"
#include "util/memory.h"

enum { BACKUP_LIMIT = 1 << 30 };

/* Whether a service's process answers in the run folder. */
static bool service_runs(const char *run_folder)
{
	DIR *all = opendir(run_folder);
	struct dirent *entry;
	bool found = false;

	while (all && !found && (entry = readdir(all))) {
		char *socket = text_format("%s/%s/" INSTANCE_CONTROL, run_folder, entry->d_name);

		found = entry->d_name[0] != '.' && host_socket_alive(socket);
		free(socket);
	}
	if (all)
		closedir(all);
	return found;
}

static bool lay_down(const struct manager_options *options, const char *file, struct errors *errors)
{
	size_t length = 0;
	char *data = NULL;
	int error = atomic_file_read(file, BACKUP_LIMIT, &data, &length);
	json_t *services = error ? NULL : store_restore(options->state_folder, data, length, false, errors);

	if (error)
		errors_add(errors, NULL, "cannot-read", NULL, 0, "cannot read %s: %s", file, strerror(error));
	free(data);
	json_decref(services);
	return services != NULL;
}

bool restore_offline(const struct manager_options *options, const char *file, bool force,
                     struct errors *errors)
{
	if (!force && service_runs(options->run_folder)) {
		errors_add(
		        errors, NULL, "services-run", NULL, 0,
		        "processes of services run in %s: stop them, or use --force, and the next start ends "
		        "those that are not in the backup",
		        options->run_folder);
		return false;
	}
	if (!manager_make_folder(options->state_folder, errors) || !lay_down(options, file, errors))
		return false;
	struct store *store = store_open(options->state_folder, errors);
	store_close(store);
	return store != NULL;
}
