/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Child processes: how they start, what they are given, how they end, how they are found again. Every process is a
 * shell of a few seconds that is stopped by its pid.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "util/atomic_file.h"
#include "util/child.h"
#include "util/memory.h"

static char output[64];

static int make_output(void **state)
{
	(void)state;
	strcpy(output, "/tmp/sluice-child-XXXXXX");
	int fd = mkstemp(output);
	return fd < 0 || close(fd);
}

static int remove_output(void **state)
{
	(void)state;
	return unlink(output);
}

/* Runs a shell script to its end; its output, malloc'd. */
static char *output_of(struct child_spec spec, const char *script)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct errors errors = ERRORS_NONE;
	struct child child;
	int status;
	char *text;
	size_t length;

	spec.argv = argv;
	spec.output = output;
	assert_true(child_start(&spec, &child, &errors));
	assert_true(child_wait(&child, 5000));
	assert_true(child_ended(&child, &status));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	child_forget(&child);
	assert_int_equal(atomic_file_read(output, 100000, &text, &length), 0);
	return text;
}

static void expect_output(struct child_spec spec, const char *script, const char *expected)
{
	char *text = output_of(spec, script);

	assert_string_equal(text, expected);
	free(text);
}

static struct child start_sleep(void)
{
	const char *argv[] = { "sleep", "30", NULL };
	struct child_spec spec = { .argv = argv };
	struct errors errors = ERRORS_NONE;
	struct child child;

	assert_true(child_start(&spec, &child, &errors));
	return child;
}

static void test_who_is_ready_to_run(void **state)
{
	const char *argv[] = { "sh", "-c", "while :; do :; done", NULL };
	struct child idle = start_sleep(), busy;
	struct errors errors = ERRORS_NONE;
	int status;

	(void)state;
	assert_true(child_start(&(struct child_spec){ .argv = argv }, &busy, &errors));
	assert_true(child_is_runnable(busy.pid, NULL, 0));
	assert_false(child_is_runnable(busy.pid, &busy.pid, 1));
	for (int looks = 0; looks < 1000 && child_is_runnable(idle.pid, NULL, 0); looks++)
		usleep(10000);
	assert_false(child_is_runnable(idle.pid, NULL, 0));
	child_signal(&busy, SIGKILL);
	child_signal(&idle, SIGKILL);
	assert_true(child_wait(&busy, 5000) && child_wait(&idle, 5000));
	assert_true(child_ended(&busy, &status) && child_ended(&idle, &status));
	assert_false(child_is_runnable(busy.pid, NULL, 0));
	child_forget(&busy);
	child_forget(&idle);
}

static void test_output_and_environment(void **state)
{
	const char *environment[] = { "PATH=/bin:/usr/bin", "COLOUR=green", NULL };
	struct child_spec spec = { .environment = environment, .folder = "/usr" };

	(void)state;
	expect_output(spec, "echo $COLOUR; pwd; echo wrong >&2; read x || echo empty",
	              "green\n/usr\nwrong\nempty\n");
}

static void test_own_session(void **state)
{
	char *text = output_of((struct child_spec){ 0 }, "cut -d' ' -f1,6 /proc/$$/stat");
	int pid, session;

	(void)state;
	assert_int_equal(sscanf(text, "%d %d", &pid, &session), 2);
	assert_int_equal(pid, session);
	free(text);
}

static void test_cpus(void **state)
{
	cpu_set_t allowed, one;
	char expected[16];
	int cpu = 0;

	(void)state;
	assert_int_equal(sched_getaffinity(0, sizeof(allowed), &allowed), 0);
	while (!CPU_ISSET(cpu, &allowed))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	snprintf(expected, sizeof(expected), "%d\n", cpu);
	expect_output((struct child_spec){ .cpus = &one },
	              "grep Cpus_allowed_list /proc/self/status | cut -f2", expected);
}

static void test_descriptors(void **state)
{
	int kept = open("/dev/null", O_RDONLY | O_CLOEXEC), other = open("/dev/null", O_RDONLY);
	char *script =
	        text_format("test -e /proc/$$/fd/%d && ! test -e /proc/$$/fd/%d && echo right", kept, other);

	(void)state;
	expect_output((struct child_spec){ .keep = &kept, .keep_count = 1 }, script, "right\n");
	close(kept);
	close(other);
	free(script);
}

static void test_signals_are_default(void **state)
{
	sigset_t blocked;

	(void)state;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
	char *text =
	        output_of((struct child_spec){ 0 }, "grep -E 'SigBlk|SigIgn' /proc/self/status | cut -f2");
	sigprocmask(SIG_UNBLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_DFL);
	assert_string_equal(text, "0000000000000000\n0000000000000000\n");
	free(text);
}

/* The namespace has lo alone, and a name that nobody else uses. */
static void test_network_namespace(void **state)
{
	char *name = text_format("sluice-test-%d", (int)getpid());
	char *add = text_format("ip netns add %s", name), *remove = text_format("ip netns del %s", name);

	(void)state;
	assert_int_equal(system(add), 0);
	char *text = output_of((struct child_spec){ .netns = name },
	                       "tail -n +3 /proc/self/net/dev | cut -d: -f1");
	assert_int_equal(system(remove), 0);
	assert_string_equal(text, "    lo\n");
	free(text);
	free(name);
	free(add);
	free(remove);
}

static void expect_failure(const struct child_spec *spec, const char *detail)
{
	struct errors errors = ERRORS_NONE;
	struct child child;

	assert_false(child_start(spec, &child, &errors));
	assert_int_equal(errors.count, 1);
	assert_string_equal(errors.list[0].detail, detail);
	assert_int_equal(child.pid, -1);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing left to reap */
	errors_free(&errors);
}

static void test_failures_say_the_step(void **state)
{
	const char *none[] = { "/nowhere/program", NULL }, *right[] = { "true", NULL };
	cpu_set_t absent;

	(void)state;
	CPU_ZERO(&absent);
	CPU_SET(CPU_SETSIZE - 1, &absent);
	expect_failure(&(struct child_spec){ .argv = none },
	               "cannot run the program /nowhere/program: No such file or directory");
	expect_failure(&(struct child_spec){ .argv = right, .netns = "sluice-none" },
	               "cannot enter the network namespace sluice-none: No such file or directory");
	expect_failure(&(struct child_spec){ .argv = right, .folder = "/nowhere" },
	               "cannot work in the folder /nowhere: No such file or directory");
	expect_failure(&(struct child_spec){ .argv = right, .output = "/nowhere/out" },
	               "cannot write the output file /nowhere/out: No such file or directory");
	expect_failure(&(struct child_spec){ .argv = right, .cpus = &absent },
	               "cannot run on the chosen processors true: Invalid argument");
}

static void test_exit_status(void **state)
{
	const char *argv[] = { "sh", "-c", "exit 7", NULL };
	struct errors errors = ERRORS_NONE;
	struct child child;
	int status;

	(void)state;
	assert_true(child_start(&(struct child_spec){ .argv = argv }, &child, &errors));
	assert_true(child_wait(&child, 5000));
	assert_false(child_alive(child.pid, child.start_time)); /* a zombie does not live */
	assert_true(child_ended(&child, &status));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	child_forget(&child);
}

static void test_killed_is_seen(void **state)
{
	struct child child = start_sleep();
	int status;

	(void)state;
	assert_false(child_ended(&child, &status));
	assert_true(child_alive(child.pid, child.start_time));
	assert_false(child_wait(&child, 20));
	assert_int_equal(kill(child.pid, SIGKILL), 0);
	assert_true(child_wait(&child, 5000));
	assert_true(child_ended(&child, &status));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	assert_int_equal(child_signal(&child, SIGTERM), ESRCH);
	child_forget(&child);
}

static void test_stop_gently(void **state)
{
	struct child child = start_sleep();
	pid_t pid = child.pid;

	(void)state;
	assert_true(child_stop(&child, 5000));
	assert_int_equal(child.pid, -1);
	assert_int_equal(kill(pid, 0), -1);
}

static void test_stop_by_force(void **state)
{
	const char *argv[] = { "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done", NULL };
	struct child_spec spec = { .argv = argv, .output = output };
	struct errors errors = ERRORS_NONE;
	struct child child;
	struct stat status = { 0 };

	(void)state;
	assert_true(child_start(&spec, &child, &errors));
	for (int i = 0; i < 500 && status.st_size == 0; i++) {
		usleep(10000);
		stat(output, &status);
	}
	pid_t pid = child.pid;
	assert_false(child_stop(&child, 100));
	assert_int_equal(kill(pid, 0), -1);
}

static void test_adoption(void **state)
{
	struct child child = start_sleep(), adopted;
	int status;

	(void)state;
	assert_int_equal(child.start_time, child_start_time(child.pid));
	assert_false(child_adopt(child.pid, child.start_time + 1, &adopted));
	assert_true(child_adopt(child.pid, child.start_time, &adopted));
	assert_false(adopted.ours);
	assert_false(child_ended(&adopted, &status));
	assert_int_equal(child_signal(&adopted, SIGKILL), 0);
	assert_true(child_wait(&adopted, 5000));
	assert_true(child_ended(&adopted, &status));
	assert_int_equal(status, -1);
	child_forget(&adopted);
	assert_true(child_ended(&child, &status));
	child_forget(&child);
	assert_false(child_adopt(-1, 0, &adopted));
	assert_int_equal(child_start_time(-1), 0);
}

/* A supervisor that dies leaves its child running. */
static void test_outlives_its_parent(void **state)
{
	int pipe_ends[2];
	struct child child = CHILD_NONE, adopted;

	(void)state;
	assert_int_equal(pipe(pipe_ends), 0);
	pid_t supervisor = fork();
	if (supervisor == 0) {
		child = start_sleep();
		ssize_t done = write(pipe_ends[1], &child, sizeof(child));
		(void)done;
		raise(SIGKILL);
	}
	assert_int_equal(read(pipe_ends[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
	assert_true(child_adopt(child.pid, child.start_time, &adopted));
	assert_false(child_wait(&adopted, 50));
	assert_true(child_stop(&adopted, 5000));
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

struct noting {
	int report;
	bool die;
};

/* While it is noted it has run nothing yet, and holds nothing of ours. */
static void note(void *user, const struct child *child)
{
	const struct noting *noting = user;
	struct stat status;
	char held[64];

	assert_true(child_alive(child->pid, child->start_time));
	snprintf(held, sizeof(held), "/proc/%d/fd/%d", child->pid, noting->report);
	assert_int_equal(lstat(held, &status), -1);
	assert_int_equal(stat(output, &status), 0);
	assert_int_equal(status.st_size, 0);
	assert_int_equal(write(noting->report, child, sizeof(*child)), sizeof(*child));
	if (noting->die)
		raise(SIGKILL);
}

/* Starts a program that writes "ran", and tells of it on the pipe when it is noted. */
static void start_noted(struct noting noting, struct child *child)
{
	const char *argv[] = { "echo", "ran", NULL };
	struct child_spec spec = { .argv = argv, .output = output, .note = note, .user = &noting };
	struct errors errors = ERRORS_NONE;

	assert_true(child_start(&spec, child, &errors));
}

static void test_noted_before_it_runs(void **state)
{
	struct child child, noted;
	int ends[2], status;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	start_noted((struct noting){ ends[1], false }, &child);
	assert_int_equal(read(ends[0], &noted, sizeof(noted)), sizeof(noted));
	assert_int_equal(noted.pid, child.pid);
	assert_int_equal(noted.start_time, child.start_time);
	assert_true(child_wait(&child, 5000));
	assert_true(child_ended(&child, &status));
	child_forget(&child);
	char *text = output_of((struct child_spec){ 0 }, "true");
	assert_string_equal(text, "ran\n");
	free(text);
	close(ends[0]);
	close(ends[1]);
}

/* A supervisor that dies before it has noted its child leaves none. */
static void test_nothing_runs_that_was_not_noted(void **state)
{
	struct child child;
	struct stat status;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t supervisor = fork();
	if (supervisor == 0)
		start_noted((struct noting){ ends[1], true }, &child);
	assert_int_equal(read(ends[0], &child, sizeof(child)), sizeof(child));
	assert_int_equal(waitpid(supervisor, NULL, 0), supervisor);
	for (int i = 0; i < 3000 && child_alive(child.pid, child.start_time); i++)
		usleep(10000);
	assert_false(child_alive(child.pid, child.start_time));
	assert_int_equal(stat(output, &status), 0);
	assert_int_equal(status.st_size, 0);
	close(ends[0]);
	close(ends[1]);
}

/* A thread that has ended neither waits nor hangs. */
static void test_ended_thread(void **state)
{
	struct thread_look look;
	siginfo_t info;
	pid_t other = fork();

	(void)state;
	if (other == 0)
		_exit(0);
	assert_int_equal(waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT), 0);
	assert_false(child_thread(other, other, &look));
	waitpid(other, NULL, 0);
	assert_true(child_thread(getpid(), getpid(), &look));
	assert_true(look.runnable);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_output_and_environment, make_output, remove_output),
		cmocka_unit_test_setup_teardown(test_own_session, make_output, remove_output),
		cmocka_unit_test(test_who_is_ready_to_run),
		cmocka_unit_test_setup_teardown(test_cpus, make_output, remove_output),
		cmocka_unit_test_setup_teardown(test_descriptors, make_output, remove_output),
		cmocka_unit_test_setup_teardown(test_signals_are_default, make_output, remove_output),
		cmocka_unit_test_setup_teardown(test_network_namespace, make_output, remove_output),
		cmocka_unit_test(test_failures_say_the_step),
		cmocka_unit_test(test_exit_status),
		cmocka_unit_test(test_killed_is_seen),
		cmocka_unit_test(test_stop_gently),
		cmocka_unit_test_setup_teardown(test_stop_by_force, make_output, remove_output),
		cmocka_unit_test(test_ended_thread),
		cmocka_unit_test(test_adoption),
		cmocka_unit_test(test_outlives_its_parent),
		cmocka_unit_test_setup_teardown(test_noted_before_it_runs, make_output, remove_output),
		cmocka_unit_test_setup_teardown(test_nothing_runs_that_was_not_noted, make_output,
		                                remove_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
