/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What carries an instance of the engine: a process now; each kind of carrier is one row of functions. Drivers keep no
 * state: what they need is in the specification, what they made is in the struct child. Calls may block; any thread,
 * one at a time for one folder.
 *
 * An instance lives in a folder: boot.json (its document), control.sock (its REST), heartbeat, log, errors.json (of
 * a start that failed), session memory.
 */
#ifndef SLUICE_DRIVER_DRIVER_H
#define SLUICE_DRIVER_DRIVER_H

#include <sched.h>

#include "util/child.h"

/* Borrowed strings. */
struct instance {
	const char *folder;
	const char *kept;      /* where functions keep what their successors must know; NULL: there, too */
	const char *program;   /* the executable, with its path */
	const char *netns;     /* NULL: ours */
	const char *cores;     /* of the workers: "2-3"; "": not pinned */
	const char *control;   /* of the other threads, as a list; "": everywhere */
	const cpu_set_t *cpus; /* the same as a set; NULL: everywhere */
	const char *hugepages; /* auto, always, never */
	unsigned memory_mb;
	const char *document; /* JSON text, ends up as boot.json */
	const char *label;    /* goes with it for as long as it lives, and says nothing to it; see label() */
	int standby; /* a stream socket: it stands by beside the one that runs in the folder (runtime/process/succession.h), and talks there; -1: it does not */
	/* Called when it exists and before it runs (util/child.h); NULL: nobody is told. */
	void (*note)(void *user, const struct child *child);
	void *user;
};

struct driver {
	const char *name;
	/* Makes the folder and writes the boot document; also over an older one. */
	bool (*create)(const struct instance *instance, struct errors *errors);
	/* Starts what create made. It is not ready yet when this returns. */
	bool (*start)(const struct instance *instance, struct child *child, struct errors *errors);
	/* Asks it to end, kills it after `grace` milliseconds. */
	void (*stop)(struct child *child, unsigned grace);
	/* Takes up an instance that a former life started; pid 0: looks for one that runs in the folder, rather than one that stands by there. */
	bool (*adopt)(const char *folder, pid_t pid, uint64_t start_time, struct child *child);
	/* Whether it runs in the folder; else it still stands by there, or was just told to begin. */
	bool (*runs)(const char *folder, const struct child *child);
	/* The label that an instance was started with; false: none is known. */
	bool (*label)(const struct child *child, char *label, size_t size);
	/* Whether its executable has been replaced by another file since it started. */
	bool (*outdated)(const struct child *child);
	/* The last `size` bytes at most of what it has written, from offset `from` on; malloc'd, never NULL. */
	char *(*logs)(const char *folder, long from, size_t size);
	/* What it left to say why it could not begin: {"errors": [...]} by the paths of its document; malloc'd, NULL: nothing. */
	char *(*failure)(const char *folder);
	/* Size of its log now, to be given as `from` later. */
	long (*log_size)(const char *folder);
	/* Removes the folder with all in it. The instance has ended. */
	void (*destroy)(const char *folder);
};

extern const struct driver process_driver;

/* Files of an instance's folder; no function of a service may have such a name. */
#define INSTANCE_BOOT      "boot.json"
#define INSTANCE_CONTROL   "control.sock"
#define INSTANCE_HEARTBEAT "heartbeat"
#define INSTANCE_LOG       "log"
#define INSTANCE_ERRORS    "errors.json"

#endif
