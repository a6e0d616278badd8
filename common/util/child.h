/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Programs that a supervisor starts and that outlive it. A process is known by its pid and the time when it started,
 * which together name it for as long as the machine is up, so that a supervisor that was restarted can take its
 * processes up again and never mistakes another that was given the same pid. A struct child belongs to one thread;
 * its descriptor becomes readable when the process ends, and may be watched with poll or epoll by any.
 */
#ifndef SLUICE_UTIL_CHILD_H
#define SLUICE_UTIL_CHILD_H

#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/errors.h"

struct child {
	pid_t pid;
	int pidfd;           /* readable when the process has ended; close with child_forget() */
	uint64_t start_time; /* field 22 of /proc/PID/stat: clock ticks since boot */
	bool ours;           /* started by this process: we reap it, and know its exit status */
};

#define CHILD_NONE                     \
	{                              \
		.pid = -1, .pidfd = -1 \
	}

/* What to start. Everything but argv may be left NULL or 0. */
struct child_spec {
	const char *const
	        *argv; /* NULL-terminated; argv[0] is the program, found through PATH if it has no slash */
	const char *const *environment; /* NULL-terminated NAME=value, all that it gets; NULL: ours */
	const char *folder;             /* where it works */
	const char *netns;              /* a namespace of `ip netns` (/run/netns/NAME) */
	const char *output;             /* file that stdout and stderr are appended to; NULL: /dev/null */
	const cpu_set_t *cpus;          /* where it may run */
	const int *keep;                /* descriptors handed to it, at their numbers */
	size_t keep_count;
	/* Called when the process exists and before it becomes the program, so that it can be written down; NULL: nobody is told. */
	void (*note)(void *user, const struct child *child);
	void *user;
};

/*
 * Starts a program in a session of its own, with default signals and no descriptors but 0, 1, 2 and those kept. Should the
 * caller die before it was noted, there will be no program: nothing runs that nobody knows of.
 * Returns once the program runs; false, with an error that names the step that failed (no such program, no such
 * namespace, processor not there ...) and nothing left running.
 */
bool child_start(const struct child_spec *spec, struct child *child, struct errors *errors);

/* Takes up a process by what was written down of it; false if it is gone (or its pid is another's now). */
bool child_adopt(pid_t pid, uint64_t start_time, struct child *child);

/* Whether that very process runs (a zombie does not). */
bool child_alive(pid_t pid, uint64_t start_time);

/* What one of its threads does, and the processor time that this had so far. False: there is no such thread, or it ends. */
struct thread_look {
	bool runnable; /* it runs, or would if there were a processor for it; else it waits, or was stopped */
	uint64_t cpu_ms;
};
bool child_thread(pid_t pid, pid_t thread, struct thread_look *look);

/* Whether one of its threads, but for those of `others` (0: none), is ready to run: it does, or waits for a processor. */
bool child_is_runnable(pid_t pid, const pid_t *others, size_t count);

/* When a process started, in clock ticks since boot; 0 if there is none. */
uint64_t child_start_time(pid_t pid);

/*
 * Whether it has ended; reaps it then. *status is as waitpid gives it where it is ours, else -1. Does not block;
 * answers true again when asked again only until child_forget().
 */
bool child_ended(struct child *child, int *status);

/* Waits for its end, at most so long; false if it still runs. Then child_ended() gives the status. */
bool child_wait(const struct child *child, unsigned milliseconds);

/* Sends a signal to exactly that process. 0, or an errno value (ESRCH: it has ended). */
int child_signal(const struct child *child, int signal);

/*
 * Asks it to end (SIGTERM), kills it after `grace` milliseconds, waits for its end, reaps it, forgets it. True if it
 * ended by itself in time. Blocks for the grace and a second more at most.
 */
bool child_stop(struct child *child, unsigned grace);

/* Closes the descriptor; the process runs on. */
void child_forget(struct child *child);

#endif
