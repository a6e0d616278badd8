/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A unit: one process of the datapath, the service's own or that of a VNF behind a hop, with the thread that keeps it.
 * What it shall be (its wish) is set by operations; the keeper makes it so for as long as it lives, and says when it is:
 * each wish has a number, and `done` or `refused` reaches it.
 *
 * Life cycle: unit_new, unit_start, wishes ..., unit_ask_stop or unit_ask_leave, unit_join (frees).
 */
#ifndef SLUICE_LIFECYCLE_UNIT_H
#define SLUICE_LIFECYCLE_UNIT_H

#include <pthread.h>

#include "lifecycle/backoff.h"
#include "lifecycle/listener.h"
#include "lifecycle/manager.h"
#include "manage/client.h"
#include "util/child.h"
#include "util/heartbeat.h"

enum { UNIT_DIGEST = 56 };

/* What a unit shall run. */
struct wish {
	char *program, *netns, *cores, *hugepages;
	unsigned memory_mb;
	char *document;
	char digest[UNIT_DIGEST]; /* SHAPE-DOCUMENT: of what only a restart changes, and of the document */
};

enum unit_state { UNIT_STARTING, UNIT_READY, UNIT_BACKING_OFF, UNIT_STOPPING, UNIT_STOPPED };

/* What the watchdog remembers of a unit. Its thread alone, under lock. */
struct heartbeat_watch {
	const struct heartbeat *beats;
	pid_t pid; /* whose heartbeat it is */
	uint64_t turns[HEARTBEAT_WORKERS_MAX],
	        moved[HEARTBEAT_WORKERS_MAX];   /* last seen; when it moved, in ms */
	bool suspected[HEARTBEAT_WORKERS_MAX];  /* it has stood still for a while */
	uint64_t cpu_ms[HEARTBEAT_WORKERS_MAX]; /* the processor time that its thread had had then */
	bool (*look)(pid_t pid, pid_t thread, struct thread_look *look); /* child_thread() */
};

/* A process that stands by, or takes another's place; and the one that leaves. The keeper's own (succession.c). */
struct succession {
	struct child standby, leaving; /* no process: -1 */
	int line;                      /* to the one that stands by, until it serves; -1: none */
	struct wish wish;
	uint64_t number;       /* of the wish */
	uint64_t since, until; /* when it was started; until when the other may take to leave; ms */
	char said[96];         /* of a line that has not ended yet */
	bool ready;            /* it stands by, and waits for its turn */
};

struct unit {
	struct manager *manager;
	char *service, *vnf, *name; /* name: "edge", "edge/nat"; vnf: "" of the service process */
	char *folder, *socket;
	char *kept; /* where what a function keeps lies, wherever in the service it runs; NULL: in the folder */
	pthread_t thread;
	int wake; /* eventfd: orders have changed */
	struct listener *listener;

	/* under manager->lock */
	struct wish wish;
	uint64_t asked, done, refused; /* numbers of wishes */
	struct errors refusal;         /* why the last was refused */
	bool stop, leave, restart, heal;
	bool taking;   /* the process takes its predecessor's place, and does not serve yet */
	bool taken_up; /* what a former life left of it is known */
	enum unit_state state;
	struct child child;
	char digest[UNIT_DIGEST]; /* of what it runs; "": nothing yet */
	uint64_t restarts;
	int64_t since; /* when the process was started, seconds since 1970 */
	bool hung, drift;
	char *error;   /* the last failure, for people; NULL: none */
	char *version; /* that it told; NULL: not yet */
	struct heartbeat_watch watch;

	/* the keeper's own */
	bool recalled; /* the store knew of it */
	struct http_client *client,
	        *prober;     /* for documents; for questions, also while a document is on its way */
	struct wish running; /* what it was started with, or given since */
	struct succession next;
	uint64_t running_wish;
	char *etag; /* of its configuration when we last gave it */
	struct backoff backoff;
	unsigned misses, probes;
	uint64_t start_at, started, ready_since, exit_seen, next_probe; /* ms; exit_seen 0: not healing */
	uint64_t answered; /* when its REST last answered anything */
	uint64_t push_at;  /* not before is a document sent again */
	long log_from;
};

/* A clock that only goes forward, in milliseconds. */
uint64_t unit_now(void);

/* A unit that has no wish yet; it is not running. vnf: "" for the service process. */
struct unit *unit_new(struct manager *manager, const char *service, const char *vnf);

/* What the store knew of its process, before unit_start. */
void unit_recall(struct unit *unit, const struct store_process *process);

/* Starts the keeper. False with an error if there is no thread to be had. */
bool unit_start(struct unit *unit, struct errors *errors);

/* All of these: lock held. Wishes are taken over. An equal wish that is done already asks for nothing. */
void unit_wish(struct unit *unit, struct wish *wish);
void unit_ask_restart(struct unit *unit, bool heal);
/* What was refused may become true yet, by a process that runs meanwhile: its refusal is forgotten, and waited for it is again. */
void unit_ask_again(struct unit *unit);
void unit_ask_stop(struct unit *unit);
void unit_ask_leave(struct unit *unit);
/* Whether what was asked for is done, or refused. */
bool unit_settled(const struct unit *unit);
bool unit_refused(const struct unit *unit);
/* {state, health, pid, uptime, restarts, cores, digest, drift, error}; new reference. */
json_t *unit_show(const struct unit *unit);
const char *unit_state_name(enum unit_state state);

/* Waits for the keeper's end and frees; lock not held, and no list holds the unit any more. */
void unit_join(struct unit *unit);

/* Fills in the digest of a wish. */
void wish_seal(struct wish *wish);
struct wish wish_copy(const struct wish *wish);
void wish_clear(struct wish *wish);
/* Whether two digests differ in what only a restart changes. */
bool wish_reshapes(const char *digest, const char *other);
/* The part of a digest that only a restart changes, with room for UNIT_DIGEST; "" if there is none. */
void wish_shape(const char *digest, char *shape);

#endif
