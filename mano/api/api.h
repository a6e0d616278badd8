/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The orchestrator's REST (docs/SLUICED.md). Handlers run on the server's threads and hold no data of their own: they
 * read and change through the manager. Life cycle: api_start, api_stop before manager_free.
 */
#ifndef SLUICE_API_API_H
#define SLUICE_API_API_H

#include "lifecycle/manager.h"
#include "manage/rest.h"

/* What handlers share: the user pointer of the server. */
struct api {
	struct manager *manager;
	struct rest *rest;
	struct access *access;
	struct audit *audit;
	char *access_folder;
	const struct api_options *options;
	struct rest_route event_routes[2], audit_routes[2];
	_Atomic uint64_t requests, refused; /* answered; with a status of 400 or more */
	_Atomic bool ready;
	_Atomic unsigned pumps; /* threads that pass streams on */
};

enum { API_LISTEN_MAX = 8 };

struct api_options {
	long group;                         /* members of it may use the unix socket, too; -1: none */
	const char *listen[API_LISTEN_MAX]; /* ADDRESS:PORT, TLS */
	unsigned listen_count;
	const char *names[API_LISTEN_MAX]; /* further names of this host, for its certificate */
	unsigned names_count;
	struct rest_options limits; /* only what rest_limit sets */
	const char *log_file;       /* where sluiced logs to; NULL: standard error */
};

/* Listens on RUN/sluiced.sock and where the options say, which must outlive it. NULL with errors. */
struct api *api_start(struct manager *manager, const struct api_options *options, struct errors *errors);
/* Certificates that are due are issued anew; to be called every now and then. Any one thread. */
void api_renew(struct api *api);
/* To be called when what a former life left has been taken up. */
void api_ready(struct api *api);
void api_stop(struct api *api);

/* --- Tables, one a file. --- */
extern const struct rest_route service_routes[], revision_routes[], upgrade_routes[], backup_routes[],
        vnf_routes[], chain_routes[], op_routes[], system_routes[], access_routes[], log_routes[];

/* --- Access (access.c): STATE/access with the authority, our certificate, an admin's, and the tokens. --- */

/* Makes what is missing; at the first start also a certificate and a token for an admin. False with errors. */
bool access_prepare(struct api *api, struct errors *errors);

/* Components of the OpenAPI document (shapes.c). New reference. */
json_t *shapes_json(void);

/* --- What the files share (common.c). --- */

struct api *api_of(const struct rest_request *request);
struct manager *manager_of(const struct rest_request *request);

/* Who asks: "uid 0", "token ci", "certificate alice". The text lives in `text`. */
const char *author_of(const struct rest_request *request, char *text, size_t size);

enum { AUTHOR_SIZE = 160, CONFIRM_MAX_S = 86400 };

/* Who asks for a change, and what the query says of it: ?comment=, ?confirm=SECONDS. False: the reply is a 400. */
bool reason_of(const struct rest_request *request, struct rest_reply *reply, char *author, size_t size,
               struct store_reason *reason);

/* 404 of a service or VNF that is not there. */
void reply_no_service(struct rest_reply *reply, const char *service);
void reply_no_vnf(struct rest_reply *reply, const char *service, const char *vnf);

/* ?wait= in milliseconds, else `otherwise`; false: the reply is a 400. */
bool wait_of(const struct rest_request *request, struct rest_reply *reply, unsigned otherwise_s,
             unsigned *ms);

/* Answers with an operation: waits as asked, then 200 if it has ended, else `status` (202, 201) with Location. */
void reply_op(const struct rest_request *request, struct rest_reply *reply, uint64_t op, unsigned status,
              unsigned wait_s);

/* How a change of one service ends. `created`: the service was not there. */
struct service_change {
	const char *service;
	json_t *descriptor; /* taken over; NULL: delete */
	const char *
	        prefix; /* path of what was sent in the descriptor ("vnfs[0].config"), taken off errors; NULL: all of it */
	bool created;
	const char *kind, *comment; /* of the operation and the revision; NULL: as usual, as the query says */
	uint64_t origin;            /* the revision that is brought back */
	unsigned
	        wait_s; /* where the request says nothing; an operation that rolled back is then a problem, 422 */
};

/* Carries a change of one service out and answers. The caller has called manager_begin; this calls manager_end. */
void change_service(const struct rest_request *request, struct rest_reply *reply,
                    const struct service_change *change);

/* Restarts or heals a service (vnf NULL) or where a VNF runs, and answers. The caller has called manager_begin; this calls
 * manager_end. */
void restart_units(const struct rest_request *request, struct rest_reply *reply, const char *service,
                   const char *vnf, bool heal);

/* Answers an outcome of manager_change other than a begun one. True if it has answered. */
bool reply_refused(struct rest_reply *reply, enum change_result result, struct errors *errors);

/* True, and the reply a 422, if a dry run is asked for where there is none. */
bool reply_no_dry_run(const struct rest_request *request, struct rest_reply *reply);

/* Notes what is being changed for the audit log; takes the report (may be NULL) over. */
void note_change(struct rest_reply *reply, json_t *report);

/* True, and the reply a 422, if ?confirm= is asked for where nothing can be undone. */
bool reply_no_confirm(const struct rest_request *request, struct rest_reply *reply);

/* Answers a dry run; takes the report over and empties the errors. */
void reply_dry_run(struct rest_reply *reply, json_t *report, struct errors *errors);

/* Element of an array of objects by its name, borrowed; NULL. *index may be NULL. */
json_t *named_item(const json_t *list, const char *name, size_t *index);

/* --- Passing on (proxy.c). --- */

/*
 * Passes the request on to a process: its REST at `path`, with this request's query. `tags`: ETag and the conditions on
 * it are the process's, and go through.
 */
void proxy(const struct rest_request *request, struct rest_reply *reply, const char *socket, const char *path,
           bool tags);

/* The same for a GET whose reply may go on without end (stream.c). */
void proxy_stream(const struct rest_request *request, struct rest_reply *reply, const char *socket,
                  const char *path);

#endif
