/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Processes by pidfd. What concerns a process that runs, however it came to be; child_start.c makes them. No data of
 * its own; each struct child belongs to one thread.
 */
#include "util/child.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long after SIGKILL a process may take to be gone: it may hold hugepages or wait for a disk. */
#define KILL_MS 1000

/* What stands in a stat file of /proc. */
struct stat_line {
	char state;
	uint64_t user, system, start_time; /* clock ticks */
};

static bool read_stat_file(const char *path, struct stat_line *found)
{
	char line[1024];

	FILE *file = fopen(path, "re");
	if (!file)
		return false;
	size_t length = fread(line, 1, sizeof(line) - 1, file);
	fclose(file);
	line[length] = '\0';
	/* The name, second field, may hold spaces and brackets of its own: what counts is behind its last one. */
	const char *rest = strrchr(line, ')');
	return rest && sscanf(rest + 1,
	                      " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64
	                      " %*d %*d %*d %*d %*d %*d %" SCNu64,
	                      &found->state, &found->user, &found->system, &found->start_time) == 4;
}

static bool read_stat(pid_t pid, struct stat_line *found)
{
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return read_stat_file(path, found);
}

bool child_thread(pid_t pid, pid_t thread, struct thread_look *look)
{
	struct stat_line found;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)pid, (int)thread);
	if (!read_stat_file(path, &found) || found.state == 'Z' || found.state == 'X')
		return false;
	look->runnable = found.state == 'R';
	look->cpu_ms = (found.user + found.system) * 1000 / (uint64_t)sysconf(_SC_CLK_TCK);
	return true;
}

static bool is_among(pid_t thread, const pid_t *threads, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (threads[i] == thread)
			return true;
	return false;
}

bool child_is_runnable(pid_t pid, const pid_t *others, size_t count)
{
	struct thread_look look;
	struct dirent *entry;
	bool runnable = false;
	char path[40];

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *tasks = opendir(path);
	if (!tasks)
		return false;
	while (!runnable && (entry = readdir(tasks))) {
		pid_t thread = atoi(entry->d_name);

		runnable = thread > 0 && !is_among(thread, others, count) &&
		           child_thread(pid, thread, &look) && look.runnable;
	}
	closedir(tasks);
	return runnable;
}

uint64_t child_start_time(pid_t pid)
{
	struct stat_line found;

	return read_stat(pid, &found) ? found.start_time : 0;
}

bool child_alive(pid_t pid, uint64_t start_time)
{
	struct stat_line found;

	return pid > 0 && read_stat(pid, &found) && found.start_time == start_time && found.state != 'Z' &&
	       found.state != 'X';
}

/* The descriptor first, the check after: then nothing can take the pid between the two. */
bool child_adopt(pid_t pid, uint64_t start_time, struct child *child)
{
	*child = (struct child)CHILD_NONE;
	if (pid <= 0)
		return false;
	int pidfd = pidfd_open(pid, 0);
	if (pidfd < 0)
		return false;
	if (!child_alive(pid, start_time)) {
		close(pidfd);
		return false;
	}
	*child = (struct child){ .pid = pid, .pidfd = pidfd, .start_time = start_time };
	return true;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

bool child_wait(const struct child *child, unsigned milliseconds)
{
	uint64_t end = now_ms() + milliseconds;
	struct pollfd poll_set = { .fd = child->pidfd, .events = POLLIN };

	if (child->pidfd < 0)
		return true;
	for (;;) {
		uint64_t now = now_ms();
		int left = now < end ? (int)(end - now) : 0;
		int ready = poll(&poll_set, 1, left);
		if (ready > 0)
			return true;
		if (ready == 0 || errno != EINTR)
			return false;
	}
}

/* A status as waitpid gives it, from what waitid gives. */
static int status_of(const siginfo_t *info)
{
	return info->si_code == CLD_EXITED ? (info->si_status & 0xff) << 8 : info->si_status & 0x7f;
}

bool child_ended(struct child *child, int *status)
{
	siginfo_t info = { 0 };

	*status = -1;
	if (!child_wait(child, 0))
		return false;
	if (child->ours && child->pidfd >= 0 &&
	    waitid(P_PIDFD, (id_t)child->pidfd, &info, WEXITED | WNOHANG) == 0 && info.si_pid)
		*status = status_of(&info);
	return true;
}

int child_signal(const struct child *child, int signal)
{
	if (child->pidfd < 0)
		return ESRCH;
	return pidfd_send_signal(child->pidfd, signal, NULL, 0) ? errno : 0;
}

bool child_stop(struct child *child, unsigned grace)
{
	int status;

	child_signal(child, SIGTERM);
	bool gently = child_wait(child, grace);
	if (!gently) {
		child_signal(child, SIGKILL);
		child_wait(child, KILL_MS);
	}
	child_ended(child, &status);
	child_forget(child);
	return gently;
}

void child_forget(struct child *child)
{
	if (child->pidfd >= 0)
		close(child->pidfd);
	*child = (struct child)CHILD_NONE;
}
