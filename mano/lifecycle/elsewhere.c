/* SPDX-License-Identifier: BSD-3-Clause */
/* What dead processes left outside the run folder. See leftovers.h. Any thread; no data of its own. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lifecycle/leftovers.h"
#include "util/memory.h"

enum { MOUNT_BYTES = 4096 };

/* sluice-NAME-PID, and the files of hugepages sluice-NAME-PIDmap_N; whether the process is dead. */
static bool of_the_dead(const char *name)
{
	const char *dash = strrchr(name, '-');
	char *end = NULL;
	long pid = dash && dash[1] >= '1' && dash[1] <= '9' ? strtol(dash + 1, &end, 10) : 0;

	return strncmp(name, "sluice-", 7) == 0 && pid > 0 && pid <= INT32_MAX &&
	       (!*end || strncmp(end, "map_", 4) == 0) && kill((pid_t)pid, 0) < 0 && errno == ESRCH;
}

/* A process that cannot be seen from here, in a container, locks its session memory. */
static bool is_locked(int folder, const char *name)
{
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	bool locked = fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK;

	if (fd >= 0)
		close(fd);
	return locked;
}

static bool any_locked(const char *path)
{
	DIR *all = opendir(path);
	struct dirent *entry;
	bool locked = false;

	while (all && !locked && (entry = readdir(all)))
		locked = entry->d_type == DT_REG && is_locked(dirfd(all), entry->d_name);
	if (all)
		closedir(all);
	return locked;
}

static bool is_ours(int folder, const char *name, const char *path)
{
	struct stat status;

	if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) || status.st_uid != geteuid())
		return false;
	return S_ISDIR(status.st_mode) ? !any_locked(path)
	                               : S_ISREG(status.st_mode) && !is_locked(folder, name);
}

static void look_in(const char *folder, void (*visit)(void *user, const char *path), void *user)
{
	DIR *all = opendir(folder);
	struct dirent *entry;

	while (all && (entry = readdir(all))) {
		char *path = text_format("%s/%s", folder, entry->d_name);

		if (of_the_dead(entry->d_name) && is_ours(dirfd(all), entry->d_name, path))
			visit(user, path);
		free(path);
	}
	if (all)
		closedir(all);
}

void leftovers_elsewhere(void (*visit)(void *user, const char *path), void *user)
{
	FILE *mounts = setmntent("/proc/mounts", "re");
	struct mntent mount;
	char text[MOUNT_BYTES]; /* not getmntent(): requests ask at the same time */

	look_in("/run/dpdk", visit, user);
	look_in("/dev/shm", visit, user);
	while (mounts && getmntent_r(mounts, &mount, text, sizeof(text)))
		if (strcmp(mount.mnt_type, "hugetlbfs") == 0)
			look_in(mount.mnt_dir, visit, user);
	if (mounts)
		endmntent(mounts);
}

bool leftover_remove_elsewhere(struct manager *manager, const char *path, struct errors *errors)
{
	if (unlink(path) < 0)
		manager->driver->destroy(path);
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return true;
	errors_add(errors, NULL, "not-removed", NULL, 0,
	           "%s could not be removed: there is something in it that is not ours", path);
	return false;
}
