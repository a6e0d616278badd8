/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One worker: a thread that turns. Everything in here is its own; other threads only read counters (whole words) and post calls and packets
 * by rings. Files: worker.c (the turn), ingress.c (from ports to sessions), open.c (misses), path.c (positions), emit.c, handoff.c.
 */
#ifndef SLUICE_RUNTIME_WORKER_H
#define SLUICE_RUNTIME_WORKER_H

#include <rte_ring.h>

#include "flow/quality.h"
#include "flow/shift.h"
#include "flow/tcp.h"
#include "flow/touch.h"
#include "packet/frag.h"
#include "packet/rate.h"
#include "runtime/change/slices.h"
#include "runtime/look/capture.h"
#include "runtime/engine.h"
#include "runtime/log_ring.h"
#include "runtime/look/sample.h"
#include "runtime/look/trace.h"

/* Counters of a worker. The names are in counters.c. */
enum engine_counter {
	C_RECEIVED, /* packets taken from ports */
	C_RECEIVED_BYTES,
	C_SENT, /* packets that ports took */
	C_SENT_BYTES,
	C_ORIGINATED, /* made here by functions and the runtime (the edge counts its own) */
	C_HANDED_OFF, /* went into another worker's inbox ... */
	C_TAKEN_OVER, /* ... and came out of one's own */
	C_EMITTED,
	C_OPENED, /* sessions */
	C_CLOSED,
	C_REVIEWED,
	C_POLICY_CHANGED, /* sessions closed by a review */
	C_PATH_CHANGED,   /* sessions closed because their path is gone or cannot be walked any more */
	C_ADOPTED,        /* sessions of a predecessor */
	C_NOT_ADOPTED,
	C_TRANSFERS,                /* frames of sessions from other processes */
	C_TRANSFER_LOST,            /* that links did not take */
	C_STATELESS,                /* packets that went on without a session */
	C_SYN_COOKIES,              /* SYNs answered in the server's name */
	C_SYN_PROVEN,               /* clients that acknowledged such an answer */
	C_FIRST_DROP,               /* from here on: reasons for drops */
	C_MALFORMED = C_FIRST_DROP, /* PKT_MALFORMED_KINDS counters */
	C_NOT_FOR_ME = C_MALFORMED + PKT_MALFORMED_KINDS,
	C_NO_PATH,
	C_SESSIONS_FULL,
	C_HALF_OPEN_FULL,
	C_KEY_CLASH,
	C_TCP_WINDOW,
	C_TCP_STATE,
	C_SCTP_TAG,
	C_SCTP_STATE,
	C_SCTP_CHECKSUM,
	C_TCP_CHECKSUM,
	C_WITHHELD,   /* FLOW_WITHHELD */
	C_SYN_UNFIT,  /* SYNs that can be answered in nobody's name */
	C_NO_SESSION, /* ICMP errors and packets that may not open one */
	C_HANDOFF_FULL,
	C_PORT_BUSY, /* the device took no more */
	C_EMIT_FULL,
	C_TURNED_TOO_OFTEN,
	C_HOP_DOWN,
	C_FRAGMENT, /* FRAG_RESULTS counters */
	C_FRAGMENT_LAST = C_FRAGMENT + FRAG_RESULTS - 1,
	C_FRAGMENT_TIMEOUT,
	C_NO_MBUF, /* not a packet's end: one could not be made */
	C_TRANSFER_REFUSED,
	C_STRAY, /* came by a port or link that has no use any more */
	ENGINE_COUNTERS
};
struct engine_counter_info {
	const char *name, *help;
	bool drop;
};
/* What counts a packet that tracking refused. */
extern const uint16_t invalid_counter[FLOW_INVALIDS];
/* Name and help of a counter. */
struct engine_counter_info engine_counter_info(unsigned counter);

/* What looks inside: bits of worker.watch (watch.h). */
enum watch_bit {
	WATCH_TRACE = 1 << 0,
	WATCH_CAPTURE = 1 << 1,
	WATCH_SAMPLE = 1 << 2, /* this burst is measured */
};

/* Per function and worker. */
struct nf_traffic {
	uint64_t packets[2], bytes[2]; /* by walk, on entering */
	uint64_t drops;
	uint64_t opened;
};

/* Where packets that a ring or queue carries go on. */
enum stage {
	STAGE_INGRESS,  /* as if just parsed, from pkt->in_port */
	STAGE_LOOKUP,   /* owner is known; from pkt->in_port */
	STAGE_CONTROL,  /* ARP, ND: worker 0 */
	STAGE_EMITTED,  /* a new packet at (path, position, walk) */
	STAGE_TURNED,   /* with its session, at (path, position, walk) */
	STAGE_TRANSMIT, /* complete; adjacency is the port */
	STAGE_TRANSFER, /* a session from another process; owner is known */
};

enum { TX_BURST = 64, EMIT_MAX = 1024, INBOX_SIZE = 4096, SYN_WAITS = 4096 };

struct tx_buffer {
	uint16_t count;
	struct rte_mbuf *m[TX_BURST];
};

/* For another worker; a burst more than TX_BURST fits. */
struct outbox {
	uint16_t count;
	struct rte_mbuf *m[2 * TX_BURST];
};

struct port_traffic {
	uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes, tx_dropped;
	uint64_t rx_bursts, rx_full; /* that had any; that had BATCH_MAX: more was waiting */
};

/* Answers to another process's questions that its link has no room for yet; a FIFO. */
enum { REPLIES_MAX = 1024 };
struct replies {
	uint32_t head, tail;
	struct rte_mbuf *m[REPLIES_MAX];
};

/* A SYN that a server has not answered. */
struct syn_wait {
	uint64_t session; /* flow_id() */
	uint32_t due;     /* ms */
	uint32_t tries;
};

struct call {
	engine_call_fn *fn;
	void *argument;
	_Atomic bool done;
};

struct worker {
	struct engine *engine;
	const struct snapshot *snapshot;
	uint64_t revision;                   /* of the snapshot */
	const struct edge_table *edge_table; /* of the snapshot, or of the one that it is being changed to */
	uint64_t edge_revision;              /* of the latter */
	struct slice_turn slice;
	struct replies replies;
	struct flow_table *table;
	struct edge_worker *edge;
	uint64_t *edge_counters;
	uint64_t now; /* ns */
	uint32_t now_ms;
	uint16_t id;
	uint16_t workers;             /* of the snapshot; one whose id is not below it is parked */
	uint32_t watch;               /* enum watch_bit; 0: nobody looks */
	struct trace_buffer *trace;   /* with WATCH_TRACE */
	struct capture_ring *capture; /* with WATCH_CAPTURE */
	uint32_t sample_in;           /* bursts until the next that is measured */
	uint64_t sample_begin;        /* cycles; of the burst that is measured */
	uint32_t seed;                /* of its random choices */
	uint64_t tick_at;
	uint64_t nf_tick_at[ENGINE_NFS_MAX];
	struct syn_wait syn_waits[SYN_WAITS]; /* ring, in the order in which they fall due */
	uint32_t syn_head, syn_tail;
	uint64_t opened_this_turn;
	uint64_t sweeping, sweep_cursor; /* revision under which the table is being swept, and how far */
	_Atomic uint64_t swept;          /* revision under which it was swept whole */
	uint64_t drain_counting, drain_cursor,
	        drain_count_at;               /* revision under which it counts, how far, when again */
	uint32_t drain_count[ENGINE_NFS_MAX]; /* sessions that drain, by function: as far as counted ... */
	_Atomic uint32_t drain_sessions[ENGINE_NFS_MAX]; /* ... and by the last count, under this revision: */
	_Atomic uint64_t drain_counted;
	uint64_t mute; /* bit i: link i takes no sessions */
	bool found;    /* a predecessor's sessions are in the table, and the functions do not know yet */
	struct rte_ring *inbox;                   /* many writers, one reader */
	struct outbox outbox[ENGINE_WORKERS_MAX]; /* for others' inboxes; empty between turns */
	uint32_t outbox_dirty;                    /* bit i: outbox[i] holds packets */
	struct frag_table *frags;
	_Atomic(struct call *) call;
	struct token_bucket reject_rate;
	struct log_ring log;
	struct rte_mbuf *emitted[EMIT_MAX]; /* FIFO */
	uint32_t emit_head, emit_tail;
	uint64_t idle_ns; /* present nap; 0: polling */
	uint32_t idle_turns;
	_Atomic double busy_share; /* of the last second; written by the control side, as are the next two */
	uint64_t seen_busy, seen_total;
	uint64_t busy_tsc, total_tsc; /* cycles in turns that moved packets, and all */
	uint64_t counters[ENGINE_COUNTERS];
	struct nf_traffic traffic[ENGINE_NFS_MAX];
	uint64_t *nf_counters
	        [ENGINE_NFS_MAX]; /* allocated by the control side before the function's first snapshot */
	uint64_t drops_of_gone;   /* packets that functions dropped which are gone; the control side's */
	struct port_traffic port_traffic[ENGINE_PORTS_MAX];
	uint64_t tx_dirty; /* bit i: tx[i] holds packets */
	struct tx_buffer tx[ENGINE_PORTS_MAX];
	struct sample nf_samples[ENGINE_NFS_MAX], path_samples[ENGINE_PATHS_MAX];
	struct tcp_totals tcp[ENGINE_PATHS_MAX];
};

/* worker.c */
void *worker_main(void *worker);
/* What the session table of each worker is to be like; the file is up to the caller. */
void worker_table_options(const struct engine *engine, struct flow_options *options);
struct worker *worker_new(struct engine *engine, unsigned id, struct errors *errors);
/* Lets go of its session memory; its thread has ended. */
void worker_leave(struct worker *w);
void worker_free(struct worker *w);
/* One turn; answers the number of packets moved. For tests, too: with its own clock. */
unsigned worker_turn(struct worker *w, uint64_t now);

static inline void worker_drop(struct worker *w, struct rte_mbuf *m, unsigned counter)
{
	w->counters[counter]++;
	if (unlikely(w->trace != NULL))
		trace_step(w, m, STEP_DROPPED, NULL, engine_counter_info(counter).name, "engine");
	rte_pktmbuf_free(m);
}

/* Within a turn that takes long, but ends: this worker does not hang. */
void worker_beat(struct worker *w);

/* sweep.c: a slice of the table, if the configuration has changed since it was last swept; answers whether there was any. */
unsigned sweep_turn(struct worker *w);

/* ingress.c: what came from a port, n <= 64; takes the mbufs over. */
void ingress_burst(struct worker *w, uint16_t port, struct rte_mbuf **m, unsigned n);
/* Parsed packets at their owner: look up, open, run. `entry` of NULL: from the edge. */
struct entry {
	const struct path *path; /* NULL: by session, or by the edge's classification */
	int16_t position;
	uint8_t walk;
};
void ingress_lookup(struct worker *w, const struct entry *entry, struct rte_mbuf **m, unsigned n);
/* Owned here, of one port, with the configuration that the worker has. */
void ingress_owned_here(struct worker *w, uint16_t port, struct rte_mbuf **m, unsigned n);
/* The same from another worker. */
void ingress_handed(struct worker *w, uint16_t port, struct rte_mbuf **m, unsigned n);
/* Packets that a hop would have given back through this link, had it been there. */
void ingress_bypassed(struct worker *w, uint16_t link, struct rte_mbuf **m, unsigned n);
void ingress_staged(struct worker *w, struct rte_mbuf *m);

/* open.c: packets without a session, all of one path, walk and position; opens what may be opened and runs it. */
void open_misses(struct worker *w, const struct entry *entry, struct rte_mbuf **m, unsigned n);
/* Closes a session: tells its functions, frees it. */
void session_close(struct worker *w, struct session *s);
/* The same as a callback of the session table: tells the functions; the table frees. */
bool session_closing(void *worker, struct session *s);

/* refresh.c: brings a session whose path or policy moved on up to date. `path`: its path in the running snapshot; NULL: gone. */
enum refreshed {
	REFRESH_DONE,
	REFRESH_MOVED /* to another segment: its keys have other zones now */,
	REFRESH_CLOSED
};
enum refreshed session_refresh(struct worker *w, struct session *s, const struct path *path);

/* regroup.c: the same for a session whose segment is no more: joined with what is known of its flow elsewhere, and divided anew. */
enum refreshed session_regroup(struct worker *w, struct session *s, const struct path *path);

/* regroup.c, before a session is regrouped: asks the processes that lose functions for what they know of its flow, as far as it can be said: along the
 * flow (JOB_ASK), then against it (JOB_ASK_BACK). To be repeated when they have answered, once for each such process on a path. */
void session_ask(struct worker *w, struct session *s, enum slice_job way);

/* found.c: the functions of a snapshot that is about to be published are told of a predecessor's sessions. Control thread. */
void found_sessions(struct engine *engine, const struct snapshot *next);

/* path.c: packets of one path and walk from a position on; takes the mbufs over. */
void path_run(struct worker *w, const struct path *path, int walk, int position, struct rte_mbuf **m,
              unsigned n);

/* syn_proxy.c */
/* Answers a SYN that opened no session in the server's name; takes it over. `position`: of the function that wants it so. */
void syn_proxy_ask(struct worker *w, const struct path *path, int walk, unsigned position,
                   struct rte_mbuf *m);
/* Whether a packet without a session acknowledges such an answer. If so it has become the SYN that was withheld, and *shift is what its session must know. */
bool syn_proxy_proof(struct worker *w, struct rte_mbuf *m, struct tcp_shift *shift);
/* A session with `shift` was opened by such a packet, which goes to the server now. */
void syn_proxy_begin(struct worker *w, struct session *s);
/* flow_touch() for sessions with SESSION_SHIFTED; the packet may become another one. */
enum flow_invalid syn_proxy_touch(struct worker *w, struct session *s, struct rte_mbuf *m);
/* SYNs that servers have not answered are sent again, or given up. */
void syn_proxy_tick(struct worker *w);

/* What every packet does to its session. */
static inline enum flow_invalid session_touch(struct worker *w, struct session *s, struct rte_mbuf *m)
{
	if (unlikely(s->flags & SESSION_SHIFTED))
		return syn_proxy_touch(w, s, m);
	return flow_touch(w->table, s, m, w->now_ms);
}

/* emit.c */
/* An answer to a packet that opened no session: nothing has rewritten that, so the answer leaves straight by the port or link it came from. */
void emit_home(struct worker *w, const struct path *path, int walk, uint16_t from, struct rte_mbuf *m);
unsigned emit_drain(struct worker *w);
struct rte_mbuf *worker_mbuf(void *worker);
void worker_turn_error(void *worker, struct rte_mbuf *offending, struct rte_mbuf *error);

/* transmit.c */
void transmit(void *worker, uint16_t port, struct rte_mbuf *m);
void transmit_burst(void *worker, uint16_t port, struct rte_mbuf **m, unsigned n);
void transmit_flush(struct worker *w);

/* handoff.c */
/* Owner bucket of what enters by a port or link; of a fragment, for whoever gathers its datagram; of a session whose first packets come in with
 * this tuple, its zone a port's or a function's. */
unsigned owner_bucket(const struct snapshot_port *port, const struct tuple *t);
unsigned owner_of_packet(const struct snapshot_port *port, struct rte_mbuf *m);
unsigned owner_of_fragment(struct rte_mbuf *m);
unsigned owner_of_session(const struct snapshot *snapshot, const struct path *path, int walk,
                          const struct tuple *first);
/* The same of all packets of a burst, kept in struct pkt. */
void owner_buckets(const struct snapshot_port *port, struct rte_mbuf **m, unsigned n);
/* Of a packet from outside, which has its bucket: that of the connection as it is when a function turns it round to another host of the same side (hairpin); else its own. */
unsigned owner_of_turned(const struct snapshot_port *port, struct rte_mbuf *m);
void handoff(struct worker *w, unsigned to, struct rte_mbuf *m, enum stage stage);
/* Hands off what is for others to look up, by its bucket; answers how many are this worker's, which are in front then. n <= 64. */
unsigned handoff_burst(struct worker *w, struct rte_mbuf **m, unsigned n);
/* What was handed off in this turn reaches its workers. */
void handoff_flush(struct worker *w);
unsigned handoff_drain(struct worker *w);

#endif
