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
};

struct unit {
	struct manager *manager;
	char *service, *vnf, *name; /* name: "edge", "edge/nat"; vnf: "" of the service process */
	char *folder, *socket;
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
	bool recalled, launching; /* the store knew of it; it was about to be started then */
	struct http_client *client,
	        *prober;     /* for documents; for questions, also while a document is on its way */
	struct wish running; /* what it was started with, or given since */
	struct succession next;
	uint64_t running_wish;
	char *etag; /* of its configuration when we last gave it */
	unsigned failures, misses, probes;
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

/* --- For keeper.c, succession.c and health.c alone. --- */

/* Make before break: a process comes up beside what runs and takes its place. */

/* Starts one for the present wish; false: the host has no room for two. What fails is a refusal of the wish, and what runs runs on. */
bool succession_begin(struct unit *unit);
/* Whether one stands by, or is on its way there. */
bool succession_under_way(const struct unit *unit);
/* Sees to one that stands by: when it is ready it becomes the unit's process; one that fails is a refusal. */
void succession_look(struct unit *unit);
/* Sees to one that was told to begin, and to one that leaves. */
void succession_tend(struct unit *unit);
/* Gives up one that stands by. */
void succession_drop(struct unit *unit);
/* The same, and ends one that leaves. */
void succession_end(struct unit *unit);
/* What a former life left: by the store's word, if it was not one that stood by and went with that life; else whatever runs in the folder. What that one
 * was started as it says itself; its document is not known then. */
void succession_take_up(struct unit *unit);

struct instance keeper_instance(const struct unit *unit, const struct wish *wish);
/* Takes the errors over. */
void keeper_refuse(struct unit *unit, uint64_t wish, struct errors *errors);

void *keeper_run(void *unit);

enum push_result { PUSH_DONE, PUSH_RESTART, PUSH_REFUSED, PUSH_UNREACHED };
/* Gives a running process the document of its wish. */
enum push_result health_push(struct unit *unit, const struct wish *wish, struct errors *errors);
/* Whether it says that it is ready. */
bool health_ready(struct unit *unit);
/* Asks which version it is, and notes it; false with an error ("wrong-version") if it does not speak our API. */
bool health_greet(struct unit *unit, struct errors *errors);
/* Whether we speak the API of a process of that version (NULL: it told none); else an error. */
bool health_speaks(struct unit *unit, const char *api, const char *version, struct errors *errors);
/* Whether it is time to ask it whether it lives. */
bool health_probe_due(const struct unit *unit);
/* Asks it whether it lives; false when it has not answered several times. Also looks for drift now and then. */
bool health_probe(struct unit *unit);
/* Why it ended before it was ready, by its own words. */
void health_explain(struct unit *unit, struct errors *errors);
/* Remembers its configuration's ETag, against which drift is seen. */
void health_remember(struct unit *unit);

/* Tells the store of the process as it is. */
void unit_record(struct unit *unit);
/* Tells it that one is about to be started, so that the next life knows what it finds. */
void unit_record_launch(struct unit *unit);
/* What it runs, here and in the store. */
void unit_set_digest(struct unit *unit, const char *digest);
/* A document is on its way: until it is known which one the process runs, neither we nor the next life take it for granted. */
void unit_forget_document(struct unit *unit);
/* An event and a log line: the process was started. */
void unit_say_started(struct unit *unit);
/* Sets the text of the last failure (NULL: none) and logs it. */
void unit_set_error(struct unit *unit, const char *text);

#endif
