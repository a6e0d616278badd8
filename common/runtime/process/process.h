/* SPDX-License-Identifier: BSD-3-Clause */
/* What the main thread and the REST handlers of a datapath process share. Made by main.c, lives as long as the process. */
#ifndef SLUICE_RUNTIME_PROCESS_H
#define SLUICE_RUNTIME_PROCESS_H

#include <pthread.h>

#include "manage/log.h"
#include "manage/rest.h"
#include "port/bequest.h"
#include "runtime/engine.h"
#include "runtime/process/history.h"
#include "runtime/worker.h"

#define PROCESS_API "v1" /* of our REST */

struct process {
	const char *program;
	struct engine *engine;
	struct events *events;
	struct rest *rest;
	struct access *access; /* NULL: REST is served on the control socket alone */
	struct audit *audit;
	char *directory, *listen;   /* listen: where REST is to be served, too; NULL: nowhere */
	bool listening;             /* it is as `listen` says; else that is tried again */
	unsigned certificates_age;  /* seconds since it was looked after them */
	uint64_t manage_revision;   /* of the document whose `manage` was read last */
	struct rest_options limits; /* as that says; 0: the defaults */
	_Atomic bool ready;         /* the boot document is applied */
	pthread_mutex_t changes;    /* one change of configuration at a time, with its precondition */
	struct history history;     /* guarded by it */
	const struct log_settings *log;
	int successor; /* connection of the process that takes our place (succession.h); -1: none yet */
	int listener;  /* where one may ask for our place; -1: nowhere */
	struct port_bequests inherited; /* what ports of a predecessor stood on, until ours are open */
	struct port_bequests prepared;  /* what was made ahead for them; likewise */
};

/* management.c: REST beside the control socket, and the audit log. Main thread. */

/* Reads `manage` of a document that the schema has checked; false with errors. */
bool management_open(struct process *p, const struct conf *document, struct rest_options *options,
                     struct errors *errors);
/* Listens where the document that runs says, with its limits, if it is not yet done and can be; to be called each second. What fails is logged, and
 * does not touch traffic. */
void management_poll(struct process *p);
/* After rest_stop. */
void management_close(struct process *p);

/* Route tables; `user` of the server is the struct process. */
extern const struct rest_route config_routes[];
extern const struct rest_route history_routes[];
extern const struct rest_route state_routes[];
extern const struct rest_route session_routes[];
extern const struct rest_route look_routes[];

/* What differs between two documents, `to` NULL: what runs: an array of {path, kind, before, after}. New reference. */
json_t *config_changes(struct process *p, const struct conf *from, const struct conf *to);

/* The /metrics document. */
void metrics_handler(const struct rest_request *request, struct rest_reply *reply);

/* Sums over the workers. */
uint64_t engine_total(const struct engine *engine, unsigned counter);
struct nf_traffic engine_nf_traffic(const struct engine *engine, unsigned id);
struct port_traffic engine_port_traffic(const struct engine *engine, unsigned number);
uint64_t engine_nf_counter(const struct engine *engine, unsigned id, unsigned counter);
uint64_t engine_edge_total(const struct engine *engine, unsigned counter);

#endif
