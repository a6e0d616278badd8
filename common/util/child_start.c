/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Starting a program. Everything that allocates or may fail for want of a name is done before fork(), because a
 * process with threads may do almost nothing between fork() and exec; what fails after it is told to the parent
 * through a pipe that exec closes. Until it may become the program it dies with the thread that made it. No data of its own; any thread.
 */
#include "util/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/memory.h"

enum step {
	STEP_PARENT,
	STEP_SESSION,
	STEP_CPUS,
	STEP_NETNS,
	STEP_FOLDER,
	STEP_OUTPUT,
	STEP_KEEP,
	STEP_HELD,
	STEP_EXEC
};

struct failure {
	enum step step;
	int error;
};

/* All that the child needs, ready before it exists. */
struct launch {
	const struct child_spec *spec;
	char *program;
	char *netns; /* path, or NULL */
	int report;  /* write end of the pipe */
	int go;      /* eventfd: it was noted */
	pid_t parent;
};

static const char *step_text(enum step step)
{
	static const char *const texts[] = {
		[STEP_PARENT] = "cannot be bound to its parent",
		[STEP_SESSION] = "cannot begin a session",
		[STEP_CPUS] = "cannot run on the chosen processors",
		[STEP_NETNS] = "cannot enter the network namespace",
		[STEP_FOLDER] = "cannot work in the folder",
		[STEP_OUTPUT] = "cannot write the output file",
		[STEP_KEEP] = "cannot hand over a descriptor",
		[STEP_HELD] = "cannot wait for its word",
		[STEP_EXEC] = "cannot run the program",
	};

	return texts[step];
}

/* What the step was about, for the error. */
static const char *step_subject(enum step step, const struct launch *launch)
{
	switch (step) {
	case STEP_NETNS:
		return launch->spec->netns;
	case STEP_FOLDER:
		return launch->spec->folder;
	case STEP_OUTPUT:
		return launch->spec->output;
	default:
		return launch->spec->argv[0];
	}
}

static void tell(const struct launch *launch, enum step step, int error)
{
	struct failure failure = { step, error };
	ssize_t ignored = write(launch->report, &failure, sizeof(failure));

	(void)ignored;
}

static void fail(const struct launch *launch, enum step step)
{
	tell(launch, step, errno);
	_exit(127);
}

/* A parent that is gone already does not kill us any more. */
static void bind_to_parent(const struct launch *launch)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		fail(launch, STEP_PARENT);
	if (getppid() != launch->parent)
		_exit(127);
}

/* Waits until we were noted. From then on whoever comes after our parent knows of us, and we may outlive it. */
static void await_go(const struct launch *launch)
{
	eventfd_t ignored;

	tell(launch, STEP_HELD, 0);
	if (eventfd_read(launch->go, &ignored) || prctl(PR_SET_PDEATHSIG, 0))
		fail(launch, STEP_HELD);
}

/* Signal handlers are gone with exec, but what is ignored or blocked stays so: undo both. */
static void reset_signals(void)
{
	struct sigaction plain = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int signal = 1; signal < NSIG; signal++)
		sigaction(signal, &plain, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void enter_netns(const struct launch *launch)
{
	int fd = open(launch->netns, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		fail(launch, STEP_NETNS);
	close(fd);
}

static void open_output(const struct launch *launch)
{
	const char *file = launch->spec->output ? launch->spec->output : "/dev/null";
	int in = open("/dev/null", O_RDONLY);
	int out = open(file, O_WRONLY | O_CREAT | O_APPEND, 0640);

	if (in < 0 || out < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		fail(launch, STEP_OUTPUT);
	if (in > 2)
		close(in);
	if (out > 2)
		close(out);
}

/* The lowest of the descriptors that are needed from here on, from this one on; -1: there is none. */
static int next_needed(const struct launch *launch, int from)
{
	const struct child_spec *spec = launch->spec;
	int lowest = launch->report >= from ? launch->report : -1;

	if (launch->go >= from && (lowest < 0 || launch->go < lowest))
		lowest = launch->go;
	for (size_t i = 0; i < spec->keep_count; i++)
		if (spec->keep[i] >= from && (lowest < 0 || spec->keep[i] < lowest))
			lowest = spec->keep[i];
	return lowest;
}

/* Every descriptor above 2 but for those kept, at once: ours include keys, and sockets that whoever comes after a parent that dies now wants to listen on. */
static void close_others(const struct launch *launch)
{
	const struct child_spec *spec = launch->spec;
	int from = 3, needed;

	for (; (needed = next_needed(launch, from)) >= 0; from = needed + 1)
		if (needed > from && close_range((unsigned)from, (unsigned)needed - 1, 0))
			fail(launch, STEP_KEEP);
	if (close_range((unsigned)from, ~0u, 0))
		fail(launch, STEP_KEEP);
	for (size_t i = 0; i < spec->keep_count; i++)
		if (fcntl(spec->keep[i], F_SETFD, 0))
			fail(launch, STEP_KEEP);
}

static void become(const struct launch *launch)
{
	const struct child_spec *spec = launch->spec;
	const char *const *environment = spec->environment;

	close_others(launch);
	reset_signals();
	bind_to_parent(launch);
	if (setsid() < 0)
		fail(launch, STEP_SESSION);
	if (spec->cpus && sched_setaffinity(0, sizeof(*spec->cpus), spec->cpus))
		fail(launch, STEP_CPUS);
	if (launch->netns)
		enter_netns(launch);
	if (spec->folder && chdir(spec->folder))
		fail(launch, STEP_FOLDER);
	open_output(launch);
	await_go(launch);
	execve(launch->program, (char *const *)spec->argv,
	       environment ? (char *const *)environment : environ);
	fail(launch, STEP_EXEC);
}

/* The file of a program as the shell would find it; the name itself if none is found, for exec to refuse. */
static char *find_program(const char *name)
{
	const char *path = getenv("PATH");

	if (strchr(name, '/') || !path)
		return text_copy(name);
	for (size_t length; *path; path += length + (path[length] == ':')) {
		length = strcspn(path, ":");
		char *file = text_format("%.*s/%s", (int)length, path, name);
		if (access(file, X_OK) == 0)
			return file;
		free(file);
	}
	return text_copy(name);
}

/* What the child says next; false: nothing more, for exec has closed the pipe, or it has ended. */
static bool hear(int report, struct failure *said)
{
	ssize_t got;

	do
		got = read(report, said, sizeof(*said));
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)sizeof(*said);
}

static void give_up(struct child *child)
{
	int status;

	kill(child->pid, SIGKILL);
	waitpid(child->pid, &status, 0);
	child_forget(child);
}

static bool follow(const struct launch *launch, int report, struct child *child, struct errors *errors)
{
	struct failure said;
	bool heard = hear(report, &said);

	if (heard && said.step == STEP_HELD && said.error == 0 && child->pidfd >= 0) {
		child->start_time = child_start_time(child->pid);
		if (launch->spec->note)
			launch->spec->note(launch->spec->user, child);
		eventfd_write(launch->go, 1);
		heard = hear(report, &said);
		if (!heard)
			return true;
	}
	if (child->pidfd < 0)
		errors_add(errors, NULL, "cannot-start", NULL, 0, "cannot watch %s: no descriptor left",
		           launch->spec->argv[0]);
	else if (heard)
		errors_add(errors, NULL, "cannot-start", NULL, 0, "%s %s: %s", step_text(said.step),
		           step_subject(said.step, launch), strerror(said.error));
	else
		errors_add(errors, NULL, "cannot-start", NULL, 0, "%s was killed before it ran",
		           launch->spec->argv[0]);
	give_up(child);
	return false;
}

static bool launch_child(struct launch *launch, int report, struct child *child, struct errors *errors)
{
	sigset_t all, before;

	/* No handler of ours may run in the child before its signals are reset. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t pid = fork();
	if (pid == 0)
		become(launch);
	int error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(launch->report);
	if (pid < 0) {
		errors_add(errors, NULL, "cannot-start", NULL, 0, "cannot make a process for %s: %s",
		           launch->spec->argv[0], strerror(error));
		return false;
	}
	*child = (struct child){ .pid = pid, .pidfd = pidfd_open(pid, 0), .ours = true };
	return follow(launch, report, child, errors);
}

static bool launch_held(struct launch *launch, struct child *child, struct errors *errors)
{
	int report[2];

	launch->go = eventfd(0, EFD_CLOEXEC);
	if (launch->go < 0 || pipe2(report, O_CLOEXEC)) {
		errors_add(errors, NULL, "cannot-start", NULL, 0, "cannot make a pipe: %s", strerror(errno));
		return false;
	}
	launch->report = report[1];
	bool fine = launch_child(launch, report[0], child, errors);
	close(report[0]);
	return fine;
}

bool child_start(const struct child_spec *spec, struct child *child, struct errors *errors)
{
	struct launch launch = {
		.spec = spec,
		.program = find_program(spec->argv[0]),
		.netns = spec->netns ? text_format("/run/netns/%s", spec->netns) : NULL,
		.parent = getpid(),
	};

	*child = (struct child)CHILD_NONE;
	bool fine = launch_held(&launch, child, errors);
	if (launch.go >= 0)
		close(launch.go);
	free(launch.program);
	free(launch.netns);
	return fine;
}
