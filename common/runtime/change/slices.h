/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A change that moves functions between processes, or sessions between workers, made slice by slice: the 256 owner buckets are gone through in
 * order, and while the sessions of some are being moved only their packets wait. Two configurations are in force at once: buckets
 * below `from` have the next one, from `to` on the present one; what is between is on its way. Both directions of a flow, and all of its sessions
 * here, have one bucket, wherever its functions run (owners.c).
 *
 * The control side (slices.c) says how far it is and what is to be done with the slice; each worker reads that at the beginning of its turn (slice_turn.c),
 * chooses a configuration for each packet, and keeps those that wait, in order.
 */
#ifndef SLUICE_RUNTIME_SLICES_H
#define SLUICE_RUNTIME_SLICES_H

#include <rte_mbuf.h>

#include "runtime/snapshot.h"

struct engine;
struct session;
struct transfer_frame;
struct worker;

enum slice_stage {
	SLICE_NONE,  /* nothing waits */
	SLICE_ENTRY, /* packets of the slice wait that come in from outside; what is behind hops comes back */
	SLICE_ALL,   /* all of its packets wait */
};

enum slice_job {
	JOB_NONE,
	JOB_SURVEY, /* sessions are counted */
	JOB_ASK,
	JOB_ASK_BACK, /* processes that lose functions are asked for what they know of the slice's sessions */
	JOB_REGROUP,  /* these are brought to the next configuration */
};

/* How far it is; the engine's. Written by the control side. */
struct slices {
	_Atomic(const struct snapshot *) next; /* NULL: no such change is under way */
	_Atomic uint64_t view;                 /* from | to << 16 | stage << 32 */
	_Atomic uint64_t job;                  /* number << 8 | enum slice_job */
	bool rebalances; /* sessions change workers; their packets go to the new one by way of the old one */
	bool other_owners; /* buckets mean something else in the next configuration: there is one slice */
	_Atomic uint32_t sessions[OWNER_BUCKETS]; /* as counted */
	_Atomic uint32_t turned; /* of them, those that turn round at a function of a path that changes */
	_Atomic bool unpaced;    /* a process does not say how far it is: it is not waited for */
	_Atomic uint16_t
	        round; /* of probes; the answers that have come by each link, and how many a probe gets (0: not known yet): */
	_Atomic uint32_t echoes[ENGINE_PORTS_MAX], echoes_due[ENGINE_PORTS_MAX];
};

enum {
	SLICE_HELD_MAX = 4096,
	SLICE_HOPS_MAX = 64,
	SLICE_PACE = 1 << 15 /* in the number of a probe: a worker's */
};

/* A worker's part. */
struct slice_turn {
	const struct snapshot *now, *next; /* in this turn; next is NULL where no such change is under way */
	unsigned from, to;
	enum slice_stage stage;
	uint64_t job, cursor;         /* what it is at */
	unsigned met;                 /* sessions of the slice, in this turn */
	uint8_t sent[SLICE_HOPS_MAX]; /* sessions to a hop since its process was last asked how far it is */
	uint32_t acks_due;            /* answers to that which are awaited, in all ... */
	_Atomic uint32_t acks;        /* ... and those that have come */
	_Atomic uint64_t done;
	_Atomic unsigned held_from; /* `from` when the packets that wait came, or were looked at last */
	unsigned turned; /* of those that wait, such whose connection turns round, at another bucket */
	_Atomic unsigned held_count;
	struct rte_mbuf *held[SLICE_HELD_MAX]; /* that wait, in order */
};

/* --- control side --- */

/* Whether a change has to be made so. */
bool slices_needed(const struct engine *engine, const struct snapshot *now, const struct snapshot *next);
/* Brings all sessions to `next`, which workers then run but for its name: the caller publishes it and calls slices_end(). Under the engine's change_lock and its lock, which
 * is let go meanwhile. */
void slices_run(struct engine *engine, const struct snapshot *next);
void slices_end(struct engine *engine);

/* Lets all leave that is on its way through hops and workers: nothing comes in from outside from here on. A process that does not answer is waited for 0.3 s. No change is
 * under way. */
void slices_empty(struct engine *engine);

/* --- worker --- */

/* At the beginning of a turn: looks how far it is; before the worker looks for another snapshot. */
void slices_look(struct worker *w);
/* After that: releases what need not wait any more. */
void slices_release(struct worker *w);
/* Does some of what is to be done with the slice; answers whether there was any. */
unsigned slices_work(struct worker *w);
/* Parsed packets of one port, with a change under way: to their owners, and on with the configuration that their bucket has; takes them over. */
void slices_ingress(struct worker *w, const struct snapshot_port *port, struct rte_mbuf **m, unsigned n);
/* The same at their owner. */
void slices_owned(struct worker *w, uint16_t number, struct rte_mbuf **m, unsigned n);
/* Makes a configuration the worker's for what follows; answers the one it was. */
const struct snapshot *slices_use(struct worker *w, const struct snapshot *snapshot);
/* The configuration by which a session goes; NULL: what has none, which goes on with the one that made it (slices_use()). */
const struct snapshot *slices_of(const struct worker *w, const struct session *s);
/* The same of a packet that another worker sent here while a change is under way, which may have seen more of it than this one at the beginning of its turn. */
const struct snapshot *slices_of_sent(const struct worker *w, const struct pkt *p);
/* Whether the other configuration of a change under way has this port. */
bool slices_port(const struct worker *w, uint16_t number);
/* Whether it is a link, by either. */
bool slices_link(const struct worker *w, uint16_t number);
/* Whether so many packets wait that no more should be received from outside. */
bool slices_full(const struct worker *w);
/* A session went to a hop's process. Now and then that is asked how far it is: no more are sent than fit into a link beside packets. */
void slices_sent(struct worker *w, const struct position *hop);
/* An answer to a probe has come by this link. */
void slices_echo(struct engine *engine, uint16_t link, const struct transfer_frame *frame);

#endif
