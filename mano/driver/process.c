/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The process driver: an instance is a process of this host, in a session of its own so that it outlives the
 * orchestrator. No data of its own.
 */
#include "driver/driver.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/atomic_file.h"
#include "util/heartbeat.h"
#include "util/memory.h"

enum { LOG_ROTATE = 8 << 20, COMMAND_BYTES = 4096, ENVIRONMENT_BYTES = 1 << 17, FAILURE_BYTES = 1 << 20 };

#define LABEL "SLUICE_LABEL="

/* The folder, and the one that it is in: a service's VNFs may start before the service process does. */
static bool make_folder(const char *folder, struct errors *errors)
{
	char *above = text_copy_n(folder, (size_t)(strrchr(folder, '/') - folder));
	bool made =
	        (mkdir(above, 0750) == 0 || errno == EEXIST) && (mkdir(folder, 0750) == 0 || errno == EEXIST);

	if (!made)
		errors_add(errors, NULL, "cannot-write", NULL, 0, "cannot make the folder %s: %s", folder,
		           strerror(errno));
	free(above);
	return made;
}

/* One old log is kept; between starts nobody writes. */
static void rotate(const char *folder)
{
	char *log = text_format("%s/" INSTANCE_LOG, folder), *old = text_format("%s.1", log);
	struct stat status;

	if (stat(log, &status) == 0 && status.st_size > LOG_ROTATE)
		rename(log, old);
	free(old);
	free(log);
}

/* Nothing is written that is there already: a full disk is no reason not to start a process again. */
static bool holds_already(const char *file, const char *text)
{
	char *found = NULL;
	size_t length = strlen(text), found_length = 0;
	bool same = atomic_file_read(file, length + 1, &found, &found_length) == 0 &&
	            found_length == length && memcmp(found, text, length) == 0;

	free(found);
	return same;
}

static void forget_failure(const char *folder)
{
	char *file = text_format("%s/" INSTANCE_ERRORS, folder);

	unlink(file);
	free(file);
}

static bool process_create(const struct instance *instance, struct errors *errors)
{
	if (!make_folder(instance->folder, errors))
		return false;
	rotate(instance->folder);
	forget_failure(instance->folder);
	char *file = text_format("%s/" INSTANCE_BOOT, instance->folder);
	int error = holds_already(file, instance->document)
	                    ? 0
	                    : atomic_file_write(file, instance->document, strlen(instance->document), 0640);
	if (error)
		errors_add(errors, NULL, "cannot-write", NULL, 0, "cannot write %s: %s", file,
		           strerror(error));
	free(file);
	return error == 0;
}

/* Ours, with its label; malloc'd, the strings but the first are ours. */
static const char **environment_of(const struct instance *instance)
{
	size_t count = 0, kept = 0;

	while (environ[count])
		count++;
	const char **all = memory_new(count + 2, sizeof(*all));
	all[kept++] = text_format(LABEL "%s", instance->label);
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], LABEL, strlen(LABEL)) != 0)
			all[kept++] = environ[i];
	return all;
}

static bool process_start(const struct instance *instance, struct child *child, struct errors *errors)
{
	char *boot = text_format("%s/" INSTANCE_BOOT, instance->folder),
	     *log = text_format("%s/" INSTANCE_LOG, instance->folder),
	     *memory = text_format("%u", instance->memory_mb),
	     *standby = text_format("%d", instance->standby);
	const char **environment = environment_of(instance);
	const char *argv[24] = { instance->program,
		                 "--dir",
		                 instance->folder,
		                 "--config",
		                 boot,
		                 "--log",
		                 log,
		                 "--hugepages",
		                 instance->hugepages,
		                 "--memory",
		                 memory };
	size_t count = 11;

	if (instance->kept) {
		argv[count++] = "--kept-dir";
		argv[count++] = instance->kept;
	}
	if (instance->cores[0]) {
		argv[count++] = "--cores";
		argv[count++] = instance->cores;
	}
	if (instance->control[0]) {
		argv[count++] = "--control-cpus";
		argv[count++] = instance->control;
	}
	if (instance->standby >= 0) {
		argv[count++] = "--standby";
		argv[count++] = standby;
	}
	struct child_spec spec = { .argv = argv,
		                   .environment = environment,
		                   .folder = "/",
		                   .netns = instance->netns,
		                   .output = log,
		                   .cpus = instance->cpus,
		                   .note = instance->note,
		                   .user = instance->user,
		                   .keep = &instance->standby,
		                   .keep_count = instance->standby >= 0 };
	bool started = child_start(&spec, child, errors);
	free((char *)(uintptr_t)environment[0]);
	free(environment);
	free(standby);
	free(boot);
	free(log);
	free(memory);
	return started;
}

static void process_stop(struct child *child, unsigned grace)
{
	child_stop(child, grace);
}

/* A file of /proc/PID, ended by a zero; its length, 0 if there is none. */
static size_t read_proc(const char *pid, const char *name, char *into, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%.20s/%s", pid, name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, into, size - 1);
	if (fd >= 0)
		close(fd);
	if (length < 0)
		length = 0;
	into[length] = '\0';
	return (size_t)length;
}

/* The word behind an option of a process's command line, read into `command`; NULL. */
static const char *option_of(const char *command, size_t length, const char *option)
{
	for (const char *word = command; word < command + length; word += strlen(word) + 1)
		if (strcmp(word, option) == 0 && word + strlen(word) + 1 < command + length)
			return word + strlen(word) + 1;
	return NULL;
}

/* Whether a process was started with `--dir FOLDER`. */
static bool runs_in(const char *pid, const char *folder)
{
	char command[COMMAND_BYTES];
	size_t length = read_proc(pid, "cmdline", command, sizeof(command));
	const char *found = option_of(command, length, "--dir");

	return found && strcmp(found, folder) == 0;
}

/* Who moves the heartbeat of a folder, or was the last to; 0: nobody yet. */
static pid_t heart_of(const char *folder)
{
	char *path = text_format("%s/" INSTANCE_HEARTBEAT, folder);
	const struct heartbeat *beats = heartbeat_open(path);
	pid_t pid = beats ? (pid_t)beats->pid : 0;

	heartbeat_close(beats);
	free(path);
	return pid;
}

static pid_t find(const char *folder)
{
	DIR *all = opendir("/proc");
	struct dirent *entry;
	pid_t found = 0, heart = heart_of(folder);

	while (all && (!found || found != heart) && (entry = readdir(all)))
		if (isdigit((unsigned char)entry->d_name[0]) && runs_in(entry->d_name, folder))
			found = (pid_t)atoi(entry->d_name);
	if (all)
		closedir(all);
	return found;
}

static bool process_adopt(const char *folder, pid_t pid, uint64_t start_time, struct child *child)
{
	if (pid == 0) {
		pid = find(folder);
		start_time = pid ? child_start_time(pid) : 0;
	}
	return pid && child_adopt(pid, start_time, child);
}

static bool process_runs(const char *folder, const struct child *child)
{
	char command[COMMAND_BYTES], pid[24];

	snprintf(pid, sizeof(pid), "%d", (int)child->pid);
	size_t length = read_proc(pid, "cmdline", command, sizeof(command));
	return !option_of(command, length, "--standby") || heart_of(folder) == child->pid;
}

static bool process_label(const struct child *child, char *label, size_t size)
{
	char *all = memory_new(ENVIRONMENT_BYTES, 1), pid[24];
	bool found = false;

	snprintf(pid, sizeof(pid), "%d", (int)child->pid);
	size_t length = read_proc(pid, "environ", all, ENVIRONMENT_BYTES);
	for (const char *word = all; word < all + length && !found; word += strlen(word) + 1) {
		found = strncmp(word, LABEL, strlen(LABEL)) == 0;
		if (found)
			snprintf(label, size, "%s", word + strlen(LABEL));
	}
	free(all);
	return found;
}

/* A file that was renamed over, or removed, is still the process's, and has no name any more. */
static bool process_outdated(const struct child *child)
{
	static const char gone[] = " (deleted)";
	char link[64], file[PATH_MAX];

	snprintf(link, sizeof(link), "/proc/%d/exe", (int)child->pid);
	ssize_t length = child->pid > 0 ? readlink(link, file, sizeof(file) - 1) : -1;
	if (length < (ssize_t)sizeof(gone))
		return false;
	file[length] = '\0';
	return strcmp(file + length - (sizeof(gone) - 1), gone) == 0;
}

static long process_log_size(const char *folder)
{
	char *log = text_format("%s/" INSTANCE_LOG, folder);
	struct stat status;
	long size = stat(log, &status) == 0 ? (long)status.st_size : 0;

	free(log);
	return size;
}

static char *process_logs(const char *folder, long from, size_t size)
{
	char *log = text_format("%s/" INSTANCE_LOG, folder), *text = memory_new(size + 1, 1);
	FILE *file = fopen(log, "re");
	long end = process_log_size(folder);

	free(log);
	if (!file)
		return text;
	if (end - from > (long)size)
		from = end - (long)size;
	if (fseek(file, from, SEEK_SET) == 0)
		text[fread(text, 1, size, file)] = '\0';
	fclose(file);
	return text;
}

static char *process_failure(const char *folder)
{
	char *file = text_format("%s/" INSTANCE_ERRORS, folder), *text = NULL;
	size_t length;

	if (atomic_file_read(file, FAILURE_BYTES, &text, &length))
		text = NULL;
	free(file);
	return text;
}

static void process_destroy(const char *folder)
{
	DIR *all = opendir(folder);
	struct dirent *entry;

	while (all && (entry = readdir(all)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(all), entry->d_name, 0);
	if (all)
		closedir(all);
	rmdir(folder);
}

const struct driver process_driver = {
	.name = "process",
	.create = process_create,
	.start = process_start,
	.stop = process_stop,
	.adopt = process_adopt,
	.runs = process_runs,
	.label = process_label,
	.outdated = process_outdated,
	.logs = process_logs,
	.failure = process_failure,
	.log_size = process_log_size,
	.destroy = process_destroy,
};
