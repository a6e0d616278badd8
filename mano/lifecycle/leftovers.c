/* SPDX-License-Identifier: BSD-3-Clause */
/* Finding and removing what belongs to nobody any more. See leftovers.h. */
#include "lifecycle/leftovers.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lifecycle/unit.h"
#include "util/memory.h"

bool leftover_is_alive(struct manager *manager, const char *folder)
{
	char *socket = text_format("%s/" INSTANCE_CONTROL, folder);
	bool alive = host_socket_alive(socket);
	struct child child;

	if (!alive && manager->driver->adopt(folder, 0, 0, &child)) {
		alive = true;
		child_forget(&child);
	}
	free(socket);
	return alive;
}

/* Calls visit for each folder in a folder. */
static bool any_below(struct manager *manager, const char *folder,
                      bool (*test)(struct manager *manager, const char *folder))
{
	DIR *all = opendir(folder);
	struct dirent *entry;
	bool found = false;

	while (all && !found && (entry = readdir(all))) {
		char *below = text_format("%s/%s", folder, entry->d_name);

		found = entry->d_type == DT_DIR && entry->d_name[0] != '.' && test(manager, below);
		free(below);
	}
	if (all)
		closedir(all);
	return found;
}

static bool has_document(struct manager *manager, const char *folder)
{
	char *boot = text_format("%s/" INSTANCE_BOOT, folder);
	bool has = access(boot, F_OK) == 0;

	(void)manager;
	free(boot);
	return has;
}

static enum leftover folder_kind(struct manager *manager, const char *name)
{
	char *folder = text_format("%s/%s", manager->options.run_folder, name);
	enum leftover kind = LEFTOVER_FOREIGN;

	if (strncmp(name, ".check-", 7) == 0)
		kind = LEFTOVER_TEMPORARY;
	else if (leftover_is_alive(manager, folder) || any_below(manager, folder, leftover_is_alive))
		kind = LEFTOVER_ALIVE;
	else if (has_document(manager, folder) || any_below(manager, folder, has_document))
		kind = LEFTOVER_FOLDER;
	free(folder);
	return kind;
}

static bool is_known(struct manager *manager, const char *name)
{
	pthread_mutex_lock(&manager->lock);
	bool known = manager_service(manager, name) != NULL;
	pthread_mutex_unlock(&manager->lock);
	return known;
}

static bool is_dead_socket(struct manager *manager, const char *name)
{
	char *path = text_format("%s/%s", manager->options.run_folder, name);
	bool dead = !host_socket_alive(path);

	free(path);
	return dead;
}

void leftovers_each(struct manager *manager, void (*visit)(void *user, const char *name, enum leftover kind),
                    void *user)
{
	DIR *all = opendir(manager->options.run_folder);
	struct dirent *entry;

	while (all && (entry = readdir(all))) {
		const char *name = entry->d_name;
		bool dots = strcmp(name, ".") == 0 || strcmp(name, "..") == 0;

		if (entry->d_type == DT_SOCK && strcmp(name, "sluiced.sock") != 0 &&
		    is_dead_socket(manager, name))
			visit(user, name, LEFTOVER_SOCKET);
		else if (entry->d_type == DT_DIR && !dots && !is_known(manager, name))
			visit(user, name, folder_kind(manager, name));
	}
	if (all)
		closedir(all);
}

static bool destroy(struct manager *manager, const char *folder)
{
	manager->driver->destroy(folder);
	return false; /* and the next */
}

bool leftover_remove(struct manager *manager, const char *name, enum leftover kind, struct errors *errors)
{
	char *path = text_format("%s/%s", manager->options.run_folder, name);

	if (kind == LEFTOVER_SOCKET) {
		unlink(path);
	} else {
		any_below(manager, path, destroy);
		manager->driver->destroy(path);
	}
	bool gone = access(path, F_OK) < 0 && errno == ENOENT;
	if (!gone)
		errors_add(errors, NULL, "not-removed", NULL, 0,
		           "%s could not be removed: there is something in it that is not ours", path);
	free(path);
	return gone;
}
