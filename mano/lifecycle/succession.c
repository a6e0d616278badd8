/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Make before break: a process of another build or shape comes up beside the one that runs, and takes its place when it can do no more without it
 * (runtime/process/succession.h). Until it is told to go, what runs is not touched: should the new one fail, its wish is refused and that is all.
 * Before it is told, the store knows of it: the next life finds it, or if it went with us, what ran before. Keepers' threads. See keeper.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lifecycle/credentials.h"
#include "lifecycle/keeper.h"
#include "manage/log.h"
#include "util/memory.h"

enum {
	STANDBY_MS = 60000, /* for it to come up */
	/* For the other to leave once it was told to, when it has finished what is under way; and how much longer if it gets no processor. */
	LEAVE_MS = 5000,
	STARVED_MS = 10000,
	SETTLE_MS = 25000, /* for one that a former life left standing by to go, or to begin */
	END_MS = 1000,
	PROCESS_KB = 48 << 10,
};

/* --- beginning --- */

/* Why there is no room for two processes; NULL: there is. */
static const char *no_room(const struct unit *unit, const struct wish *wish)
{
	struct host_memory memory = host_memory();
	uint64_t packets = (uint64_t)wish->memory_mb << 10;
	bool huge = strcmp(wish->hugepages, "always") == 0 ||
	            (strcmp(wish->hugepages, "auto") == 0 && host_hugepages_of(unit->child.pid));

	if (huge && memory.hugepages_free * memory.hugepage_kb < packets)
		return "too few hugepages are free";
	if (memory.available_kb < (huge ? 0 : packets) + PROCESS_KB)
		return "too little memory is available";
	return NULL;
}

static void say_no_room(struct unit *unit, const char *why)
{
	events_add(unit->manager->events, "vnf-no-standby", unit->name, NULL,
	           "%s for two processes: what runs ends before its successor begins", why);
	log_warn("vnf-no-standby", "unit=%s reason=%s", unit->name, why);
}

/* Starts it with the other end of our line. */
static bool start(struct unit *unit, int end, struct errors *errors)
{
	const struct driver *driver = unit->manager->driver;
	struct succession *next = &unit->next;
	struct instance instance = keeper_instance(unit, &next->wish);

	instance.standby = end;
	if (!driver->create(&instance, errors) ||
	    !credentials_issue(unit->manager, unit->folder, unit->name, next->wish.document, errors))
		return false;
	unit->log_from = driver->log_size(unit->folder);
	return driver->start(&instance, &next->standby, errors);
}

static void take_wish(struct unit *unit)
{
	struct succession *next = &unit->next;

	wish_clear(&next->wish);
	pthread_mutex_lock(&unit->manager->lock);
	next->wish = wish_copy(&unit->wish);
	next->number = unit->asked;
	pthread_mutex_unlock(&unit->manager->lock);
	next->since = unit_now();
	next->said[0] = '\0';
	next->ready = false;
}

static void hang_up(struct succession *next)
{
	if (next->line >= 0)
		close(next->line);
	next->line = -1;
}

static void fail(struct unit *unit, struct errors *errors)
{
	succession_drop(unit);
	keeper_refuse(unit, unit->next.number, errors);
}

bool succession_begin(struct unit *unit)
{
	struct succession *next = &unit->next;
	struct errors errors = ERRORS_NONE;
	int ends[2];

	take_wish(unit);
	const char *why = no_room(unit, &next->wish);
	if (why) {
		say_no_room(unit, why);
		return false;
	}
	hang_up(next);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		return false;
	next->line = ends[0];
	if (start(unit, ends[1], &errors))
		log_info("vnf-standby", "unit=%s pid=%d", unit->name, (int)next->standby.pid);
	else
		fail(unit, &errors);
	close(ends[1]);
	errors_free(&errors);
	return true;
}

bool succession_under_way(const struct unit *unit)
{
	return unit->next.standby.pid > 0;
}

/* --- standing by --- */

/* The next line that it has said, without its end; NULL: none yet. *gone: there will be no more. */
static const char *hear(struct succession *next, bool *gone)
{
	while (next->line >= 0) {
		size_t length = strlen(next->said);
		ssize_t got = length + 1 < sizeof(next->said)
		                      ? recv(next->line, next->said + length, 1, MSG_DONTWAIT)
		                      : 0;

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return NULL;
		*gone = got <= 0;
		if (*gone)
			return NULL;
		if (next->said[length] == '\n') {
			next->said[length] = '\0';
			return next->said;
		}
		next->said[length + 1] = '\0';
	}
	return NULL;
}

/* It is its turn: it becomes the unit's process, and is told so when the store knows it. */
static void go(struct unit *unit)
{
	static const char word[] = "go\n";
	struct succession *next = &unit->next;

	child_forget(&next->leaving);
	wish_clear(&unit->running);
	unit->running = next->wish;
	unit->running_wish = next->number;
	next->wish = (struct wish){ 0 };
	pthread_mutex_lock(&unit->manager->lock);
	next->leaving = unit->child;
	unit->child = next->standby;
	unit->hung = unit->drift = false;
	unit->since = (int64_t)time(NULL);
	unit->restarts++;
	memcpy(unit->digest, unit->running.digest, sizeof(unit->digest));
	unit->state = UNIT_STARTING;
	pthread_mutex_unlock(&unit->manager->lock);
	next->standby = (struct child)CHILD_NONE;
	next->said[0] = '\0';
	unit_record(unit);
	unit->started = unit_now();
	next->until = unit->started + LEAVE_MS;
	backoff_forget(&unit->backoff);
	if (send(next->line, word, sizeof(word) - 1, MSG_NOSIGNAL) < 0)
		log_warn("no-go", "unit=%s reason=%m", unit->name); /* it has ended, which is seen next */
	unit_say_started(unit);
}

/* "standby API VERSION" */
static void judge(struct unit *unit, const char *said)
{
	char api[32] = "", version[48] = "";
	struct errors errors = ERRORS_NONE;

	if (sscanf(said, "standby %31s %47s", api, version) < 1)
		errors_add(&errors, NULL, "cannot-start", NULL, 0, "%s says \"%s\"", unit->name, said);
	else
		health_speaks(unit, api, version[0] ? version : NULL, &errors);
	if (errors_any(&errors))
		fail(unit, &errors);
	else
		unit->next.ready = true;
	errors_free(&errors);
}

/* Processes of one service take turns: each keeps packets for the others while these are away, not while it is itself. */
static bool take_turn(struct unit *unit)
{
	struct manager *manager = unit->manager;
	bool mine = true;

	pthread_mutex_lock(&manager->lock);
	const struct service *service = manager_service(manager, unit->service);

	for (size_t i = 0; service && i < service->units_count; i++)
		mine &= service->units[i] == unit || !service->units[i]->taking;
	unit->taking |= mine;
	pthread_mutex_unlock(&manager->lock);
	return mine;
}

void succession_look(struct unit *unit)
{
	struct succession *next = &unit->next;
	struct errors errors = ERRORS_NONE;
	bool gone = false;
	int status;
	const char *said = next->ready ? NULL : hear(next, &gone);

	if (said) {
		judge(unit, said);
		if (!succession_under_way(unit))
			return;
	}
	if (next->ready && take_turn(unit)) {
		go(unit);
		return;
	}
	if (gone)
		child_wait(&next->standby, END_MS); /* the line is closed first */
	if (child_ended(&next->standby, &status))
		health_explain(unit, &errors);
	else if (gone || unit_now() - next->since > STANDBY_MS)
		errors_add(&errors, NULL, "not-ready", NULL, 0, "a successor of %s did not come up in %d s",
		           unit->name, STANDBY_MS / 1000);
	if (errors_any(&errors))
		fail(unit, &errors);
	errors_free(&errors);
}

/* --- taking the place --- */

static void set_taken(struct unit *unit)
{
	hang_up(&unit->next);
	pthread_mutex_lock(&unit->manager->lock);
	unit->taking = false;
	pthread_mutex_unlock(&unit->manager->lock);
}

static void tend_leaving(struct succession *next)
{
	int status;

	if (next->leaving.pid <= 0)
		return;
	if (child_ended(&next->leaving, &status))
		child_forget(&next->leaving);
	else if (unit_now() > next->until + STARVED_MS ||
	         (unit_now() > next->until && !child_is_runnable(next->leaving.pid, NULL, 0)))
		child_signal(&next->leaving, SIGKILL);
}

void succession_tend(struct unit *unit)
{
	struct succession *next = &unit->next;
	bool gone = false;

	tend_leaving(next);
	if (unit->taking && (unit->child.pid <= 0 || next->line < 0 || hear(next, &gone) || gone))
		set_taken(unit);
}

/* --- ends --- */

void succession_drop(struct unit *unit)
{
	struct succession *next = &unit->next;

	hang_up(next);
	if (next->standby.pid > 0)
		unit->manager->driver->stop(&next->standby, 0);
	next->standby = (struct child)CHILD_NONE;
}

void succession_end(struct unit *unit)
{
	succession_drop(unit);
	if (unit->next.leaving.pid > 0)
		unit->manager->driver->stop(&unit->next.leaving, LEAVE_MS);
	unit->next.leaving = (struct child)CHILD_NONE;
}

/* Whether this life ends, too: the next looks again. */
static bool is_left(struct unit *unit)
{
	pthread_mutex_lock(&unit->manager->lock);
	bool left = unit->leave;
	pthread_mutex_unlock(&unit->manager->lock);
	return left;
}

/* Whether what was taken up only stands by yet: it goes with us, or was told to begin. Waits for that. */
static void settle(struct unit *unit)
{
	uint64_t until = unit_now() + SETTLE_MS;

	while (unit->child.pid > 0 && !unit->manager->driver->runs(unit->folder, &unit->child) &&
	       unit_now() < until && !is_left(unit))
		if (child_wait(&unit->child, 5)) {
			pthread_mutex_lock(&unit->manager->lock);
			child_forget(&unit->child);
			pthread_mutex_unlock(&unit->manager->lock);
		}
}

/* Takes up whatever runs in the folder. What it was started as it says itself; its document is not known then: it is given it. */
static void find_predecessor(struct unit *unit)
{
	const struct driver *driver = unit->manager->driver;
	struct child found = CHILD_NONE;
	char label[UNIT_DIGEST] = "";

	if (!driver->adopt(unit->folder, 0, 0, &found))
		return;
	driver->label(&found, label, sizeof(label));
	pthread_mutex_lock(&unit->manager->lock);
	unit->child = found;
	wish_shape(label, unit->digest);
	pthread_mutex_unlock(&unit->manager->lock);
	settle(unit);
}

void succession_take_up(struct unit *unit)
{
	settle(unit);
	if (unit->child.pid <= 0)
		find_predecessor(unit);
}
