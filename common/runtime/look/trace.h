/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Trace: a filter marks some packets, and every step that these take through the engine is written down, with verdict, reason and what
 * was rewritten. One trace at a time in an engine.
 *
 * Threads: the control side makes a buffer for each worker, hands it over between two turns (engine_call) and takes it back in the same way;
 * between, the worker writes its own and the control side reads the records below `count`. Nothing is allocated or locked while packets
 * move. With no trace, workers see nothing but the one word `watch` that is looked at once a burst.
 *
 * Across hops: links know no MACs, so the source address of a marked frame on a link carries the packet's number to the process behind it,
 * which goes on with the same number (TRACE_MARK), and back.
 */
#ifndef SLUICE_RUNTIME_TRACE_H
#define SLUICE_RUNTIME_TRACE_H

#include <stdatomic.h>

#include <jansson.h>

#include "runtime/batch.h"
#include "runtime/look/sift.h"

struct engine;
struct position;

enum {
	TRACE_PACKETS_MAX = 1000,
	TRACE_SECONDS_MAX = 3600,
	TRACE_STEPS = 32, /* room for a packet */
	TRACE_NAME = 64,
	TRACE_FLOWS = 256,
};

enum trace_step {
	STEP_RECEIVED,  /* at a port */
	STEP_FRAGMENT,  /* goes to where the fragments of its datagram are gathered */
	STEP_HANDED,    /* to another worker */
	STEP_HIT,       /* its session was found */
	STEP_MISS,      /* it has none yet */
	STEP_PATH,      /* the path that takes it */
	STEP_OPENED,    /* a session */
	STEP_REFUSED,   /* by a function that was asked to open a session */
	STEP_FUNCTION,  /* crossed a function, or ended there: verdict */
	STEP_HOP,       /* goes to the process behind a hop */
	STEP_BYPASSED,  /* the hop is down */
	STEP_ANSWERED,  /* a function refuses it in words: what follows is the answer's */
	STEP_DELIVERED, /* taken in by the edge itself */
	STEP_HELD,      /* waits for its next hop's MAC */
	STEP_DROPPED,   /* reason */
	STEP_SENT,      /* by a port */
	TRACE_STEP_KINDS
};

/* What a packet looks like at a step. */
struct trace_look {
	uint8_t family; /* 0: not known */
	uint8_t proto, ttl, dscp, tcp_flags, icmp_type, icmp_code;
	uint8_t fragment;
	uint16_t length;       /* of the frame, bytes */
	uint16_t sport, dport; /* network order */
	uint8_t mac[2][6];     /* destination, source */
	union ipaddr src, dst;
};

struct trace_record {
	uint64_t time;      /* ns, CLOCK_MONOTONIC of the host: the same in all processes */
	const char *reason; /* static text; NULL: none */
	const char *by;     /* whose reason it is: "engine", "edge", a kind of function */
	uint16_t packet;    /* its number */
	uint8_t step, verdict, walk, worker;
	char name[TRACE_NAME];           /* of the port, function, path */
	struct trace_look before, after; /* after: of STEP_FUNCTION */
};

/* A session that a marked packet has crossed: its answers are marked, too. */
struct trace_flow {
	const struct session *session;
	uint32_t sequence; /* of its record: a later use of it is another session */
};

/* One worker's. */
struct trace_buffer {
	struct sift sift;
	uint8_t token; /* of this trace, on links */
	bool follow;   /* numbers come and go by the outside ports, too: this is the process behind a hop */
	/* Of all workers: numbers stand behind the packets of frames, not in their addresses. The process behind a hop learns which by what comes. */
	_Atomic bool *behind;
	uint32_t left; /* packets that may still be marked */
	uint16_t next; /* number of the next */
	_Atomic uint32_t marked;
	struct trace_flow flows[TRACE_FLOWS]; /* by address; a newer one takes the place of an older */
	uint32_t size;                        /* records */
	_Atomic uint32_t count;
	_Atomic uint64_t lost; /* steps that found no room */
	struct trace_record records[];
};

/* --- On the worker; only called while it has a buffer. --- */
struct worker;
void trace_received(struct worker *w, uint16_t port, struct rte_mbuf **m, const enum pkt_malformed *kinds,
                    unsigned n);
/* What the lookup has found; marks packets of sessions whose beginning the filter would have marked (answers to translated addresses). */
void trace_lookup(struct worker *w, struct rte_mbuf **m, unsigned n, uint64_t hits);
void trace_sent(struct worker *w, uint16_t port, struct rte_mbuf **m, unsigned n);
/* A function has seen the batch; looks[i] is what packet i was before, numbers[i] its number (0: not marked). */
struct trace_batch {
	uint16_t numbers[BATCH_MAX];
	struct trace_look looks[BATCH_MAX];
};
void trace_before(const struct batch *b, struct trace_batch *t);
void trace_after(struct worker *w, const struct position *p, const struct batch *b,
                 const struct trace_batch *t);
void trace_hop(struct worker *w, const struct position *p, const struct batch *b, bool up);

/* One step of one packet, if it is marked. `reason` may be NULL. */
void trace_step(struct worker *w, struct rte_mbuf *m, enum trace_step step, const char *name,
                const char *reason, const char *by);
/* A session was opened for it. */
void trace_opened(struct worker *w, struct rte_mbuf *m, const char *path);
/* What is made of a packet goes on under its number. */
void trace_inherit(struct rte_mbuf *to, const struct rte_mbuf *from);

/* --- Control side. --- */
struct trace_options {
	const struct sift *sift; /* copied; its rules are taken over (trace_start) */
	unsigned packets;        /* to be marked, by each worker */
	unsigned seconds;
	uint8_t token; /* 0: any */
	bool follow;
};
/* False: one is running, or no memory. The filter is taken over when it answers true. */
bool trace_start(struct engine *engine, const struct trace_options *options, struct errors *errors);
/* Ends and forgets. */
void trace_clear(struct engine *engine);
/* Ends a trace whose time is over. Main thread, a few times a second. */
void trace_poll(struct engine *engine);
/* A port is gone: its number means nothing to a running trace any more. Under engine->lock. */
void trace_forget_port(struct engine *engine, unsigned number);
/* {running, token, marked, lost, steps[]}; NULL: there is none. New reference. */
json_t *trace_show(struct engine *engine);

#endif
