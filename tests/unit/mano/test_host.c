/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known of a unix socket: whether somebody listens, and whether that is still the one who began. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "lifecycle/host.h"

static char folder[] = "/tmp/test-host-XXXXXX";
static char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static int listen_there(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	unlink(path);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	return fd;
}

static void own_socket_is_no_orphan(void **state)
{
	int fd = listen_there();

	(void)state;
	assert_true(host_socket_alive(path));
	assert_int_equal(host_listener(path), HOST_LISTENER_LIVES);
	close(fd);
	assert_false(host_socket_alive(path));
	assert_int_equal(host_listener(path), HOST_LISTENER_NONE);
}

/* A process listens, starts another and is gone; the other holds the socket. */
static pid_t leave_an_heir(void)
{
	int tell[2];
	pid_t heir = 0;

	assert_int_equal(pipe(tell), 0);
	pid_t first = fork();
	if (first == 0) {
		listen_there();
		heir = fork();
		if (heir == 0)
			for (;;)
				pause();
		_exit(write(tell[1], &heir, sizeof(heir)) != sizeof(heir));
	}
	assert_int_equal(read(tell[0], &heir, sizeof(heir)), sizeof(heir));
	assert_int_equal(waitpid(first, NULL, 0), first);
	close(tell[0]);
	close(tell[1]);
	return heir;
}

static void heir_of_a_dead_process_is_known(void **state)
{
	pid_t heir = leave_an_heir();
	enum host_listener first = host_listener(path), last = first;

	(void)state;
	for (unsigned i = 0; i < 3; i++) /* its queue takes two */
		last = host_listener(path);
	bool alive = host_socket_alive(path);
	kill(heir, SIGKILL);
	assert_true(alive);
	assert_int_equal(first, HOST_LISTENER_GONE);
	assert_int_equal(last, HOST_LISTENER_BUSY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(own_socket_is_no_orphan),
		cmocka_unit_test(heir_of_a_dead_process_is_known),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
