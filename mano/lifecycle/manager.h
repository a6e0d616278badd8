/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The heart of the orchestrator: which services should be, which processes are, and what is being done about it.
 *
 * Threads. Each process has a keeper, a thread that starts it, watches its end, hands it its document and starts it
 * anew (keeper.h). One watchdog looks at all heartbeats (watchdog.c). Each operation under way has a thread
 * (operation.c). REST handlers read, and begin operations. `lock` guards every member marked so, in services and units
 * too, and is held over no I/O but short reads of the store. `change` is held by whoever changes what should be, from
 * reading what there is until the operation is written down.
 *
 * Order of locks, the outer first: change; lock; the store's; a pump's (api/stream.c); the event log's; a stream's
 * (manage/stream.c); the log's. `credentials` is taken while none of ours is held; under it are files and the log only.
 * What is marked `lock` in a unit its keeper writes under it, and reads without it: of the others operations write
 * orders and wishes alone, and the watchdog `hung`.
 *
 * Life cycle: manager_new, manager_recover (adopts what a former life left), calls, manager_free. What should be is in
 * the store before anything is done about it; doing it is idempotent; so a kill at any moment loses nothing.
 */
#ifndef SLUICE_LIFECYCLE_MANAGER_H
#define SLUICE_LIFECYCLE_MANAGER_H

#include <pthread.h>
#include <stdatomic.h>

#include "config/conf.h"
#include "driver/driver.h"
#include "lifecycle/descriptor.h"
#include "lifecycle/host.h"
#include "manage/events.h"
#include "store/store.h"

struct unit;

/* The executable of one process, where it is not the one that all of its kind have. */
struct build {
	char *vnf, *program;
};

struct service {
	char *name;
	struct conf *document; /* as the operator wrote it; lock */
	uint64_t revision;     /* lock */
	bool going;            /* to be deleted; lock */
	uint64_t op;           /* the operation under way; 0: none; lock */
	struct unit **units;   /* the service process first; lock */
	size_t units_count;
	struct build *builds; /* lock */
	size_t builds_count;
};

struct manager_options {
	const char *run_folder, *state_folder, *program_folder;
	unsigned ready_timeout_s; /* how long an operation waits for a process to be ready */
	unsigned revisions;       /* how many of a service are kept; 0: STORE_REVISIONS */
	bool stop_on_exit;        /* whether processes end with us */
};

struct manager {
	struct manager_options options;
	struct descriptor_limits limits;
	struct store *store;
	struct events *events;
	const struct driver *driver;
	struct host host;
	uint64_t life; /* a number that grows with each life */
	char boot[40]; /* of this start of the machine: /proc/sys/kernel/random/boot_id */

	pthread_mutex_t credentials; /* held while certificates of processes are looked after; innermost */
	pthread_mutex_t change;
	pthread_mutex_t lock;
	pthread_cond_t settled;    /* a unit has settled, an operation has ended */
	struct service **services; /* in order of names; lock */
	size_t services_count;
	unsigned operations; /* threads under way; lock */
	bool stopping;       /* lock */
	pthread_t watchdog, confirmer;
	bool watching, confirming;
	_Atomic uint64_t restarts, ops_started, ops_failed, hangs;
};

/* Makes a folder and those that it is in. False with an error. */
bool manager_make_folder(const char *path, struct errors *errors);
/* Opens the store and makes the run folder; NULL with errors. */
struct manager *manager_new(const struct manager_options *options, struct errors *errors);
/* Brings back what the store knows: adopts, restarts, cleans, carries operations on. Returns at once; keepers do the work. */
bool manager_recover(struct manager *manager, struct errors *errors);
/* Lets whoever waits (for operations, in REST handlers) go; nothing new is begun. Before REST is stopped. */
void manager_stop(struct manager *manager);
/* Whether that was said: who waits for somebody else gives up. Takes lock. */
bool manager_is_stopping(struct manager *manager);
/* Leaves all processes running (or stops them, as the options say) and ends all threads. REST is stopped before. */
void manager_free(struct manager *manager);

/* A service by name, or NULL; the caller holds lock. */
struct service *manager_service(const struct manager *manager, const char *name);
/* The service of that name, made if it is not there; lock held. */
struct service *manager_add_service(struct manager *manager, const char *name);
/* Takes a service without units out and frees it; lock held. */
void manager_remove_service(struct manager *manager, struct service *service);
/* The unit that serves a VNF of a service ("" : the service process); NULL; lock held. */
struct unit *service_unit(const struct service *service, const char *vnf);
/* Where a VNF runs: its own unit, or that of the service process if it is fused; NULL: nowhere; lock held. */
struct unit *service_home(const struct service *service, const char *vnf);

/* The executable of a process of a service, if it has one of its own; NULL; lock held. */
const char *service_build(const struct service *service, const char *vnf);
/* Reads the executables of all services from the store; lock held. */
bool manager_load_builds(struct manager *manager, struct errors *errors);

/* --- Changes (change.c). --- */

struct change {
	const struct conf *resources; /* { services: ( ... ) } ; NULL: none */
	const char *const *removed;   /* services to delete, NULL-terminated; NULL: none */
	bool prune;                   /* delete every service that resources does not name */
	bool dry_run;
	const char *kind;           /* of the operation; NULL: "apply", or "delete" */
	struct store_reason reason; /* who, why, and whether it is undone unless confirmed */
};

enum change_result {
	CHANGE_BEGUN,     /* an operation carries it out; report says what it changes, the first hundred */
	CHANGE_UNCHANGED, /* nothing to do: an operation that has ended */
	CHANGE_DRY,       /* report {services, changes} says what would be, errors what is wrong with it */
	CHANGE_INVALID,   /* errors */
	CHANGE_REFUSED,   /* errors: the host lacks something, or a service is busy */
};

/* Validates, admits and begins. The caller holds `change` (manager_begin, manager_end). report: of a dry run, new. */
enum change_result manager_change(struct manager *manager, const struct change *change, uint64_t *op,
                                  json_t **report, struct errors *errors);
static inline void manager_begin(struct manager *manager)
{
	pthread_mutex_lock(&manager->change);
}
static inline void manager_end(struct manager *manager)
{
	pthread_mutex_unlock(&manager->change);
}

/* Restarts (or kills and restarts: heal) the unit of a VNF, or all of a service if vnf is NULL. The caller holds `change`.
 * The operation, or 0 with errors. */
uint64_t manager_restart(struct manager *manager, const char *service, const char *vnf, bool heal,
                         const char *author, struct errors *errors);

/*
 * Another executable for processes of a service (upgrade.c). program: of the one process that is meant; folder: where
 * executables of all kinds are; both NULL: where those of all services are.
 */
struct upgrade {
	const char *service,
	        *vnf; /* vnf: the process that it runs in; NULL: all of the service, or with program its own */
	const char *program, *folder;
	unsigned timeout_s; /* to be ready in; 0: as usual */
	bool dry_run;
	const char *author;
};

/*
 * Checks the executables and the documents with them, and begins. The caller holds `change`. report: of a dry run, new. An
 * upgrade whose processes are not ready in time, or end soon after, goes back by itself.
 */
enum change_result manager_upgrade(struct manager *manager, const struct upgrade *upgrade, uint64_t *op,
                                   json_t **report, struct errors *errors);

/* --- Confirmations and revisions (confirm.c, revision.c). The caller holds `change`. --- */

/* Now, on both clocks. */
struct store_moment manager_moment(const struct manager *manager);

/* Keeps what awaits a confirmation. False with errors (code "conflict": nothing does). */
bool manager_confirm(struct manager *manager, const char *service, const char *author, struct errors *errors);

/* Undoes what awaits a confirmation, all services of its operation; `why` becomes the revisions' comment. The operation, or 0 with errors. */
uint64_t manager_undo(struct manager *manager, const struct store_confirm *confirm, const char *author,
                      const char *why, struct errors *errors);

/* The thread that undoes what was not confirmed in time. */
void *confirm_run(void *manager);

/*
 * What differs between two revisions of a service (0: as it is wanted now), of all of it or of one VNF (else NULL): an
 * array of {path, kind, before, after}. NULL with errors (code "not-found").
 */
json_t *manager_compare(struct manager *manager, const char *service, uint64_t from, uint64_t to,
                        const char *vnf, struct errors *errors);

/* Whether a path of a descriptor, with keys, is that of a VNF (NULL: any), or in it. */
bool revision_concerns(const char *path, const char *vnf);

/*
 * The same between a revision and what the processes run (drift.c), in so far as they run: each is asked. NULL with errors
 * (code "not-found", "unreachable").
 */
json_t *manager_compare_running(struct manager *manager, const char *service, uint64_t from, const char *vnf,
                                struct errors *errors);

/* The descriptor that brings a revision back, of all of the service or of one VNF's configuration; NULL with errors. */
json_t *manager_former(struct manager *manager, const char *service, uint64_t revision, const char *vnf,
                       struct errors *errors);

/* The revisions of a service; of a VNF: those by which its configuration changed. NULL with errors. */
json_t *manager_revisions(struct manager *manager, const char *service, const char *vnf,
                          struct errors *errors);

/* Waits until an operation has ended or stands in FAILED_TEMP, at most so long. Its document (new), NULL if there is none. */
json_t *manager_wait(struct manager *manager, uint64_t op, unsigned milliseconds, struct errors *errors);

/* --- Showing (show.c): new references; NULL: no such service or VNF. They take lock. --- */

json_t *show_services(struct manager *manager);
json_t *show_service(struct manager *manager, const char *name);
json_t *show_vnfs(struct manager *manager, const char *service);
json_t *show_vnf(struct manager *manager, const char *service, const char *vnf);
/* The descriptor and its revision. */
json_t *show_descriptor(struct manager *manager, const char *service, uint64_t *revision);
/* Path of the control socket of the process that a VNF runs in ("" : the service process), malloc'd; NULL if there is none. */
char *manager_socket(struct manager *manager, const char *service, const char *vnf);
/* The last bytes that that process has logged, malloc'd; NULL if there is none. */
char *manager_log(struct manager *manager, const char *service, const char *vnf, size_t bytes);

#endif
