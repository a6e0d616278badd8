/* SPDX-License-Identifier: BSD-3-Clause */
/* Make before break. See succession.h. */
#include "runtime/process/succession.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "manage/log.h"
#include "runtime/process/process.h"

enum {
	HEIR_S = 2,
	LEAVE_MS = 20000,
	SAY_MS = 10
}; /* a change of configuration that is under way is finished first */

static bool address_of(const char *directory, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return (size_t)snprintf(address->sun_path, sizeof(address->sun_path), "%s/successor.sock",
	                        directory) < sizeof(address->sun_path);
}

/* --- the successor --- */

bool succession_stand_by(int supervisor)
{
	static const char said[] = "standby " PROCESS_API " " SLUICE_VERSION "\n";
	char word[8] = "";
	size_t got = 0;

	if (send(supervisor, said, sizeof(said) - 1, MSG_NOSIGNAL) != (ssize_t)sizeof(said) - 1)
		return false;
	while (got < sizeof(word) - 1 && !strchr(word, '\n')) {
		ssize_t more = recv(supervisor, word + got, sizeof(word) - 1 - got, 0);

		if (more == 0 || (more < 0 && errno != EINTR))
			return false;
		got += more > 0 ? (size_t)more : 0;
	}
	return strcmp(word, "go\n") == 0;
}

/* Keeps what it hands over; false: it says nothing for so long. */
static bool await_leave(int predecessor, struct port_bequests *inherited)
{
	struct pollfd left = { .fd = predecessor, .events = POLLIN };
	int ready;

	do {
		ready = poll(&left, 1, LEAVE_MS);
		if (ready > 0 && !bequest_receive(predecessor, inherited))
			return true;
	} while (ready > 0 || (ready < 0 && errno == EINTR));
	return false;
}

static void say_workers(int predecessor, unsigned workers)
{
	char said[32];
	int length = snprintf(said, sizeof(said), "workers %u\n", workers);

	if (send(predecessor, said, (size_t)length, MSG_NOSIGNAL) < 0)
		log_info("predecessor-gone", "reason=%m");
}

bool succession_take(const char *directory, unsigned workers, struct port_bequests *inherited,
                     struct errors *errors)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un address;
	bool left = true;

	/* Nobody listens: there is none, or the session memory, which it has locked, says so. */
	if (fd >= 0 && address_of(directory, &address) &&
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0) {
		say_workers(fd, workers);
		left = await_leave(fd, inherited);
	}
	if (!left)
		errors_add(errors, NULL, "predecessor-stays", NULL, 0,
		           "the process that runs in %s has not left within %d s", directory,
		           LEAVE_MS / 1000);
	if (fd >= 0)
		close(fd);
	return left;
}

void succession_serving(int supervisor)
{
	static const char said[] = "serving\n";

	/* It may be gone by now: we run all the same. */
	if (send(supervisor, said, sizeof(said) - 1, MSG_NOSIGNAL) < 0)
		log_info("supervisor-gone", "reason=%m");
	close(supervisor);
}

/* --- the predecessor --- */

int succession_listen(const char *directory)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;
	bool fits = address_of(directory, &address);

	if (fd >= 0 && fits) {
		unlink(address.sun_path); /* a predecessor's, who has left */
		if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0 && listen(fd, 1) == 0)
			return fd;
	}
	log_warn("no-succession", "file=%s reason=%m", address.sun_path);
	if (fd >= 0)
		close(fd);
	return -1;
}

int succession_asked(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	const struct timeval patience = { .tv_sec = HEIR_S };
	struct ucred who = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(who);

	if (fd < 0)
		return -1;
	/* One who stands still must not keep us, for whom workers have stopped. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &length) == 0 &&
	    (who.uid == 0 || who.uid == geteuid()) &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) == 0) {
		log_info("succeeded", "by=%d", (int)who.pid);
		return fd;
	}
	close(fd);
	return -1;
}

/* It says so as soon as it has our ear; one of an earlier build says nothing. */
bool succession_other_workers(int successor, unsigned workers)
{
	struct pollfd said = { .fd = successor, .events = POLLIN };
	char word[32] = "";
	unsigned wanted;

	if (poll(&said, 1, SAY_MS) <= 0 || recv(successor, word, sizeof(word) - 1, MSG_DONTWAIT) <= 0)
		return false;
	return sscanf(word, "workers %u", &wanted) == 1 && wanted != workers;
}
