/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The session table of one worker: buckets of one cache line (eight 16-bit signatures, eight references, an
 * overflow link), sessions in a pool that may lie in a memory file. One thread uses it, without locks; other
 * threads ask that worker by message. Inserts do not fail below 95 % load. Created when the engine starts,
 * freed when it stops. Works without EAL.
 */
#ifndef SLUICE_FLOW_TABLE_H
#define SLUICE_FLOW_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/session.h"

struct rte_mbuf;
struct tcp_quality;
struct tcp_totals;
struct errors;
struct flow_table;

/* Idle times by class; 0 counts as 1 second, above 1,000,000 (11 days; the clock wraps after 49) as that. */
struct flow_timeouts {
	uint32_t seconds[SESSION_CLASSES];
};
extern const struct flow_timeouts flow_default_timeouts;
extern const char *const session_class_names[SESSION_CLASSES]; /* "tcp-opening", ... */

struct flow_options {
	const char *file;     /* memory file (created, or opened again); NULL: anonymous memory */
	uint32_t sessions_v4; /* capacities */
	uint32_t sessions_v6;
	uint32_t slot_bytes;            /* slot area of each session, rounded up to 64 */
	uint32_t hash_seed;             /* random in production */
	uint32_t max_half_open_percent; /* of each family's capacity; 0: the default, 25 */
	uint32_t now; /* ms; a session that was seen a week later is nonsense; 0: not known */
};

/* Creates the table; NULL with errors added (memory, file, file in use by another process). Where the file
 * holds a table of the same geometry, its sessions are found again, with its hash seed: index, lists and free
 * lists are rebuilt, torn and nonsensical records dropped and counted; hop, entry_ports and generation of
 * those found are cleared, for they mean nothing to a successor. Another geometry starts empty. The clock
 * that is passed as `now` must go on from where the predecessor's was. */
struct flow_table *flow_table_new(const struct flow_options *options, struct errors *errors);
void flow_table_free(struct flow_table *table);

/* Hash of a tuple, symmetric in nothing: each direction has its own. The same in every table of the same
 * seed. */
uint32_t flow_hash(const struct flow_table *table, const struct tuple *t);

/* Looks up n (<= 64) parsed packets: sets pkt->hash, pkt->session (NULL: a miss), pkt->dir. Bit i of the
 * result: a hit. Packets whose bit in `which` is clear are left alone. */
uint64_t flow_lookup(struct flow_table *table, struct rte_mbuf **m, unsigned n, uint64_t which);

/* Looks one tuple up; NULL, or the session and its direction. */
struct session *flow_find(struct flow_table *table, const struct tuple *t, int *direction);

enum flow_result {
	FLOW_OK,
	FLOW_FULL,  /* no room, and no session to evict that is half-open or over, and idle for above 1 s */
	FLOW_CLASH, /* one of the two keys exists already */
	FLOW_HALF_OPEN, /* the share of half-open sessions is used up and none is old enough to evict */
};

/* Reserves a session for an originator's tuple: a record with its slots zeroed, key 0, class (by protocol)
 * and last_seen set, entry_ports 0xffffffff, not yet findable. `now` in milliseconds. Follow with
 * flow_commit() or flow_abandon(). TCP, UDP and SCTP count as half-open from here on until they are answered. May
 * evict a session that is half-open, or where there is no room a TCP session that is over, and idle for above 1 s. */
enum flow_result flow_reserve(struct flow_table *table, const struct tuple *forward, uint32_t now,
                              struct session **s);

/* Whether half-open sessions of the tuple's family take so many percent of the room that there is for them. */
bool flow_half_open_above(const struct flow_table *table, const struct tuple *forward, unsigned percent);

/* The same for a session that is not to count as half-open while it is being opened: its originator has proven that it is there, or will have to
 * before anything comes of it. */
enum flow_result flow_reserve_aside(struct flow_table *table, const struct tuple *forward, uint32_t now,
                                    struct session **s);

/* Makes it findable by both keys; `reverse` is the tuple of an answer as it will come in (the exit tuple,
 * reversed); NULL for SESSION_ONEWAY. On FLOW_CLASH (of either key: the second packet of a flow in one vector
 * clashes, look it up again) and FLOW_FULL (no overflow bucket left) nothing is changed and the record is
 * still reserved. */
enum flow_result flow_commit(struct flow_table *table, struct session *s, const struct tuple *reverse);
void flow_abandon(struct flow_table *table, struct session *s);

/* Asks for the memory that flow_commit() will need for a tuple, flow_remove() for a session: to be called some time before. */
void flow_prefetch(const struct flow_table *table, const struct tuple *t);
void flow_prefetch_keys(const struct flow_table *table, const struct session *s);

/* Unlinks and frees a session. The caller has told the functions before. */
void flow_remove(struct flow_table *table, struct session *s);

/* Gives a session other keys of the same family and protocol (`reverse` is not looked at for SESSION_ONEWAY). NULL: done; else nothing has
 * changed, and the answer is the session that has one of these keys (s itself: no room in the index). */
struct session *flow_rekey(struct flow_table *table, struct session *s, const struct tuple *forward,
                           const struct tuple *reverse);

/* The clock of round-trip times, microseconds, wraps: to be set once a turn. Where TCP's quality is summed by path (flow/quality.h): `count` paths; set
 * once at start, kept by the caller until the table is freed. */
void flow_clock(struct flow_table *table, uint32_t now_us);
/* Whether the checksums of whole TCP segments with SYN, FIN or RST are verified before they move the tracking; at first they are not. */
void flow_verify_tcp(struct flow_table *table, bool verify);
void flow_totals(struct flow_table *table, struct tcp_totals *by_path, uint32_t count);
/* The quality of a TCP session. */
const struct tcp_quality *flow_quality(const struct flow_table *table, const struct session *s);

/* flow_touch(), what every packet does to its session, is in flow/touch.h. */

/* Looks at no more than `budget` sessions whose time may be over and expires those whose it is: `close` is
 * called before each is freed (may be NULL; answers false to keep it a while). Returns how many were freed. A
 * session is never expired early; it is expired late by at most a sixteenth of its class's timeout, plus 1
 * ms, plus what a short budget leaves for later turns. */
typedef bool flow_close_fn(void *context, struct session *s);
unsigned flow_expire(struct flow_table *table, const struct flow_timeouts *timeouts, uint32_t now,
                     unsigned budget, flow_close_fn *close, void *context);
/* Called before a session that is half-open or over is evicted for room; set once at start. False keeps it. */
void flow_on_evict(struct flow_table *table, flow_close_fn *close, void *context);

/* Walks the pools from *cursor (0 to begin) over at most `budget` records, calling `visit` for each findable
 * session; sets *cursor to 0 at the end. visit may remove the session. Sessions opened meanwhile may or may
 * not be seen; others exactly once. */
typedef void flow_visit_fn(void *context, struct session *s);
void flow_walk(struct flow_table *table, uint64_t *cursor, unsigned budget, flow_visit_fn *visit,
               void *context);

struct flow_stats {
	uint32_t live, half_open, capacity_v4, capacity_v6, used_v4, used_v6;
	uint64_t opened, closed, expired, evicted, clashes, full, half_open_refused, torn, memory_bytes;
	uint32_t per_class[SESSION_CLASSES];
};
void flow_stats(const struct flow_table *table, struct flow_stats *stats);

/* Stable id of a session for REST and logs: unique within the table for the session's life and 2^31 uses of
 * its record. */
uint64_t flow_id(const struct flow_table *table, const struct session *s);
/* The session of an id, or NULL if it is gone. */
struct session *flow_by_id(const struct flow_table *table, uint64_t id);

#endif
