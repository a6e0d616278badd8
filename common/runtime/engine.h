/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The engine: everything that moves packets in one process. Made once by the main thread; its document is applied by whichever
 * control thread holds `lock`; workers see only snapshots. Life: engine_new, engine_apply (many times), engine_free.
 */
#ifndef SLUICE_RUNTIME_ENGINE_H
#define SLUICE_RUNTIME_ENGINE_H

#include <pthread.h>
#include <stdatomic.h>

#include <rte_mempool.h>
#include <rte_rcu_qsbr.h>

#include "flow/cookie.h"
#include "flow/shift.h"
#include "flow/table.h"
#include "manage/events.h"
#include "runtime/clock.h"
#include "port/port.h"
#include "runtime/change/slices.h"
#include "runtime/snapshot.h"
#include "util/heartbeat.h"

enum {
	ENGINE_WORKERS_MAX = SHARED_WORKERS_MAX,
	ENGINE_LAYOUTS_MAX = 4096,
	ENGINE_SLOT_BYTES = 128,
	ENGINE_FUNCTION_BYTES = SHIFT_OFFSET,
	ENGINE_HOPS_MAX = 64
};

/* Sizes: for the life of the process. */
struct engine_sizes {
	char name[NF_NAME_MAX];
	uint32_t workers;             /* threads; a configuration may use fewer */
	uint32_t sessions, sessions6; /* over all workers */
	uint32_t mbufs;
	uint32_t mtu;  /* of an IP packet that a packet buffer holds */
	uint32_t seed; /* 0: random */
	uint32_t
	        pickup; /* seconds of midstream pickup after a start that lost its sessions (change/pickup.h) */
	uint32_t
	        drain; /* seconds that sessions may go on through functions that left their path (change/drain.h) */
	uint32_t syn_proxy_at; /* percent of the room for half-open sessions: from there on they are many */
	bool verify_tcp;       /* checksums of TCP segments with SYN, FIN, RST */
	bool poll;             /* never sleep */
	struct flow_timeouts timeouts;
};

/* A port as the engine keeps it; slots are reused only after a grace period. */
struct engine_port {
	struct port *port; /* NULL: free slot */
	char name[NF_NAME_MAX];
	char as[NF_NAME_MAX]; /* outside port that a link stands for; else its own name */
	char device[256];
	char netns[64];
};

/* What the process was started with. */
struct engine_options {
	const char *
	        directory; /* of memory files and the heartbeat; NULL: anonymous memory, no heartbeat (tests) */
	const char *kept_directory;            /* of what functions keep for successors; NULL: the same */
	const char *cores;                     /* cpu list for workers, "2-3"; NULL: not pinned */
	const struct nf_class *const *classes; /* NULL-terminated */
	struct events *events;                 /* may be NULL */
	bool manual; /* no worker threads: whoever made the engine turns them (measuring, tests) */
	bool check;  /* for dry runs only: small memory, no worker threads */
	bool waits;  /* another process still has the directory: engine_begin() follows when it has left */
};

struct worker;
struct moving_list;
struct acl_shelf;
struct takeover;
struct trace;
struct capture;

struct engine {
	struct engine_sizes sizes;
	struct engine_options options;
	struct engine_clock clock;
	struct rte_mempool *pool;
	struct rte_rcu_qsbr *rcu;
	struct edge *edge;
	struct heartbeat *heartbeat;
	struct port_bequests
	        *inherited; /* what a predecessor's ports stood on; NULL: nothing; the process's */
	struct port_bequests *prepared; /* what was made ahead for ports; NULL: nothing; the process's */
	struct acl_shelf *acls; /* what was compiled ahead (process/rehearse.h); NULL: nothing; under lock */
	_Atomic(struct snapshot *) snapshot; /* what workers run */
	struct worker *workers[ENGINE_WORKERS_MAX];
	pthread_t threads[ENGINE_WORKERS_MAX];
	_Atomic bool stopping;
	_Atomic uint64_t pickup_until; /* ns; 0: never (change/pickup.h) */
	_Atomic bool holding;          /* ports are not received from for a moment */
	_Atomic bool emptying;         /* the same of those that are no links: what is on its way leaves */
	struct takeover *takeover;     /* sessions of functions that come from elsewhere (takeover.h) */
	struct moving_list *moving;    /* sessions between workers (rebalance.h); NULL: none */
	struct cookie_key cookie_key;
	_Atomic uint32_t
	        cookie_last; /* second of the engine's clock in which the last cookie was given, + 1; 0: none ever */
	/* A predecessor's change goes on (process/running.h): until it has, no port is received from and no session brought up to date, for some are already as
	 * the next configuration has them. Control side, under lock. */
	_Atomic bool resuming;
	struct slices slices; /* a change that is being made slice by slice (change/slices.h) */
	/* Held while state words of hops are written and while a snapshot takes another's place: whoever holds it may follow `snapshot` to
	 * its links. For moments only, unlike `lock`. */
	pthread_mutex_t link_lock;
	pthread_mutex_t look_lock;    /* guards trace, capture */
	_Atomic uint64_t renew_asked; /* bit i: function i is to be compiled anew (nf_renew) */
	_Atomic uint64_t
	        drains;      /* bit i: function i drains, and goes by itself (change/drain.h); under lock */
	struct trace *trace; /* the present or last one; NULL: none */
	struct capture *capture; /* likewise */

	pthread_mutex_t
	        change_lock; /* held by whoever changes the configuration, all the while; taken before `lock` */

	/* Control side, under lock. Whoever changes the configuration lets that go while sessions move (change/slices.h): all of this may be looked at then. */
	pthread_mutex_t lock;
	struct conf *document; /* running, with defaults */
	uint64_t revision;
	struct conf *
	        running; /* what runs where that is not what was asked for: with functions that drain; NULL: `document` */
	uint64_t drain_since[ENGINE_NFS_MAX]; /* ns; of those in `drains` */
	uint64_t drain_look;                  /* ns: when it is next looked whether one is done */
	uint64_t drain_ends; /* bit i: function i drains no longer, as of the next publication */
	uint64_t renewing;   /* bit i: function i is not carried over, though its configuration is the same */
	struct engine_port ports[ENGINE_PORTS_MAX];
	struct nf *nfs[ENGINE_NFS_MAX];
	uint32_t slot_units; /* bit i: bytes 16 i .. 16 i + 15 of the slot area are given out */
	char path_names[ENGINE_PATHS_MAX][NF_NAME_MAX]; /* ids of paths by name */
	uint64_t layouts
	        [ENGINE_LAYOUTS_MAX]; /* sets of function ids; written before the snapshot that uses them is published */
	uint16_t layout_count;
	uint64_t
	        rewriters; /* bit i: function i may rewrite; written before its first snapshot is published */
	struct names *names; /* a predecessor's numbers, until the first publication; NULL: none (names.h) */
	char *names_text;    /* as last written */
	uint64_t
	        link_taken; /* bit i: port i's link was taken down (linkstate.h); with the next under link_lock */
	uint64_t link_settles[ENGINE_PORTS_MAX]; /* ns until which the link of a port does not count */
	/* Bit i: port i is watched; had a link when it was looked at last; was last told to have none (linkwatch.c). */
	uint64_t link_seen, link_up, link_down;
	uint64_t link_tell_at[ENGINE_PORTS_MAX]; /* ns before which nothing is told of its link */
	struct conflictwatch *conflicts; /* the main thread's; NULL: nothing heard yet (conflictwatch.c) */
	bool names_known;                /* the sessions found mean what they meant */
	const char *pickup_why;          /* what of a predecessor cannot be used; NULL: nothing */
	/* Revision with which a number went out of use; 0: in use, or never was (retire.h). */
	uint64_t nf_left[ENGINE_NFS_MAX], path_left[ENGINE_PATHS_MAX], port_left[ENGINE_PORTS_MAX],
	        layout_left[ENGINE_LAYOUTS_MAX];
	_Atomic uint8_t hop_up
	        [ENGINE_HOPS_MAX]; /* state words of hops: workers read them, whoever sees a link change writes them */
	char hop_names[ENGINE_HOPS_MAX][2 * NF_NAME_MAX];
};

/* The schema of the whole document; functions' `config` is SCHEMA_ANY in it and checked by its class. */
extern const struct schema engine_schema[];

/* Reads the sizes from a document (or takes defaults), starts memory, edge, workers (which idle until a document is applied). Needs EAL. */
struct engine *engine_new(const struct conf *document, const struct engine_options *options,
                          struct errors *errors);
/* For an engine that waits: opens session memory, finds what a predecessor left, starts workers. False with errors; then only engine_free() may
 * follow. */
bool engine_begin(struct engine *engine, struct errors *errors);
/* Stops workers, functions and ports, and lets go of the session memory: a successor may have all of it. What its ports stand on is handed to an heir, if
 * there is one (a socket, port/bequest.h; -1: none), which may have another number of workers: then packets that are in hops come back first. Only engine_free() may follow. */
void engine_leave(struct engine *engine, int heir, bool other_workers);
/* Stops workers, functions and ports, and frees all. No control thread may use it any more. */
void engine_free(struct engine *engine);

/* Checks and compiles a document and, unless dry, makes it the running one: all or nothing. Takes the document over when it answers true and
 * was not dry; the caller's otherwise. Blocks for as long as compiles, port probes and grace periods take. Control thread; takes the lock. */
bool engine_apply(struct engine *engine, struct conf *document, bool dry, struct errors *errors);

/* Compiles the functions anew that asked for it (nf_renew), lets those go that have drained, and publishes the running document once more; one that does
 * not compile any more stays as it is, and the log says why. To be called a few times a second by a control thread; takes the lock. */
void engine_renew(struct engine *engine);

/* Watches links, of hops and of ports, and tends ports: to be called a few times a second by the control thread. */
void engine_poll_links(struct engine *engine);
/* Tells of addresses of ours that somebody else has. Main thread, now and then. */
void engine_poll_conflicts(struct engine *engine);

/* Runs fn on one worker between two turns and waits for it. Control thread. */
typedef void engine_call_fn(struct worker *worker, void *argument);
void engine_call(struct engine *engine, unsigned worker, engine_call_fn *fn, void *argument);

/* The function of that name and its present snapshot, under engine->lock; NULL if there is none. */
struct nf *engine_nf(struct engine *engine, const char *name, const void **snapshot);

/* The class of that name among the engine's (or NULL-terminated list). */
const struct nf_class *class_find(const struct nf_class *const *classes, const char *name);

#endif
